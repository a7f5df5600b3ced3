//! The durable log of one broker: segment files with group commit.
//!
//! ```text
//!   <directory>/manifest                     how far, which epoch, closed or not      (segment/manifest.rs)
//!               lock                         one process at a time
//!               00000000000000000000.seg     header │ frame │ frame │ ... │ footer    (segment/layout.rs, frame.rs)
//!               00000000000000061532.seg     header │ frame │ frame                   the one that is written
//! ```
//! One thread writes (`segment/committer.rs`), one frame at a time, and answers after `sync_data`. An error of a write or a sync
//! ends the log's service until the node is started again; a full disk does not. Retention drops whole segments.
//! What recovery does after a crash, and how it tells a torn write from damage, is told in `segment/recovery.rs`.
//! There is one partition.

use super::{AppendError, EventLog, Position, ReadError, Stored};
use crate::vfs::{Lock, Vfs};
use bytes::Bytes;
use committer::{Append, Command, Room};
use fnctl_config::limits;
use fnctl_config::snapshot::Retention;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use tokio::sync::{oneshot, watch};

mod committer;
mod files;
mod frame;
mod layout;
mod manifest;
mod recovery;
mod scan;
mod shared;
#[cfg(test)]
pub(crate) mod simulation;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

/// The log. Dropping it closes it and waits for its thread.
#[derive(Debug)]
pub struct SegmentLog {
    shared: Arc<shared::Shared>,
    queued: Arc<AtomicUsize>,
    commands: Option<SyncSender<Command>>,
    committer: Option<JoinHandle<()>>,
    recovery: Recovery,
}

/// Sizes of a log; the defaults are those of `limits`.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of a segment file, in bytes.
    pub segment_bytes: u64,
    /// Most bytes of one append.
    pub append_bytes_max: usize,
    /// Bytes that must stay free on the disk.
    pub free_bytes_min: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: limits::EVENT_LOG_SEGMENT_BYTES,
            append_bytes_max: limits::EVENT_LOG_APPEND_BYTES_MAX,
            free_bytes_min: limits::EVENT_LOG_FREE_BYTES_MIN,
        }
    }
}

/// What opening a log found. Anything in `damaged` was accepted once and is lost: it is to be shown to people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The log was closed in order.
    pub clean: bool,
    /// The epoch from now on; raised by each start after an unclean end.
    pub epoch: u64,
    /// Bytes of a write that a crash tore, never acknowledged, cut off.
    pub torn_bytes: u64,
    /// Positions that cannot be read any more; the rest of the log is served.
    pub damaged: Vec<Damage>,
    /// Segment files with a damaged header, footer or end. Their records are served, save those in `damaged`.
    pub damaged_files: usize,
    /// Damaged slots of the manifest. One is normal after a power cut, and never after an orderly end.
    pub damaged_manifest_slots: usize,
    /// The manifest is gone or unreadable: begin and end of the log are what the files show.
    pub manifest_lost: bool,
}

impl Recovery {
    /// How many files and ranges are damaged.
    pub fn damages(&self) -> usize {
        self.damaged.len() + self.damaged_files
    }

    /// Whether anything was found that a crash cannot explain.
    pub fn is_damaged(&self) -> bool {
        let slots_of_a_crash = usize::from(!self.clean);
        self.damages() > 0 || self.manifest_lost || self.damaged_manifest_slots > slots_of_a_crash
    }
}

/// Positions that cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// From the first one to before the end.
    pub positions: Range<Position>,
}

impl From<(u64, u64)> for Damage {
    fn from((from, to): (u64, u64)) -> Self {
        Self { positions: at(from)..at(to) }
    }
}

/// Counts since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Appends that were answered.
    pub appends: u64,
    /// Records that were appended.
    pub records: u64,
    /// Bytes that were written for them.
    pub bytes: u64,
    /// Commits, each with one sync: `records / commits` is the records per sync.
    pub commits: u64,
    /// Records that a retention of `drop_pending` dropped before they were settled.
    pub expired: u64,
    /// Segment files now.
    pub segments: usize,
    /// Bytes of the segments now.
    pub disk_bytes: u64,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the event log {0} is in use by another process: stop that one first")]
    Locked(String),
    /// The files are another broker's.
    #[error("the event log {directory} is not the one of broker {broker}")]
    Foreign {
        /// Where it is.
        directory: String,
        /// The uid of the broker that it was opened for.
        broker: String,
    },
    /// The disk failed or is full.
    #[error("the event log cannot be opened")]
    Io(#[from] io::Error),
    /// Appends need a new segment, which could not be made.
    #[error("the event log cannot be written: {0}")]
    Roll(String),
}

impl SegmentLog {
    /// Opens the log in a directory of its own, making it where there is none, and starts its thread. `broker` is the
    /// broker's uid. Blocks while the last segment is read.
    pub fn open(
        vfs: &Arc<dyn Vfs>,
        directory: &Path,
        broker: &str,
        options: Options,
        retention: Retention,
    ) -> Result<Self, OpenError> {
        let place = recovery::Place { vfs, directory, broker };
        let (writer, recovery) = recovery::open(&place, options, retention)?;
        let shared = Arc::clone(&writer.shared);
        let (commands, queue) = sync_channel(limits::EVENT_LOG_QUEUE_APPENDS);
        let thread = std::thread::Builder::new().name("event-log".to_owned());
        let committer = thread.spawn(move || committer::run(writer, &queue))?;
        let queued = Arc::new(AtomicUsize::new(0));
        Ok(Self { shared, queued, commands: Some(commands), committer: Some(committer), recovery })
    }

