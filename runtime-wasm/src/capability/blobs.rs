//! The port to the node's buckets.

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of an object as they come. An error ends it.
pub type Content = BoxStream<'static, Result<Bytes, BlobError>>;

/// The node's buckets. Keys are any UTF-8 of 1 to 1,024 bytes; order is that of their bytes.
///
/// Futures may be dropped at any time: a `put` that is dropped, or whose content ends with an error, stores nothing.
pub trait Blobs: fmt::Debug + Send + Sync {
    /// When the bucket was made.
    fn bucket<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Timestamp, BlobError>>;

    /// What is known of an object.
    fn head<'a>(&'a self, object: &'a Object) -> BoxFuture<'a, Result<Meta, BlobError>>;

    /// The bytes of a range, cut to the object; a range that begins beyond it is empty.
    fn get<'a>(&'a self, object: &'a Object, range: Range) -> BoxFuture<'a, Result<Blob, BlobError>>;

    /// Makes or replaces an object. `Ok` means durable, and notified as any other write.
    fn put<'a>(&'a self, object: &'a Object, content: Content) -> BoxFuture<'a, Result<(), BlobError>>;

    /// Removes an object; `Ok` where there is none.
    fn delete<'a>(&'a self, object: &'a Object) -> BoxFuture<'a, Result<(), BlobError>>;

    /// At most `limit` keys after `after`, in order.
    fn list<'a>(
        &'a self,
        bucket: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>>;

    /// Makes or replaces `to` with the bytes of `from`.
    fn copy<'a>(&'a self, from: &'a Object, to: &'a Object) -> BoxFuture<'a, Result<(), BlobError>>;
}

/// Names an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// The bucket.
    pub bucket: String,
    /// The key in it.
    pub key: String,
}

/// What is known of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Timestamp,
}

/// Bytes `start..end` of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub start: u64,
    /// The byte after the last one; `u64::MAX` is the end.
    pub end: u64,
}

/// Part of an object that is being read.
pub struct Blob {
    /// Bytes of the part.
    pub size: u64,
    /// The bytes.
    pub content: Content,
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Why a bucket refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// No such bucket.
    #[error("there is no bucket {0:?}")]
    NoBucket(String),
    /// No such object.
    #[error("there is no object {key:?} in bucket {bucket:?}")]
    NoObject {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// A key or bucket name that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The writer gave up: nothing is stored.
    #[error("the value was not finished")]
    Unfinished,
    /// The store failed: no space, a disk that fails.
    #[error("the bucket failed: {0}")]
    Failed(String),
}

impl Object {
    fn missing(&self) -> BlobError {
        BlobError::NoObject { bucket: self.bucket.clone(), key: self.key.clone() }
    }
}

type Stored = BTreeMap<String, (Bytes, Timestamp)>;

/// Buckets in memory, for tests and for a node without buckets.
#[derive(Debug, Default)]
pub struct MemoryBlobs(Mutex<BTreeMap<String, Stored>>);

impl MemoryBlobs {
    /// Empty buckets of these names.
    pub fn with_buckets(names: &[&str]) -> Self {
        Self(Mutex::new(names.iter().map(|name| ((*name).to_owned(), Stored::new())).collect()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, bucket: &str, work: impl FnOnce(&mut Stored) -> Result<T, BlobError>) -> Result<T, BlobError> {
        let mut buckets = self.lock();
        work(buckets.get_mut(bucket).ok_or_else(|| BlobError::NoBucket(bucket.to_owned()))?)
    }

    fn read(&self, object: &Object) -> Result<(Bytes, Timestamp), BlobError> {
        self.with(&object.bucket, |stored| stored.get(&object.key).cloned().ok_or_else(|| object.missing()))
    }
}

impl Blobs for MemoryBlobs {
    fn bucket<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Timestamp, BlobError>> {
        Box::pin(async move { self.with(bucket, |_| Ok(Timestamp::UNIX_EPOCH)) })
    }

    fn head<'a>(&'a self, object: &'a Object) -> BoxFuture<'a, Result<Meta, BlobError>> {
        Box::pin(async move { self.read(object).map(|(bytes, modified)| Meta { size: bytes.len() as u64, modified }) })
    }

    fn get<'a>(&'a self, object: &'a Object, range: Range) -> BoxFuture<'a, Result<Blob, BlobError>> {
        Box::pin(async move {
            let (bytes, _) = self.read(object)?;
            let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
            let part = bytes.slice(at(range.start)..at(range.end).max(at(range.start)));
            let size = part.len() as u64;
            Ok(Blob { size, content: stream::iter([Ok(part)]).boxed() })
        })
    }

    fn put<'a>(&'a self, object: &'a Object, mut content: Content) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            let mut bytes = Vec::new();
            while let Some(chunk) = content.next().await {
                bytes.extend_from_slice(&chunk?);
            }
            self.with(&object.bucket, |stored| {
                stored.insert(object.key.clone(), (bytes.into(), Timestamp::now()));
                Ok(())
            })
        })
    }

    fn delete<'a>(&'a self, object: &'a Object) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            self.with(&object.bucket, |stored| {
                stored.remove(&object.key);
                Ok(())
            })
        })
    }

    fn list<'a>(
        &'a self,
        bucket: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>> {
        Box::pin(async move {
            self.with(bucket, |stored| {
                Ok(stored.keys().filter(|key| key.as_str() > after).take(limit).cloned().collect())
            })
        })
    }

    fn copy<'a>(&'a self, from: &'a Object, to: &'a Object) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            let (bytes, _) = self.read(from)?;
            self.put(to, stream::iter([Ok(bytes)]).boxed()).await
        })
    }
}
