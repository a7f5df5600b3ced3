//! Bytes on their way out of the store.

use super::error::Error;
use crate::vfs::File;
use bytes::Bytes;
use fnctl_config::limits::BUCKET_CHUNK_BYTES;
use futures::Stream;
use std::fmt;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;

/// A range of an object's bytes as a stream. The object may be replaced or deleted meanwhile: the bytes stay those of
/// the version that was asked for.
pub struct Content {
    file: Arc<dyn File>,
    rest: Range<u64>,
    first: Option<Bytes>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("rest", &self.rest).finish_non_exhaustive()
    }
}

impl Content {
    /// Reads the first chunk at once, on the thread that blocks already. The range lies within the file.
    pub(super) fn begin(file: Arc<dyn File>, range: Range<u64>) -> io::Result<Self> {
        let chunk = chunk(&range);
        let first = read(&*file, &chunk)?;
        Ok(Self { file, rest: chunk.end..range.end, first: Some(first), reading: None })
    }

    /// Bytes that are still to come.
    pub fn remaining(&self) -> u64 {
        let ready = self.first.as_ref().map_or(0, |first| first.len() as u64);
        ready + (self.rest.end - self.rest.start)
    }
}

fn chunk(range: &Range<u64>) -> Range<u64> {
    range.start..range.end.min(range.start.saturating_add(BUCKET_CHUNK_BYTES as u64))
}

fn read(file: &dyn File, range: &Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
    let mut buffer = vec![0; length];
    file.read_exact_at(range.start, &mut buffer)?;
    Ok(buffer.into())
}

impl Stream for Content {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.reading.is_none() {
            if self.rest.is_empty() {
                return Poll::Ready(None);
            }
            let (file, next) = (Arc::clone(&self.file), chunk(&self.rest));
            self.rest.start = next.end;
            self.reading = Some(tokio::task::spawn_blocking(move || read(&*file, &next)));
        }
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let ended = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let chunk =
            ended.map_err(|error| Error::Failed(error.to_string())).and_then(|chunk| chunk.map_err(Error::from));
        if chunk.is_err() {
            self.rest = 0..0;
        }
        Poll::Ready(Some(chunk))
    }
}
