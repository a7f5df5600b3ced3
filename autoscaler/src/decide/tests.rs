//! Tables after the names of Knative's own tests; the numbers follow from the rules.

use super::{Answer, decide};
use crate::policy::{Averages, Observation, Policy, Reachability};
use crate::reason::Reason;
use crate::state::{Panic, State};
use crate::window::Average;
use fnctl_config::snapshot::Metric;
use proptest::prelude::*;
use std::time::Duration;

/// Target 10 of 100, no spare capacity asked for, rates of 10, panic at twice the ready instances.
fn policy() -> Policy {
    Policy {
        metric: Metric::Concurrency,
        target: 10.0,
        total: 100.0,
        target_burst_capacity: 100.0,
        panic_threshold: 2.0,
        stable_window: Duration::from_secs(60),
        panic_window: Duration::from_secs(6),
        up_rate: 10.0,
        down_rate: 10.0,
        activation: 0,
        scale_down_delay: Duration::ZERO,
        average: Average::Linear,
        reachability: Reachability::Reachable,
    }
}

fn seen(ready: u32, stable: f64, panic: f64) -> Observation {
    Observation { ready, averages: Some(Averages { stable, panic }) }
}

fn panic(since: u64, floor: u32) -> Option<Panic> {
    Some(Panic { since: Duration::from_secs(since), floor })
}

/// One scaler over several decisions.
struct Scaler {
    policy: Policy,
    state: State,
}

impl Scaler {
    fn new(policy: Policy) -> Self {
        Self { state: State::new(&policy, 1, Duration::ZERO), policy }
    }

    #[track_caller]
    fn check(&mut self, at: f64, observation: Observation, desired: u32, rule: &str) -> Answer {
        let now = Duration::from_secs_f64(at);
        let (decision, state) = decide(&self.policy, &observation, self.state.clone(), now);
        self.state = state;
        let answer = decision.answer.expect("an answer");
        assert_eq!((answer.desired, decision.reason.name()), (desired, rule), "at {at} s: {}", decision.reason);
        answer
    }
}

/// A single decision of a fresh scaler: what is asked for, the excess burst capacity, and the rule.
#[track_caller]
fn check(policy: Policy, observation: Observation, desired: u32, excess: i64, rule: &str) {
    let answer = Scaler::new(policy).check(0.0, observation, desired, rule);
    assert_eq!(answer.excess_burst_capacity, excess);
}

#[test]
fn autoscaler_scale() {
    check(policy(), seen(1, 0.0, 0.0), 0, 0, "NoTraffic");
    check(policy(), seen(1, 10.0, 10.0), 1, -10, "Load");
    check(policy(), seen(1, 10.1, 10.0), 2, -10, "Load");
    check(policy(), seen(1, 50.0, 10.0), 5, -10, "Load");
    check(policy(), seen(5, 50.0, 50.0), 5, 350, "Load");
    // Unlimited and no spare capacity.
    check(Policy { target_burst_capacity: -1.0, ..policy() }, seen(1, 21.0, 16.0), 3, -1, "Panic");
    check(Policy { target_burst_capacity: 0.0, ..policy() }, seen(1, 50.0, 19.0), 5, 0, "Panic");
    // Capacity counts what is ready and `total`; it rounds down, below zero too.
    check(policy(), seen(0, 10.0, 0.5), 1, -101, "Load");
    check(policy(), seen(2, 10.0, 0.5), 1, 99, "Load");
}

#[test]
fn small_rates_move_by_one_at_least() {
    let small = Policy { target: 1.0, up_rate: 1.1, down_rate: 1.1, ..policy() };
    check(small.clone(), seen(2, 3.0, 3.1), 3, 96, "Panic");
    check(small.clone(), seen(2, 9.0, 1.0), 3, 99, "UpLimit");
    check(Policy { target: 10.0, ..small }, seen(100, 1.0, 1.0), 90, 9899, "DownLimit");
    let gone = Policy { target: 10.0, reachability: Reachability::Unreachable, ..small };
    check(gone, seen(100, 1.0, 1.0), 1, 9899, "Load");
}

