//! The one thread that changes the store: it takes the writes that wait, and gives them one set of syncs.
//!
//! ```text
//!   bytes synced, in incoming/ ──▶ intents durable ──▶ renamed into objects/, synced ──▶ change records durable
//!                                                                                     ──▶ visible ──▶ answered
//! ```
//! Until the intent is durable a crash leaves nothing; from there on the next start finishes the write (`recover.rs`), so
//! that an object that was seen has exactly one record, and a write that was never answered shows once or not at all.
//! What makes it visible is not synced by itself: the next commit does that, or else the intent does it again.
//! A write for which the disk has no room is refused, and leaves nothing. After any other error of a write or a sync nobody
//! knows what is on disk, and nothing more is taken until the next start.

use super::error::Error;
use super::incoming::{Incoming, Place};
use super::index::{self, Attributes, BUCKET_ID, Bucket, Intent, Leftovers, Meta, Part, SEQUENCER, Upload, Writer};
use super::name;
use super::record::{Action, Change, Origin};
use crate::log::segment::SegmentLog;
use crate::log::{AppendError, EventLog as _, Position};
use crate::state::{State, StateError};
use crate::vfs::Vfs;
use fnctl_config::limits::{BUCKET_COMMIT_WRITES_MAX, BUCKET_UPLOADS_MAX, BUCKETS_MAX, EVENT_LOG_GATHER_MAX};
use jiff::Timestamp;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use tokio::runtime::Runtime;
use tokio::sync::{SetOnce, oneshot, watch};

/// A change of the store that was asked for.
#[derive(Debug)]
pub(super) enum Write {
    CreateBucket { name: String },
    DeleteBucket { name: String },
    Put(Box<Put>),
    Delete { bucket: String, key: String, origin: Origin },
    CreateUpload { id: String, upload: Upload },
    PutPart { id: String, object: (String, String), number: u32, incoming: Incoming },
    AbortUpload { id: String, object: (String, String) },
}

/// An object whose bytes are there.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) incoming: Incoming,
    pub(super) etag: String,
    pub(super) attributes: Attributes,
    pub(super) condition: Condition,
    pub(super) action: Action,
    pub(super) origin: Origin,
    /// The multipart upload that it completes.
    pub(super) upload: Option<String>,
}

/// What must hold of the object that is there before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    #[default]
    None,
    /// There is none: `If-None-Match: *`.
    Absent,
    /// It has this ETag: `If-Match`.
    Matches(String),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    Nothing,
    Bucket(Bucket),
    Object(Meta),
    Part(Part),
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) write: Write,
    pub(super) answer: oneshot::Sender<Result<Done, Error>>,
}

impl Write {
    fn object(&self) -> Option<(String, String)> {
        match self {
            Self::Put(put) => Some((put.bucket.clone(), put.key.clone())),
            Self::Delete { bucket, key, .. } => Some((bucket.clone(), key.clone())),
            Self::PutPart { object, .. } | Self::AbortUpload { object, .. } => Some(object.clone()),
            Self::CreateBucket { .. } | Self::DeleteBucket { .. } | Self::CreateUpload { .. } => None,
        }
    }

    fn incoming(&mut self) -> Option<&mut Incoming> {
        match self {
            Self::Put(put) => Some(&mut put.incoming),
            Self::PutPart { incoming, .. } => Some(incoming),
            _ => None,
        }
    }

    /// Whether it decides about other writes, and so shares a commit with none.
    fn is_alone(&self) -> bool {
        matches!(self, Self::CreateBucket { .. } | Self::DeleteBucket { .. })
    }
}

/// The files of a store.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) objects: PathBuf,
    pub(super) incoming: Place,
}

impl Files {
    pub(super) fn object(&self, name: &str) -> PathBuf {
        self.objects.join(name)
    }

    pub(super) fn part(&self, name: &str) -> PathBuf {
        self.incoming.directory.join(name)
    }

    /// Removes what nothing names any more; what cannot be removed is found by the next start.
    pub(super) fn remove(&self, left: &Leftovers) {
        let paths =
            left.objects.iter().map(|name| self.object(name)).chain(left.parts.iter().map(|name| self.part(name)));
        for path in paths {
            if let Err(error) = self.vfs.remove(&path) {
                tracing::debug!(path = %path.display(), %error, "a file of the buckets stays until the next start");
            }
        }
    }
}

