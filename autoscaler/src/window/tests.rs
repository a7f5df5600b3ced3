use super::{Average, Window};
use proptest::prelude::*;
use std::time::Duration;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn filled(length: u64, average: Average, samples: &[(f64, f64)]) -> Window {
    let mut window = Window::new(Duration::from_secs(length), average);
    samples.iter().for_each(|(at, value)| window.record(seconds(*at), *value));
    window
}

/// Samples, and the averages and emptiness that they give later.
#[track_caller]
fn check(length: u64, samples: &[(f64, f64)], expected: &[(f64, f64, bool)]) {
    let window = filled(length, Average::Linear, samples);
    for (at, average, is_empty) in expected {
        assert_eq!(window.average(seconds(*at)), *average, "average at {at} s of {samples:?}");
        assert_eq!(window.is_empty(seconds(*at)), *is_empty, "emptiness at {at} s of {samples:?}");
    }
}

#[test]
fn simple() {
    check(5, &[], &[(0.0, 0.0, true), (9.0, 0.0, true)]);
    // A window that is not full is divided by the seconds it has.
    check(5, &[(0.0, 3.0)], &[(0.0, 3.0, false), (0.9, 3.0, false), (4.9, 3.0, false)]);
    check(5, &[(0.0, 3.0), (1.0, 5.0)], &[(1.0, 4.0, false)]);
    check(5, &[(10.0, 1.0), (11.0, 2.0), (12.0, 3.0), (13.0, 4.0), (14.0, 5.0)], &[(14.0, 3.0, false)]);
    check(5, &[(10.0, 1.0), (11.0, 2.0), (12.0, 3.0), (13.0, 4.0), (14.0, 5.0), (15.0, 6.0)], &[(15.0, 4.0, false)]);
}

#[test]
fn many_samples_in_one_second_add_up() {
    check(5, &[(1.0, 1.0), (1.2, 2.0), (1.999, 4.0), (2.0, 1.0)], &[(2.5, 4.0, false)]);
}

#[test]
fn averages_fade_when_samples_stop() {
    let five = [(0.0, 10.0), (1.0, 20.0), (2.0, 30.0), (3.0, 40.0), (4.0, 50.0)];
    check(
        5,
        &five,
        &[
            (4.0, 30.0, false),
            (5.0, 35.0, false),
            (6.0, 40.0, false),
            (8.0, 50.0, false),
            (9.0, 0.0, false),
            (10.0, 0.0, true),
        ],
    );
    // The past is answered as now.
    check(5, &five, &[(2.0, 30.0, false)]);
    // Fewer seconds than the window: divided by those written until the old ones go.
    check(
        5,
        &[(0.0, 10.0), (1.0, 20.0)],
        &[(2.0, 15.0, false), (4.0, 15.0, false), (5.0, 20.0, false), (6.0, 0.0, false)],
    );
}

#[test]
fn holes() {
    check(5, &[(0.0, 5.0), (2.0, 4.0)], &[(2.0, 3.0, false)]);
    check(5, &[(0.0, 5.0), (4.0, 5.0)], &[(4.0, 2.0, false)]);
    // A gap as long as the window begins anew; one second less does not.
    check(5, &[(0.0, 50.0), (1.0, 50.0), (6.0, 7.0)], &[(6.0, 7.0, false)]);
    check(5, &[(0.0, 50.0), (1.0, 45.0), (5.0, 5.0)], &[(5.0, 10.0, false)]);
}

#[test]
fn samples_out_of_order() {
    check(5, &[(5.0, 10.0), (4.0, 2.0)], &[(5.0, 6.0, false)]);
    check(5, &[(5.0, 10.0), (1.0, 2.0)], &[(5.0, 2.4, false)]);
    // Older than the window: ignored.
    check(5, &[(5.0, 10.0), (0.9, 2.0)], &[(5.0, 10.0, false)]);
}

#[test]
fn descending_record() {
    let mut window = Window::new(Duration::from_secs(5), Average::Linear);
    (2..=8).rev().for_each(|second| window.record(Duration::from_secs(second), second as f64));
    // 8, 7, 6, 5 and 4 fit; 3 and 2 are older than the window.
    assert_eq!(window.average(Duration::from_secs(8)), 6.0);
}

#[test]
fn rounds_to_millionths() {
    check(3, &[(0.0, 1.0), (1.0, 0.0), (2.0, 0.0)], &[(2.0, 0.333333, false)]);
    check(3, &[(0.0, 2.0), (1.0, 0.0), (2.0, 0.0)], &[(2.0, 0.666667, false)]);
    check(3, &[(0.0, 3.6e-17)], &[(0.0, 0.0, false)]);
}

#[test]
fn nonsense_is_ignored() {
    for value in [f64::NAN, f64::INFINITY, -1.0] {
        check(5, &[(0.0, value)], &[(0.0, 0.0, true)]);
    }
}

