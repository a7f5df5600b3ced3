//! What the store knows of buckets, objects, uploads and unfinished writes: tables of one redb file, which the sources'
//! cursors share. Values are JSON; keys of objects are bytes, so that their order is S3's.

use super::error::Error;
use super::record::Change;
use crate::log::Position;
use crate::state::{State, StateError};
use jiff::Timestamp;
use redb::{ReadOnlyTable, ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

type Json = &'static [u8];
type ObjectsKey = (u64, &'static [u8]);

const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("bucket_numbers");
const BUCKETS: TableDefinition<&str, Json> = TableDefinition::new("buckets");
const OBJECTS: TableDefinition<ObjectsKey, Json> = TableDefinition::new("objects");
const INTENTS: TableDefinition<u64, Json> = TableDefinition::new("intents");
const UPLOADS: TableDefinition<&str, Json> = TableDefinition::new("uploads");
const PARTS: TableDefinition<(&str, u32), Json> = TableDefinition::new("parts");

/// The last sequencer that was given out.
pub(super) const SEQUENCER: &str = "sequencer";
/// The last id that was given to a bucket.
pub(super) const BUCKET_ID: &str = "bucket";
/// 1 if the store was closed in order.
pub(super) const CLOSED: &str = "closed";

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// Objects in it.
    pub objects: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// A bucket that was deleted and made again is another one.
    pub(crate) id: u64,
}

/// What is kept beside an object's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// Other headers that come back as they were given, by lower-case name: `cache-control`, `content-encoding`...
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// User metadata, without `x-amz-meta-`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Bytes.
    pub size: u64,
    /// MD5 of the bytes, 32 hex digits; of parts the MD5 of their MD5s and `-` and their number, as S3.
    pub etag: String,
    /// When it was last written, to the millisecond.
    pub modified: Timestamp,
    /// Greater for each later write on the node.
    pub sequencer: u64,
    /// What was given with it.
    pub attributes: Attributes,
    pub(super) file: String,
}

/// A write that will be finished, also after a crash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Intent {
    /// Where the change log ended before: its record is behind this, or nowhere.
    pub(super) from: Vec<Position>,
    pub(super) bucket: u64,
    /// The object as it will be; none is a delete.
    pub(super) meta: Option<Meta>,
    /// Where the bytes are until they are renamed.
    pub(super) incoming: Option<String>,
    /// The multipart upload that ends with it.
    pub(super) upload: Option<String>,
    pub(super) change: Change,
}

/// A multipart upload that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Upload {
    /// The bucket.
    pub(super) bucket: String,
    /// The key.
    pub(super) key: String,
    /// When it was begun.
    pub(super) created: Timestamp,
    /// What the object will have.
    pub(super) attributes: Attributes,
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// MD5 of the bytes.
    pub etag: String,
    /// When it was uploaded.
    pub modified: Timestamp,
    pub(super) file: String,
}

/// The tables as they are at one moment.
pub(super) struct Reader {
    buckets: ReadOnlyTable<&'static str, Json>,
    objects: ReadOnlyTable<ObjectsKey, Json>,
    uploads: ReadOnlyTable<&'static str, Json>,
    parts: ReadOnlyTable<(&'static str, u32), Json>,
}

impl Reader {
    pub(super) fn new(state: &State) -> Result<Self, StateError> {
        let transaction = state.read()?;
        Ok(Self {
            buckets: transaction.open_table(BUCKETS)?,
            objects: transaction.open_table(OBJECTS)?,
            uploads: transaction.open_table(UPLOADS)?,
            parts: transaction.open_table(PARTS)?,
        })
    }

    pub(super) fn buckets(&self) -> Result<Vec<Bucket>, StateError> {
        let rows = self.buckets.iter()?;
        rows.map(|row| row.map_err(StateError::from).and_then(|(name, value)| parse("buckets", name.value(), &value)))
            .collect()
    }

    pub(super) fn bucket(&self, name: &str) -> Result<Bucket, Error> {
        fetch(&self.buckets, "buckets", name)?.ok_or_else(|| Error::NoBucket(name.to_owned()))
    }

    pub(super) fn object(&self, bucket: &str, key: &str) -> Result<Meta, Error> {
        let id = self.bucket(bucket)?.id;
        let found = self.objects.get((id, key.as_bytes())).map_err(StateError::from)?;
        match found {
            Some(value) => Ok(parse("objects", key, &value)?),
            None => Err(Error::NoObject { bucket: bucket.to_owned(), key: key.to_owned() }),
        }
    }

    /// The objects of the bucket from `from` on.
    pub(super) fn objects_from(
        &self,
        bucket: u64,
        from: &[u8],
    ) -> Result<impl Iterator<Item = Result<(String, Meta), StateError>> + use<>, StateError> {
        let rows = self.objects.range((bucket, from)..(bucket + 1, &[][..]))?;
        Ok(rows.map(|row| {
            let (key, value) = row?;
            let key = String::from_utf8_lossy(key.value().1).into_owned();
            let meta = parse("objects", &key, &value)?;
            Ok((key, meta))
        }))
    }

