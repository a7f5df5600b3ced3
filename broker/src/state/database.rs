//! One redb file that is opened again after the disk was full.
//!
//! redb refuses everything, reads too, after an error of a write, until it is opened again. Where there was no room for
//! the write, nothing of it counts: pages are copied before they are changed, and the last sync still names the old ones.
//! So the file is opened again at once, what was committed and not yet synced is done once more, and the next write is as
//! good as any. After any other error nobody knows what is on disk, and the database is not used any more.

use super::StateError;
use super::backend::{self, Storage, Trouble};
use crate::vfs::Vfs;
use fnctl_config::limits;
use redb::backends::InMemoryBackend;
use redb::{Durability, ReadTransaction, ReadableDatabase as _, WriteTransaction};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::SetOnce;

/// A change that is done again where a crash or a full disk took it: it must not depend on how often it was done.
pub(crate) type Redo = Box<dyn Fn(&WriteTransaction) -> Result<(), StateError> + Send>;

pub(super) struct Database {
    place: Option<(Arc<dyn Vfs>, PathBuf)>,
    opened: RwLock<Opened>,
    /// Why nothing can be written any more.
    broken: Arc<SetOnce<String>>,
    /// What was committed since the last sync. Locked while something is written.
    unsynced: Mutex<Vec<Redo>>,
}

#[derive(Clone, Debug)]
struct Opened {
    database: Arc<redb::Database>,
    /// None in memory, where nothing goes wrong.
    storage: Option<Storage>,
}

impl Database {
    /// Opens the file, making it where there is none.
    pub(super) fn open(vfs: &Arc<dyn Vfs>, path: &Path) -> Result<Self, StateError> {
        let broken = Arc::default();
        let opened = Opened::open(vfs, path, &broken)?;
        Ok(Self {
            place: Some((Arc::clone(vfs), path.to_owned())),
            opened: RwLock::new(opened),
            broken,
            unsynced: Mutex::default(),
        })
    }

    pub(super) fn in_memory() -> Result<Self, StateError> {
        let database = Arc::new(builder().create_with_backend(InMemoryBackend::new())?);
        let opened = RwLock::new(Opened { database, storage: None });
        Ok(Self { place: None, opened, broken: Arc::default(), unsynced: Mutex::default() })
    }

    pub(super) fn begin_read(&self) -> Result<ReadTransaction, StateError> {
        Ok(self.opened().database.begin_read()?)
    }

    /// One commit that is durable when this returns, or nothing.
    pub(super) fn write<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let mut unsynced = self.ready()?;
        let written = self.commit(Durability::Immediate, change);
        match written {
            Ok(answer) => {
                unsynced.clear();
                Ok(answer)
            }
            Err(error) => Err(self.failed(&unsynced, error)),
        }
    }

    /// One commit that becomes durable with the next [`Database::write`], or nothing. `redo` does the same again.
    pub(super) fn write_soon<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, StateError>,
        redo: Redo,
    ) -> Result<T, StateError> {
        let mut unsynced = self.ready()?;
        match self.commit(Durability::None, change) {
            Ok(answer) => {
                unsynced.push(redo);
                Ok(answer)
            }
            Err(error) => Err(self.failed(&unsynced, error)),
        }
    }

    /// Why nothing can be written any more; none while a write can succeed.
    pub(super) fn failure(&self) -> Option<String> {
        self.broken.get().cloned()
    }

    /// The same as soon as there is one.
    pub(super) async fn broken(&self) -> String {
        self.broken.wait().await.clone()
    }

    /// The right to write, in a database that can be written.
    fn ready(&self) -> Result<MutexGuard<'_, Vec<Redo>>, StateError> {
        let unsynced = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        match self.opened().trouble() {
            Some(Trouble::Broken(reason)) => return Err(StateError::Failed(reason)),
            // Opening it again after the write that found no room did not succeed either.
            Some(Trouble::Full) => self.reopen(&unsynced)?,
            None => {}
        }
        Ok(unsynced)
    }

    fn commit<T>(
        &self,
        durability: Durability,
        change: impl FnOnce(&WriteTransaction) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let opened = self.opened();
        let mut transaction = opened.database.begin_write()?;
        match durability {
            Durability::None => transaction.set_durability(durability).map_err(redb::Error::from)?,
            _ => transaction.set_quick_repair(true),
        }
        let answer = change(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }

    /// What a write's error means, now that nothing of it counts.
    fn failed(&self, unsynced: &[Redo], error: StateError) -> StateError {
        match self.opened().trouble() {
            None => error,
            Some(Trouble::Broken(reason)) => StateError::Failed(reason),
            Some(Trouble::Full) => self.reopen(unsynced).err().unwrap_or(StateError::Full),
        }
    }

    fn reopen(&self, unsynced: &[Redo]) -> Result<(), StateError> {
        let Some((vfs, path)) = &self.place else { return Ok(()) };
        if let Some(storage) = self.opened().storage {
            storage.retire();
        }
        let again = Opened::open(vfs, path, &self.broken).and_then(|opened| opened.redo(unsynced).map(|()| opened));
        let again = again.map_err(|error| {
            tracing::warn!(path = %path.display(), %error, "the disk is full, and what is there cannot be read now");
            StateError::Full
        })?;
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = again;
        Ok(())
    }

    fn opened(&self) -> Opened {
        self.opened.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Opened {
    fn open(vfs: &Arc<dyn Vfs>, path: &Path, broken: &Arc<SetOnce<String>>) -> Result<Self, StateError> {
        let storage = backend::prepare(vfs, path, broken)
            .map_err(|source| StateError::File { path: path.display().to_string(), source })?;
        let database = builder().create_with_backend(storage.clone())?;
        Ok(Self { database: Arc::new(database), storage: Some(storage) })
    }

    fn redo(&self, unsynced: &[Redo]) -> Result<(), StateError> {
        if unsynced.is_empty() {
            return Ok(());
        }
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::None).map_err(redb::Error::from)?;
        unsynced.iter().try_for_each(|redo| redo(&transaction))?;
        Ok(transaction.commit()?)
    }

    fn trouble(&self) -> Option<Trouble> {
        self.storage.as_ref()?.trouble().cloned()
    }
}

pub(super) fn builder() -> redb::Builder {
    let mut builder = redb::Builder::new();
    builder.set_cache_size(limits::STATE_CACHE_BYTES);
    builder
}
