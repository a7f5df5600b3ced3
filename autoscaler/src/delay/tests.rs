use super::Delay;
use std::time::Duration;

#[track_caller]
fn check(delay_seconds: u64, steps: &[(u64, u32, u32)]) {
    let mut delay = Delay::new(Duration::from_secs(delay_seconds)).expect("a delay");
    for (second, wanted, highest) in steps {
        assert_eq!(delay.highest(Duration::from_secs(*second), *wanted), *highest, "at {second} s");
    }
}

#[test]
fn remembers_the_highest_number_for_the_delay() {
    check(10, &[(0, 4, 4), (2, 1, 4), (8, 0, 4), (9, 0, 4), (10, 0, 1), (12, 0, 0)]);
    check(10, &[(0, 1, 1), (2, 5, 5), (4, 3, 5), (11, 0, 5), (12, 0, 3), (14, 0, 0)]);
    check(3, &[(0, 2, 2), (2, 0, 2), (3, 0, 2), (4, 0, 0)]);
    check(1, &[(0, 2, 2), (1, 0, 2), (2, 0, 0)]);
}

#[test]
fn equal_numbers_are_one_entry() {
    let mut delay = Delay::new(Duration::from_secs(3600)).expect("a delay");
    (0..5_000).for_each(|second| assert_eq!(delay.highest(Duration::from_secs(second), 7), 7));
    assert_eq!(delay.highest.len(), 1);
}

#[test]
fn time_may_go_back() {
    check(10, &[(60, 4, 4), (2, 0, 4)]);
}

#[test]
fn no_delay_needs_no_memory() {
    assert_eq!(Delay::new(Duration::ZERO), None);
}
