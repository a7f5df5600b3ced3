//! A log in memory: for tests, and for brokers that were declared not durable. It keeps the contract of the port save
//! for the power cut and the retention that drops what is pending.

use super::{AppendError, EventLog, Position, ReadError, Stored};
use bytes::Bytes;
use fnctl_config::snapshot::Retention;
use futures::future::{BoxFuture, ready};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// One partition in memory; its grain is one record.
#[derive(Debug)]
pub struct MemoryLog {
    retention: Retention,
    records: Mutex<Records>,
    next: watch::Sender<Vec<Position>>,
}

#[derive(Debug)]
struct Records {
    first: u64,
    stored: VecDeque<Stored>,
    bytes: u64,
    last_append_ms: i64,
}

impl MemoryLog {
    /// An empty log that begins at offset 0. What is pending is kept whatever `retention` says.
    pub fn new(retention: Retention) -> Self {
        Self {
            retention,
            records: Mutex::new(Records { first: 0, stored: VecDeque::new(), bytes: 0, last_append_ms: i64::MIN }),
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
            kept.bytes += record.len() as u64;
            kept.stored.push_back(Stored { position, appended_at_ms, record });
            positions.push(position);
        }
        self.next.send_replace(vec![at(kept.first + kept.stored.len() as u64)]);
        positions
    }

    /// Lets what is old or too much at `now_ms` go, up to `keep_from`.
    pub(super) fn trim_at(&self, keep_from: Position, now_ms: i64) -> u64 {
        let age = i64::try_from(self.retention.age.as_millis()).unwrap_or(i64::MAX);
        let mut kept = self.records();
        let mut gone = 0;
        while let Some(oldest) = kept.stored.front()
            && oldest.position.offset < keep_from.offset
            && (now_ms.saturating_sub(oldest.appended_at_ms) > age || kept.bytes > self.retention.bytes)
        {
            kept.bytes -= oldest.record.len() as u64;
            kept.stored.pop_front();
            gone += 1;
        }
        kept.first += gone;
        gone
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
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
        let gone = keep_from.first().map_or(0, |from| self.trim_at(*from, jiff::Timestamp::now().as_millisecond()));
        Box::pin(ready(Ok(gone)))
    }
}

fn at(offset: u64) -> Position {
    Position { partition: 0, offset }
}
