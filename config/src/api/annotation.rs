//! Annotations: our own and Knative's, with their meaning and bounds. Validation and resolution read them through the
//! same functions, so that what is admitted can be run.

use super::error::{FieldError, FieldErrorKind, keyed};
use crate::address::is_bucket_name;
use crate::duration::parse_go;
use crate::limits::{CPU_DEFAULT, CPU_MAX, EPOCH_TICK, REUSE_REQUESTS_MAX};
use crate::snapshot::{Access, Grants, Metric, Reuse, Scale};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

/// Requests that one instance serves, one after another; a fresh instance each where it is not given.
pub const REUSE: &str = "fnctl.dev/reuse";
/// CPU time of one call, such as `10s` or `500ms`.
pub const CPU: &str = "fnctl.dev/cpu";
/// Buckets that the function may use: `xray-in=read,xray-out=write`. Writing includes reading.
pub const BUCKETS: &str = "fnctl.dev/buckets";
/// Key-value stores that the function may use, by name, separated by commas.
pub const KEY_VALUE: &str = "fnctl.dev/key-value";
/// Hosts that the function may call, such as `https://api.example.com`, separated by commas; `*` is any public host.
pub const OUTBOUND: &str = "fnctl.dev/outbound";
/// On a Broker: `delete` drops pending events at the retention's end, counted as expired; otherwise they are kept.
pub const RETENTION: &str = "fnctl.dev/retention";
/// On a Trigger: `true` makes a 2xx answer with a body that is no event a failure, as in Knative.
pub const STRICT_REPLY: &str = "fnctl.dev/strict-reply";
/// What runs the function: `wasm`. `process` is refused for now.
pub const ENGINE: &str = "fnctl.dev/engine";
/// On a Trigger: `ordered` delivers one event at a time per partition key; `unordered` is the default.
pub const DELIVERY_ORDER: &str = "kafka.eventing.knative.dev/delivery.order";
/// On a Broker: what kind of broker it is.
pub const BROKER_CLASS: &str = "eventing.knative.dev/broker.class";
/// The class of brokers that name none: Knative's default, and what this node's brokers answer to.
pub const BROKER_CLASS_DEFAULT: &str = "MTChannelBasedBroker";
/// On a Trigger: an object that must be ready first. Refused for now.
pub const DEPENDENCY: &str = "knative.dev/dependency";
/// On a Trigger: makes its broker. Refused.
pub const INJECTION: &str = "eventing.knative.dev/injection";
/// Annotations of ours that work on revisions only.
pub const OF_REVISIONS: [&str; 6] = [REUSE, CPU, BUCKETS, KEY_VALUE, OUTBOUND, ENGINE];
/// All annotations under our own prefix.
pub const OURS: [&str; 8] = [REUSE, CPU, BUCKETS, KEY_VALUE, OUTBOUND, ENGINE, RETENTION, STRICT_REPLY];
/// Prefix of the autoscaler's annotations.
pub const AUTOSCALING: &str = "autoscaling.knative.dev/";

/// Annotations of an object.
pub type Annotations = BTreeMap<String, String>;

/// Reads annotations and collects what is wrong with them.
struct Reader<'a> {
    annotations: &'a Annotations,
    path: &'a str,
    errors: Vec<FieldError>,
}

