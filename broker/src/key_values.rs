//! The key-value stores of functions: one redb file on the [`Vfs`] port, made at the first use.
//!
//! A change is durable when it is answered. Changes that come while others are being synced share the next sync: the first
//! of them to get the turn commits all that wait.

use crate::state::{State, StateError};
use crate::vfs::{Vfs, parent};
use fnctl_config::key_value::{Quota, Refusal, Usage, add};
use fnctl_config::limits::{
    KEY_VALUE_FREE_BYTES_MIN, KEY_VALUE_QUEUED_BYTES_MAX, KEY_VALUE_QUEUED_CHANGE_BYTES, KEY_VALUE_STORES_MAX,
};
use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, TableDefinition};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{SetOnce, oneshot};

const VALUES: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("key_values");
/// Keys and bytes of each store that holds something.
const USAGES: TableDefinition<&str, (u64, u64)> = TableDefinition::new("key_value_usages");

/// What the stores are made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the file is.
    pub vfs: Arc<dyn Vfs>,
    /// The file.
    pub path: PathBuf,
    /// How much each store may hold.
    pub quota: Quota,
    /// Bytes that must stay free on the disk.
    pub free_bytes_min: u64,
}

impl Options {
    /// With the limits of this node.
    pub fn new(vfs: Arc<dyn Vfs>, path: PathBuf) -> Self {
        Self { vfs, path, quota: Quota::default(), free_bytes_min: KEY_VALUE_FREE_BYTES_MIN }
    }
}

/// Why a store refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store's limits, or a value that is no counter.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// One store more than the node may have.
    #[error("the node has {KEY_VALUE_STORES_MAX} key-value stores, which is the limit: empty one")]
    Stores,
    /// Too many changes wait for the disk.
    #[error("the key-value stores take no more changes at this moment")]
    Busy,
    /// The disk is below its low-water mark.
    #[error("the disk has only {free_bytes} bytes left; at least {required_bytes} must stay free")]
    Full {
        /// Bytes left.
        free_bytes: u64,
        /// The low-water mark.
        required_bytes: u64,
    },
    /// The file could not be read or written.
    #[error("the key-value stores failed: {0}")]
    Failed(String),
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Database(source) => Self::Failed(source.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// The stores, each made by its first key and gone with its last. Clones share them.
#[derive(Clone, Debug)]
pub struct KeyValues(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: Options,
    state: SetOnce<State>,
    /// Held by who opens the file.
    opening: tokio::sync::Mutex<()>,
    waiting: Mutex<Waiting>,
    /// Held by who commits.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    writes: Vec<Write>,
    bytes: usize,
}

#[derive(Debug)]
struct Write {
    store: String,
    key: String,
    change: Change,
    answer: oneshot::Sender<Result<u64, Error>>,
}

#[derive(Debug)]
enum Change {
    Set(Vec<u8>),
    Delete,
    Add(u64),
}

impl KeyValues {
    /// Nothing is opened yet.
    pub fn new(options: Options) -> Self {
        let (opening, waiting, turn) = Default::default();
        Self(Arc::new(Shared { options, state: SetOnce::new(), opening, waiting, turn }))
    }

    /// The value of a key.
    pub async fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let (state, store, key) = (self.state().await?, store.to_owned(), key.to_owned());
        blocking(move || {
            let table = state.read()?.open_table(VALUES)?;
            let value = table.get((store.as_str(), key.as_str()))?;
            Ok(value.map(|value| value.value().to_vec()))
        })
        .await
    }

    /// At most `limit` keys, in order, after the first `skip`.
    pub async fn list(&self, store: &str, skip: u64, limit: usize) -> Result<Vec<String>, Error> {
        let (state, store) = (self.state().await?, store.to_owned());
        blocking(move || {
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            let table = state.read()?.open_table(VALUES)?;
            let mut keys = Vec::new();
            for row in table.range((store.as_str(), "")..)?.skip(skip).take(limit) {
                let (place, _) = row?;
                let (of, key) = place.value();
                if of != store {
                    break;
                }
                keys.push(key.to_owned());
            }
            Ok(keys)
        })
        .await
    }

    /// Sets a key, durably.
    pub async fn set(&self, store: &str, key: &str, value: Vec<u8>) -> Result<(), Error> {
        self.write(store, key, Change::Set(value)).await.map(drop)
    }

    /// Removes a key, durably; `Ok` where there is none.
    pub async fn delete(&self, store: &str, key: &str) -> Result<(), Error> {
        self.write(store, key, Change::Delete).await.map(drop)
    }

    /// Adds to a counter as one step, durably, and answers the sum.
    pub async fn increment(&self, store: &str, key: &str, delta: u64) -> Result<u64, Error> {
        self.write(store, key, Change::Add(delta)).await
    }

    /// Waits until no change is taken any more, and answers why. Then the node should stop: only a start helps.
    pub async fn failed(&self) -> String {
        self.0.state.wait().await.failed().await
    }

    async fn state(&self) -> Result<State, Error> {
        if let Some(state) = self.0.state.get() {
            return Ok(state.clone());
        }
        let _opening = self.0.opening.lock().await;
        if let Some(state) = self.0.state.get() {
            return Ok(state.clone());
        }
        let Options { vfs, path, .. } = self.0.options.clone();
        let state = blocking(move || open(&vfs, &path)).await?;
        // Nobody else opens it now.
        let _ = self.0.state.set(state.clone());
        Ok(state)
    }

    /// Answers the sum of a counter, and 0 for any other change.
    async fn write(&self, store: &str, key: &str, change: Change) -> Result<u64, Error> {
        let state = self.state().await?;
        let (answer, mut answered) = oneshot::channel();
        self.wait(Write { store: store.to_owned(), key: key.to_owned(), change, answer })?;
        let turn = self.0.turn.lock().await;
        // Who had the turn before may have taken this change along.
        if let Ok(done) = answered.try_recv() {
            return done;
        }
        let writes = std::mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)).writes;
        let shared = Arc::clone(&self.0);
        blocking(move || {
            shared.commit(&state, writes);
            Ok(())
        })
        .await?;
        drop(turn);
        answered.await.map_err(|_| Error::Failed("the change was interrupted".to_owned()))?
    }

    fn wait(&self, write: Write) -> Result<(), Error> {
        let bytes =
            KEY_VALUE_QUEUED_CHANGE_BYTES + if let Change::Set(value) = &write.change { value.len() } else { 0 };
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.bytes + bytes > KEY_VALUE_QUEUED_BYTES_MAX {
            return Err(Error::Busy);
        }
        waiting.bytes += bytes;
        waiting.writes.push(write);
        Ok(())
    }
}

