//! What a decision is made from: the rules of a revision, and what was seen of it.

use crate::window::Average;
use fnctl_config::limits;
use fnctl_config::snapshot::{Metric, Scale};
use std::time::Duration;

/// The rules of one revision. Fields that could make no sense (a target of 0, a rate below 1) are read as the nearest
/// value that does.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What is counted.
    pub metric: Metric,
    /// Value of the metric that each instance should carry.
    pub target: f64,
    /// Value of the metric that an instance can carry at most; capacity is counted in it.
    pub total: f64,
    /// Spare capacity below which the activator stays in the path; negative is always.
    pub target_burst_capacity: f64,
    /// Panic begins when the short window needs this many times the ready instances.
    pub panic_threshold: f64,
    /// The long window.
    pub stable_window: Duration,
    /// The short window.
    pub panic_window: Duration,
    /// Most that one decision multiplies the ready instances by.
    pub up_rate: f64,
    /// Most that one decision divides the ready instances by.
    pub down_rate: f64,
    /// Fewest instances when there is any load; 0 and 1 change nothing.
    pub activation: u32,
    /// How long a lower number must hold before it is taken. Read when the state is made.
    pub scale_down_delay: Duration,
    /// How samples become an average.
    pub average: Average,
    /// Whether a route leads here.
    pub reachability: Reachability,
}

/// Whether any route leads to a revision. One that none leads to shrinks at once and needs no fewest instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reachability {
    /// A route names it, or nothing is known yet.
    #[default]
    Reachable,
    /// No route names it.
    Unreachable,
}

impl Policy {
    /// The rules that a revision's own settings and Knative's fixed rates make.
    pub fn new(scale: &Scale, reachability: Reachability) -> Self {
        Self {
            metric: scale.metric,
            target: scale.target,
            total: scale.total,
            target_burst_capacity: scale.target_burst_capacity,
            panic_threshold: scale.panic_threshold,
            stable_window: scale.stable_window,
            panic_window: scale.panic_window,
            up_rate: limits::SCALE_UP_RATE,
            down_rate: limits::SCALE_DOWN_RATE,
            activation: scale.activation,
            scale_down_delay: scale.scale_down_delay,
            average: Average::Linear,
            reachability,
        }
    }
}

/// What was seen of a revision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Instances that can take requests.
    pub ready: u32,
    /// The averages, where there are any.
    pub averages: Option<Averages>,
}

/// The metric over both windows: finite and not negative, or it counts as no data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Averages {
    /// Over the long window.
    pub stable: f64,
    /// Over the short window.
    pub panic: f64,
}
