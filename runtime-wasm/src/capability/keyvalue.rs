//! `wasi:keyvalue` over the [`KeyValues`] port. A store is opened by a name that the revision was granted.

use super::bindings::wasi::keyvalue::store::{Error, KeyResponse};
use super::bindings::wasi::keyvalue::{atomics, store};
use super::key_values::{KeyValueError, KeyValues};
use crate::store::Context;
use fnctl_config::limits;
use std::sync::Arc;
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker, Resource};

type Told<T> = Result<std::result::Result<T, Error>>;

/// An open store.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated code publishes it")]
pub struct Bucket {
    name: String,
}

pub(crate) fn add_to_linker(linker: &mut Linker<Context>) -> Result<()> {
    store::add_to_linker::<_, HasSelf<Context>>(linker, |context| context)?;
    atomics::add_to_linker::<_, HasSelf<Context>>(linker, |context| context)
}

impl Context {
    fn opened(&self, bucket: &Resource<Bucket>) -> Result<(Arc<dyn KeyValues>, String)> {
        // A handle is made by `open` alone, and grants do not change under a call.
        Ok((self.function.node.key_values.clone(), self.table.get(bucket)?.name.clone()))
    }
}

fn other(error: &KeyValueError) -> Error {
    Error::Other(error.to_string())
}

fn check_key(key: &str) -> std::result::Result<(), Error> {
    if key.is_empty() || key.len() > limits::KEY_BYTES_MAX {
        return Err(Error::Other(format!("a key has 1 to {} bytes", limits::KEY_BYTES_MAX)));
    }
    Ok(())
}

impl store::Host for Context {
    async fn open(&mut self, identifier: String) -> Told<Resource<Bucket>> {
        if !self.function.revision.grants.key_value.contains(&identifier) {
            return Ok(Err(Error::AccessDenied));
        }
        Ok(Ok(self.table.push(Bucket { name: identifier })?))
    }
}

impl store::HostBucket for Context {
    async fn get(&mut self, this: Resource<Bucket>, key: String) -> Told<Option<Vec<u8>>> {
        let (stores, name) = self.opened(&this)?;
        Ok(stores.get(&name, &key).await.map_err(|error| other(&error)))
    }

    async fn set(&mut self, this: Resource<Bucket>, key: String, value: Vec<u8>) -> Told<()> {
        let (stores, name) = self.opened(&this)?;
        if let Err(error) = check_key(&key) {
            return Ok(Err(error));
        }
        if value.len() > limits::VALUE_BYTES_MAX {
            return Ok(Err(Error::Other(format!("a value has at most {} bytes", limits::VALUE_BYTES_MAX))));
        }
        Ok(stores.set(&name, &key, value).await.map_err(|error| other(&error)))
    }

    async fn delete(&mut self, this: Resource<Bucket>, key: String) -> Told<()> {
        let (stores, name) = self.opened(&this)?;
        Ok(stores.delete(&name, &key).await.map_err(|error| other(&error)))
    }

    async fn exists(&mut self, this: Resource<Bucket>, key: String) -> Told<bool> {
        let (stores, name) = self.opened(&this)?;
        Ok(stores.get(&name, &key).await.map(|value| value.is_some()).map_err(|error| other(&error)))
    }

    async fn list_keys(&mut self, this: Resource<Bucket>, cursor: Option<u64>) -> Told<KeyResponse> {
        let (stores, name) = self.opened(&this)?;
        let skip = cursor.unwrap_or(0);
        // One more than a page tells whether there is another.
        let mut keys = match stores.list(&name, skip, limits::LIST_PAGE_MAX + 1).await {
            Ok(keys) => keys,
            Err(error) => return Ok(Err(other(&error))),
        };
        let more = keys.len() > limits::LIST_PAGE_MAX;
        keys.truncate(limits::LIST_PAGE_MAX);
        let cursor = more.then_some(skip + limits::LIST_PAGE_MAX as u64);
        Ok(Ok(KeyResponse { keys, cursor }))
    }

    async fn drop(&mut self, this: Resource<Bucket>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl atomics::Host for Context {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Told<u64> {
        let (stores, name) = self.opened(&bucket)?;
        if let Err(error) = check_key(&key) {
            return Ok(Err(error));
        }
        Ok(stores.increment(&name, &key, delta).await.map_err(|error| other(&error)))
    }
}
