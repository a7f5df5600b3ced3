//! One line of a trace: its fields, their checks, and the error that names line and field.

use crate::policy::{Averages, Policy, Reachability};
use crate::window::Average;
use fnctl_config::limits::{SCALE_DOWN_RATE, SCALE_UP_RATE, SCALE_WINDOW_MAX};
use fnctl_config::snapshot::Metric;
use serde::Deserialize;
use serde_json::{Map, Number, Value};
use std::time::Duration;

/// A line of the trace that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("trace line {line}: {cause}")]
pub struct TraceError {
    /// The line, from 1.
    pub line: u64,
    /// The field and what is wrong with it.
    pub cause: String,
}

impl TraceError {
    pub(super) fn field(field: &str, problem: impl AsRef<str>) -> Self {
        Self { line: 0, cause: format!("field {field:?} {}", problem.as_ref()) }
    }

    pub(super) fn in_line(self, line: u64) -> Self {
        Self { line, ..self }
    }
}

/// A line, read and checked.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) at: Duration,
    pub(super) spec: Option<Spec>,
    pub(super) ready: Option<u32>,
    pub(super) averages: Option<Averages>,
    pub(super) sample: Option<Sample>,
}

/// A raw sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) metric: Metric,
    pub(super) value: f64,
}

/// The rules of the decider; fields that are left out keep what they had.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    target: Option<f64>,
    total: Option<f64>,
    target_burst_capacity: Option<f64>,
    panic_threshold: Option<f64>,
    stable_window: Option<f64>,
    panic_window: Option<f64>,
    max_scale_up_rate: Option<f64>,
    max_scale_down_rate: Option<f64>,
    activation_scale: Option<u32>,
    scale_down_delay: Option<f64>,
    /// Part of a decider, and of no decision.
    #[serde(rename = "initialScale")]
    _initial_scale: Option<u32>,
    reachable: Option<bool>,
}

const FIELDS: [&str; 7] = ["t", "spec", "ready", "stable", "panic", "concurrency", "rps"];
const SPEC_FIELDS: [&str; 12] = [
    "target",
    "total",
    "targetBurstCapacity",
    "panicThreshold",
    "stableWindow",
    "panicWindow",
    "maxScaleUpRate",
    "maxScaleDownRate",
    "activationScale",
    "scaleDownDelay",
    "initialScale",
    "reachable",
];
/// Latest time of a trace, in seconds: a thousand years keep all sums within range.
const TIME_MAX: f64 = 3.2e10;

impl Line {
    pub(super) fn parse(text: &str) -> Result<Self, TraceError> {
        let fields: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| TraceError { line: 0, cause: format!("is no JSON object: {error}") })?;
        known(&fields, &FIELDS, "")?;
        let amount = |name| number(&fields, name, 0.0, f64::MAX);
        let Some(t) = number(&fields, "t", 0.0, TIME_MAX)? else {
            return Err(TraceError::field("t", "is missing"));
        };
        let averages = match (amount("stable")?, amount("panic")?) {
            (Some(stable), Some(panic)) => Some(Averages { stable, panic }),
            (None, None) => None,
            (None, Some(_)) => return Err(TraceError::field("stable", "is missing beside \"panic\"")),
            (Some(_), None) => return Err(TraceError::field("panic", "is missing beside \"stable\"")),
        };
        let sample = match (amount("concurrency")?, amount("rps")?) {
            (Some(_), Some(_)) => return Err(TraceError::field("rps", "cannot stand beside \"concurrency\"")),
            (Some(value), None) => Some(Sample { metric: Metric::Concurrency, value }),
            (None, Some(value)) => Some(Sample { metric: Metric::RequestsPerSecond, value }),
            (None, None) => None,
        };
        let ready = number(&fields, "ready", 0.0, f64::from(u32::MAX))?.map(|ready| ready as u32);
        let spec = fields.get("spec").map(Spec::parse).transpose()?;
        if spec.is_none() && ready.is_none() && averages.is_none() && sample.is_none() {
            return Err(TraceError::field("t", "stands alone: expected spec, ready, stable and panic, or a sample"));
        }
        Ok(Self { at: Duration::from_secs_f64(t), spec, ready, averages, sample })
    }

    /// The rules from this line on, over those before it or the defaults.
    pub(super) fn policy(&self, before: Option<&Policy>) -> Policy {
        let mut policy = before.cloned().unwrap_or_else(defaults);
        if let Some(spec) = &self.spec {
            spec.apply(&mut policy);
        }
        policy
    }
}

