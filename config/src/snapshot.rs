//! The objects as the data plane uses them: resolved, defaulted, immutable. Projections make them from API objects;
//! nothing in the data plane reads an API object.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Names one namespaced object. Printed as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The namespace it lives in.
    pub namespace: String,
    /// Its name in that namespace.
    pub name: String,
}

impl ObjectKey {
    /// A key from its two parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// One change of what the data plane runs. Projections send them in any order across kinds; each is whole, so that a
/// later one replaces an earlier one of the same key.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A revision is there, or is there differently (bounds and grants may change; code and environment never do).
    Revision(Arc<Revision>),
    /// A revision is gone.
    RevisionGone(ObjectKey),
    /// A route is there, or is there differently.
    Route(Arc<Route>),
    /// A route is gone.
    RouteGone(ObjectKey),
    /// A broker is there, or is there differently.
    Broker(Arc<Broker>),
    /// A broker is gone.
    BrokerGone(ObjectKey),
    /// A trigger is there, or is there differently.
    Trigger(Arc<Trigger>),
    /// A trigger is gone.
    TriggerGone(ObjectKey),
    /// A bucket source is there, or is there differently.
    BucketSource(Arc<BucketSource>),
    /// A bucket source is gone.
    BucketSourceGone(ObjectKey),
}

impl Change {
    /// The object that it is about.
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Revision(revision) => &revision.key,
            Self::Route(route) => &route.key,
            Self::Broker(broker) => &broker.key,
            Self::Trigger(trigger) => &trigger.key,
            Self::BucketSource(source) => &source.key,
            Self::RevisionGone(key)
            | Self::RouteGone(key)
            | Self::BrokerGone(key)
            | Self::TriggerGone(key)
            | Self::BucketSourceGone(key) => key,
        }
    }

    /// Whether the object is gone.
    pub fn is_end(&self) -> bool {
        match self {
            Self::Revision(_) | Self::Route(_) | Self::Broker(_) | Self::Trigger(_) | Self::BucketSource(_) => false,
            Self::RevisionGone(_)
            | Self::RouteGone(_)
            | Self::BrokerGone(_)
            | Self::TriggerGone(_)
            | Self::BucketSourceGone(_) => true,
        }
    }
}

/// An immutable snapshot of a function, ready to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// The revision's own key.
    pub key: ObjectKey,
    /// The object's uid: a revision that was deleted and made again is another one.
    pub uid: String,
    /// The function (Knative Service) it belongs to; the configuration's name where there is none.
    pub service: String,
    /// The configuration that made it.
    pub configuration: String,
    /// sha256 of the component's bytes, 64 lower-case hex digits.
    pub artifact: String,
    /// Environment, resolved, in the order given, with `K_SERVICE`, `K_CONFIGURATION`, `K_REVISION` and `PORT`.
    pub env: Vec<(String, String)>,
    /// Arguments given to the function.
    pub args: Vec<String>,
    /// Bounds of one call.
    pub limits: CallLimits,
    /// Calls that one instance takes at once; 0 is no limit of its own.
    pub container_concurrency: u32,
    /// How it scales.
    pub scale: Scale,
    /// Whether an instance serves more than one request.
    pub reuse: Reuse,
    /// What it may reach.
    pub grants: Grants,
}

/// Bounds of one call of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallLimits {
    /// Sum of all linear memories of one instance, in bytes.
    pub memory_bytes: u64,
    /// CPU time of one call.
    pub cpu: Duration,
    /// Wall time of one call, from its admission to its last byte (`timeoutSeconds`).
    pub timeout: Duration,
    /// Wall time until the answer's head (`responseStartTimeoutSeconds`).
    pub response_start: Option<Duration>,
}

/// Whether an instance serves more than one request. Fresh is the default: no request sees another's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reuse {
    /// A new instance for each request.
    Fresh,
    /// One request after another, at most this many, then a new instance.
    Serial {
        /// How many requests one instance serves.
        requests: u32,
    },
}

/// What a function may reach beyond its own request. Everything else is refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grants {
    /// Buckets by name.
    pub buckets: BTreeMap<String, Access>,
    /// Key-value stores by name.
    pub key_value: BTreeSet<String>,
    /// Hosts it may call: `https://api.example.com`, `http://10.0.0.5:8080`; `*` stands for any public host.
    pub outbound: BTreeSet<String>,
}

/// How a bucket may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Access {
    /// Get and list.
    Read,
    /// Get, list, put, delete.
    ReadWrite,
}

/// How a revision scales. Names, defaults and bounds are Knative's `autoscaling.knative.dev/*` annotations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// What is counted.
    pub metric: Metric,
    /// Value of the metric that one instance should carry at full use.
    pub total: f64,
    /// `total` times the target utilization, at least 0.01: what the scaler aims at.
    pub target: f64,
    /// Fewest instances.
    pub min: u32,
    /// Most instances; 0 is no bound.
    pub max: u32,
    /// Instances when the revision is made.
    pub initial: u32,
    /// Fewest instances when leaving zero.
    pub activation: u32,
    /// The long window.
    pub stable_window: Duration,
    /// The short window.
    pub panic_window: Duration,
    /// Panic begins when the short window asks for this many times the ready instances.
    pub panic_threshold: f64,
    /// Spare capacity below which the activator stays in the path; -1 is always.
    pub target_burst_capacity: f64,
    /// How long a lower number must hold before it is taken.
    pub scale_down_delay: Duration,
    /// How long the last instance is kept after the window ran out.
    pub retention: Duration,
}

