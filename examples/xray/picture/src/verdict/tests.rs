use super::*;

#[test]
fn the_limits_themselves_are_unsure() {
    let limits = Limits::default();
    assert_eq!((limits.normal_below(), limits.pneumonia_above()), (0.60, 0.80));
    for (risk, verdict, word) in [
        (Some(0.0), Verdict::Normal, "normal"),
        (Some(0.599), Verdict::Normal, "normal"),
        (Some(0.60), Verdict::Unsure, "unsure"),
        (Some(0.80), Verdict::Unsure, "unsure"),
        (Some(0.801), Verdict::Pneumonia, "pneumonia"),
        (Some(1.0), Verdict::Pneumonia, "pneumonia"),
        (Some(f64::NAN), Verdict::Unsure, "unsure"),
        (None, Verdict::Unsure, "unsure"),
    ] {
        assert_eq!(limits.judge(risk), verdict, "{risk:?}");
        assert_eq!(verdict.word(), word);
    }
}

#[test]
fn limits_are_parts_of_one_in_their_order() {
    for (normal_below, pneumonia_above) in [(0.0, 0.0), (0.0, 1.0), (0.5, 0.5), (1.0, 1.0)] {
        let limits = Limits::new(normal_below, pneumonia_above).expect("limits");
        assert_eq!((limits.normal_below(), limits.pneumonia_above()), (normal_below, pneumonia_above));
    }
    for (normal_below, pneumonia_above) in [(-0.1, 0.5), (0.6, 0.5), (0.5, 1.1), (f64::NAN, 0.5), (0.5, f64::NAN)] {
        assert_eq!(Limits::new(normal_below, pneumonia_above), None, "{normal_below} {pneumonia_above}");
    }
}
