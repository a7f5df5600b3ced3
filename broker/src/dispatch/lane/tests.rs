use super::*;
use proptest::prelude::*;
use std::time::Duration;

fn at(offset: u64) -> Position {
    format!("0:{offset}").parse().unwrap()
}

fn elsewhere(offset: u64) -> Position {
    format!("1:{offset}").parse().unwrap()
}

fn event(key: &str) -> Arc<Event> {
    let event = Event::new("1", "/s", "t").unwrap();
    Arc::new(if key.is_empty() { event } else { event.with(PARTITION_KEY, key).unwrap() })
}

/// An event that counts for this many bytes.
fn sized(bytes: usize) -> Arc<Event> {
    let event = Event::new("1", "/s", "t").unwrap();
    let overhead = event.clone().with_data("a/b", "").unwrap().size();
    Arc::new(event.with_data("a/b", vec![0; bytes - overhead]).unwrap())
}

fn lane(order: Order) -> Lane {
    Lane::new(order, Cursor::new(&[at(0)]), Vec::new())
}

fn positions(jobs: &[Item]) -> Vec<Position> {
    jobs.iter().map(|item| item.position).collect()
}

fn started(lane: &mut Lane, now: Instant) -> Vec<Position> {
    positions(&lane.start(now))
}

fn tried(attempts: u32) -> History {
    History { attempts, ..History::default() }
}

fn waits(lane: &mut Lane, position: Position, until: Instant) {
    lane.ended(position, Ended::Waits { until, history: tried(1), owed: None });
}

fn saved(offset: u64, attempts: u32, kept: Kept) -> Retry {
    let history = History { attempts, error: format!("status {offset}"), ..History::default() };
    Retry { position: at(offset), history, next_at_ms: 0, kept }
}