#[test]
fn rate_limits() {
    // 100 are needed: tenfold at a time.
    check(policy(), seen(1, 1000.0, 1001.0), 10, -1001, "Panic");
    check(policy(), seen(10, 1000.0, 10.0), 100, 890, "Load");
    check(policy(), seen(9, 1000.0, 10.0), 90, 790, "UpLimit");
    // 1 is needed: a tenth at a time, rounded down.
    check(policy(), seen(100, 1.0, 1.0), 10, 9899, "DownLimit");
    check(policy(), seen(19, 1.0, 1.0), 1, 1799, "Load");
    check(policy(), seen(20, 1.0, 1.0), 2, 1899, "DownLimit");
    check(policy(), seen(9, 0.0, 0.0), 0, 800, "NoTraffic");
    check(policy(), seen(10, 0.0, 0.0), 1, 900, "DownLimit");
    // None ready counts as one.
    check(policy(), seen(0, 1000.0, 10.0), 10, -110, "UpLimit");
}

#[test]
fn activation_scale() {
    let two = Policy { activation: 2, ..policy() };
    check(two.clone(), seen(1, 0.0, 0.0), 0, 0, "NoTraffic");
    check(two.clone(), seen(1, 1.0, 0.0), 2, 0, "ActivationScale");
    check(two.clone(), seen(1, 11.0, 0.0), 2, 0, "Load");
    check(two, seen(1, 21.0, 0.0), 3, 0, "Load");
    check(Policy { activation: 1, ..policy() }, seen(1, 0.0, 0.0), 0, 0, "NoTraffic");
    // It is applied after the rates, and to the short window too.
    check(Policy { activation: 50, ..policy() }, seen(1, 1.0, 0.0), 50, 0, "ActivationScale");
    check(Policy { activation: 50, ..policy() }, seen(1, 0.0, 20.0), 50, -20, "Panic");
    check(Policy { activation: 50, ..policy() }, seen(1, 0.0, 10.0), 0, -10, "NoTraffic");
}

#[test]
fn panic_mode_double_pod_count() {
    check(policy(), seen(1, 50.0, 100.0), 10, -100, "Panic");
    // The threshold is met by the need, not by what the rates allow.
    check(Policy { up_rate: 1.0, ..policy() }, seen(2, 0.0, 31.0), 2, 69, "Panic");
    check(policy(), seen(2, 0.0, 30.0), 0, 70, "NoTraffic");
    check(Policy { panic_threshold: 1.5, ..policy() }, seen(2, 0.0, 30.0), 3, 70, "Panic");
}

#[test]
fn panic_takes_the_larger_of_both_windows() {
    for (stable, short, desired) in [(50.0, 30.0, 50), (20.0, 30.0, 30), (3.0, 4.0, 5), (5.0, 5.0, 5)] {
        let mut scaler = Scaler::new(Policy { target: 1.0, ..policy() });
        scaler.state.panic = panic(0, 5);
        let rule = if stable < 5.0 { "PanicHold" } else { "Panic" };
        scaler.check(5.0, seen(5, stable, short), desired, rule);
        assert_eq!(scaler.state.panic.map(|panic| panic.floor), Some(desired));
    }
}

#[test]
fn unpanic_after_slow_increase() {
    let mut scaler = Scaler::new(Policy { target: 1.0, ..policy() });
    scaler.check(0.0, seen(10, 11.0, 25.0), 25, "Panic");
    scaler.check(30.0, seen(40, 30.0, 41.0), 41, "Panic");
    assert_eq!(scaler.state.panic, panic(0, 41), "not over the threshold, so not extended");
    scaler.check(60.0, seen(40, 30.0, 41.0), 41, "Panic");
    scaler.check(62.0, seen(55, 50.0, 56.0), 50, "Load");
    assert_eq!(scaler.state.panic, None);
}

#[test]
fn extend_panic_window() {
    let mut scaler = Scaler::new(Policy { target: 1.0, ..policy() });
    scaler.check(0.0, seen(10, 11.0, 25.0), 25, "Panic");
    scaler.check(30.0, seen(40, 30.0, 80.0), 80, "Panic");
    assert_eq!(scaler.state.panic, panic(30, 80));
}

