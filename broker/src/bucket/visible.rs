//! The change log as others read it: a change is there when its object is.
//!
//! A change is durable a moment before the index shows its object. Whoever is told of an object asks for it at once, so that
//! a reader of the log itself would find nothing where something is.

use crate::log::segment::SegmentLog;
use crate::log::{AppendError, EventLog, Position, ReadError, Stored};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use std::sync::Arc;
use tokio::sync::watch;

/// The log up to what the index shows.
#[derive(Clone, Debug)]
pub(super) struct Visible {
    pub(super) log: Arc<SegmentLog>,
    /// The next position of each partition behind all that is shown.
    pub(super) shown: watch::Receiver<Vec<Position>>,
}

impl EventLog for Visible {
    fn append(&self, records: Vec<Bytes>) -> BoxFuture<'_, Result<Vec<Position>, AppendError>> {
        self.log.append(records)
    }

    fn read(
        &self,
        from: Position,
        max_records: usize,
        max_bytes: usize,
    ) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        async move {
            let mut page = self.log.read(from, max_records, max_bytes).await?;
            let shown = self.shown.borrow();
            let is_shown = |at: Position| shown.iter().any(|next| next.partition() == at.partition() && at < *next);
            page.retain(|stored| is_shown(stored.position));
            Ok(page)
        }
        .boxed()
    }

    fn start(&self) -> Vec<Position> {
        self.log.start()
    }

    fn next(&self) -> watch::Receiver<Vec<Position>> {
        self.shown.clone()
    }

    fn after(&self, position: Position) -> Position {
        self.log.after(position)
    }

    fn at_time(&self, appended_at_ms: i64) -> BoxFuture<'_, Result<Vec<Position>, ReadError>> {
        self.log.at_time(appended_at_ms)
    }

    fn trim(&self, keep_from: Vec<Position>) -> BoxFuture<'_, Result<u64, AppendError>> {
        self.log.trim(keep_from)
    }
}
