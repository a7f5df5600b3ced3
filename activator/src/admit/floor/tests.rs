use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Node = Floor<u32, u32>;

const BOUNDS: Bounds =
    Bounds { calls: 3, queue_requests: 4, queue_bytes: 100, retry_delay: Duration::from_millis(200) };
const WAIT: Request = Request { bytes: 1, traffic: Traffic::User, patience: Patience::Wait };
const NOW: Request = Request { patience: Patience::Now, ..WAIT };

#[allow(clippy::disallowed_methods, reason = "an arbitrary beginning; the tests count from it")]
fn zero() -> Instant {
    Instant::now()
}

fn node(bounds: Bounds) -> (Node, Id, Instant) {
    let now = zero();
    let mut floor = Node::new(bounds);
    let id = floor.add(0, now);
    (floor, id, now)
}

/// Who was let in, in order.
fn waiters(effects: Effects<u32, u32>) -> Vec<u32> {
    effects.admitted.into_iter().map(|(waiter, _)| waiter).collect()
}

fn end(floor: &mut Node, id: Id, now: Instant) -> Vec<u32> {
    waiters(floor.end(id, (0, Traffic::User), 3, now))
}

#[test]
fn first_request_at_zero_starts_and_the_others_wait_for_the_same_start() {
    let (mut floor, id, now) = node(BOUNDS);
    let first = floor.arrive(id, WAIT, now, || 1);
    assert!(matches!(first, Arrival::Queued { start: Some(Start { generation: 0, .. }), .. }));
    assert!(matches!(floor.arrive(id, WAIT, now, || 2), Arrival::Queued { start: None, .. }));
    let later = now + Duration::from_millis(5);
    let effects = floor.started(id, 0, 3, later);
    let grant = effects.admitted[0].1.clone();
    assert_eq!((grant.activated, grant.queued), (Duration::from_millis(5), Duration::ZERO));
    assert_eq!(waiters(effects), [1, 2]);
}

#[test]
fn time_after_the_start_is_time_in_the_queue() {
    let (mut floor, id, now) = node(BOUNDS);
    floor.arrive(id, WAIT, now, || 1);
    floor.arrive(id, WAIT, now, || 2);
    floor.started(id, 0, 1, now + Duration::from_millis(5));
    let effects = floor.end(id, (0, Traffic::User), 1, now + Duration::from_millis(12));
    let grant = &effects.admitted[0].1;
    assert_eq!((grant.activated, grant.queued), (Duration::from_millis(5), Duration::from_millis(7)));
}

#[test]
fn queue_is_bounded_in_number_and_bytes() {
    let (mut floor, id, now) = node(BOUNDS);
    for n in 0..4 {
        assert!(matches!(floor.arrive(id, WAIT, now, || n), Arrival::Queued { .. }));
    }
    let full = Arrival::Refused { why: Refused::QueueFull, start: None };
    assert_eq!(floor.arrive(id, WAIT, now, || 9), full);
    assert_eq!(floor.leave(id, 2, now), Some(2), "who leaves makes room");
    assert_eq!(floor.leave(id, 2, now), None);
    let big = Request { bytes: 97, ..WAIT };
    assert!(matches!(floor.arrive(id, Request { bytes: 98, ..WAIT }, now, || 9), Arrival::Refused { .. }));
    assert!(matches!(floor.arrive(id, big, now, || 5), Arrival::Queued { .. }), "exactly full is not too full");
}

#[test]
fn who_does_not_wait_is_told_so_and_wakes_the_revision() {
    let (mut floor, id, now) = node(BOUNDS);
    let refused = floor.arrive(id, NOW, now, || 1);
    assert!(matches!(refused, Arrival::Refused { why: Refused::NoRoom, start: Some(_) }));
    assert!(matches!(floor.arrive(id, NOW, now, || 1), Arrival::Refused { why: Refused::NoRoom, start: None }));
    floor.started(id, 0, 1, now);
    assert!(matches!(floor.arrive(id, NOW, now, || 1), Arrival::Admitted(_)));
    assert!(matches!(floor.arrive(id, NOW, now, || 1), Arrival::Refused { why: Refused::NoRoom, .. }));
}

#[test]
fn failed_start_tells_all_and_answers_for_a_while() {
    let (mut floor, id, now) = node(BOUNDS);
    floor.arrive(id, WAIT, now, || 1);
    floor.arrive(id, WAIT, now, || 2);
    assert_eq!(floor.failed(id, 0, "no artifact".into(), now), [1, 2]);
    let soon = floor.arrive(id, WAIT, now + Duration::from_millis(199), || 3);
    assert_eq!(soon, Arrival::Refused { why: Refused::Failed("no artifact".into()), start: None });
    let later = floor.arrive(id, WAIT, now + Duration::from_millis(200), || 4);
    assert!(matches!(later, Arrival::Queued { start: Some(_), .. }));
}

