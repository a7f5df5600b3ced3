//! All brokers of a node: what the composition root talks to.
//!
//! Changes come in by [`Brokers::apply`], events by [`Brokers::handle`] (HTTP) and [`Brokers::publish`] (in process),
//! questions by the methods in `broker/inspect.rs` and `broker/dlq.rs`. Work is done by one dispatcher per broker, which
//! [`Brokers::drain`] waits for.

mod dlq;
mod gone;
mod inspect;
mod local;
mod running;

pub use dlq::{DeadLettered, DlqError, DlqQuery, ParkedEvent};
pub use inspect::{End, EventPage, EventQuery, InspectError, Unknown};
pub use running::Metrics;

use crate::deliver::{Deliver, Router};
use crate::dispatch::{Subscription, blocking};
use crate::event::Event;
use crate::ingress::{self, Accepted, Refusals, Refused};
use crate::log::segment;
use crate::parked::Parked;
use crate::state::{State, StateError};
use crate::vfs::Vfs;
use ::http::{Request, Response};
use bytes::Bytes;
use fnctl_config::limits::TRIGGER_GRACE;
use fnctl_config::snapshot::{Broker, Change, ObjectKey, Trigger};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use gone::Left;
use http_body_util::Full;
use jiff::Timestamp;
use running::Running;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};

/// What brokers are made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file system.
    pub vfs: Arc<dyn Vfs>,
    /// Where everything is kept: `state.redb`, and a folder per broker named by its uid.
    pub directory: PathBuf,
    /// How events are kept.
    pub log: LogChoice,
    /// Bytes of events that may be parked: `limits::PARKED_BYTES_MAX` but in tests.
    pub parked_bytes_max: u64,
    /// Bytes of the copies of retrying events: `limits::RETRY_COPIES_BYTES_MAX` but in tests.
    pub copies_bytes_max: u64,
    /// Delivery to functions of this home.
    pub functions: Arc<dyn Deliver>,
    /// Delivery to any other URL: [`crate::deliver::http::HttpDeliver`].
    pub uris: Arc<dyn Deliver>,
}

/// How a broker keeps its events.
#[derive(Clone, Debug)]
pub enum LogChoice {
    /// In segment files: 202 means on disk.
    Segments(segment::Options),
    /// In memory: for tests.
    Memory,
}

/// The brokers of a node. Clones share them.
#[derive(Clone, Debug)]
pub struct Brokers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    log: LogChoice,
    state: State,
    parked: Parked,
    copies_bytes_max: u64,
    refusals: Refusals,
    deliver: Arc<dyn Deliver>,
    running: watch::Sender<BTreeMap<ObjectKey, Arc<Running>>>,
    /// Locked during a change.
    declared: Mutex<Declared>,
    stop: watch::Sender<bool>,
}

/// What was applied, whether or not it runs.
#[derive(Debug, Default)]
struct Declared {
    /// Uids of the brokers.
    brokers: BTreeMap<ObjectKey, String>,
    /// Triggers, whether or not their broker is there.
    triggers: BTreeMap<ObjectKey, Arc<Trigger>>,
    /// Uids of brokers that have ended for good, and whose files are still to be removed.
    ended: BTreeSet<String>,
}

