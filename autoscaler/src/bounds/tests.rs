use super::{Bound, Phase, Request, Settled, bound};
use crate::policy::Reachability;
use fnctl_config::snapshot::{Metric, Scale};
use proptest::prelude::*;
use std::time::Duration;

const REACHABLE: Reachability = Reachability::Reachable;
const UNREACHABLE: Reachability = Reachability::Unreachable;

fn scale() -> Scale {
    Scale {
        metric: Metric::Concurrency,
        total: 100.0,
        target: 70.0,
        min: 0,
        max: 0,
        initial: 1,
        activation: 0,
        stable_window: Duration::from_secs(60),
        panic_window: Duration::from_secs(6),
        panic_threshold: 2.0,
        target_burst_capacity: 211.0,
        scale_down_delay: Duration::ZERO,
        retention: Duration::ZERO,
    }
}

fn active(since: u64) -> Phase {
    Phase::Active { since: Duration::from_secs(since) }
}

fn retained(since: u64) -> Phase {
    Phase::Retained { since: Duration::from_secs(since) }
}

/// At 100 s: the phase before, what is desired, what is ready, and the number, the bound and the phase after.
type Row = (Phase, Option<u32>, u32, Option<u32>, Bound, Phase);

#[track_caller]
fn check(scale: &Scale, reachability: Reachability, rows: &[Row]) {
    for (phase, desired, ready, instances, expected, after) in rows {
        let request = Request { desired: *desired, ready: *ready, reachability };
        let actual = bound(scale, request, *phase, Duration::from_secs(100));
        let settled = Settled { instances: *instances, bound: *expected };
        assert_eq!(actual, (settled, *after), "{desired:?} desired, {ready} ready in {phase:?}");
    }
}

#[test]
fn without_bounds_the_load_sets_the_number() {
    let rows = [
        (active(0), Some(5), 2, Some(5), Bound::Load, active(0)),
        (Phase::Zero, Some(1), 0, Some(1), Bound::Load, active(100)),
        (retained(90), Some(1), 1, Some(1), Bound::Load, active(100)),
        (Phase::Zero, Some(0), 0, Some(0), Bound::Load, Phase::Zero),
        (active(0), None, 2, None, Bound::Unknown, active(0)),
    ];
    check(&scale(), REACHABLE, &rows);
    check(&scale(), UNREACHABLE, &rows);
}

#[test]
fn min_and_max() {
    let two_to_four = Scale { min: 2, max: 4, ..scale() };
    check(
        &two_to_four,
        REACHABLE,
        &[
            (active(0), Some(0), 2, Some(2), Bound::MinScale, active(0)),
            (active(0), Some(1), 2, Some(2), Bound::MinScale, active(0)),
            (active(0), Some(2), 2, Some(2), Bound::Load, active(0)),
            (active(0), Some(4), 2, Some(4), Bound::Load, active(0)),
            (active(0), Some(5), 2, Some(4), Bound::MaxScale, active(0)),
            (Phase::Zero, Some(0), 0, Some(2), Bound::MinScale, active(100)),
        ],
    );
    // No route: no fewest instances, but the most still holds.
    check(
        &two_to_four,
        UNREACHABLE,
        &[
            (active(0), Some(0), 2, Some(0), Bound::ScaleToZero, Phase::Zero),
            (active(0), Some(1), 2, Some(1), Bound::Load, active(0)),
            (active(0), Some(5), 2, Some(4), Bound::MaxScale, active(0)),
        ],
    );
    let confused = Scale { min: 5, max: 3, ..scale() };
    check(&confused, REACHABLE, &[(active(0), Some(0), 2, Some(3), Bound::MaxScale, active(0))]);
}