#[test]
fn replaced_revision_starts_again_and_keeps_the_queue() {
    let (mut floor, id, now) = node(BOUNDS);
    floor.arrive(id, WAIT, now, || 1);
    let (older, start) = floor.replace(id, 7, now);
    assert_eq!((older, start), (0, Some(Start { live: 7, generation: 1 })));
    assert_eq!(waiters(floor.started(id, 0, 3, now)), [0; 0], "the older start is of no interest");
    assert!(floor.failed(id, 0, "older".into(), now).is_empty());
    let effects = floor.started(id, 1, 3, now);
    assert_eq!(effects.admitted[0].1.live, 7);
    assert_eq!(waiters(effects), [1]);
}

#[test]
fn stop_is_refused_while_somebody_is_there_and_arrivals_wait_for_its_end() {
    let (mut floor, id, now) = node(BOUNDS);
    assert_eq!(floor.stop(id, now), Ok(None));
    floor.wake(id, now);
    assert_eq!(floor.stop(id, now), Err(Busy::Moving));
    floor.started(id, 0, 3, now);
    floor.arrive(id, WAIT, now, || 1);
    assert_eq!(floor.stop(id, now), Err(Busy::Requests { in_flight: 1, waiting: 0 }));
    end(&mut floor, id, now);
    assert!(matches!(floor.stop(id, now), Ok(Some(_))));
    assert!(matches!(floor.arrive(id, WAIT, now, || 2), Arrival::Queued { start: None, .. }));
    assert!(floor.stopped(id, 0, now).is_some(), "somebody waits, so it starts again");
    assert_eq!(waiters(floor.started(id, 0, 3, now)), [2]);
}

#[test]
fn gone_and_closed_let_nobody_in() {
    let (mut floor, id, now) = node(BOUNDS);
    floor.arrive(id, WAIT, now, || 1);
    assert_eq!(floor.retire(id, now), [1]);
    assert!(matches!(floor.arrive(id, WAIT, now, || 2), Arrival::Refused { why: Refused::Gone, .. }));
    let other = floor.add(1, now);
    floor.arrive(other, WAIT, now, || 3);
    assert_eq!(floor.close(now), [3]);
    assert!(matches!(floor.arrive(other, WAIT, now, || 4), Arrival::Refused { why: Refused::Closed, .. }));
}

#[test]
fn revisions_take_turns_when_the_node_is_full() {
    let (mut floor, flood, now) = node(Bounds { calls: 1, queue_requests: 100, ..BOUNDS });
    let quiet = floor.add(1, now);
    for id in [flood, quiet] {
        floor.wake(id, now);
        floor.started(id, 0, 3, now);
    }
    for n in 0..10 {
        floor.arrive(flood, WAIT, now, || n);
    }
    floor.arrive(quiet, WAIT, now, || 100);
    assert_eq!(end(&mut floor, flood, now), [1]);
    assert_eq!(end(&mut floor, flood, now), [100], "the quiet one's turn");
    assert_eq!(end(&mut floor, quiet, now), [2]);
}

/// A node whose only room is taken by the second revision, so that the first one's requests wait although it has room.
fn full_node() -> (Node, Id, Id, Instant) {
    let (mut floor, id, now) = node(Bounds { calls: 1, ..BOUNDS });
    let other = floor.add(1, now);
    for revision in [id, other] {
        floor.wake(revision, now);
        floor.started(revision, 0, 3, now);
    }
    assert!(matches!(floor.arrive(other, WAIT, now, || 100), Arrival::Admitted(_)));
    (floor, id, other, now)
}

#[test]
fn who_waits_for_the_node_keeps_the_revision_from_stopping() {
    let (mut floor, id, other, now) = full_node();
    assert!(matches!(floor.arrive(id, WAIT, now, || 1), Arrival::Queued { start: None, .. }));
    assert_eq!(floor.stop(id, now), Err(Busy::Requests { in_flight: 0, waiting: 1 }));
    assert_eq!(end(&mut floor, other, now), [1]);
    assert_eq!(floor.stop(id, now), Err(Busy::Requests { in_flight: 1, waiting: 0 }));
}

#[test]
fn a_turn_begins_with_the_first_who_waits() {
    let (mut floor, id, other, now) = full_node();
    let third = floor.add(2, now);
    floor.wake(third, now);
    floor.started(third, 0, 3, now);
    floor.arrive(id, WAIT, now, || 1);
    floor.arrive(third, WAIT, now, || 2);
    assert_eq!(end(&mut floor, other, now), [1], "a revision that nobody waited for had no turn yet");
    assert_eq!(end(&mut floor, id, now), [2]);
}

