//! One trigger's way through the log: which events it still owes, which are in flight, which wait. Pure: events in,
//! jobs out, `now` given.
//!
//! ```text
//!   cursor.low ── in flight, waiting ── backlog ── scanned ───────▶ log
//! ```
//! Everything before `scanned` is done or held here, so the cursor follows from what is held. Beyond a number of waiting
//! events those that fail are copied into the state: of them only place and time are held, and the cursor passes them.

use crate::cursor::Cursor;
use crate::event::{Event, PARTITION_KEY};
use crate::log::Position;
use crate::parked::Reason;
use crate::state::{History, Kept, Retry};
use fnctl_config::limits::{
    CURSOR_RANGES_MAX, DELIVERIES_IN_FLIGHT_MAX, TRIGGER_BACKLOG_BYTES_MAX, TRIGGER_BACKLOG_MAX, TRIGGER_COPIES_MAX,
    TRIGGER_RETRIES_IN_LOG_MAX, TRIGGER_RETRIES_MAX,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use tokio::time::Instant;

/// An event that a trigger owes to its subscriber.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) position: Position,
    /// The event, or nothing where it is to be read again.
    pub(super) event: Option<Arc<Event>>,
    pub(super) apart: Apart,
    /// The attempts made. Of an event with a copy the state knows them, unless something is owed.
    pub(super) history: History,
    /// What could not be saved yet.
    pub(super) owed: Option<Owed>,
    key: Option<String>,
}

/// Whether the state has a copy of an event, apart from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Apart {
    /// No: the log keeps the event until it is settled.
    No,
    /// No, and too many events wait already: a copy is to be made if it must be tried again.
    Wanted,
    /// Yes; the log may have let the event go.
    Made,
}

/// What must be saved before anything else is done for an event: an attempt that is not saved is not made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// The attempts made.
    Attempts,
    /// The event in the parked store, for this reason.
    Park(Reason),
}

/// How a job ended, as far as the lane is concerned.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// Delivered, dead-lettered, parked or expired.
    Settled,
    /// To be tried again at this time; saved durably if the history has grown, but for what is owed.
    Waits { until: Instant, history: History, owed: Option<Owed> },
    /// The same, and all that is known of it is saved together with a copy of the event.
    Copied { until: Instant },
}

/// Whether an event was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Taken,
    /// There is no room: the trigger stays where it is.
    Full,
}

/// Whether events of one partition key go one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Unordered,
    ByKey,
}

#[derive(Debug)]
pub(super) struct Lane {
    order: Order,
    cursor: Cursor,
    scanned: Vec<Position>,
    backlog: VecDeque<Item>,
    backlog_bytes: usize,
    in_flight: HashMap<Position, Flight>,
    waiting: BTreeMap<Position, Item>,
    /// Wait too, with a copy in the state.
    copied: HashSet<Position>,
    due: BTreeSet<(Instant, Position)>,
    busy: HashSet<String>,
    /// Attempts saved before a restart, until their events are read again.
    saved: BTreeMap<Position, (History, Instant)>,
    settled: Vec<Position>,
    is_dirty: bool,
}

/// What is known of a job that runs.
#[derive(Debug)]
struct Flight {
    key: Option<String>,
    apart: Apart,
}

impl Lane {
    /// A lane that resumes at the cursor. What has a copy is passed: the cursor may be older than the copy.
    pub(super) fn new(order: Order, mut cursor: Cursor, retries: Vec<(Retry, Instant)>) -> Self {
        let (copies, saved): (Vec<_>, Vec<_>) = retries.into_iter().partition(|(retry, _)| retry.kept == Kept::Copy);
        copies.iter().for_each(|(retry, _)| cursor.done(retry.position));
        Self {
            order,
            scanned: cursor.low(),
            cursor,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            in_flight: HashMap::new(),
            waiting: BTreeMap::new(),
            copied: copies.iter().map(|(retry, _)| retry.position).collect(),
            due: copies.iter().map(|(retry, due)| (*due, retry.position)).collect(),
            busy: HashSet::new(),
            saved: saved.into_iter().map(|(retry, due)| (retry.position, (retry.history, due))).collect(),
            settled: Vec::new(),
            is_dirty: false,
        }
    }

