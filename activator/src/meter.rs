//! What a revision carries and what became of its requests.
//!
//! [`Load`] is a value that takes `now`: the requests present (waiting or running) as a time-weighted average, and their
//! number, per period, as the scaler wants them. [`Totals`] only ever grow.

use crate::respond::Reason;
use http::StatusCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Upper bounds of the activation histogram's buckets, in microseconds; one more bucket holds what is above the last.
pub const ACTIVATION_BOUNDS_MICROS: [u64; 10] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000, 10_000_000];

const BUCKETS: usize = ACTIVATION_BOUNDS_MICROS.len() + 1;

/// Whether a request is demand. Probes are carried like any request, but no function is scaled for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Somebody wants an answer.
    User,
    /// Somebody wants to know whether there would be one.
    Probe,
}

impl Traffic {
    /// Tells probes by their user agent, with Knative's list: kubelet's and those of its own parts.
    pub fn of_user_agent(agent: &[u8]) -> Self {
        const PARTS: [&[u8]; 4] = [b"Activator", b"Queue-Proxy", b"Ingress", b"Autoscaling"];
        let part = |rest: &[u8]| PARTS.iter().any(|p| rest.strip_prefix(*p).is_some_and(|r| r.starts_with(b"-Probe")));
        let probe = agent.starts_with(b"kube-probe/") || agent.strip_prefix(b"Knative-").is_some_and(part);
        if probe { Self::Probe } else { Self::User }
    }
}

/// One period of a revision, as the scaler's windows take it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Requests present, waiting or running, averaged over the period.
    pub concurrency: f64,
    /// Requests that arrived in the period, refused ones too: they were demand.
    pub requests: u64,
    /// How long the period was.
    pub period: Duration,
}

/// Requests present over time.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    present: u32,
    requests: u64,
    /// Sum of present × time since `since`, in request-nanoseconds.
    area: u128,
    since: Instant,
    last: Instant,
}

impl Load {
    /// Nobody is there; the first period begins.
    pub fn new(now: Instant) -> Self {
        Self { present: 0, requests: 0, area: 0, since: now, last: now }
    }

    /// A request arrives.
    pub fn enter(&mut self, now: Instant) {
        self.advance(now);
        self.present += 1;
        self.requests += 1;
    }

    /// A request has ended, however it ended.
    pub fn leave(&mut self, now: Instant) {
        self.advance(now);
        self.present = self.present.saturating_sub(1);
    }

    /// Ends the period and begins the next one.
    pub fn sample(&mut self, now: Instant) -> Sample {
        self.advance(now);
        let period = self.last.saturating_duration_since(self.since);
        let nanos = period.as_nanos();
        // No time has passed: what is there is the average.
        let concurrency = if nanos == 0 { f64::from(self.present) } else { self.area as f64 / nanos as f64 };
        let sample = Sample { concurrency, requests: self.requests, period };
        (self.requests, self.area, self.since) = (0, 0, self.last);
        sample
    }

    /// Threads read the clock before they take the lock, so `now` may lie a little in the past.
    fn advance(&mut self, now: Instant) {
        self.area += u128::from(self.present) * now.saturating_duration_since(self.last).as_nanos();
        self.last = self.last.max(now);
    }
}

/// Counters that only grow.
#[derive(Debug, Default)]
pub struct Totals {
    answered: [AtomicU64; 5],
    reasons: [AtomicU64; Reason::ALL.len()],
    starts: AtomicU64,
    activation: [AtomicU64; BUCKETS],
    activation_micros: AtomicU64,
}

impl Totals {
    /// An answer went out; by the function, or by us in its place.
    pub fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.answered[class].fetch_add(1, Relaxed);
    }

    /// A request was refused, or a call failed.
    pub fn failed(&self, reason: Reason) {
        self.reasons[reason as usize].fetch_add(1, Relaxed);
    }

    /// The revision left zero.
    pub fn started(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = ACTIVATION_BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.starts.fetch_add(1, Relaxed);
        self.activation[bucket].fetch_add(1, Relaxed);
        self.activation_micros.fetch_add(micros, Relaxed);
    }

    /// The counters now.
    pub fn view(&self) -> TotalsView {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        TotalsView {
            answered: self.answered.each_ref().map(read),
            reasons: self.reasons.each_ref().map(read),
            cold_starts: read(&self.starts),
            activation: self.activation.each_ref().map(read),
            activation_time: Duration::from_micros(read(&self.activation_micros)),
        }
    }
}

/// [`Totals`] at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TotalsView {
    /// Answers by class of their status: 1xx to 5xx. Refusals are not among them.
    pub answered: [u64; 5],
    /// Refusals and failed calls, in the order of [`Reason::ALL`].
    pub reasons: [u64; Reason::ALL.len()],
    /// How often zero was left.
    pub cold_starts: u64,
    /// Starts by how long they took, not cumulative; see [`ACTIVATION_BOUNDS_MICROS`].
    pub activation: [u64; BUCKETS],
    /// Sum of the times of all starts.
    pub activation_time: Duration,
}

impl TotalsView {
    /// Answers of every class and refusals of every reason that stand for no answer.
    pub fn requests(&self) -> u64 {
        let refused = Reason::ALL.iter().zip(self.reasons).filter(|(reason, _)| !reason.is_attempt());
        self.answered.iter().sum::<u64>() + refused.map(|(_, count)| count).sum::<u64>()
    }

    /// The reasons that occurred, with their counts.
    pub fn occurred(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.reasons).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests;
