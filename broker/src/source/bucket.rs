//! BucketSources: each is a cursor on the change log of the node's buckets.
//!
//! A source begins with the changes after it was made. Its worker reads on, makes a CloudEvent of each change that its
//! filter lets through, and gives it to the sink in order: to a broker in batches, durable before the cursor passes
//! them; to a function or a URL one at a time. A sink that is missing, unreachable or failing is tried again for ever,
//! with a growing wait; the log keeps what the source has not passed. An answer that no other attempt can better (a 4xx
//! that `crate::retry` does not retry) is the sink's word on that event: it is counted as refused, with its reason, and
//! the source goes on.
//!
//! Cursors are saved every second or 1,000 events, as triggers' are: a crash delivers the events since then once more,
//! with the same ids.

mod event;
mod select;
#[cfg(test)]
mod tests;
mod worker;

pub use event::{PREFIX, to_event};
pub use select::matches;
pub use worker::Status;

use crate::broker::Brokers;
use crate::bucket::Buckets;
use crate::cursor::Cursor;
use crate::dispatch::blocking;
use crate::log::{EventLog, Position};
use crate::state::{State, StateError};
use fnctl_config::limits::TRIGGER_GRACE;
use fnctl_config::snapshot::{BucketSource, Change, ObjectKey};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use worker::Worker;

/// What cursors of sources say that they are on, where those of triggers have the broker's uid.
const LOG: &str = "changes";

/// The BucketSources of a node. Clones share them.
#[derive(Clone, Debug)]
pub struct BucketSources {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    log: Arc<dyn EventLog>,
    state: State,
    brokers: Brokers,
    /// Locked during a change.
    running: Mutex<Sources>,
}

#[derive(Debug, Default)]
struct Sources {
    stopped: bool,
    by_key: BTreeMap<ObjectKey, Running>,
    /// Uids of deleted sources whose cursors still hold the log.
    unburied: BTreeSet<String>,
}

#[derive(Debug)]
struct Running {
    source: Arc<BucketSource>,
    status: Arc<StdMutex<Status>>,
    stop: watch::Sender<bool>,
    worker: JoinHandle<()>,
}

impl Running {
    /// Ends the worker, which saves its cursor.
    async fn end(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.worker.await {
            tracing::error!(source = %self.source.key, %error, "the worker of a bucket source panicked");
        }
    }
}

