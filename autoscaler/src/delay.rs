//! The highest number wanted lately: a lower number is taken once it has been the highest for the whole delay.

use fnctl_config::limits::SCALE_TICK;
use std::collections::VecDeque;
use std::time::Duration;

/// A sliding maximum with one slot per tick of the scaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// How many ticks a number is remembered.
    slots: u64,
    /// Slot and number, both in the order they came; numbers strictly fall, so the first is the highest.
    highest: VecDeque<(u64, u32)>,
}

impl Delay {
    /// Remembers numbers for `delay`, rounded up to whole ticks. No delay, no memory.
    pub fn new(delay: Duration) -> Option<Self> {
        let slots = delay.as_nanos().div_ceil(SCALE_TICK.as_nanos());
        (slots > 0).then(|| Self { slots: u64::try_from(slots).unwrap_or(u64::MAX), highest: VecDeque::new() })
    }

    /// Remembers `wanted` and returns the highest number that is remembered still.
    pub fn highest(&mut self, now: Duration, wanted: u32) -> u32 {
        let slot = now.as_secs() / SCALE_TICK.as_secs();
        while self.highest.back().is_some_and(|(_, number)| *number <= wanted) {
            self.highest.pop_back();
        }
        while self.highest.front().is_some_and(|(old, _)| old.saturating_add(self.slots) <= slot) {
            self.highest.pop_front();
        }
        self.highest.push_back((slot, wanted));
        self.highest.front().map_or(wanted, |(_, number)| *number)
    }
}

#[cfg(test)]
mod tests;
