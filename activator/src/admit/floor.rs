//! Who may call now: the whole node's admission as one value, without clock, lock or I/O.
//!
//! Each revision has a queue in order of arrival and a number of calls that it takes at once; the node has a number of
//! calls that it takes at once. A revision with somebody waiting and room of its own is *eligible*. Eligible revisions
//! stand in a ring and take turns for the node's room, so that one with a long queue cannot starve another. After every
//! step nobody is eligible, or the node is full: that is what makes a lost wake-up impossible.
//!
//! ```text
//!          arrive              started                  stop             stopped, nobody waits
//!   zero ─────────► starting ──────────► started ───────────► stopping ──────────────────────► zero
//!    ▲                 │ failed: all waiting get the reason       │ stopped, somebody waits
//!    └─────────────────┘                                          └──────────► starting
//! ```
//!
//! `L` is what serves a revision now and is handed out with each admission; `W` is how a waiting request is told.
//! Both leave this value through returns alone, so that a caller who holds a lock drops none of them under it.

use super::Patience;
use super::queue::{Queue, Waiter};
use crate::meter::Traffic;
use crate::meter::{Load, Sample};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names a revision; valid from [`Floor::add`] to [`Floor::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id(u32);

/// The most that is let in and kept waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Calls at once on the node.
    pub(crate) calls: u32,
    /// Requests waiting per revision.
    pub(crate) queue_requests: usize,
    /// Bytes of requests waiting per revision.
    pub(crate) queue_bytes: u64,
    /// How long a failed start answers for the next one.
    pub(crate) retry_delay: Duration,
}

/// Where a revision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is loaded.
    Zero,
    /// It leaves zero; requests wait.
    Starting,
    /// It takes calls.
    Started,
    /// It goes back to zero; requests wait.
    Stopping,
}

/// A request at the door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// What it counts for in the queue.
    pub(crate) bytes: u64,
    pub(crate) traffic: Traffic,
    pub(crate) patience: Patience,
}

/// One request may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant<L> {
    pub(crate) live: L,
    /// Goes back with [`Floor::end`].
    pub(crate) generation: u64,
    pub(crate) traffic: Traffic,
    /// Time it waited for room, and for the revision to start.
    pub(crate) queued: Duration,
    pub(crate) activated: Duration,
}

/// The caller is to start this and report it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start<L> {
    pub(crate) live: L,
    pub(crate) generation: u64,
}

/// What follows from a step; the caller carries it out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Effects<L, W> {
    /// In this order.
    pub(crate) admitted: Vec<(W, Grant<L>)>,
    pub(crate) start: Option<Start<L>>,
}

/// What became of an arrival.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival<L> {
    Admitted(Grant<L>),
    Queued { ticket: u64, start: Option<Start<L>> },
    Refused { why: Refused, start: Option<Start<L>> },
}

/// Why an arrival is not even queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    QueueFull,
    NoRoom,
    Failed(Arc<str>),
    Gone,
    Closed,
}

/// Why a revision cannot stop now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// Requests are in flight or waiting.
    #[error("{in_flight} calls in flight, {waiting} requests waiting")]
    Requests {
        /// Calls that run.
        in_flight: u32,
        /// Requests in the queue.
        waiting: usize,
    },
    /// It is on its way between zero and started.
    #[error("the revision is starting or stopping")]
    Moving,
    /// It is not there any more.
    #[error("no such revision")]
    Gone,
}

/// A revision at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: State,
    pub(crate) since: Instant,
    pub(crate) in_flight: u32,
    pub(crate) waiting: usize,
    pub(crate) capacity: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Floor<L, W> {
    bounds: Bounds,
    slots: Vec<Option<Slot<L, W>>>,
    vacant: Vec<Id>,
    /// Calls that the node still takes.
    free: u32,
    /// Eligible revisions, next one first; only while the node is full.
    ring: VecDeque<Id>,
    closed: bool,
}

#[derive(Debug)]
struct Slot<L, W> {
    live: L,
    /// Grows when `live` is replaced, so that reports about the older one are known as such.
    generation: u64,
    state: State,
    since: Instant,
    /// The last start failed: until then its reason answers.
    barred: Option<(Instant, Arc<str>)>,
    capacity: u32,
    in_flight: u32,
    queue: Queue<W>,
    in_ring: bool,
    gone: bool,
    load: Load,
}

impl<L: Clone, W> Floor<L, W> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let (slots, vacant, ring) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { bounds, slots, vacant, free: bounds.calls, ring, closed: false }
    }

    /// A revision, at zero.
    pub(crate) fn add(&mut self, live: L, now: Instant) -> Id {
        let slot = Some(Slot {
            live,
            generation: 0,
            state: State::Zero,
            since: now,
            barred: None,
            capacity: 0,
            in_flight: 0,
            queue: Queue::default(),
            in_ring: false,
            gone: false,
            load: Load::new(now),
        });
        if let Some(id) = self.vacant.pop() {
            self.slots[id.0 as usize] = slot;
            return id;
        }
        self.slots.push(slot);
        Id(u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX))
    }

    /// Another `live` serves the revision from now on, from zero. Who waits keeps its place and is served by it; calls
    /// in flight go on and still count. Returns the older one.
    pub(crate) fn replace(&mut self, id: Id, live: L, now: Instant) -> (L, Option<Start<L>>) {
        let slot = self.slot(id);
        let older = std::mem::replace(&mut slot.live, live);
        slot.generation += 1;
        slot.barred = None;
        slot.enter(State::Zero, now);
        (older, slot.start_if_waiting(now))
    }

    /// The revision is gone: returns who waits, and nobody gets in any more. Calls in flight go on.
    pub(crate) fn retire(&mut self, id: Id, now: Instant) -> Vec<W> {
        let slot = self.slot(id);
        slot.gone = true;
        slot.drain(now)
    }

    /// Forgets the revision; nobody may name its id any more. Returns what served it.
    pub(crate) fn remove(&mut self, id: Id) -> Option<L> {
        let slot = self.slots.get_mut(id.0 as usize)?.take()?;
        if slot.in_ring {
            self.ring.retain(|other| *other != id);
        }
        self.vacant.push(id);
        Some(slot.live)
    }

    /// A request arrives. `waiter` is asked for only if it has to wait.
    pub(crate) fn arrive(&mut self, id: Id, request: Request, now: Instant, waiter: impl FnOnce() -> W) -> Arrival<L> {
        let (bounds, free, closed) = (self.bounds, self.free, self.closed);
        let slot = self.slot(id);
        slot.count(request.traffic, |load| load.enter(now));
        if free > 0 && !closed && slot.open() && slot.queue.is_empty() {
            let grant = slot.grant(request.traffic, Duration::ZERO, Duration::ZERO);
            self.free -= 1;
            return Arrival::Admitted(grant);
        }
        let refused = if closed { Some(Refused::Closed) } else { slot.refuses(request, &bounds, now) };
        match refused {
            None => {
                let waiter = Waiter { tell: waiter(), bytes: request.bytes, traffic: request.traffic, arrived: now };
                let ticket = slot.queue.push(waiter);
                let start = slot.start(now);
                self.enrol(id); // it may be the node that is full: then it takes its turn
                Arrival::Queued { ticket, start }
            }
            Some(why) => {
                slot.count(request.traffic, |load| load.leave(now));
                // Who does not wait has asked for the revision all the same.
                let start = if why == Refused::NoRoom { slot.start(now) } else { None };
                Arrival::Refused { why, start }
            }
        }
    }

    /// A waiting request gives up, or its time is over. `None` if it does not wait any more.
    pub(crate) fn leave(&mut self, id: Id, ticket: u64, now: Instant) -> Option<W> {
        let slot = self.slot(id);
        let waiter = slot.queue.take(ticket)?;
        slot.count(waiter.traffic, |load| load.leave(now));
        Some(waiter.tell)
    }

    /// A call that was granted has ended. `capacity` is what the `live` of that generation takes now.
    pub(crate) fn end(&mut self, id: Id, grant: (u64, Traffic), capacity: u32, now: Instant) -> Effects<L, W> {
        let (generation, traffic) = grant;
        let slot = self.slot(id);
        slot.in_flight -= 1;
        slot.count(traffic, |load| load.leave(now));
        if generation == slot.generation {
            slot.capacity = capacity;
        }
        self.free += 1;
        Effects { admitted: self.settle(id, now), start: None }
    }

    /// A start has worked.
    pub(crate) fn started(&mut self, id: Id, generation: u64, capacity: u32, now: Instant) -> Effects<L, W> {
        let slot = self.slot(id);
        if generation == slot.generation && slot.state == State::Starting {
            slot.capacity = capacity;
            slot.enter(State::Started, now);
        }
        Effects { admitted: self.settle(id, now), start: None }
    }

    /// A start has not worked: returns who waits.
    pub(crate) fn failed(&mut self, id: Id, generation: u64, why: Arc<str>, now: Instant) -> Vec<W> {
        let until = now + self.bounds.retry_delay;
        let slot = self.slot(id);
        if generation != slot.generation || slot.state != State::Starting {
            return Vec::new();
        }
        slot.enter(State::Zero, now);
        slot.barred = Some((until, why));
        slot.drain(now)
    }

    /// Leaves zero with nobody waiting.
    pub(crate) fn wake(&mut self, id: Id, now: Instant) -> Option<Start<L>> {
        let slot = self.slot(id);
        if slot.gone { None } else { slot.start(now) }
    }

    /// Begins to go back to zero: the caller is to stop what is returned and then report [`Floor::stopped`].
    pub(crate) fn stop(&mut self, id: Id, now: Instant) -> Result<Option<Start<L>>, Busy> {
        let slot = self.slot(id);
        let (in_flight, waiting) = (slot.in_flight, slot.queue.len());
        match slot.state {
            State::Zero => Ok(None),
            State::Starting | State::Stopping => Err(Busy::Moving),
            State::Started if in_flight > 0 || waiting > 0 => Err(Busy::Requests { in_flight, waiting }),
            State::Started => {
                slot.enter(State::Stopping, now);
                Ok(Some(Start { live: slot.live.clone(), generation: slot.generation }))
            }
        }
    }

    /// It is back at zero; who came meanwhile makes it start again.
    pub(crate) fn stopped(&mut self, id: Id, generation: u64, now: Instant) -> Option<Start<L>> {
        let slot = self.slot(id);
        if generation != slot.generation || slot.state != State::Stopping {
            return None;
        }
        slot.enter(State::Zero, now);
        slot.start_if_waiting(now)
    }

    /// Nobody gets in any more: returns all who wait.
    pub(crate) fn close(&mut self, now: Instant) -> Vec<W> {
        self.closed = true;
        self.slots.iter_mut().flatten().flat_map(|slot| slot.drain(now)).collect()
    }

    /// Ends a revision's metering period.
    pub(crate) fn sample(&mut self, id: Id, now: Instant) -> Sample {
        self.slot(id).load.sample(now)
    }

    /// A revision now.
    pub(crate) fn standing(&mut self, id: Id) -> Standing {
        let slot = self.slot(id);
        Standing {
            state: slot.state,
            since: slot.since,
            in_flight: slot.in_flight,
            waiting: slot.queue.len(),
            capacity: slot.capacity,
        }
    }

    /// Lets in whom there is room for, after something changed for `id`.
    fn settle(&mut self, id: Id, now: Instant) -> Vec<(W, Grant<L>)> {
        self.enrol(id);
        let mut admitted = Vec::new();
        while self.free > 0
            && let Some(next) = self.ring.pop_front()
        {
            let slot = self.slot(next);
            slot.in_ring = false;
            if let Some(one) = slot.admit_next(now) {
                admitted.push(one);
                self.free -= 1;
                self.enrol(next);
            }
        }
        admitted
    }

    fn enrol(&mut self, id: Id) {
        let slot = self.slot(id);
        if slot.open() && !slot.queue.is_empty() && !slot.in_ring {
            slot.in_ring = true;
            self.ring.push_back(id);
        }
    }

    fn slot(&mut self, id: Id) -> &mut Slot<L, W> {
        // An id is borrowed from an entry that removes it when it is dropped; a stale one is a bug in this crate.
        self.slots.get_mut(id.0 as usize).and_then(Option::as_mut).expect("an id in use names a revision")
    }
}

impl<L: Clone, W> Slot<L, W> {
    /// Takes one more call, as far as the revision is concerned.
    fn open(&self) -> bool {
        self.state == State::Started && self.in_flight < self.capacity && !self.gone
    }

    fn refuses(&self, request: Request, bounds: &Bounds, now: Instant) -> Option<Refused> {
        if self.gone {
            return Some(Refused::Gone);
        }
        if let Some((until, why)) = &self.barred
            && now < *until
        {
            return Some(Refused::Failed(why.clone()));
        }
        match request.patience {
            Patience::Now => Some(Refused::NoRoom),
            Patience::Wait => {
                let room = self.queue.len() < bounds.queue_requests
                    && self.queue.bytes().saturating_add(request.bytes) <= bounds.queue_bytes;
                (!room).then_some(Refused::QueueFull)
            }
        }
    }

    fn start(&mut self, now: Instant) -> Option<Start<L>> {
        if self.state != State::Zero {
            return None;
        }
        self.barred = None;
        self.enter(State::Starting, now);
        Some(Start { live: self.live.clone(), generation: self.generation })
    }

    fn start_if_waiting(&mut self, now: Instant) -> Option<Start<L>> {
        if self.queue.is_empty() { None } else { self.start(now) }
    }

    fn admit_next(&mut self, now: Instant) -> Option<(W, Grant<L>)> {
        if !self.open() {
            return None;
        }
        let waiter = self.queue.pop()?;
        let waited = now.saturating_duration_since(waiter.arrived);
        let activated = self.since.saturating_duration_since(waiter.arrived).min(waited);
        Some((waiter.tell, self.grant(waiter.traffic, waited - activated, activated)))
    }

    fn grant(&mut self, traffic: Traffic, queued: Duration, activated: Duration) -> Grant<L> {
        self.in_flight += 1;
        Grant { live: self.live.clone(), generation: self.generation, traffic, queued, activated }
    }

    fn drain(&mut self, now: Instant) -> Vec<W> {
        let mut told = Vec::with_capacity(self.queue.len());
        while let Some(waiter) = self.queue.pop() {
            self.count(waiter.traffic, |load| load.leave(now));
            told.push(waiter.tell);
        }
        told
    }

    fn enter(&mut self, state: State, now: Instant) {
        (self.state, self.since) = (state, now);
    }

    fn count(&mut self, traffic: Traffic, step: impl FnOnce(&mut Load)) {
        if traffic == Traffic::User {
            step(&mut self.load);
        }
    }
}

#[cfg(test)]
mod tests;