#[test]
fn a_revision_that_is_removed_gives_up_its_turn() {
    let (mut floor, id, other, now) = full_node();
    floor.arrive(id, WAIT, now, || 1);
    floor.arrive(other, WAIT, now, || 2);
    assert_eq!(floor.retire(id, now), [1]);
    assert_eq!(floor.remove(id), Some(0));
    assert_eq!(end(&mut floor, other, now), [2]);
}

#[test]
fn a_standing_says_where_a_revision_is_and_since_when() {
    let (mut floor, id, now) = node(BOUNDS);
    let standing = |floor: &mut Node| {
        let Standing { state, since, in_flight, waiting, capacity } = floor.standing(id);
        (state, since.duration_since(now).as_millis(), in_flight, waiting, capacity)
    };
    let at = |millis| now + Duration::from_millis(millis);
    assert_eq!(standing(&mut floor), (State::Zero, 0, 0, 0, 0));
    floor.arrive(id, WAIT, at(1), || 1);
    floor.arrive(id, WAIT, at(2), || 2);
    assert_eq!(standing(&mut floor), (State::Starting, 1, 0, 2, 0));
    floor.started(id, 0, 1, at(3));
    assert_eq!(standing(&mut floor), (State::Started, 3, 1, 1, 1));
    floor.end(id, (0, Traffic::User), 2, at(4));
    floor.end(id, (0, Traffic::User), 2, at(5));
    floor.stop(id, at(6)).unwrap();
    assert_eq!(standing(&mut floor), (State::Stopping, 6, 0, 0, 2));
    assert_eq!(floor.stopped(id, 0, at(7)), None, "nobody waits");
    assert_eq!(standing(&mut floor), (State::Zero, 7, 0, 0, 2));
}

#[test]
fn reports_about_an_older_generation_change_nothing() {
    let (mut floor, id, now) = node(BOUNDS);
    floor.wake(id, now);
    floor.started(id, 0, 1, now);
    assert!(matches!(floor.arrive(id, WAIT, now, || 1), Arrival::Admitted(_)));
    floor.replace(id, 7, now);
    floor.arrive(id, WAIT, now, || 2);
    let is = |floor: &mut Node| (floor.standing(id).state, floor.standing(id).capacity);
    assert_eq!(waiters(floor.started(id, 0, 3, now)), [0; 0]);
    assert_eq!(floor.stopped(id, 0, now), None);
    assert_eq!(is(&mut floor), (State::Starting, 1));
    assert_eq!(waiters(floor.started(id, 1, 1, now)), [0; 0], "the older one's call still counts");
    assert_eq!(waiters(floor.end(id, (0, Traffic::User), 3, now)), [2]);
    assert_eq!(is(&mut floor), (State::Started, 1));
    floor.end(id, (1, Traffic::User), 2, now);
    assert_eq!(is(&mut floor), (State::Started, 2), "its own report counts");
    assert!(floor.failed(id, 1, "too late".into(), now).is_empty());
    floor.started(id, 1, 3, now);
    assert_eq!(floor.stopped(id, 1, now), None, "it was not told to stop");
    assert_eq!(is(&mut floor), (State::Started, 2), "it runs already");
}

#[test]
fn nobody_gets_in_where_there_is_room_but_the_end_was_said() {
    let (mut floor, id, now) = node(BOUNDS);
    let other = floor.add(1, now);
    for revision in [id, other] {
        floor.wake(revision, now);
        floor.started(revision, 0, 3, now);
    }
    floor.retire(id, now);
    assert_eq!(floor.arrive(id, WAIT, now, || 1), Arrival::Refused { why: Refused::Gone, start: None });
    assert_eq!(floor.arrive(id, NOW, now, || 1), Arrival::Refused { why: Refused::Gone, start: None });
    floor.close(now);
    assert_eq!(floor.arrive(other, WAIT, now, || 1), Arrival::Refused { why: Refused::Closed, start: None });
    let third = floor.add(2, now);
    floor.retire(third, now);
    assert_eq!(floor.wake(third, now), None);
}

#[test]
fn a_request_that_gave_up_makes_room_for_the_next() {
    let (mut floor, id, now) = node(BOUNDS);
    let Arrival::Queued { ticket, .. } = floor.arrive(id, WAIT, now, || 1) else { panic!("no room is there") };
    floor.arrive(id, WAIT, now, || 2);
    floor.arrive(id, WAIT, now, || 3);
    assert_eq!(floor.leave(id, ticket, now), Some(1));
    assert_eq!(waiters(floor.started(id, 0, 1, now)), [2]);
}

