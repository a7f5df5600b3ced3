//! What the broker remembers of its triggers: cursors, attempts of retrying events, the filters of each generation.
//! One redb file on the [`Vfs`] port. All calls block: from async code use `tokio::task::spawn_blocking`.
//!
//! Every commit is durable when it returns. What may be late is up to the caller: cursors are saved every second or
//! 1,000 acknowledgements (a lost save is a redelivery), attempts before the wait for the next one begins.

use crate::cursor::Cursor;
use crate::log::Position;
use crate::vfs::Vfs;
use database::Database;
use fnctl_config::limits;
use fnctl_config::snapshot::Filter;
use redb::{ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

mod backend;
mod database;
mod gone;
mod retries;
#[cfg(test)]
mod tests;

pub(crate) use database::Redo;
pub use retries::{History, Kept, Retry};

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const TRIGGERS: TableDefinition<&str, &[u8]> = TableDefinition::new("triggers");
const CURSORS: TableDefinition<&str, &[u8]> = TableDefinition::new("cursors");
/// The second one has copies of retrying events.
const FORMAT: u64 = 2;

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct State {
    database: Arc<Database>,
}

/// What is kept of one trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerRecord {
    /// Uid of the broker whose log the cursor is of.
    pub broker: String,
    /// Who owns the cursor: raised by each [`State::take`]; saves under an older one are ignored.
    pub epoch: u64,
    /// How far it is.
    pub cursor: Cursor,
    /// Its filters, oldest first, at most `limits::TRIGGER_GENERATIONS_MAX`.
    pub generations: Vec<Generation>,
    /// When it was deleted, in milliseconds since 1970.
    pub deleted_at_ms: Option<i64>,
}

/// The filter that was in force from a place on, until the next generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// `metadata.generation` of the trigger.
    pub generation: i64,
    /// The first position of each partition that it decides about.
    pub from: Vec<Position>,
    /// Which events.
    pub filter: Filter,
}

impl TriggerRecord {
    /// The generation that decides about the position; none if it came before the trigger, or is forgotten.
    pub fn generation_at(&self, position: Position) -> Option<&Generation> {
        let begun = |from: &Position| from.partition() == position.partition() && *from <= position;
        self.generations.iter().rev().find(|generation| generation.from.iter().any(begun))
    }
}

/// A cursor to save.
#[derive(Clone, Debug)]
pub struct CursorSave {
    /// Uid of the trigger.
    pub trigger: String,
    /// The epoch under which the saver took it.
    pub epoch: u64,
    /// The cursor.
    pub cursor: Cursor,
}

impl State {
    /// Opens the file, making it where there is none. A file that was being made when the power went is made again.
    pub fn open(vfs: &Arc<dyn Vfs>, path: &Path) -> Result<Self, StateError> {
        Self::on(Database::open(vfs, path)?)
    }

    /// A store that is gone when it is dropped: for tests.
    pub fn in_memory() -> Result<Self, StateError> {
        Self::on(Database::in_memory()?)
    }

    /// Nothing is written where the tables are there: a full disk can be opened.
    fn on(database: Database) -> Result<Self, StateError> {
        let state = Self { database: Arc::new(database) };
        match state.format()? {
            Some(FORMAT) => return Ok(state),
            Some(found) if found > FORMAT => return Err(StateError::Newer { found, known: FORMAT }),
            Some(_) | None => {}
        }
        state.write(|transaction| {
            transaction.open_table(META)?.insert("format", FORMAT)?;
            transaction.open_table(TRIGGERS)?;
            transaction.open_table(CURSORS)?;
            retries::make_tables(transaction)?;
            crate::parked::make_tables(transaction)
        })?;
        Ok(state)
    }

