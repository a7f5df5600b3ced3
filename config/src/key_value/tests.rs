use super::{Quota, Refusal, Usage, add};

#[test]
fn a_store_has_room_for_what_does_not_grow() {
    let quota = Quota { keys: 2, bytes: 10 };
    let usage = |keys, bytes| Usage { keys, bytes };
    // What it holds, the entry before and after, and what follows.
    for (holds, before, after, expected) in [
        (usage(0, 0), None, Some(10), Ok(usage(1, 10))),
        (usage(0, 0), None, Some(11), Err(Refusal::Bytes(10))),
        (usage(1, 4), Some(4), Some(10), Ok(usage(1, 10))),
        (usage(2, 4), None, Some(1), Err(Refusal::Keys(2))),
        (usage(2, 4), Some(2), Some(3), Ok(usage(2, 5))),
        (usage(2, 10), Some(5), None, Ok(usage(1, 5))),
        (usage(2, 4), None, None, Ok(usage(2, 4))),
        // Written under a larger quota.
        (usage(5, 50), Some(9), Some(8), Ok(usage(5, 49))),
        (usage(5, 50), Some(9), Some(9), Ok(usage(5, 50))),
        (usage(5, 50), Some(9), Some(10), Err(Refusal::Bytes(10))),
        (usage(5, 50), Some(9), None, Ok(usage(4, 41))),
        (usage(1, u64::MAX), None, Some(u64::MAX), Ok(usage(2, u64::MAX))),
    ] {
        assert_eq!(quota.replace(holds, before, after), expected, "{holds:?} {before:?} {after:?}");
    }
}

#[test]
fn a_counter_is_decimal_text() {
    for (stored, delta, expected) in [
        (None, 3, Ok(3)),
        (Some("0"), 0, Ok(0)),
        (Some("41"), 1, Ok(42)),
        (Some("18446744073709551614"), 1, Ok(u64::MAX)),
        (Some("18446744073709551615"), 1, Err(Refusal::NoCounter)),
        (Some("many"), 1, Err(Refusal::NoCounter)),
        (Some("-1"), 1, Err(Refusal::NoCounter)),
        (Some(""), 1, Err(Refusal::NoCounter)),
    ] {
        assert_eq!(add(stored.map(str::as_bytes), delta), expected, "{stored:?} {delta}");
    }
}
