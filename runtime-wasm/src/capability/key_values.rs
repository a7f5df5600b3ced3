//! The port to the node's key-value stores.

use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Key-value stores by name; each is made by its first write. A reader sees what it wrote.
pub trait KeyValues: fmt::Debug + Send + Sync {
    /// The value of a key.
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, KeyValueError>>;

    /// Sets a key. `Ok` means as durable as the store is.
    fn set<'a>(&'a self, store: &'a str, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<(), KeyValueError>>;

    /// Removes a key; `Ok` where there is none.
    fn delete<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<(), KeyValueError>>;

    /// At most `limit` keys, in order, after the first `skip`.
    fn list<'a>(&'a self, store: &'a str, skip: u64, limit: usize)
    -> BoxFuture<'a, Result<Vec<String>, KeyValueError>>;

    /// Adds to a counter (decimal text, 0 when there is none) and returns the sum, as one step.
    fn increment<'a>(&'a self, store: &'a str, key: &'a str, delta: u64) -> BoxFuture<'a, Result<u64, KeyValueError>>;
}

/// Why a store refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyValueError {
    /// The value of a counter is no number, or the sum is too large.
    #[error("the value of {0:?} is no counter, or it is full")]
    NoCounter(String),
    /// The store failed.
    #[error("the key-value store failed: {0}")]
    Failed(String),
}

/// Adds to a counter's stored form.
pub fn add(key: &str, stored: Option<&[u8]>, delta: u64) -> Result<u64, KeyValueError> {
    let value = match stored {
        None => Some(0),
        Some(bytes) => std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<u64>().ok()),
    };
    value.and_then(|value| value.checked_add(delta)).ok_or_else(|| KeyValueError::NoCounter(key.to_owned()))
}

type Stored = BTreeMap<(String, String), Vec<u8>>;

/// Stores in memory: gone with the node.
#[derive(Debug, Default)]
pub struct MemoryKeyValues(Mutex<Stored>);

impl MemoryKeyValues {
    fn lock(&self) -> MutexGuard<'_, Stored> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry(store: &str, key: &str) -> (String, String) {
    (store.to_owned(), key.to_owned())
}

impl KeyValues for MemoryKeyValues {
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, KeyValueError>> {
        Box::pin(async move { Ok(self.lock().get(&entry(store, key)).cloned()) })
    }

    fn set<'a>(&'a self, store: &'a str, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<(), KeyValueError>> {
        Box::pin(async move {
            self.lock().insert(entry(store, key), value);
            Ok(())
        })
    }

    fn delete<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<(), KeyValueError>> {
        Box::pin(async move {
            self.lock().remove(&entry(store, key));
            Ok(())
        })
    }

    fn list<'a>(
        &'a self,
        store: &'a str,
        skip: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, KeyValueError>> {
        Box::pin(async move {
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            let stored = self.lock();
            let keys = stored.keys().filter(|(found, _)| found == store).map(|(_, key)| key.clone());
            Ok(keys.skip(skip).take(limit).collect())
        })
    }

    fn increment<'a>(&'a self, store: &'a str, key: &'a str, delta: u64) -> BoxFuture<'a, Result<u64, KeyValueError>> {
        Box::pin(async move {
            let mut stored = self.lock();
            let sum = add(key, stored.get(&entry(store, key)).map(Vec::as_slice), delta)?;
            stored.insert(entry(store, key), sum.to_string().into_bytes());
            Ok(sum)
        })
    }
}
