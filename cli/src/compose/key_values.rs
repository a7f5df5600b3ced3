//! Joins functions to the node's durable key-value stores.

use fnctl_broker::key_values::{Error, KeyValues as Stores};
use fnctl_runtime_wasm::capability::key_values::{KeyValueError, KeyValues};
use futures::future::BoxFuture;

/// The node's key-value stores as functions see them.
#[derive(Debug)]
pub(crate) struct NodeKeyValues(pub(crate) Stores);

impl KeyValues for NodeKeyValues {
    fn get<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, KeyValueError>> {
        Box::pin(async move { self.0.get(store, key).await.map_err(refused) })
    }

    fn set<'a>(&'a self, store: &'a str, key: &'a str, value: Vec<u8>) -> BoxFuture<'a, Result<(), KeyValueError>> {
        Box::pin(async move { self.0.set(store, key, value).await.map_err(refused) })
    }

    fn delete<'a>(&'a self, store: &'a str, key: &'a str) -> BoxFuture<'a, Result<(), KeyValueError>> {
        Box::pin(async move { self.0.delete(store, key).await.map_err(refused) })
    }

    fn list<'a>(
        &'a self,
        store: &'a str,
        skip: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, KeyValueError>> {
        Box::pin(async move { self.0.list(store, skip, limit).await.map_err(refused) })
    }

    fn increment<'a>(&'a self, store: &'a str, key: &'a str, delta: u64) -> BoxFuture<'a, Result<u64, KeyValueError>> {
        Box::pin(async move { self.0.increment(store, key, delta).await.map_err(refused) })
    }
}

fn refused(error: Error) -> KeyValueError {
    match error {
        Error::Refused(refusal) => KeyValueError::Refused(refusal),
        Error::Failed(reason) => {
            tracing::error!(reason, "the key-value stores failed");
            KeyValueError::Failed("the node's key-value stores failed; its log has the reason".to_owned())
        }
        other => KeyValueError::Failed(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
