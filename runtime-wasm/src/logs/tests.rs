use super::{Logs, Stream};
use fnctl_config::limits;
use fnctl_config::snapshot::ObjectKey;

fn revision() -> ObjectKey {
    ObjectKey::new("default", "hello-00001")
}

fn texts(logs: &Logs) -> Vec<(u64, Stream, String)> {
    logs.read(&revision(), 0).into_iter().map(|line| (line.sequence, line.stream, line.text.into())).collect()
}

#[test]
fn output_becomes_lines() {
    let logs = Logs::new();
    let mut writer = logs.writer(&revision(), "event-1".into());
    writer.write(Stream::Stdout, b"one\ntw");
    writer.write(Stream::Stderr, b"oh\n");
    writer.write(Stream::Stdout, b"o\n\nlast");
    assert_eq!(texts(&logs).len(), 4, "a line is there as soon as it ends");
    writer.finish();
    let expected = [
        (0, Stream::Stdout, "one"),
        (1, Stream::Stderr, "oh"),
        (2, Stream::Stdout, "two"),
        (3, Stream::Stdout, ""),
        (4, Stream::Stdout, "last"),
    ];
    assert_eq!(texts(&logs), expected.map(|(n, stream, text)| (n, stream, text.to_owned())));
    assert_eq!(&*logs.read(&revision(), 4)[0].call, "event-1");
}

#[test]
fn what_is_too_much_is_counted() {
    let logs = Logs::new();
    let mut writer = logs.writer(&revision(), "".into());
    for _ in 0..limits::LOG_CALL_BYTES_MAX / 64 + 2 {
        writer.write(Stream::Stdout, &[b'x'; 64]);
    }
    writer.finish();
    let lines = texts(&logs);
    let (_, stream, last) = lines.last().unwrap();
    assert_eq!((*stream, &last[..14]), (Stream::Platform, "128 bytes more"));
    assert!(lines.iter().all(|(_, _, text)| text.len() <= limits::LOG_LINE_BYTES_MAX));
}

#[test]
fn the_ring_is_bounded_in_bytes_and_lines() {
    let logs = Logs::new();
    for text in ["x".repeat(4096), String::new()] {
        for _ in 0..2 * limits::LOG_REVISION_BYTES_MAX / 64 {
            logs.note(&revision(), &"".into(), &text);
        }
        let kept = logs.read(&revision(), 0);
        assert!(kept.iter().map(|line| line.text.len()).sum::<usize>() <= limits::LOG_REVISION_BYTES_MAX);
        assert!(kept.len() <= super::LINES_MAX);
        assert!(kept[0].sequence > 0, "the oldest are gone, and the numbers tell it");
    }
}

#[test]
fn revisions_are_bounded_too() {
    let logs = Logs::new();
    for n in 0..=limits::LOG_REVISIONS_MAX {
        logs.note(&ObjectKey::new("default", format!("r-{n}")), &"".into(), "hello");
    }
    assert_eq!(logs.read(&ObjectKey::new("default", "r-0"), 0), []);
    assert_eq!(logs.read(&ObjectKey::new("default", format!("r-{}", limits::LOG_REVISIONS_MAX)), 0).len(), 1);
}

#[tokio::test]
async fn follow_waits_for_the_next_line() {
    let logs = Logs::new();
    logs.note(&revision(), &"".into(), "before");
    let mut follow = logs.follow(&revision(), None);
    let mut whole = logs.follow(&revision(), Some(0));
    assert_eq!(&*whole.next().await[0].text, "before");
    let (lines, ()) = tokio::join!(follow.next(), async {
        tokio::task::yield_now().await;
        logs.note(&revision(), &"".into(), "after");
    });
    assert_eq!(lines.len(), 1);
    assert_eq!(&*lines[0].text, "after");
}
