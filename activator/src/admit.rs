//! Admission: a request calls at once, or waits in order of arrival, or is told why not.
//!
//! `floor` decides for the whole node as one value behind one lock; it is held for the time of a few loads and stores,
//! twice per request. Here is what it decides about: futures, timers, the start of instances.
//!
//! What happens to those who wait: a revision that is replaced serves them, in their order; one that is gone, one that
//! cannot start, or a node that stops tells them so; who gives up leaves at once and is counted no more.

mod floor;
mod queue;

use crate::meter::{Sample, Totals, Traffic};
use crate::provider::Instances;
use crate::respond::{Reason, Refusal};
use floor::{Arrival, Bounds, Floor, Grant, Id, Refused, Request, Standing, Start};
use fnctl_config::limits;
use fnctl_config::snapshot::{ObjectKey, Revision};
use http::HeaderValue;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

pub use floor::{Busy, State};

/// Told the key of a revision that is asked for at zero. Called in the request's task: it must not block.
pub type Poke = Arc<dyn Fn(&ObjectKey) + Send + Sync>;

/// How long a request may wait to be admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// As long as the node allows: [`limits::QUEUE_WAIT_MAX`].
    Wait,
    /// Until then, and no longer than the node allows.
    WaitUntil(Instant),
    /// Not at all. A revision at zero is woken for the next try.
    Now,
}

/// Whether an arrival may be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Wait,
    Now,
}

/// Limits of admission; the defaults are those of [`limits`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls at once on the node.
    pub calls: u32,
    /// Requests waiting per revision.
    pub queue_requests: usize,
    /// Bytes of waiting requests per revision.
    pub queue_bytes: u64,
    /// Longest wait.
    pub queue_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: limits::INSTANCES_MAX,
            queue_requests: limits::QUEUE_REQUESTS_MAX,
            queue_bytes: limits::QUEUE_BYTES_MAX,
            queue_wait: limits::QUEUE_WAIT_MAX,
        }
    }
}

/// What serves a revision: the instances, and the revision as they know it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) revision: Arc<Revision>,
    pub(crate) instances: Arc<dyn Instances>,
    /// The revision's name, for the answer's header.
    pub(crate) name: HeaderValue,
}

impl Live {
    pub(crate) fn new(revision: Arc<Revision>, instances: Arc<dyn Instances>) -> Arc<Self> {
        let name = HeaderValue::from_str(&revision.key.name).unwrap_or_else(|_| HeaderValue::from_static(""));
        Arc::new(Self { revision, instances, name })
    }

    /// The port promises at least one; a queue must not depend on it.
    fn capacity(&self) -> u32 {
        self.instances.capacity().max(1)
    }
}

/// The node's door.
pub(crate) struct Gate {
    floor: Mutex<Floor<Arc<Live>, Told>>,
    poke: Option<Poke>,
    queue_wait: Duration,
    /// Starts in progress. They are no part of a request: the request that asked may leave before.
    starts: Mutex<JoinSet<()>>,
}

/// How a waiting request is told. It keeps the entry, and so the entry's id, alive.
#[derive(Debug)]
struct Told {
    entry: Arc<Entry>,
    sender: oneshot::Sender<Result<Permit, Refusal>>,
}

/// One revision at the door. Its id is valid as long as it lives.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: ObjectKey,
    id: Id,
    gate: Arc<Gate>,
    /// Made by the first request: most revisions of a big node never see one.
    totals: OnceLock<Box<Totals>>,
}

/// One admitted call. Dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Permit {
    entry: Arc<Entry>,
    grant: Grant<Arc<Live>>,
}

impl Permit {
    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.grant.live
    }

    /// Time waited for room.
    pub(crate) fn queued(&self) -> Duration {
        self.grant.queued
    }

    /// Time waited for the revision to leave zero.
    pub(crate) fn activated(&self) -> Duration {
        self.grant.activated
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let capacity = self.grant.live.capacity();
        let ended = (self.grant.generation, self.grant.traffic);
        let effects = self.entry.gate.floor().end(self.entry.id, ended, capacity, now());
        admit_all(effects.admitted);
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("queue_wait", &self.queue_wait).finish_non_exhaustive()
    }
}

