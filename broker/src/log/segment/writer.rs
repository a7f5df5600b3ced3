//! The one writer of a log, without threads: appends, rolls, trims, closes. The committer owns it.

use super::Options;
use super::files::{self, Segment};
use super::frame::{self, Head};
use super::layout::Header;
use super::manifest::{Ending, Facts, Manifest};
use super::shared::Shared;
use crate::log::AppendError;
use crate::vfs::{File, Lock, Vfs, is_full};
use bytes::Bytes;
use fnctl_config::snapshot::Retention;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Largest buffer that is kept between two frames.
const BUFFER_KEPT: usize = 2 << 20;

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) directory: PathBuf,
    pub(super) broker: [u8; 16],
    pub(super) options: Options,
    pub(super) retention: Retention,
    pub(super) manifest: Manifest,
    pub(super) shared: Arc<Shared>,
    /// Append times never decrease, also when the clock does.
    pub(super) last_ms: i64,
    pub(super) buffer: Vec<u8>,
    pub(super) _lock: Lock,
}

impl Writer {
    /// Appends the records as one unit and syncs them. Answers the offset of the first one.
    pub(super) fn append(&mut self, records: &[Bytes], now_ms: i64) -> Result<u64, AppendError> {
        self.refuse_if_failed()?;
        let length = frame::length(records);
        if length > self.options.append_bytes_max {
            return Err(AppendError::TooLarge { bytes: length, bytes_max: self.options.append_bytes_max });
        }
        self.refuse_if_full(length as u64)?;
        if self.must_roll(length as u64) {
            self.roll()?;
        }
        let (file, place, salt, base) = {
            let active = &self.shared.segments().active;
            (Arc::clone(&active.file), active.frames_end, active.salt, active.next)
        };
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let appended_at_ms = self.last_ms.max(now_ms);
        let head = Head { base, count, appended_at_ms, epoch: self.manifest.facts.epoch };
        frame::encode(head, records, salt, &mut self.buffer);
        if let Err(error) = file.write_all_at(place, &self.buffer) {
            return Err(self.undo_write(file.as_ref(), place, &error));
        }
        file.sync_data().map_err(|error| self.fail("a sync of the event log", &error))?;
        self.last_ms = appended_at_ms;
        let mut checksum = [0; 4];
        checksum.copy_from_slice(&self.buffer[4..8]);
        self.shared.segments().active.note(&head, place, place + length as u64, checksum);
        self.count(records.len(), length);
        self.shared.publish(head.base, appended_at_ms, records);
        if self.buffer.capacity() > BUFFER_KEPT {
            self.buffer = Vec::new();
        }
        Ok(head.base)
    }

    /// Notes how far the log is durable, if it has grown since.
    pub(super) fn note_durable(&mut self) -> Result<(), AppendError> {
        self.refuse_if_failed()?;
        let durable = self.shared.segments().active.next;
        if durable == self.manifest.facts.durable {
            return Ok(());
        }
        self.write_manifest(Facts { durable, ..self.manifest.facts })
    }

    /// Lets whole segments go that are before `keep_from` and that the retention no longer asks for.
    /// Answers how many records went.
    pub(super) fn trim(&mut self, keep_from: u64, now_ms: i64) -> Result<u64, AppendError> {
        self.refuse_if_failed()?;
        let old = |segment: &Segment, age: i64| now_ms.saturating_sub(segment.last_ms) > age;
        let age = i64::try_from(self.retention.age.as_millis()).unwrap_or(i64::MAX);
        let free = |segment: &Segment, drop_pending: bool| drop_pending || segment.next <= keep_from;
        let active_is_old = {
            let active = &self.shared.segments().active;
            !active.is_empty() && old(active, age) && free(active, self.retention.drop_pending)
        };
        if active_is_old {
            self.roll()?;
        }
        let (sealed, active_base) = {
            let segments = self.shared.segments();
            (segments.sealed.iter().cloned().collect::<Vec<_>>(), segments.active.base)
        };
        let mut bytes: u64 = self.shared.segments().iter().map(|segment| segment.frames_end).sum();
        let mut gone = 0;
        for segment in &sealed {
            let beyond = old(segment, age) || bytes > self.retention.bytes;
            if !beyond || !free(segment, self.retention.drop_pending) {
                break;
            }
            bytes -= segment.frames_end;
            gone += 1;
        }
        if gone == 0 {
            return Ok(0);
        }
        let start = sealed.get(gone).map_or(active_base, |segment| segment.base);
        self.drop_segments(&sealed[..gone], start, keep_from)
    }