    /// What opening it found.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Why the log takes nothing any more; none while it works. Then the node should stop: only a start helps.
    pub fn failure(&self) -> Option<String> {
        self.shared.failed.get().cloned()
    }

    /// The same as soon as there is one.
    pub(crate) async fn failed(&self) -> String {
        self.shared.failed.wait().await.clone()
    }

    /// Counts, cheap enough for each scrape.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Another retention from now on.
    pub async fn retain(&self, retention: Retention) -> Result<(), AppendError> {
        self.send(Command::Retain(retention)).await
    }

    /// Reads all of it and answers what is damaged.
    pub async fn verify(&self) -> Result<Vec<Damage>, ReadError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.verify()).await
    }

    /// Commits what waits and closes the log, so that the next start has nothing to recover.
    pub async fn close(&self) -> Result<(), AppendError> {
        let (answer, closed) = oneshot::channel();
        self.send(Command::Close(answer)).await?;
        closed.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Hands a rare command over, waiting for room.
    async fn send(&self, mut command: Command) -> Result<(), AppendError> {
        loop {
            let Some(commands) = &self.commands else { return Err(self.gone()) };
            match commands.try_send(command) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(back)) => command = back,
                Err(TrySendError::Disconnected(_)) => return Err(self.gone()),
            }
            tokio::time::sleep(limits::EVENT_LOG_GATHER_MAX).await;
        }
    }

    fn gone(&self) -> AppendError {
        AppendError::Failed(self.failure().unwrap_or_else(|| "the event log is closed".to_owned()))
    }
}

/// Takes the lock of a log that is to be removed: while it is held nobody opens the log. `WouldBlock` while somebody has it
/// open; none where there is no log.
pub(crate) fn claim(vfs: &dyn Vfs, directory: &Path) -> io::Result<Option<Lock>> {
    match recovery::lock(vfs, directory) {
        Ok(lock) => Ok(Some(lock)),
        Err(OpenError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(OpenError::Io(error)) => Err(error),
        Err(error) => Err(io::Error::new(io::ErrorKind::WouldBlock, error)),
    }
}

impl EventLog for SegmentLog {
    fn append(&self, records: Vec<Bytes>) -> BoxFuture<'_, Result<Vec<Position>, AppendError>> {
        if records.is_empty() {
            return ready(Ok(Vec::new())).boxed();
        }
        if self.failure().is_some() {
            return ready(Err(self.gone())).boxed();
        }
        let (count, bytes) = (records.len() as u64, frame::length(&records));
        if bytes > limits::EVENT_LOG_APPEND_BYTES_MAX {
            let bytes_max = limits::EVENT_LOG_APPEND_BYTES_MAX;
            return ready(Err(AppendError::TooLarge { bytes, bytes_max })).boxed();
        }
        let Some(room) = Room::take(&self.queued, bytes) else { return ready(Err(AppendError::Busy)).boxed() };
        let (answer, answered) = oneshot::channel();
        let Some(commands) = &self.commands else { return ready(Err(self.gone())).boxed() };
        match commands.try_send(Command::Append(Append { records, answer, room })) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return ready(Err(AppendError::Busy)).boxed(),
            Err(TrySendError::Disconnected(_)) => return ready(Err(self.gone())).boxed(),
        }
        async move {
            let base = answered.await.unwrap_or_else(|_| Err(self.gone()))?;
            Ok((base..base + count).map(at).collect())
        }
        .boxed()
    }

    fn read(
        &self,
        from: Position,
        max_records: usize,
        max_bytes: usize,
    ) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        if let Some(records) = self.shared.read_tail(from.offset, max_records, max_bytes) {
            return ready(Ok(records)).boxed();
        }
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.read_disk(from.offset, max_records, max_bytes)).boxed()
    }

    fn start(&self) -> Vec<Position> {
        vec![at(self.shared.start())]
    }

    fn next(&self) -> watch::Receiver<Vec<Position>> {
        self.shared.next.subscribe()
    }

    fn after(&self, position: Position) -> Position {
        position.behind()
    }

    fn at_time(&self, appended_at_ms: i64) -> BoxFuture<'_, Result<Vec<Position>, ReadError>> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.at_time(appended_at_ms)).map(|offset| Ok(vec![at(offset?)])).boxed()
    }

    fn trim(&self, keep_from: Vec<Position>) -> BoxFuture<'_, Result<u64, AppendError>> {
        async move {
            let Some(keep_from) = keep_from.iter().map(|position| position.offset).min() else { return Ok(0) };
            let (answer, trimmed) = oneshot::channel();
            self.send(Command::Trim { keep_from, answer }).await?;
            trimmed.await.unwrap_or_else(|_| Err(self.gone()))
        }
        .boxed()
    }
}

impl Drop for SegmentLog {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(committer) = self.committer.take() {
            // It ends with the commands; a panic of it was reported by its thread.
            let _ = committer.join();
        }
    }
}

/// A place of the one partition.
fn at(offset: u64) -> Position {
    Position { partition: 0, offset }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => Err(ReadError::Failed(error.to_string())),
    }
}