impl Reader<'_> {
    /// The value of an annotation; the autoscaler's may also be written in camel case, as older manifests do.
    fn text(&self, key: &str) -> Option<&str> {
        let older = || self.annotations.get(&camel_case(key)).filter(|_| key.starts_with(AUTOSCALING));
        self.annotations.get(key).or_else(older).map(String::as_str)
    }

    fn invalid(&mut self, key: &str, why: impl Display) {
        let value = self.text(key).unwrap_or_default();
        self.errors.push(FieldError::invalid_because(value, &keyed(self.path, key), why));
    }

    fn number<T: FromStr + PartialOrd + Display + Copy>(&mut self, key: &str, min: T, max: T) -> Option<T> {
        let value = self.text(key)?.to_owned();
        match value.parse::<T>() {
            Ok(number) if number >= min && number <= max => return Some(number),
            Ok(_) => self.errors.push(FieldError::out_of_bounds(value, min, max, &keyed(self.path, key))),
            Err(_) => self.errors.push(FieldError::invalid(value, &keyed(self.path, key))),
        }
        None
    }

    fn seconds(&mut self, key: &str, min: Duration, max: Duration) -> Option<Duration> {
        let value = self.text(key)?.to_owned();
        match parse_go(&value) {
            Ok(time) if time.subsec_nanos() != 0 => {
                self.invalid(key, "must be specified with at most second precision")
            }
            Ok(time) if time >= min && time <= max => return Some(time),
            Ok(_) => {
                let (min, max) = (format!("{}s", min.as_secs()), format!("{}s", max.as_secs()));
                self.errors.push(FieldError::out_of_bounds(value, min, max, &keyed(self.path, key)));
            }
            Err(why) => self.invalid(key, why),
        }
        None
    }

    fn list(&self, key: &str) -> Vec<String> {
        let text = self.text(key).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }
}

/// How a revision scales, by its annotations (at `path`) and `containerConcurrency`: Knative's names, defaults, bounds.
pub fn scale(annotations: &Annotations, container_concurrency: u32, path: &str) -> Result<Scale, Vec<FieldError>> {
    let hour = Duration::from_secs(3_600);
    let key = |name: &str| format!("{AUTOSCALING}{name}");
    let mut reader = Reader { annotations, path, errors: Vec::new() };
    let metric = match reader.text(&key("metric")) {
        None | Some("concurrency") => Metric::Concurrency,
        Some("rps") => Metric::RequestsPerSecond,
        Some(_) => {
            reader.invalid(&key("metric"), "must be concurrency or rps");
            Metric::Concurrency
        }
    };
    if reader.text(&key("class")).is_some_and(|class| class != "kpa.autoscaling.knative.dev") {
        reader.invalid(&key("class"), "only kpa.autoscaling.knative.dev is supported");
    }
    if reader.text(&key("metric-aggregation-algorithm")).is_some_and(|algorithm| algorithm != "linear") {
        reader.invalid(&key("metric-aggregation-algorithm"), "only linear is supported yet");
    }
    let default = match (metric, container_concurrency) {
        (Metric::RequestsPerSecond, _) => 200.0,
        (Metric::Concurrency, 0) => 100.0,
        (Metric::Concurrency, bound) => f64::from(bound),
    };
    let mut total: f64 = reader.number(&key("target"), 0.01, f64::MAX).unwrap_or(default);
    if metric == Metric::Concurrency && container_concurrency > 0 {
        total = total.min(f64::from(container_concurrency));
    }
    let utilization = reader.number(&key("target-utilization-percentage"), 1.0, 100.0).unwrap_or(70.0) / 100.0;
    let bound = |reader: &mut Reader<'_>, name: &str, min: i32| {
        reader.number(&key(name), min, i32::MAX).and_then(|number| u32::try_from(number).ok())
    };
    let min = bound(&mut reader, "min-scale", 0).unwrap_or(0);
    let max = bound(&mut reader, "max-scale", 0).unwrap_or(0);
    let initial = bound(&mut reader, "initial-scale", 1).unwrap_or(1);
    let activation = bound(&mut reader, "activation-scale", 2).unwrap_or(1);
    if max > 0 && min > max {
        let sentence = format!("max-scale={max} is less than min-scale={min}");
        reader.errors.push(FieldError::general(FieldErrorKind::Invalid, &keyed(path, &key("max-scale")), sentence));
    }
    if max > 0 && activation > max {
        let sentence = format!("max-scale={max} is less than activation-scale={activation}");
        let path = keyed(path, &key("activation-scale"));
        reader.errors.push(FieldError::general(FieldErrorKind::Invalid, &path, sentence));
    }
    let stable = reader.seconds(&key("window"), Duration::from_secs(6), hour).unwrap_or(Duration::from_secs(60));
    let panic = reader.number(&key("panic-window-percentage"), 1.0, 100.0).unwrap_or(10.0);
    let panic = (stable.as_secs_f64() * panic / 100.0).round().max(1.0);
    let scale = Scale {
        metric,
        total,
        target: (total * utilization).max(0.01),
        min,
        max,
        initial,
        activation,
        stable_window: stable,
        panic_window: Duration::from_secs_f64(panic),
        panic_threshold: reader.number(&key("panic-threshold-percentage"), 110.0, 1000.0).unwrap_or(200.0) / 100.0,
        target_burst_capacity: burst_capacity(&mut reader, &key("target-burst-capacity")),
        scale_down_delay: reader.seconds(&key("scale-down-delay"), Duration::ZERO, hour).unwrap_or_default(),
        retention: reader.seconds(&key("scale-to-zero-pod-retention-period"), Duration::ZERO, hour).unwrap_or_default(),
    };
    if reader.errors.is_empty() { Ok(scale) } else { Err(reader.errors) }
}