    /// Names of all files that objects are in.
    pub(super) fn files(&self) -> Result<HashSet<String>, StateError> {
        let rows = self.objects.iter()?;
        rows.map(|row| {
            let (key, value) = row?;
            let meta: Meta = parse("objects", &String::from_utf8_lossy(key.value().1), &value)?;
            Ok(meta.file)
        })
        .collect()
    }

    pub(super) fn upload(&self, id: &str) -> Result<Option<Upload>, StateError> {
        fetch(&self.uploads, "uploads", id)
    }

    /// Ids and uploads, in no order.
    pub(super) fn uploads(&self) -> Result<Vec<(String, Upload)>, StateError> {
        let upload = |row: Result<_, redb::StorageError>| {
            let (id, value): (redb::AccessGuard<'_, &str>, redb::AccessGuard<'_, Json>) = row?;
            Ok((id.value().to_owned(), parse("uploads", id.value(), &value)?))
        };
        self.uploads.iter()?.map(upload).collect()
    }

    pub(super) fn parts(&self, upload: &str) -> Result<Vec<Part>, StateError> {
        self.parts.range((upload, 0)..=(upload, u32::MAX))?.map(|row| parse("parts", upload, &row?.1)).collect()
    }

    pub(super) fn all_parts(&self) -> Result<Vec<Part>, StateError> {
        self.parts.iter()?.map(|row| parse("parts", "", &row?.1)).collect()
    }
}

/// The tables while they are changed.
pub(super) struct Writer<'a> {
    numbers: Table<'a, &'static str, u64>,
    buckets: Table<'a, &'static str, Json>,
    objects: Table<'a, ObjectsKey, Json>,
    intents: Table<'a, u64, Json>,
    uploads: Table<'a, &'static str, Json>,
    parts: Table<'a, (&'static str, u32), Json>,
}

