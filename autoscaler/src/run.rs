//! The shell: it samples each second, decides every second sample and at once for a revision that a request found at
//! zero, and hands the numbers to the home.

use crate::fleet::{Fleet, Order, Origin};
use crate::history::Record;
use crate::port::{Apply, Observe};
use fnctl_config::limits::{SCALE_SAMPLE, SCALE_TICK};
use fnctl_config::snapshot::{Change, ObjectKey};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The scaler of one node. Cheap to clone: all clones are the same scaler.
#[derive(Clone, Debug)]
pub struct Scaler {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// What times count from.
    origin: Instant,
    fleet: Mutex<Fleet>,
    /// Somebody cannot wait for the next tick.
    due: Notify,
}

/// A record with ages instead of times, so that the reader needs no clock of the scaler's.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// How long ago the decision was first made.
    pub first_ago: Duration,
    /// How long ago it was last made.
    pub last_ago: Duration,
    /// How long ago the burst that is on last asked for too much.
    pub panic_ago: Option<Duration>,
    /// The decision.
    pub record: Record,
}

impl Default for Scaler {
    fn default() -> Self {
        Self::new()
    }
}

impl Scaler {
    /// A scaler without revisions.
    pub fn new() -> Self {
        let shared = Shared { origin: Instant::now(), fleet: Mutex::default(), due: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Takes a change of what the node runs; those that are none of the scaler's are ignored. `Origin::Created` is for
    /// revisions that appear after the node's first lists.
    pub fn change(&self, change: &Change, origin: Origin) {
        let now = self.now();
        self.fleet().change(change, origin, now);
        self.shared.due.notify_one();
    }

    /// A request found the revision without an instance. Cheap, and calls no port: may be called on the request's path
    /// and under any lock of the caller's.
    pub fn poke(&self, revision: &ObjectKey) {
        let now = self.now();
        if self.fleet().poke(revision, now) {
            self.shared.due.notify_one();
        }
    }

    /// The last decisions about a revision, oldest first; none where it is not known.
    pub fn decisions(&self, revision: &ObjectKey) -> Option<Vec<Explained>> {
        let now = self.now();
        let records = self.fleet().records(revision)?;
        let ago = |at: Duration| now.saturating_sub(at);
        let explain = |record: Record| Explained {
            first_ago: ago(record.first),
            last_ago: ago(record.last),
            panic_ago: record.decision.panic_since.map(ago),
            record,
        };
        Some(records.into_iter().map(explain).collect())
    }

    /// Samples, decides and applies until `shutdown` is done. Run it once.
    pub async fn run(&self, observe: Arc<dyn Observe>, apply: Arc<dyn Apply>, shutdown: impl Future<Output = ()>) {
        let samples_per_tick = SCALE_TICK.as_secs() / SCALE_SAMPLE.as_secs();
        let mut beat = interval(SCALE_SAMPLE);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beats = 0;
        let mut shutdown = pin!(shutdown);
        loop {
            let orders = tokio::select! {
                () = &mut shutdown => return,
                () = self.shared.due.notified() => self.fleet().decide_due(self.now()),
                _ = beat.tick() => {
                    self.sample(&*observe);
                    beats += 1;
                    if beats % samples_per_tick == 0 { self.fleet().decide_awake(self.now()) } else { Vec::new() }
                }
            };
            for Order { revision, instances } in orders {
                tracing::debug!(%revision, instances, "scale");
                apply.apply(&revision, instances);
            }
        }
    }

    fn sample(&self, observe: &dyn Observe) {
        let awake = self.fleet().awake();
        for key in awake {
            let sample = observe.observe(&key);
            let now = self.now();
            self.fleet().sample(&key, sample, now);
        }
    }

    fn now(&self) -> Duration {
        self.shared.origin.elapsed()
    }

    /// A fleet is whole after each call, so that one that panicked leaves nothing to fear.
    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.shared.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
