//! Multipart uploads: parts that become one object.

use super::commit::{Done, Put, Write};
use super::incoming::{Place, Sink, blocking, receive};
use super::index::{self, Reader};
use super::{Action, Buckets, Error, Meta, NewObject, Part, check_key, unexpected};
use bytes::Bytes;
use fnctl_config::limits::{BUCKET_OBJECT_BYTES_MAX, BUCKET_PARTS_MAX};
use futures::Stream;
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use std::error::Error as StdError;
use std::sync::Arc;
use uuid::Uuid;

/// Names an open upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// What [`Buckets::create_upload`] answered.
    pub id: String,
}

impl Upload {
    fn object(&self) -> (String, String) {
        (self.bucket.clone(), self.key.clone())
    }

    fn unknown(&self) -> Error {
        Error::NoUpload(self.id.clone())
    }
}

impl Buckets {
    /// Begins an upload; nothing of it is visible, and nothing is notified, until it is completed.
    pub async fn create_upload(&self, object: NewObject) -> Result<Upload, Error> {
        object.check()?;
        let NewObject { bucket, key, attributes, .. } = object;
        let upload = index::Upload { bucket: bucket.clone(), key: key.clone(), created: Timestamp::now(), attributes };
        let id = Uuid::new_v4().simple().to_string();
        self.write(Write::CreateUpload { id: id.clone(), upload }).await?;
        Ok(Upload { bucket, key, id })
    }

    /// Stores a part, durably; one of the same number is replaced.
    pub async fn put_part<S, E>(&self, upload: &Upload, number: i64, body: S) -> Result<Part, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let valid = u32::try_from(number).ok().filter(|number| (1..=BUCKET_PARTS_MAX).contains(number));
        let number = valid.ok_or(Error::PartNumber(number))?;
        self.parts(upload).await?;
        let incoming = receive(&self.shared.files.incoming, body).await?;
        let write = Write::PutPart { id: upload.id.clone(), object: upload.object(), number, incoming };
        match self.write(write).await? {
            Done::Part(part) => Ok(part),
            Done::Nothing | Done::Bucket(_) | Done::Object(_) => Err(unexpected()),
        }
    }

    /// The parts that are there, by number.
    pub async fn parts(&self, upload: &Upload) -> Result<Vec<Part>, Error> {
        let upload = upload.clone();
        self.read(move |reader| found(reader, &upload).map(|(_, parts)| parts)).await
    }

    /// The uploads of a bucket that are neither completed nor dropped, and when they were begun; by key, then by id.
    pub async fn open_uploads(&self, bucket: &str) -> Result<Vec<(Upload, Timestamp)>, Error> {
        let bucket = self.bucket(bucket).await?.name;
        let mut open = self.read(|reader| Ok(reader.uploads()?)).await?;
        open.retain(|(_, begun)| begun.bucket == bucket);
        open.sort_by(|(id, one), (other_id, other)| (&one.key, id).cmp(&(&other.key, other_id)));
        let named =
            |(id, begun): (String, index::Upload)| (Upload { bucket: begun.bucket, key: begun.key, id }, begun.created);
        Ok(open.into_iter().map(named).collect())
    }

    /// Makes the object of the parts named by number and ETag, and ends the upload. `object` says who asks and what must
    /// hold; attributes are those the upload began with.
    pub async fn complete_upload(
        &self,
        upload: &Upload,
        parts: Vec<(u32, String)>,
        object: NewObject,
    ) -> Result<Meta, Error> {
        check_key(&upload.key)?;
        let (shared, wanted) = (Arc::clone(&self.shared), upload.clone());
        let (attributes, etag, incoming) = blocking(move || {
            let (begun, there) = found(&Reader::new(&shared.state)?, &wanted)?;
            let chosen = choose(&there, &parts)?;
            let place = Place { bytes_max: BUCKET_OBJECT_BYTES_MAX, ..shared.files.incoming.clone() };
            let mut sink = Sink::create(&place)?;
            for part in &chosen {
                let file = shared.files.vfs.open(&shared.files.part(&part.file))?;
                sink.append(&*file, part.size)?;
            }
            Ok((begun.attributes, etag_of(&chosen), sink.finish()?))
        })
        .await?;
        self.put_object(Put {
            bucket: upload.bucket.clone(),
            key: upload.key.clone(),
            incoming,
            etag,
            attributes,
            condition: object.condition,
            action: Action::CompleteMultipartUpload,
            origin: object.origin,
            upload: Some(upload.id.clone()),
        })
        .await
    }

    /// Drops an upload and its parts.
    pub async fn abort_upload(&self, upload: &Upload) -> Result<(), Error> {
        self.write(Write::AbortUpload { id: upload.id.clone(), object: upload.object() }).await.map(|_| ())
    }

    /// Drops the uploads that were begun before that time, and their parts. Answers how many these were.
    pub async fn expire_uploads(&self, before: Timestamp) -> Result<usize, Error> {
        let open = self.read(|reader| Ok(reader.uploads()?)).await?;
        let mut expired = 0;
        for (id, begun) in open.into_iter().filter(|(_, begun)| begun.created < before) {
            match self.abort_upload(&Upload { bucket: begun.bucket, key: begun.key, id }).await {
                Ok(()) => expired += 1,
                // Its client was quicker.
                Err(Error::NoUpload(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(expired)
    }
}

fn found(reader: &Reader, upload: &Upload) -> Result<(index::Upload, Vec<Part>), Error> {
    let begun = reader.upload(&upload.id)?.ok_or_else(|| upload.unknown())?;
    if (begun.bucket.as_str(), begun.key.as_str()) != (upload.bucket.as_str(), upload.key.as_str()) {
        return Err(upload.unknown());
    }
    Ok((begun, reader.parts(&upload.id)?))
}

/// The parts that a client names, which must be there with these ETags, in ascending order.
fn choose(there: &[Part], named: &[(u32, String)]) -> Result<Vec<Part>, Error> {
    if named.is_empty() || named.windows(2).any(|two| two[0].0 >= two[1].0) {
        return Err(Error::PartOrder);
    }
    let part = |(number, etag): &(u32, String)| {
        let part = there.iter().find(|part| part.number == *number && part.etag == *etag);
        part.cloned().ok_or(Error::InvalidPart(*number))
    };
    named.iter().map(part).collect()
}

/// S3's ETag of an object made of parts.
fn etag_of(parts: &[Part]) -> String {
    let mut hash = Md5::new();
    for part in parts {
        let digits = part.etag.as_bytes().chunks_exact(2);
        let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        hash.update(digits.filter_map(byte).collect::<Vec<u8>>());
    }
    format!("{}-{}", super::name::hex(&hash.finalize()), parts.len())
}