    fn format(&self) -> Result<Option<u64>, StateError> {
        match self.read()?.open_table(META) {
            Ok(meta) => Ok(meta.get("format")?.map(|value| value.value())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Why nothing can be saved any more; none while a write can succeed. Then the node should stop: only a start helps.
    /// A full disk is no such reason.
    pub fn failure(&self) -> Option<String> {
        self.database.failure()
    }

    /// The same as soon as there is one.
    pub(crate) async fn failed(&self) -> String {
        self.database.broken().await
    }

    /// Takes over the trigger's cursor under a new epoch. A trigger never seen begins at `start` in the log of `broker`;
    /// so does one that reads another broker's log than before. A tombstone is lifted.
    pub fn take(&self, trigger: &str, broker: &str, start: &[Position]) -> Result<TriggerRecord, StateError> {
        self.write(|transaction| {
            let (known, owned) = load(transaction, trigger)?;
            let epoch = owned.as_ref().map_or(1, |owned| owned.epoch + 1);
            let same_log = known.as_ref().is_some_and(|known| known.broker == broker);
            let cursor = owned.filter(|_| same_log).map_or_else(|| Cursor::new(start), |owned| owned.cursor);
            let mut known = known.unwrap_or_default();
            if !same_log {
                known = SavedTrigger { broker: broker.to_owned(), ..SavedTrigger::default() };
                retries::clear(transaction, trigger)?;
            }
            known.deleted_at_ms = None;
            let owned = SavedCursor { epoch, cursor };
            store(&mut transaction.open_table(TRIGGERS)?, trigger, &known)?;
            store(&mut transaction.open_table(CURSORS)?, trigger, &owned)?;
            Ok(record(known, owned))
        })
    }

    /// Notes that `filter` decides from `from` on. Nothing happens if that generation is noted already.
    pub fn begin_generation(&self, trigger: &str, generation: Generation) -> Result<(), StateError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(TRIGGERS)?;
            let Some(mut known) = fetch::<SavedTrigger>(&table, "triggers", trigger)? else {
                return Err(StateError::Unknown(trigger.to_owned()));
            };
            if known.generations.last().is_some_and(|last| last.generation >= generation.generation) {
                return Ok(());
            }
            known.generations.push(generation);
            let excess = known.generations.len().saturating_sub(limits::TRIGGER_GENERATIONS_MAX);
            known.generations.drain(..excess);
            store(&mut table, trigger, &known)
        })
    }

    /// What is known of one trigger.
    pub fn trigger(&self, trigger: &str) -> Result<Option<TriggerRecord>, StateError> {
        let transaction = self.read()?;
        let known = fetch(&transaction.open_table(TRIGGERS)?, "triggers", trigger)?;
        let owned = fetch(&transaction.open_table(CURSORS)?, "cursors", trigger)?;
        Ok(known.zip(owned).map(|(known, owned)| record(known, owned)))
    }

    /// What is known of all triggers, deleted ones too, by uid.
    pub fn triggers(&self) -> Result<Vec<(String, TriggerRecord)>, StateError> {
        let transaction = self.read()?;
        let cursors = transaction.open_table(CURSORS)?;
        let mut found = Vec::new();
        for entry in transaction.open_table(TRIGGERS)?.iter()? {
            let (uid, known) = entry?;
            if let Some(owned) = fetch(&cursors, "cursors", uid.value())? {
                found.push((uid.value().to_owned(), record(parse("triggers", uid.value(), known.value())?, owned)));
            }
        }
        Ok(found)
    }

    /// Saves cursors and drops the retries of events that are settled, in one commit. Answers the triggers whose cursor
    /// was not saved, since another epoch owns it or it is forgotten.
    pub fn flush(&self, cursors: &[CursorSave], settled: &[(String, Position)]) -> Result<Vec<String>, StateError> {
        if cursors.is_empty() && settled.is_empty() {
            return Ok(Vec::new());
        }
        self.write(|transaction| {
            let mut refused = Vec::new();
            let mut table = transaction.open_table(CURSORS)?;
            for save in cursors {
                match fetch::<SavedCursor>(&table, "cursors", &save.trigger)? {
                    Some(owned) if owned.epoch == save.epoch => {
                        let saved = SavedCursor { epoch: save.epoch, cursor: save.cursor.clone() };
                        store(&mut table, &save.trigger, &saved)?;
                    }
                    _ => refused.push(save.trigger.clone()),
                }
            }
            retries::settle(transaction, settled)?;
            Ok(refused)
        })
    }

    /// Marks a deleted trigger; its record stays for a grace period, so that a trigger taken away by mistake, and what
    /// happened to its events, can still be looked at.
    pub fn bury(&self, trigger: &str, now_ms: i64) -> Result<(), StateError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(TRIGGERS)?;
            let Some(mut known) = fetch::<SavedTrigger>(&table, "triggers", trigger)? else { return Ok(()) };
            known.deleted_at_ms.get_or_insert(now_ms);
            store(&mut table, trigger, &known)
        })
    }

    /// Forgets triggers that were deleted before `before_ms`. Answers their uids.
    pub fn purge(&self, before_ms: i64) -> Result<Vec<String>, StateError> {
        let old = |(uid, record): (String, TriggerRecord)| {
            record.deleted_at_ms.is_some_and(|at| at < before_ms).then_some(uid)
        };
        let gone: Vec<String> = self.triggers()?.into_iter().filter_map(old).collect();
        if gone.is_empty() {
            return Ok(gone);
        }
        self.write(|transaction| {
            for uid in &gone {
                transaction.open_table(TRIGGERS)?.remove(uid.as_str())?;
                transaction.open_table(CURSORS)?.remove(uid.as_str())?;
                retries::clear(transaction, uid)?;
            }
            Ok(gone)
        })
    }

    pub(crate) fn read(&self) -> Result<ReadTransaction, StateError> {
        self.database.begin_read()
    }

    /// One durable commit, or nothing.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        self.database.write(change)
    }

    /// One commit that becomes durable with the next one of [`State::write`], or nothing. `redo` does the same again.
    pub(crate) fn write_soon<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, StateError>,
        redo: Redo,
    ) -> Result<T, StateError> {
        self.database.write_soon(change, redo)
    }
}

