//! How the dispatcher reads: one batch for all that follow, one batch for one of those that are behind.

use super::attempt::Stores;
use super::lane::Offer;
use super::{Dispatcher, Pace, blocking};
use crate::event::{Event, stored};
use crate::filter;
use crate::index::Index;
use crate::log::{Position, ReadError, Stored};
use crate::state::TriggerRecord;
use fnctl_config::limits::{DISPATCH_READ_BYTES, DISPATCH_READ_RECORDS};
use std::sync::Arc;
use tokio::time::Instant;

/// Whether there is more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    /// At once.
    Now,
    /// When something is appended or a trigger has room again; where the log failed, when the cursors are saved.
    Later,
}

/// Where the shared reader begins: at the first event that the ledger cannot name yet.
pub(super) fn begin(stores: &Stores) -> Vec<Position> {
    let next = stores.log.next().borrow().clone();
    first_unnamed(&stores.ledger.identified(), &stores.log.start(), &next)
}

fn first_unnamed(identified: &[Position], start: &[Position], next: &[Position]) -> Vec<Position> {
    let of = |positions: &[Position], at: Position| {
        positions.iter().copied().find(|other| other.partition() == at.partition()).unwrap_or(at)
    };
    // A ledger that is ahead of its log knows events that a power cut took.
    start.iter().map(|first| of(identified, *first).max(*first)).map(|at| at.min(of(next, at))).collect()
}

/// The first positions that a broker's triggers still need.
fn needed(next: &[Position], broker: &str, triggers: &[(String, TriggerRecord)]) -> Vec<Position> {
    let reads_this = |record: &&TriggerRecord| record.broker == broker && record.deleted_at_ms.is_none();
    let lows: Vec<_> =
        triggers.iter().map(|(_, record)| record).filter(reads_this).flat_map(|record| record.cursor.low()).collect();
    let first = |end: &Position| lows.iter().copied().filter(|low| low.partition() == end.partition()).min();
    next.iter().map(|end| first(end).map_or(*end, |first| first.min(*end))).collect()
}

/// Lets the log drop what the triggers of this broker do not need. Answers the first positions retained.
pub(super) async fn trim(stores: &Stores) -> Vec<Position> {
    let next = stores.log.next().borrow().clone();
    let state = stores.state.clone();
    let triggers = match blocking(move || state.triggers()).await {
        Ok(triggers) => triggers,
        Err(error) => {
            tracing::error!(error = %error, "cursors not read: the log keeps everything");
            return stores.log.start();
        }
    };
    match stores.log.trim(needed(&next, &stores.broker_uid, &triggers)).await {
        Ok(0) => {}
        Ok(records) => tracing::debug!(records, "the log let events go"),
        Err(error) => tracing::warn!(error = %error, "the log could not let old events go"),
    }
    let start = stores.log.start();
    if let Err(error) = stores.ledger.trim(&start) {
        tracing::warn!(error = %error, "the ledger could not let old outcomes go");
    }
    start
}

impl Dispatcher {
    /// Reads one batch for all that follow, and one for the next trigger that is behind and has room.
    pub(super) async fn read(&mut self) -> More {
        let shared = self.read_shared().await;
        let behind = self.read_behind().await;
        match (shared, behind) {
            (More::Now, _) | (_, More::Now) => More::Now,
            (More::Later, More::Later) => More::Later,
        }
    }

    async fn read_shared(&mut self) -> More {
        let next = self.stores.log.next().borrow().clone();
        let mut more = More::Later;
        for end in next {
            let from = match self.shared.iter().find(|at| at.partition() == end.partition()) {
                Some(from) => *from,
                None => {
                    self.shared.push(end.origin());
                    end.origin()
                }
            };
            if from >= end {
                continue;
            }
            let Some((reached, records)) = batch(&self.stores, from, end).await else { return More::Later };
            self.spread(&records);
            if let Some(shared) = self.shared.iter_mut().find(|at| at.partition() == end.partition()) {
                *shared = reached;
            }
            if reached < end {
                more = More::Now;
            }
        }
        more
    }

