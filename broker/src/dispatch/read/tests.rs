use super::*;
use crate::cursor::Cursor;

fn at(places: &[&str]) -> Vec<Position> {
    places.iter().map(|place| place.parse().unwrap()).collect()
}

#[test]
fn the_reader_begins_where_the_ledger_ends() {
    // Identified, the log's start and end, and where the reader begins.
    let rows: [[&[&str]; 4]; 6] = [
        [&[], &["0:3"], &["0:9"], &["0:3"]],
        [&["0:5"], &["0:3"], &["0:9"], &["0:5"]],
        [&["0:2"], &["0:3"], &["0:9"], &["0:3"]],
        [&["0:12"], &["0:3"], &["0:9"], &["0:9"]],
        [&["1:7", "0:5"], &["0:3", "1:0"], &["1:6", "0:9"], &["0:5", "1:6"]],
        [&["1:7"], &["0:3"], &["1:1"], &["0:3"]],
    ];
    for row in rows {
        let [identified, start, next, expected] = row.map(at);
        assert_eq!(first_unnamed(&identified, &start, &next), expected, "{row:?}");
    }
}

#[test]
fn a_log_keeps_what_its_own_triggers_need() {
    let trigger = |broker: &str, low: &[&str], deleted_at_ms| {
        let (broker, cursor) = (broker.to_owned(), Cursor::new(&at(low)));
        (String::new(), TriggerRecord { broker, epoch: 1, cursor, generations: Vec::new(), deleted_at_ms })
    };
    let next = at(&["0:9", "1:9"]);
    let triggers = [
        trigger("mine", &["0:7", "1:2"], None),
        trigger("mine", &["0:4", "1:5"], None),
        trigger("mine", &["0:1", "1:1"], Some(5)),
        trigger("other", &["0:0", "1:0"], None),
        trigger("other", &["0:0", "1:0"], Some(5)),
    ];
    assert_eq!(needed(&next, "mine", &triggers), at(&["0:4", "1:2"]));
    assert_eq!(needed(&next, "mine", &triggers[2..]), next, "nobody needs anything");
    assert_eq!(needed(&next, "mine", &[trigger("mine", &["0:99"], None)]), next, "never beyond the end");
}
