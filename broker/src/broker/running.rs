//! One broker that runs: its log, its ledger, its dispatcher.

use super::{ApplyError, LogChoice, Shared};
use crate::dispatch::{Command, Counts, Dispatcher, Status, Stores, Subscription, blocking};
use crate::ledger::{Ledger, Verdict};
use crate::log::memory::MemoryLog;
use crate::log::segment::{self, SegmentLog};
use crate::log::{EventLog, Position};
use crate::state::Generation;
use crate::why::Notes;
use fnctl_config::limits::DELIVERY_DISK_TURNS_MAX;
use fnctl_config::snapshot::{Broker, ObjectKey};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

#[derive(Debug)]
pub(super) struct Running {
    broker: Mutex<Arc<Broker>>,
    pub(super) stores: Stores,
    segments: Option<Arc<SegmentLog>>,
    commands: mpsc::Sender<Command>,
    /// Attached triggers by uid.
    names: Mutex<BTreeMap<String, Subscription>>,
    stop: watch::Sender<bool>,
    dispatcher: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// Numbers of one broker, since its start where they are counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// The broker.
    pub broker: ObjectKey,
    /// Deliveries that subscribers took.
    pub delivered: u64,
    /// Attempts that failed and were followed by another.
    pub retried: u64,
    /// Events given to a dead-letter sink.
    pub dead_lettered: u64,
    /// Events parked.
    pub parked: u64,
    /// Events that were gone before a trigger could look at them or try them again, for each such trigger.
    pub expired: u64,
    /// Of the log, where it is in files.
    pub log: Option<segment::Stats>,
    /// Damaged files and ranges of it, as its start found them.
    pub damaged: usize,
    /// Where each trigger stands.
    pub triggers: Vec<(ObjectKey, Status)>,
}

impl Running {
    pub(super) async fn open(shared: &Shared, broker: &Arc<Broker>) -> Result<Self, ApplyError> {
        let (state, uid) = (shared.state.clone(), broker.uid.clone());
        blocking(move || state.note_there(&uid)).await?;
        let (log, segments, ledger) = open_files(shared, broker).await?;
        let was_orderly = segments.as_ref().is_none_or(|segments| segments.recovery().clean);
        let unsure_before = if was_orderly { Arc::default() } else { log.next().borrow().clone().into() };
        let stores = Stores {
            broker_uid: broker.uid.clone(),
            log,
            state: shared.state.clone(),
            parked: shared.parked.clone(),
            copies_bytes_max: shared.copies_bytes_max,
            ledger,
            notes: Arc::new(Notes::default()),
            counts: Arc::new(Counts::default()),
            deliver: Arc::clone(&shared.deliver),
            unsure_before,
            turns: Arc::new(Semaphore::new(DELIVERY_DISK_TURNS_MAX)),
        };
        let (dispatcher, commands) = Dispatcher::new(stores.clone());
        let stop = watch::Sender::new(false);
        let mut stopped = stop.subscribe();
        let mut node_stopped = shared.stop.subscribe();
        let own = watch::Sender::new(false);
        let stopping = own.subscribe();
        let dispatcher = tokio::spawn(async move {
            let told = async {
                tokio::select! {
                    _ = stopped.wait_for(|stop| *stop) => {}
                    _ = node_stopped.wait_for(|stop| *stop) => {}
                }
                own.send_replace(true);
            };
            tokio::join!(told, dispatcher.run(stopping));
        });
        Ok(Self {
            broker: Mutex::new(Arc::clone(broker)),
            stores,
            segments,
            commands,
            names: Mutex::default(),
            stop,
            dispatcher: tokio::sync::Mutex::new(Some(dispatcher)),
        })
    }

