//! What the store can be asked to do, and what it answers.

use super::{Error, Key, Version};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One write.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Stores an object that must not be there yet.
    Create(Key, Value),
    /// Replaces an object that must still have this version. When it was being deleted and the new value holds no
    /// finalizer any more, it goes.
    Update(Key, Version, Value),
    /// Deletes an object and, by the cascade, what depends on it.
    Delete {
        /// Which.
        key: Key,
        /// What must hold.
        preconditions: Preconditions,
        /// What happens to dependents.
        cascade: Cascade,
    },
}

/// What must hold for a deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// The object's uid.
    pub uid: Option<String>,
    /// The object's version, as its client sent it.
    pub version: Option<String>,
}

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cascade {
    /// They go with it.
    Background,
    /// They go first; it stays until then.
    Foreground,
    /// They stay, and forget it.
    Orphan,
}

/// What a write did.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The object is stored, with these bytes.
    Stored(Bytes),
    /// The object is gone; these were its last bytes.
    Gone(Bytes),
}

impl Outcome {
    /// The object after the write, or as it was last.
    pub fn bytes(self) -> Bytes {
        match self {
            Self::Stored(bytes) | Self::Gone(bytes) => bytes,
        }
    }
}

/// Why nothing was written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// It is there already.
    #[error("it exists already")]
    Exists,
    /// It is not there.
    #[error("it does not exist")]
    Missing,
    /// It changed since it was read, or a precondition does not hold.
    #[error("it has been changed since")]
    Conflict,
    /// Its namespace is not there.
    #[error("its namespace does not exist")]
    NoNamespace,
    /// Its namespace is being deleted.
    #[error("its namespace is being deleted")]
    Terminating,
    /// The disk does not take it.
    #[error(transparent)]
    Unavailable(#[from] Error),
}