fn open(vfs: &Arc<dyn Vfs>, path: &std::path::Path) -> Result<State, StateError> {
    let state = State::open(vfs, path)?;
    state.write(|transaction| {
        transaction.open_table(VALUES)?;
        transaction.open_table(USAGES)?;
        Ok(())
    })?;
    Ok(state)
}

impl Shared {
    /// Makes all changes in one commit, and answers them.
    fn commit(&self, state: &State, mut writes: Vec<Write>) {
        // Nobody waits for it any more, and nobody was told that it happened.
        writes.retain(|write| !write.answer.is_closed());
        if writes.is_empty() {
            return;
        }
        let room = self.room();
        let committed = state.write(|transaction| {
            let mut tables =
                Tables { values: transaction.open_table(VALUES)?, usages: transaction.open_table(USAGES)? };
            writes.iter().map(|write| tables.apply(write, self.options.quota, &room)).collect::<Result<Vec<_>, _>>()
        });
        // Nobody waits for an answer where the guest's call has ended meanwhile.
        match committed.map_err(Error::from) {
            Ok(done) => writes.into_iter().zip(done).for_each(|(write, done)| drop(write.answer.send(done))),
            Err(error) => writes.into_iter().for_each(|write| drop(write.answer.send(Err(error.clone())))),
        }
    }

    fn room(&self) -> Result<(), Error> {
        let required_bytes = self.options.free_bytes_min;
        match self.options.vfs.free_bytes(parent(&self.options.path)) {
            Ok(free_bytes) if free_bytes < required_bytes => Err(Error::Full { free_bytes, required_bytes }),
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Failed(error.to_string())),
        }
    }
}

struct Tables<'a> {
    values: Table<'a, (&'static str, &'static str), &'static [u8]>,
    usages: Table<'a, &'static str, (u64, u64)>,
}

impl Tables<'_> {
    fn apply(
        &mut self,
        write: &Write,
        quota: Quota,
        room: &Result<(), Error>,
    ) -> Result<Result<u64, Error>, StateError> {
        let (store, key) = (write.store.as_str(), write.key.as_str());
        let before = self.values.get((store, key))?;
        let before_bytes = before.as_ref().map(|value| (key.len() + value.value().len()) as u64);
        let (value, sum) = match &write.change {
            Change::Set(value) => (Some(Cow::from(value)), 0),
            Change::Delete => (None, 0),
            Change::Add(delta) => match add(before.as_ref().map(redb::AccessGuard::value), *delta) {
                Ok(sum) => (Some(sum.to_string().into_bytes().into()), sum),
                Err(refusal) => return Ok(Err(refusal.into())),
            },
        };
        drop(before);
        let known = self.usages.get(store)?.map(|usage| usage.value());
        let usage = known.map_or_else(Usage::default, |(keys, bytes)| Usage { keys, bytes });
        let after_bytes = value.as_ref().map(|value| (key.len() + value.len()) as u64);
        let usage = match quota.replace(usage, before_bytes, after_bytes) {
            Ok(usage) => usage,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        if after_bytes > before_bytes
            && let Err(full) = room
        {
            return Ok(Err(full.clone()));
        }
        if known.is_none() && value.is_some() && self.usages.len()? >= KEY_VALUE_STORES_MAX {
            return Ok(Err(Error::Stores));
        }
        match value {
            Some(value) => drop(self.values.insert((store, key), &*value)?),
            None => drop(self.values.remove((store, key))?),
        }
        match usage.keys {
            0 => drop(self.usages.remove(store)?),
            keys => drop(self.usages.insert(store, (keys, usage.bytes))?),
        }
        Ok(Ok(sum))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StateError> + Send + 'static,
) -> Result<T, Error> {
    Ok(crate::dispatch::blocking(work).await?)
}

#[cfg(test)]
mod tests;
