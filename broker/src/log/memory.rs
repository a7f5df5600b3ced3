//! A log in memory: for tests, and for brokers that were declared not durable. It keeps the contract of the port save
//! for the power cut.

use super::{AppendError, EventLog, Position, ReadError, Stored};
use bytes::Bytes;
use futures::future::{BoxFuture, ready};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// One partition in memory. Trims exactly at `keep_from`.
#[derive(Debug)]
pub struct MemoryLog {
    records: Mutex<Records>,
    next: watch::Sender<Vec<Position>>,
}

#[derive(Debug)]
struct Records {
    first: u64,
    stored: VecDeque<Stored>,
    last_append_ms: i64,
}

impl MemoryLog {
    /// An empty log that begins at offset 0.
    pub fn new() -> Self {
        Self {
            records: Mutex::new(Records { first: 0, stored: VecDeque::new(), last_append_ms: i64::MIN }),
            next: watch::Sender::new(vec![at(0)]),
        }
    }

    /// Appends with a given time, so that tests need no clock.
    pub fn append_at(&self, records: Vec<Bytes>, now_ms: i64) -> Vec<Position> {
        let mut kept = self.records();
        kept.last_append_ms = kept.last_append_ms.max(now_ms);
        let appended_at_ms = kept.last_append_ms;
        let mut positions = Vec::with_capacity(records.len());
        for record in records {
            let position = at(kept.first + kept.stored.len() as u64);
            kept.stored.push_back(Stored { position, appended_at_ms, record });
            positions.push(position);
        }
        self.next.send_replace(vec![at(kept.first + kept.stored.len() as u64)]);
        positions
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl EventLog for MemoryLog {
    fn append(&self, records: Vec<Bytes>) -> BoxFuture<'_, Result<Vec<Position>, AppendError>> {
        let positions = self.append_at(records, jiff::Timestamp::now().as_millisecond());
        Box::pin(ready(Ok(positions)))
    }

    fn read(
        &self,
        from: Position,
        max_records: usize,
        max_bytes: usize,
    ) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        let kept = self.records();
        let skipped = usize::try_from(from.offset.saturating_sub(kept.first)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let mut read = Vec::new();
        for stored in kept.stored.iter().skip(skipped).take(max_records) {
            if !read.is_empty() && bytes + stored.record.len() > max_bytes {
                break;
            }
            bytes += stored.record.len();
            read.push(stored.clone());
        }
        Box::pin(ready(Ok(read)))
    }

    fn start(&self) -> Vec<Position> {
        vec![at(self.records().first)]
    }

    fn next(&self) -> watch::Receiver<Vec<Position>> {
        self.next.subscribe()
    }

    fn after(&self, position: Position) -> Position {
        position.behind()
    }

    fn at_time(&self, appended_at_ms: i64) -> BoxFuture<'_, Result<Vec<Position>, ReadError>> {
        let kept = self.records();
        let older = kept.stored.partition_point(|stored| stored.appended_at_ms < appended_at_ms);
        Box::pin(ready(Ok(vec![at(kept.first + older as u64)])))
    }

    fn trim(&self, keep_from: Vec<Position>) -> BoxFuture<'_, Result<u64, AppendError>> {
        let mut kept = self.records();
        let end = kept.first + kept.stored.len() as u64;
        let first = keep_from.first().map_or(kept.first, |position| position.offset.clamp(kept.first, end));
        let gone = first - kept.first;
        kept.stored.drain(..usize::try_from(gone).unwrap_or(usize::MAX));
        kept.first = first;
        Box::pin(ready(Ok(gone)))
    }
}

fn at(offset: u64) -> Position {
    Position { partition: 0, offset }
}
