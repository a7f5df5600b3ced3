//! The object store of a node: buckets on its own disk, and a log of every change.
//!
//! ```text
//!   <directory>/state.redb     buckets, objects, uploads, unfinished writes, cursors of sources   (bucket/index.rs)
//!               objects/       the bytes, one file per version, named by a hash of bucket and key
//!               incoming/      bytes that are still coming, and parts of multipart uploads
//!               changes/       the change log, a segment log
//! ```
//! Writes of S3 clients and of functions take the same way (`bucket/commit.rs`): `Ok` means that the object and the record of its
//! change survive a power cut, and a write that failed or was never answered shows once, with one record, or not at all.
//! Keys never reach the file system. There are no versions, tags, ACLs and policies.

mod commit;
mod content;
mod error;
mod incoming;
mod index;
mod listing;
mod multipart;
mod name;
mod node;
mod record;
mod recover;
pub mod s3;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod visible;

pub use commit::Condition;
pub use content::Content;
pub use error::Error;
pub use index::{Attributes, Bucket, Meta, Part};
pub use listing::{ListQuery, Page, parse_token, token};
pub use multipart::Upload;
pub use name::{check_bucket, check_key};
pub use node::{BucketNode, Metrics, NodeError, NodeOptions};
pub use record::{Action, Change, Origin, REGION, Record, decode_key, encode_key};

use crate::log::EventLog;
use crate::log::segment::{self, SegmentLog};
use crate::state::State;
use crate::vfs::Vfs;
use bytes::Bytes;
use commit::{Committer, Done, Files, Put, Request, Write};
use fnctl_config::limits::{
    BUCKET_COMMITS_QUEUED_MAX, BUCKET_FREE_BYTES_MIN, BUCKET_METADATA_BYTES_MAX, BUCKET_PUT_BYTES_MAX,
    CHANGES_RETENTION_AGE, CHANGES_RETENTION_BYTES,
};
use fnctl_config::snapshot::Retention;
use futures::Stream;
use incoming::{Place, Sink, blocking, receive};
use index::{CLOSED, Reader};
use std::error::Error as StdError;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{SetOnce, oneshot, watch};
use visible::Visible;

/// Where a store is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file system.
    pub vfs: Arc<dyn Vfs>,
    /// The directory; made where there is none.
    pub directory: PathBuf,
    /// Bytes that must stay free on its disk.
    pub free_bytes_min: u64,
    /// The change log's sizes.
    pub log: segment::Options,
}

impl Options {
    /// With the limits of the node.
    pub fn new(vfs: Arc<dyn Vfs>, directory: PathBuf) -> Self {
        Self { vfs, directory, free_bytes_min: BUCKET_FREE_BYTES_MIN, log: segment::Options::default() }
    }
}

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct Buckets {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: State,
    files: Files,
    log: Arc<SegmentLog>,
    changes: Arc<Visible>,
    failed: Arc<SetOnce<String>>,
    commits: Mutex<Option<SyncSender<Request>>>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

/// An object to write.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// The bucket.
    pub bucket: String,
    /// The key: any UTF-8 of 1 to 1,024 bytes.
    pub key: String,
    /// What is kept beside it.
    pub attributes: Attributes,
    /// What must hold of the object that is there.
    pub condition: Condition,
    /// Who asks.
    pub origin: Origin,
}

impl NewObject {
    /// Without attributes and condition.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, origin: Origin) -> Self {
        let (attributes, condition) = (Attributes::default(), Condition::None);
        Self { bucket: bucket.into(), key: key.into(), attributes, condition, origin }
    }

    fn check(&self) -> Result<(), Error> {
        check_key(&self.key)?;
        let metadata = self.attributes.metadata.iter();
        if metadata.map(|(name, value)| name.len() + value.len()).sum::<usize>() > BUCKET_METADATA_BYTES_MAX {
            return Err(Error::MetadataTooLarge);
        }
        Ok(())
    }
}