/// Makes one commit of `change` that is on disk when this returns, or nothing.
pub(super) fn write<T>(
    state: &State,
    change: impl FnOnce(&mut Writer<'_>) -> Result<T, StateError>,
) -> Result<T, StateError> {
    state.write(|transaction| change(&mut Writer::new(transaction)?))
}

/// Makes one commit of `change` that is on disk with the next durable one, or nothing. Until then a crash undoes it, and
/// intents do it again.
pub(super) fn write_soon<T>(
    state: &State,
    change: impl Fn(&mut Writer<'_>) -> Result<T, StateError> + Send + Sync + 'static,
) -> Result<T, StateError> {
    let change = Arc::new(change);
    let again = Arc::clone(&change);
    let redo = Box::new(move |transaction: &WriteTransaction| again(&mut Writer::new(transaction)?).map(drop));
    state.write_soon(|transaction| change(&mut Writer::new(transaction)?), redo)
}

impl<'a> Writer<'a> {
    fn new(transaction: &'a WriteTransaction) -> Result<Self, StateError> {
        Ok(Self {
            numbers: transaction.open_table(NUMBERS)?,
            buckets: transaction.open_table(BUCKETS)?,
            objects: transaction.open_table(OBJECTS)?,
            intents: transaction.open_table(INTENTS)?,
            uploads: transaction.open_table(UPLOADS)?,
            parts: transaction.open_table(PARTS)?,
        })
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, StateError> {
        Ok(self.numbers.get(name)?.map_or(0, |value| value.value()))
    }

    pub(super) fn set_number(&mut self, name: &str, value: u64) -> Result<(), StateError> {
        self.numbers.insert(name, value)?;
        Ok(())
    }

    /// A number greater than all of that name before it.
    pub(super) fn next_number(&mut self, name: &str) -> Result<u64, StateError> {
        let next = self.number(name)? + 1;
        self.set_number(name, next)?;
        Ok(next)
    }

    pub(super) fn bucket(&self, name: &str) -> Result<Option<Bucket>, StateError> {
        fetch(&self.buckets, "buckets", name)
    }

    pub(super) fn bucket_count(&self) -> Result<u64, StateError> {
        Ok(redb::ReadableTableMetadata::len(&self.buckets)?)
    }

    pub(super) fn put_bucket(&mut self, bucket: &Bucket) -> Result<(), StateError> {
        self.buckets.insert(bucket.name.as_str(), json(bucket, &bucket.name)?.as_slice())?;
        Ok(())
    }

    pub(super) fn remove_bucket(&mut self, name: &str) -> Result<(), StateError> {
        self.buckets.remove(name)?;
        Ok(())
    }

    pub(super) fn object(&self, bucket: u64, key: &str) -> Result<Option<Meta>, StateError> {
        self.objects.get((bucket, key.as_bytes()))?.map(|value| parse("objects", key, &value)).transpose()
    }

    pub(super) fn put_intent(&mut self, intent: &Intent) -> Result<(), StateError> {
        self.intents.insert(intent.change.sequencer, json(intent, &intent.change.key)?.as_slice())?;
        Ok(())
    }

    pub(super) fn intents(&self) -> Result<Vec<Intent>, StateError> {
        self.intents.iter()?.map(|row| parse("intents", "", &row?.1)).collect()
    }

    pub(super) fn drop_intent(&mut self, intent: &Intent) -> Result<(), StateError> {
        self.intents.remove(intent.change.sequencer)?;
        Ok(())
    }

    /// Makes the intent's change visible, and forgets the intent. Answers names of files that are no object's any more,
    /// and of parts.
    pub(super) fn fulfil(&mut self, intent: &Intent) -> Result<Leftovers, StateError> {
        let mut left = Leftovers::default();
        let key = (intent.bucket, intent.change.key.as_bytes());
        let before = match &intent.meta {
            Some(meta) => self.objects.insert(key, json(meta, &intent.change.key)?.as_slice())?,
            None => self.objects.remove(key)?,
        };
        let before: Option<Meta> = before.map(|value| parse("objects", &intent.change.key, &value)).transpose()?;
        if let Some(mut bucket) = self.bucket(&intent.change.bucket)?.filter(|bucket| bucket.id == intent.bucket) {
            if let Some(gone) = &before {
                bucket.objects = bucket.objects.saturating_sub(1);
                bucket.bytes = bucket.bytes.saturating_sub(gone.size);
            }
            if let Some(made) = &intent.meta {
                bucket.objects += 1;
                bucket.bytes = bucket.bytes.saturating_add(made.size);
            }
            self.put_bucket(&bucket)?;
        }
        let now = intent.meta.as_ref().map(|meta| &meta.file);
        left.objects.extend(before.map(|before| before.file).filter(|file| Some(file) != now));
        if let Some(upload) = &intent.upload {
            left.parts = self.remove_upload(upload)?;
        }
        self.drop_intent(intent)?;
        Ok(left)
    }

    pub(super) fn upload(&self, id: &str) -> Result<Option<Upload>, StateError> {
        fetch(&self.uploads, "uploads", id)
    }

    pub(super) fn upload_count(&self) -> Result<u64, StateError> {
        Ok(redb::ReadableTableMetadata::len(&self.uploads)?)
    }

    pub(super) fn put_upload(&mut self, id: &str, upload: &Upload) -> Result<(), StateError> {
        self.uploads.insert(id, json(upload, id)?.as_slice())?;
        Ok(())
    }

    /// Answers the files of its parts.
    pub(super) fn remove_upload(&mut self, id: &str) -> Result<Vec<String>, StateError> {
        self.uploads.remove(id)?;
        let mut files = Vec::new();
        for row in self.parts.extract_from_if((id, 0)..=(id, u32::MAX), |_, _| true)? {
            let part: Part = parse("parts", id, &row?.1)?;
            files.push(part.file);
        }
        Ok(files)
    }

    /// Answers the files of the parts of all uploads to the bucket.
    pub(super) fn remove_uploads_of(&mut self, bucket: &str) -> Result<Vec<String>, StateError> {
        let mut ids = Vec::new();
        for row in self.uploads.iter()? {
            let (id, value) = row?;
            let upload: Upload = parse("uploads", id.value(), &value)?;
            if upload.bucket == bucket {
                ids.push(id.value().to_owned());
            }
        }
        let mut files = Vec::new();
        for id in ids {
            files.extend(self.remove_upload(&id)?);
        }
        Ok(files)
    }

    /// Answers the file of the part that had this number before.
    pub(super) fn put_part(&mut self, upload: &str, part: &Part) -> Result<Option<String>, StateError> {
        let before = self.parts.insert((upload, part.number), json(part, upload)?.as_slice())?;
        let before: Option<Part> = before.map(|value| parse("parts", upload, &value)).transpose()?;
        Ok(before.map(|part| part.file))
    }
}

/// Files that nothing names any more.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    pub(super) objects: Vec<String>,
    pub(super) parts: Vec<String>,
}

impl Leftovers {
    pub(super) fn append(&mut self, mut more: Self) {
        self.objects.append(&mut more.objects);
        self.parts.append(&mut more.parts);
    }
}

fn fetch<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, Json>,
    name: &'static str,
    key: &str,
) -> Result<Option<T>, StateError> {
    table.get(key)?.map(|value| parse(name, key, &value)).transpose()
}

fn parse<T: DeserializeOwned>(
    table: &'static str,
    key: &str,
    value: &redb::AccessGuard<'_, Json>,
) -> Result<T, StateError> {
    crate::state::parse(table, key, value.value())
}

fn json<T: Serialize>(value: &T, key: &str) -> Result<Vec<u8>, StateError> {
    serde_json::to_vec(value).map_err(|error| crate::state::damaged("buckets", key, &error))
}