fn depth(backlog: usize, in_flight: usize, waiting: usize) -> Depth {
    Depth { backlog, in_flight, waiting }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_event_is_read_delivered_and_done() {
    let (mut lane, now) = (lane(Order::Unordered), Instant::now());
    assert_eq!(lane.unsaved(), None, "nothing has happened");
    assert_eq!(lane.offer(at(0), &event(""), now), Offer::Taken);
    assert_eq!((lane.scanned(), lane.depth()), (&[at(1)][..], depth(1, 0, 0)));
    let jobs = lane.start(now);
    assert_eq!((positions(&jobs), &jobs[0].history), (vec![at(0)], &tried(0)));
    assert!(jobs[0].event.is_some(), "it need not be read again");
    assert_eq!((started(&mut lane, now), lane.depth()), (vec![], depth(0, 1, 0)));
    assert_eq!((lane.cursor().low(), lane.unsaved()), (vec![at(0)], None), "it is not done yet");
    lane.ended(at(0), Ended::Settled);
    assert_eq!((lane.cursor().low(), lane.depth()), (vec![at(1)], depth(0, 0, 0)));
    let (cursor, settled) = lane.unsaved().expect("the cursor moved");
    assert_eq!((cursor.low(), settled), (vec![at(1)], vec![at(0)]));
    assert_eq!(lane.unsaved(), None, "once");
}

#[test]
fn a_job_ends_once_and_only_if_it_runs() {
    let (mut lane, now) = (lane(Order::Unordered), Instant::now());
    lane.offer(at(0), &event(""), now);
    lane.ended(at(0), Ended::Settled);
    assert_eq!((lane.cursor().low(), lane.depth()), (vec![at(0)], depth(1, 0, 0)), "it was not started");
    lane.start(now);
    waits(&mut lane, at(0), now);
    lane.ended(at(0), Ended::Settled);
    assert_eq!((lane.cursor().low(), lane.depth()), (vec![at(0)], depth(0, 0, 1)));
}

#[test]
fn what_is_saved_in_vain_is_saved_again() {
    let (mut lane, now) = (lane(Order::Unordered), Instant::now());
    for offset in 0..2 {
        lane.offer(at(offset), &event(""), now);
        lane.start(now);
    }
    lane.ended(at(0), Ended::Settled);
    let (_, settled) = lane.unsaved().unwrap();
    lane.ended(at(1), Ended::Settled);
    lane.save_again(settled);
    let (cursor, mut settled) = lane.unsaved().unwrap();
    settled.sort();
    assert_eq!((cursor.low(), settled), (vec![at(2)], vec![at(0), at(1)]));
    lane.save_again(Vec::new());
    assert!(lane.unsaved().is_some(), "a failed save is made again, also without settled events");
}

#[test]
fn what_does_not_match_is_done() {
    let (mut lane, now) = (lane(Order::Unordered), Instant::now());
    lane.offer(at(3), &event(""), now);
    assert_eq!((lane.cursor().low(), lane.scanned()), (vec![at(3)], &[at(4)][..]), "up to what was offered");
    assert!(lane.unsaved().is_some(), "and that is worth saving");
    lane.pass(at(4));
    lane.pass(at(2));
    assert_eq!(lane.scanned(), [at(4)], "never back");
    assert_eq!(lane.unsaved(), None, "nothing new");
    lane.pass(at(9));
    lane.pass(elsewhere(5));
    assert_eq!(lane.cursor().low(), [at(3), elsewhere(5)], "a partition begins at its first place");
    assert_eq!(lane.scanned(), [at(9), elsewhere(5)]);
    assert_eq!(lane.cursor().pending_from(at(4)), at(9));
}

#[test]
fn what_was_offered_before_is_not_taken_twice() {
    let mut cursor = Cursor::new(&[at(2)]);
    cursor.done(at(4));
    let (mut lane, now) = (Lane::new(Order::Unordered, cursor, Vec::new()), Instant::now());
    for offset in [0, 1, 2, 2, 3, 4, 3] {
        assert_eq!(lane.offer(at(offset), &event(""), now), Offer::Taken);
    }
    assert_eq!(lane.scanned(), [at(5)]);
    assert_eq!(lane.offer(elsewhere(1), &event(""), now), Offer::Taken);
    assert_eq!(lane.scanned(), [at(5), elsewhere(2)]);
    // Before the cursor, twice, and done ahead of it: none of these.
    assert_eq!(started(&mut lane, now), [at(2), at(3), elsewhere(1)]);
}

#[test]
fn deliveries_in_flight_are_bounded() {
    let (mut lane, now) = (lane(Order::Unordered), Instant::now());
    let most = DELIVERIES_IN_FLIGHT_MAX as u64;
    (0..most + 2).for_each(|offset| assert_eq!(lane.offer(at(offset), &event(""), now), Offer::Taken));
    assert_eq!(started(&mut lane, now), (0..most).map(at).collect::<Vec<_>>());
    waits(&mut lane, at(0), now);
    assert_eq!(lane.next_due(), Some(now));
    assert_eq!(started(&mut lane, now), [at(0)], "what waited comes before what is new");
    assert_eq!((started(&mut lane, now), lane.depth()), (vec![], depth(2, DELIVERIES_IN_FLIGHT_MAX, 0)));
    waits(&mut lane, at(1), now + SECOND);
    assert_eq!(started(&mut lane, now), [at(most)]);
    assert_eq!(lane.next_due(), None, "there is no room for it");
    assert_eq!(started(&mut lane, now + SECOND), []);
    lane.ended(at(2), Ended::Settled);
    assert_eq!(lane.next_due(), Some(now + SECOND));
    assert_eq!(started(&mut lane, now + SECOND), [at(1)]);
}

#[test]
fn the_backlog_is_bounded_in_number() {
    let (mut lane, now) = (lane(Order::Unordered), Instant::now());
    let most = TRIGGER_BACKLOG_MAX as u64;
    for offset in 0..most {
        assert_eq!(lane.has_room(), offset <= most / 2, "after {offset}");
        assert_eq!(lane.offer(at(offset), &event(""), now), Offer::Taken);
    }
    assert_eq!(lane.offer(at(most + 5), &event(""), now), Offer::Full);
    assert_eq!(lane.scanned(), [at(most + 5)], "the reader comes back to it");
    lane.start(now);
    assert_eq!(lane.offer(at(most + 5), &event(""), now), Offer::Taken);
}

#[test]
fn the_backlog_is_bounded_in_bytes() {
    let (mut lane, now) = (lane(Order::ByKey), Instant::now());
    let quarter = sized(TRIGGER_BACKLOG_BYTES_MAX / 4);
    for (offset, has_room) in [(0, true), (1, true), (2, true), (3, false)] {
        assert_eq!(lane.has_room(), has_room, "before {offset}");
        assert_eq!(lane.offer(at(offset), &quarter, now), Offer::Taken);
    }
    assert_eq!(lane.offer(at(4), &event(""), now), Offer::Full);
    // Without keys one goes at a time, and gives back what it counted for.
    assert_eq!(started(&mut lane, now), [at(0)]);
    assert_eq!(lane.offer(at(4), &quarter, now), Offer::Taken);
    assert_eq!(lane.offer(at(5), &event(""), now), Offer::Full);
    for (offset, has_room) in [(0, false), (1, true), (2, true)] {
        lane.ended(at(offset), Ended::Settled);
        lane.start(now);
        assert_eq!(lane.has_room(), has_room, "after {offset}");
    }
}

#[test]
fn events_that_wait_are_bounded() {
    let (mut lane, now) = (lane(Order::Unordered), Instant::now());
    for offset in 0..TRIGGER_RETRIES_MAX as u64 {
        assert!(lane.has_room());
        assert_eq!(lane.offer(at(offset), &event(""), now), Offer::Taken);
        assert_eq!(started(&mut lane, now), [at(offset)]);
        waits(&mut lane, at(offset), now + SECOND);
    }
    assert_eq!(lane.depth(), depth(0, 0, TRIGGER_RETRIES_MAX));
    assert!(!lane.has_room());
    let next = at(TRIGGER_RETRIES_MAX as u64);
    assert_eq!(lane.offer(next, &event(""), now), Offer::Full);
    lane.start(now + SECOND);
    assert!(lane.has_room());
    assert_eq!(lane.offer(next, &event(""), now), Offer::Taken);
}

/// A lane in which so many events wait in the log.
fn crowded(order: Order, count: usize, now: Instant) -> Lane {
    let mut lane = lane(order);
    for offset in 0..count as u64 {
        let key = if order == Order::ByKey { &*offset.to_string() } else { "" };
        lane.offer(at(offset), &event(key), now);
        lane.start(now);
        waits(&mut lane, at(offset), now + SECOND);
    }
    lane
}

#[test]
fn an_event_that_fails_among_many_is_copied_and_the_cursor_passes_it() {
    let now = Instant::now();
    let first = TRIGGER_RETRIES_IN_LOG_MAX as u64;
    let mut lane = crowded(Order::Unordered, TRIGGER_RETRIES_IN_LOG_MAX - 1, now);
    for offset in first - 1..=first {
        lane.offer(at(offset), &event(""), now);
    }
    let asked: Vec<_> = lane.start(now).into_iter().map(|item| (item.position, item.apart)).collect();
    assert_eq!(asked, [(at(first - 1), Apart::No), (at(first), Apart::Wanted)], "those in flight may fail too");
    lane.unsaved();
    lane.ended(at(first), Ended::Copied { until: now + SECOND / 2 });
    assert_eq!(lane.depth(), depth(0, 1, TRIGGER_RETRIES_IN_LOG_MAX));
    let (cursor, settled) = lane.unsaved().expect("the cursor moved");
    assert!(cursor.is_done(at(first)) && settled.is_empty(), "it holds the log no longer, and is owed");
    assert_eq!(lane.next_due(), Some(now + SECOND / 2));

    let jobs = lane.start(now + SECOND / 2);
    assert_eq!((positions(&jobs), jobs[0].apart), (vec![at(first)], Apart::Made));
    assert_eq!((jobs[0].event.is_none(), &jobs[0].history), (true, &tried(0)), "the state has both");
    lane.ended(at(first), Ended::Settled);
    assert_eq!(lane.unsaved().expect("what is saved of it may go").1, [at(first)]);
    assert_eq!(lane.depth(), depth(0, 1, TRIGGER_RETRIES_IN_LOG_MAX - 1));
}

#[test]
fn what_is_copied_takes_no_room_from_others() {
    let (now, first) = (Instant::now(), TRIGGER_RETRIES_IN_LOG_MAX as u64);
    let mut lane = crowded(Order::Unordered, TRIGGER_RETRIES_IN_LOG_MAX, now);
    for offset in first..first + 2 * TRIGGER_RETRIES_MAX as u64 {
        assert!(lane.has_room());
        assert_eq!(lane.offer(at(offset), &event(""), now), Offer::Taken);
        assert_eq!(lane.start(now)[0].apart, Apart::Wanted);
        lane.ended(at(offset), Ended::Copied { until: now + SECOND });
    }
}

#[test]
fn an_ordered_trigger_leaves_its_events_in_the_log() {
    let (now, next) = (Instant::now(), TRIGGER_RETRIES_IN_LOG_MAX as u64);
    let mut lane = crowded(Order::ByKey, TRIGGER_RETRIES_IN_LOG_MAX, now);
    lane.offer(at(next), &event("another"), now);
    assert_eq!(lane.start(now)[0].apart, Apart::No);
}

#[test]
fn copies_are_bounded_in_number() {
    let (now, copies) = (Instant::now(), TRIGGER_COPIES_MAX as u64);
    for (count, expected) in [(copies - 1, Apart::Wanted), (copies, Apart::No)] {
        let retries = (0..count).map(|offset| (saved(offset, 1, Kept::Copy), now + SECOND)).collect();
        let mut lane = Lane::new(Order::Unordered, Cursor::new(&[at(0)]), retries);
        for offset in copies..=copies + TRIGGER_RETRIES_IN_LOG_MAX as u64 {
            lane.offer(at(offset), &event(""), now);
            let apart = lane.start(now)[0].apart;
            waits(&mut lane, at(offset), now + SECOND);
            let is_last = offset == copies + TRIGGER_RETRIES_IN_LOG_MAX as u64;
            assert_eq!(apart, if is_last { expected } else { Apart::No }, "with {count}");
        }
    }
}

#[test]
fn a_copy_waits_with_what_the_state_knows_of_it() {
    let now = Instant::now();
    let mut lane = Lane::new(Order::Unordered, Cursor::new(&[at(0)]), vec![(saved(3, 2, Kept::Copy), now)]);
    let job = |lane: &mut Lane, now| lane.start(now).pop().map(|item| (item.apart, item.history, item.owed));
    assert_eq!(job(&mut lane, now), Some((Apart::Made, tried(0), None)));
    waits(&mut lane, at(3), now);
    assert_eq!(job(&mut lane, now), Some((Apart::Made, tried(0), None)), "there was no room for it");
    let (history, owed) = (tried(3), Some(Owed::Attempts));
    lane.ended(at(3), Ended::Waits { until: now, history: history.clone(), owed });
    assert_eq!(job(&mut lane, now), Some((Apart::Made, history, owed)), "that the state did not take it is known here");
}

#[test]
fn a_copy_made_before_a_restart_is_not_read_from_the_log() {
    let now = Instant::now();
    let retries = vec![(saved(1, 2, Kept::Copy), now + SECOND), (saved(2, 1, Kept::Log), now + SECOND)];
    let mut lane = Lane::new(Order::Unordered, Cursor::new(&[at(0)]), retries);
    for offset in 0..3 {
        lane.offer(at(offset), &event(""), now);
    }
    assert_eq!((started(&mut lane, now), lane.depth()), (vec![at(0)], depth(0, 1, 2)), "both wait for their time");
    lane.ended(at(0), Ended::Settled);
    assert_eq!(lane.cursor().low(), [at(2)], "the cursor was saved before the copy, and passes it");
    let mut due = started(&mut lane, now + SECOND);
    due.sort();
    assert_eq!(due, [at(1), at(2)], "each once");
}

#[test]
fn a_cursor_full_of_holes_takes_no_more() {
    let mut cursor = Cursor::new(&[at(0)]);
    let ranges = CURSOR_RANGES_MAX as u64;
    (1..ranges).for_each(|range| cursor.done(at(2 * range)));
    let (now, first) = (Instant::now(), at(0));
    assert_eq!(Lane::new(Order::Unordered, cursor.clone(), Vec::new()).offer(first, &event(""), now), Offer::Taken);
    cursor.done(at(2 * ranges));
    let mut lane = Lane::new(Order::Unordered, cursor, Vec::new());
    assert!(!lane.has_room());
    assert_eq!(lane.offer(first, &event(""), now), Offer::Full);
    lane.pass(at(2));
    assert!(lane.has_room(), "one range less");
}

#[test]
fn a_failed_attempt_waits_until_it_is_due_and_keeps_its_history() {
    let (mut lane, now) = (lane(Order::Unordered), Instant::now());
    for offset in 0..3 {
        lane.offer(at(offset), &event(""), now);
    }
    assert_eq!((lane.start(now).len(), lane.next_due()), (3, None));
    waits(&mut lane, at(0), now + 3 * SECOND);
    let (history, owed) = (History { attempts: 4, status: Some(503), ..History::default() }, Some(Owed::Attempts));
    lane.ended(at(1), Ended::Waits { until: now + SECOND, history: history.clone(), owed });
    lane.ended(at(2), Ended::Settled);
    assert_eq!((lane.next_due(), lane.depth()), (Some(now + SECOND), depth(0, 0, 2)));
    assert_eq!(lane.cursor().low(), [at(0)], "who waits holds the cursor");
    assert_eq!(started(&mut lane, now + SECOND - Duration::from_nanos(1)), []);
    let jobs = lane.start(now + SECOND);
    assert_eq!((positions(&jobs), &jobs[0].history, jobs[0].owed), (vec![at(1)], &history, owed));
    assert!(jobs[0].event.is_none(), "who waits takes no memory; the event is read again");
    assert_eq!((lane.next_due(), lane.depth()), (Some(now + 3 * SECOND), depth(0, 1, 1)));
    lane.ended(at(1), Ended::Settled);
    assert_eq!(lane.cursor().low(), [at(0)]);
}

#[test]
fn attempts_saved_before_a_restart_count() {
    let now = Instant::now();
    let retries = vec![(saved(0, 2, Kept::Log), now + SECOND), (saved(1, 3, Kept::Log), now)];
    let mut lane = Lane::new(Order::Unordered, Cursor::new(&[at(0)]), retries);
    for offset in 0..3 {
        lane.offer(at(offset), &event(""), now);
    }
    assert_eq!((lane.next_due(), lane.depth()), (Some(now + SECOND), depth(2, 0, 1)));
    let seen = |jobs: Vec<Item>| -> Vec<_> {
        jobs.into_iter().map(|item| (item.position, item.history.attempts, item.history.error)).collect()
    };
    assert_eq!(seen(lane.start(now)), [(at(1), 3, "status 1".to_owned()), (at(2), 0, String::new())]);
    assert_eq!(seen(lane.start(now + SECOND)), [(at(0), 2, "status 0".to_owned())]);
}

#[test]
fn events_of_one_key_go_one_at_a_time() {
    let (mut lane, now) = (lane(Order::ByKey), Instant::now());
    for (offset, key) in ["a", "a", "b", "", "", "a"].into_iter().enumerate() {
        lane.offer(at(offset as u64), &event(key), now);
    }
    assert_eq!(started(&mut lane, now), [at(0), at(2), at(3)], "events without a key share one lane");
    waits(&mut lane, at(0), now + SECOND);
    lane.ended(at(3), Ended::Settled);
    assert_eq!(started(&mut lane, now), [at(4)], "an attempt to come holds its key");
    assert_eq!(started(&mut lane, now + SECOND), [at(0)]);
    lane.ended(at(0), Ended::Settled);
    assert_eq!(started(&mut lane, now), [at(1)]);
    lane.ended(at(2), Ended::Settled);
    assert_eq!(started(&mut lane, now), [], "another key lets nobody in");
    lane.set_order(Order::ByKey);
    assert_eq!(started(&mut lane, now), [], "as it was");
    lane.set_order(Order::Unordered);
    assert_eq!(started(&mut lane, now), [at(5)], "without an order nobody waits for another");
}

#[test]
fn a_saved_attempt_holds_its_key() {
    let now = Instant::now();
    let mut lane = Lane::new(Order::ByKey, Cursor::new(&[at(0)]), vec![(saved(0, 1, Kept::Log), now + SECOND)]);
    for (offset, key) in [(0, "a"), (1, "a"), (2, "b")] {
        lane.offer(at(offset), &event(key), now);
    }
    assert_eq!(started(&mut lane, now), [at(2)]);
    assert_eq!(started(&mut lane, now + SECOND), [at(0)]);
}

#[test]
fn an_earlier_event_of_a_key_goes_before_a_saved_attempt() {
    let now = Instant::now();
    let retry = |offset, due: Duration| (saved(offset, 1, Kept::Log), now + due);
    // The first one had been settled, and the crash came before that was saved.
    for (saved, turns) in [
        (vec![retry(1, SECOND)], [now, now + SECOND]),
        (vec![retry(0, 2 * SECOND), retry(1, SECOND)], [now + 2 * SECOND, now + 2 * SECOND]),
    ] {
        let mut lane = Lane::new(Order::ByKey, Cursor::new(&[at(0)]), saved);
        (0..2).for_each(|offset| assert_eq!(lane.offer(at(offset), &event("a"), now), Offer::Taken));
        if turns[0] > now {
            assert_eq!(started(&mut lane, now + SECOND), [], "the later one would be due");
        }
        assert_eq!(started(&mut lane, turns[0]), [at(0)]);
        assert_eq!(started(&mut lane, turns[1]), []);
        lane.ended(at(0), Ended::Settled);
        let jobs = lane.start(turns[1]);
        assert_eq!((positions(&jobs), jobs[0].history.attempts), (vec![at(1)], 1));
    }
}

#[test]
fn what_the_log_dropped_is_passed() {
    let (mut lane, now) = (lane(Order::Unordered), Instant::now());
    lane.offer(at(1), &event(""), now);
    lane.start(now);
    lane.unsaved();
    assert_eq!(lane.expire(&[at(7), elsewhere(3)]), 5 + 3, "that were never looked at");
    assert_eq!(lane.expire(&[at(7), elsewhere(3)]), 0);
    assert_eq!(lane.scanned(), [at(7), elsewhere(3)]);
    assert_eq!(lane.cursor().low(), [at(7), elsewhere(3)], "also what was in flight");
    assert!(lane.unsaved().is_some());
}

/// One step of a random history; numbers pick among what there is.
#[derive(Clone, Debug)]
enum Step {
    Offer { key: u8, skipped: u64 },
    Start,
    Settle { nth: usize },
    Wait { nth: usize, millis: u64 },
    Copy { nth: usize, millis: u64 },
    Pass { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3u8, 0..2u64).prop_map(|(key, skipped)| Step::Offer { key, skipped }),
        4 => Just(Step::Start),
        4 => (0..64usize).prop_map(|nth| Step::Settle { nth }),
        2 => (0..64usize, 0..300u64).prop_map(|(nth, millis)| Step::Wait { nth, millis }),
        1 => (0..64usize, 0..300u64).prop_map(|(nth, millis)| Step::Copy { nth, millis }),
        1 => (0..300u64).prop_map(|millis| Step::Pass { millis }),
    ]
}