#[test]
fn panic_then_unpanic_scale_down() {
    let mut scaler = Scaler::new(policy());
    scaler.check(0.0, seen(1, 100.0, 100.0), 10, "Panic");
    scaler.check(2.0, seen(10, 100.0, 1000.0), 100, "Panic");
    scaler.check(32.0, seen(10, 1.0, 1.0), 100, "PanicHold");
    scaler.check(62.0, seen(10, 1.0, 1.0), 100, "PanicHold");
    scaler.check(62.001, seen(10, 1.0, 1.0), 1, "Load");
    // The next burst begins without the floor of the last one.
    scaler.check(64.0, seen(1, 1.0, 20.0), 2, "Panic");
}

#[test]
fn exponential_track_and_stabilize() {
    let mut scaler = Scaler::new(Policy { target: 1.0, ..policy() });
    for (at, ready, load) in [(0.0, 1, 6), (1.0, 6, 36), (2.0, 36, 216), (3.0, 216, 1296)] {
        scaler.check(at, seen(ready, f64::from(load), f64::from(load)), load, "Panic");
        assert_eq!(scaler.state.panic.map(|panic| panic.since), Some(Duration::from_secs_f64(at)));
    }
    scaler.check(4.0, seen(1296, 1296.0, 1296.0), 1296, "Panic");
    assert_eq!(scaler.state.panic, panic(3, 1296));
}

#[test]
fn start_in_panic_mode() {
    for (ready, expected) in [(0, None), (1, None), (2, panic(7, 2)), (9, panic(7, 9))] {
        assert_eq!(State::new(&policy(), ready, Duration::from_secs(7)).panic, expected);
    }
    let mut scaler = Scaler { state: State::new(&policy(), 8, Duration::ZERO), policy: policy() };
    scaler.check(2.0, seen(8, 0.0, 0.0), 8, "PanicHold");
    scaler.check(62.0, seen(8, 0.0, 0.0), 0, "NoTraffic");
}

#[test]
fn update_target() {
    let mut scaler = Scaler::new(policy());
    scaler.check(0.0, seen(1, 100.0, 101.0), 10, "Panic");
    scaler.policy.target = 1.0;
    scaler.check(2.0, seen(10, 100.0, 101.0), 100, "Panic");
}

#[test]
fn scale_down_delay() {
    let delayed = Policy { panic_threshold: 100.0, scale_down_delay: Duration::from_secs(300), ..policy() };
    let mut scaler = Scaler::new(delayed.clone());
    scaler.check(2.0, seen(0, 40.0, 40.0), 4, "Load");
    scaler.check(300.0, seen(0, 0.0, 0.0), 4, "ScaleDownDelay");
    scaler.check(302.0, seen(0, 0.0, 0.0), 0, "NoTraffic");
    scaler.check(540.0, seen(0, 40.0, 40.0), 4, "Load");
    scaler.check(600.0, seen(0, 30.0, 30.0), 4, "ScaleDownDelay");
    scaler.check(660.0, seen(0, 0.0, 0.0), 4, "ScaleDownDelay");
    scaler.check(840.0, seen(0, 0.0, 0.0), 3, "ScaleDownDelay");
    scaler.check(900.0, seen(0, 0.0, 0.0), 0, "NoTraffic");

    let mut scaler = Scaler::new(delayed);
    scaler.check(2.0, seen(0, 40.0, 40.0), 4, "Load");
    scaler.policy.reachability = Reachability::Unreachable;
    scaler.check(4.0, seen(0, 0.0, 0.0), 0, "NoTraffic");

    let mut scaler = Scaler::new(policy());
    scaler.check(0.0, seen(4, 40.0, 40.0), 4, "Load");
    scaler.check(0.5, seen(4, 20.0, 20.0), 2, "Load");
}

#[test]
fn no_data_changes_nothing() {
    let before = State { panic: panic(3, 7), ..State::default() };
    let nonsense = [f64::NAN, f64::INFINITY, -1.0].map(|value| Some(Averages { stable: 1.0, panic: value }));
    for averages in nonsense.into_iter().chain([None, Some(Averages { stable: f64::NAN, panic: 1.0 })]) {
        let observation = Observation { ready: 4, averages };
        let (decision, after) = decide(&policy(), &observation, before.clone(), Duration::from_secs(900));
        assert_eq!((decision.answer, decision.reason.name()), (None, "NoData"));
        assert_eq!(decision.panic_since, Some(Duration::from_secs(3)));
        assert_eq!(after, before);
    }
}

