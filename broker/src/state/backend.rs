//! Runs redb on a file of the [`Vfs`] port, so that its commits are part of simulated power cuts.

use crate::vfs::{File, Vfs, is_full, parent};
use redb::StorageBackend;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::SetOnce;

/// Opens the file of a database. A new one is made under another name and renamed when it is whole, since a database
/// that was cut off while being made cannot be told from a damaged one.
pub(super) fn prepare(vfs: &Arc<dyn Vfs>, path: &Path, broken: &Arc<SetOnce<String>>) -> io::Result<Storage> {
    let storage = |file| Storage::new(file, Arc::clone(broken));
    match vfs.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened.map(storage),
    }
    let unfinished = path.with_extension("new");
    match vfs.remove(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = vfs.create(&unfinished)?;
    let made = super::database::builder().create_with_backend(storage(file)).map_err(io::Error::other)?;
    drop(made);
    vfs.open(&unfinished)?.sync_all()?;
    vfs.rename(&unfinished, path)?;
    vfs.sync_directory(parent(path))?;
    vfs.open(path).map(storage)
}

/// What went wrong first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There was no room for a write; what was synced before is whole.
    Full,
    /// Anything else: nobody knows what is on disk.
    Broken(String),
}

/// The file below redb, which says that something went wrong and not always what.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    file: Arc<dyn File>,
    trouble: Arc<OnceLock<Trouble>>,
    /// Told where the trouble is none that passes.
    broken: Arc<SetOnce<String>>,
    retired: Arc<AtomicBool>,
}

impl Storage {
    fn new(file: Arc<dyn File>, broken: Arc<SetOnce<String>>) -> Self {
        Self { file, trouble: Arc::default(), broken, retired: Arc::default() }
    }

    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.get()
    }

    /// From now on this can be read only: another one writes.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    fn change(&self, change: impl FnOnce(&dyn File) -> io::Result<()>) -> io::Result<()> {
        if self.retired.load(Ordering::Acquire) {
            return Err(io::Error::other("the file was opened again"));
        }
        change(&*self.file)
    }

    fn note(&self, trouble: Trouble) {
        // Only the first one tells what happened.
        if self.trouble.set(trouble.clone()).is_ok()
            && let Trouble::Broken(reason) = trouble
        {
            let _ = self.broken.set(reason);
        }
    }

    fn note_broken(&self, error: &io::Error) {
        self.note(Trouble::Broken(error.to_string()));
    }

    fn note_full(&self, error: &io::Error) {
        if is_full(error) { self.note(Trouble::Full) } else { self.note_broken(error) }
    }

    /// The first page says which pages count: after half a write of it nobody knows.
    fn note_write(&self, offset: u64, error: &io::Error) {
        if offset == 0 { self.note_broken(error) } else { self.note_full(error) }
    }
}

impl StorageBackend for Storage {
    fn len(&self) -> io::Result<u64> {
        self.file.length().inspect_err(|error| self.note_broken(error))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(offset, out).inspect_err(|error| self.note_broken(error))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(|file| file.set_length(length)).inspect_err(|error| self.note_full(error))
    }

    /// Also for want of room: after a sync that failed the system may have forgotten what was to be written.
    fn sync_data(&self) -> io::Result<()> {
        self.change(|file| file.sync_data()).inspect_err(|error| self.note_broken(error))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(|file| file.write_all_at(offset, data)).inspect_err(|error| self.note_write(offset, error))
    }
}
