//! Multipart uploads.

use super::answer::{self, Given};
use super::body;
use super::objects::condition;
use super::promises;
use super::service::origin;
use crate::bucket::{Attributes, Buckets, Error, NewObject, Part, Upload};
use fnctl_config::limits::BUCKET_LIST_MAX;
use jiff::Timestamp;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload, Part as ListedPart, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Request, S3Result, s3_error};

pub(super) async fn create(
    buckets: &Buckets,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<CreateMultipartUploadOutput> {
    promises::check(&request)?;
    let origin = origin(&request);
    let input = request.input;
    let attributes: Attributes = Given {
        content_type: input.content_type,
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        metadata: input.metadata,
    }
    .into();
    let object = NewObject { attributes, ..NewObject::new(input.bucket, input.key, origin) };
    let upload = buckets.create_upload(object).await?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(upload.bucket),
        key: Some(upload.key),
        upload_id: Some(upload.id),
        ..CreateMultipartUploadOutput::default()
    })
}

pub(super) async fn put_part(buckets: &Buckets, request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
    let input = request.input;
    let upload = Upload { bucket: input.bucket, key: input.key, id: input.upload_id };
    let body = body::checked(input.body, &request.headers, request.trailing_headers);
    let part = buckets.put_part(&upload, i64::from(input.part_number), body).await?;
    Ok(UploadPartOutput { e_tag: Some(ETag::Strong(part.etag)), ..UploadPartOutput::default() })
}

pub(super) async fn complete(
    buckets: &Buckets,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<CompleteMultipartUploadOutput> {
    let origin = origin(&request);
    let input = request.input;
    let upload = Upload { bucket: input.bucket, key: input.key, id: input.upload_id };
    let named = input.multipart_upload.and_then(|named| named.parts).unwrap_or_default();
    let parts = named.into_iter().map(part).collect::<Result<Vec<_>, Error>>()?;
    let condition = condition(input.if_none_match, input.if_match)?;
    let object = NewObject { condition, ..NewObject::new(&upload.bucket, &upload.key, origin) };
    let meta = buckets.complete_upload(&upload, parts, object).await?;
    Ok(CompleteMultipartUploadOutput {
        e_tag: Some(answer::etag(&meta)),
        location: Some(format!("/{}/{}", upload.bucket, upload.key)),
        bucket: Some(upload.bucket),
        key: Some(upload.key),
        ..CompleteMultipartUploadOutput::default()
    })
}

fn part(named: CompletedPart) -> Result<(u32, String), Error> {
    let number = named.part_number.unwrap_or_default();
    let number = u32::try_from(number).map_err(|_| Error::PartNumber(i64::from(number)))?;
    Ok((number, named.e_tag.map(ETag::into_value).unwrap_or_default()))
}

pub(super) async fn abort(
    buckets: &Buckets,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<AbortMultipartUploadOutput> {
    let input = request.input;
    let upload = Upload { bucket: input.bucket, key: input.key, id: input.upload_id };
    buckets.abort_upload(&upload).await?;
    Ok(AbortMultipartUploadOutput::default())
}

pub(super) async fn list(buckets: &Buckets, request: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
    let input = request.input;
    let upload = Upload { bucket: input.bucket, key: input.key, id: input.upload_id };
    let marker = input.part_number_marker.as_ref().map_or(Ok(0), |marker| marker.to_string().parse::<u32>());
    let marker = marker.map_err(|_| s3_error!(InvalidArgument, "the part-number-marker is no number of a part"))?;
    let limit = input.max_parts.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(BUCKET_LIST_MAX);
    let limit = limit.min(BUCKET_LIST_MAX);
    let rest: Vec<Part> = buckets.parts(&upload).await?.into_iter().filter(|part| part.number > marker).collect();
    let listed = |part: &Part| ListedPart {
        part_number: i32::try_from(part.number).ok(),
        size: Some(answer::length(part.size)),
        e_tag: Some(ETag::Strong(part.etag.clone())),
        last_modified: Some(answer::time(part.modified)),
        ..ListedPart::default()
    };
    Ok(ListPartsOutput {
        is_truncated: Some(rest.len() > limit),
        next_part_number_marker: rest
            .iter()
            .take(limit)
            .next_back()
            .and_then(|part| part.number.to_string().parse().ok()),
        max_parts: i32::try_from(limit).ok(),
        parts: Some(rest.iter().take(limit).map(listed).collect()),
        bucket: Some(upload.bucket),
        key: Some(upload.key),
        upload_id: Some(upload.id),
        ..ListPartsOutput::default()
    })
}

/// The uploads of a bucket that are neither completed nor aborted, by key.
pub(super) async fn list_open(
    buckets: &Buckets,
    input: ListMultipartUploadsInput,
) -> S3Result<ListMultipartUploadsOutput> {
    if input.delimiter.is_some() {
        return Err(s3_error!(NotImplemented, "uploads are listed without a delimiter"));
    }
    let open = buckets.open_uploads(&input.bucket).await?;
    let (prefix, after) = (input.prefix.clone().unwrap_or_default(), input.key_marker.clone());
    let is_after = |(upload, _): &(Upload, Timestamp)| match (&after, &input.upload_id_marker) {
        (Some(key), Some(id)) => (upload.key.as_str(), upload.id.as_str()) > (key, id),
        (Some(key), None) => upload.key > *key,
        (None, _) => true,
    };
    let limit = input.max_uploads.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(BUCKET_LIST_MAX);
    let limit = limit.min(BUCKET_LIST_MAX);
    let mut wanted = open.into_iter().filter(|(upload, _)| upload.key.starts_with(&prefix)).filter(is_after);
    let page: Vec<_> = wanted.by_ref().take(limit).collect();
    let is_truncated = wanted.next().is_some();
    let last = page.last().filter(|_| is_truncated).map(|(upload, _)| upload.clone());
    let listed = |(upload, begun): (Upload, Timestamp)| MultipartUpload {
        key: Some(upload.key),
        upload_id: Some(upload.id),
        initiated: Some(answer::time(begun)),
        ..MultipartUpload::default()
    };
    Ok(ListMultipartUploadsOutput {
        next_key_marker: last.as_ref().map(|last| last.key.clone()),
        next_upload_id_marker: last.map(|last| last.id),
        is_truncated: Some(is_truncated),
        uploads: Some(page.into_iter().map(listed).collect()),
        max_uploads: i32::try_from(limit).ok(),
        bucket: Some(input.bucket),
        prefix: input.prefix,
        key_marker: input.key_marker,
        upload_id_marker: input.upload_id_marker,
        ..ListMultipartUploadsOutput::default()
    })
}
