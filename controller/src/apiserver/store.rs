//! The objects, in one redb file. Reads see committed state only. A write goes through [`Store::submit`] to one writer
//! thread, is committed together with whatever else waits there, and is announced to watchers after the commit.
//!
//! Deletion (finalizers, owner references, namespaces) happens inside the same transaction, so a crash leaves no
//! half-done cascade, and no collector has to run beside it.
//!
//! In reading order: `key` names objects, `snapshot` reads them, `metadata` looks into one, `operation` is what may be
//! asked, `writer` batches and commits, `transaction` performs one operation, `cascade` what a deletion takes along,
//! `ring` is the recent history that watches replay.

mod cascade;
mod key;
mod metadata;
mod operation;
mod ring;
mod snapshot;
mod transaction;
mod writer;

#[cfg(test)]
mod tests;

pub use key::Key;
pub(crate) use metadata::deleting;
pub use operation::{Cascade, Operation, Outcome, Preconditions, Refused};
pub use ring::{Change, Event};
pub use snapshot::{Snapshot, Stored};

use fnctl_config::limits;
use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, StorageBackend, TableDefinition};
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
    Backend(Box<dyn StorageBackend>),
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
    /// A write failed before: what is there can be read, nothing is written until the node starts again.
    #[error("the store of API objects is read-only since a write failed: {0}")]
    ReadOnly(String),
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
        let database = open_database(place)?;
        let version = prepare(&database)?;
        let database = Arc::new(database);
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
        Snapshot::of(&self.database.begin_read().map_err(redb::Error::from)?)
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

fn open_database(place: Place) -> Result<Database, Error> {
    let mut builder = Builder::new();
    builder.set_cache_size(limits::API_CACHE_BYTES);
    match place {
        Place::Backend(backend) => {
            builder.create_with_backend(Boxed(backend)).map_err(|error| redb::Error::from(error).into())
        }
        Place::File(path) => {
            use std::os::unix::fs::OpenOptionsExt;
            let mut options = std::fs::OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
            let file = file.map_err(|error| Error::Failed(format!("{}: {error}", path.display())))?;
            let opened = FileBackend::new(file).and_then(|backend| builder.create_with_backend(backend));
            opened.map_err(|error| match error {
                redb::DatabaseError::DatabaseAlreadyOpen => Error::InUse(path.display().to_string()),
                other => Error::Failed(format!("{}: {other}", path.display())),
            })
        }
    }
}

/// Makes the tables and answers the last version. Every commit asks for quick repair, this one too: opening after a
/// crash is quick only if the last commit did.
fn prepare(database: &Database) -> Result<Version, Error> {
    let work = || -> Result<Version, redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        transaction.open_table(OBJECTS)?;
        transaction.open_table(OWNERS)?;
        transaction.open_table(PENDING)?;
        let version = {
            use redb::ReadableTable;
            let meta = transaction.open_table(META)?;
            meta.get(VERSION)?.map_or(1, |version| version.value())
        };
        transaction.commit()?;
        Ok(version)
    };
    work().map_err(Error::from)
}

/// redb takes a backend by value; this one is chosen at run time.
#[derive(Debug)]
struct Boxed(Box<dyn StorageBackend>);

impl StorageBackend for Boxed {
    fn len(&self) -> Result<u64, std::io::Error> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> Result<(), std::io::Error> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.0.write(offset, data)
    }
    fn close(&self) -> Result<(), std::io::Error> {
        self.0.close()
    }
}
