use super::*;

fn annotations(written: &[(&str, &str)]) -> Annotations {
    written.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn scaled(name: &str, value: &str, concurrency: u32) -> Result<Scale, String> {
    let key = format!("{AUTOSCALING}{name}");
    first(scale(&annotations(&[(&key, value)]), concurrency, "p"))
}

fn first<T>(found: Result<T, Vec<FieldError>>) -> Result<T, String> {
    found.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn default() -> Scale {
    Scale {
        metric: Metric::Concurrency,
        total: 100.0,
        target: 70.0,
        min: 0,
        max: 0,
        initial: 1,
        activation: 1,
        stable_window: Duration::from_secs(60),
        panic_window: Duration::from_secs(6),
        panic_threshold: 2.0,
        target_burst_capacity: 211.0,
        scale_down_delay: Duration::ZERO,
        retention: Duration::ZERO,
    }
}

#[test]
fn settings_of_scale() {
    let seconds = Duration::from_secs;
    let hour = seconds(3_600);
    assert_eq!(scale(&Annotations::new(), 0, "p"), Ok(default()));
    for (name, value, expected) in [
        ("metric", "concurrency", default()),
        ("metric", "rps", Scale { metric: Metric::RequestsPerSecond, total: 200.0, target: 140.0, ..default() }),
        ("class", "kpa.autoscaling.knative.dev", default()),
        ("metric-aggregation-algorithm", "linear", default()),
        ("target", "0.01", Scale { total: 0.01, target: 0.01, ..default() }),
        ("target", "200", Scale { total: 200.0, target: 140.0, ..default() }),
        ("target-utilization-percentage", "1", Scale { target: 1.0, ..default() }),
        ("target-utilization-percentage", "100", Scale { target: 100.0, ..default() }),
        ("min-scale", "5", Scale { min: 5, ..default() }),
        ("minScale", "5", Scale { min: 5, ..default() }),
        ("max-scale", "1", Scale { max: 1, ..default() }),
        ("initial-scale", "2", Scale { initial: 2, ..default() }),
        ("activation-scale", "2", Scale { activation: 2, ..default() }),
        ("window", "6s", Scale { stable_window: seconds(6), panic_window: seconds(1), ..default() }),
        ("window", "1h", Scale { stable_window: hour, panic_window: seconds(360), ..default() }),
        ("panic-window-percentage", "1", Scale { panic_window: seconds(1), ..default() }),
        ("panic-window-percentage", "4.2", Scale { panic_window: seconds(3), ..default() }),
        ("panic-window-percentage", "100", Scale { panic_window: seconds(60), ..default() }),
        ("panicWindowPercentage", "100", Scale { panic_window: seconds(60), ..default() }),
        ("panic-threshold-percentage", "110", Scale { panic_threshold: 1.1, ..default() }),
        ("panic-threshold-percentage", "1000", Scale { panic_threshold: 10.0, ..default() }),
        ("target-burst-capacity", "-1", Scale { target_burst_capacity: -1.0, ..default() }),
        ("target-burst-capacity", "0", Scale { target_burst_capacity: 0.0, ..default() }),
        ("scale-down-delay", "0s", default()),
        ("scale-down-delay", "1h", Scale { scale_down_delay: hour, ..default() }),
        ("scale-to-zero-pod-retention-period", "1m10s", Scale { retention: seconds(70), ..default() }),
    ] {
        assert_eq!(scaled(name, value, 0), Ok(expected), "{name}: {value}");
    }
}

#[test]
fn a_concurrency_that_is_set_bounds_the_target() {
    for (target, concurrency, total) in
        [("50", 10, 10.0), ("5", 10, 5.0), ("10", 10, 10.0), ("", 10, 10.0), ("50", 0, 50.0), ("", 1, 1.0)]
    {
        let key = format!("{AUTOSCALING}target");
        let written = annotations(&[(key.as_str(), target)].map(|pair| pair)[..usize::from(!target.is_empty())]);
        let found = scale(&written, concurrency, "p").unwrap();
        assert_eq!((found.total, found.target), (total, total * 0.7), "{target} of {concurrency}");
    }
    let rps = scaled("metric", "rps", 10).unwrap();
    assert_eq!(rps.total, 200.0, "requests per second have nothing to do with it");
}

#[test]
fn settings_of_scale_that_are_refused() {
    for (name, value, expected) in [
        ("metric", "cpu", "invalid value: cpu: p[autoscaling.knative.dev/metric]\nmust be concurrency or rps"),
        ("class", "hpa.autoscaling.knative.dev", "invalid value: hpa.autoscaling.knative.dev: p"),
        ("metric-aggregation-algorithm", "weightedExponential", "invalid value: weightedExponential: p"),
        ("target", "0.009", "expected 0.01 <= 0.009 <= "),
        ("target", "NaN", "expected 0.01 <= NaN <= "),
        ("target", "x", "invalid value: x: p[autoscaling.knative.dev/target]"),
        ("target-utilization-percentage", "0.9", "expected 1 <= 0.9 <= 100: p"),
        ("target-utilization-percentage", "100.1", "expected 1 <= 100.1 <= 100: p"),
        ("min-scale", "-1", "expected 0 <= -1 <= 2147483647: p"),
        ("max-scale", "-1", "expected 0 <= -1 <= 2147483647: p"),
        ("initial-scale", "0", "expected 1 <= 0 <= 2147483647: p"),
        ("activation-scale", "1", "expected 2 <= 1 <= 2147483647: p"),
        ("window", "5s", "expected 6s <= 5s <= 3600s: p[autoscaling.knative.dev/window]"),
        ("window", "3601s", "expected 6s <= 3601s <= 3600s: p"),
        (
            "window",
            "6500ms",
            "invalid value: 6500ms: p[autoscaling.knative.dev/window]\nmust be specified with at most",
        ),
        ("window", "x", "invalid value: x: p[autoscaling.knative.dev/window]\nexpected a duration"),
        ("panic-window-percentage", "0.9", "expected 1 <= 0.9 <= 100: p"),
        ("panic-threshold-percentage", "109", "expected 110 <= 109 <= 1000: p"),
        ("target-burst-capacity", "-2", "expected 0 <= -2 <= "),
        ("scale-down-delay", "3601s", "expected 0s <= 3601s <= 3600s: p"),
        ("scale-to-zero-pod-retention-period", "3601s", "expected 0s <= 3601s <= 3600s: p"),
    ] {
        let error = scaled(name, value, 0).unwrap_err();
        assert!(error.starts_with(expected), "{name}: {error}");
    }
}

#[test]
fn numbers_that_contradict_each_other() {
    let both = |name: &str, value: &str, max: &str| {
        let (key, most) = (format!("{AUTOSCALING}{name}"), format!("{AUTOSCALING}max-scale"));
        first(scale(&annotations(&[(&key, value), (&most, max)]), 0, "p")).err()
    };
    for (name, value, max, expected) in [
        ("min-scale", "3", "2", Some("max-scale=2 is less than min-scale=3: p[autoscaling.knative.dev/max-scale]")),
        ("min-scale", "2", "2", None),
        ("min-scale", "2", "0", None),
        (
            "activation-scale",
            "3",
            "2",
            Some("max-scale=2 is less than activation-scale=3: p[autoscaling.knative.dev/activation-scale]"),
        ),
        ("activation-scale", "2", "2", None),
        ("activation-scale", "2", "0", None),
    ] {
        assert_eq!(both(name, value, max).as_deref(), expected, "{name} {value} of {max}");
    }
    let key = |name: &str| format!("{AUTOSCALING}{name}");
    let spelled = annotations(&[(&key("min-scale"), "1"), (&key("minScale"), "2")]);
    assert_eq!(scale(&spelled, 0, "p").unwrap().min, 1, "the newer spelling counts");
}

fn extended(name: &str, value: &str) -> Result<Extensions, String> {
    first(extensions(&annotations(&[(name, value)]), "p"))
}

#[test]
fn our_own_settings() {
    let none = || Extensions { reuse: Reuse::Fresh, cpu: CPU_DEFAULT, grants: Grants::default() };
    let buckets = |written: &[(&str, Access)]| Grants {
        buckets: written.iter().map(|(name, access)| ((*name).to_owned(), *access)).collect(),
        ..Grants::default()
    };
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let grants = |grants: Grants| Extensions { grants, ..none() };
    assert_eq!(extensions(&Annotations::new(), "p"), Ok(none()));
    for (name, value, expected) in [
        (REUSE, "1", none()),
        (REUSE, "2", Extensions { reuse: Reuse::Serial { requests: 2 }, ..none() }),
        (REUSE, "1000000", Extensions { reuse: Reuse::Serial { requests: REUSE_REQUESTS_MAX }, ..none() }),
        (CPU, "10ms", Extensions { cpu: EPOCH_TICK, ..none() }),
        (CPU, "10m", Extensions { cpu: CPU_MAX, ..none() }),
        (BUCKETS, "", none()),
        (BUCKETS, "aaa=read, bbb=write,", grants(buckets(&[("aaa", Access::Read), ("bbb", Access::ReadWrite)]))),
        (KEY_VALUE, "a, b,,", grants(Grants { key_value: named(&["a", "b"]), ..Grants::default() })),
        (
            OUTBOUND,
            "*,https://x, http://y:1",
            grants(Grants { outbound: named(&["*", "https://x", "http://y:1"]), ..Grants::default() }),
        ),
        (ENGINE, "wasm", none()),
        ("fnctl.dev/Reuse", "2", none()),
    ] {
        assert_eq!(extended(name, value), Ok(expected), "{name}: {value}");
    }
    for (name, value, expected) in [
        (REUSE, "0", "expected 1 <= 0 <= 1000000: p[fnctl.dev/reuse]"),
        (REUSE, "1000001", "expected 1 <= 1000001 <= 1000000: p[fnctl.dev/reuse]"),
        (CPU, "9ms", "invalid value: 9ms: p[fnctl.dev/cpu]\nexpected 10ms to 600s"),
        (CPU, "601s", "invalid value: 601s: p[fnctl.dev/cpu]\nexpected 10ms to 600s"),
        (CPU, "1d", "invalid value: 1d: p[fnctl.dev/cpu]\nexpected a duration such as 500ms, 10s or 1m30s"),
        (
            BUCKETS,
            "aaa",
            "invalid value: aaa: p[fnctl.dev/buckets]\nexpected NAME=read or NAME=write with the names...",
        ),
        (
            BUCKETS,
            "aaa=both",
            "invalid value: aaa=both: p[fnctl.dev/buckets]\nexpected NAME=read or NAME=write with...",
        ),
        (BUCKETS, "=read", "invalid value: =read: p[fnctl.dev/buckets]..."),
        (BUCKETS, "aaa,A_b=write", "invalid value: aaa,A_b=write: p[fnctl.dev/buckets]..."),
        (OUTBOUND, "x", "invalid value: x: p[fnctl.dev/outbound]\nexpected https://HOST, http://HOST:PORT or *, ..."),
        (OUTBOUND, "https://", "invalid value: https://: p[fnctl.dev/outbound]..."),
        (OUTBOUND, "ftp://x", "invalid value: ftp://x: p[fnctl.dev/outbound]..."),
        (ENGINE, "process", "invalid value: process: p[fnctl.dev/engine]\nprocesses are not supported yet: use wasm"),
        (ENGINE, "jvm", "invalid value: jvm: p[fnctl.dev/engine]\nexpected wasm"),
    ] {
        let error = extended(name, value).unwrap_err();
        match expected.strip_suffix("...") {
            Some(begin) => assert!(error.starts_with(begin), "{error}"),
            None => assert_eq!(error, expected),
        }
    }
}
