use super::{Figures, median};

#[test]
fn medians() {
    let rows: &[(&[f64], Option<f64>)] = &[
        (&[], None),
        (&[3.0], Some(3.0)),
        (&[9.0, 1.0, 2.0], Some(2.0)),
        (&[4.0, 1.0, 2.0, 9.0], Some(3.0)),
        (&[f64::NAN], None),
        (&[f64::INFINITY], None),
    ];
    for (values, expected) in rows {
        assert_eq!(median(values), *expected, "{values:?}");
    }
}

#[test]
fn rounds_of_one_name_are_one_figure() {
    let mut figures = Figures::default();
    figures.add("fresh: requests", "1/s", 1_000.4);
    figures.add("failed", "", 0.0);
    figures.add("fresh: requests", "1/s", 2_000.4);
    assert_eq!(figures.last("fresh: requests"), Some(2_000.4));
    assert_eq!(figures.last("other"), None);
    let table = figures.table();
    let lines: Vec<Vec<_>> = table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines, [vec!["fresh:", "requests", "1500", "1000", "2000", "1/s"], vec!["failed", "0", "0", "0"]]);
}
