//! The thread that owns the writer: collects what waits, commits it as one frame, answers everybody.
//!
//! A lone writer is committed at once. Where the commit before had several appends, the next one waits until as many are
//! there again, at most half of what that commit took and at most `limits::EVENT_LOG_GATHER_MAX`: writers that wait for
//! their answers come back together, and without the wait each second commit would carry one of them.

use super::writer::Writer;
use crate::log::AppendError;
use bytes::Bytes;
use fnctl_config::limits;
use fnctl_config::snapshot::Retention;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What the committer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Append(Append),
    Trim { keep_from: u64, answer: oneshot::Sender<Result<u64, AppendError>> },
    Retain(Retention),
    Close(oneshot::Sender<Result<(), AppendError>>),
}

/// Records that belong together, and who waits for them.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) records: Vec<Bytes>,
    /// Answered with the offset of the first one.
    pub(super) answer: oneshot::Sender<Result<u64, AppendError>>,
    pub(super) room: Room,
}

/// Bytes of the queue that are taken until this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    queued: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    /// Takes room in the queue; none if there is not enough.
    pub(super) fn take(queued: &Arc<AtomicUsize>, bytes: usize) -> Option<Self> {
        let add = |before: usize| before.checked_add(bytes).filter(|&sum| sum <= limits::EVENT_LOG_QUEUE_BYTES);
        queued.fetch_update(Ordering::AcqRel, Ordering::Acquire, add).ok()?;
        Some(Self { queued: Arc::clone(queued), bytes })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.queued.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// Serves commands until the log is closed or nobody is left to give any.
pub(super) fn run(mut writer: Writer, commands: &Receiver<Command>) {
    let mut pace = Pace { appends: 0, took: Duration::ZERO };
    let mut noted = Instant::now();
    loop {
        let command = match commands.recv_timeout(limits::EVENT_LOG_NOTE_INTERVAL) {
            Ok(command) => Some(command),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let rest = match command {
            Some(Command::Append(first)) => commit_all(&mut writer, first, commands, &mut pace),
            other => other,
        };
        match rest {
            Some(Command::Append(_)) | None => {}
            // The asker may have gone; the work is done all the same.
            Some(Command::Trim { keep_from, answer }) => {
                let _ = answer.send(writer.trim(keep_from, now_ms()));
            }
            Some(Command::Retain(retention)) => writer.retention = retention,
            Some(Command::Close(answer)) => {
                let closed = writer.close();
                // Who is told may open the log again at once.
                drop(writer);
                let _ = answer.send(closed);
                return;
            }
        }
        if noted.elapsed() >= limits::EVENT_LOG_NOTE_INTERVAL {
            // A failure is kept by the writer and answered to whoever asks next.
            let _ = writer.note_durable();
            noted = Instant::now();
        }
    }
    // Nobody is left to hear of it; a log that was not closed is recovered at the next start.
    let _ = writer.close();
}

/// What the last commit was like.
struct Pace {
    appends: usize,
    took: Duration,
}

/// Commits until no append waits, or something else does, which it answers.
fn commit_all(writer: &mut Writer, first: Append, commands: &Receiver<Command>, pace: &mut Pace) -> Option<Command> {
    let begun = Instant::now();
    let mut batch = Batch::new(first);
    let gather_until = begun + (pace.took / 2).min(limits::EVENT_LOG_GATHER_MAX);
    let rest = loop {
        if batch.is_full() {
            break None;
        }
        let missing = batch.appends.len() < pace.appends;
        let wait = if missing { gather_until.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
        match commands.recv_timeout(wait) {
            Ok(Command::Append(append)) => batch.add(append),
            Ok(other) => break Some(other),
            Err(_) => break None,
        }
    };
    let appends = batch.appends.len();
    let committed = Instant::now();
    batch.commit(writer);
    *pace = Pace { appends, took: committed.elapsed() };
    rest
}

struct Batch {
    appends: Vec<Append>,
    records: usize,
    bytes: usize,
}

impl Batch {
    fn new(first: Append) -> Self {
        let mut batch = Self { appends: Vec::new(), records: 0, bytes: 0 };
        batch.add(first);
        batch
    }

    fn add(&mut self, append: Append) {
        self.records += append.records.len();
        self.bytes += append.room.bytes;
        self.appends.push(append);
    }

    fn is_full(&self) -> bool {
        self.records >= limits::EVENT_LOG_COMMIT_RECORDS || self.bytes >= limits::EVENT_LOG_COMMIT_BYTES
    }

    fn commit(mut self, writer: &mut Writer) {
        let mut records = Vec::with_capacity(self.records);
        let mut counts = Vec::with_capacity(self.appends.len());
        for append in &mut self.appends {
            counts.push(append.records.len());
            records.append(&mut append.records);
        }
        let mut committed = writer.append(&records, now_ms());
        writer.shared.counters.appends.fetch_add(self.appends.len() as u64, Ordering::Relaxed);
        for (append, count) in self.appends.into_iter().zip(counts) {
            // Whoever does not wait any more gets no answer; the records stay.
            let _ = append.answer.send(committed.clone());
            if let Ok(offset) = &mut committed {
                *offset += count as u64;
            }
        }
    }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
