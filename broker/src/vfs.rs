//! The file system as log, ledger and state see it: one small port, so that power cuts can be simulated.
//!
//! It promises what POSIX promises and no more: a write is kept after `sync_data` of its file; a file that was created,
//! renamed or removed is so for good after `sync_directory`; until then a power cut may keep any part of it.
//! All calls block: from async code they run on threads made for it.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub mod disk;
pub mod simulated;
#[cfg(test)]
pub(crate) mod tests;

/// A file system, or the part of one that the broker may use.
pub trait Vfs: Debug + Send + Sync {
    /// Makes a new, empty file that only its owner may read and write (0600). `AlreadyExists` if there is one.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Opens a file for reading and writing. `NotFound` if there is none.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name in one step, replacing what had that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Handles that are open go on reading it.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, of files and of directories, sorted.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Makes a directory and those above it, and syncs each new name; content that is there stays.
    fn create_directory(&self, directory: &Path) -> io::Result<()>;

    /// Removes a directory and all that is in it; links are not followed. `NotFound` if there is none. After an error, or a
    /// power cut before the directory above is synced, any part of it may still be there.
    fn remove_directory(&self, directory: &Path) -> io::Result<()>;

    /// Makes the names in a directory survive a power cut.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// Bytes that may still be written where `directory` is.
    fn free_bytes(&self, directory: &Path) -> io::Result<u64>;

    /// Takes the file as a lock for this process, creating it where needed. `WouldBlock` if another process has it.
    fn lock(&self, path: &Path) -> io::Result<Lock>;
}

/// Held until it is dropped; the operating system releases it when the process dies, however it dies.
#[derive(Debug)]
pub struct Lock {
    _held: Box<dyn LockHold>,
}

impl Lock {
    /// A lock that is given back when `held` is dropped.
    pub fn new(held: impl LockHold + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

/// What an adapter keeps while a lock is held.
pub trait LockHold: Debug + Send + Sync {}

/// An open file. Its place is an argument of each call, so that threads share it without a lock.
pub trait File: Debug + Send + Sync {
    /// Reads at most the buffer's length; fewer bytes than asked are legal, 0 is the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes at most the bytes given; fewer are legal, near a full disk for example.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Cuts the file, or extends it by zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Makes content and length survive a power cut. After an error nobody knows what is kept: the caller must stop.
    fn sync_data(&self) -> io::Result<()>;

    /// As `sync_data`, with all attributes: for a file that was just made or is closed for good.
    fn sync_all(&self) -> io::Result<()>;

    /// Fills the buffer or fails with `UnexpectedEof`.
    fn read_exact_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(offset, buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    offset += count as u64;
                    buffer = &mut buffer[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all of the bytes or fails; then any part of them may be in the file.
    fn write_all_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(offset, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    offset += count as u64;
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether there was no room, which passes; any other error of a write does not.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::WriteZero)
}

/// Opens the file, or makes it and syncs its name.
pub(crate) fn open_or_create(vfs: &dyn Vfs, path: &Path) -> io::Result<Arc<dyn File>> {
    match vfs.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = vfs.create(path)?;
            vfs.sync_directory(parent(path))?;
            Ok(file)
        }
        opened => opened,
    }
}

/// The directory that a file is in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("/"))
}
