//! Joins the autoscaler to the activator: what revisions have to do, and how many instances there shall be.
//!
//! An instance of a Wasm revision is room for `containerConcurrency` calls in this process, granted at once. So the
//! scaler's number is what it would be for any revision, and what follows from it here is whether the revision is
//! loaded at all.

use dashmap::DashMap;
use fnctl_activator::activator::{Activator, RevisionView};
use fnctl_activator::admit::State;
use fnctl_autoscaler::port::{Apply, Observe, Sample};
use fnctl_config::limits::{INITIAL_SCALE_LOOK, INITIAL_SCALE_WAIT_MAX};
use fnctl_config::snapshot::{Change, ObjectKey};
use fnctl_controller::reconcile::Replicas;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::time::{interval, timeout};

/// The activator as the autoscaler sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Scaling {
    activator: Activator,
    /// What was ordered last, of revisions above zero.
    ordered: Arc<DashMap<ObjectKey, u32>>,
    /// Their instances when they were looked at last.
    seen: Arc<DashMap<ObjectKey, Replicas>>,
    news: Arc<News>,
}

/// Revisions whose numbers may be others than those that were told: a set, so that it is never larger than the node.
#[derive(Debug, Default)]
struct News {
    changed: Mutex<BTreeSet<ObjectKey>>,
    is_there: Notify,
}

impl Scaling {
    pub(crate) fn new(activator: Activator) -> Self {
        Self { activator, ordered: Arc::default(), seen: Arc::default(), news: Arc::default() }
    }

    /// Instances of a revision as people are told: none at zero, else what was ordered, at least one.
    pub(crate) fn instances(&self, view: &RevisionView) -> u32 {
        match view.state {
            State::Started | State::Stopping => {
                self.ordered.get(&view.revision.key).map_or(1, |ordered| (*ordered).max(1))
            }
            State::Zero | State::Starting => 0,
        }
    }

    /// The instances of a revision, and how many were ordered; none where it does not run here.
    pub(crate) fn replicas(&self, revision: &ObjectKey) -> Option<Replicas> {
        let view = self.activator.revision(revision)?;
        let desired = self.ordered.get(revision).map_or(0, |ordered| *ordered);
        Some(Replicas { actual: self.instances(&view), desired })
    }

    /// The same once a new revision has the instances that it begins with; waits for them for a while.
    pub(crate) async fn begun(&self, revision: &ObjectKey) -> Option<Replicas> {
        let begun = async {
            let mut look = interval(INITIAL_SCALE_LOOK);
            loop {
                look.tick().await;
                let view = self.activator.revision(revision)?;
                if view.revision.scale.initial == 0 || self.instances(&view) > 0 {
                    return self.replicas(revision);
                }
            }
        };
        timeout(INITIAL_SCALE_WAIT_MAX, begun).await.unwrap_or_else(|_| self.replicas(revision))
    }

    /// The revisions whose numbers may have changed; waits for the first one. For one caller.
    pub(crate) async fn changed(&self) -> BTreeSet<ObjectKey> {
        loop {
            let changed = std::mem::take(&mut *self.news.changed.lock().unwrap_or_else(PoisonError::into_inner));
            if !changed.is_empty() {
                return changed;
            }
            self.news.is_there.notified().await;
        }
    }

    /// A revision that is told of may have run when the node ended: its status is looked at once.
    pub(crate) fn change(&self, change: &Change) {
        match change {
            Change::Revision(revision) => self.tell(&revision.key),
            Change::RevisionGone(key) => {
                self.ordered.remove(key);
                self.seen.remove(key);
            }
            Change::Route(_)
            | Change::RouteGone(_)
            | Change::Broker(_)
            | Change::BrokerGone(_)
            | Change::Trigger(_)
            | Change::TriggerGone(_)
            | Change::BucketSource(_)
            | Change::BucketSourceGone(_) => {}
        }
    }

    /// Looks at a revision, and tells of it if its numbers are others than before.
    fn look(&self, revision: &ObjectKey) {
        let Some(now) = self.replicas(revision) else { return };
        if self.seen.insert(revision.clone(), now) != Some(now) {
            self.tell(revision);
        }
    }

    fn tell(&self, revision: &ObjectKey) {
        self.news.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(revision.clone());
        self.news.is_there.notify_one();
    }
}

impl Observe for Scaling {
    fn observe(&self, revision: &ObjectKey) -> Sample {
        let Some(sample) = self.activator.sample(revision) else { return Sample::default() };
        let ready = self.activator.revision(revision).map_or(0, |view| self.instances(&view));
        self.look(revision);
        Sample { concurrency: sample.concurrency, requests: sample.requests, ready }
    }
}

impl Apply for Scaling {
    fn apply(&self, revision: &ObjectKey, instances: u32) {
        if instances > 0 {
            self.ordered.insert(revision.clone(), instances);
            self.activator.wake(revision);
            self.look(revision);
            return;
        }
        match self.activator.scale_to_zero(revision) {
            Ok(()) => {
                self.ordered.remove(revision);
                self.look(revision);
                tracing::info!(%revision, "scaled to zero");
            }
            // A request came in between: the scaler asks again once it has gone.
            Err(busy) => tracing::debug!(%revision, %busy, "not scaled to zero"),
        }
    }
}
