//! The objects, in one redb file. Reads see committed state only. A write goes through [`Store::submit`] to one writer
//! thread, is committed together with whatever else waits there, and is announced to watchers after the commit.
//!
//! Deletion (finalizers, owner references, namespaces) happens inside the same transaction, so a crash leaves no
//! half-done cascade, and no collector has to run beside it.
//!
//! In reading order: `key` names objects, `disk` and `database` are what they lie in, `snapshot` reads them, `metadata` looks into one, `operation` is what may be
//! asked, `writer` batches and commits, `transaction` performs one operation, `cascade` what a deletion takes along,
//! `ring` is the recent history that watches replay.

mod cascade;
mod database;
mod disk;
mod key;
mod metadata;
mod operation;
mod ring;
mod snapshot;
mod transaction;
mod writer;

#[cfg(test)]
mod tests;

pub use disk::Disk;
pub use key::Key;
pub(crate) use metadata::deleting;
pub use operation::{Cascade, Operation, Outcome, Preconditions, Refused};
pub use ring::{Change, Event};
pub use snapshot::{Snapshot, Stored};

use database::Database;
use disk::Locked;
use fnctl_config::limits::{self, API_FREE_BYTES_MIN};
use redb::TableDefinition;
use ring::Rings;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use writer::{Job, Writer};

/// A resourceVersion: counts the writes of the whole store.
pub type Version = u64;

/// Key of an object → its version, 8 bytes big-endian, then its JSON.
const OBJECTS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("objects");
/// Owner's uid, a zero byte, key of the dependent.
const OWNERS: TableDefinition<'static, &[u8], ()> = TableDefinition::new("owners");
/// Steps of cascades that did not fit into their transaction.
const PENDING: TableDefinition<'static, &[u8], ()> = TableDefinition::new("pending");
/// Counters: `version` is the last one given out.
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
const VERSION: &str = "version";

/// Where the objects are kept.
#[derive(Debug)]
pub enum Place {
    /// A file, made with mode 0600 where there is none. A second process that opens it is refused.
    File(PathBuf),
    /// Anything that behaves like a disk: simulations of power cuts give one.
    Disk(Box<dyn Disk>),
}

/// Why the store did not open, or cannot be used any more.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the file open.
    #[error("{0} is in use by another process: stop that node, or choose another data directory")]
    InUse(String),
    /// The disk or the file failed.
    #[error("the store of API objects failed: {0}")]
    Failed(String),
    /// A write failed before, and nobody knows what is on disk: nothing is written until the node starts again.
    #[error("the store of API objects takes no writes since one failed: {0}; start the node again")]
    ReadOnly(String),
    /// The disk is below its low-water mark. Nothing was written; what is there can be read.
    #[error(
        "the disk of the data directory has only {free_bytes} bytes left, and API objects are written while at least \
         {API_FREE_BYTES_MIN} are free: free some space and try again"
    )]
    Full {
        /// Bytes left.
        free_bytes: u64,
    },
    /// More writes wait than the queue holds, or the node stops.
    #[error("the store of API objects takes no more writes at this moment")]
    Busy,
}

impl From<redb::Error> for Error {
    fn from(error: redb::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The store. Dropping it stops the writer after the operations that already wait.
#[derive(Debug)]
pub struct Store {
    database: Arc<Database>,
    rings: Arc<Rings>,
    published: watch::Receiver<Version>,
    queue: Option<mpsc::SyncSender<Job>>,
    writer: Option<std::thread::JoinHandle<()>>,
    kept: Mutex<VecDeque<(Instant, Arc<Snapshot>)>>,
}

impl Store {
    /// Opens the store, or makes an empty one. Blocks on the disk.
    pub fn open(place: Place) -> Result<Self, Error> {
        let disk = match place {
            Place::File(path) => Box::new(Locked::open(&path)?),
            Place::Disk(disk) => disk,
        };
        let database = Arc::new(Database::open(disk)?);
        let version = database.version()?;
        let rings = Arc::new(Rings::new(version));
        let (publish, published) = watch::channel(version);
        let (queue, jobs) = mpsc::sync_channel(limits::API_WRITES_QUEUED_MAX);
        let writer = Writer::new(database.clone(), rings.clone(), publish, version);
        let writer = std::thread::Builder::new()
            .name("api-store".to_owned())
            .spawn(move || writer.run(&jobs))
            .map_err(|error| Error::Failed(error.to_string()))?;
        Ok(Self { database, rings, published, queue: Some(queue), writer: Some(writer), kept: Mutex::default() })
    }

    /// Performs one operation; the answer comes after it is on disk.
    pub async fn submit(&self, operation: Operation) -> Result<Outcome, Refused> {
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(Refused::Unavailable(Error::Busy))?;
        queue.try_send(Job { operation, answer }).map_err(|_| Refused::Unavailable(Error::Busy))?;
        answered.await.map_err(|_| Refused::Unavailable(Error::Busy))?
    }

    /// The committed state of now.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        Snapshot::of(&self.database.begin_read()?)
    }

    /// Keeps a snapshot for the next pages of a list. It pins pages of the file, hence the limits of number and age.
    pub fn keep(&self, snapshot: Arc<Snapshot>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(at, old)| at.elapsed() < limits::API_SNAPSHOT_KEPT && old.version != snapshot.version);
        if kept.len() >= limits::API_SNAPSHOTS_KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back((Instant::now(), snapshot));
    }

    /// The kept snapshot of a version; nothing when it was let go.
    pub fn kept(&self, version: Version) -> Option<Arc<Snapshot>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(at, _)| at.elapsed() < limits::API_SNAPSHOT_KEPT);
        kept.iter().find(|(_, snapshot)| snapshot.version == version).map(|(_, snapshot)| snapshot.clone())
    }

    /// Waits until no write succeeds any more, and answers why. Then the node should stop: only a start helps.
    pub async fn failed(&self) -> String {
        self.database.broken().await
    }

    /// The newest version whose events are all in the rings.
    pub fn published(&self) -> watch::Receiver<Version> {
        self.published.clone()
    }

    /// The recent events of each kind.
    pub(crate) fn rings(&self) -> &Rings {
        &self.rings
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has failed its callers already; there is nobody left to tell.
            let _ = writer.join();
        }
    }
}
