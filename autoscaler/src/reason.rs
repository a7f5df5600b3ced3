//! Why a number was decided: the rule and its figures, and one sentence of them.

use fnctl_config::snapshot::Metric;
use std::fmt;
use std::time::Duration;

/// The rule that set the number.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Nothing is known of the load, so nothing changes.
    NoData {
        /// The long window.
        window: Duration,
    },
    /// The long window's number.
    Stable(Share),
    /// A burst is on, and this number is the highest of it.
    Panic {
        /// Of the short window, or of the long one where that asks for more.
        share: Share,
        /// When the short window last asked for too much.
        since: Duration,
    },
    /// A burst is on, and less is needed than before; the number does not fall in a burst.
    PanicHold {
        /// What would do now.
        share: Share,
        /// The highest number of the burst.
        floor: u32,
        /// When the short window last asked for too much.
        since: Duration,
    },
    /// Less is needed, but not for long enough yet.
    ScaleDownDelay {
        /// What would do now.
        wanted: u32,
        /// The highest number within the delay.
        held: u32,
        /// How long a lower number must hold.
        delay: Duration,
    },
}

/// What one window asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// What is counted.
    pub metric: Metric,
    /// Its average.
    pub average: f64,
    /// Over how long.
    pub window: Duration,
    /// What each instance should carry.
    pub target: f64,
    /// Instances that the load needs.
    pub needed: u32,
    /// Instances that the rule allows.
    pub instances: u32,
    /// What set `instances`.
    pub rule: Rule,
}

/// What sets the number of one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// The load alone.
    Load,
    /// No more than `rate` times the ready instances at once.
    UpLimit {
        /// `max-scale-up-rate`.
        rate: f64,
    },
    /// No fewer than the ready instances divided by `rate` at once.
    DownLimit {
        /// `max-scale-down-rate`.
        rate: f64,
    },
    /// The fewest instances when there is any load.
    ActivationScale,
}

impl Reason {
    /// The rule's name, one CamelCase word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoData { .. } => "NoData",
            Self::Panic { .. } => "Panic",
            Self::PanicHold { .. } => "PanicHold",
            Self::ScaleDownDelay { .. } => "ScaleDownDelay",
            Self::Stable(share) => match share.rule {
                Rule::Load if share.needed == 0 => "NoTraffic",
                Rule::Load => "Load",
                Rule::UpLimit { .. } => "UpLimit",
                Rule::DownLimit { .. } => "DownLimit",
                Rule::ActivationScale => "ActivationScale",
            },
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoData { window } => write!(f, "no sample came in the last {window:?}, so nothing changes"),
            Self::Stable(share) => write!(f, "{share}"),
            Self::Panic { share, since } => {
                write!(f, "{share}; in panic since {since:?}, where the number only grows")
            }
            Self::PanicHold { share, floor, since } => {
                write!(f, "{share}; in panic since {since:?}, so the number stays at {floor}")
            }
            Self::ScaleDownDelay { wanted, held, delay } => {
                write!(f, "{wanted} would do, but {held} were needed within the scale-down delay of {delay:?}")
            }
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { average, window, target, needed, instances, .. } = self;
        let metric = match self.metric {
            Metric::Concurrency => "requests in flight",
            Metric::RequestsPerSecond => "requests per second",
        };
        if *needed == 0 {
            write!(f, "no {metric} over {window:?}")?;
        } else {
            write!(f, "{average} {metric} on average over {window:?}, {target} for each instance, need {needed}")?;
        }
        match self.rule {
            Rule::Load => Ok(()),
            Rule::UpLimit { rate } => write!(f, "; one step grows {rate} times at most, to {instances}"),
            Rule::DownLimit { rate } => write!(f, "; one step shrinks {rate} times at most, to {instances}"),
            Rule::ActivationScale => write!(f, "; activation scale asks for {instances}"),
        }
    }
}