pub(super) struct Committer {
    pub(super) state: State,
    pub(super) files: Files,
    pub(super) log: Arc<SegmentLog>,
    /// How far readers of the changes may go.
    pub(super) shown: watch::Sender<Vec<Position>>,
    pub(super) failed: Arc<SetOnce<String>>,
    /// For the log's answers, which are futures.
    pub(super) runtime: Runtime,
}

/// A write after the first commit.
struct Planned {
    done: Done,
    intent: Option<Intent>,
}

impl Committer {
    /// Works until all senders are gone.
    pub(super) fn run(self, queue: &Receiver<Request>) {
        let mut carried = None;
        while let Some(first) = carried.take().or_else(|| queue.recv().ok()) {
            let alone = first.write.is_alone();
            let mut objects: HashSet<_> = first.write.object().into_iter().collect();
            let mut batch = vec![first];
            while !alone && batch.len() < BUCKET_COMMIT_WRITES_MAX {
                let Ok(next) = queue.try_recv() else { break };
                // Two writes of one object are two commits: each sees what the one before left.
                if next.write.is_alone() || next.write.object().is_some_and(|object| !objects.insert(object)) {
                    carried = Some(next);
                    break;
                }
                batch.push(next);
            }
            self.commit(batch);
        }
    }

    fn commit(&self, mut batch: Vec<Request>) {
        let outcomes = match self.failed.get() {
            Some(reason) => Err(Error::Failed(reason.clone())),
            None => self.work(&mut batch),
        };
        match outcomes {
            Ok((outcomes, left)) => {
                for (request, outcome) in batch.into_iter().zip(outcomes) {
                    // Who does not wait any more misses only the answer.
                    let _ = request.answer.send(outcome);
                }
                self.files.remove(&left);
            }
            Err(error) => {
                let reason = error.to_string();
                if self.failed.set(reason.clone()).is_ok() {
                    tracing::error!(%error, "the buckets take no more writes until the node is started again");
                }
                for mut request in batch {
                    // The next start decides about its file.
                    request.write.incoming().into_iter().for_each(Incoming::keep);
                    let _ = request.answer.send(Err(Error::Failed(reason.clone())));
                }
            }
        }
    }