#[track_caller]
fn close(actual: f64, expected: f64) {
    assert!((actual - expected).abs() < 1e-9, "{actual} is not {expected}");
}

#[test]
fn weighted_average() {
    // One bucket decays by 0.9999, five by 1 - 0.0001^(1/5), sixty by the smallest decay.
    let five = 1.0 - 0.0001_f64.powf(0.2);
    for (length, decay) in [(1, 0.9999), (5, five), (60, 0.2)] {
        let window = filled(length, Average::WeightedExponential, &[(100.0, 7.0)]);
        close(window.average(seconds(100.0)), 7.0 * decay);
    }
    let samples = [(0.0, 10.0), (1.0, 10.0), (2.0, 5.0), (3.0, 5.0)];
    let window = filled(60, Average::WeightedExponential, &samples);
    let at_once = 5.0 * 0.2 + 5.0 * 0.2 * 0.8 + 10.0 * 0.2 * 0.64 + 10.0 * 0.2 * 0.512;
    close(window.average(seconds(3.0)), at_once);
    close(window.average(seconds(5.0)), at_once * 0.64);
    close(window.average(seconds(63.0)), 0.0);
}

/// What a window of `from` seconds says of `samples` at `at` after it became `to` seconds long at `now`.
#[track_caller]
fn check_resize(lengths: (u64, u64), samples: &[(f64, f64)], now: f64, expected: &[(f64, f64, bool)]) {
    let mut window = filled(lengths.0, Average::Linear, samples);
    window.resize(Duration::from_secs(lengths.1), seconds(now));
    for (at, average, is_empty) in expected {
        assert_eq!(window.average(seconds(*at)), *average, "average at {at} s");
        assert_eq!(window.is_empty(seconds(*at)), *is_empty, "emptiness at {at} s");
    }
}

#[test]
fn resize() {
    let five = [(0.0, 10.0), (1.0, 20.0), (2.0, 30.0), (3.0, 40.0), (4.0, 50.0)];
    check_resize((5, 5), &five, 4.0, &[(4.0, 30.0, false)]);
    check_resize((5, 2), &five, 4.0, &[(4.0, 45.0, false), (5.0, 50.0, false), (6.0, 0.0, false), (7.0, 0.0, true)]);
    check_resize((5, 10), &five, 4.0, &[(4.0, 30.0, false), (9.0, 30.0, false), (10.0, 35.0, false)]);
    // Little was written, but the old length counts as written.
    check_resize((5, 10), &[(4.0, 50.0)], 4.0, &[(4.0, 10.0, false)]);
    // Too old already: dropped, and yet within the longer window.
    check_resize((5, 60), &five, 10.0, &[(10.0, 0.0, false), (64.0, 0.0, false), (65.0, 0.0, true)]);
    check_resize((5, 60), &five, 9.0, &[(9.0, 30.0, false)]);
}

#[test]
fn a_window_goes_on_after_a_resize() {
    let mut window = filled(5, Average::Linear, &[(0.0, 10.0), (4.0, 50.0)]);
    window.resize(Duration::from_secs(3), seconds(4.0));
    window.record(seconds(5.0), 10.0);
    assert_eq!(window.average(seconds(5.0)), 20.0);
    window.resize(Duration::from_secs(60), seconds(100.0));
    window.record(seconds(100.0), 8.0);
    assert_eq!(window.average(seconds(100.0)), 8.0);
}

#[test]
fn lengths_are_whole_seconds() {
    let mut window = Window::new(Duration::from_millis(1500), Average::Linear);
    assert_eq!(window, Window::new(Duration::from_secs(2), Average::Linear));
    window.resize(Duration::ZERO, Duration::ZERO);
    assert_eq!(window, Window::new(Duration::from_secs(1), Average::Linear));
}

proptest! {
    #[test]
    fn averages_lie_between_none_and_all(
        length in 1_u64..20,
        weighted in any::<bool>(),
        samples in prop::collection::vec((0_u64..50_000, 0.0..1e6), 0..60),
        at in 0_u64..60_000,
        resized in 1_u64..20,
    ) {
        let average = if weighted { Average::WeightedExponential } else { Average::Linear };
        let mut window = Window::new(Duration::from_secs(length), average);
        samples.iter().for_each(|(at, value)| window.record(Duration::from_millis(*at), *value));
        let total: f64 = samples.iter().map(|(_, value)| value).sum();
        for _ in 0..2 {
            let seen = window.average(Duration::from_millis(at));
            prop_assert!(seen.is_finite() && (0.0..=total + 1.0).contains(&seen), "{seen} of {total}");
            window.resize(Duration::from_secs(resized), Duration::from_millis(at));
        }
    }
}
