//! The one database of the store, opened again after the disk was full.
//!
//! redb refuses everything, reads too, after an error of a write, until it is opened again. Where there was no room for
//! the write, nothing of it counts: pages are copied before they are changed, and the last sync still names the old ones.
//! So the file is opened again at once, reads go on, and the next write is as good as any. After any other error nobody
//! knows what is on disk, and the database is not used any more.
//!
//! So that it hardly comes to that, no write begins below a low-water mark.

use super::disk::{Disk, Trouble, Watched};
use super::{Error, META, OBJECTS, OWNERS, PENDING, VERSION, Version};
use fnctl_config::limits;
use redb::{Builder, Durability, ReadTransaction, ReadableDatabase as _, TableError, WriteTransaction};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::SetOnce;

#[derive(Debug)]
pub(super) struct Database {
    disk: Box<dyn Disk>,
    opened: RwLock<Opened>,
    /// Why nothing can be written any more.
    broken: Arc<SetOnce<String>>,
}

#[derive(Clone, Debug)]
struct Opened {
    database: Arc<redb::Database>,
    storage: Watched,
}

impl Database {
    pub(super) fn open(disk: Box<dyn Disk>) -> Result<Self, Error> {
        let broken = Arc::default();
        let opened = Opened::open(&*disk, &broken)?;
        Ok(Self { disk, opened: RwLock::new(opened), broken })
    }

    pub(super) fn begin_read(&self) -> Result<ReadTransaction, redb::Error> {
        Ok(self.opened().database.begin_read()?)
    }

    /// Every commit is durable when it returns and asks for quick repair: opening after a crash is quick only if the
    /// last commit did.
    pub(super) fn begin_write(&self) -> Result<WriteTransaction, redb::Error> {
        let mut transaction = self.opened().database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    /// The last version given out.
    pub(super) fn version(&self) -> Result<Version, redb::Error> {
        let version = self.begin_read()?.open_table(META)?.get(VERSION)?.map_or(1, |version| version.value());
        Ok(version)
    }

    /// Whether a write may begin. Only the writer asks: it is the one who may open the file again.
    pub(super) fn ready(&self) -> Result<(), Error> {
        let trouble = self.opened().storage.trouble().cloned();
        if let Some(Trouble::Broken(reason)) = trouble {
            return Err(Error::ReadOnly(reason));
        }
        let free_bytes = self.disk.free_bytes().map_err(|error| Error::Failed(error.to_string()))?;
        if free_bytes < limits::API_FREE_BYTES_MIN {
            return Err(Error::Full { free_bytes });
        }
        if trouble.is_some() { self.reopen() } else { Ok(()) }
    }

    /// What a write's error means, now that nothing of it counts.
    pub(super) fn failed(&self, error: &redb::Error) -> Error {
        let free_bytes = self.disk.free_bytes().unwrap_or(0);
        match self.opened().storage.trouble() {
            Some(Trouble::Full) => {
                tracing::warn!(free_bytes, "the disk was full while an API object was written");
                if let Err(error) = self.reopen() {
                    tracing::warn!(%error, "API objects cannot be read until the next write");
                }
                Error::Full { free_bytes }
            }
            Some(Trouble::Broken(reason)) => {
                tracing::error!(reason, "the store of API objects is read-only from now on");
                Error::ReadOnly(reason.clone())
            }
            None => Error::Failed(error.to_string()),
        }
    }

    /// Waits until nothing can be written any more, and answers why.
    pub(super) async fn broken(&self) -> String {
        self.broken.wait().await.clone()
    }

    fn reopen(&self) -> Result<(), Error> {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        opened.storage.retire();
        *opened = Opened::open(&*self.disk, &self.broken)?;
        Ok(())
    }

    fn opened(&self) -> Opened {
        self.opened.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Opened {
    fn open(disk: &dyn Disk, broken: &Arc<SetOnce<String>>) -> Result<Self, Error> {
        let file = disk.open().map_err(|error| Error::Failed(error.to_string()))?;
        let storage = Watched::new(file, Arc::clone(broken));
        let mut builder = Builder::new();
        builder.set_cache_size(limits::API_CACHE_BYTES);
        let database = builder.create_with_backend(storage.clone()).map_err(redb::Error::from)?;
        prepare(&database)?;
        Ok(Self { database: Arc::new(database), storage })
    }
}

/// Makes the tables. Nothing is written where they are there: a full disk can be opened.
fn prepare(database: &redb::Database) -> Result<(), redb::Error> {
    match database.begin_read()?.open_table(META) {
        Ok(_) => return Ok(()),
        Err(TableError::TableDoesNotExist(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.open_table(OBJECTS)?;
    transaction.open_table(OWNERS)?;
    transaction.open_table(PENDING)?;
    transaction.open_table(META)?;
    transaction.commit()?;
    Ok(())
}
