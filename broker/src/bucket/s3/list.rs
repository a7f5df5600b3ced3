//! Both listings of S3 on the store's one.

use super::answer;
use crate::bucket::{Buckets, ListQuery, Meta, Page, parse_token, token};
use fnctl_config::limits::BUCKET_LIST_MAX;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    CommonPrefix, ETag, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object, ObjectStorageClass,
};
use s3s::{S3Result, s3_error};

/// `encoding-type=url`: XML cannot hold all that a key may.
const URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// How keys are written.
struct Encoding(Option<EncodingType>);

impl Encoding {
    fn new(asked: Option<EncodingType>) -> S3Result<Self> {
        match asked {
            Some(asked) if asked.as_str() != EncodingType::URL => {
                Err(s3_error!(InvalidArgument, "the encoding type must be url"))
            }
            asked => Ok(Self(asked)),
        }
    }

    fn write(&self, text: &str) -> String {
        match self.0 {
            Some(_) => utf8_percent_encode(text, URL).to_string(),
            None => text.to_owned(),
        }
    }

    fn objects(&self, page: &Page) -> Vec<Object> {
        let object = |(key, meta): &(String, Meta)| Object {
            key: Some(self.write(key)),
            size: Some(answer::length(meta.size)),
            e_tag: Some(ETag::Strong(meta.etag.clone())),
            last_modified: Some(answer::time(meta.modified)),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..Object::default()
        };
        page.objects.iter().map(object).collect()
    }

    fn prefixes(&self, page: &Page) -> Option<Vec<CommonPrefix>> {
        let prefix = |prefix: &String| CommonPrefix { prefix: Some(self.write(prefix)) };
        (!page.prefixes.is_empty()).then(|| page.prefixes.iter().map(prefix).collect())
    }
}

fn limit(asked: Option<i32>) -> S3Result<usize> {
    match asked {
        None => Ok(BUCKET_LIST_MAX),
        Some(asked) => {
            let asked = usize::try_from(asked).map_err(|_| s3_error!(InvalidArgument, "max-keys is negative"))?;
            Ok(asked.min(BUCKET_LIST_MAX))
        }
    }
}

async fn page(buckets: &Buckets, bucket: &str, query: ListQuery) -> S3Result<Page> {
    Ok(buckets.list(bucket, query).await?)
}

/// ListObjectsV2.
pub(super) async fn second(buckets: &Buckets, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let encoding = Encoding::new(input.encoding_type)?;
    let limit = limit(input.max_keys)?;
    let after = match &input.continuation_token {
        Some(token) => parse_token(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let query = ListQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after,
        limit,
    };
    let page = page(buckets, &input.bucket, query).await?;
    let count = page.objects.len() + page.prefixes.len();
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encoding.write(&input.prefix.unwrap_or_default())),
        max_keys: i32::try_from(limit).ok(),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(token),
        contents: Some(encoding.objects(&page)),
        common_prefixes: encoding.prefixes(&page),
        delimiter: input.delimiter.map(|delimiter| encoding.write(&delimiter)),
        start_after: input.start_after.map(|after| encoding.write(&after)),
        encoding_type: encoding.0,
        ..ListObjectsV2Output::default()
    })
}

/// The older ListObjects, whose place to go on is a key.
pub(super) async fn first(buckets: &Buckets, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let encoding = Encoding::new(input.encoding_type)?;
    let limit = limit(input.max_keys)?;
    let query = ListQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after: input.marker.clone().unwrap_or_default(),
        limit,
    };
    let page = page(buckets, &input.bucket, query).await?;
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.write(&input.prefix.unwrap_or_default())),
        marker: Some(encoding.write(&input.marker.unwrap_or_default())),
        max_keys: i32::try_from(limit).ok(),
        is_truncated: Some(page.next.is_some()),
        contents: Some(encoding.objects(&page)),
        common_prefixes: encoding.prefixes(&page),
        delimiter: input.delimiter.map(|delimiter| encoding.write(&delimiter)),
        next_marker: page.next.as_deref().map(|next| encoding.write(next)),
        encoding_type: encoding.0,
        ..ListObjectsOutput::default()
    })
}

#[cfg(test)]
mod tests;