    pub(super) fn set_order(&mut self, order: Order) {
        self.order = order;
        if order == Order::Unordered {
            self.busy.clear();
        }
    }

    /// How far the log was offered, per partition.
    pub(super) fn scanned(&self) -> &[Position] {
        &self.scanned
    }

    /// Whether there is room for a good number of events: a reader of its own is worth starting.
    pub(super) fn has_room(&self) -> bool {
        self.backlog.len() <= TRIGGER_BACKLOG_MAX / 2
            && self.backlog_bytes <= TRIGGER_BACKLOG_BYTES_MAX / 2
            && self.waiting.len() < TRIGGER_RETRIES_MAX
            && self.cursor.ranges() < CURSOR_RANGES_MAX
    }

    /// Offers an event that matches. Events offered before are ignored.
    pub(super) fn offer(&mut self, position: Position, event: &Arc<Event>, now: Instant) -> Offer {
        if self.scanned.iter().any(|done| done.partition() == position.partition() && position < *done) {
            return Offer::Taken;
        }
        self.pass(position);
        let is_full = self.backlog.len() >= TRIGGER_BACKLOG_MAX
            || self.backlog_bytes >= TRIGGER_BACKLOG_BYTES_MAX
            || self.waiting.len() >= TRIGGER_RETRIES_MAX
            || self.cursor.ranges() >= CURSOR_RANGES_MAX;
        if is_full {
            return Offer::Full;
        }
        if !self.cursor.is_done(position) {
            self.hold(position, event, now);
        }
        self.set_scanned(position.behind());
        Offer::Taken
    }

    fn hold(&mut self, position: Position, event: &Arc<Event>, now: Instant) {
        let key = match self.order {
            Order::Unordered => None,
            // Without a key all events share one lane.
            Order::ByKey => Some(event.attribute(PARTITION_KEY).map(|key| key.into_owned()).unwrap_or_default()),
        };
        let is_first = self.is_first(key.as_ref());
        let event = Some(Arc::clone(event));
        let mut item = Item { position, event, apart: Apart::No, history: History::default(), owed: None, key };
        match self.saved.remove(&position) {
            Some((history, due)) if due > now && is_first => {
                item.history = history;
                self.wait(item, due);
            }
            known => {
                item.history = known.map(|(history, _)| history).unwrap_or_default();
                self.backlog_bytes += size_of(&item);
                self.backlog.push_back(item);
            }
        }
    }

    /// Whether no earlier event of this key is owed. After a crash there may be some that were settled and not saved as such:
    /// they go again, and before a later one whose attempts were saved.
    fn is_first(&self, key: Option<&String>) -> bool {
        let Some(key) = key else { return true };
        !self.busy.contains(key) && self.backlog.iter().all(|earlier| earlier.key.as_ref() != Some(key))
    }

    /// Nothing before `position` is for this trigger, apart from what was offered.
    pub(super) fn pass(&mut self, position: Position) {
        let from = self.scanned.iter().copied().find(|at| at.partition() == position.partition());
        let from = from.unwrap_or_else(|| position.origin());
        if from < position {
            self.cursor.done_range(from, position);
            self.set_scanned(position);
            self.is_dirty = true;
        }
    }

    /// The log dropped everything before `start`. Answers how many events went that were never looked at.
    pub(super) fn expire(&mut self, start: &[Position]) -> u64 {
        let mut unseen = 0;
        for position in start {
            let reached = self.scanned.iter().copied().find(|at| at.partition() == position.partition());
            unseen += reached.unwrap_or_else(|| position.origin()).until(*position);
            self.pass(*position);
        }
        self.cursor.advance_to(start);
        unseen
    }

    fn set_scanned(&mut self, position: Position) {
        match self.scanned.iter_mut().find(|at| at.partition() == position.partition()) {
            Some(at) => *at = position,
            None => self.scanned.push(position),
        }
    }