impl Spec {
    fn parse(value: &Value) -> Result<Self, TraceError> {
        let Value::Object(fields) = value else { return Err(TraceError::field("spec", "is no JSON object")) };
        known(fields, &SPEC_FIELDS, "spec.")?;
        let window = SCALE_WINDOW_MAX.as_secs_f64();
        for (name, least, most) in [
            ("target", 0.01, f64::MAX),
            ("total", 0.01, f64::MAX),
            ("targetBurstCapacity", -1.0, f64::MAX),
            ("panicThreshold", 0.01, f64::MAX),
            ("stableWindow", 1.0, window),
            ("panicWindow", 1.0, window),
            ("maxScaleUpRate", 1.0, f64::MAX),
            ("maxScaleDownRate", 1.0, f64::MAX),
            ("scaleDownDelay", 0.0, window),
        ] {
            number(fields, name, least, most).map_err(|error| error.within_spec(name))?;
        }
        serde_json::from_value(value.clone())
            .map_err(|error| TraceError::field("spec", format!("is not valid: {error}")))
    }

    fn apply(&self, policy: &mut Policy) {
        let set = |field: &mut f64, value: Option<f64>| *field = value.unwrap_or(*field);
        set(&mut policy.target, self.target);
        set(&mut policy.total, self.total);
        set(&mut policy.target_burst_capacity, self.target_burst_capacity);
        set(&mut policy.panic_threshold, self.panic_threshold);
        set(&mut policy.up_rate, self.max_scale_up_rate);
        set(&mut policy.down_rate, self.max_scale_down_rate);
        let set = |field: &mut Duration, value: Option<f64>| *field = value.map_or(*field, Duration::from_secs_f64);
        set(&mut policy.stable_window, self.stable_window);
        set(&mut policy.panic_window, self.panic_window);
        set(&mut policy.scale_down_delay, self.scale_down_delay);
        policy.activation = self.activation_scale.unwrap_or(policy.activation);
        policy.reachability = match self.reachable {
            None => policy.reachability,
            Some(true) => Reachability::Reachable,
            Some(false) => Reachability::Unreachable,
        };
    }
}

/// A decider with Knative's defaults.
fn defaults() -> Policy {
    Policy {
        metric: Metric::Concurrency,
        target: 70.0,
        total: 100.0,
        target_burst_capacity: 211.0,
        panic_threshold: 2.0,
        stable_window: Duration::from_secs(60),
        panic_window: Duration::from_secs(6),
        up_rate: SCALE_UP_RATE,
        down_rate: SCALE_DOWN_RATE,
        activation: 1,
        scale_down_delay: Duration::ZERO,
        average: Average::Linear,
        reachability: Reachability::Reachable,
    }
}

impl TraceError {
    fn within_spec(self, name: &str) -> Self {
        Self { cause: self.cause.replacen(name, &format!("spec.{name}"), 1), ..self }
    }
}

fn known(fields: &Map<String, Value>, names: &[&str], prefix: &str) -> Result<(), TraceError> {
    match fields.keys().find(|field| !names.contains(&field.as_str())) {
        None => Ok(()),
        Some(field) => {
            Err(TraceError::field(&format!("{prefix}{field}"), format!("is not known: expected {}", names.join(", "))))
        }
    }
}

fn number(fields: &Map<String, Value>, name: &str, least: f64, most: f64) -> Result<Option<f64>, TraceError> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    match value.as_f64() {
        None => Err(TraceError::field(name, format!("is {value}: expected a number"))),
        Some(number) if number < least => Err(TraceError::field(name, format!("is {value}: at least {least}"))),
        Some(number) if number > most => Err(TraceError::field(name, format!("is {value}: at most {most}"))),
        Some(number) => Ok(Some(number)),
    }
}

/// Seconds as JSON: a whole number where they are whole.
pub(super) fn seconds(at: Duration) -> Number {
    match at.subsec_nanos() {
        0 => Number::from(at.as_secs()),
        _ => Number::from_f64(at.as_secs_f64()).unwrap_or_else(|| Number::from(at.as_secs())),
    }
}
