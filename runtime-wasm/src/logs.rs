//! What functions write to stdout and stderr: a bounded ring of lines per revision, in memory. It belongs to the node
//! and not to an instance, so it survives a revision's way to zero.

use fnctl_config::limits;
use fnctl_config::snapshot::ObjectKey;
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The function's stdout.
    Stdout,
    /// The function's stderr.
    Stderr,
    /// The platform, about the function: why a call failed, how much of its output was not kept.
    Platform,
}

/// One line of a function's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counts the lines of a revision from 0; a gap to the line before means that lines were dropped.
    pub sequence: u64,
    /// When the line ended.
    pub time: Timestamp,
    /// Where it came from.
    pub stream: Stream,
    /// The event's id (header `ce-id`) of the call that wrote it; empty for a call that carried no event.
    pub call: Arc<str>,
    /// Without its line end; bytes that are no UTF-8 are replaced.
    pub text: Box<str>,
}

/// The logs of all revisions of one node. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Logs(Arc<Mutex<HashMap<ObjectKey, Arc<Ring>>>>);

#[derive(Debug, Default)]
struct Ring {
    lines: Mutex<Lines>,
    written: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<Line>,
    bytes: usize,
    next: u64,
}

impl Logs {
    /// No lines yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lines that are kept, oldest first, from the line `sequence` on.
    pub fn read(&self, revision: &ObjectKey, sequence: u64) -> Vec<Line> {
        self.ring(revision).map(|ring| ring.read(sequence)).unwrap_or_default()
    }

    /// The lines from now on, or from `sequence` on if they are still kept.
    pub fn follow(&self, revision: &ObjectKey, sequence: Option<u64>) -> Follow {
        let ring = self.ring_or_new(revision);
        let next = sequence.unwrap_or_else(|| lock(&ring.lines).next);
        Follow { ring, next }
    }

    /// Forgets a revision that is gone.
    pub fn remove(&self, revision: &ObjectKey) {
        lock(&self.0).remove(revision);
    }

    /// Adds a line of the platform's own about a call.
    pub(crate) fn note(&self, revision: &ObjectKey, call: &Arc<str>, text: &str) {
        self.ring_or_new(revision).push(Stream::Platform, call, text.as_bytes());
    }

    /// Where one call's output goes.
    pub(crate) fn writer(&self, revision: &ObjectKey, call: Arc<str>) -> Writer {
        Writer { ring: self.ring_or_new(revision), call, partial: Default::default(), kept: 0, dropped: 0 }
    }

    fn ring(&self, revision: &ObjectKey) -> Option<Arc<Ring>> {
        lock(&self.0).get(revision).cloned()
    }

    fn ring_or_new(&self, revision: &ObjectKey) -> Arc<Ring> {
        let mut rings = lock(&self.0);
        if let Some(ring) = rings.get(revision) {
            return ring.clone();
        }
        if rings.len() >= limits::LOG_REVISIONS_MAX {
            let oldest = rings.iter().min_by_key(|(_, ring)| ring.last_written()).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                rings.remove(&oldest);
            }
        }
        rings.entry(revision.clone()).or_default().clone()
    }
}

impl Ring {
    fn read(&self, sequence: u64) -> Vec<Line> {
        let lines = lock(&self.lines);
        let first = lines.kept.partition_point(|line| line.sequence < sequence);
        lines.kept.range(first..).cloned().collect()
    }

    fn push(&self, stream: Stream, call: &Arc<str>, text: &[u8]) {
        let text: Box<str> = String::from_utf8_lossy(text).into();
        let mut lines = lock(&self.lines);
        let sequence = lines.next;
        lines.next += 1;
        lines.bytes += text.len();
        lines.kept.push_back(Line { sequence, time: Timestamp::now(), stream, call: call.clone(), text });
        while lines.bytes > limits::LOG_REVISION_BYTES_MAX || lines.kept.len() > LINES_MAX {
            let Some(oldest) = lines.kept.pop_front() else { break };
            lines.bytes -= oldest.text.len();
        }
        drop(lines);
        self.written.notify_waiters();
    }

    fn last_written(&self) -> Option<Timestamp> {
        lock(&self.lines).kept.back().map(|line| line.time)
    }
}

/// Empty lines cost memory too: a line counts as at least 64 bytes.
const LINES_MAX: usize = limits::LOG_REVISION_BYTES_MAX / 64;

/// Reads a log as it is written.
#[derive(Debug)]
pub struct Follow {
    ring: Arc<Ring>,
    next: u64,
}

impl Follow {
    /// Waits for at least one line and returns those that are there. Cancel-safe.
    pub async fn next(&mut self) -> Vec<Line> {
        loop {
            // Asked for before the look, so that no line falls between the two.
            let written = self.ring.written.notified();
            let lines = self.ring.read(self.next);
            if let Some(last) = lines.last() {
                self.next = last.sequence + 1;
                return lines;
            }
            written.await;
        }
    }
}

/// Takes one call's output and cuts it into lines. What is too much is swallowed and counted: an error would make
/// `println!` panic inside the function.
#[derive(Debug)]
pub(crate) struct Writer {
    ring: Arc<Ring>,
    call: Arc<str>,
    partial: [Vec<u8>; 2],
    kept: usize,
    dropped: usize,
}

impl Writer {
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let room = bytes.len().min(limits::LOG_CALL_BYTES_MAX - self.kept);
        self.kept += room;
        self.dropped += bytes.len() - room;
        let partial = &mut self.partial[usize::from(stream == Stream::Stderr)];
        for piece in bytes[..room].split_inclusive(|byte| *byte == b'\n') {
            partial.extend_from_slice(piece);
            if partial.last() == Some(&b'\n') {
                partial.pop();
                push_split(&self.ring, stream, &self.call, partial);
                partial.clear();
            } else if partial.len() >= limits::LOG_LINE_BYTES_MAX {
                push_split(&self.ring, stream, &self.call, partial);
                partial.clear();
            }
        }
    }

    /// The call has ended: a last line without its end is a line.
    pub(crate) fn finish(self) {
        for (stream, partial) in [Stream::Stdout, Stream::Stderr].into_iter().zip(&self.partial) {
            if !partial.is_empty() {
                push_split(&self.ring, stream, &self.call, partial);
            }
        }
        if self.dropped > 0 {
            let text = format!(
                "{} bytes more were not kept: the limit of one call is {}",
                self.dropped,
                limits::LOG_CALL_BYTES_MAX
            );
            self.ring.push(Stream::Platform, &self.call, text.as_bytes());
        }
    }
}

fn push_split(ring: &Ring, stream: Stream, call: &Arc<str>, line: &[u8]) {
    if line.is_empty() {
        ring.push(stream, call, line);
    }
    for piece in line.chunks(limits::LOG_LINE_BYTES_MAX) {
        ring.push(stream, call, piece);
    }
}

/// A panic elsewhere leaves these values whole: each change is one assignment away from done.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