/// A lane and what its surroundings know.
struct World {
    lane: Lane,
    now: Instant,
    next: u64,
    /// Offered and not settled, with their keys.
    owed: BTreeMap<Position, u8>,
    /// Those of them that have a copy.
    copied: BTreeSet<Position>,
    running: Vec<Position>,
}

impl World {
    fn take(&mut self, step: &Step) {
        match *step {
            Step::Offer { key, skipped } => {
                let position = at(self.next + skipped);
                assert_eq!(self.lane.offer(position, &event(["", "a", "b"][usize::from(key)]), self.now), Offer::Taken);
                self.next += skipped + 1;
                self.owed.insert(position, key);
            }
            Step::Start => {
                for position in started(&mut self.lane, self.now) {
                    let key = self.owed[&position];
                    let older = self
                        .owed
                        .range(..position)
                        .find(|(_, other)| self.lane.order == Order::ByKey && **other == key);
                    assert_eq!(older, None, "{position} overtook");
                    assert!(!self.running.contains(&position), "{position} runs twice");
                    self.running.push(position);
                }
            }
            Step::Settle { nth } => {
                if let Some(position) = self.end(nth) {
                    self.lane.ended(position, Ended::Settled);
                    self.owed.remove(&position);
                }
            }
            Step::Wait { nth, millis } => {
                if let Some(position) = self.end(nth) {
                    waits(&mut self.lane, position, self.now + Duration::from_millis(millis));
                }
            }
            // Those of an ordered trigger are not copied.
            Step::Copy { nth, millis } if self.lane.order == Order::Unordered => {
                if let Some(position) = self.end(nth) {
                    let until = self.now + Duration::from_millis(millis);
                    self.lane.ended(position, Ended::Copied { until });
                    self.copied.insert(position);
                }
            }
            Step::Copy { .. } => {}
            Step::Pass { millis } => self.now += Duration::from_millis(millis),
        }
        let in_log = self.owed.keys().copied().find(|position| !self.copied.contains(position));
        let low = in_log.unwrap_or(at(self.next));
        assert_eq!(
            self.lane.cursor().low(),
            [low],
            "the cursor stands at the oldest event that is owed and in the log"
        );
        let Depth { backlog, in_flight, waiting } = self.lane.depth();
        assert_eq!((in_flight, backlog + in_flight + waiting), (self.running.len(), self.owed.len()));
    }

    fn end(&mut self, nth: usize) -> Option<Position> {
        let nth = nth.checked_rem(self.running.len())?;
        Some(self.running.swap_remove(nth))
    }
}

proptest! {
    #[test]
    fn every_event_is_settled_once_and_in_order_of_its_key(
        is_ordered in any::<bool>(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let order = if is_ordered { Order::ByKey } else { Order::Unordered };
        let (owed, copied, running) = Default::default();
        let mut world = World { lane: lane(order), now: Instant::now(), next: 0, owed, copied, running };
        steps.iter().for_each(|step| world.take(step));
        for _ in 0..steps.len() {
            [Step::Pass { millis: 300 }, Step::Start, Step::Settle { nth: 0 }].iter().for_each(|step| world.take(step));
        }
        prop_assert!(world.owed.is_empty());
    }
}
