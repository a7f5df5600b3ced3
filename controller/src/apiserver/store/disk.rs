//! What the store is kept on: a file, or what behaves like one in a simulation.

use super::Error;
use redb::StorageBackend;
use rustix::fs::FallocateFlags;
use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::SetOnce;

/// One file of a disk.
pub trait Disk: Debug + Send + Sync {
    /// The file, made where there is none. Asked for again after the disk was full; what was given before is then no
    /// longer written to.
    fn open(&self) -> io::Result<Box<dyn StorageBackend>>;

    /// Bytes that may still be written.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// A file of the operating system, locked while this lives.
#[derive(Debug)]
pub(super) struct Locked {
    file: File,
    path: PathBuf,
}

impl Locked {
    /// Opens the file, or makes it with mode 0600. Refused while another process has it open.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::Failed(format!("{}: {error}", path.display()));
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, path: path.to_owned() }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse(path.display().to_string())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Disk for Locked {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(Bytes(self.file.try_clone()?)))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let space = rustix::fs::statvfs(&self.path)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

/// The bytes of a file, as redb asks for them.
#[derive(Debug)]
struct Bytes(File);

impl StorageBackend for Bytes {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }
    /// Room is taken at once where the file system can: then writes inside of the file succeed on a full disk, too.
    fn set_len(&self, len: u64) -> io::Result<()> {
        let now = StorageBackend::len(self)?;
        let reserve = |more| rustix::fs::fallocate(&self.0, FallocateFlags::empty(), now, more);
        match len.checked_sub(now) {
            Some(more @ 1..) if reserve(more).is_ok() => Ok(()),
            _ => self.0.set_len(len),
        }
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// What went wrong first.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// There was no room for a write; what was synced before is whole.
    Full,
    /// Anything else: nobody knows what is on disk.
    Broken(String),
}

/// Watches a file below redb, which says that something went wrong and not always what.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    storage: Arc<dyn StorageBackend>,
    trouble: Arc<OnceLock<Trouble>>,
    /// Told where the trouble is none that passes.
    broken: Arc<SetOnce<String>>,
    retired: Arc<AtomicBool>,
}

impl Watched {
    pub(super) fn new(storage: Box<dyn StorageBackend>, broken: Arc<SetOnce<String>>) -> Self {
        Self { storage: storage.into(), trouble: Arc::default(), broken, retired: Arc::default() }
    }

    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.get()
    }

    /// From now on this can be read only: another one writes.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    fn refuse_if_retired(&self) -> io::Result<()> {
        if self.retired.load(Ordering::Acquire) { Err(io::Error::other("the file was opened again")) } else { Ok(()) }
    }

    fn note_full(&self, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.note(Trouble::Full),
            _ => self.note_broken(error),
        }
    }

    fn note_broken(&self, error: &io::Error) {
        self.note(Trouble::Broken(error.to_string()));
    }

    fn note(&self, trouble: Trouble) {
        // Only the first one tells what happened.
        if self.trouble.set(trouble.clone()).is_ok()
            && let Trouble::Broken(reason) = trouble
        {
            let _ = self.broken.set(reason);
        }
    }
}

impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.storage.len().inspect_err(|error| self.note_broken(error))
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.storage.read(offset, out).inspect_err(|error| self.note_broken(error))
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.refuse_if_retired()?;
        self.storage.set_len(len).inspect_err(|error| self.note_full(error))
    }
    fn sync_data(&self) -> io::Result<()> {
        self.refuse_if_retired()?;
        // Also for want of room: after a sync that failed the system may have forgotten what was to be written.
        self.storage.sync_data().inspect_err(|error| self.note_broken(error))
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.refuse_if_retired()?;
        self.storage.write(offset, data).inspect_err(|error| match offset {
            // The first page says which pages count: after half a write of it nobody knows.
            0 => self.note_broken(error),
            _ => self.note_full(error),
        })
    }
    fn close(&self) -> io::Result<()> {
        self.storage.close()
    }
}