impl Gate {
    pub(crate) fn new(limits: &Limits, poke: Option<Poke>) -> Arc<Self> {
        let bounds = Bounds {
            calls: limits.calls,
            queue_requests: limits.queue_requests,
            queue_bytes: limits.queue_bytes,
            retry_delay: fnctl_config::limits::START_RETRY_DELAY,
        };
        let (floor, starts) = (Mutex::new(Floor::new(bounds)), Mutex::new(JoinSet::new()));
        Arc::new(Self { floor, poke, queue_wait: limits.queue_wait, starts })
    }

    pub(crate) fn add(self: &Arc<Self>, live: Arc<Live>) -> Arc<Entry> {
        let key = live.revision.key.clone();
        let id = self.floor().add(live, now());
        Arc::new(Entry { key, id, gate: self.clone(), totals: OnceLock::new() })
    }

    /// Everybody who waits is told that the node stops, and nobody gets in any more.
    pub(crate) fn close(&self) {
        let told = self.floor().close(now());
        let refusal = Refusal::new(Reason::Draining, "the node stops");
        refuse_all(told, &refusal);
    }

    /// Ends starts in progress and waits for their tasks.
    pub(crate) async fn join_starts(&self) {
        let mut starts = std::mem::take(&mut *self.starts.lock().unwrap_or_else(PoisonError::into_inner));
        starts.shutdown().await;
    }

    fn floor(&self) -> MutexGuard<'_, Floor<Arc<Live>, Told>> {
        // Poisoned only by a panic in `floor`, whose steps leave it whole.
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    pub(crate) fn totals(&self) -> &Totals {
        self.totals.get_or_init(Box::default)
    }

    /// The totals if there was a request at all.
    pub(crate) fn totals_if_any(&self) -> Option<&Totals> {
        self.totals.get().map(AsRef::as_ref)
    }

    /// Takes a request in. `bytes` is what it would hold while it waits. Ready at once if there is room.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        bytes: u64,
        traffic: Traffic,
        admission: Admission,
    ) -> Result<Permit, Refusal> {
        let patience = if admission == Admission::Now { Patience::Now } else { Patience::Wait };
        let request = Request { bytes, traffic, patience };
        let mut receiver = None;
        let arrival = self.gate.floor().arrive(self.id, request, now(), || {
            let (sender, told) = oneshot::channel();
            receiver = Some(told);
            Told { entry: self.clone(), sender }
        });
        match (arrival, receiver) {
            (Arrival::Admitted(grant), _) => Ok(Permit { entry: self.clone(), grant }),
            (Arrival::Queued { ticket, start }, Some(told)) => {
                let waiting = Waiting { entry: self, ticket, told };
                self.asked(start);
                waiting.until(admission).await
            }
            (Arrival::Refused { why, start }, _) => {
                self.asked(start);
                Err(self.refusal(why))
            }
            (Arrival::Queued { .. }, None) => Err(self.refusal(Refused::Closed)),
        }
    }

    /// Leaves zero with nobody waiting. `false` if it is not at zero.
    pub(crate) fn wake(self: &Arc<Self>) -> bool {
        let start = self.gate.floor().wake(self.id, now());
        let begun = start.is_some();
        self.begin(start);
        begun
    }

    /// Back to zero, if nobody is there.
    pub(crate) fn stop(self: &Arc<Self>) -> Result<(), Busy> {
        let stop = self.gate.floor().stop(self.id, now())?;
        if let Some(Start { live, generation }) = stop {
            live.instances.stop();
            let start = self.gate.floor().stopped(self.id, generation, now());
            self.begin(start);
        }
        Ok(())
    }

    /// Another value serves the revision from now on.
    pub(crate) fn replace(self: &Arc<Self>, live: Arc<Live>) {
        // The older value is dropped after the lock: it may hold a lot.
        let (_older, start) = self.gate.floor().replace(self.id, live, now());
        self.begin(start);
    }

    /// The revision is gone.
    pub(crate) fn retire(&self) {
        let told = self.gate.floor().retire(self.id, now());
        refuse_all(told, &self.refusal(Refused::Gone));
    }

    pub(crate) fn sample(&self) -> Sample {
        self.gate.floor().sample(self.id, now())
    }

    pub(crate) fn standing(&self) -> Standing {
        self.gate.floor().standing(self.id)
    }

    /// Somebody asked for a revision; if that makes it start, the scaler hears of it at once.
    fn asked(self: &Arc<Self>, start: Option<Start<Arc<Live>>>) {
        if start.is_none() {
            return;
        }
        self.begin(start);
        if let Some(poke) = &self.gate.poke {
            poke(&self.key);
        }
    }

    /// Starts instances in a task of the gate's; whatever becomes of it is reported.
    fn begin(self: &Arc<Self>, start: Option<Start<Arc<Live>>>) {
        let Some(start) = start else { return };
        let starting = Starting { entry: self.clone(), start, begun: Instant::now(), reported: false };
        let mut starts = self.gate.starts.lock().unwrap_or_else(PoisonError::into_inner);
        while starts.try_join_next().is_some() {}
        starts.spawn(starting.run());
    }

    fn refusal(&self, why: Refused) -> Refusal {
        let key = &self.key;
        match why {
            Refused::QueueFull => Refusal::new(Reason::QueueFull, format!("too many requests wait for revision {key}")),
            Refused::NoRoom => Refusal::new(Reason::NoRoom, format!("revision {key} has no room now")),
            Refused::Failed(reason) => Refusal::new(Reason::StartFailed, format!("revision {key}: {reason}")),
            Refused::Gone => Refusal::new(Reason::RevisionGone, format!("revision {key} was deleted")),
            Refused::Closed => Refusal::new(Reason::Draining, "the node stops"),
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let live = self.gate.floor().remove(self.id);
        drop(live); // after the lock
    }
}