/// Why a source could not be made to run. The platform's fault; it may be applied again.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Its cursor.
    #[error(transparent)]
    State(#[from] StateError),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

impl BucketSources {
    /// Sources on the changes of these buckets, with sinks reached as those of the brokers' triggers are. Forgets sources
    /// that were deleted long ago. Blocks on the file system.
    pub fn open(buckets: &Buckets, brokers: Brokers) -> Result<Self, StateError> {
        let state = buckets.state().clone();
        let grace = i64::try_from(TRIGGER_GRACE.as_millis()).unwrap_or(i64::MAX);
        state.purge(Timestamp::now().as_millisecond().saturating_sub(grace))?;
        let shared = Shared { log: buckets.changes(), state, brokers, running: Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Takes a change over; other kinds are ignored. When it returns, a new source gets every change that is answered
    /// from now on, also after a crash. What failed may be applied again.
    pub async fn apply(&self, change: &Change) -> Result<(), ApplyError> {
        match change {
            Change::BucketSource(source) => self.put(source).await,
            Change::BucketSourceGone(key) => {
                let mut running = self.shared.running.lock().await;
                if let Some(gone) = running.by_key.remove(key) {
                    running.unburied.insert(gone.source.uid.clone());
                    gone.end().await;
                }
                self.bury(&mut running.unburied).await
            }
            Change::Revision(_)
            | Change::RevisionGone(_)
            | Change::Route(_)
            | Change::RouteGone(_)
            | Change::Broker(_)
            | Change::BrokerGone(_)
            | Change::Trigger(_)
            | Change::TriggerGone(_) => Ok(()),
        }
    }

    /// All objects that there are have been applied: sources that are remembered but were not applied were deleted while
    /// the node was down. They let go of the log.
    pub async fn settle(&self) -> Result<(), ApplyError> {
        let running = self.shared.running.lock().await;
        let alive: HashSet<String> = running.by_key.values().map(|running| running.source.uid.clone()).collect();
        let state = self.shared.state.clone();
        Ok(blocking(move || {
            for (uid, record) in state.triggers()? {
                if !alive.contains(&uid) && record.deleted_at_ms.is_none() {
                    state.bury(&uid, Timestamp::now().as_millisecond())?;
                }
            }
            Ok(())
        })
        .await?)
    }

    /// Where each source stands, in order of the keys.
    pub async fn status(&self) -> Vec<(ObjectKey, Status)> {
        let running = self.shared.running.lock().await;
        let status = |one: &Running| one.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        running.by_key.iter().map(|(key, one)| (key.clone(), status(one))).collect()
    }

    /// Stops all sources: deliveries in flight end, cursors are saved. None can be applied any more.
    pub async fn drain(&self) {
        let mut running = self.shared.running.lock().await;
        running.stopped = true;
        let ending = std::mem::take(&mut running.by_key).into_values().map(Running::end);
        futures::future::join_all(ending).await;
    }

    /// The first change that a source still waits for, saved or running; the log's end where there is none. What is
    /// before it may go.
    pub(crate) async fn keep_from(&self) -> Result<Vec<Position>, StateError> {
        let next = self.shared.log.next().borrow().clone();
        let state = self.shared.state.clone();
        blocking(move || {
            let known = state.triggers()?.into_iter().filter(|(_, record)| record.deleted_at_ms.is_none());
            let low = known.flat_map(|(_, record)| record.cursor.low()).min();
            Ok(low.map_or(next, |low| vec![low]))
        })
        .await
    }

    async fn put(&self, source: &Arc<BucketSource>) -> Result<(), ApplyError> {
        let mut running = self.shared.running.lock().await;
        if running.stopped {
            return Err(ApplyError::Stopping);
        }
        match running.by_key.get(&source.key) {
            Some(known) if known.source == *source => return Ok(()),
            Some(_) | None => {}
        }
        if let Some(before) = running.by_key.remove(&source.key) {
            if before.source.uid != source.uid {
                running.unburied.insert(before.source.uid.clone());
            }
            before.end().await;
        }
        self.bury(&mut running.unburied).await?;
        let cursor = self.take(source).await?;
        let status = Arc::new(StdMutex::new(Status::default()));
        let stop = watch::Sender::new(false);
        let worker = Worker {
            source: Arc::clone(source),
            log: Arc::clone(&self.shared.log),
            state: self.shared.state.clone(),
            brokers: self.shared.brokers.clone(),
            status: Arc::clone(&status),
            epoch: cursor.1,
        };
        let worker = tokio::spawn(worker.run(cursor.0, stop.subscribe()));
        running.by_key.insert(source.key.clone(), Running { source: Arc::clone(source), status, stop, worker });
        Ok(())
    }

    /// The source's cursor and the epoch that it is owned under. A new source begins now.
    async fn take(&self, source: &BucketSource) -> Result<(Cursor, u64), StateError> {
        let (start, next) = (self.shared.log.start(), self.shared.log.next().borrow().clone());
        let (state, uid, now) = (self.shared.state.clone(), source.uid.clone(), next.clone());
        let mut record = blocking(move || state.take(&uid, LOG, &now)).await?;
        let beyond = record.cursor.clamp(&next);
        if !beyond.is_empty() {
            tracing::error!(source = %source.key, ?beyond, "the cursor was beyond the end of the change log");
        }
        record.cursor.advance_to(&start);
        Ok((record.cursor, record.epoch))
    }

    /// Lets deleted sources go of the log.
    async fn bury(&self, uids: &mut BTreeSet<String>) -> Result<(), ApplyError> {
        while let Some(uid) = uids.first().cloned() {
            let (state, buried) = (self.shared.state.clone(), uid.clone());
            blocking(move || state.bury(&buried, Timestamp::now().as_millisecond())).await?;
            uids.remove(&uid);
        }
        Ok(())
    }
}