/// Why a broker or a trigger could not be made to run. The platform's fault; it may be applied again.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The log of the broker.
    #[error("broker {broker} cannot be opened")]
    Log {
        /// Which broker.
        broker: ObjectKey,
        /// Why.
        source: segment::OpenError,
    },
    /// The ledger of the broker.
    #[error("the ledger of broker {broker} cannot be opened")]
    Ledger {
        /// Which broker.
        broker: ObjectKey,
        /// Why.
        source: std::io::Error,
    },
    /// Cursors and attempts.
    #[error(transparent)]
    State(#[from] StateError),
    /// The files of a broker that was deleted.
    #[error("what a deleted broker left in {directory} cannot be removed")]
    Remove {
        /// Where it is.
        directory: String,
        /// Why.
        source: std::io::Error,
    },
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

impl Brokers {
    /// Opens what is kept in the directory, and finishes what a crash left of deletions; no broker runs before it is
    /// applied. Blocks on the file system.
    pub fn open(options: Options) -> Result<Self, StateError> {
        let Options { vfs, directory, log, parked_bytes_max, copies_bytes_max, functions, uris } = options;
        let file = directory.join("state.redb");
        vfs.create_directory(&directory)
            .map_err(|source| StateError::File { path: directory.display().to_string(), source })?;
        let state = State::open(&vfs, &file)?;
        let grace = i64::try_from(TRIGGER_GRACE.as_millis()).unwrap_or(i64::MAX);
        state.purge(Timestamp::now().as_millisecond().saturating_sub(grace))?;
        let shared = Arc::new_cyclic(|brokers| Shared {
            vfs,
            directory,
            log,
            parked: Parked::new(&state, parked_bytes_max),
            copies_bytes_max,
            state,
            refusals: Refusals::default(),
            deliver: Arc::new(Router { functions, brokers: Arc::new(local::ToBroker(brokers.clone())), uris }),
            running: watch::Sender::default(),
            declared: Mutex::default(),
            stop: watch::Sender::new(false),
        });
        if let Err(error) = Left::of(&shared).remove_due() {
            tracing::error!(
                error = &error as &dyn Error,
                "what deleted brokers left is kept until another one is deleted"
            );
        }
        Ok(Self { shared })
    }

    /// Takes a change over; kinds that are not the broker's are ignored. When it returns, a new broker takes events, and
    /// a new trigger gets every event accepted from now on, also after a crash. What failed may be applied again.
    pub async fn apply(&self, change: &Change) -> Result<(), ApplyError> {
        let mut declared = self.shared.declared.lock().await;
        match change {
            Change::Broker(broker) => {
                let before = declared.brokers.insert(broker.key.clone(), broker.uid.clone());
                declared.ended.extend(before.filter(|before| *before != broker.uid));
                self.put_broker(broker, &declared.triggers).await?;
                self.clear(&mut declared).await
            }
            Change::BrokerGone(key) => {
                let gone = declared.brokers.remove(key);
                declared.ended.extend(gone);
                self.stop_broker(key).await;
                self.clear(&mut declared).await
            }
            Change::Trigger(trigger) => {
                let triggers = &mut declared.triggers;
                let is_another = |before: &&Arc<Trigger>| before.uid != trigger.uid || before.broker != trigger.broker;
                if let Some(before) = triggers.get(&trigger.key).filter(is_another).cloned() {
                    self.remove_trigger(&before).await?;
                }
                triggers.insert(trigger.key.clone(), Arc::clone(trigger));
                self.put_trigger(trigger).await
            }
            Change::TriggerGone(key) => {
                let Some(trigger) = declared.triggers.get(key).cloned() else { return Ok(()) };
                self.remove_trigger(&trigger).await?;
                declared.triggers.remove(key);
                Ok(())
            }
            Change::Revision(_)
            | Change::RevisionGone(_)
            | Change::Route(_)
            | Change::RouteGone(_)
            | Change::BucketSource(_)
            | Change::BucketSourceGone(_) => Ok(()),
        }
    }

    /// All objects that there are have been applied: triggers that are remembered but were not applied were deleted
    /// while the node was down. They let go of the log. `stored` are the uids of all brokers that there are, also of those
    /// that could not be applied: files of others are kept for a while, and then removed.
    pub async fn settle(&self, stored: BTreeSet<String>) -> Result<(), ApplyError> {
        let declared = self.shared.declared.lock().await;
        let alive: HashSet<String> = declared.triggers.values().map(|trigger| trigger.uid.clone()).collect();
        let state = self.shared.state.clone();
        blocking(move || {
            for (uid, record) in state.triggers()? {
                if !alive.contains(&uid) && record.deleted_at_ms.is_none() {
                    state.bury(&uid, Timestamp::now().as_millisecond())?;
                }
            }
            Ok(())
        })
        .await?;
        self.note_orphans(stored).await
    }

    /// Answers an HTTP request to a broker.
    pub async fn handle<B>(&self, broker: &ObjectKey, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let running = self.shared.running(broker);
        let log = running.as_ref().map(|running| &*running.stores.log);
        ingress::handle(broker, log, &self.shared.refusals, request).await
    }

    /// Appends events in process, all or none: for sources. `Ok` means that they survive a power cut.
    pub async fn publish(&self, broker: &ObjectKey, events: Vec<Event>) -> Result<Vec<Accepted>, Refused> {
        self.shared.publish(broker, events).await
    }

    /// The way to every kind of sink: for sources.
    pub(crate) fn router(&self) -> Arc<dyn Deliver> {
        Arc::clone(&self.shared.deliver)
    }

    /// Whether the broker is there and takes events.
    pub fn is_running(&self, broker: &ObjectKey) -> bool {
        self.shared.running(broker).is_some()
    }

    /// Waits until a store takes nothing any more, and answers which one and why. Then the node should stop: only a start
    /// helps. A full disk is no such reason.
    pub async fn failed(&self) -> String {
        let mut running = self.shared.running.subscribe();
        let a_log = async {
            loop {
                let logs: Vec<_> = running.borrow_and_update().values().cloned().collect();
                let mut failed: FuturesUnordered<_> = logs.iter().map(|running| running.failed()).collect();
                tokio::select! {
                    Some(said) = failed.next() => return said,
                    _ = running.changed() => {}
                }
            }
        };
        tokio::select! {
            said = a_log => said,
            reason = self.shared.state.failed() => format!("the brokers' state: {reason}"),
        }
    }

    /// Numbers of every broker that runs, in order of the keys.
    pub async fn metrics(&self) -> Vec<Metrics> {
        let running: Vec<_> = self.shared.all().into_iter().collect();
        let mut metrics = Vec::with_capacity(running.len());
        for running in running {
            metrics.push(running.metrics().await);
        }
        metrics
    }

    /// Runs until `shutdown` is ready, then drains.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        self.drain().await;
    }

    /// Stops dispatching: deliveries in flight end, cursors are saved, logs are closed. Brokers take nothing any more.
    pub async fn drain(&self) {
        let _no_changes = self.shared.declared.lock().await;
        self.shared.stop.send_replace(true);
        let running = self.shared.running.send_replace(BTreeMap::new());
        futures::future::join_all(running.values().map(|running| running.stopped())).await;
    }

    async fn put_broker(
        &self,
        broker: &Arc<Broker>,
        triggers: &BTreeMap<ObjectKey, Arc<Trigger>>,
    ) -> Result<(), ApplyError> {
        if *self.shared.stop.borrow() {
            return Err(ApplyError::Stopping);
        }
        let own = || triggers.values().filter(|trigger| trigger.broker == broker.key);
        match self.shared.running(&broker.key) {
            Some(running) if running.uid() == broker.uid => {
                running.configure(broker).await;
                for trigger in own().filter(|trigger| trigger.delivery.is_none()) {
                    running.update(subscription(trigger, broker)).await?;
                }
                return Ok(());
            }
            Some(_) => self.stop_broker(&broker.key).await,
            None => {}
        }
        let running = Arc::new(Running::open(&self.shared, broker).await?);
        for trigger in own() {
            if let Err(error) = running.attach(subscription(trigger, broker)).await {
                // Nothing may hold the log where it is opened again.
                running.end().await;
                return Err(error);
            }
        }
        self.shared.running.send_modify(|known| drop(known.insert(broker.key.clone(), running)));
        Ok(())
    }

    async fn stop_broker(&self, key: &ObjectKey) {
        let mut gone = None;
        self.shared.running.send_modify(|known| gone = known.remove(key));
        if let Some(running) = gone {
            running.end().await;
        }
    }

    async fn put_trigger(&self, trigger: &Arc<Trigger>) -> Result<(), ApplyError> {
        let Some(running) = self.shared.running(&trigger.broker) else { return Ok(()) };
        let subscription = subscription(trigger, &running.broker());
        match running.has(&trigger.uid) {
            true => running.update(subscription).await,
            false => running.attach(subscription).await,
        }
    }

    async fn remove_trigger(&self, trigger: &Trigger) -> Result<(), ApplyError> {
        if let Some(running) = self.shared.running(&trigger.broker) {
            running.detach(&trigger.uid).await;
        }
        let (state, uid) = (self.shared.state.clone(), trigger.uid.clone());
        blocking(move || state.bury(&uid, Timestamp::now().as_millisecond())).await?;
        Ok(())
    }
}

impl Shared {
    fn running(&self, key: &ObjectKey) -> Option<Arc<Running>> {
        self.running.borrow().get(key).cloned()
    }

    fn all(&self) -> Vec<Arc<Running>> {
        self.running.borrow().values().cloned().collect()
    }

    async fn publish(&self, broker: &ObjectKey, events: Vec<Event>) -> Result<Vec<Accepted>, Refused> {
        let running = self.running(broker).ok_or_else(|| Refused::UnknownBroker(broker.clone()))?;
        ingress::accept(&*running.stores.log, events, Timestamp::now()).await
    }
}

/// A trigger's own delivery replaces the broker's as a whole.
fn subscription(trigger: &Arc<Trigger>, broker: &Broker) -> Subscription {
    let delivery = trigger.delivery.clone().unwrap_or_else(|| broker.delivery.clone());
    Subscription { trigger: Arc::clone(trigger), delivery: Arc::new(delivery) }
}

#[cfg(test)]
mod tests;
