//! Reading and writing objects.

use super::answer::{self, Given};
use super::body;
use super::promises;
use super::service::origin;
use crate::bucket::{Attributes, Buckets, Condition, Content, Meta, NewObject};
use fnctl_config::limits::BUCKET_LIST_MAX;
use http::StatusCode;
use http::header::HeaderMap;
use jiff::Timestamp;
use s3s::dto::{
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition, Error as DeleteError, GetObjectInput,
    GetObjectOutput, HeadObjectInput, HeadObjectOutput, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};
use std::ops::Range;
use std::time::SystemTime;

/// What must hold for a write.
pub(super) fn condition(none: Option<ETagCondition>, some: Option<ETagCondition>) -> S3Result<Condition> {
    match (none, some) {
        (None, None) => Ok(Condition::None),
        (Some(ETagCondition::Any), None) => Ok(Condition::Absent),
        (None, Some(ETagCondition::ETag(etag))) => Ok(Condition::Matches(etag.into_value())),
        _ => Err(s3_error!(NotImplemented, "writes take If-None-Match: * or If-Match with one ETag")),
    }
}

pub(super) async fn put(buckets: &Buckets, request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
    promises::check(&request)?;
    let origin = origin(&request);
    let trailers = request.trailing_headers;
    let input = request.input;
    if input.write_offset_bytes.is_some() {
        return Err(s3_error!(NotImplemented, "objects cannot be appended to"));
    }
    let attributes: Attributes = Given {
        content_type: input.content_type,
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        metadata: input.metadata,
    }
    .into();
    let condition = condition(input.if_none_match, input.if_match)?;
    let object = NewObject { attributes, condition, ..NewObject::new(input.bucket, input.key, origin) };
    let body = body::checked(input.body, &request.headers, trailers);
    let meta = buckets.put(object, body).await?;
    Ok(PutObjectOutput { e_tag: Some(answer::etag(&meta)), ..PutObjectOutput::default() })
}

/// The conditions of a read, in the order of RFC 9110, section 13.2.2.
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<s3s::dto::Timestamp>,
    pub(super) if_unmodified_since: Option<s3s::dto::Timestamp>,
}

impl Conditions {
    pub(super) fn check(&self, meta: &Meta) -> S3Result<()> {
        let names = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == meta.etag,
        };
        // HTTP dates have seconds.
        let modified = Timestamp::from_second(meta.modified.as_second()).unwrap_or(meta.modified);
        let modified = s3s::dto::Timestamp::from(SystemTime::from(modified));
        let holds = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => names(condition),
            (None, Some(since)) => modified <= *since,
            (None, None) => true,
        };
        if !holds {
            return Err(s3_error!(PreconditionFailed, "the object does not meet the condition of the request"));
        }
        let is_news = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => !names(condition),
            (None, Some(since)) => modified > *since,
            (None, None) => true,
        };
        if is_news { Ok(()) } else { Err(s3_error!(NotModified)) }
    }
}

pub(super) async fn get(
    buckets: &Buckets,
    request: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let input = request.input;
    if input.version_id.is_some() || input.part_number.is_some() {
        return Err(s3_error!(NotImplemented, "objects have no versions, and are not read by part"));
    }
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    let range = input.range;
    let checked = move |meta: &Meta| conditions.check(meta).and_then(|()| wanted(range, meta.size));
    let (meta, content): (Meta, Content) = buckets.get(&input.bucket, &input.key, checked).await?;
    let bytes = wanted(range, meta.size)?;
    let header = |name| answer::header(&meta.attributes, name);
    let output = GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(answer::length(content.remaining())),
        body: Some(StreamingBlob::wrap(content)),
        content_range: range.map(|_| format!("bytes {}-{}/{}", bytes.start, bytes.end.saturating_sub(1), meta.size)),
        e_tag: Some(answer::etag(&meta)),
        last_modified: Some(answer::time(meta.modified)),
        content_type: Some(input.response_content_type.unwrap_or_else(|| answer::content_type(&meta.attributes))),
        cache_control: input.response_cache_control.or_else(|| header("cache-control")),
        content_disposition: input.response_content_disposition.or_else(|| header("content-disposition")),
        content_encoding: input.response_content_encoding.or_else(|| header("content-encoding")),
        content_language: input.response_content_language.or_else(|| header("content-language")),
        metadata: answer::metadata(&meta.attributes),
        ..GetObjectOutput::default()
    };
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    Ok(S3Response { output, status: Some(status), headers: HeaderMap::new(), extensions: http::Extensions::new() })
}

fn wanted(range: Option<s3s::dto::Range>, size: u64) -> S3Result<Range<u64>> {
    match range {
        None => Ok(0..size),
        Some(range) => Ok(range.check(size)?),
    }
}

pub(super) async fn head(
    buckets: &Buckets,
    request: S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = request.input;
    let meta = buckets.head(&input.bucket, &input.key).await?;
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    conditions.check(&meta)?;
    let bytes = wanted(input.range, meta.size)?;
    let header = |name| answer::header(&meta.attributes, name);
    let output = HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(answer::length(bytes.end - bytes.start)),
        e_tag: Some(answer::etag(&meta)),
        last_modified: Some(answer::time(meta.modified)),
        content_type: Some(answer::content_type(&meta.attributes)),
        cache_control: header("cache-control"),
        content_disposition: header("content-disposition"),
        content_encoding: header("content-encoding"),
        content_language: header("content-language"),
        metadata: answer::metadata(&meta.attributes),
        ..HeadObjectOutput::default()
    };
    let status = if input.range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    Ok(S3Response { output, status: Some(status), headers: HeaderMap::new(), extensions: http::Extensions::new() })
}

/// Deletes one after the other: each is a change of its own, of the same request.
pub(super) async fn delete_many(
    buckets: &Buckets,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<DeleteObjectsOutput> {
    let origin = origin(&request);
    let DeleteObjectsInput { bucket, delete, .. } = request.input;
    if delete.objects.len() > BUCKET_LIST_MAX {
        return Err(s3_error!(MalformedXML, "at most {BUCKET_LIST_MAX} keys are deleted at once"));
    }
    buckets.bucket(&bucket).await?;
    let deletes = delete.objects.iter().zip(1..).map(|(object, part)| {
        let origin = origin.part(part);
        let bucket = &bucket;
        async move {
            match object.version_id {
                None => buckets.delete(bucket, &object.key, origin).await.map_err(S3Error::from),
                Some(_) => Err(s3_error!(NotImplemented, "objects have no versions")),
            }
        }
    });
    let ended: Vec<S3Result<()>> = futures::future::join_all(deletes).await;
    let quiet = delete.quiet.unwrap_or(false);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for (object, ended) in delete.objects.into_iter().zip(ended) {
        match ended {
            Ok(()) if quiet => {}
            Ok(()) => deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() }),
            Err(error) => errors.push(DeleteError {
                code: Some(error.code().as_str().to_owned()),
                key: Some(object.key),
                message: error.message().map(str::to_owned),
                version_id: object.version_id,
            }),
        }
    }
    Ok(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), ..DeleteObjectsOutput::default() })
}
