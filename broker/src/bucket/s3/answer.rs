//! The store's words in S3's: errors and values.

use crate::bucket::{Attributes, Error, Meta};
use http::StatusCode;
use jiff::Timestamp;
use s3s::dto;
use s3s::{S3Error, S3ErrorCode};
use std::time::SystemTime;

/// Which code and status an error has: the one table of it.
impl From<Error> for S3Error {
    fn from(error: Error) -> Self {
        use S3ErrorCode as Code;
        let code = match &error {
            Error::NoBucket(_) => Code::NoSuchBucket,
            Error::BucketExists(_) => Code::BucketAlreadyOwnedByYou,
            Error::BucketNotEmpty(_) => Code::BucketNotEmpty,
            Error::TooManyBuckets => Code::TooManyBuckets,
            Error::BucketName(_) => Code::InvalidBucketName,
            Error::NoObject { .. } => Code::NoSuchKey,
            Error::KeyTooLong(_) => Code::KeyTooLongError,
            Error::TooLarge(_) => Code::EntityTooLarge,
            Error::MetadataTooLarge => Code::MetadataTooLarge,
            Error::Precondition { .. } => Code::PreconditionFailed,
            Error::NoUpload(_) => Code::NoSuchUpload,
            Error::InvalidPart(_) => Code::InvalidPart,
            Error::PartOrder => Code::InvalidPartOrder,
            Error::EmptyKey | Error::PartNumber(_) | Error::Token => Code::InvalidArgument,
            Error::Body(_) => Code::RequestTimeout,
            Error::Digest(_) => Code::BadDigest,
            Error::TooManyUploads | Error::Busy | Error::Full { .. } => Code::SlowDown,
            Error::Failed(_) => Code::InternalError,
        };
        let mut answer = S3Error::with_message(code, error.to_string());
        if let Error::Full { .. } = error {
            answer.set_status_code(StatusCode::INSUFFICIENT_STORAGE);
        }
        if let Error::Failed(reason) = error {
            tracing::error!(reason, "a request for a bucket failed");
            answer.set_message("the node's buckets failed; its log has the reason");
        }
        answer
    }
}

pub(super) fn time(time: Timestamp) -> dto::Timestamp {
    SystemTime::from(time).into()
}

pub(super) fn etag(meta: &Meta) -> dto::ETag {
    dto::ETag::Strong(meta.etag.clone())
}

/// Sizes of objects are far below the bound.
pub(super) fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The content type, or S3's where none was given: functions give none.
pub(super) fn content_type(attributes: &Attributes) -> String {
    attributes.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned())
}

/// One header of an object that comes back as it was given.
pub(super) fn header(attributes: &Attributes, name: &str) -> Option<String> {
    attributes.headers.get(name).cloned()
}

/// User metadata, as the answer has it.
pub(super) fn metadata(attributes: &Attributes) -> Option<dto::Metadata> {
    let metadata = attributes.metadata.iter().map(|(name, value)| (name.clone(), value.clone()));
    (!attributes.metadata.is_empty()).then(|| metadata.collect())
}

/// Attributes of what an upload's headers say.
#[derive(Default)]
pub(super) struct Given {
    pub(super) content_type: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) metadata: Option<dto::Metadata>,
}

impl From<Given> for Attributes {
    fn from(given: Given) -> Self {
        // `aws-chunked` tells how the body came, and is no property of the object.
        let encoding = given.content_encoding.map(|encoding| {
            let kept = encoding.split(',').map(str::trim).filter(|one| *one != "aws-chunked" && !one.is_empty());
            kept.collect::<Vec<_>>().join(", ")
        });
        let headers = [
            ("cache-control", given.cache_control),
            ("content-disposition", given.content_disposition),
            ("content-encoding", encoding.filter(|encoding| !encoding.is_empty())),
            ("content-language", given.content_language),
        ];
        Self {
            content_type: given.content_type,
            headers: headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
            metadata: given.metadata.into_iter().flatten().collect(),
        }
    }
}
