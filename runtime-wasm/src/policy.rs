//! When an instance serves another request, and which revisions are heavy. Pure.

use fnctl_config::limits;
use fnctl_config::snapshot::Reuse;
use std::time::Duration;

/// How a call ended, as far as its instance is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The guest returned.
    Returned,
    /// It trapped, was cut off or left while it ran.
    Broken,
}

/// What happens to an instance after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It waits for another request.
    Keep,
    /// It goes, and why.
    Retire(Reason),
}

/// Why an instance goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It has served as many requests as it was made for.
    Served,
    /// Its state cannot be trusted.
    Broken,
    /// Its memory has grown beyond what is kept for an idle instance.
    Memory,
}

/// How many requests a new instance serves. Where instances are reused it is 25 % around the number asked for, by
/// `roll` from 0 to 1: functions that count on a fixed number, or keep state, are found out early.
pub fn lifetime(reuse: Reuse, roll: f64) -> u32 {
    match reuse {
        Reuse::Fresh => 1,
        Reuse::Serial { requests } => {
            let requests = f64::from(requests) * (0.75 + 0.5 * roll.clamp(0.0, 1.0));
            (requests.round() as u32).max(1)
        }
    }
}

/// Decides about an instance that has `served` of its `lifetime` requests and holds `memory` bytes.
pub fn next(ended: Ended, served: u32, lifetime: u32, memory: u64) -> Next {
    match ended {
        Ended::Broken => Next::Retire(Reason::Broken),
        Ended::Returned if served >= lifetime => Next::Retire(Reason::Served),
        Ended::Returned if memory > limits::REUSE_MEMORY_BYTES_MAX => Next::Retire(Reason::Memory),
        Ended::Returned => Next::Keep,
    }
}

/// The average of CPU time per call: the newest call counts an eighth.
pub fn average(before: Option<Duration>, call: Duration) -> Duration {
    match before {
        None => call,
        Some(before) => (before * 7 + call) / 8,
    }
}

/// Whether calls of a revision with this average run on threads of their own.
pub fn is_heavy(average: Option<Duration>) -> bool {
    average.is_some_and(|average| average > limits::HEAVY_CPU)
}

#[cfg(test)]
mod tests;
