//! Names that only the holder of a key can link to what they replace. An unkeyed hash of a few thousand patient numbers is
//! reversed by trying them all; this is not.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Digits of RFC 4648's base32.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Characters of a patient's number: 40 bits.
const NUMBER_LENGTH: usize = 8;

/// What a keyed name is for: the same input has unrelated names for different uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A patient's number.
    Patient,
    /// A DICOM UID.
    Uid,
    /// The shift of a patient's dates.
    Date,
    /// A study's number.
    Study,
    /// A key in the research bucket.
    Research,
    /// A key in the institution's own buckets.
    Result,
    /// The id of an event.
    Event,
}

impl Use {
    fn word(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Uid => "uid",
            Self::Date => "date",
            Self::Study => "study",
            Self::Research => "key",
            Self::Result => "result",
            Self::Event => "event",
        }
    }
}

/// 32 secret bytes. Never printed.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The key is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key must be 32 bytes, written as 64 hexadecimal digits")]
pub struct BadKey;

impl Key {
    /// Reads a key written as 64 hexadecimal digits; white space around it does not matter.
    ///
    /// # Errors
    /// When it is anything else. The error does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let digits = text.trim().as_bytes();
        let mut key = [0; 32];
        if digits.len() != 2 * key.len() {
            return Err(BadKey);
        }
        for (byte, pair) in key.iter_mut().zip(digits.as_chunks::<2>().0) {
            let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(BadKey);
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Ok(Self(key))
    }

    /// HMAC-SHA-256 of the use and the parts, separated by NUL.
    fn mac(&self, purpose: Use, parts: &[&str]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(purpose.word().as_bytes());
        for part in parts {
            mac.update(&[0]);
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    /// A patient's number: eight characters of base32.
    pub(crate) fn number(&self, parts: &[&str]) -> String {
        let mac = self.mac(Use::Patient, parts);
        let bits = mac.iter().take(5).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        (0..NUMBER_LENGTH).rev().map(|place| char::from(BASE32[(bits >> (5 * place)) as usize % 32])).collect()
    }

    /// So many hexadecimal digits, at most 64.
    pub(crate) fn hex(&self, purpose: Use, parts: &[&str], digits: usize) -> String {
        let mac = self.mac(purpose, parts);
        let mut hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        hex.truncate(digits);
        hex
    }

    /// A UID under 2.25: a UUID of version 8 (RFC 9562) as a decimal number.
    pub(crate) fn uid(&self, original: &str) -> String {
        let mac = self.mac(Use::Uid, &[original]);
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&mac[..16]);
        uuid[6] = uuid[6] & 0x0F | 0x80;
        uuid[8] = uuid[8] & 0x3F | 0x80;
        format!("2.25.{}", u128::from_be_bytes(uuid))
    }

    /// How many days a patient's dates go back: 1 to 365, the same for all of one patient's films.
    pub(crate) fn days(&self, parts: &[&str]) -> i64 {
        let mac = self.mac(Use::Date, parts);
        1 + i64::from(u16::from_be_bytes([mac[0], mac[1]])) % 365
    }
}

#[cfg(test)]
mod tests;