    /// Offers records to all triggers that follow and want them.
    fn spread(&mut self, records: &[Stored]) {
        let now = Instant::now();
        for record in records {
            let Some(event) = decode(record) else { continue };
            if let Err(error) = self.stores.ledger.identify(record.position, event.source(), event.id()) {
                tracing::warn!(error = %error, "identity not written to the ledger");
            }
            let triggers = &self.triggers;
            let index = self.index.get_or_insert_with(|| {
                let entries =
                    triggers.iter().map(|(uid, attached)| (uid.clone(), attached.subscription.trigger.filter.clone()));
                Index::new(entries.collect())
            });
            for uid in index.matches(&event) {
                let Some(attached) = self.triggers.get_mut(uid) else { continue };
                if attached.pace == Pace::CatchingUp {
                    continue;
                }
                match attached.lane.offer(record.position, &event, now) {
                    Offer::Taken => {}
                    Offer::Full => {
                        attached.pace = Pace::CatchingUp;
                        self.behind.push_back(uid.clone());
                    }
                }
                self.touched.insert(uid.clone());
            }
        }
    }

    async fn read_behind(&mut self) -> More {
        let has_room = |uid: &String| self.triggers.get(uid).is_some_and(|attached| attached.lane.has_room());
        let Some(turn) = self.behind.iter().position(has_room) else { return More::Later };
        let Some(uid) = self.behind.remove(turn) else { return More::Later };
        for end in self.shared.clone() {
            let Some(attached) = self.triggers.get(&uid) else { break };
            let from = attached.lane.scanned().iter().find(|at| at.partition() == end.partition());
            let from = from.copied().unwrap_or_else(|| end.origin());
            if from >= end {
                continue;
            }
            let Some((reached, records)) = batch(&self.stores, from, end).await else {
                self.behind.push_back(uid);
                return More::Later;
            };
            self.catch_up(&uid, reached, &records);
        }
        let caught_up = self.triggers.get(&uid).is_none_or(|attached| self.pace_of(&attached.lane) == Pace::Following);
        if !caught_up {
            self.behind.push_back(uid.clone());
        } else if let Some(attached) = self.triggers.get_mut(&uid) {
            attached.pace = Pace::Following;
        }
        self.touched.insert(uid);
        More::Now
    }

    fn catch_up(&mut self, uid: &str, reached: Position, records: &[Stored]) {
        let Some(attached) = self.triggers.get_mut(uid) else { return };
        let now = Instant::now();
        for record in records {
            let Some(event) = decode(record) else { continue };
            if !filter::matches(&attached.subscription.trigger.filter, &event) {
                continue;
            }
            if attached.lane.offer(record.position, &event, now) == Offer::Full {
                return;
            }
        }
        attached.lane.pass(reached);
    }
}

/// A batch from `from` on and where it ends, never beyond `end`. What is damaged is passed over; none where the log cannot
/// be read at this moment.
async fn batch(stores: &Stores, from: Position, end: Position) -> Option<(Position, Vec<Stored>)> {
    match stores.log.read(from, DISPATCH_READ_RECORDS, DISPATCH_READ_BYTES).await {
        Ok(mut records) => {
            records.retain(|record| record.position < end);
            let reached = records.last().map_or(end, |last| stores.log.after(last.position));
            Some((reached, records))
        }
        Err(ReadError::Damaged { from: damaged, to }) if to > from => {
            tracing::error!(%damaged, %to, "events are damaged and cannot be delivered");
            Some((to.min(end), Vec::new()))
        }
        Err(error) => {
            tracing::error!(error = %error, "the log cannot be read, trying again");
            None
        }
    }
}

fn decode(record: &Stored) -> Option<Arc<Event>> {
    match stored::decode(&record.record) {
        Ok(event) => Some(Arc::new(event)),
        Err(error) => {
            tracing::error!(position = %record.position, error = %error, "a record of the log is passed over");
            None
        }
    }
}

#[cfg(test)]
mod tests;