    /// The jobs to start now. Each one ends with [`Lane::ended`].
    pub(super) fn start(&mut self, now: Instant) -> Vec<Item> {
        let mut jobs = Vec::new();
        while let Some(&(at, position)) = self.due.first() {
            if at > now || self.in_flight.len() >= DELIVERIES_IN_FLIGHT_MAX {
                break;
            }
            self.due.pop_first();
            let item = self.waiting.remove(&position).or_else(|| self.recall(position));
            jobs.extend(item.map(|item| self.launch(item)));
        }
        let mut place = 0;
        while place < self.backlog.len() && self.in_flight.len() < DELIVERIES_IN_FLIGHT_MAX {
            let is_blocked = self.backlog[place].key.as_ref().is_some_and(|key| self.busy.contains(key));
            if is_blocked {
                place += 1;
                continue;
            }
            let Some(item) = self.backlog.remove(place) else { break };
            self.backlog_bytes -= size_of(&item);
            self.busy.extend(item.key.clone());
            jobs.push(self.launch(item));
        }
        jobs
    }

    fn recall(&mut self, position: Position) -> Option<Item> {
        let (history, owed, key) = Default::default();
        self.copied.remove(&position).then_some(Item { position, event: None, apart: Apart::Made, history, owed, key })
    }

    fn launch(&mut self, mut item: Item) -> Item {
        if item.apart != Apart::Made {
            item.apart = if self.is_crowded() { Apart::Wanted } else { Apart::No };
        }
        self.in_flight.insert(item.position, Flight { key: item.key.clone(), apart: item.apart });
        item
    }

    /// Whether an event that fails now is better kept apart. Where there is an order, those behind it could not go anyway.
    fn is_crowded(&self) -> bool {
        self.order == Order::Unordered
            && self.waiting.len() + self.in_flight.len() >= TRIGGER_RETRIES_IN_LOG_MAX
            && self.copied.len() < TRIGGER_COPIES_MAX
    }

    /// Notes how a job ended.
    pub(super) fn ended(&mut self, position: Position, ended: Ended) {
        let Some(Flight { key, apart }) = self.in_flight.remove(&position) else { return };
        match ended {
            Ended::Settled => {
                self.cursor.done(position);
                self.settled.push(position);
                self.is_dirty = true;
                if let Some(key) = key {
                    self.busy.remove(&key);
                }
            }
            Ended::Waits { until, history: _, owed: None } if apart == Apart::Made => self.wait_apart(position, until),
            // The event itself is dropped meanwhile and read again, which bounds the memory of waiting events.
            Ended::Waits { until, history, owed } => {
                self.wait(Item { position, event: None, apart, history, owed, key }, until)
            }
            Ended::Copied { until } => {
                self.cursor.done(position);
                self.is_dirty = true;
                self.wait_apart(position, until);
            }
        }
    }

    fn wait(&mut self, item: Item, until: Instant) {
        self.busy.extend(item.key.clone());
        self.due.insert((until, item.position));
        self.waiting.insert(item.position, item);
    }

    fn wait_apart(&mut self, position: Position, until: Instant) {
        self.due.insert((until, position));
        self.copied.insert(position);
    }

    /// When the next waiting event is due, if there is room for it then.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let (at, _) = self.due.first()?;
        (self.in_flight.len() < DELIVERIES_IN_FLIGHT_MAX).then_some(*at)
    }

    /// What is to be saved since the last call: the cursor, and the settled events whose saved attempts may go.
    pub(super) fn unsaved(&mut self) -> Option<(Cursor, Vec<Position>)> {
        std::mem::take(&mut self.is_dirty).then(|| (self.cursor.clone(), std::mem::take(&mut self.settled)))
    }

    /// The save failed: it is to be made again.
    pub(super) fn save_again(&mut self, settled: Vec<Position>) {
        self.is_dirty = true;
        self.settled.extend(settled);
    }

    pub(super) fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    pub(super) fn depth(&self) -> Depth {
        let (backlog, in_flight) = (self.backlog.len(), self.in_flight.len());
        Depth { backlog, in_flight, waiting: self.waiting.len() + self.copied.len() }
    }
}

fn size_of(item: &Item) -> usize {
    item.event.as_ref().map_or(0, |event| event.size())
}

/// How much a trigger holds at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Read and not yet in flight.
    pub backlog: usize,
    /// Deliveries under way.
    pub in_flight: usize,
    /// Waiting for another attempt.
    pub waiting: usize,
}

#[cfg(test)]
mod tests;
