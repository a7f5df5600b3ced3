//! What deleted brokers leave: the events of a deleted broker are gone, with all that is known of them.
//!
//! First it is noted in the state that the broker is gone, then its folder is removed, then the state forgets it with the
//! note: what a crash cuts off is finished by the next start. A broker that was deleted while nobody could see it leaves a
//! folder that no object names. So does one whose object was lost, and may be brought back: such a folder is kept for
//! `limits::BROKER_GRACE`.

use super::{ApplyError, Brokers, Declared, Shared};
use crate::log::segment;
use crate::state::State;
use crate::vfs::{Vfs, parent};
use fnctl_config::limits::BROKER_GRACE;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Brokers {
    /// Removes what the brokers left that have ended for good. What fails is tried again with the next one, and at the
    /// next start.
    pub(super) async fn clear(&self, declared: &mut Declared) -> Result<(), ApplyError> {
        if declared.ended.is_empty() {
            return Ok(());
        }
        let (left, ended) = (Left::of(&self.shared), declared.ended.clone());
        on_a_thread(move || {
            ended.iter().try_for_each(|uid| left.state.note_gone(uid, now_ms()))?;
            left.remove_due()
        })
        .await?;
        declared.ended.clear();
        Ok(())
    }

    /// Notes folders that belong to none of these brokers, whose uids are given: from now on they have
    /// `limits::BROKER_GRACE`.
    pub(super) async fn note_orphans(&self, stored: BTreeSet<String>) -> Result<(), ApplyError> {
        let left = Left::of(&self.shared);
        on_a_thread(move || left.note_orphans(&stored)).await
    }
}

/// What is left of brokers, in the state and in the folder of all brokers. Its methods block on the file system.
pub(super) struct Left {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    state: State,
}

impl Left {
    pub(super) fn of(shared: &Shared) -> Self {
        Self { vfs: Arc::clone(&shared.vfs), directory: shared.directory.clone(), state: shared.state.clone() }
    }

    /// Removes what is left of the brokers whose time has come. One that cannot be removed does not hold up the others.
    pub(super) fn remove_due(&self) -> Result<(), ApplyError> {
        let now = now_ms();
        let due = self.state.gone()?.into_iter().filter(|(_, due)| *due <= now);
        due.map(|(uid, _)| self.remove_broker(&uid)).fold(Ok(()), Result::and)
    }

    fn remove_broker(&self, uid: &str) -> Result<(), ApplyError> {
        let folder = self.directory.join(uid);
        self.remove(&folder)
            .map_err(|source| ApplyError::Remove { directory: folder.display().to_string(), source })?;
        self.state.forget(uid)?;
        tracing::info!(folder = %folder.display(), "a deleted broker's events were removed");
        Ok(())
    }

    /// Removes a broker's folder, unless somebody has its log open.
    fn remove(&self, folder: &Path) -> io::Result<()> {
        let _lock = segment::claim(self.vfs.as_ref(), &folder.join("log"))?;
        match self.vfs.remove_directory(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => self.vfs.sync_directory(parent(folder)),
        }
    }

    fn note_orphans(&self, stored: &BTreeSet<String>) -> Result<(), ApplyError> {
        let failed = |source| ApplyError::Remove { directory: self.directory.display().to_string(), source };
        let names = self.vfs.list(&self.directory).map_err(failed)?;
        let known: BTreeMap<_, _> = self.state.gone()?.into_iter().collect();
        let grace = i64::try_from(BROKER_GRACE.as_millis()).unwrap_or(i64::MAX);
        for uid in names.iter().filter(|name| is_uid(name) && !stored.contains(*name) && !known.contains_key(*name)) {
            tracing::warn!(folder = %self.directory.join(uid).display(), grace = ?BROKER_GRACE,
                "these events are of a broker that does not exist; they are kept for a while");
            self.state.note_gone(uid, now_ms().saturating_add(grace))?;
        }
        Ok(())
    }
}

/// Whether it is a uid as the API gives them: 8-4-4-4-12 hexadecimal digits. Nothing else is taken for a broker's folder.
fn is_uid(name: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|digit| digit.is_ascii_hexdigit());
    name.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && name.split('-').all(is_hex)
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

async fn on_a_thread(work: impl FnOnce() -> Result<(), ApplyError> + Send + 'static) -> Result<(), ApplyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(ApplyError::State(crate::state::StateError::Interrupted(error.to_string()))),
    }
}
