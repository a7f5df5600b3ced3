use super::back;

/// The day after, by the rule that everybody knows.
fn next((year, month, day): (i64, i64, i64)) -> (i64, i64, i64) {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    match (month, day) {
        (12, 31) => (year + 1, 1, 1),
        (_, day) if day == last => (year, month + 1, 1),
        (_, day) => (year, month, day + 1),
    }
}

fn written((year, month, day): (i64, i64, i64)) -> String {
    format!("{year:04}{month:02}{day:02}")
}

#[test]
fn each_day_of_nine_centuries_comes_after_the_one_before() {
    let (mut before, mut date, mut days) = ((1000, 1, 1), (1000, 1, 2), 1);
    while date.0 < 1900 {
        assert_eq!(back(&written(date), 1), Some(written(before)));
        assert_eq!(back(&written(date), days).as_deref(), Some("10000101"));
        (before, date, days) = (date, next(date), days + 1);
    }
}

#[test]
fn what_is_no_date_is_left_out() {
    for text in ["", "2024010", "202401011", "0999 101", "09991231", "20240001", "20241301", "20240100", "20240132"] {
        assert_eq!(back(text, 1), None, "{text}");
    }
    for text in ["10000101", "20241231"] {
        assert_eq!(back(text, 0).as_deref(), Some(text));
    }
}
