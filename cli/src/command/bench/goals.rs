//! What `fnctl bench --check` asks for. Goals are ratios and differences of one run wherever they can be, since they hold
//! on any machine; the absolute ones are promises about the shipped binary.

use super::figures::Figures;
use serde_json::{Value, json};
use std::fmt;

#[cfg(test)]
mod tests;

/// The kinds of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bench {
    Http,
    Cold,
    Event,
}

impl Bench {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Cold => "cold",
            Self::Event => "event",
        }
    }
}

/// What the median of a figure's rounds must not be below, or above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// One promise.
#[derive(Debug)]
pub(super) struct Goal {
    bench: Bench,
    /// Name of the figure, as the run gives it.
    figure: &'static str,
    bound: Bound,
}

const fn goal(bench: Bench, figure: &'static str, bound: Bound) -> Goal {
    Goal { bench, figure, bound }
}

/// Requests per second of a fresh instance per request over those of the peer with its defaults.
pub(super) const FRESH_TO_DEFAULT: &str = "fresh to peer's default";
/// The same over the peer with the flags that make it fastest.
pub(super) const FRESH_TO_TUNED: &str = "fresh to peer's tuned";
/// Requests per second of reused instances over those of the peer's reused instances.
pub(super) const REUSE_TO_REUSE: &str = "reuse to peer's reuse";
/// How much worse a function's p99 is beside two guests that spin.
pub(super) const NEIGHBOURS_WORSE: &str = "neighbours: p99 with 2 guests spinning, above 0";
/// Guests that the platform stopped while they spun: without them the figure above says nothing.
pub(super) const NEIGHBOURS_STOPPED: &str = "neighbours: spinning guests stopped";
/// Requests without a good answer.
pub(super) const FAILED: &str = "failed requests";
/// First requests that really began at zero, of all.
pub(super) const COLD_SHARE: &str = "first requests that were cold starts";
/// p50 of first requests above that of warm ones.
pub(super) const COLD_P50: &str = "first request above warm, p50";
/// p99 of first requests above that of warm ones.
pub(super) const COLD_P99: &str = "first request above warm, p99";
/// How often a burst at zero loaded its function.
pub(super) const BURST_LOADS: &str = "burst at zero: loads";
/// From the start of the process to its ready line, on a data directory that holds functions.
pub(super) const START: &str = "start on an existing data directory";
/// Resident memory of a node that nobody calls.
pub(super) const MEMORY_IDLE: &str = "memory, idle";
/// Resident memory of the same node a minute after the burst and the pictures of the X-ray example.
pub(super) const MEMORY_AFTER: &str = "memory, after burst and pictures";
/// The program's file.
pub(super) const BINARY: &str = "size of the binary";
/// Durable events per second over the lower of the same server without storing, and of connections per fdatasync.
pub(super) const DURABLE_TO_BOUND: &str = "durable to the lower bound";

const GOALS: &[Goal] = &[
    goal(Bench::Http, FRESH_TO_DEFAULT, Bound::AtLeast(2.5)),
    goal(Bench::Http, FRESH_TO_TUNED, Bound::AtLeast(1.5)),
    goal(Bench::Http, REUSE_TO_REUSE, Bound::AtLeast(1.15)),
    goal(Bench::Http, NEIGHBOURS_WORSE, Bound::AtMost(20.0)),
    goal(Bench::Http, NEIGHBOURS_STOPPED, Bound::AtLeast(1.0)),
    goal(Bench::Http, FAILED, Bound::AtMost(0.0)),
    goal(Bench::Cold, COLD_SHARE, Bound::AtLeast(1.0)),
    goal(Bench::Cold, COLD_P50, Bound::AtMost(5.0)),
    goal(Bench::Cold, COLD_P99, Bound::AtMost(20.0)),
    goal(Bench::Cold, BURST_LOADS, Bound::AtMost(1.0)),
    goal(Bench::Cold, FAILED, Bound::AtMost(0.0)),
    goal(Bench::Cold, START, Bound::AtMost(1.0)),
    goal(Bench::Cold, MEMORY_IDLE, Bound::AtMost(60.0)),
    goal(Bench::Cold, MEMORY_AFTER, Bound::AtMost(150.0)),
    goal(Bench::Cold, BINARY, Bound::AtMost(70.0)),
    goal(Bench::Event, DURABLE_TO_BOUND, Bound::AtLeast(0.5)),
    goal(Bench::Event, FAILED, Bound::AtMost(0.0)),
];

/// One goal beside what was measured; nothing measured is a goal missed.
#[derive(Debug)]
pub(super) struct Verdict {
    goal: &'static Goal,
    measured: Option<f64>,
    unit: &'static str,
}

/// All goals of a kind of run beside its figures.
pub(super) fn compare(bench: Bench, figures: &Figures) -> Vec<Verdict> {
    let verdict = |goal| {
        let figure = figures.get(Goal::figure(goal));
        let unit = figure.map_or("", |figure| figure.unit);
        Verdict { goal, measured: figure.and_then(|figure| figure.median()), unit }
    };
    GOALS.iter().filter(|goal| goal.bench == bench).map(verdict).collect()
}

impl Goal {
    fn figure(&self) -> &'static str {
        self.figure
    }
}

impl Verdict {
    pub(super) fn is_met(&self) -> bool {
        self.measured.is_some_and(|measured| match self.goal.bound {
            Bound::AtLeast(least) => measured >= least,
            Bound::AtMost(most) => measured <= most,
        })
    }

    fn shown(&self) -> String {
        self.measured.map_or_else(
            || "not measured".to_owned(),
            |measured| format!("{measured:.2} {}", self.unit).trim_end().to_owned(),
        )
    }

    pub(super) fn row(&self) -> Vec<String> {
        let met = if self.is_met() { "yes" } else { "NO" };
        vec![self.goal.figure.to_owned(), self.goal.bound.to_string(), self.shown(), met.to_owned()]
    }

    pub(super) fn to_json(&self) -> Value {
        let (bound, value) = match self.goal.bound {
            Bound::AtLeast(least) => ("atLeast", least),
            Bound::AtMost(most) => ("atMost", most),
        };
        json!({"goal": self.goal.figure, bound: value, "unit": self.unit, "measured": self.measured, "met": self.is_met()})
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::AtMost(most) => write!(f, "at most {most}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, the goal is {}", self.goal.figure, self.shown(), self.goal.bound)
    }
}