/// A start in progress. Dropped before its end, it reports a failure, so that nobody waits for ever.
struct Starting {
    entry: Arc<Entry>,
    start: Start<Arc<Live>>,
    begun: Instant,
    reported: bool,
}

impl Starting {
    async fn run(mut self) {
        let live = self.start.live.clone();
        match live.instances.start().await {
            Ok(()) => {
                self.reported = true;
                self.entry.totals().started(self.begun.elapsed());
                let capacity = live.capacity();
                let effects = self.entry.gate.floor().started(self.entry.id, self.start.generation, capacity, now());
                admit_all(effects.admitted);
            }
            Err(error) => self.fail(error.to_string()),
        }
    }

    fn fail(&mut self, why: String) {
        self.reported = true;
        tracing::warn!(revision = %self.entry.key, "{why}");
        let why: Arc<str> = why.into();
        let told = self.entry.gate.floor().failed(self.entry.id, self.start.generation, why.clone(), now());
        refuse_all(told, &self.entry.refusal(Refused::Failed(why)));
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if !self.reported {
            self.fail("the start was broken off".into());
        }
    }
}

/// A request in the queue; dropping it leaves the queue.
struct Waiting<'a> {
    entry: &'a Arc<Entry>,
    ticket: u64,
    told: oneshot::Receiver<Result<Permit, Refusal>>,
}

impl Waiting<'_> {
    async fn until(mut self, admission: Admission) -> Result<Permit, Refusal> {
        let longest = Instant::now() + self.entry.gate.queue_wait;
        let deadline = match admission {
            Admission::WaitUntil(deadline) => deadline.min(longest),
            Admission::Wait | Admission::Now => longest,
        };
        let told = match timeout_at(deadline, &mut self.told).await {
            Ok(told) => told,
            Err(_) if self.leave() => return Err(self.expired()),
            // Its turn came at that very moment.
            Err(_) => (&mut self.told).await,
        };
        told.unwrap_or_else(|_| Err(self.entry.refusal(Refused::Closed)))
    }

    /// Whether it was still in the queue.
    fn leave(&self) -> bool {
        let left = self.entry.gate.floor().leave(self.entry.id, self.ticket, now());
        left.is_some() // dropped here, after the lock
    }

    fn expired(&self) -> Refusal {
        let key = &self.entry.key;
        let message = match self.entry.standing() {
            Standing { state: State::Started, capacity, .. } => {
                format!("revision {key} was busy for as long as the request could wait; it takes {capacity} at once")
            }
            Standing { .. } => format!("revision {key} did not start for as long as the request could wait"),
        };
        Refusal::new(Reason::QueueTimeout, message)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

fn admit_all(admitted: Vec<(Told, Grant<Arc<Live>>)>) {
    for (told, grant) in admitted {
        let permit = Permit { entry: told.entry, grant };
        // Who has left just now drops the permit here, and that admits the next one.
        drop(told.sender.send(Ok(permit)));
    }
}

fn refuse_all(told: Vec<Told>, refusal: &Refusal) {
    for told in told {
        drop(told.sender.send(Err(refusal.clone())));
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
