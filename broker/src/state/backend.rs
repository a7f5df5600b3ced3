//! Runs redb on a file of the [`Vfs`] port, so that its commits are part of simulated power cuts.

use crate::vfs::{File, Vfs, parent};
use redb::StorageBackend;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Opens the file of a database. A new one is made under another name and renamed when it is whole, since a database
/// that was cut off while being made cannot be told from a damaged one.
pub(super) fn prepare(vfs: &Arc<dyn Vfs>, path: &Path) -> io::Result<Storage> {
    match vfs.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened.map(Storage),
    }
    let unfinished = path.with_extension("new");
    match vfs.remove(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = vfs.create(&unfinished)?;
    let made = super::builder().create_with_backend(Storage(file)).map_err(io::Error::other)?;
    drop(made);
    vfs.open(&unfinished)?.sync_all()?;
    vfs.rename(&unfinished, path)?;
    vfs.sync_directory(parent(path))?;
    vfs.open(path).map(Storage)
}

#[derive(Debug)]
pub(super) struct Storage(Arc<dyn File>);

impl StorageBackend for Storage {
    fn len(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_length(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(offset, data)
    }
}