    pub(super) fn broker(&self) -> Arc<Broker> {
        Arc::clone(&self.broker.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn uid(&self) -> String {
        self.broker().uid.clone()
    }

    pub(super) async fn configure(&self, broker: &Arc<Broker>) {
        *self.broker.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(broker);
        if let Some(segments) = &self.segments
            && let Err(error) = segments.retain(broker.retention.clone()).await
        {
            tracing::warn!(broker = %broker.key, error = %error, "the log keeps its retention");
        }
    }

    pub(super) fn has(&self, uid: &str) -> bool {
        self.names().contains_key(uid)
    }

    /// The subscription of an attached trigger.
    pub(super) fn subscription(&self, uid: &str) -> Option<Subscription> {
        self.names().get(uid).cloned()
    }

    /// Uid and key of the attached triggers.
    pub(super) fn triggers(&self) -> Vec<(String, ObjectKey)> {
        self.names().iter().map(|(uid, known)| (uid.clone(), known.trigger.key.clone())).collect()
    }

    /// Takes the trigger's cursor; a trigger never seen begins now. Durable when it returns.
    pub(super) async fn attach(&self, subscription: Subscription) -> Result<(), ApplyError> {
        let trigger = Arc::clone(&subscription.trigger);
        let (state, broker, start) =
            (self.stores.state.clone(), self.stores.broker_uid.clone(), self.stores.log.next().borrow().clone());
        let (record, retries) = blocking(move || {
            let record = state.take(&trigger.uid, &broker, &start)?;
            let from = record.cursor.low();
            let generation = Generation { generation: trigger.generation, from, filter: trigger.filter.clone() };
            state.begin_generation(&trigger.uid, generation)?;
            Ok((record, state.retries(&trigger.uid)?))
        })
        .await?;
        self.names().insert(subscription.trigger.uid.clone(), subscription.clone());
        self.tell(Command::Attach { subscription, epoch: record.epoch, cursor: record.cursor, retries }).await
    }

    /// The trigger changed: destination and delivery count at once, the filter from where the trigger has read to.
    pub(super) async fn update(&self, subscription: Subscription) -> Result<(), ApplyError> {
        let trigger = Arc::clone(&subscription.trigger);
        self.names().insert(trigger.uid.clone(), subscription.clone());
        let (begins, from) = oneshot::channel();
        self.tell(Command::Update { subscription, begins }).await?;
        let from = from.await.map_err(|_| ApplyError::Stopping)?;
        let state = self.stores.state.clone();
        let generation = Generation { generation: trigger.generation, from, filter: trigger.filter.clone() };
        Ok(blocking(move || state.begin_generation(&trigger.uid, generation)).await?)
    }

    pub(super) async fn detach(&self, uid: &str) {
        self.names().remove(uid);
        // A dispatcher that has ended starts nothing for it either.
        let _ = self.tell(Command::Detach { uid: uid.to_owned() }).await;
    }

    /// Stops dispatching, and closes the log.
    pub(super) async fn end(&self) {
        self.stop.send_replace(true);
        self.stopped().await;
    }

    /// Waits for the dispatcher after it was told to stop, and closes the log.
    pub(super) async fn stopped(&self) {
        if let Some(dispatcher) = self.dispatcher.lock().await.take()
            && let Err(error) = dispatcher.await
        {
            tracing::error!(broker = %self.broker().key, error = %error, "the dispatcher failed");
        }
        if let Some(segments) = &self.segments
            && let Err(error) = segments.close().await
        {
            tracing::warn!(broker = %self.broker().key, error = %error, "the log was not closed in order");
        }
    }

    /// Why its log takes nothing any more, as soon as it does so.
    pub(super) async fn failed(&self) -> String {
        match &self.segments {
            Some(segments) => format!("the event log of broker {}: {}", self.broker().key, segments.failed().await),
            None => std::future::pending().await,
        }
    }

    pub(super) async fn metrics(&self) -> Metrics {
        let (answer, status) = oneshot::channel();
        let status = match self.tell(Command::Depths { answer }).await {
            Ok(()) => status.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let names: BTreeMap<_, _> = self.triggers().into_iter().collect();
        let count = |verdict| self.stores.counts.get(verdict);
        Metrics {
            broker: self.broker().key.clone(),
            delivered: count(Verdict::Delivered),
            retried: count(Verdict::Retrying),
            dead_lettered: count(Verdict::DeadLettered),
            parked: count(Verdict::Parked),
            expired: count(Verdict::Expired),
            log: self.segments.as_ref().map(|segments| segments.stats()),
            damaged: self.segments.as_ref().map_or(0, |segments| segments.recovery().damages()),
            triggers: status.into_iter().filter_map(|(uid, status)| Some((names.get(&uid)?.clone(), status))).collect(),
        }
    }

    /// The next positions of the log, changing with each append.
    pub(super) fn appended(&self) -> watch::Receiver<Vec<Position>> {
        self.stores.log.next()
    }

    async fn tell(&self, command: Command) -> Result<(), ApplyError> {
        self.commands.send(command).await.map_err(|_| ApplyError::Stopping)
    }

    fn names(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Subscription>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Files = (Arc<dyn EventLog>, Option<Arc<SegmentLog>>, Arc<Ledger>);

async fn open_files(shared: &Shared, broker: &Arc<Broker>) -> Result<Files, ApplyError> {
    let (vfs, choice, broker) = (Arc::clone(&shared.vfs), shared.log.clone(), Arc::clone(broker));
    let directory = shared.directory.join(&broker.uid);
    let open = move || {
        let ledger = Ledger::open(&vfs, &directory.join("ledger"))
            .map_err(|source| ApplyError::Ledger { broker: broker.key.clone(), source })?;
        let ledger = Arc::new(ledger);
        let options = match choice {
            LogChoice::Memory => {
                let log = MemoryLog::new(broker.retention.clone());
                return Ok::<Files, ApplyError>((Arc::new(log), None, ledger));
            }
            LogChoice::Segments(options) => options,
        };
        let log = SegmentLog::open(&vfs, &directory.join("log"), &broker.uid, options, broker.retention.clone())
            .map_err(|source| ApplyError::Log { broker: broker.key.clone(), source })?;
        if log.recovery().is_damaged() {
            tracing::error!(broker = %broker.key, recovery = ?log.recovery(), "events were damaged; the others are served");
        }
        let log = Arc::new(log);
        Ok((Arc::clone(&log) as Arc<dyn EventLog>, Some(log), ledger))
    };
    match tokio::task::spawn_blocking(open).await {
        Ok(opened) => opened,
        Err(error) => Err(ApplyError::State(crate::state::StateError::Interrupted(error.to_string()))),
    }
}
