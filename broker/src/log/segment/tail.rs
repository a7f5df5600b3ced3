//! The newest durable records in memory, so that fresh events are dispatched without reading the disk.

use crate::log::Stored;
use fnctl_config::limits;
use std::collections::VecDeque;

/// A window on the end of the log.
#[derive(Debug, Default)]
pub(super) struct Tail {
    records: VecDeque<Stored>,
    bytes: usize,
}

impl Tail {
    /// Adds records that follow those before, and lets the oldest go beyond the limit.
    pub(super) fn push(&mut self, records: impl Iterator<Item = Stored>) {
        for stored in records {
            self.bytes += stored.record.len();
            self.records.push_back(stored);
        }
        while self.bytes > limits::EVENT_LOG_TAIL_BYTES
            && let Some(oldest) = self.records.pop_front()
        {
            self.bytes -= oldest.record.len();
        }
    }

    /// The records from an offset on; none if that offset is not in the window.
    pub(super) fn read(&self, from: u64, max_records: usize, max_bytes: usize) -> Option<Vec<Stored>> {
        let first = self.records.front()?.position.offset;
        let skipped = usize::try_from(from.checked_sub(first)?).ok().filter(|&skipped| skipped < self.records.len())?;
        let mut page = Page::new(max_records, max_bytes);
        for stored in self.records.range(skipped..) {
            if !page.add(stored) {
                break;
            }
        }
        Some(page.records)
    }
}

/// The answer to one read, within its limits; the first record is always taken.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) records: Vec<Stored>,
    max_records: usize,
    max_bytes: usize,
    bytes: usize,
}

impl Page {
    pub(super) fn new(max_records: usize, max_bytes: usize) -> Self {
        Self { records: Vec::new(), max_records, max_bytes, bytes: 0 }
    }

    /// Takes the record; false if it does not fit any more.
    pub(super) fn add(&mut self, stored: &Stored) -> bool {
        let bytes = self.bytes.saturating_add(stored.record.len());
        let fits = self.records.len() < self.max_records && (self.records.is_empty() || bytes <= self.max_bytes);
        if fits {
            self.bytes = bytes;
            self.records.push(stored.clone());
        }
        fits
    }
}
