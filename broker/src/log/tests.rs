use super::*;
use fnctl_config::snapshot::Retention;
use std::time::Duration;

#[test]
fn positions_print_and_parse() {
    let position: Position = "3:18446744073709551615".parse().unwrap();
    assert_eq!(position.to_string(), "3:18446744073709551615");
    assert_eq!(Position::from_key(position.to_key()), position);
    assert_eq!(position.behind(), position, "the last place has nothing behind it");
    for text in ["", ":", "1", "1:", ":1", "a:1", "1:-1", "1:2:3", "4294967296:0"] {
        assert_eq!(text.parse::<Position>(), Err(InvalidPosition(text.to_owned())), "{text}");
    }
}

fn keep(age: Duration, bytes: u64) -> Retention {
    Retention { age, bytes, drop_pending: false }
}

#[tokio::test]
async fn memory_conforms() {
    conformance::check(|| memory::MemoryLog::new(keep(Duration::ZERO, 0))).await;
}

#[tokio::test]
async fn memory_keeps_what_is_young_and_fits() {
    const NOW_MS: i64 = 1_000_000;
    let kept = async |age, bytes, keep_from| {
        let log = memory::MemoryLog::new(keep(age, bytes));
        for (number, age_ms) in [(0, 3_000), (1, 2_000), (2, 1_000), (3, 0)] {
            log.append_at(vec![Bytes::from(vec![number; 100])], NOW_MS - age_ms);
        }
        let gone = log.trim_at(Position { partition: 0, offset: keep_from }, NOW_MS);
        assert_eq!(log.start()[0].offset, gone);
        let kept = log.read(log.start()[0], 9, 1_000).await.unwrap();
        assert_eq!(kept.len() as u64, 4 - gone);
        (gone, kept.first().map(|stored| stored.record[0]))
    };
    let second = Duration::from_secs(1);
    assert_eq!(kept(3 * second, 400, 4).await, (0, Some(0)), "young enough, and it fits");
    assert_eq!(kept(2 * second, 400, 4).await, (1, Some(1)), "one is too old");
    assert_eq!(kept(3 * second, 399, 4).await, (1, Some(1)), "one does not fit");
    assert_eq!(kept(3 * second, 200, 4).await, (2, Some(2)), "two do not fit");
    assert_eq!(kept(Duration::ZERO, 0, 4).await, (4, None), "nothing is wanted");
    assert_eq!(kept(Duration::ZERO, 0, 2).await, (2, Some(2)), "what is pending stays");
}
