//! What a decision leaves for the next one.

use crate::delay::Delay;
use crate::policy::Policy;
use std::time::Duration;

/// Memory of one revision's scaler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The burst that is on, if one is.
    pub panic: Option<Panic>,
    /// Numbers wanted lately, where scale-down is delayed.
    pub delay: Option<Delay>,
}

/// A burst: until it is over the number does not fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panic {
    /// When the short window last asked for too much.
    pub since: Duration,
    /// The highest number decided since it began.
    pub floor: u32,
}

impl State {
    /// The state of a scaler that begins at `now`. Where several instances are ready it begins in panic: it has no
    /// history, and would let them go for want of it.
    pub fn new(policy: &Policy, ready: u32, now: Duration) -> Self {
        Self {
            panic: (ready > 1).then_some(Panic { since: now, floor: ready }),
            delay: Delay::new(policy.scale_down_delay),
        }
    }
}
