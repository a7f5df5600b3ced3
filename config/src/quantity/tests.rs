use super::*;
use proptest::prelude::*;

#[test]
fn kubernetes_forms() {
    let rows = [
        ("128Mi", Some(128 << 20)),
        ("1", Some(1)),
        ("1.5", Some(2)),
        ("500m", Some(1)),
        ("0", Some(0)),
        ("1e3", Some(1000)),
        ("2E", Some(2_000_000_000_000_000_000)),
        ("1.5Gi", Some(3 << 29)),
        ("1k", Some(1000)),
        ("+5", Some(5)),
        (".5", Some(1)),
        ("-1", None),
        ("0e99", Some(0)),
        ("1e-99", Some(1)),
        ("0e-99", Some(0)),
        ("00000000000000000000000000000001", Some(1)),
    ];
    for (text, units) in rows {
        assert_eq!(text.parse::<Quantity>().map(Quantity::units), Ok(units), "{text}");
    }
    for text in [
        "",
        "Mi",
        "1.2.3",
        "1K",
        "1mi",
        "one",
        "1 Mi",
        "1e",
        "--1",
        "1e999",
        "1e99",
        "000000000000000000000000000000001",
        ".",
        "99999999999999999999999999999999999",
    ] {
        assert_eq!(text.parse::<Quantity>(), Err(NotAQuantity), "{text}");
    }
}

#[test]
fn what_is_finer_than_a_billionth_is_rounded_up() {
    for (written, rounded) in [
        ("1.0000000010", "1.000000001"),
        ("1.0000000011", "1.000000002"),
        ("1.0000000019", "1.000000002"),
        ("0.1n", "1n"),
        ("1e-10", "1n"),
        ("1e-99", "1n"),
        ("0e-10", "0"),
    ] {
        assert_eq!(written.parse::<Quantity>(), rounded.parse(), "{written}");
    }
}

#[test]
fn is_printed_in_the_largest_unit_that_it_is_whole_in() {
    for (written, printed) in
        [("1.5", "1500m"), ("2000m", "2"), ("0", "0"), ("0.0015", "1500u"), ("1500n", "1500n"), ("-1500m", "-1500m")]
    {
        assert_eq!(written.parse::<Quantity>().unwrap().to_string(), printed, "{written}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        let _ = text.parse::<Quantity>();
    }

    #[test]
    fn printed_and_read_again_it_is_the_same(text in "-?[0-9]{1,9}(\\.[0-9]{1,3})?(n|u|m||k|M|G|Ki|Mi|Gi|e[0-3])") {
        let quantity: Quantity = text.parse().unwrap();
        prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
    }
}
