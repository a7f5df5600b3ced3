//! What every adapter of the port must do. Each adapter's tests call [`check`] with a fresh, empty log.

use super::*;
use std::sync::Arc;

/// Runs the whole suite. `open` gives a new, empty log that keeps nothing once it is trimmed, at its own grain.
pub(crate) async fn check<L: EventLog + 'static>(open: impl Fn() -> L) {
    appends_are_read_back_in_order(&open()).await;
    limits_of_a_read_hold(&open()).await;
    positions_survive_their_text(&open()).await;
    next_tells_of_appends(&open()).await;
    times_never_decrease_and_are_found(&open()).await;
    trim_keeps_what_it_is_told(&open()).await;
    many_writers_lose_nothing(Arc::new(open())).await;
}

fn record(number: usize, length: usize) -> Bytes {
    let mut record = format!("{number:08}").into_bytes();
    record.resize(length.max(8), b'x');
    record.into()
}

async fn read_all(log: &dyn EventLog) -> Vec<Stored> {
    let mut all: Vec<Stored> = Vec::new();
    let mut from = log.start()[0];
    loop {
        let page = log.read(from, 7, 10_000).await.unwrap();
        let Some(last) = page.last() else { return all };
        from = log.after(last.position);
        all.extend(page);
    }
}

async fn appends_are_read_back_in_order(log: &dyn EventLog) {
    assert_eq!(log.append(Vec::new()).await.unwrap(), []);
    assert_eq!(read_all(log).await, []);
    let mut appended = Vec::new();
    for (number, count) in [1, 3, 1, 20, 2].into_iter().enumerate() {
        let records: Vec<Bytes> = (0..count).map(|place| record(number * 100 + place, 100 * number)).collect();
        let positions = log.append(records.clone()).await.unwrap();
        assert_eq!(positions.len(), count);
        appended.extend(positions.into_iter().zip(records));
    }
    let read: Vec<_> = read_all(log).await.into_iter().map(|stored| (stored.position, stored.record)).collect();
    assert_eq!(read, appended);
    assert!(read.is_sorted_by(|(a, _), (b, _)| a < b && log.after(*a) == *b));
    assert_eq!(log.read(log.next().borrow()[0], 10, 1_000).await.unwrap(), [], "nothing at the end");
    for (position, record) in &read {
        let found = log.read(*position, 1, 0).await.unwrap();
        assert_eq!((found.len(), found[0].position, &found[0].record), (1, *position, record));
    }
}

async fn limits_of_a_read_hold(log: &dyn EventLog) {
    log.append((0..10).map(|number| record(number, 100)).collect()).await.unwrap();
    let start = log.start()[0];
    for (max_records, max_bytes, expected) in [(3, 1_000_000, 3), (100, 250, 2), (100, 1, 1), (100, 1_000, 10)] {
        let read = log.read(start, max_records, max_bytes).await.unwrap();
        assert_eq!(read.len(), expected, "{max_records} records, {max_bytes} bytes");
    }
}

async fn positions_survive_their_text(log: &dyn EventLog) {
    let positions = log.append(vec![record(1, 8), record(2, 8)]).await.unwrap();
    let text: Vec<String> = positions.iter().map(ToString::to_string).collect();
    let parsed: Vec<Position> = text.iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(parsed, positions);
    assert_eq!(log.read(parsed[1], 1, 100).await.unwrap()[0].record, record(2, 8));
}

async fn next_tells_of_appends(log: &dyn EventLog) {
    let mut next = log.next();
    let begin = next.borrow_and_update().clone();
    assert_eq!(begin, log.start());
    let positions = log.append(vec![record(1, 8)]).await.unwrap();
    assert_eq!(positions, begin, "the next position is the one that the next record gets");
    next.changed().await.unwrap();
    assert_eq!(*next.borrow(), [log.after(positions[0])]);
}

async fn times_never_decrease_and_are_found(log: &dyn EventLog) {
    for number in 0..20 {
        log.append(vec![record(number, 50)]).await.unwrap();
    }
    let all = read_all(log).await;
    assert!(all.is_sorted_by_key(|stored| stored.appended_at_ms));
    for stored in &all {
        let found = log.at_time(stored.appended_at_ms).await.unwrap()[0];
        let first = all.iter().find(|other| other.appended_at_ms >= stored.appended_at_ms).unwrap();
        assert_eq!(found, first.position);
    }
    assert_eq!(log.at_time(i64::MIN).await.unwrap(), log.start());
    assert_eq!(log.at_time(i64::MAX).await.unwrap(), *log.next().borrow());
}

async fn trim_keeps_what_it_is_told(log: &dyn EventLog) {
    for number in 0..30 {
        log.append(vec![record(number, 200)]).await.unwrap();
    }
    let before = read_all(log).await;
    assert_eq!(log.trim(log.start()).await.unwrap(), 0, "all of it is wanted");
    let keep_from = before[17].position;
    let gone = log.trim(vec![keep_from]).await.unwrap();
    assert!((1..=17).contains(&gone), "{gone} records went");
    let after = read_all(log).await;
    assert_eq!(after, before[usize::try_from(gone).unwrap()..]);
    assert_eq!(log.start()[0], after[0].position);
    let early = log.read(before[0].position, 1, 1_000).await.unwrap();
    assert_eq!(early, after[..1], "a read before the start continues at the start");
    let next = log.append(vec![record(99, 8)]).await.unwrap();
    assert_eq!(next[0], log.after(before[29].position), "positions are not used twice");
}

async fn many_writers_lose_nothing<L: EventLog + 'static>(log: Arc<L>) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..16 {
        let log = Arc::clone(&log);
        writers.spawn(async move {
            for number in 0..10 {
                let records = vec![record(writer * 1_000 + number, 64), record(writer * 1_000 + number + 500, 64)];
                let positions = log.append(records).await.unwrap();
                assert_eq!(log.after(positions[0]), positions[1], "records of one append stay together");
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let mut records: Vec<Bytes> = read_all(log.as_ref()).await.into_iter().map(|stored| stored.record).collect();
    records.sort();
    records.dedup();
    assert_eq!(records.len(), 16 * 10 * 2);
}
