//! Durations as users write them: ISO-8601 in delivery settings (`PT0.2S`), Go's form in annotations (`1m30s`).

use jiff::{Span, SpanRelativeTo};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// An ISO-8601 duration of fixed length: weeks, days (24 h), hours, minutes, seconds; not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IsoDuration(pub Duration);

/// The text is no duration of that form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADuration {
    /// Not ISO-8601, negative, or with years or months, which have no fixed length.
    #[error("expected an ISO-8601 duration of weeks, days, hours, minutes or seconds, such as PT0.2S or PT1H30M")]
    Iso,
    /// Not Go's form.
    #[error("expected a duration such as 500ms, 10s or 1m30s")]
    Go,
}

impl FromStr for IsoDuration {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Self, NotADuration> {
        if !text.starts_with('P') {
            return Err(NotADuration::Iso);
        }
        let span: Span = text.parse().map_err(|_| NotADuration::Iso)?;
        let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| NotADuration::Iso)?;
        Duration::try_from(signed).map(Self).map_err(|_| NotADuration::Iso)
    }
}

impl fmt::Display for IsoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        if nanos == 0 {
            return write!(f, "PT{seconds}S");
        }
        let fraction = format!("{nanos:09}");
        write!(f, "PT{seconds}.{}S", fraction.trim_end_matches('0'))
    }
}

/// Reads Go's form: numbers with units h, m, s, ms, us, ns, without a sign; `0` needs no unit.
pub fn parse_go(text: &str) -> Result<Duration, NotADuration> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut total) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(NotADuration::Go)?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_end);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(NotADuration::Go),
        };
        let number: f64 = number.parse().map_err(|_| NotADuration::Go)?;
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| NotADuration::Go)?;
        total = total.checked_add(part).ok_or(NotADuration::Go)?;
        rest = next;
    }
    if text.is_empty() { Err(NotADuration::Go) } else { Ok(total) }
}

#[cfg(test)]
mod tests;