#[test]
fn requests_are_demand_from_their_arrival_to_their_end() {
    let (mut floor, id, now) = node(Bounds { queue_requests: 1, ..BOUNDS });
    let mut sampled = now;
    let mut sample = |floor: &mut Node| {
        sampled += Duration::from_secs(1);
        let sample = floor.sample(id, sampled);
        (sample.concurrency, sample.requests)
    };
    let Arrival::Queued { ticket, .. } = floor.arrive(id, WAIT, now, || 1) else { panic!("no room is there") };
    floor.arrive(id, WAIT, now, || 2);
    assert_eq!(sample(&mut floor), (1.0, 2), "one waits, one was refused; both were asked for");
    floor.leave(id, ticket, now + Duration::from_secs(1));
    assert_eq!(sample(&mut floor), (0.0, 0));
    floor.arrive(id, WAIT, now + Duration::from_secs(2), || 3);
    floor.started(id, 0, 1, now + Duration::from_secs(2));
    assert_eq!(sample(&mut floor), (1.0, 1), "it runs");
    floor.end(id, (0, Traffic::User), 1, now + Duration::from_secs(3));
    assert_eq!(sample(&mut floor), (0.0, 0));
    floor.arrive(id, WAIT, now + Duration::from_secs(4), || 4);
    floor.arrive(id, WAIT, now + Duration::from_secs(4), || 5);
    floor.close(now + Duration::from_secs(4));
    assert_eq!(sample(&mut floor), (1.0, 2), "who was told to go is no demand any more");
}

#[test]
fn probes_are_carried_but_are_no_demand() {
    let (mut floor, id, now) = node(BOUNDS);
    floor.arrive(id, Request { traffic: Traffic::Probe, ..WAIT }, now, || 1);
    floor.started(id, 0, 3, now);
    let sample = floor.sample(id, now + Duration::from_secs(1));
    assert_eq!((sample.concurrency, sample.requests), (0.0, 0));
}

#[test]
fn ids_are_used_again_after_their_revision() {
    let (mut floor, id, now) = node(BOUNDS);
    assert_eq!(floor.remove(id), Some(0));
    assert_eq!(floor.remove(id), None);
    assert_eq!(floor.add(5, now), id);
}

/// One step of a random history. Numbers pick among what there is.
#[derive(Clone, Debug)]
enum Step {
    Arrive { revision: usize, bytes: u64, patience: bool },
    Leave { nth: usize },
    End { nth: usize, capacity: u32 },
    StartEnds { nth: usize, works: bool, capacity: u32 },
    Stop { revision: usize },
    Replace { revision: usize },
    Wake { revision: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let (revision, nth) = (0..3usize, 0..64usize);
    prop_oneof![
        8 => (revision.clone(), 1..40u64, prop::bool::weighted(0.9))
            .prop_map(|(revision, bytes, patience)| Step::Arrive { revision, bytes, patience }),
        2 => nth.clone().prop_map(|nth| Step::Leave { nth }),
        6 => (nth.clone(), 1..4u32).prop_map(|(nth, capacity)| Step::End { nth, capacity }),
        4 => (nth, any::<bool>(), 1..4u32)
            .prop_map(|(nth, works, capacity)| Step::StartEnds { nth, works, capacity }),
        1 => revision.clone().prop_map(|revision| Step::Stop { revision }),
        1 => revision.clone().prop_map(|revision| Step::Replace { revision }),
        1 => revision.prop_map(|revision| Step::Wake { revision }),
    ]
}

/// The floor with a record of everything outside of it.
struct World {
    floor: Node,
    now: Instant,
    ids: Vec<Id>,
    next: u32,
    /// Waiting requests: number to revision and ticket.
    waiting: BTreeMap<u32, (usize, u64)>,
    running: Vec<(usize, u64)>,
    starting: Vec<(usize, u64)>,
}

impl World {
    fn admitted(&mut self, admitted: Vec<(u32, Grant<u32>)>) {
        for (waiter, grant) in admitted {
            let (revision, _) = self.waiting.remove(&waiter).expect("nobody is let in twice");
            let first = self.waiting.iter().find(|(_, (other, _))| *other == revision);
            assert!(first.is_none_or(|(older, _)| *older > waiter), "in order of arrival");
            self.running.push((revision, grant.generation));
            let standing = self.floor.standing(self.ids[revision]);
            assert!(standing.in_flight <= standing.capacity, "never let in above the capacity");
        }
    }

