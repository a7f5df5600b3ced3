//! What all functions of one node share, and what all calls of one revision share.

use crate::capability::blobs::Blobs;
use crate::capability::key_values::KeyValues;
use crate::capability::outbound::Outbound;
use crate::engine::Engine;
use crate::linker::Linkers;
use crate::logs::Logs;
use crate::policy;
use crate::store::NodeMemory;
use fnctl_config::snapshot::Revision;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) linkers: Linkers,
    pub(crate) logs: Logs,
    pub(crate) memory: Arc<NodeMemory>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) key_values: Arc<dyn KeyValues>,
    pub(crate) outbound: Outbound,
    /// Threads for calls that need much CPU; without them such calls run where the others do.
    pub(crate) heavy: Option<Handle>,
    pub(crate) tasks: Tasks,
}

/// One revision as its calls see it.
pub(crate) struct Function {
    pub(crate) revision: Arc<Revision>,
    pub(crate) node: Arc<Node>,
    cost: Cost,
}

impl Function {
    pub(crate) fn new(revision: Arc<Revision>, node: Arc<Node>) -> Self {
        Self { revision, node, cost: Cost::default() }
    }

    /// A call has ended after this much CPU time.
    pub(crate) fn spent(&self, cpu: Duration) {
        self.cost.add(cpu);
    }

    pub(crate) fn is_heavy(&self) -> bool {
        policy::is_heavy(self.cost.average())
    }
}

/// The moving average of CPU time per call, in nanoseconds; 0 before the first. Two calls that end at once may count as
/// one: it is an average.
#[derive(Default)]
struct Cost(AtomicU64);

impl Cost {
    fn add(&self, cpu: Duration) {
        let average = policy::average(self.average(), cpu);
        self.0.store(u64::try_from(average.as_nanos()).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
    }

    fn average(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }
}

/// Guest work that no connection drives. Each task holds its call's lease, so the number of calls bounds them.
#[derive(Default)]
pub(crate) struct Tasks(Mutex<JoinSet<()>>);

impl Tasks {
    /// On the runtime of the caller.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.with(|tasks| {
            tasks.spawn(work);
        });
    }

    pub(crate) fn spawn_on(&self, runtime: &Handle, work: impl Future<Output = ()> + Send + 'static) {
        self.with(|tasks| {
            tasks.spawn_on(work, runtime);
        });
    }

    /// Waits for all of them; dropping the future aborts what is left.
    pub(crate) async fn drain(&self) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
    }

    fn with(&self, spawn: impl FnOnce(&mut JoinSet<()>)) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended; a panic in one was told by the panic hook and cost its own call alone.
        while tasks.try_join_next().is_some() {}
        spawn(&mut tasks);
    }
}
