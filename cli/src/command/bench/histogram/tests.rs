use super::{BUCKETS, Histogram, bucket, top};
use std::time::Duration;

#[test]
fn percentiles_of_a_known_set() {
    let mut histogram = Histogram::default();
    assert!(histogram.percentile(0.5).is_nan());
    (1..=1_000).for_each(|n| histogram.record(Duration::from_millis(n)));
    for (share, expected) in [(0.0, 1.0), (0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1_000.0)] {
        let percentile = histogram.percentile(share);
        assert!((percentile / expected - 1.0).abs() < 0.008, "{share}: {percentile} instead of {expected}");
    }
}

#[test]
fn buckets_are_narrow_and_in_order() {
    assert_eq!((bucket(0), top(0)), (0, 0));
    assert_eq!((bucket(u64::MAX), top(BUCKETS - 1)), (BUCKETS - 1, u64::MAX));
    let around = |power: u32| [0, 1, 3].map(|more| (1_u64 << power) - 1 + more);
    for value in (0..u64::BITS).flat_map(around).chain(0..2_000) {
        let found = bucket(value);
        assert!(value <= top(found) && top(found) - value <= value / 128, "{value} in bucket {found}");
        assert!(found == 0 || top(found - 1) < value, "{value} is above the bucket before {found}");
    }
}