impl Buckets {
    /// Opens the store and finishes what a crash interrupted.
    pub async fn open(options: Options) -> Result<Self, NodeError> {
        let Options { vfs, directory, free_bytes_min, log } = options;
        let files = Files {
            objects: directory.join("objects"),
            incoming: Place {
                vfs: Arc::clone(&vfs),
                directory: directory.join("incoming"),
                free_bytes_min,
                bytes_max: BUCKET_PUT_BYTES_MAX,
            },
            vfs: Arc::clone(&vfs),
        };
        let opened = tokio::task::spawn_blocking(move || {
            vfs.create_directory(&directory).map_err(Error::from)?;
            let state = State::open(&vfs, &directory.join("state.redb"))?;
            let retention =
                Retention { age: CHANGES_RETENTION_AGE, bytes: CHANGES_RETENTION_BYTES, drop_pending: false };
            let log = SegmentLog::open(&vfs, &directory.join("changes"), "buckets", log, retention)?;
            Ok::<_, NodeError>((state, Arc::new(log)))
        });
        let (state, log) = opened.await.map_err(|error| Error::Failed(error.to_string()))??;
        if log.recovery().is_damaged() {
            tracing::error!(recovery = ?log.recovery(), "the change log of the buckets is damaged");
        }
        let replayed = recover::replay(&state, &files, &log).await?;
        if replayed > 0 {
            tracing::info!(replayed, "finished writes to buckets that the last run had promised");
        }
        let failed = Arc::new(SetOnce::new());
        let (commits, queue) = sync_channel(BUCKET_COMMITS_QUEUED_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(Error::from)?;
        let (show, shown) = watch::channel(log.next().borrow().clone());
        let changes = Arc::new(Visible { log: Arc::clone(&log), shown });
        let committer = Committer {
            state: state.clone(),
            files: files.clone(),
            log: Arc::clone(&log),
            shown: show,
            failed: Arc::clone(&failed),
            runtime,
        };
        let thread = std::thread::Builder::new().name("buckets".to_owned());
        let committer = thread.spawn(move || committer.run(&queue)).map_err(Error::from)?;
        let (commits, committer) = (Mutex::new(Some(commits)), Mutex::new(Some(committer)));
        Ok(Self { shared: Arc::new(Shared { state, files, log, changes, failed, commits, committer }) })
    }

    /// Makes a bucket.
    pub async fn create_bucket(&self, name: &str) -> Result<Bucket, Error> {
        check_bucket(name)?;
        match self.write(Write::CreateBucket { name: name.to_owned() }).await? {
            Done::Bucket(bucket) => Ok(bucket),
            Done::Nothing | Done::Object(_) | Done::Part(_) => Err(unexpected()),
        }
    }

    /// Makes the bucket where there is none.
    pub async fn ensure(&self, name: &str) -> Result<Bucket, Error> {
        match self.bucket(name).await {
            Err(Error::NoBucket(_)) => {}
            found => return found,
        }
        match self.create_bucket(name).await {
            Err(Error::BucketExists(_)) => self.bucket(name).await,
            made => made,
        }
    }

    /// Removes an empty bucket, and its open uploads.
    pub async fn delete_bucket(&self, name: &str) -> Result<(), Error> {
        self.write(Write::DeleteBucket { name: name.to_owned() }).await.map(|_| ())
    }

    /// All buckets by name.
    pub async fn buckets(&self) -> Result<Vec<Bucket>, Error> {
        self.read(|reader| Ok(reader.buckets()?)).await
    }

    /// One bucket.
    pub async fn bucket(&self, name: &str) -> Result<Bucket, Error> {
        let name = name.to_owned();
        self.read(move |reader| reader.bucket(&name)).await
    }

    /// Makes or replaces an object. A body that ends with an error stores nothing; so does a future that is dropped
    /// before the body ended.
    pub async fn put<S, E>(&self, object: NewObject, body: S) -> Result<Meta, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        object.check()?;
        self.bucket(&object.bucket).await?;
        let incoming = receive(&self.shared.files.incoming, body).await?;
        self.commit(object, incoming, Action::Put).await
    }

    /// What is known of an object.
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Meta, Error> {
        check_key(key)?;
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.read(move |reader| reader.object(&bucket, &key)).await
    }

