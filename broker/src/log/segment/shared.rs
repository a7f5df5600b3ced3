//! What the committer writes and readers read: the list of segments, the tail in memory, the end of the log.

use super::files::{Segment, Segments};
use super::scan::{Piece, Scanner};
use super::tail::{Page, Tail};
use super::{Damage, Stats, at, frame};
use crate::log::{Position, ReadError, Stored};
use bytes::Bytes;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{SetOnce, watch};

#[derive(Debug)]
pub(super) struct Shared {
    segments: Mutex<Segments>,
    tail: Mutex<Tail>,
    pub(super) next: watch::Sender<Vec<Position>>,
    /// Why the log takes nothing any more.
    pub(super) failed: SetOnce<String>,
    pub(super) counters: Counters,
    start: AtomicU64,
}

/// Monotone counts since the log was opened.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) appends: AtomicU64,
    pub(super) records: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) expired: AtomicU64,
}

impl Shared {
    /// `start` is the first offset that should be there, also if its segment is missing.
    pub(super) fn new(segments: Segments, start: u64) -> Self {
        let next = segments.active.next;
        Self {
            segments: Mutex::new(segments),
            tail: Mutex::new(Tail::default()),
            next: watch::Sender::new(vec![at(next)]),
            failed: SetOnce::new(),
            counters: Counters::default(),
            start: AtomicU64::new(start),
        }
    }

    pub(super) fn segments(&self) -> MutexGuard<'_, Segments> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn start(&self) -> u64 {
        self.start.load(Ordering::Acquire)
    }

    pub(super) fn set_start(&self, start: u64) {
        self.start.store(start, Ordering::Release);
    }

    /// Makes durable records visible to readers.
    pub(super) fn publish(&self, base: u64, appended_at_ms: i64, records: &[Bytes]) {
        let stored =
            |(record, offset): (&Bytes, u64)| Stored { position: at(offset), appended_at_ms, record: record.clone() };
        self.tail().push(records.iter().zip(base..).map(stored));
        self.next.send_replace(vec![at(base + records.len() as u64)]);
    }

    pub(super) fn read_tail(&self, from: u64, max_records: usize, max_bytes: usize) -> Option<Vec<Stored>> {
        let next = self.next.borrow().first().map_or(0, |next| next.offset);
        if from >= next || max_records == 0 {
            return Some(Vec::new());
        }
        self.tail().read(from.max(self.start()), max_records, max_bytes)
    }

    /// Reads from disk, from `from` on, within one segment.
    pub(super) fn read_disk(&self, from: u64, max_records: usize, max_bytes: usize) -> Result<Vec<Stored>, ReadError> {
        let from = from.max(self.start());
        let Some((mut scanner, end)) = self.locate(from)? else { return Ok(Vec::new()) };
        let mut page = Page::new(max_records, max_bytes);
        while let Some(piece) = scanner.next().map_err(failed)? {
            match piece {
                Piece::Frame(frame) if frame.head.end() <= from => {}
                Piece::Frame(frame) => {
                    let records = frame::records(&frame.bytes, &frame.head);
                    let Some(records) = records else { return damaged(frame.head.base.max(from), frame.head.end()) };
                    for (record, offset) in records.into_iter().zip(frame.head.base..) {
                        // A copy, so that one event that is kept for long does not keep its neighbours.
                        let record = Bytes::copy_from_slice(&record);
                        let stored = Stored { position: at(offset), appended_at_ms: frame.head.appended_at_ms, record };
                        if offset >= from && !page.add(&stored) {
                            return Ok(page.records);
                        }
                    }
                }
                Piece::Damaged { from: lost, to, .. } => {
                    let to = to.unwrap_or(end);
                    if to <= from || to <= lost {
                        continue;
                    }
                    return if page.records.is_empty() { damaged(lost.max(from), to) } else { Ok(page.records) };
                }
            }
        }
        if page.records.is_empty() { damaged(from, end) } else { Ok(page.records) }
    }

    /// A reader of the segment that holds `from`, and the offset behind it; none at the end of the log.
    fn locate(&self, from: u64) -> Result<Option<(Scanner, u64)>, ReadError> {
        let segments = self.segments();
        let Some(segment) = segments.iter().find(|segment| from < segment.next) else { return Ok(None) };
        if from < segment.base {
            return damaged(from, segment.base);
        }
        Ok(Some((segment.scanner(from), segment.next)))
    }

    /// The offset of the first frame with at least this append time.
    pub(super) fn at_time(&self, appended_at_ms: i64) -> Result<u64, ReadError> {
        let (mut scanner, end) = {
            let segments = self.segments();
            let young = |segment: &&Segment| segment.base < segment.next && segment.last_ms >= appended_at_ms;
            match segments.iter().find(young) {
                Some(segment) => (segment.scanner_at_time(appended_at_ms), segment.next),
                None => return Ok(segments.active.next),
            }
        };
        while let Some(piece) = scanner.next().map_err(failed)? {
            match piece {
                Piece::Frame(frame) if frame.head.appended_at_ms >= appended_at_ms => return Ok(frame.head.base),
                Piece::Frame(_) | Piece::Damaged { .. } => {}
            }
        }
        Ok(end)
    }

    /// Reads the whole log and answers what is damaged.
    pub(super) fn verify(&self) -> Result<Vec<Damage>, ReadError> {
        let segments: Vec<Segment> = self.segments().iter().cloned().collect();
        let mut found = Vec::new();
        let mut expected = self.start();
        for segment in &segments {
            if segment.base > expected {
                found.push((expected, segment.base));
            }
            found.extend(segment.verify().map_err(failed)?);
            expected = segment.next;
        }
        Ok(found.into_iter().map(Damage::from).collect())
    }

    pub(super) fn stats(&self) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { appends, records, bytes, commits, expired } = &self.counters;
        let (files, disk_bytes) = {
            let segments = self.segments();
            (segments.sealed.len() + 1, segments.iter().map(|segment| segment.frames_end).sum())
        };
        Stats {
            appends: get(appends),
            records: get(records),
            bytes: get(bytes),
            commits: get(commits),
            expired: get(expired),
            segments: files,
            disk_bytes,
        }
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn damaged<T>(from: u64, to: u64) -> Result<T, ReadError> {
    Err(ReadError::Damaged { from: at(from), to: at(to) })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn failed(error: io::Error) -> ReadError {
    ReadError::Failed(error.to_string())
}
