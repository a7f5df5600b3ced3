//! What the scaler would do with a trace, on the trace's own time: the same windows and the same decision as a node's.
//!
//! A trace is one JSON object a line: a `spec`, the `ready` instances, averages to decide with now (`stable`, `panic`),
//! or a sample for the windows (`concurrency` or `rps`). From the first sample on there is a decision every two seconds
//! from the decider's beginning, up to the last line; a tick sees all lines of its own time. No bounds, no poke: the
//! trace alone says what is ready. Time may go back a little, as samples do.

mod line;

use crate::decide::{Decision, decide};
use crate::policy::{Averages, Observation, Policy};
use crate::state::State;
use crate::window::Window;
use fnctl_config::limits::{SCALE_TICK, SIMULATION_GAP_MAX};
use fnctl_config::snapshot::Metric;
use line::{Line, Sample, seconds};
use serde::Serialize;
use serde_json::Number;
use std::time::Duration;

pub use line::TraceError;

/// One decision, as it is printed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Seconds since the trace's origin.
    pub t: Number,
    /// Whether there was anything to decide from. If not, there are no numbers and nothing changes.
    pub valid: bool,
    /// Instances there should be.
    pub desired: Option<u32>,
    /// Spare capacity; negative: the activator should stay in the path.
    pub excess_burst_capacity: Option<i64>,
    /// Whether a burst is on.
    pub panicking: bool,
    /// Seconds at which the burst last asked for too much.
    pub panic_since: Option<Number>,
    /// The rule that set the number, one word.
    pub rule: &'static str,
    /// Why, in one sentence.
    pub reason: String,
}

/// The decisions that a trace leads to. Blank lines are skipped; the first bad line ends it with its error.
pub fn simulate<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> impl Iterator<Item = Result<Step, TraceError>> {
    let mut simulation = Simulation::default();
    let mut lines = lines.into_iter();
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let steps = match lines.next() {
            Some(line) => simulation.line(line.as_ref()),
            None => {
                is_over = true;
                Ok(simulation.finish())
            }
        };
        is_over |= steps.is_err();
        let (steps, error) = match steps {
            Ok(steps) => (steps, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Some(steps.into_iter().map(Ok).chain(error.map(Err)))
    })
    .flatten()
}

/// A simulation that is fed line by line.
#[derive(Debug, Default)]
pub struct Simulation {
    lines: u64,
    /// The latest time of any line.
    latest: Duration,
    ready: u32,
    decider: Option<Decider>,
}

#[derive(Debug)]
struct Decider {
    policy: Policy,
    state: State,
    stable: Window,
    panic: Window,
    /// What the trace's samples are; ticks begin with the first.
    sampled: Option<Metric>,
    next_tick: Duration,
}

impl Simulation {
    /// Takes one line of the trace. Answers the decisions that are due before it and by it.
    pub fn line(&mut self, text: &str) -> Result<Vec<Step>, TraceError> {
        self.lines += 1;
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        self.read(text).map_err(|error| error.in_line(self.lines))
    }

    /// The trace is over. Answers the decisions that are due still.
    pub fn finish(&mut self) -> Vec<Step> {
        let end = self.latest.saturating_add(Duration::from_nanos(1));
        self.ticks_before(end)
    }

    fn read(&mut self, text: &str) -> Result<Vec<Step>, TraceError> {
        let line = Line::parse(text)?;
        if self.decider.is_some() && line.at.saturating_sub(self.latest) > SIMULATION_GAP_MAX {
            return Err(TraceError::field("t", format!("is more than {SIMULATION_GAP_MAX:?} after the line before")));
        }
        let mut steps = self.ticks_before(line.at);
        self.latest = self.latest.max(line.at);
        self.ready = line.ready.unwrap_or(self.ready);
        if line.spec.is_none() && line.sample.is_none() && line.averages.is_none() {
            return Ok(steps);
        }
        let decider = self.decider.get_or_insert_with(|| Decider::new(line.policy(None), self.ready, line.at));
        if line.spec.is_some() {
            decider.rules(line.policy(Some(&decider.policy)), line.at);
        }
        if let Some(sample) = line.sample {
            decider.sample(sample, line.at)?;
        }
        if let Some(averages) = line.averages {
            steps.push(decider.decide(Some(averages), self.ready, line.at));
        }
        Ok(steps)
    }

    fn ticks_before(&mut self, end: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        let Some(decider) = self.decider.as_mut().filter(|decider| decider.sampled.is_some()) else { return steps };
        while decider.next_tick < end {
            let now = decider.next_tick;
            let averages = decider.averages(now);
            steps.push(decider.decide(averages, self.ready, now));
            decider.next_tick += SCALE_TICK;
        }
        steps
    }
}

impl Decider {
    fn new(policy: Policy, ready: u32, now: Duration) -> Self {
        Self {
            state: State::new(&policy, ready, now),
            stable: Window::new(policy.stable_window, policy.average),
            panic: Window::new(policy.panic_window, policy.average),
            policy,
            sampled: None,
            next_tick: now + SCALE_TICK,
        }
    }

    fn rules(&mut self, policy: Policy, now: Duration) {
        self.stable.resize(policy.stable_window, now);
        self.panic.resize(policy.panic_window, now);
        self.policy = policy;
    }

    fn sample(&mut self, sample: Sample, at: Duration) -> Result<(), TraceError> {
        let Sample { metric, value } = sample;
        if self.sampled.is_some_and(|before| before != metric) {
            let field = if metric == Metric::Concurrency { "concurrency" } else { "rps" };
            return Err(TraceError::field(field, "differs from the earlier samples: a trace has one metric"));
        }
        if self.sampled.is_none() {
            self.skip_ticks_before(at);
        }
        self.sampled = Some(metric);
        self.policy.metric = metric;
        self.stable.record(at, value);
        self.panic.record(at, value);
        Ok(())
    }

    /// Before the first sample there was nothing to decide from.
    fn skip_ticks_before(&mut self, at: Duration) {
        let missed = at.saturating_sub(self.next_tick).as_nanos().div_ceil(SCALE_TICK.as_nanos());
        self.next_tick += SCALE_TICK * u32::try_from(missed).unwrap_or(u32::MAX);
    }

    /// Without a sample within the window nothing is known; a decider that asks for the activator always in the path
    /// hears of every request, so that no sample means no load.
    fn averages(&self, now: Duration) -> Option<Averages> {
        let is_known = !self.stable.is_empty(now) || self.policy.target_burst_capacity < 0.0;
        is_known.then(|| Averages { stable: self.stable.average(now), panic: self.panic.average(now) })
    }

    fn decide(&mut self, averages: Option<Averages>, ready: u32, now: Duration) -> Step {
        let observation = Observation { ready, averages };
        let (decision, state) = decide(&self.policy, &observation, std::mem::take(&mut self.state), now);
        self.state = state;
        Step::new(now, &decision)
    }
}

impl Step {
    fn new(now: Duration, decision: &Decision) -> Self {
        Self {
            t: seconds(now),
            valid: decision.answer.is_some(),
            desired: decision.answer.map(|answer| answer.desired),
            excess_burst_capacity: decision.answer.map(|answer| answer.excess_burst_capacity),
            panicking: decision.panic_since.is_some(),
            panic_since: decision.panic_since.map(seconds),
            rule: decision.reason.name(),
            reason: decision.reason.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
