//! Kubernetes quantities: `128Mi`, `500m`, `1.5`, `2e3`.

use std::fmt;
use std::str::FromStr;

const NANO: i128 = 1_000_000_000;
/// Longest text taken; what is longer means nothing for memory or CPU.
const TEXT_BYTES_MAX: usize = 32;

/// An amount of memory (bytes) or CPU (cores), exact to a billionth; what is finer is rounded up, as in Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    nanos: i128,
}

/// The text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
pub struct NotAQuantity;

impl Quantity {
    /// Whole units (bytes, cores), rounded up; none if negative or beyond 64 bits.
    pub fn units(self) -> Option<u64> {
        u64::try_from(self.nanos.checked_add(NANO - 1)?.div_euclid(NANO)).ok()
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }
}

impl FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(NotAQuantity);
        }
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(NotAQuantity);
        }
        let digits = format!("{whole}{fraction}").parse::<i128>().map_err(|_| NotAQuantity)?;
        let scale = i32::try_from(fraction.len()).map_err(|_| NotAQuantity)?;
        let nanos = scaled(digits, scale, suffix).ok_or(NotAQuantity)?;
        Ok(Self { nanos: if negative { -nanos } else { nanos } })
    }
}

/// digits * 10^-scale * suffix, in nanos, rounded up. None for an unknown suffix or an overflow.
fn scaled(digits: i128, scale: i32, suffix: &str) -> Option<i128> {
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter().position(|name| *name == suffix);
    let (factor, exponent) = match (binary, suffix) {
        (Some(power), _) => (1_i128 << (10 * (power + 1)), 0),
        (None, "n") => (1, -9),
        (None, "u") => (1, -6),
        (None, "m") => (1, -3),
        (None, "") => (1, 0),
        (None, "k") => (1, 3),
        (None, "M") => (1, 6),
        (None, "G") => (1, 9),
        (None, "T") => (1, 12),
        (None, "P") => (1, 15),
        (None, "E") => (1, 18),
        (None, _) => (1, suffix.strip_prefix(['e', 'E'])?.parse::<i8>().ok()?.into()),
    };
    let exponent = exponent + 9 - scale;
    let product = digits.checked_mul(factor)?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs());
    match (exponent >= 0, power) {
        (true, Some(power)) => product.checked_mul(power),
        (true, None) => (product == 0).then_some(0),
        (false, Some(power)) => product.checked_add(power - 1).map(|sum| sum / power),
        (false, None) => Some(i128::from(product > 0)),
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = [(NANO, ""), (1_000_000, "m"), (1_000, "u"), (1, "n")];
        let (unit, suffix) = forms.into_iter().find(|(unit, _)| self.nanos % unit == 0).unwrap_or((1, "n"));
        write!(f, "{}{suffix}", self.nanos / unit)
    }
}

#[cfg(test)]
mod tests;