#[derive(Default, Serialize, Deserialize)]
struct SavedTrigger {
    broker: String,
    #[serde(default)]
    generations: Vec<Generation>,
    #[serde(default)]
    deleted_at_ms: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct SavedCursor {
    epoch: u64,
    cursor: Cursor,
}

fn record(known: SavedTrigger, owned: SavedCursor) -> TriggerRecord {
    let SavedTrigger { broker, generations, deleted_at_ms } = known;
    TriggerRecord { broker, epoch: owned.epoch, cursor: owned.cursor, generations, deleted_at_ms }
}

fn load(
    transaction: &WriteTransaction,
    trigger: &str,
) -> Result<(Option<SavedTrigger>, Option<SavedCursor>), StateError> {
    let known = fetch(&transaction.open_table(TRIGGERS)?, "triggers", trigger)?;
    let owned = fetch(&transaction.open_table(CURSORS)?, "cursors", trigger)?;
    Ok((known, owned))
}

type Rows<'transaction> = redb::Table<'transaction, &'static str, &'static [u8]>;

fn store<T: Serialize>(table: &mut Rows<'_>, key: &str, value: &T) -> Result<(), StateError> {
    let bytes = serde_json::to_vec(value).map_err(|error| damaged("value", key, &error))?;
    table.insert(key, bytes.as_slice())?;
    Ok(())
}

fn fetch<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &'static str,
    key: &str,
) -> Result<Option<T>, StateError> {
    match table.get(key)? {
        Some(value) => parse(name, key, value.value()).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn parse<T: DeserializeOwned>(table: &'static str, key: &str, bytes: &[u8]) -> Result<T, StateError> {
    serde_json::from_slice(bytes).map_err(|error| damaged(table, key, &error))
}

pub(crate) fn damaged(table: &'static str, key: &str, error: &serde_json::Error) -> StateError {
    StateError::Damaged { table, key: key.to_owned(), reason: error.to_string() }
}

/// Why the state could not be read or saved. The platform's fault.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be used.
    #[error("the broker's state {path} cannot be opened")]
    File {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Written by a newer program.
    #[error("the broker's state has format {found}, this program knows {known}: start the newer program again")]
    Newer {
        /// The format found.
        found: u64,
        /// The newest one known.
        known: u64,
    },
    /// A row does not read back.
    #[error("the broker's state is damaged at {table}/{key}: {reason}")]
    Damaged {
        /// Which table.
        table: &'static str,
        /// Which row.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// No such trigger was taken.
    #[error("trigger {0} is not known: take its cursor first")]
    Unknown(String),
    /// The thread that worked on it ended before its answer.
    #[error("the work on the broker's state was interrupted: {0}")]
    Interrupted(String),
    /// There was no room on the disk: nothing was saved. It can be tried again.
    #[error("the disk is full: nothing of the broker's state was saved; free some space")]
    Full,
    /// The parked store is at its limit: nothing was parked.
    #[error(
        "the parked events take {bytes_max} bytes, which is the limit: send some again (`fnctl dlq redrive`) or give the \
         trigger a dead-letter sink"
    )]
    ParkedFull {
        /// The limit.
        bytes_max: u64,
    },
    /// The copies of retrying events are at their limit: nothing was saved.
    #[error("the copies of events that are tried again take {bytes_max} bytes, which is the limit")]
    RetriesFull {
        /// The limit.
        bytes_max: u64,
    },
    /// A write failed, and nobody knows what is on disk: nothing is saved until the node is started again.
    #[error("the broker's state failed: {0}")]
    Failed(String),
    /// The database refused.
    #[error("the broker's state failed")]
    Database(#[source] Box<redb::Error>),
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StateError {
            fn from(error: $error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )*};
}
from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::Error
);