#[test]
fn initial_scale_holds_until_it_was_reached() {
    let three = Scale { initial: 3, ..scale() };
    check(
        &three,
        REACHABLE,
        &[
            (Phase::Starting, None, 0, Some(3), Bound::InitialScale, Phase::Starting),
            (Phase::Starting, Some(0), 2, Some(3), Bound::InitialScale, Phase::Starting),
            (Phase::Starting, Some(7), 0, Some(7), Bound::Load, Phase::Starting),
            (Phase::Starting, Some(0), 3, Some(1), Bound::ActiveTooShort, active(100)),
            (Phase::Starting, Some(2), 3, Some(2), Bound::Load, active(100)),
        ],
    );
    check(&three, UNREACHABLE, &[(Phase::Starting, Some(0), 0, Some(0), Bound::Load, Phase::Zero)]);
    let bounded = Scale { initial: 3, min: 4, max: 5, ..scale() };
    check(
        &bounded,
        REACHABLE,
        &[
            (Phase::Starting, None, 3, Some(4), Bound::InitialScale, Phase::Starting),
            (Phase::Starting, Some(9), 0, Some(5), Bound::MaxScale, Phase::Starting),
        ],
    );
}

#[test]
fn zero_comes_after_one_window_of_activity() {
    check(
        &scale(),
        REACHABLE,
        &[
            (active(41), Some(0), 1, Some(1), Bound::ActiveTooShort, active(41)),
            (active(40), Some(0), 1, Some(0), Bound::ScaleToZero, Phase::Zero),
            (active(200), Some(0), 1, Some(1), Bound::ActiveTooShort, active(200)),
        ],
    );
}

#[test]
fn retention_keeps_the_last_instance() {
    let half_a_minute = Scale { retention: Duration::from_secs(30), ..scale() };
    check(
        &half_a_minute,
        REACHABLE,
        &[
            (active(0), Some(0), 1, Some(1), Bound::Retention, retained(100)),
            (retained(71), Some(0), 1, Some(1), Bound::Retention, retained(71)),
            (retained(70), Some(0), 1, Some(0), Bound::ScaleToZero, Phase::Zero),
            (retained(70), None, 1, None, Bound::Unknown, retained(70)),
        ],
    );
    check(&half_a_minute, UNREACHABLE, &[(active(0), Some(0), 1, Some(0), Bound::ScaleToZero, Phase::Zero)]);
}

/// These sentences stand beside the number in `fnctl describe`.
#[test]
fn every_bound_says_what_set_the_number() {
    for (bound, sentence) in [
        (Bound::Load, "the load sets the number"),
        (Bound::Unknown, "nothing is known of the load, so nothing changes"),
        (Bound::InitialScale, "a new revision begins with its initial scale"),
        (Bound::MinScale, "min-scale sets the number"),
        (Bound::MaxScale, "max-scale sets the number"),
        (Bound::ActiveTooShort, "the last instance stays until the revision has been active for its window"),
        (Bound::Retention, "the last instance stays for the retention period"),
        (Bound::ScaleToZero, "nothing is needed, so the last instance goes"),
    ] {
        assert_eq!(bound.to_string(), sentence, "{bound:?}");
    }
}

proptest! {
    #[test]
    fn numbers_stay_within_the_bounds(
        min in 0_u32..5, extra in 0_u32..5, is_bounded in any::<bool>(), initial in 0_u32..8, retention in 0_u64..40,
        steps in prop::collection::vec((0_u64..50, prop::option::of(0_u32..20), 0_u32..10), 1..40),
    ) {
        let max = if is_bounded { min + extra } else { 0 };
        let scale = Scale { min, max, initial, retention: Duration::from_secs(retention), ..scale() };
        let (mut now, mut phase) = (Duration::ZERO, Phase::Starting);
        for (gap, desired, ready) in steps {
            now += Duration::from_secs(gap);
            let (settled, after) = bound(&scale, Request { desired, ready, reachability: REACHABLE }, phase, now);
            if let Some(instances) = settled.instances {
                prop_assert!(instances >= min);
                prop_assert!(max == 0 || instances <= max.max(1));
                prop_assert!(instances > 0 || desired.unwrap_or(0) == 0);
            }
            prop_assert_eq!(settled.instances == Some(0), after == Phase::Zero && settled.instances.is_some());
            phase = after;
        }
    }
}
