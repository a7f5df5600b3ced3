//! Writing what is in a bucket already: whole objects, and parts of uploads. Clients copy large objects by parts.

use super::answer::{self, Given};
use super::objects::{Conditions, condition};
use super::promises;
use super::service::origin;
use crate::bucket::{Attributes, Buckets, Meta, NewObject, Upload};
use http::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, ETag, ETagCondition,
    MetadataDirective, Range as Asked, UploadPartCopyInput, UploadPartCopyOutput,
};
use s3s::{S3Error, S3Request, S3Result, s3_error};
use std::ops::Range;

/// A condition in a header.
fn asked(headers: &HeaderMap, name: &HeaderName) -> S3Result<Option<ETagCondition>> {
    let parse = |value: &HeaderValue| ETagCondition::parse_http_header(value.as_bytes());
    let condition = headers.get(name).map(parse).transpose();
    condition.map_err(|_| s3_error!(InvalidArgument, "{name} is neither * nor an ETag"))
}

/// Bucket and key of what is to be copied.
fn place(source: &CopySource) -> S3Result<(&str, &str)> {
    match source {
        CopySource::Bucket { bucket, key, version_id: None } => Ok((bucket, key)),
        _ => Err(s3_error!(NotImplemented, "only objects of this node's buckets are copied, and none has versions")),
    }
}

impl Conditions {
    fn check_source(&self, source: &Meta) -> S3Result<()> {
        let refused = |_| s3_error!(PreconditionFailed, "the copy's source does not meet the condition");
        self.check(source).map_err(refused)
    }
}

pub(super) async fn object(buckets: &Buckets, request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
    promises::check(&request)?;
    let origin = origin(&request);
    // Newer than the operation's own fields.
    let condition = condition(asked(&request.headers, &IF_NONE_MATCH)?, asked(&request.headers, &IF_MATCH)?)?;
    let input = request.input;
    let (bucket, key) = place(&input.copy_source)?;
    let read = Conditions {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    read.check_source(&buckets.head(bucket, key).await?)?;
    let replace = input.metadata_directive.is_some_and(|one| one.as_str() == MetadataDirective::REPLACE);
    let is_itself = *bucket == input.bucket && *key == input.key;
    if is_itself && !replace {
        return Err(s3_error!(InvalidRequest, "a copy onto itself must replace the metadata"));
    }
    let attributes = replace.then(|| {
        Attributes::from(Given {
            content_type: input.content_type,
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            metadata: input.metadata,
        })
    });
    let object = NewObject { condition, ..NewObject::new(input.bucket, input.key, origin) };
    let meta = buckets.copy((bucket, key), object, attributes).await?;
    let result = CopyObjectResult {
        e_tag: Some(answer::etag(&meta)),
        last_modified: Some(answer::time(meta.modified)),
        ..CopyObjectResult::default()
    };
    Ok(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() })
}

pub(super) async fn part(buckets: &Buckets, request: S3Request<UploadPartCopyInput>) -> S3Result<UploadPartCopyOutput> {
    promises::check(&request)?;
    let input = request.input;
    let (bucket, key) = place(&input.copy_source)?;
    let read = Conditions {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    let range = input.copy_source_range;
    let checked = move |source: &Meta| read.check_source(source).and_then(|()| wanted(range.as_deref(), source.size));
    let (_, content) = buckets.get::<_, S3Error>(bucket, key, checked).await?;
    let upload = Upload { bucket: input.bucket, key: input.key, id: input.upload_id };
    let part = buckets.put_part(&upload, i64::from(input.part_number), content).await?;
    let result = CopyPartResult {
        e_tag: Some(ETag::Strong(part.etag)),
        last_modified: Some(answer::time(part.modified)),
        ..CopyPartResult::default()
    };
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() })
}

/// The bytes that a part is made of. S3 asks for both ends of a range, inside of the source.
fn wanted(range: Option<&str>, size: u64) -> S3Result<Range<u64>> {
    let Some(range) = range else { return Ok(0..size) };
    match Asked::parse(range) {
        Ok(Asked::Int { first, last: Some(last) }) if first <= last && last < size => Ok(first..last + 1),
        _ => {
            Err(s3_error!(InvalidArgument, "x-amz-copy-source-range: {range:?} is no bytes=FIRST-LAST of {size} bytes"))
        }
    }
}
