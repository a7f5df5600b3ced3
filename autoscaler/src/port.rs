//! What a home provides: how much a revision has to do, and who makes it so.

use fnctl_config::snapshot::ObjectKey;
use std::fmt;

/// What happened to one revision since it was last asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Requests in flight, waiting ones included, averaged over the time since the last sample.
    pub concurrency: f64,
    /// Requests that came since the last sample.
    pub requests: u64,
    /// Instances that can take requests now.
    pub ready: u32,
}

/// Tells what revisions have to do.
pub trait Observe: fmt::Debug + Send + Sync {
    /// The sample of one revision; a revision that is not known has an empty one. Called once a second for each revision
    /// that is not asleep. Must not block.
    fn observe(&self, revision: &ObjectKey) -> Sample;
}

/// Makes the number of instances so.
pub trait Apply: fmt::Debug + Send + Sync {
    /// There shall be `instances` of the revision. Declarative: it is called again while `Sample::ready` differs, and
    /// equal calls change nothing. 0 lets the last instance go; calls in flight go on. Called by one task, in the order
    /// of the decisions; must not block.
    fn apply(&self, revision: &ObjectKey, instances: u32);
}
