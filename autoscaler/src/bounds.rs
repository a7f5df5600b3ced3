//! From the number that the load asks for to the number there will be: min-scale, max-scale, initial-scale, and when the
//! last instance goes.
//!
//! ```text
//!               ready                 wants 0, after a long window            retention over
//!   Starting ──────────► Active ─────────────────────────────────► Retained ─────────────────► Zero
//!                          ▲                                           │ wants some              │
//!                          └───────────────────────────────────────────┴─────────────────────────┘
//! ```
//! Knative waits a grace period before zero, in which the network learns to send requests to the activator. Here the
//! activator is always in the path, so that the grace is zero; the retention period is honoured.

use crate::policy::Reachability;
use fnctl_config::snapshot::Scale;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Where a revision is between its first instance and none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Made just now: initial-scale was not reached yet.
    Starting,
    /// There are instances since then.
    Active {
        /// Since when.
        since: Duration,
    },
    /// Nothing is asked for since then; the last instance is kept for the retention period.
    Retained {
        /// Since when.
        since: Duration,
    },
    /// No instances.
    Zero,
}

/// What the bounds are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The number that the load asks for; none where nothing is known.
    pub desired: Option<u32>,
    /// Instances that can take requests.
    pub ready: u32,
    /// Whether a route leads to the revision.
    pub reachability: Reachability,
}

/// What the bounds answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Instances there shall be; none is: leave alone what is there.
    pub instances: Option<u32>,
    /// Which bound set it.
    pub bound: Bound,
}

/// What set the number of instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Bound {
    /// The load; no bound was met.
    Load,
    /// Nothing is known of the load, nothing changes.
    Unknown,
    /// The revision is new and begins with initial-scale.
    InitialScale,
    /// Fewer than min-scale were asked for.
    MinScale,
    /// More than max-scale were asked for.
    MaxScale,
    /// None is needed, but the revision has been active for less than its window.
    ActiveTooShort,
    /// None is needed, and the last instance is kept for the retention period.
    Retention,
    /// None is needed, and nothing keeps the last instance.
    ScaleToZero,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Load => "the load sets the number",
            Self::Unknown => "nothing is known of the load, so nothing changes",
            Self::InitialScale => "a new revision begins with its initial scale",
            Self::MinScale => "min-scale sets the number",
            Self::MaxScale => "max-scale sets the number",
            Self::ActiveTooShort => "the last instance stays until the revision has been active for its window",
            Self::Retention => "the last instance stays for the retention period",
            Self::ScaleToZero => "nothing is needed, so the last instance goes",
        })
    }
}

/// Holds the number that the load asks for within the bounds of the revision.
pub fn bound(scale: &Scale, request: Request, phase: Phase, now: Duration) -> (Settled, Phase) {
    let floor = match request.reachability {
        Reachability::Reachable => scale.min,
        Reachability::Unreachable => 0,
    };
    let phase = match (phase, request.reachability) {
        (Phase::Starting, Reachability::Reachable) if request.ready < scale.initial.max(floor) => {
            return starting(scale, request, floor);
        }
        (Phase::Starting, _) if request.ready > 0 => Phase::Active { since: now },
        (Phase::Starting, _) => Phase::Zero,
        (phase, _) => phase,
    };
    let Some(desired) = request.desired else {
        return (Settled { instances: None, bound: Bound::Unknown }, phase);
    };
    match within(scale, desired, floor) {
        (0, _) => toward_zero(scale, request.reachability, phase, now),
        (instances, bound) => {
            let phase = match phase {
                Phase::Active { .. } => phase,
                Phase::Starting | Phase::Retained { .. } | Phase::Zero => Phase::Active { since: now },
            };
            (Settled { instances: Some(instances), bound }, phase)
        }
    }
}

/// Initial-scale holds until it was reached once.
fn starting(scale: &Scale, request: Request, floor: u32) -> (Settled, Phase) {
    let initial = scale.initial.max(floor);
    let (instances, bound) = match within(scale, request.desired.unwrap_or(0), initial) {
        (instances, Bound::MinScale) => (instances, Bound::InitialScale),
        other => other,
    };
    (Settled { instances: Some(instances), bound }, Phase::Starting)
}

/// At least `floor`, at most max-scale, which wins.
fn within(scale: &Scale, desired: u32, floor: u32) -> (u32, Bound) {
    if scale.max > 0 && desired.max(floor) > scale.max {
        (scale.max, Bound::MaxScale)
    } else if desired < floor {
        (floor, Bound::MinScale)
    } else {
        (desired, Bound::Load)
    }
}

fn toward_zero(scale: &Scale, reachability: Reachability, phase: Phase, now: Duration) -> (Settled, Phase) {
    let keep = |bound, phase| (Settled { instances: Some(1), bound }, phase);
    let retained_since = match phase {
        Phase::Zero => return (Settled { instances: Some(0), bound: Bound::Load }, Phase::Zero),
        Phase::Active { since } if now.saturating_sub(since) < scale.stable_window => {
            return keep(Bound::ActiveTooShort, phase);
        }
        Phase::Starting | Phase::Active { .. } => now,
        Phase::Retained { since } => since,
    };
    let retention = match reachability {
        Reachability::Reachable => scale.retention,
        Reachability::Unreachable => Duration::ZERO,
    };
    if now.saturating_sub(retained_since) < retention {
        return keep(Bound::Retention, Phase::Retained { since: retained_since });
    }
    (Settled { instances: Some(0), bound: Bound::ScaleToZero }, Phase::Zero)
}

#[cfg(test)]
mod tests;
