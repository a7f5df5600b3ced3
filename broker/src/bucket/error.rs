//! Why the store refused. What S3 calls it is decided in `s3/answer.rs`.

use crate::state::StateError;
use crate::vfs::is_full;
use fnctl_config::limits::{
    BUCKET_FREE_BYTES_MIN, BUCKET_KEY_BYTES_MAX, BUCKET_METADATA_BYTES_MAX, BUCKET_PARTS_MAX, BUCKET_UPLOADS_MAX,
    BUCKETS_MAX,
};
use std::io;

/// Why a bucket or an object could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such bucket.
    #[error("there is no bucket {0:?}")]
    NoBucket(String),
    /// It is there already.
    #[error("bucket {0:?} exists already")]
    BucketExists(String),
    /// Objects are in it.
    #[error("bucket {0:?} is not empty: delete its objects first")]
    BucketNotEmpty(String),
    /// Too many buckets.
    #[error("the node has {BUCKETS_MAX} buckets, which is the limit")]
    TooManyBuckets,
    /// The name cannot be one.
    #[error(
        "bucket name {0:?} is not valid: 3 to 63 lower-case letters, digits, dots and hyphens, begin and end with a \
         letter or digit, no IP address"
    )]
    BucketName(String),
    /// No such object.
    #[error("there is no object {key:?} in bucket {bucket:?}")]
    NoObject {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// A key of no bytes.
    #[error("the key of an object must not be empty")]
    EmptyKey,
    /// A key of too many bytes.
    #[error("the key has {0} bytes; the limit is {BUCKET_KEY_BYTES_MAX}")]
    KeyTooLong(usize),
    /// Too many bytes.
    #[error("the object is larger than {0} bytes, which is the limit")]
    TooLarge(u64),
    /// Too much user metadata.
    #[error("the object's metadata are larger than {BUCKET_METADATA_BYTES_MAX} bytes, which is the limit")]
    MetadataTooLarge,
    /// `If-None-Match` or `If-Match` did not hold.
    #[error("object {key:?} does not meet the condition of the request")]
    Precondition {
        /// The key.
        key: String,
    },
    /// No such multipart upload of that key.
    #[error("there is no multipart upload {0:?} of this key: it was completed, aborted, or never begun")]
    NoUpload(String),
    /// Too many open uploads.
    #[error("{BUCKET_UPLOADS_MAX} multipart uploads are open, which is the limit: complete or abort some")]
    TooManyUploads,
    /// A part that is missing, or whose ETag is another.
    #[error("part {0} was not uploaded, or has another ETag")]
    InvalidPart(u32),
    /// The part's number is no number of a part.
    #[error("part number {0} is not valid: parts are 1 to {BUCKET_PARTS_MAX}")]
    PartNumber(i64),
    /// Parts out of order, twice, or none.
    #[error("the list of parts must name at least one part, in ascending order and none twice")]
    PartOrder,
    /// A continuation token that is none of ours.
    #[error("the continuation token is not valid: take the one of the page before")]
    Token,
    /// The body ended with an error: nothing is stored.
    #[error("the body was not finished: {0}")]
    Body(String),
    /// The body is not what its checksum says: nothing is stored.
    #[error("the body does not match its {0}")]
    Digest(&'static str),
    /// The committer's queue is full.
    #[error("the buckets take no more writes at this moment")]
    Busy,
    /// The disk is below its low-water mark.
    #[error("the disk has only {free_bytes} bytes left; at least {required_bytes} must stay free")]
    Full {
        /// Bytes left.
        free_bytes: u64,
        /// The low-water mark.
        required_bytes: u64,
    },
    /// The disk or the index failed. After a failed write the store takes nothing until the node is started again.
    #[error("the buckets failed: {0}")]
    Failed(String),
}

/// A disk without room is told from one that fails.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { full() } else { Self::Failed(error.to_string()) }
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Full => full(),
            StateError::Database(source) => Self::Failed(source.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// The disk said so itself.
fn full() -> Error {
    Error::Full { free_bytes: 0, required_bytes: BUCKET_FREE_BYTES_MIN }
}
