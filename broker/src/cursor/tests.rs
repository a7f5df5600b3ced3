use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn at(partition: u32, offset: u64) -> Position {
    format!("{partition}:{offset}").parse().unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Done(u64),
    Range(u64, u64),
    Save,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..40u64).prop_map(Step::Done),
        2 => (0..40u64, 0..12u64).prop_map(|(from, length)| Step::Range(from, from + length)),
        1 => Just(Step::Save),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_plain_set(start in 0..10u64, steps in prop::collection::vec(step(), 0..80)) {
        let mut cursor = Cursor::new(&[at(0, start), at(1, 7)]);
        let mut set: BTreeSet<u64> = (0..start).collect();
        for step in steps {
            let before = cursor.low();
            match step {
                Step::Done(offset) => {
                    cursor.done(at(0, offset));
                    set.insert(offset);
                }
                Step::Range(from, to) => {
                    cursor.done_range(at(0, from), at(0, to));
                    set.extend(from..to);
                }
                Step::Save => cursor = serde_json::from_str(&serde_json::to_string(&cursor).unwrap()).unwrap(),
            }
            let first_pending = |from: u64| (from..).find(|offset| !set.contains(offset)).unwrap();
            prop_assert_eq!(cursor.low(), vec![at(0, first_pending(0)), at(1, 7)]);
            prop_assert!(cursor.low() >= before, "the watermark moved back");
            for offset in 0..60 {
                prop_assert_eq!(cursor.is_done(at(0, offset)), set.contains(&offset));
                prop_assert_eq!(cursor.pending_from(at(0, offset)), at(0, first_pending(offset)));
            }
            let runs = set.iter().filter(|&&offset| offset > 0 && !set.contains(&(offset - 1))).count();
            prop_assert_eq!(cursor.ranges(), runs);
        }
    }

    #[test]
    fn clamped_to_the_end_of_the_log(done in prop::collection::vec(0..40u64, 0..40), end in 0..40u64) {
        let mut cursor = Cursor::new(&[at(0, 0)]);
        done.iter().for_each(|&offset| cursor.done(at(0, offset)));
        let known: BTreeSet<u64> = done.into_iter().collect();
        let beyond = cursor.clamp(&[at(0, end)]);
        prop_assert_eq!(beyond.is_empty(), known.iter().all(|&offset| offset < end));
        for offset in 0..60 {
            prop_assert_eq!(cursor.is_done(at(0, offset)), offset < end && known.contains(&offset));
        }
        prop_assert!(cursor.clamp(&[at(0, end)]).is_empty(), "a second time there is nothing to report");
        let saved = serde_json::to_string(&cursor).unwrap();
        prop_assert_eq!(serde_json::from_str::<Cursor>(&saved).unwrap(), cursor, "what is left can be stored");
    }
}

#[test]
fn advances_over_what_the_log_dropped() {
    let mut cursor = Cursor::new(&[at(0, 0)]);
    cursor.done(at(0, 3));
    cursor.done(at(0, 8));
    cursor.advance_to(&[at(0, 3)]);
    assert_eq!(cursor.low(), [at(0, 4)]);
    cursor.advance_to(&[at(0, 1)]);
    assert_eq!(cursor.low(), [at(0, 4)], "never back");
    assert_eq!(cursor.ranges(), 1);
}

#[test]
fn unknown_partition_begins_at_its_first_place() {
    let mut cursor = Cursor::new(&[at(0, 0)]);
    assert_eq!(cursor.pending_from(at(2, 5)), at(2, 5));
    cursor.done(at(2, 5));
    assert_eq!(cursor.low(), [at(0, 0), at(2, 0)], "what came before it may still be pending");
    cursor.advance_to(&[at(2, 5)]);
    assert_eq!(cursor.low(), [at(0, 0), at(2, 6)]);
    cursor.done_range(at(0, 0), at(2, 9));
    assert_eq!(cursor.low(), [at(0, 0), at(2, 6)], "a range over two partitions means nothing");
}

#[test]
fn damaged_text_is_refused() {
    for (text, message) in [
        (r#"[{"low":"0:1"},{"low":"0:2"}]"#, "partition 0 is there twice"),
        (r#"[{"low":"0:5","done":[["0:4","0:6"]]}]"#, "0:4 to 0:6 is no range"),
        (r#"[{"low":"0:5","done":[["0:7","1:9"]]}]"#, "0:7 to 1:9 is no range"),
        (r#"[{"low":"0:5","done":[["0:9","0:9"]]}]"#, "0:9 to 0:9 is no range"),
    ] {
        let error = serde_json::from_str::<Cursor>(text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}
