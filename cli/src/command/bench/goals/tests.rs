use super::super::figures::Figures;
use super::{Bench, COLD_P50, DURABLE_TO_BOUND, FAILED, GOALS, compare};
use std::collections::BTreeSet;

#[test]
fn goals_are_compared_with_medians() {
    let met = |ratios: &[f64], failed: f64| {
        let mut figures = Figures::default();
        ratios.iter().for_each(|ratio| figures.add(DURABLE_TO_BOUND, "x", *ratio));
        figures.add(FAILED, "", failed);
        compare(Bench::Event, &figures).iter().map(|verdict| verdict.is_met()).collect::<Vec<_>>()
    };
    assert_eq!(met(&[0.1, 0.5, 0.9], 0.0), [true, true], "a bound is reached where it is met");
    assert_eq!(met(&[0.1, 0.49, 0.9], 0.0), [false, true]);
    assert_eq!(met(&[0.9], 1.0), [true, false]);
    assert_eq!(met(&[], 0.0), [false, true], "what was not measured is missed");
    assert_eq!(met(&[f64::NAN], 0.0), [false, true], "and so is what is no number");
}

#[test]
fn a_missed_goal_names_itself() {
    let mut figures = Figures::default();
    figures.add(COLD_P50, "ms", 7.25);
    let verdicts = compare(Bench::Cold, &figures);
    let said: Vec<_> = verdicts.iter().map(ToString::to_string).collect();
    assert!(said.contains(&"first request above warm, p50: 7.25 ms, the goal is at most 5".to_owned()), "{said:?}");
    assert!(said.contains(&"size of the binary: not measured, the goal is at most 70".to_owned()), "{said:?}");
}

#[test]
fn each_goal_is_there_once() {
    let names: BTreeSet<_> = GOALS.iter().map(|goal| (goal.bench.name(), goal.figure)).collect();
    assert_eq!(names.len(), GOALS.len());
}
