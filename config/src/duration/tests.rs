use super::*;
use proptest::prelude::*;

#[test]
fn iso_forms() {
    let rows = [("PT0.2S", 200), ("PT1H30M", 5_400_000), ("P1DT1S", 86_401_000), ("P1W", 604_800_000), ("PT0S", 0)];
    for (text, millis) in rows {
        assert_eq!(text.parse(), Ok(IsoDuration(Duration::from_millis(millis))), "{text}");
    }
    for text in ["", "P", "PT", "1s", "-PT1S", "PT-1S", "P1Y", "P1M", "PT1X", "5"] {
        assert_eq!(text.parse::<IsoDuration>(), Err(NotADuration::Iso), "{text}");
    }
}

#[test]
fn go_forms() {
    let rows = [("10s", 10_000), ("1m30s", 90_000), ("500ms", 500), ("1.5h", 5_400_000), ("0", 0), ("0s", 0)];
    let small = [("2000us", 2), ("3000µs", 3), ("4000000ns", 4), ("1s5ms", 1_005)];
    for (text, millis) in rows.into_iter().chain(small) {
        assert_eq!(parse_go(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for text in ["", "10", "s", "-1s", "1 s", "1d", "1..s", "1e9h"] {
        assert_eq!(parse_go(text), Err(NotADuration::Go), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        let _ = (text.parse::<IsoDuration>(), parse_go(&text));
    }

    #[test]
    fn printed_and_read_again_it_is_the_same(seconds in 0_u64..1_000_000_000, nanos in 0_u32..1_000_000_000) {
        let duration = IsoDuration(Duration::new(seconds, nanos));
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
    }
}