/// `a.b/min-scale` as `a.b/minScale`.
fn camel_case(key: &str) -> String {
    let mut parts = key.split('-');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let (head, tail) = part.split_at_checked(1).unwrap_or((part, ""));
        name + &head.to_ascii_uppercase() + tail
    })
}

fn burst_capacity(reader: &mut Reader<'_>, key: &str) -> f64 {
    match reader.text(key) {
        None => 211.0,
        Some("-1") => -1.0,
        Some(_) => reader.number(key, 0.0, f64::MAX).unwrap_or(211.0),
    }
}

/// Our annotations on a revision, with a meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Extensions {
    /// Whether an instance serves more than one request.
    pub reuse: Reuse,
    /// CPU time of one call.
    pub cpu: Duration,
    /// What the function may reach.
    pub grants: Grants,
}

/// Reads our annotations of a revision, which stand at `path`.
pub fn extensions(annotations: &Annotations, path: &str) -> Result<Extensions, Vec<FieldError>> {
    let mut reader = Reader { annotations, path, errors: Vec::new() };
    let reuse = match reader.number(REUSE, 1, REUSE_REQUESTS_MAX) {
        None | Some(1) => Reuse::Fresh,
        Some(requests) => Reuse::Serial { requests },
    };
    let cpu = match reader.text(CPU).map(parse_go) {
        None => CPU_DEFAULT,
        Some(Ok(cpu)) if cpu >= EPOCH_TICK && cpu <= CPU_MAX => cpu,
        Some(Ok(_)) => {
            reader.invalid(CPU, format_args!("expected {EPOCH_TICK:?} to {CPU_MAX:?}"));
            CPU_DEFAULT
        }
        Some(Err(why)) => {
            reader.invalid(CPU, why);
            CPU_DEFAULT
        }
    };
    let mut grants = Grants { key_value: reader.list(KEY_VALUE).into_iter().collect(), ..Grants::default() };
    for bucket in reader.list(BUCKETS) {
        let access = match bucket.split_once('=') {
            Some((name, "read")) if is_bucket_name(name) => Access::Read,
            Some((name, "write")) if is_bucket_name(name) => Access::ReadWrite,
            _ => {
                reader.invalid(
                    BUCKETS,
                    "expected NAME=read or NAME=write with the names of buckets, separated by commas",
                );
                continue;
            }
        };
        grants.buckets.insert(bucket.split('=').next().unwrap_or_default().to_owned(), access);
    }
    for host in reader.list(OUTBOUND) {
        let authority = host.strip_prefix("https://").or_else(|| host.strip_prefix("http://"));
        if host != "*" && authority.is_none_or(str::is_empty) {
            reader.invalid(OUTBOUND, "expected https://HOST, http://HOST:PORT or *, separated by commas");
        }
        grants.outbound.insert(host);
    }
    match reader.text(ENGINE) {
        None | Some("wasm") => {}
        Some("process") => reader.invalid(ENGINE, "processes are not supported yet: use wasm"),
        Some(_) => reader.invalid(ENGINE, "expected wasm"),
    }
    if reader.errors.is_empty() { Ok(Extensions { reuse, cpu, grants }) } else { Err(reader.errors) }
}

#[cfg(test)]
mod tests;
