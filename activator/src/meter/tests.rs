use super::*;

#[allow(clippy::disallowed_methods, reason = "an arbitrary beginning; the tests count from it")]
fn zero() -> Instant {
    Instant::now()
}

/// Arrivals (`+`) and ends (`-`) at milliseconds, sampled after a second.
fn check(events: &[(u64, char)], concurrency: f64, requests: u64) {
    let start = zero();
    let mut load = Load::new(start);
    for (at, what) in events {
        let now = start + Duration::from_millis(*at);
        if *what == '+' { load.enter(now) } else { load.leave(now) }
    }
    let sample = load.sample(start + Duration::from_secs(1));
    assert!((sample.concurrency - concurrency).abs() < 1e-9, "{events:?}: {sample:?}");
    assert_eq!(sample.requests, requests, "{events:?}");
}

#[test]
fn average_is_weighted_by_time() {
    check(&[], 0.0, 0);
    check(&[(0, '+')], 1.0, 1);
    check(&[(500, '+')], 0.5, 1);
    check(&[(0, '+'), (250, '-')], 0.25, 1);
    check(&[(0, '+'), (0, '+'), (500, '-')], 1.5, 2);
    check(&[(900, '+'), (901, '-')], 0.001, 1);
    check(&[(500, '+'), (400, '+')], 1.0, 2); // a clock read before the lock: no time goes backwards
    check(&[(0, '-')], 0.0, 0);
}

#[test]
fn a_period_begins_where_the_last_one_ended_with_those_who_are_there() {
    let start = zero();
    let mut load = Load::new(start);
    load.enter(start);
    load.sample(start + Duration::from_secs(1));
    let second = load.sample(start + Duration::from_secs(2));
    assert_eq!((second.concurrency, second.requests, second.period), (1.0, 0, Duration::from_secs(1)));
    assert_eq!(load.sample(start + Duration::from_secs(2)).concurrency, 1.0);
}

#[test]
fn probes_are_told_by_their_user_agent() {
    for probe in ["kube-probe/1.33", "Knative-Activator-Probe", "Knative-Ingress-Probe", "Knative-Queue-Proxy-Probe"] {
        assert_eq!(Traffic::of_user_agent(probe.as_bytes()), Traffic::Probe, "{probe}");
    }
    for user in ["", "curl/8.0", "Knative-Probe", "Knative-Activator", "my kube-probe/1", "kube-probe"] {
        assert_eq!(Traffic::of_user_agent(user.as_bytes()), Traffic::User, "{user}");
    }
}

#[test]
fn totals_count_each_request_once() {
    let totals = Totals::default();
    totals.answered(StatusCode::OK);
    totals.failed(Reason::Trap); // the 500 that follows is its answer
    totals.answered(StatusCode::INTERNAL_SERVER_ERROR);
    totals.failed(Reason::QueueFull);
    totals.failed(Reason::QueueFull);
    totals.started(Duration::from_micros(500));
    totals.started(Duration::from_secs(60));
    let view = totals.view();
    assert_eq!(view.requests(), 4);
    assert_eq!(view.answered, [0, 1, 0, 0, 1]);
    assert_eq!(view.occurred().collect::<Vec<_>>(), [(Reason::QueueFull, 2), (Reason::Trap, 1)]);
    assert_eq!((view.cold_starts, view.activation[1], view.activation[10]), (2, 1, 1));
}
