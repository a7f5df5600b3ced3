//! Joins the autoscaler to the activator: what revisions have to do, and how many instances there shall be.
//!
//! An instance of a Wasm revision is room for `containerConcurrency` calls in this process, granted at once. So the
//! scaler's number is what it would be for any revision, and what follows from it here is whether the revision is
//! loaded at all.

use dashmap::DashMap;
use fnctl_activator::activator::{Activator, RevisionView};
use fnctl_activator::admit::State;
use fnctl_autoscaler::port::{Apply, Observe, Sample};
use fnctl_config::snapshot::ObjectKey;
use std::sync::Arc;

/// The activator as the autoscaler sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Scaling {
    activator: Activator,
    /// What was ordered last, of revisions above zero.
    ordered: Arc<DashMap<ObjectKey, u32>>,
}

impl Scaling {
    pub(crate) fn new(activator: Activator) -> Self {
        Self { activator, ordered: Arc::default() }
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
}

impl Observe for Scaling {
    fn observe(&self, revision: &ObjectKey) -> Sample {
        let Some(sample) = self.activator.sample(revision) else { return Sample::default() };
        let ready = self.activator.revision(revision).map_or(0, |view| self.instances(&view));
        Sample { concurrency: sample.concurrency, requests: sample.requests, ready }
    }
}

impl Apply for Scaling {
    fn apply(&self, revision: &ObjectKey, instances: u32) {
        if instances > 0 {
            self.ordered.insert(revision.clone(), instances);
            self.activator.wake(revision);
            return;
        }
        match self.activator.scale_to_zero(revision) {
            Ok(()) => {
                self.ordered.remove(revision);
                tracing::info!(%revision, "scaled to zero");
            }
            // A request came in between: the scaler asks again once it has gone.
            Err(busy) => tracing::debug!(%revision, %busy, "not scaled to zero"),
        }
    }
}
