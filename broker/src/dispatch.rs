//! Brings the events of one broker to its triggers: one reader of the log for all of them, one lane each.
//!
//! ```text
//!   log ──▶ reader ──▶ index ──▶ lane ──▶ attempt ──▶ deliver
//!             │                   ▲ │        │
//!             └─ a slow lane      │ └────────┴─▶ state, ledger, parked, log (replies)
//!                reads by itself ─┘
//! ```
//! The lanes decide and this shell acts. A lane without room leaves the shared reader and catches up at its own pace, so
//! a slow subscriber holds nobody else up.

mod attempt;
mod lane;
mod read;

pub use lane::Depth;

pub(crate) use attempt::{Stores, Subscription, redrive};

use crate::cursor::Cursor;
use crate::index::Index;
use crate::ledger::Verdict;
use crate::log::Position;
use crate::state::{CursorSave, Retry, StateError};
use attempt::Finished;
use fnctl_config::limits::{
    CURSOR_FLUSH_ACKS, CURSOR_FLUSH_INTERVAL, DISPATCH_COMMANDS_MAX, DRAIN_TIMEOUT, RETENTION_INTERVAL,
};
use fnctl_config::snapshot::Destination;
use jiff::Timestamp;
use lane::{Ended, Lane, Order};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

/// What the dispatcher can be told. Sent through a bounded channel: the sender waits for room.
#[derive(Debug)]
pub(crate) enum Command {
    /// A trigger that was not here; its cursor is taken and durable.
    Attach { subscription: Subscription, epoch: u64, cursor: Cursor, retries: Vec<Retry> },
    /// The trigger changed. Answers where the new filter begins to decide.
    Update { subscription: Subscription, begins: oneshot::Sender<Vec<Position>> },
    /// The trigger is gone: nothing more is started for it.
    Detach { uid: String },
    /// How much each trigger holds, by uid.
    Depths { answer: oneshot::Sender<Vec<(String, Status)>> },
}

/// Where a trigger stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it holds.
    pub depth: Depth,
    /// The first positions that are not done.
    pub low: Vec<Position>,
    /// How it reads.
    pub pace: Pace,
}

/// How a trigger reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// With all the others, at the end of the log.
    Following,
    /// By itself, further back.
    CatchingUp,
}

/// Counts of what became of deliveries since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts([AtomicU64; 6]);

impl Counts {
    fn count(&self, verdict: Verdict) {
        self.add(verdict, 1);
    }

    fn add(&self, verdict: Verdict, times: u64) {
        self.0[place(verdict)].fetch_add(times, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, verdict: Verdict) -> u64 {
        self.0[place(verdict)].load(Ordering::Relaxed)
    }
}

fn place(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Delivered => 0,
        Verdict::Retrying => 1,
        Verdict::DeadLettered => 2,
        Verdict::Parked => 3,
        Verdict::Expired => 4,
        Verdict::Redriven => 5,
    }
}

/// The dispatcher of one broker.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    stores: Stores,
    commands: mpsc::Receiver<Command>,
    triggers: HashMap<String, Attached>,
    index: Option<Index<String>>,
    /// How far the shared reader is, per partition.
    shared: Vec<Position>,
    tasks: JoinSet<Task>,
    /// Triggers that may have something to start.
    touched: BTreeSet<String>,
    /// Triggers behind the shared reader, in turn.
    behind: VecDeque<String>,
    due: BinaryHeap<Reverse<(Instant, String)>>,
    acks: usize,
    save: Save,
}

#[derive(Debug)]
struct Attached {
    subscription: Subscription,
    epoch: u64,
    lane: Lane,
    pace: Pace,
    due: Option<Instant>,
}

