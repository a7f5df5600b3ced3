//! Dates as DICOM writes them, moved back by days (proleptic Gregorian calendar).

/// A date `yyyymmdd` that many days earlier; `None` if it is no such date.
pub(super) fn back(date: &str, days: i64) -> Option<String> {
    if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| date[range].parse::<i64>().ok();
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    if year < 1000 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month, day) = civil(ordinal(year, month, day) - days);
    Some(format!("{year:04}{month:02}{day:02}"))
}

/// Days since 0000-03-01. A year that begins in March has its leap day at the end.
fn ordinal(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1
}

fn civil(ordinal: i64) -> (i64, i64, i64) {
    let (era, in_era) = (ordinal / 146_097, ordinal % 146_097);
    let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (year + 400 * era, if month < 10 { month + 3 } else { month - 9 });
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests;
