//! The log port: where accepted events are kept, and the contract its adapters fulfil.
//!
//! ```text
//!   start ──────────────── next
//!   │ retained, readable │ not written yet
//!   ▼                    ▼
//!   [ 0:17 | 0:18 | 0:19 ]
//! ```
//! `append` answers when the records would survive a power cut. A read never returns what a power cut could take back.
//! Nothing outside this module calculates with a [`Position`].

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use tokio::sync::watch;

#[cfg(test)]
mod conformance;
pub mod memory;
pub mod segment;
#[cfg(test)]
mod tests;

/// A place in a log: opaque, ordered within a partition, printed as `partition:offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Position {
    partition: u32,
    offset: u64,
}

/// What the rest of this crate may ask of a position without calculating with it.
impl Position {
    /// The partition it is in.
    pub(crate) fn partition(self) -> u32 {
        self.partition
    }

    /// The place right behind it in the same partition: where a reader goes on that has read this one.
    pub(crate) fn behind(self) -> Self {
        Self { partition: self.partition, offset: self.offset.saturating_add(1) }
    }

    /// The very first place of its partition, whether or not it is still retained.
    pub(crate) fn origin(self) -> Self {
        Self { partition: self.partition, offset: 0 }
    }

    /// How many places there are before `end`, a later one of the same partition.
    pub(crate) fn until(self, end: Self) -> u64 {
        end.offset.saturating_sub(self.offset)
    }

    /// Another place of the same partition.
    pub(crate) fn with_offset(self, offset: u64) -> Self {
        Self { partition: self.partition, offset }
    }

    /// Twelve bytes that sort as positions do: for the keys of tables and for fixed records on disk.
    pub(crate) fn to_key(self) -> [u8; 12] {
        let mut key = [0; 12];
        key[..4].copy_from_slice(&self.partition.to_be_bytes());
        key[4..].copy_from_slice(&self.offset.to_be_bytes());
        key
    }

    /// The position that `to_key` made this of.
    pub(crate) fn from_key(key: [u8; 12]) -> Self {
        let [a, b, c, d, offset @ ..] = key;
        Self { partition: u32::from_be_bytes([a, b, c, d]), offset: u64::from_be_bytes(offset) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}

impl TryFrom<String> for Position {
    type Error = InvalidPosition;
    fn try_from(text: String) -> Result<Self, InvalidPosition> {
        text.parse()
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;
    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let invalid = || InvalidPosition(text.to_owned());
        let (partition, offset) = text.split_once(':').ok_or_else(invalid)?;
        Ok(Self {
            partition: partition.parse().map_err(|_| invalid())?,
            offset: offset.parse().map_err(|_| invalid())?,
        })
    }
}

/// The text is no position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no position: expected partition:offset, as in \"0:1234\"")]
pub struct InvalidPosition(pub String);

/// One event as the log keeps it: opaque bytes and when they were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it is.
    pub position: Position,
    /// When it was appended, in milliseconds since 1970; never decreasing within a partition.
    pub appended_at_ms: i64,
    /// The event, in the codec of `crate::event`.
    pub record: Bytes,
}

/// Keeps the events of one broker.
pub trait EventLog: fmt::Debug + Send + Sync {
    /// Appends the records as one unit: all of them or none. `Ok` means that they survive a power cut.
    fn append(&self, records: Vec<Bytes>) -> BoxFuture<'_, Result<Vec<Position>, AppendError>>;

    /// Records from `from` on, in order, at most `max_records` and about `max_bytes`; empty at the end of the log.
    /// A position before the first retained one continues at the first retained one.
    fn read(
        &self,
        from: Position,
        max_records: usize,
        max_bytes: usize,
    ) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>>;

    /// The first position of each partition that is retained.
    fn start(&self) -> Vec<Position>;

    /// The next position of each partition; changes after each append. A cursor that begins "now" begins here.
    fn next(&self) -> watch::Receiver<Vec<Position>>;

    /// The position right after `position`.
    fn after(&self, position: Position) -> Position;

    /// The first position whose `appended_at_ms` is at least the given one.
    fn at_time(&self, appended_at_ms: i64) -> BoxFuture<'_, Result<Vec<Position>, ReadError>>;

    /// Lets everything before `keep_from` go that the retention no longer asks for, at the log's own grain.
    /// Answers how many records went.
    fn trim(&self, keep_from: Vec<Position>) -> BoxFuture<'_, Result<u64, AppendError>>;
}

/// Why nothing was appended. The platform's fault; the caller may try again, except for `Failed`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The queue of the committer is full.
    #[error("the log takes no more records at this moment")]
    Busy,
    /// The disk is below its low-water mark.
    #[error("the disk has only {free_bytes} bytes left; at least {required_bytes} must stay free")]
    Full {
        /// Bytes left.
        free_bytes: u64,
        /// The low-water mark.
        required_bytes: u64,
    },
    /// The records of one append are larger than one unit of the log may be.
    #[error("{bytes} bytes in one append; the log takes at most {bytes_max} as one unit")]
    TooLarge {
        /// Bytes of the records.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A write or a sync failed: the log takes nothing any more until the node is started again.
    #[error("the log failed: {0}")]
    Failed(String),
}

/// Why nothing could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The records at this place do not match their checksums; the rest of the log is served.
    #[error("records from {from} to before {to} are damaged and kept aside")]
    Damaged {
        /// First damaged position.
        from: Position,
        /// First position after the damage.
        to: Position,
    },
    /// The disk failed.
    #[error("the log cannot be read: {0}")]
    Failed(String),
}
