//! Buckets and their sources as one part of a node: what the composition root talks to.

use super::{Bucket, Buckets, Error, Options};
use crate::broker::Brokers;
use crate::log::EventLog as _;
use crate::log::segment;
use crate::source::bucket::{ApplyError, BucketSources, Status};
use crate::state::StateError;
use fnctl_config::limits::{BUCKET_UPLOAD_KEPT, RETENTION_INTERVAL};
use fnctl_config::snapshot::{Change, ObjectKey};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

/// What a node's buckets are made of.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Where the store is.
    pub store: Options,
    /// The brokers of the node: sinks of sources, and the way to all other sinks.
    pub brokers: Brokers,
}

/// The buckets of a node and the sources on them. Clones share them.
#[derive(Clone, Debug)]
pub struct BucketNode {
    buckets: Buckets,
    sources: BucketSources,
}

/// Why the buckets cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The store.
    #[error("the buckets cannot be opened")]
    Store(#[from] Error),
    /// The index, and the cursors of sources.
    #[error("the index of the buckets cannot be opened")]
    State(#[from] StateError),
    /// The change log.
    #[error("the change log of the buckets cannot be opened")]
    Log(#[from] segment::OpenError),
}

/// Numbers of a node's buckets.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Objects and bytes per bucket, by name.
    pub buckets: Vec<Bucket>,
    /// The change log: `records` are the changes since the start.
    pub changes: segment::Stats,
    /// Where each source stands.
    pub sources: Vec<(ObjectKey, Status)>,
}

impl BucketNode {
    /// Opens the store and finishes what a crash interrupted; no source runs before it is applied.
    pub async fn open(options: NodeOptions) -> Result<Self, NodeError> {
        let buckets = Buckets::open(options.store).await?;
        let (store, brokers) = (buckets.clone(), options.brokers);
        let opened = tokio::task::spawn_blocking(move || BucketSources::open(&store, brokers)).await;
        let sources = opened.map_err(|error| Error::Failed(error.to_string()))??;
        Ok(Self { buckets, sources })
    }

    /// Of a store that was opened before its sources could be.
    pub fn new(buckets: Buckets, sources: BucketSources) -> Self {
        Self { buckets, sources }
    }

    /// The store.
    pub fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// The sources.
    pub fn sources(&self) -> &BucketSources {
        &self.sources
    }

    /// Waits until a store takes nothing any more, and answers which one and why: see [`Buckets::failure`].
    pub async fn failed(&self) -> String {
        format!("the buckets: {}", self.buckets.failed().await)
    }

    /// Takes a change of a BucketSource over; other kinds are ignored.
    pub async fn apply(&self, change: &Change) -> Result<(), ApplyError> {
        self.sources.apply(change).await
    }

    /// All objects that there are have been applied: see [`BucketSources::settle`].
    pub async fn settle(&self) -> Result<(), ApplyError> {
        self.sources.settle().await
    }

    /// Makes the bucket where there is none: for the reconciler of sources.
    pub async fn ensure(&self, bucket: &str) -> Result<Bucket, Error> {
        self.buckets.ensure(bucket).await
    }

    /// Numbers, for each scrape.
    pub async fn metrics(&self) -> Result<Metrics, Error> {
        let buckets = self.buckets.buckets().await?;
        Ok(Metrics { buckets, changes: self.buckets.segments().stats(), sources: self.sources.status().await })
    }

    /// Lets old changes and forgotten uploads go, until `shutdown` is ready; then drains. S3 endpoint and guests must have stopped by then.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let mut due = Instant::now() + RETENTION_INTERVAL;
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                () = sleep_until(due) => {
                    self.trim().await;
                    self.expire().await;
                }
            }
            due = Instant::now() + RETENTION_INTERVAL;
        }
        self.drain().await;
    }

    /// Stops the sources and closes the store.
    pub async fn drain(&self) {
        self.sources.drain().await;
        if let Err(error) = self.buckets.close().await {
            tracing::error!(%error, "the buckets were not closed in order");
        }
    }

    async fn expire(&self) {
        // The sum is in range for any clock of these centuries.
        let Ok(before) = Timestamp::now().checked_sub(BUCKET_UPLOAD_KEPT) else { return };
        match self.buckets.expire_uploads(before).await {
            Ok(0) => {}
            Ok(expired) => tracing::info!(expired, "multipart uploads that nobody ended were dropped"),
            Err(error) => tracing::error!(%error, "forgotten multipart uploads cannot be dropped"),
        }
    }

    async fn trim(&self) {
        let keep_from = match self.sources.keep_from().await {
            Ok(keep_from) => keep_from,
            Err(error) => {
                tracing::error!(%error, "cursors of bucket sources cannot be read, nothing is let go");
                return;
            }
        };
        if let Err(error) = self.buckets.segments().trim(keep_from).await {
            tracing::error!(%error, "old changes of buckets cannot be let go");
        }
    }
}
