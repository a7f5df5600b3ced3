use super::{Ended, Next, Reason, average, is_heavy, lifetime, next};
use fnctl_config::limits;
use fnctl_config::snapshot::Reuse;
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn next_is_a_table() {
    let large = limits::REUSE_MEMORY_BYTES_MAX + 1;
    for (ended, served, lifetime, memory, expected) in [
        (Ended::Returned, 1, 1, 0, Next::Retire(Reason::Served)),
        (Ended::Returned, 1, 2, 0, Next::Keep),
        (Ended::Returned, 2, 2, 0, Next::Retire(Reason::Served)),
        (Ended::Returned, 1, 9, large, Next::Retire(Reason::Memory)),
        (Ended::Broken, 1, 9, 0, Next::Retire(Reason::Broken)),
        (Ended::Broken, 1, 1, large, Next::Retire(Reason::Broken)),
    ] {
        assert_eq!(next(ended, served, lifetime, memory), expected, "{ended:?} {served}/{lifetime} {memory}");
    }
}

#[test]
fn heavy_follows_the_average() {
    let ms = Duration::from_millis;
    assert!(!is_heavy(None));
    assert!(is_heavy(Some(average(None, ms(3)))));
    let mut now = average(None, ms(1));
    assert!(!is_heavy(Some(now)));
    now = average(Some(now), ms(5));
    assert!(!is_heavy(Some(now)), "one slow call is no habit");
    for _ in 0..8 {
        now = average(Some(now), ms(5));
    }
    assert!(is_heavy(Some(now)));
}

proptest! {
    #[test]
    fn lifetimes_are_a_quarter_around(requests in 1u32..100_000, roll in 0.0f64..=1.0) {
        prop_assert_eq!(lifetime(Reuse::Fresh, roll), 1);
        let found = f64::from(lifetime(Reuse::Serial { requests }, roll));
        let requests = f64::from(requests);
        prop_assert!(found >= (requests * 0.75).floor().max(1.0) && found <= (requests * 1.25).ceil());
    }
}
