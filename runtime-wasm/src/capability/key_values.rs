//! The port to the node's key-value stores.

pub mod conformance;

use fnctl_config::key_value::{Quota, Refusal, Usage, add};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Key-value stores by name; each is made by its first write. A reader sees what was answered before, and a refused or
/// failed change is none.
pub trait KeyValues: fmt::Debug + Send + Sync {
    /// The value of a key.
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, KeyValueError>>;

    /// Sets a key. `Ok` means as durable as the store is.
    fn set<'a>(&'a self, store: &'a str, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<(), KeyValueError>>;

    /// Removes a key; `Ok` where there is none.
    fn delete<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<(), KeyValueError>>;

    /// At most `limit` keys, in the order of their bytes, after the first `skip`.
    fn list<'a>(&'a self, store: &'a str, skip: u64, limit: usize)
    -> BoxFuture<'a, Result<Vec<String>, KeyValueError>>;

    /// Adds to a counter (decimal text, 0 when there is none) and returns the sum, as one step.
    fn increment<'a>(&'a self, store: &'a str, key: &'a str, delta: u64) -> BoxFuture<'a, Result<u64, KeyValueError>>;
}

/// Why a store refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyValueError {
    /// It is full, or the value of a counter is no number.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed; one sentence.
    #[error("{0}")]
    Failed(String),
}

/// Stores in memory: gone with the node.
#[derive(Debug, Default)]
pub struct MemoryKeyValues {
    quota: Quota,
    stores: Mutex<BTreeMap<String, Store>>,
}

#[derive(Debug, Default)]
struct Store {
    usage: Usage,
    values: BTreeMap<String, Vec<u8>>,
}

impl MemoryKeyValues {
    /// Stores that hold at most as much as the quota.
    pub fn new(quota: Quota) -> Self {
        Self { quota, stores: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Store>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step: what a key has becomes what `change` makes of it.
    fn change(
        &self,
        store: &str,
        key: &str,
        change: impl FnOnce(Option<&[u8]>) -> Result<Option<Vec<u8>>, Refusal>,
    ) -> Result<(), KeyValueError> {
        let mut stores = self.lock();
        let store = stores.entry(store.to_owned()).or_default();
        let before = store.values.get(key).map(Vec::as_slice);
        let after = change(before)?;
        let size = |value: &[u8]| (key.len() + value.len()) as u64;
        store.usage = self.quota.replace(store.usage, before.map(size), after.as_deref().map(size))?;
        match after {
            Some(value) => drop(store.values.insert(key.to_owned(), value)),
            None => drop(store.values.remove(key)),
        }
        Ok(())
    }
}

impl KeyValues for MemoryKeyValues {
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, KeyValueError>> {
        Box::pin(async move { Ok(self.lock().get(store).and_then(|store| store.values.get(key)).cloned()) })
    }

    fn set<'a>(&'a self, store: &'a str, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<(), KeyValueError>> {
        Box::pin(async move { self.change(store, key, |_| Ok(Some(value))) })
    }

    fn delete<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<(), KeyValueError>> {
        Box::pin(async move { self.change(store, key, |_| Ok(None)) })
    }

    fn list<'a>(
        &'a self,
        store: &'a str,
        skip: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, KeyValueError>> {
        Box::pin(async move {
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            let stores = self.lock();
            let keys = stores.get(store).into_iter().flat_map(|store| store.values.keys());
            Ok(keys.skip(skip).take(limit).cloned().collect())
        })
    }

    fn increment<'a>(&'a self, store: &'a str, key: &'a str, delta: u64) -> BoxFuture<'a, Result<u64, KeyValueError>> {
        Box::pin(async move {
            let mut sum = 0;
            self.change(store, key, |stored| {
                sum = add(stored, delta)?;
                Ok(Some(sum.to_string().into_bytes()))
            })?;
            Ok(sum)
        })
    }
}

#[cfg(test)]
mod tests;
