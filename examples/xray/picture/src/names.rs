//! Keys of the results. They derive from the input's bucket, key and sequencer under the secret key, and from nothing else:
//! processing twice gives the same names, and no name of a patient in an input's key comes through.

use crate::decode::Format;
use crate::keyed::{Key, Use};

/// One version of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bucket.
    pub bucket: String,
    /// Its key, decoded.
    pub key: String,
    /// What tells its versions apart: the notification's sequencer.
    pub sequencer: String,
}

impl Object {
    fn parts(&self) -> [&str; 3] {
        [&self.bucket, &self.key, &self.sequencer]
    }

    /// Names the input wherever its key must not appear: logs, events. 32 hexadecimal digits.
    pub fn digest(&self, key: &Key) -> String {
        key.hex(Use::Result, &self.parts(), 32)
    }

    /// The id of the event about it. 32 hexadecimal digits.
    pub fn event_id(&self, key: &Key) -> String {
        key.hex(Use::Event, &self.parts(), 32)
    }

    /// The key of the processed picture.
    pub fn processed(&self, key: &Key) -> String {
        format!("{}.png", self.digest(key))
    }

    /// The key of the archived original.
    pub fn archived(&self, key: &Key, format: Format) -> String {
        format!("{}.{}", self.digest(key), format.extension())
    }

    /// The key of the anonymised copy of this patient's picture.
    pub fn research(&self, key: &Key, number: &str, extension: &str) -> String {
        format!("{number}/{}.{extension}", key.hex(Use::Research, &self.parts(), 16))
    }

    /// The number of a patient of whom nothing is known but this object.
    pub(crate) fn unknown_patient(&self, key: &Key) -> String {
        key.number(&["object", &self.bucket, &self.key])
    }
}

#[cfg(test)]
mod tests;