impl Attached {
    /// What the shared reader has read and was not offered to a trigger that follows it is not for that trigger.
    fn keep_up(&mut self, shared: &[Position]) {
        if self.pace == Pace::Following {
            shared.iter().for_each(|position| self.lane.pass(*position));
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Save {
    Idle,
    UnderWay,
}

/// How a task of the dispatcher ended.
#[derive(Debug)]
enum Task {
    Attempt(Finished),
    Saved { failed: Vec<(String, Vec<Position>)> },
    Trimmed { start: Vec<Position> },
}

impl Dispatcher {
    /// A dispatcher without triggers, and the way to talk to it.
    pub(crate) fn new(stores: Stores) -> (Self, mpsc::Sender<Command>) {
        let (sender, commands) = mpsc::channel(DISPATCH_COMMANDS_MAX);
        let shared = read::begin(&stores);
        let dispatcher = Self {
            stores,
            commands,
            triggers: HashMap::new(),
            index: None,
            shared,
            tasks: JoinSet::new(),
            touched: BTreeSet::new(),
            behind: VecDeque::new(),
            due: BinaryHeap::new(),
            acks: 0,
            save: Save::Idle,
        };
        (dispatcher, sender)
    }

    /// Works until `stop` says so, then lets deliveries in flight end and saves the cursors.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut appended = self.stores.log.next();
        let mut save = ticks(CURSOR_FLUSH_INTERVAL);
        let mut trim = ticks(RETENTION_INTERVAL);
        loop {
            let more = self.read().await;
            self.start(Instant::now());
            let due = self.due.peek().map(|Reverse((at, _))| *at);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(command) = self.commands.recv() => self.command(command),
                Some(task) = self.tasks.join_next() => self.ended(task),
                () = until(due) => self.wake(Instant::now()),
                _ = save.tick() => self.save(),
                _ = trim.tick() => self.trim(),
                () = std::future::ready(()), if more == read::More::Now => {}
                changed = appended.changed() => if changed.is_err() { break },
            }
            while let Some(task) = self.tasks.try_join_next() {
                self.ended(task);
            }
            if self.acks >= CURSOR_FLUSH_ACKS {
                self.save();
            }
        }
        self.drain().await;
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Attach { subscription, epoch, cursor, retries } => {
                self.attach(subscription, epoch, cursor, retries)
            }
            Command::Update { subscription, begins } => {
                let uid = subscription.trigger.uid.clone();
                if let Some(attached) = self.triggers.get_mut(&uid) {
                    attached.keep_up(&self.shared);
                    attached.lane.set_order(order(&subscription));
                    attached.subscription = subscription;
                    self.index = None;
                    self.touched.insert(uid);
                    // The caller may have gone; then nobody needs the answer.
                    let _ = begins.send(attached.lane.scanned().to_vec());
                }
            }
            Command::Detach { uid } => {
                self.triggers.remove(&uid);
                self.behind.retain(|behind| *behind != uid);
                self.index = None;
            }
            Command::Depths { answer } => {
                let status = |attached: &Attached| Status {
                    depth: attached.lane.depth(),
                    low: attached.lane.cursor().low(),
                    pace: attached.pace,
                };
                // As above.
                let _ =
                    answer.send(self.triggers.iter().map(|(uid, attached)| (uid.clone(), status(attached))).collect());
            }
        }
    }

    fn attach(&mut self, subscription: Subscription, epoch: u64, mut cursor: Cursor, retries: Vec<Retry>) {
        let uid = subscription.trigger.uid.clone();
        let beyond = cursor.clamp(&self.stores.log.next().borrow());
        if !beyond.is_empty() {
            tracing::error!(trigger = %subscription.trigger.key, ?beyond, "the cursor is beyond the end of the log: events were lost");
        }
        cursor.advance_to(&self.stores.log.start());
        let (now, now_ms) = (Instant::now(), Timestamp::now().as_millisecond());
        let due = |retry: &Retry| now + Duration::from_millis(u64::try_from(retry.next_at_ms - now_ms).unwrap_or(0));
        let saved = retries.into_iter().map(|retry| (due(&retry), retry)).map(|(due, retry)| (retry, due)).collect();
        let lane = Lane::new(order(&subscription), cursor, saved);
        let pace = self.pace_of(&lane);
        if pace == Pace::CatchingUp {
            self.behind.push_back(uid.clone());
        }
        self.triggers.insert(uid, Attached { subscription, epoch, lane, pace, due: None });
        self.index = None;
    }

    fn pace_of(&self, lane: &Lane) -> Pace {
        let is_behind = self.shared.iter().any(|shared| {
            let scanned = lane.scanned().iter().find(|at| at.partition() == shared.partition());
            scanned.is_none_or(|scanned| scanned < shared)
        });
        if is_behind { Pace::CatchingUp } else { Pace::Following }
    }

    /// Starts what the touched triggers have ready.
    fn start(&mut self, now: Instant) {
        for uid in std::mem::take(&mut self.touched) {
            let Some(attached) = self.triggers.get_mut(&uid) else { continue };
            for item in attached.lane.start(now) {
                let job = attempt::attempt(self.stores.clone(), attached.subscription.clone(), item);
                self.tasks.spawn(async move { Task::Attempt(job.await) });
            }
            let due = attached.lane.next_due();
            if due != attached.due {
                attached.due = due;
                self.due.extend(due.map(|at| Reverse((at, uid))));
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        while self.due.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((at, uid))) = self.due.pop() else { break };
            if let Some(attached) = self.triggers.get_mut(&uid) {
                if attached.due == Some(at) {
                    attached.due = None;
                }
                self.touched.insert(uid);
            }
        }
    }