    /// The object and its bytes from `range.start` to before `range.end`, cut to the object. `range` is asked for when
    /// the object is known, and may refuse it: answer 0 to its size for all.
    pub async fn get<R, E>(&self, bucket: &str, key: &str, range: R) -> Result<(Meta, Content), E>
    where
        R: FnOnce(&Meta) -> Result<Range<u64>, E> + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        check_key(key)?;
        let (shared, bucket, key) = (Arc::clone(&self.shared), bucket.to_owned(), key.to_owned());
        let found = blocking(move || {
            let (meta, file) = shared.open_object(&bucket, &key)?;
            Ok(range(&meta).and_then(|asked| {
                let start = asked.start.min(meta.size);
                let content = Content::begin(file, start..asked.end.clamp(start, meta.size)).map_err(Error::from)?;
                Ok((meta, content))
            }))
        });
        found.await?
    }

    /// Removes an object; nothing happens, and no change is noted, where there is none.
    pub async fn delete(&self, bucket: &str, key: &str, origin: Origin) -> Result<(), Error> {
        check_key(key)?;
        let write = Write::Delete { bucket: bucket.to_owned(), key: key.to_owned(), origin };
        self.write(write).await.map(|_| ())
    }

    /// Makes or replaces `to` with the bytes of an object. Its own attributes are taken where there are `Some`.
    pub async fn copy(
        &self,
        from: (&str, &str),
        mut to: NewObject,
        attributes: Option<Attributes>,
    ) -> Result<Meta, Error> {
        check_key(from.1)?;
        to.attributes = attributes.clone().unwrap_or_default();
        to.check()?;
        self.bucket(&to.bucket).await?;
        let (shared, bucket, key) = (Arc::clone(&self.shared), from.0.to_owned(), from.1.to_owned());
        let (meta, incoming) = blocking(move || {
            let (meta, file) = shared.open_object(&bucket, &key)?;
            let mut sink = Sink::create(&shared.files.incoming)?;
            sink.append(&*file, meta.size)?;
            Ok((meta, sink.finish()?))
        })
        .await?;
        to.attributes = attributes.unwrap_or(meta.attributes);
        self.commit(to, incoming, Action::Copy).await
    }

    /// A page of keys.
    pub async fn list(&self, bucket: &str, query: ListQuery) -> Result<Page, Error> {
        let bucket = bucket.to_owned();
        self.read(move |reader| listing::page(reader, &bucket, &query)).await
    }

    /// At most `limit` keys behind `after`, in order.
    pub async fn keys(&self, bucket: &str, after: &str, limit: usize) -> Result<Vec<String>, Error> {
        let (bucket, after) = (bucket.to_owned(), after.to_owned());
        self.read(move |reader| listing::keys(reader, &bucket, &after, limit)).await
    }

    /// The log of all changes; its records are read by [`Change::decode`]. A change is there when its object is.
    pub fn changes(&self) -> Arc<dyn EventLog> {
        self.shared.changes.clone()
    }

    /// Why the store takes no writes any more; none while it works. Then the node should stop: only a start helps.
    /// A full disk is no such reason.
    pub fn failure(&self) -> Option<String> {
        let Shared { failed, log, state, .. } = &*self.shared;
        failed.get().cloned().or_else(|| log.failure()).or_else(|| state.failure())
    }

    /// The same as soon as there is one.
    pub(crate) async fn failed(&self) -> String {
        let Shared { failed, log, state, .. } = &*self.shared;
        tokio::select! {
            reason = failed.wait() => reason.clone(),
            reason = log.failed() => reason,
            reason = state.failed() => reason,
        }
    }

    /// Ends the writes that wait and closes the files, so that the next start has nothing to recover. Later writes fail.
    pub async fn close(&self) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            shared.stop();
            Ok(())
        })
        .await?;
        self.shared.log.close().await.map_err(|error| commit::refused(&error))?;
        if self.failure().is_some() {
            return Ok(());
        }
        let state = self.shared.state.clone();
        blocking(move || Ok(index::write(&state, |tables| tables.set_number(CLOSED, 1))?)).await
    }

    pub(crate) fn state(&self) -> &State {
        &self.shared.state
    }

    pub(crate) fn segments(&self) -> &SegmentLog {
        &self.shared.log
    }

    async fn commit(&self, object: NewObject, incoming: incoming::Incoming, action: Action) -> Result<Meta, Error> {
        let NewObject { bucket, key, attributes, condition, origin } = object;
        let etag = incoming.etag();
        let put = Put { bucket, key, incoming, etag, attributes, condition, action, origin, upload: None };
        self.put_object(put).await
    }

    async fn put_object(&self, put: Put) -> Result<Meta, Error> {
        match self.write(Write::Put(Box::new(put))).await? {
            Done::Object(meta) => Ok(meta),
            Done::Nothing | Done::Bucket(_) | Done::Part(_) => Err(unexpected()),
        }
    }

    async fn write(&self, write: Write) -> Result<Done, Error> {
        let (answer, answered) = oneshot::channel();
        {
            let commits = self.shared.commits.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(commits) = &*commits else { return Err(Error::Failed("the buckets are closed".to_owned())) };
            match commits.try_send(Request { write, answer }) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => return Err(Error::Busy),
                Err(TrySendError::Disconnected(_)) => return Err(self.gone()),
            }
        }
        answered.await.unwrap_or_else(|_| Err(self.gone()))
    }

    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let state = self.shared.state.clone();
        blocking(move || look(&Reader::new(&state)?)).await
    }

    fn gone(&self) -> Error {
        Error::Failed(self.failure().unwrap_or_else(|| "the committer of the buckets ended".to_owned()))
    }
}

impl Shared {
    /// The object and its open file. Between the two a newer version may have taken its place: then that one.
    fn open_object(&self, bucket: &str, key: &str) -> Result<(Meta, Arc<dyn crate::vfs::File>), Error> {
        let mut missing = None;
        loop {
            let meta = Reader::new(&self.state)?.object(bucket, key)?;
            if missing == Some(meta.sequencer) {
                return Err(Error::Failed(format!("the file of object {key:?} in bucket {bucket:?} is gone")));
            }
            match self.files.vfs.open(&self.files.object(&meta.file)) {
                Ok(file) => return Ok((meta, file)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => missing = Some(meta.sequencer),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn stop(&self) {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner).take();
        let committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(committer) = committer {
            // A panic of it was reported by its thread.
            let _ = committer.join();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop();
    }
}

fn unexpected() -> Error {
    Error::Failed("the committer answered something else than was asked".to_owned())
}