#[test]
fn every_reason_is_one_sentence_with_its_figures() {
    let (window, delay) = (Duration::from_secs(60), Duration::from_secs(30));
    let reason = |policy: &Policy, observation| {
        let state = State::new(policy, 0, Duration::ZERO);
        decide(policy, &observation, state, Duration::from_secs(4)).0.reason.to_string()
    };
    let rows = [
        (reason(&policy(), seen(1, 0.0, 0.0)), "no requests in flight over 60s"),
        (
            reason(&Policy { metric: Metric::RequestsPerSecond, ..policy() }, seen(5, 42.5, 42.0)),
            "42.5 requests per second on average over 60s, 10 for each instance, need 5",
        ),
        (
            reason(&policy(), seen(9, 1000.0, 10.0)),
            "1000 requests in flight on average over 60s, 10 for each instance, need 100; one step grows 10 times at \
             most, to 90",
        ),
        (
            reason(&policy(), seen(20, 1.0, 1.0)),
            "1 requests in flight on average over 60s, 10 for each instance, need 1; one step shrinks 10 times at most, \
             to 2",
        ),
        (
            reason(&Policy { activation: 3, ..policy() }, seen(1, 1.0, 1.0)),
            "1 requests in flight on average over 60s, 10 for each instance, need 1; activation scale asks for 3",
        ),
        (
            reason(&policy(), seen(1, 10.0, 40.0)),
            "40 requests in flight on average over 6s, 10 for each instance, need 4; in panic since 4s, where the number \
             only grows",
        ),
        (Reason::NoData { window }.to_string(), "no sample came in the last 60s, so nothing changes"),
        (
            Reason::ScaleDownDelay { wanted: 1, held: 4, delay }.to_string(),
            "1 would do, but 4 were needed within the scale-down delay of 30s",
        ),
    ];
    for (actual, expected) in rows {
        assert_eq!(actual, expected);
    }
}

prop_compose! {
    fn any_policy()(
        target in 0.0..200.0, total in 0.0..400.0, target_burst_capacity in -1.0..300.0,
        panic_threshold in 1.1..10.0, rates in (0.5..50.0, 0.5..50.0), activation in 0_u32..20,
        delay in 0_u64..30, is_reachable in any::<bool>(),
    ) -> Policy {
        Policy {
            target, total, target_burst_capacity, panic_threshold, up_rate: rates.0, down_rate: rates.1, activation,
            scale_down_delay: Duration::from_secs(delay),
            reachability: if is_reachable { Reachability::Reachable } else { Reachability::Unreachable },
            ..policy()
        }
    }
}

proptest! {
    #[test]
    fn invariants(
        policy in any_policy(),
        first in 0_u32..50,
        steps in prop::collection::vec((0_u64..120, 0_u32..200, 0.0..1e5, 0.0..1e5), 1..40),
    ) {
        let mut state = State::new(&policy, first, Duration::ZERO);
        let (mut now, mut before): (Duration, Option<u32>) = (Duration::ZERO, None);
        for (gap, ready, stable, short) in steps {
            now += Duration::from_secs(gap);
            let was_panicking = state.panic.is_some();
            let (decision, after) = decide(&policy, &seen(ready, stable, short), state, now);
            let desired = decision.answer.expect("an answer").desired;
            let counted = f64::from(ready.max(1));
            if policy.reachability == Reachability::Reachable {
                let down = (counted / policy.down_rate.max(1.0)).floor();
                prop_assert!(f64::from(desired) >= down, "{desired} is below the down limit {down}");
            }
            let is_delayed = policy.scale_down_delay > Duration::ZERO;
            if after.panic.is_none() && !is_delayed {
                let up = (counted * policy.up_rate.max(1.0)).ceil().max(f64::from(policy.activation));
                prop_assert!(f64::from(desired) <= up, "{desired} is above the up limit {up}");
            }
            if let (true, Some(panic), Some(before)) = (was_panicking && !is_delayed, after.panic, before) {
                prop_assert!(desired >= before, "fell from {before} to {desired} in {panic:?}");
            }
            if stable > 0.0 {
                prop_assert!(desired > 0, "load and no instance");
            }
            prop_assert_eq!(decision.panic_since, after.panic.map(|panic| panic.since));
            prop_assert!(!decision.reason.to_string().contains("NaN"));
            (state, before) = (after, Some(desired));
        }
    }
}