/// What the scaler counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metric {
    /// Requests in flight.
    Concurrency,
    /// Requests per second.
    RequestsPerSecond,
}

/// Where the requests of some hosts go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The route's own key; its name is the function's name.
    pub key: ObjectKey,
    /// The object's uid: a route that was deleted and made again is another one.
    pub uid: String,
    /// Host names that lead here, lower case, without a port.
    pub hosts: Vec<String>,
    /// The split; percents add up to 100.
    pub targets: Vec<RouteTarget>,
}

/// One share of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTarget {
    /// Who serves it.
    pub revision: ObjectKey,
    /// 0 to 100.
    pub percent: u8,
}

/// A broker: a durable log of events that triggers read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Broker {
    /// The broker's own key.
    pub key: ObjectKey,
    /// The object's uid; the log on disk is named by it.
    pub uid: String,
    /// Delivery of triggers that bring none of their own.
    pub delivery: Delivery,
    /// How long events are kept once no trigger waits for them.
    pub retention: Retention,
}

/// When old events may go. Never while one is pending or retrying, unless `drop_pending` says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retention {
    /// Oldest age kept.
    pub age: Duration,
    /// Most bytes kept.
    pub bytes: u64,
    /// Drop pending events too, and count them as expired (annotation `fnctl.dev/retention: delete`).
    pub drop_pending: bool,
}

/// Sends a broker's matching events to a subscriber.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// The trigger's own key.
    pub key: ObjectKey,
    /// The object's uid; its cursor is kept by it.
    pub uid: String,
    /// The object's generation: filters in force at a position are looked up by it.
    pub generation: i64,
    /// The broker it reads.
    pub broker: ObjectKey,
    /// Which events.
    pub filter: Filter,
    /// To whom.
    pub subscriber: Destination,
    /// How hard to try; the broker's where the trigger brings none (never merged field by field).
    pub delivery: Option<Delivery>,
    /// One event at a time per partition key.
    pub ordered: bool,
    /// A 2xx answer with a body that is no event counts as a failure, as in Knative; by default it is noted only.
    pub strict_reply: bool,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Destination {
    /// A function of this home, called in process.
    Function {
        /// The Knative Service.
        key: ObjectKey,
        /// Path and query, at least `/`.
        path: String,
    },
    /// A broker of this home, appended in process.
    Broker {
        /// The broker.
        key: ObjectKey,
    },
    /// Any other URL, by HTTP POST.
    Uri {
        /// Absolute, http or https.
        uri: String,
        /// PEM certificates that are trusted beside the machine's; https only.
        #[serde(default)]
        ca_certs: Option<String>,
    },
}

/// How hard to try to deliver. Knative's DeliverySpec, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Tries after the first one.
    pub retry: u32,
    /// How the wait grows.
    pub backoff: Backoff,
    /// The wait's unit.
    pub backoff_delay: Duration,
    /// Bound of one attempt; the function's own timeout where there is none.
    pub timeout: Option<Duration>,
    /// Where exhausted events go; parked in the broker where there is none.
    pub dead_letter: Option<Destination>,
    /// Most of a subscriber's `Retry-After` that is honoured (429 and 503); none is not at all.
    pub retry_after_max: Option<Duration>,
}

/// How the wait between attempts grows. n is the number of the retry, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backoff {
    /// delay * n: the first retry is at once.
    Linear,
    /// delay * 2^n.
    Exponential,
}

/// A trigger's filter, parsed and checked. Values are compared as the strings that CloudEvents attributes print as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// All of these; `All(vec![])` matches every event.
    All(Vec<Filter>),
    /// At least one of these.
    Any(Vec<Filter>),
    /// Not this one.
    Not(Box<Filter>),
    /// The attribute is there and equals.
    Exact {
        /// Attribute name.
        attribute: String,
        /// Value.
        value: String,
    },
    /// The attribute is there and begins with.
    Prefix {
        /// Attribute name.
        attribute: String,
        /// Value.
        value: String,
    },
    /// The attribute is there and ends with.
    Suffix {
        /// Attribute name.
        attribute: String,
        /// Value.
        value: String,
    },
    /// The attribute is there and not empty (the empty value of the legacy `filter.attributes`).
    Present {
        /// Attribute name.
        attribute: String,
    },
}

/// A bucket's notifications as events for a sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketSource {
    /// The source's own key.
    pub key: ObjectKey,
    /// The object's uid; its cursor is kept by it.
    pub uid: String,
    /// The bucket on this node.
    pub bucket: String,
    /// S3 event names, exact or with a trailing `*`, without the `s3:` prefix; empty is all.
    pub event_types: Vec<String>,
    /// Keys that begin with this.
    pub prefix: String,
    /// Keys that end with this.
    pub suffix: String,
    /// Where the events go.
    pub sink: Destination,
}