    fn begin(&mut self, revision: usize, start: Option<Start<u32>>) {
        self.starting.extend(start.map(|start| (revision, start.generation)));
    }

    fn take(&mut self, step: &Step) {
        self.now += Duration::from_millis(50);
        let now = self.now;
        match *step {
            Step::Arrive { revision, bytes, patience } => {
                self.next += 1;
                let number = self.next;
                let patience = if patience { Patience::Wait } else { Patience::Now };
                let request = Request { bytes, traffic: Traffic::User, patience };
                match self.floor.arrive(self.ids[revision], request, now, || number) {
                    Arrival::Admitted(grant) => {
                        assert!(self.waiting.values().all(|(other, _)| *other != revision), "nobody is overtaken");
                        self.running.push((revision, grant.generation));
                    }
                    Arrival::Queued { ticket, start } => {
                        self.waiting.insert(number, (revision, ticket));
                        self.begin(revision, start);
                    }
                    Arrival::Refused { start, .. } => self.begin(revision, start),
                }
            }
            Step::Leave { nth } => {
                if let Some((number, (revision, ticket))) = pick(&self.waiting, nth) {
                    assert_eq!(self.floor.leave(self.ids[revision], ticket, now), Some(number));
                    self.waiting.remove(&number);
                }
            }
            Step::End { nth, capacity } if !self.running.is_empty() => {
                let (revision, generation) = self.running.swap_remove(nth % self.running.len());
                let effects = self.floor.end(self.ids[revision], (generation, Traffic::User), capacity, now);
                self.admitted(effects.admitted);
            }
            Step::StartEnds { nth, works, capacity } if !self.starting.is_empty() => {
                let (revision, generation) = self.starting.swap_remove(nth % self.starting.len());
                if works {
                    let effects = self.floor.started(self.ids[revision], generation, capacity, now);
                    self.admitted(effects.admitted);
                } else {
                    for told in self.floor.failed(self.ids[revision], generation, "why".into(), now) {
                        self.waiting.remove(&told).expect("nobody is told twice");
                    }
                }
            }
            Step::Stop { revision } => {
                if let Ok(Some(stop)) = self.floor.stop(self.ids[revision], now) {
                    let start = self.floor.stopped(self.ids[revision], stop.generation, now);
                    self.begin(revision, start);
                }
            }
            Step::Replace { revision } => {
                let (_, start) = self.floor.replace(self.ids[revision], 1, now);
                self.begin(revision, start);
            }
            Step::Wake { revision } => {
                let start = self.floor.wake(self.ids[revision], now);
                self.begin(revision, start);
            }
            Step::End { .. } | Step::StartEnds { .. } => {}
        }
        self.check();
    }

    fn check(&mut self) {
        let bounds = self.floor.bounds;
        assert_eq!(self.floor.free as usize + self.running.len(), bounds.calls as usize);
        for revision in 0..self.ids.len() {
            let slot = self.floor.slot(self.ids[revision]);
            let running = self.running.iter().filter(|(other, _)| *other == revision).count();
            let waiting = self.waiting.values().filter(|(other, _)| *other == revision).count();
            assert_eq!((slot.in_flight as usize, slot.queue.len()), (running, waiting));
            assert!(slot.queue.len() <= bounds.queue_requests && slot.queue.bytes() <= bounds.queue_bytes);
            let eligible = slot.open() && waiting > 0;
            let asleep = slot.state == State::Zero && waiting > 0;
            assert!(!asleep, "who waits at zero waits for ever");
            assert!(!eligible || self.floor.free == 0, "a lost wake-up");
        }
    }
}

fn pick(waiting: &BTreeMap<u32, (usize, u64)>, nth: usize) -> Option<(u32, (usize, u64))> {
    let nth = nth.checked_rem(waiting.len())?;
    waiting.iter().nth(nth).map(|(number, place)| (*number, *place))
}

proptest! {
    #[test]
    fn nobody_is_lost_overtaken_or_let_in_above_a_bound(steps in prop::collection::vec(step(), 0..200)) {
        let (mut floor, first, now) = node(BOUNDS);
        let ids = vec![first, floor.add(0, now), floor.add(0, now)];
        let (waiting, running, starting) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut world = World { floor, now, ids, next: 0, waiting, running, starting };
        for step in steps {
            world.take(&step);
        }
        // Whatever happened: once starts work and calls end, everybody who waits gets in.
        while !world.starting.is_empty() || !world.running.is_empty() {
            world.take(&Step::StartEnds { nth: 0, works: true, capacity: 2 });
            world.take(&Step::End { nth: 0, capacity: 2 });
        }
        prop_assert!(world.waiting.is_empty());
    }
}