    fn ended(&mut self, task: Result<Task, tokio::task::JoinError>) {
        match task {
            Ok(Task::Attempt(Finished { trigger_uid, position, ended })) => {
                if let Some(attached) = self.triggers.get_mut(&trigger_uid) {
                    self.acks += usize::from(matches!(ended, Ended::Settled));
                    attached.lane.ended(position, ended);
                    self.touched.insert(trigger_uid);
                }
            }
            Ok(Task::Saved { failed }) => {
                self.save = Save::Idle;
                for (uid, settled) in failed {
                    if let Some(attached) = self.triggers.get_mut(&uid) {
                        attached.lane.save_again(settled);
                    }
                }
            }
            Ok(Task::Trimmed { start }) => self.expire(&start),
            // The event stays in flight until the node starts again: it is not lost, and not tried in a circle.
            Err(error) => tracing::error!(error = %error, "a task of the dispatcher failed"),
        }
    }

    /// Saves the cursors that moved; one save at a time.
    fn save(&mut self) {
        if self.save == Save::UnderWay {
            return;
        }
        self.acks = 0;
        let mut saves = Vec::new();
        let mut settled = Vec::new();
        for (uid, attached) in &mut self.triggers {
            attached.keep_up(&self.shared);
            if let Some((cursor, done)) = attached.lane.unsaved() {
                saves.push(CursorSave { trigger: uid.clone(), epoch: attached.epoch, cursor });
                settled.push((uid.clone(), done));
            }
        }
        if saves.is_empty() {
            return;
        }
        self.save = Save::UnderWay;
        let stores = self.stores.clone();
        self.tasks.spawn(async move { save(stores, saves, settled).await });
    }

    fn trim(&mut self) {
        let stores = self.stores.clone();
        self.tasks.spawn(async move { Task::Trimmed { start: read::trim(&stores).await } });
    }

    /// The log dropped everything before `start`. What it dropped unseen is gone for its triggers, and is counted: whether
    /// their filters wanted it nobody knows any more.
    fn expire(&mut self, start: &[Position]) {
        for attached in self.triggers.values_mut() {
            attached.keep_up(&self.shared);
            let unseen = attached.lane.expire(start);
            if unseen > 0 {
                let trigger = &attached.subscription.trigger.key;
                tracing::warn!(%trigger, events = unseen, "the retention dropped events before the trigger came to them");
                self.stores.counts.add(Verdict::Expired, unseen);
            }
        }
    }

    async fn drain(mut self) {
        let ended = timeout(DRAIN_TIMEOUT, async {
            while let Some(task) = self.tasks.join_next().await {
                self.ended(task);
            }
        });
        if ended.await.is_err() {
            tracing::warn!(
                deliveries = self.tasks.len(),
                "deliveries still in flight are delivered again after the next start"
            );
            self.tasks.shutdown().await;
            self.save = Save::Idle;
        }
        self.save();
        while let Some(task) = self.tasks.join_next().await {
            self.ended(task);
        }
    }
}

async fn save(stores: Stores, saves: Vec<CursorSave>, settled: Vec<(String, Vec<Position>)>) -> Task {
    let done: Vec<_> =
        settled.iter().flat_map(|(uid, positions)| positions.iter().map(move |at| (uid.clone(), *at))).collect();
    let (state, ledger) = (stores.state.clone(), stores.ledger.clone());
    let saved = blocking(move || {
        if let Err(error) = ledger.flush() {
            tracing::warn!(error = %error, "ledger not written");
        }
        state.flush(&saves, &done)
    });
    match saved.await {
        Ok(refused) => {
            for uid in refused {
                tracing::warn!(trigger = uid, "the cursor belongs to another owner now");
            }
            Task::Saved { failed: Vec::new() }
        }
        Err(error) => {
            tracing::error!(error = %error, "cursors not saved, trying again");
            Task::Saved { failed: settled }
        }
    }
}

/// Runs what blocks on the file system where it holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StateError> + Send + 'static,
) -> Result<T, StateError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => Err(StateError::Interrupted(error.to_string())),
    }
}

/// A destination as people read it.
pub(crate) fn address_of(destination: &Destination) -> String {
    match destination {
        Destination::Function { key, path } => format!("http://{}.{}.svc.cluster.local{path}", key.name, key.namespace),
        Destination::Broker { key } => fnctl_config::address::broker_path(key),
        Destination::Uri { uri, .. } => uri.clone(),
    }
}

fn order(subscription: &Subscription) -> Order {
    if subscription.trigger.ordered { Order::ByKey } else { Order::Unordered }
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
