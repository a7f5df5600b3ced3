use super::*;
use crate::bucket::tests::{body, object, options};
use crate::vfs::simulated::Simulated;
use std::collections::BTreeMap;

async fn store() -> Buckets {
    let buckets = Buckets::open(options(&Simulated::new(1))).await.unwrap();
    buckets.create_bucket("bucket").await.unwrap();
    for key in ["a b", "d/1", "d/2", "e/é", "é"] {
        buckets.put(object(key), body(key.as_bytes())).await.unwrap();
    }
    buckets
}

/// What listings say of these objects, under these names.
async fn said(buckets: &Buckets, names: &[(&str, &str)]) -> Option<Vec<Object>> {
    let all = buckets.list("bucket", ListQuery { limit: 10, ..ListQuery::default() }).await.unwrap();
    let known: BTreeMap<String, Meta> = all.objects.into_iter().collect();
    let object = |(key, name): &(&str, &str)| Object {
        key: Some((*name).to_owned()),
        size: Some(key.len() as i64),
        e_tag: Some(ETag::Strong(known[*key].etag.clone())),
        last_modified: Some(answer::time(known[*key].modified)),
        storage_class: Some(ObjectStorageClass::from_static("STANDARD")),
        ..Object::default()
    };
    Some(names.iter().map(object).collect())
}

fn rolled(prefixes: &[&str]) -> Option<Vec<CommonPrefix>> {
    Some(prefixes.iter().map(|prefix| CommonPrefix { prefix: Some((*prefix).to_owned()) }).collect())
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn url() -> Option<EncodingType> {
    Some(EncodingType::from_static(EncodingType::URL))
}

#[tokio::test]
async fn the_second_listing_goes_on_by_its_token() {
    let buckets = store().await;
    let asked = ListObjectsV2Input {
        bucket: "bucket".to_owned(),
        delimiter: text("/"),
        encoding_type: url(),
        max_keys: Some(2),
        start_after: text("a "),
        ..ListObjectsV2Input::default()
    };
    let page = ListObjectsV2Output {
        name: text("bucket"),
        prefix: text(""),
        max_keys: Some(2),
        key_count: Some(2),
        is_truncated: Some(true),
        next_continuation_token: Some(token("d/")),
        contents: said(&buckets, &[("a b", "a%20b")]).await,
        common_prefixes: rolled(&["d/"]),
        delimiter: text("/"),
        start_after: text("a%20"),
        encoding_type: url(),
        ..ListObjectsV2Output::default()
    };
    assert_eq!(second(&buckets, asked.clone()).await.unwrap(), page);
    let rest = ListObjectsV2Output {
        continuation_token: Some(token("d/")),
        is_truncated: Some(false),
        next_continuation_token: None,
        contents: said(&buckets, &[("é", "%C3%A9")]).await,
        common_prefixes: rolled(&["e/"]),
        ..page
    };
    let next = ListObjectsV2Input { continuation_token: Some(token("d/")), ..asked };
    assert_eq!(second(&buckets, next).await.unwrap(), rest);
    let plain =
        ListObjectsV2Input { bucket: "bucket".to_owned(), prefix: text("e/é"), ..ListObjectsV2Input::default() };
    let whole = ListObjectsV2Output {
        name: text("bucket"),
        prefix: text("e/é"),
        max_keys: Some(1_000),
        key_count: Some(1),
        is_truncated: Some(false),
        contents: said(&buckets, &[("e/é", "e/é")]).await,
        ..ListObjectsV2Output::default()
    };
    assert_eq!(second(&buckets, plain).await.unwrap(), whole);
}

#[tokio::test]
async fn the_first_listing_goes_on_by_a_key() {
    let buckets = store().await;
    let asked = ListObjectsInput {
        bucket: "bucket".to_owned(),
        delimiter: text("/"),
        encoding_type: url(),
        marker: text("a b"),
        max_keys: Some(1),
        prefix: text(""),
        ..ListObjectsInput::default()
    };
    let page = ListObjectsOutput {
        name: text("bucket"),
        prefix: text(""),
        marker: text("a%20b"),
        max_keys: Some(1),
        is_truncated: Some(true),
        contents: said(&buckets, &[]).await,
        common_prefixes: rolled(&["d/"]),
        delimiter: text("/"),
        next_marker: text("d/"),
        encoding_type: url(),
        ..ListObjectsOutput::default()
    };
    assert_eq!(first(&buckets, asked).await.unwrap(), page);
    let plain = ListObjectsInput { bucket: "bucket".to_owned(), prefix: text("d/"), ..ListObjectsInput::default() };
    let whole = ListObjectsOutput {
        name: text("bucket"),
        prefix: text("d/"),
        marker: text(""),
        max_keys: Some(1_000),
        is_truncated: Some(false),
        contents: said(&buckets, &[("d/1", "d/1"), ("d/2", "d/2")]).await,
        ..ListObjectsOutput::default()
    };
    assert_eq!(first(&buckets, plain).await.unwrap(), whole);
}

#[tokio::test]
async fn what_cannot_be_listed_is_refused() {
    let buckets = store().await;
    let asked = || ListObjectsV2Input { bucket: "bucket".to_owned(), ..ListObjectsV2Input::default() };
    for (input, code) in [
        (ListObjectsV2Input { max_keys: Some(-1), ..asked() }, "InvalidArgument"),
        (ListObjectsV2Input { encoding_type: Some(EncodingType::from_static("xml")), ..asked() }, "InvalidArgument"),
        (ListObjectsV2Input { continuation_token: text("%"), ..asked() }, "InvalidArgument"),
        (ListObjectsV2Input { bucket: "other".to_owned(), ..asked() }, "NoSuchBucket"),
    ] {
        assert_eq!(second(&buckets, input).await.unwrap_err().code().as_str(), code);
    }
    let more = ListObjectsV2Input { max_keys: Some(5_000), ..asked() };
    assert_eq!(second(&buckets, more).await.unwrap().max_keys, Some(1_000));
}