    fn drop_segments(&mut self, old: &[Segment], start: u64, keep_from: u64) -> Result<u64, AppendError> {
        self.write_manifest(Facts { start, ..self.manifest.facts })?;
        self.shared.set_start(start);
        self.shared.segments().sealed.drain(..old.len());
        let mut records = 0;
        for segment in old {
            records += segment.next - segment.base;
            let pending = segment.next.saturating_sub(keep_from.max(segment.base));
            self.shared.counters.expired.fetch_add(pending, Ordering::Relaxed);
            // A file that stays is removed at the next start, since it is before the start that was noted.
            if let Err(error) = self.vfs.remove(&files::path(&self.directory, segment.base)) {
                tracing::warn!(%error, base = segment.base, "an old segment of the event log could not be removed");
            }
        }
        Ok(records)
    }

    /// Seals the segment that is written and begins the next one.
    ///
    /// The new file is made first: where the disk is full it is removed again and the old segment goes on.
    pub(super) fn roll(&mut self) -> Result<(), AppendError> {
        let next = self.shared.segments().active.next;
        self.roll_to(next)
    }

    pub(super) fn roll_to(&mut self, base: u64) -> Result<(), AppendError> {
        let old = self.shared.segments().active.clone();
        let facts = self.manifest.facts;
        let header = Header { salt: rand::random(), epoch: facts.epoch, broker: self.broker, base };
        let new = Segment::create(self.vfs.as_ref(), &self.directory, &header);
        let sealed = new.and_then(|new| old.seal(facts.epoch).map(|()| new));
        let noted = sealed.and_then(|new| {
            self.manifest.write(Facts { active: base, salt: new.salt, durable: base, ..facts }).map(|()| new)
        });
        let new = match noted {
            Ok(new) => new,
            Err(error) if is_full(&error) => {
                let path = files::path(&self.directory, base);
                let undone = old.file.set_length(old.frames_end).and_then(|()| match self.vfs.remove(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                });
                undone.map_err(|error| self.fail("the end of a segment", &error))?;
                return Err(self.full(0));
            }
            Err(error) => return Err(self.fail("the end of a segment", &error)),
        };
        self.shared.segments().roll(new);
        Ok(())
    }

    /// Notes that everything is on disk. Twice, so that damage to one slot is seen and costs nothing.
    pub(super) fn close(&mut self) -> Result<(), AppendError> {
        self.refuse_if_failed()?;
        let (file, durable) = {
            let active = &self.shared.segments().active;
            (Arc::clone(&active.file), active.next)
        };
        // What did not fit was cut off, and no append may have come since: a power cut must not bring it back.
        file.sync_data().map_err(|error| self.fail("a sync of the event log", &error))?;
        let facts = Facts { durable, ending: Ending::Closed, ..self.manifest.facts };
        self.write_manifest(facts)?;
        self.write_manifest(facts)
    }

    /// The log takes nothing any more: after an error of the disk nobody knows what is kept.
    pub(super) fn fail(&self, what: &str, error: &io::Error) -> AppendError {
        // Only the first one tells what happened.
        let _ = self.shared.failed.set(format!("{what} failed: {error}"));
        let reason = self.shared.failed.get().cloned().unwrap_or_default();
        tracing::error!(directory = %self.directory.display(), reason, "the event log failed");
        AppendError::Failed(reason)
    }

    fn refuse_if_failed(&self) -> Result<(), AppendError> {
        self.shared.failed.get().map_or(Ok(()), |reason| Err(AppendError::Failed(reason.clone())))
    }

    fn refuse_if_full(&self, length: u64) -> Result<(), AppendError> {
        let free = self.vfs.free_bytes(&self.directory).map_err(|error| self.fail("asking for free space", &error))?;
        if free < self.options.free_bytes_min.saturating_add(length) { Err(self.full(free)) } else { Ok(()) }
    }

    fn full(&self, free_bytes: u64) -> AppendError {
        AppendError::Full { free_bytes, required_bytes: self.options.free_bytes_min }
    }

    /// A full disk is no failure: the part that was written is cut off, and the next append finds the old end.
    fn undo_write(&self, file: &dyn File, length: u64, error: &io::Error) -> AppendError {
        if !is_full(error) {
            return self.fail("a write of the event log", error);
        }
        match file.set_length(length) {
            Ok(()) => self.full(0),
            Err(error) => self.fail("cutting a write that did not fit", &error),
        }
    }

    fn write_manifest(&mut self, facts: Facts) -> Result<(), AppendError> {
        self.manifest.write(facts).map_err(|error| match is_full(&error) {
            true => self.full(0),
            false => self.fail("the manifest of the event log", &error),
        })
    }

    fn must_roll(&self, length: u64) -> bool {
        let active = &self.shared.segments().active;
        active.frames_end + length > self.options.segment_bytes && !active.is_empty()
    }

    fn count(&self, records: usize, length: usize) {
        let counters = &self.shared.counters;
        counters.commits.fetch_add(1, Ordering::Relaxed);
        counters.records.fetch_add(records as u64, Ordering::Relaxed);
        counters.bytes.fetch_add(length as u64, Ordering::Relaxed);
    }
}