    fn work(&self, batch: &mut [Request]) -> Result<(Vec<Result<Done, Error>>, Leftovers), Error> {
        let mut left = Leftovers::default();
        if batch.iter_mut().any(|request| request.write.incoming().is_some()) {
            self.files.vfs.sync_directory(&self.files.incoming.directory)?;
        }
        let plan = Plan { room: self.files.incoming.check_room(), from: self.log.next().borrow().clone(), now: now() };
        let planned = index::write(&self.state, |tables| {
            batch.iter().map(|request| plan.make(&request.write, tables, &mut left)).collect::<Result<Vec<_>, _>>()
        });
        let mut planned = match planned {
            // Nothing was promised yet, and nothing is kept.
            Err(full @ StateError::Full) => {
                let full = Error::from(full);
                return Ok((batch.iter().map(|_| Err(full.clone())).collect(), Leftovers::default()));
            }
            planned => planned?,
        };
        for (request, _) in batch.iter_mut().zip(&planned).filter(|(_, planned)| planned.is_ok()) {
            request.write.incoming().into_iter().for_each(Incoming::keep);
        }
        let intents: Vec<Intent> = planned.iter().flatten().filter_map(|planned| planned.intent.clone()).collect();
        if !intents.is_empty() {
            match rename(&self.files, &intents).and_then(|()| self.record(&intents)) {
                Ok(()) => {
                    left.append(self.show(intents)?);
                    self.shown.send_replace(self.log.next().borrow().clone());
                }
                Err(full @ Error::Full { .. }) => {
                    left.append(self.undo(&intents)?);
                    for planned in planned.iter_mut().filter(|one| one.as_ref().is_ok_and(|one| one.intent.is_some())) {
                        *planned = Err(full.clone());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok((planned.into_iter().map(|planned| planned.map(|planned| planned.done)).collect(), left))
    }

    /// Appends the changes as one unit, in their order.
    fn record(&self, intents: &[Intent]) -> Result<(), Error> {
        loop {
            let records = intents.iter().map(|intent| intent.change.encode()).collect();
            match self.runtime.block_on(self.log.append(records)) {
                Err(AppendError::Busy) => self.runtime.block_on(tokio::time::sleep(EVENT_LOG_GATHER_MAX)),
                ended => return ended.map(|_| ()).map_err(|error| refused(&error)),
            }
        }
    }

    fn show(&self, intents: Vec<Intent>) -> Result<Leftovers, StateError> {
        index::write_soon(&self.state, move |tables| fulfil(tables, &intents))
    }

    /// Takes back what was promised to nobody.
    fn undo(&self, intents: &[Intent]) -> Result<Leftovers, StateError> {
        index::write(&self.state, |tables| intents.iter().try_for_each(|intent| tables.drop_intent(intent)))?;
        let objects = intents.iter().filter_map(|intent| Some(intent.meta.as_ref()?.file.clone())).collect();
        let parts = intents.iter().filter_map(|intent| intent.incoming.clone()).collect();
        Ok(Leftovers { objects, parts })
    }
}

/// Makes what the intents say visible, in their order.
pub(super) fn fulfil(tables: &mut Writer<'_>, intents: &[Intent]) -> Result<Leftovers, StateError> {
    let mut left = Leftovers::default();
    for intent in intents {
        left.append(tables.fulfil(intent)?);
    }
    Ok(left)
}

/// Gives the bytes of each intent their place. What is there already was renamed before a crash.
pub(super) fn rename(files: &Files, intents: &[Intent]) -> Result<(), Error> {
    let mut renamed = 0;
    for intent in intents {
        let (Some(meta), Some(incoming)) = (&intent.meta, &intent.incoming) else { continue };
        match files.vfs.rename(&files.part(incoming), &files.object(&meta.file)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                files.vfs.open(&files.object(&meta.file))?;
            }
            moved => moved?,
        }
        renamed += 1;
    }
    if renamed > 0 {
        files.vfs.sync_directory(&files.objects)?;
    }
    Ok(())
}

/// What all writes of a commit share.
struct Plan {
    room: Result<(), Error>,
    from: Vec<Position>,
    now: Timestamp,
}

impl Plan {
    /// Decides about one write inside the first commit: what is no object's is changed at once, objects by an intent.
    fn make(
        &self,
        write: &Write,
        tables: &mut Writer<'_>,
        left: &mut Leftovers,
    ) -> Result<Result<Planned, Error>, StateError> {
        let done = match write {
            Write::CreateBucket { name } => self.create_bucket(name, tables)?.map(Done::Bucket),
            Write::DeleteBucket { name } => match tables.bucket(name)? {
                None => Err(Error::NoBucket(name.clone())),
                Some(bucket) if bucket.objects > 0 => Err(Error::BucketNotEmpty(name.clone())),
                Some(_) => {
                    left.parts.extend(tables.remove_uploads_of(name)?);
                    tables.remove_bucket(name)?;
                    Ok(Done::Nothing)
                }
            },
            Write::Put(put) => return self.put(put, tables),
            Write::Delete { bucket, key, origin } => return self.delete(bucket, key, origin, tables),
            Write::CreateUpload { id, upload } => {
                if tables.bucket(&upload.bucket)?.is_none() {
                    Err(Error::NoBucket(upload.bucket.clone()))
                } else if tables.upload_count()? >= BUCKET_UPLOADS_MAX {
                    Err(Error::TooManyUploads)
                } else {
                    tables.put_upload(id, upload)?;
                    Ok(Done::Nothing)
                }
            }
            Write::PutPart { id, object, number, incoming } => {
                match is_open(id, object, tables)?.and(self.room.clone()) {
                    Err(error) => Err(error),
                    Ok(()) => {
                        let part = Part {
                            number: *number,
                            size: incoming.size,
                            etag: incoming.etag(),
                            modified: self.now,
                            file: incoming.name.clone(),
                        };
                        left.parts.extend(tables.put_part(id, &part)?);
                        Ok(Done::Part(part))
                    }
                }
            }
            Write::AbortUpload { id, object } => match is_open(id, object, tables)? {
                Err(error) => Err(error),
                Ok(()) => {
                    left.parts.extend(tables.remove_upload(id)?);
                    Ok(Done::Nothing)
                }
            },
        };
        Ok(done.map(|done| Planned { done, intent: None }))
    }

    fn create_bucket(&self, name: &str, tables: &mut Writer<'_>) -> Result<Result<Bucket, Error>, StateError> {
        if tables.bucket(name)?.is_some() {
            return Ok(Err(Error::BucketExists(name.to_owned())));
        }
        if tables.bucket_count()? >= BUCKETS_MAX {
            return Ok(Err(Error::TooManyBuckets));
        }
        let id = tables.next_number(BUCKET_ID)?;
        let bucket = Bucket { name: name.to_owned(), created: self.now, objects: 0, bytes: 0, id };
        tables.put_bucket(&bucket)?;
        Ok(Ok(bucket))
    }

    fn put(&self, put: &Put, tables: &mut Writer<'_>) -> Result<Result<Planned, Error>, StateError> {
        if let Err(error) = &self.room {
            return Ok(Err(error.clone()));
        }
        let Some(bucket) = tables.bucket(&put.bucket)? else { return Ok(Err(Error::NoBucket(put.bucket.clone()))) };
        let holds = match &put.condition {
            Condition::None => true,
            Condition::Absent => tables.object(bucket.id, &put.key)?.is_none(),
            Condition::Matches(etag) => tables.object(bucket.id, &put.key)?.is_some_and(|meta| meta.etag == *etag),
        };
        if !holds {
            return Ok(Err(Error::Precondition { key: put.key.clone() }));
        }
        if let Some(id) = &put.upload
            && let Err(error) = is_open(id, &(put.bucket.clone(), put.key.clone()), tables)?
        {
            return Ok(Err(error));
        }
        let sequencer = tables.next_number(SEQUENCER)?;
        let meta = Meta {
            size: put.incoming.size,
            etag: put.etag.clone(),
            modified: self.now,
            sequencer,
            attributes: put.attributes.clone(),
            file: name::file(bucket.id, &put.key, sequencer),
        };
        let change = Change {
            action: put.action,
            time: self.now,
            bucket: put.bucket.clone(),
            key: put.key.clone(),
            size: Some(meta.size),
            etag: Some(meta.etag.clone()),
            sequencer,
            origin: put.origin.clone(),
        };
        let intent = Intent {
            from: self.from.clone(),
            bucket: bucket.id,
            meta: Some(meta.clone()),
            incoming: Some(put.incoming.name.clone()),
            upload: put.upload.clone(),
            change,
        };
        tables.put_intent(&intent)?;
        Ok(Ok(Planned { done: Done::Object(meta), intent: Some(intent) }))
    }

    fn delete(
        &self,
        bucket: &str,
        key: &str,
        origin: &Origin,
        tables: &mut Writer<'_>,
    ) -> Result<Result<Planned, Error>, StateError> {
        let Some(found) = tables.bucket(bucket)? else { return Ok(Err(Error::NoBucket(bucket.to_owned()))) };
        if tables.object(found.id, key)?.is_none() {
            return Ok(Ok(Planned { done: Done::Nothing, intent: None }));
        }
        let change = Change {
            action: Action::Delete,
            time: self.now,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            size: None,
            etag: None,
            sequencer: tables.next_number(SEQUENCER)?,
            origin: origin.clone(),
        };
        let from = self.from.clone();
        let intent = Intent { from, bucket: found.id, meta: None, incoming: None, upload: None, change };
        tables.put_intent(&intent)?;
        Ok(Ok(Planned { done: Done::Nothing, intent: Some(intent) }))
    }
}

/// Whether the upload is one of that object.
fn is_open(id: &str, object: &(String, String), tables: &Writer<'_>) -> Result<Result<(), Error>, StateError> {
    let found = tables.upload(id)?;
    let fits = found.is_some_and(|upload| (&upload.bucket, &upload.key) == (&object.0, &object.1));
    Ok(if fits { Ok(()) } else { Err(Error::NoUpload(id.to_owned())) })
}

pub(super) fn refused(error: &AppendError) -> Error {
    match error {
        AppendError::Busy => Error::Busy,
        &AppendError::Full { free_bytes, required_bytes } => Error::Full { free_bytes, required_bytes },
        AppendError::TooLarge { .. } | AppendError::Failed(_) => Error::Failed(error.to_string()),
    }
}

/// Times of objects have milliseconds, as S3's.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
