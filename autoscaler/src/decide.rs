//! The decision, pure: what was seen, by these rules, with this memory, at this time, asks for that many.

use crate::policy::{Averages, Observation, Policy, Reachability};
use crate::reason::{Reason, Rule, Share};
use crate::state::{Panic, State};
use std::time::Duration;

/// Smallest target, as Knative: nothing is divided by less.
const TARGET_MIN: f64 = 0.01;

/// What was decided, before the bounds of the revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The numbers; none where nothing is known, and then nothing changes.
    pub answer: Option<Answer>,
    /// When the burst that is on last asked for too much.
    pub panic_since: Option<Duration>,
    /// Why.
    pub reason: Reason,
}

/// The numbers of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Instances there should be.
    pub desired: u32,
    /// Spare capacity in units of the metric; negative: the activator should stay in the path.
    pub excess_burst_capacity: i64,
}

/// Decides how many instances there should be at `now`.
pub fn decide(policy: &Policy, observation: &Observation, mut state: State, now: Duration) -> (Decision, State) {
    let Some(averages) = observation.averages.filter(|seen| is_amount(seen.stable) && is_amount(seen.panic)) else {
        let reason = Reason::NoData { window: policy.stable_window };
        return (Decision { answer: None, panic_since: state.panic.map(|panic| panic.since), reason }, state);
    };
    let step = Step::new(policy, observation.ready);
    let stable = step.share(policy, averages.stable, policy.stable_window);
    let panic = step.share(policy, averages.panic, policy.panic_window);

    state.panic = next_panic(policy, state.panic, f64::from(panic.needed) / step.ready, now);

    let (mut desired, mut reason) = match &mut state.panic {
        None => (stable.instances, Reason::Stable(stable)),
        Some(burst) => in_panic(burst, stable, panic),
    };
    if let (Some(delay), Reachability::Reachable) = (&mut state.delay, policy.reachability) {
        let held = delay.highest(now, desired);
        if held > desired {
            reason = Reason::ScaleDownDelay { wanted: desired, held, delay: policy.scale_down_delay };
            desired = held;
        }
    }
    let excess_burst_capacity = excess_burst_capacity(policy, observation.ready, averages);
    let answer = Some(Answer { desired, excess_burst_capacity });
    (Decision { answer, panic_since: state.panic.map(|panic| panic.since), reason }, state)
}

/// How far one decision may go from the ready instances.
struct Step {
    /// Ready instances, at least one.
    ready: f64,
    down: f64,
    up: f64,
}

impl Step {
    fn new(policy: &Policy, ready: u32) -> Self {
        let ready = f64::from(ready.max(1));
        let down = match policy.reachability {
            Reachability::Reachable => (ready / policy.down_rate.max(1.0)).floor(),
            Reachability::Unreachable => 0.0,
        };
        Self { ready, down, up: (ready * policy.up_rate.max(1.0)).ceil() }
    }

    /// What one window asks for within the step.
    fn share(&self, policy: &Policy, average: f64, window: Duration) -> Share {
        let needed = (average / policy.target.max(TARGET_MIN)).ceil();
        let (mut instances, mut rule) = (needed, Rule::Load);
        if instances < self.down {
            (instances, rule) = (self.down, Rule::DownLimit { rate: policy.down_rate });
        }
        if instances > self.up {
            (instances, rule) = (self.up, Rule::UpLimit { rate: policy.up_rate });
        }
        let activation = f64::from(policy.activation);
        if policy.activation > 1 && needed > 0.0 && instances < activation {
            (instances, rule) = (activation, Rule::ActivationScale);
        }
        let (metric, target) = (policy.metric, policy.target);
        Share { metric, average, window, target, needed: whole(needed), instances: whole(instances), rule }
    }
}

/// A burst begins or goes on while the short window needs too many times the ready instances, and ends when it has not
/// for a long window.
fn next_panic(policy: &Policy, before: Option<Panic>, times_ready: f64, now: Duration) -> Option<Panic> {
    if times_ready >= policy.panic_threshold {
        return Some(Panic { since: now, floor: before.map_or(0, |burst| burst.floor) });
    }
    before.filter(|burst| burst.since.saturating_add(policy.stable_window) >= now)
}

/// The larger of both windows, and never less than before in this burst.
fn in_panic(burst: &mut Panic, stable: Share, panic: Share) -> (u32, Reason) {
    let share = if panic.instances > stable.instances { panic } else { stable };
    let Panic { since, floor } = *burst;
    if share.instances < floor {
        return (floor, Reason::PanicHold { share, floor, since });
    }
    burst.floor = share.instances;
    (share.instances, Reason::Panic { share, since })
}

/// Capacity of what is ready, less the load of the short window, less the spare that is asked for.
fn excess_burst_capacity(policy: &Policy, ready: u32, averages: Averages) -> i64 {
    let spare = policy.target_burst_capacity;
    if spare < 0.0 {
        -1
    } else if spare == 0.0 {
        0
    } else {
        (f64::from(ready) * policy.total - spare - averages.panic).floor() as i64
    }
}

fn is_amount(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

/// A number of instances; more than fit is the most that fit.
fn whole(instances: f64) -> u32 {
    instances as u32
}

#[cfg(test)]
mod tests;
