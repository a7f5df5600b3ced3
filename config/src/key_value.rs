//! What a key-value store decides, whatever keeps it: pure.

use crate::limits::{KEY_VALUE_STORE_BYTES_MAX, KEY_VALUE_STORE_KEYS_MAX};

/// How much one store may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Keys.
    pub keys: u64,
    /// Bytes of all keys and values.
    pub bytes: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { keys: KEY_VALUE_STORE_KEYS_MAX, bytes: KEY_VALUE_STORE_BYTES_MAX }
    }
}

/// How much one store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Keys.
    pub keys: u64,
    /// Bytes of all keys and values.
    pub bytes: u64,
}

/// Why a store refuses a change. The caller's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The value of a counter is no number, or the sum is too large.
    #[error("the value is no counter, or the counter is at its end")]
    NoCounter,
    /// One key more than the store may hold.
    #[error("the store holds {0} keys, which is the limit: delete some")]
    Keys(u64),
    /// More bytes than the store may hold.
    #[error("the keys and values of the store would have more than {0} bytes, which is the limit: delete some")]
    Bytes(u64),
}

impl Quota {
    /// What the store holds after an entry changed, sizes in bytes of key and value. What does not grow is never refused.
    pub fn replace(self, usage: Usage, before: Option<u64>, after: Option<u64>) -> Result<Usage, Refusal> {
        let keys = usage.keys.saturating_sub(u64::from(before.is_some())) + u64::from(after.is_some());
        let bytes = usage.bytes.saturating_sub(before.unwrap_or(0)).saturating_add(after.unwrap_or(0));
        if keys > usage.keys && keys > self.keys {
            return Err(Refusal::Keys(self.keys));
        }
        if bytes > usage.bytes && bytes > self.bytes {
            return Err(Refusal::Bytes(self.bytes));
        }
        Ok(Usage { keys, bytes })
    }
}

/// The sum of a counter, kept as decimal text, and what is added; where there is no value yet, it is 0.
pub fn add(stored: Option<&[u8]>, delta: u64) -> Result<u64, Refusal> {
    let value = match stored {
        None => Some(0),
        Some(bytes) => std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<u64>().ok()),
    };
    value.and_then(|value| value.checked_add(delta)).ok_or(Refusal::NoCounter)
}

#[cfg(test)]
mod tests;
