use super::*;
use crate::vfs::simulated::Simulated;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// A store on a simulated disk, with marks that fit its size.
pub(super) fn options(vfs: &Simulated) -> Options {
    let log = segment::Options { segment_bytes: 32 << 10, free_bytes_min: 0, ..segment::Options::default() };
    Options { free_bytes_min: 1 << 20, log, ..Options::new(Arc::new(vfs.clone()), PathBuf::from("/node/buckets")) }
}

pub(super) fn object(key: &str) -> NewObject {
    NewObject::new("bucket", key, Origin::new("tester", "127.0.0.1"))
}

pub(super) fn body(bytes: &[u8]) -> impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + use<> {
    stream::iter([Ok(Bytes::copy_from_slice(bytes))])
}

pub(super) async fn store() -> Buckets {
    let buckets = Buckets::open(options(&Simulated::new(1))).await.unwrap();
    buckets.create_bucket("bucket").await.unwrap();
    buckets
}

async fn read(buckets: &Buckets, key: &str, range: Range<u64>) -> Result<Vec<u8>, Error> {
    let (_, content) = buckets.get("bucket", key, move |_| Ok::<_, Error>(range)).await?;
    let remaining = content.remaining();
    let chunks: Vec<_> = content.collect().await;
    let bytes = chunks.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    assert_eq!(bytes.len() as u64, remaining);
    Ok(bytes)
}

pub(super) async fn changes(buckets: &Buckets) -> Result<Vec<Change>, crate::log::ReadError> {
    let (log, mut found) = (buckets.changes(), Vec::new());
    let mut from = log.start()[0];
    loop {
        let page = log.read(from, 100, 1 << 20).await?;
        let Some(last) = page.last() else { return Ok(found) };
        from = log.after(last.position);
        found.extend(page.iter().map(|stored| Change::decode(&stored.record).unwrap()));
    }
}

#[tokio::test]
async fn any_utf8_of_1_to_1024_bytes_is_a_key() {
    let buckets = store().await;
    let longest = "é".repeat(512);
    let table: &[(&str, &str)] = &[
        ("plain", "plain"),
        ("a b", "a+b"),
        ("a+b", "a%2Bb"),
        ("100%", "100%25"),
        ("%20", "%2520"),
        ("dir/é.dcm", "dir/%C3%A9.dcm"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("..", ".."),
        ("/", "/"),
        ("line\nbreak\u{0}", "line%0Abreak%00"),
        ("-._*~", "-._*%7E"),
        (&longest, &"%C3%A9".repeat(512)),
    ];
    for (key, encoded) in table {
        buckets.put(object(key), body(key.as_bytes())).await.unwrap();
        assert_eq!(encode_key(key), *encoded);
        assert_eq!(decode_key(encoded), *key);
    }
    for (key, _) in table {
        assert_eq!(read(&buckets, key, 0..u64::MAX).await.unwrap(), key.as_bytes(), "{key:?}");
    }
    let mut keys: Vec<String> = table.iter().map(|(key, _)| (*key).to_owned()).collect();
    keys.sort();
    assert_eq!(buckets.keys("bucket", "", 100).await.unwrap(), keys);
    let too_long = "x".repeat(1_025);
    assert_eq!(buckets.put(object(&too_long), body(b"")).await, Err(Error::KeyTooLong(1_025)));
    assert_eq!(buckets.put(object(""), body(b"")).await, Err(Error::EmptyKey));
    assert_eq!(buckets.head("bucket", &too_long).await, Err(Error::KeyTooLong(1_025)));
}

#[test]
fn names_of_buckets_are_those_of_s3() {
    let table = [
        ("abc", true),
        ("xray-in", true),
        ("a.b.c", true),
        ("1a2", true),
        ("ab", false),
        ("-ab", false),
        ("ab-", false),
        ("Abc", false),
        ("a_b", false),
        ("a/b", false),
        ("a..b", false),
        ("..", false),
        ("...", false),
        ("192.168.0.1", false),
        ("xn--abc", false),
        ("sthree-abc", false),
        ("abc-s3alias", false),
    ];
    for (name, valid) in table {
        assert_eq!(check_bucket(name).is_ok(), valid, "{name}");
    }
    assert!(check_bucket(&"a".repeat(63)).is_ok());
    assert!(check_bucket(&"a".repeat(64)).is_err());
}

#[tokio::test]
async fn ranges_are_cut_to_the_object() {
    let buckets = store().await;
    let bytes: Vec<u8> = (0..3 * fnctl_config::limits::BUCKET_CHUNK_BYTES + 7).map(|at| at as u8).collect();
    let chunks: Vec<_> = bytes.chunks(100_000).map(|chunk| Ok::<_, Error>(Bytes::copy_from_slice(chunk))).collect();
    let meta = buckets.put(object("big"), stream::iter(chunks)).await.unwrap();
    let size = bytes.len() as u64;
    assert_eq!(meta.size, size);
    for range in
        [0..size, 0..u64::MAX, 0..1, 5..5, size - 1..size, 500_000..1_200_000, size..size + 1, size + 9..u64::MAX]
    {
        let at = |place: u64| usize::try_from(place.min(size)).unwrap();
        assert_eq!(read(&buckets, "big", range.clone()).await.unwrap(), &bytes[at(range.start)..at(range.end)]);
    }
}

#[tokio::test]
async fn who_reads_an_object_reads_one_version_of_it() {
    let buckets = store().await;
    let old = vec![1; 2 * fnctl_config::limits::BUCKET_CHUNK_BYTES];
    buckets.put(object("k"), body(&old)).await.unwrap();
    let (_, content) = buckets.get("bucket", "k", |meta| Ok::<_, Error>(0..meta.size)).await.unwrap();
    buckets.put(object("k"), body(b"new")).await.unwrap();
    let chunks: Vec<_> = content.collect().await;
    assert_eq!(chunks.into_iter().collect::<Result<Vec<_>, _>>().unwrap().concat(), old);
    assert_eq!(read(&buckets, "k", 0..u64::MAX).await.unwrap(), b"new");
}

#[tokio::test]
async fn every_page_size_lists_the_same() {
    let buckets = store().await;
    let keys = ["a", "a/1", "a/2", "a/b/1", "a/b/2", "a0", "b//", "b/x", "c", "é/1", "é/2", "\u{10ffff}/1"];
    for key in keys {
        buckets.put(object(key), body(b"")).await.unwrap();
    }
    for (prefix, delimiter) in [("", ""), ("", "/"), ("a", "/"), ("a/", "/"), ("é", ""), ("", "b/"), ("nothing", "/")]
    {
        let mut objects = BTreeSet::new();
        let mut prefixes = BTreeSet::new();
        for key in keys.iter().filter(|key| key.starts_with(prefix)) {
            match key[prefix.len()..].find(delimiter).filter(|_| !delimiter.is_empty()) {
                Some(place) => prefixes.insert(key[..prefix.len() + place + delimiter.len()].to_owned()),
                None => objects.insert((*key).to_owned()),
            };
        }
        for limit in 1..=keys.len() + 1 {
            let (mut found, mut rolled, mut after) = (Vec::new(), Vec::new(), String::new());
            loop {
                let query = ListQuery { prefix: prefix.into(), delimiter: delimiter.into(), after, limit };
                let page = buckets.list("bucket", query).await.unwrap();
                assert!(page.objects.len() + page.prefixes.len() <= limit);
                found.extend(page.objects.into_iter().map(|(key, _)| key));
                rolled.extend(page.prefixes);
                let Some(next) = page.next else { break };
                after = parse_token(&token(&next)).unwrap();
            }
            assert_eq!(found, objects.iter().cloned().collect::<Vec<_>>(), "{prefix:?} {delimiter:?} {limit}");
            assert_eq!(rolled, prefixes.iter().cloned().collect::<Vec<_>>(), "{prefix:?} {delimiter:?} {limit}");
        }
    }
    assert_eq!(parse_token("%"), Err(Error::Token));
}

#[tokio::test]
async fn every_change_leaves_one_record() {
    let buckets = store().await;
    let put = buckets.put(object("a b"), body(b"hello")).await.unwrap();
    let copied = buckets.copy(("bucket", "a b"), object("copy"), None).await.unwrap();
    let upload = buckets.create_upload(object("parts")).await.unwrap();
    let part = buckets.put_part(&upload, 2, body(b"part")).await.unwrap();
    let made = buckets.complete_upload(&upload, vec![(2, part.etag)], object("parts")).await.unwrap();
    buckets.delete("bucket", "a b", Origin::new("tester", "")).await.unwrap();
    buckets.delete("bucket", "a b", Origin::new("tester", "")).await.unwrap();
    let aborted = buckets.create_upload(object("aborted")).await.unwrap();
    buckets.abort_upload(&aborted).await.unwrap();
    let found = changes(&buckets).await.unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|change| (change.action.name(), change.key.as_str(), change.size, change.etag.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("ObjectCreated:Put", "a b", Some(5), Some("5d41402abc4b2a76b9719d911017c592")),
            ("ObjectCreated:Copy", "copy", Some(5), Some("5d41402abc4b2a76b9719d911017c592")),
            ("ObjectCreated:CompleteMultipartUpload", "parts", Some(4), Some(made.etag.as_str())),
            ("ObjectRemoved:Delete", "a b", None, None),
        ]
    );
    assert!(put.sequencer < copied.sequencer && copied.sequencer < made.sequencer);
    assert!(found.windows(2).all(|two| two[0].sequencer < two[1].sequencer));
    let record = serde_json::to_value(found[0].record("default/source")).unwrap();
    assert_eq!(record["eventVersion"], "2.1");
    assert_eq!(record["eventSource"], "aws:s3");
    assert_eq!(record["eventName"], "ObjectCreated:Put");
    assert_eq!(record["s3"]["bucket"]["arn"], "arn:aws:s3:::bucket");
    assert_eq!(record["s3"]["object"]["key"], "a+b");
    assert_eq!(record["s3"]["object"]["size"], 5);
    assert_eq!(record["responseElements"]["x-amz-request-id"], found[0].origin.request_id.as_str());
}

#[tokio::test]
async fn parts_become_one_object() {
    let buckets = store().await;
    let attributes = Attributes { content_type: Some("text/plain".to_owned()), ..Attributes::default() };
    let upload = buckets.create_upload(NewObject { attributes, ..object("k") }).await.unwrap();
    let first = buckets.put_part(&upload, 1, body(b"replaced")).await.unwrap();
    let one = buckets.put_part(&upload, 1, body(b"one")).await.unwrap();
    let ten = buckets.put_part(&upload, 10_000, body(b"ten")).await.unwrap();
    assert_eq!(buckets.parts(&upload).await.unwrap(), [one.clone(), ten.clone()]);
    assert_eq!(
        buckets.head("bucket", "k").await.unwrap_err(),
        Error::NoObject { bucket: "bucket".into(), key: "k".into() }
    );
    for number in [0, -1, 10_001, i64::MAX] {
        assert_eq!(buckets.put_part(&upload, number, body(b"")).await, Err(Error::PartNumber(number)));
    }
    let (one, ten) = ((1, one.etag), (10_000, ten.etag));
    let wrong = [
        (vec![], Error::PartOrder),
        (vec![ten.clone(), one.clone()], Error::PartOrder),
        (vec![one.clone(), one.clone()], Error::PartOrder),
        (vec![(1, first.etag)], Error::InvalidPart(1)),
        (vec![one.clone(), (2, "x".to_owned())], Error::InvalidPart(2)),
    ];
    for (parts, error) in wrong {
        assert_eq!(buckets.complete_upload(&upload, parts, object("k")).await, Err(error));
    }
    let other = Upload { key: "other".to_owned(), ..upload.clone() };
    assert_eq!(buckets.put_part(&other, 1, body(b"")).await, Err(Error::NoUpload(upload.id.clone())));
    let meta = buckets.complete_upload(&upload, vec![one.clone(), ten], object("k")).await.unwrap();
    assert_eq!((meta.size, meta.attributes.content_type.as_deref()), (6, Some("text/plain")));
    assert!(meta.etag.ends_with("-2"), "{}", meta.etag);
    assert_eq!(read(&buckets, "k", 0..9).await.unwrap(), b"oneten");
    assert_eq!(buckets.complete_upload(&upload, vec![one], object("k")).await, Err(Error::NoUpload(upload.id)));
}

#[tokio::test]
async fn forgotten_uploads_end() {
    let disk = Simulated::new(1);
    let buckets = Buckets::open(options(&disk)).await.unwrap();
    buckets.create_bucket("bucket").await.unwrap();
    let files = || disk.files().into_iter().filter(|(path, _)| path.starts_with("/node/buckets/incoming")).count();
    let empty = files();
    let upload = buckets.create_upload(object("k")).await.unwrap();
    buckets.put_part(&upload, 1, body(b"part")).await.unwrap();
    let begun = Timestamp::now();
    assert_eq!(buckets.expire_uploads(begun - Duration::from_secs(60)).await, Ok(0), "it is too young");
    assert_eq!((buckets.parts(&upload).await.unwrap().len(), files()), (1, empty + 1));
    assert_eq!(buckets.expire_uploads(begun + Duration::from_secs(60)).await, Ok(1));
    assert_eq!(buckets.put_part(&upload, 2, body(b"")).await, Err(Error::NoUpload(upload.id)));
    buckets.close().await.unwrap();
    assert_eq!(files(), empty, "its parts are gone");
}

#[tokio::test]
async fn conditions_are_decided_where_writes_are() {
    let buckets = store().await;
    let absent = || NewObject { condition: Condition::Absent, ..object("k") };
    let racing = futures::future::join_all((0..8_u8).map(|n| {
        let buckets = buckets.clone();
        async move { buckets.put(absent(), body(&[n])).await }
    }))
    .await;
    assert_eq!(racing.iter().filter(|ended| ended.is_ok()).count(), 1);
    assert_eq!(changes(&buckets).await.unwrap().len(), 1);
    let meta = buckets.head("bucket", "k").await.unwrap();
    let matching = |etag: &str| NewObject { condition: Condition::Matches(etag.to_owned()), ..object("k") };
    assert_eq!(buckets.put(matching("no"), body(b"")).await, Err(Error::Precondition { key: "k".to_owned() }));
    buckets.put(matching(&meta.etag), body(b"new")).await.unwrap();
}

#[tokio::test]
async fn what_did_not_end_is_not_stored() {
    let vfs = Simulated::new(1);
    let buckets = Buckets::open(options(&vfs)).await.unwrap();
    buckets.create_bucket("bucket").await.unwrap();
    let broken = stream::iter([Ok(Bytes::from_static(b"begin")), Err(Error::Digest("Content-MD5"))]);
    assert_eq!(buckets.put(object("k"), broken).await, Err(Error::Digest("Content-MD5")));
    assert!(matches!(buckets.head("bucket", "k").await, Err(Error::NoObject { .. })));
    assert_eq!(vfs.list(std::path::Path::new("/node/buckets/incoming")).unwrap(), Vec::<String>::new());
    let elsewhere = NewObject { bucket: "nowhere".to_owned(), ..object("k") };
    assert_eq!(buckets.put(elsewhere, body(b"")).await, Err(Error::NoBucket("nowhere".to_owned())));
    let metadata = [("m".to_owned(), "x".repeat(2_048))].into();
    let heavy = NewObject { attributes: Attributes { metadata, ..Attributes::default() }, ..object("k") };
    assert_eq!(buckets.put(heavy, body(b"")).await, Err(Error::MetadataTooLarge));
    assert!(changes(&buckets).await.unwrap().is_empty());
}

#[tokio::test]
async fn at_the_low_water_mark_writes_stop_and_deletes_go_on() {
    let vfs = Simulated::new(1);
    let buckets = Buckets::open(options(&vfs)).await.unwrap();
    buckets.create_bucket("bucket").await.unwrap();
    buckets.put(object("k"), body(&[7; 100])).await.unwrap();
    vfs.set_capacity(0);
    let refused = buckets.put(object("other"), body(b"x")).await;
    assert_eq!(refused, Err(Error::Full { free_bytes: 0, required_bytes: 1 << 20 }));
    assert_eq!(read(&buckets, "k", 0..1).await.unwrap(), [7]);
    vfs.set_capacity(1 << 30);
    buckets.delete("bucket", "k", Origin::new("tester", "")).await.unwrap();
    buckets.put(object("other"), body(b"x")).await.unwrap();
    assert_eq!(buckets.failure(), None);
}

/// Wherever in a write the room ends: what was answered stays visible, what was refused leaves nothing, and the store goes
/// on. A sync that failed ends it for good.
#[tokio::test]
async fn a_full_disk_refuses_writes_and_hides_nothing() {
    let (mut full, mut failed) = (0, 0);
    for call in 1..60 {
        let vfs = Simulated::new(call);
        let buckets = Buckets::open(options(&vfs)).await.unwrap();
        buckets.create_bucket("bucket").await.unwrap();
        buckets.put(object("first"), body(b"before")).await.unwrap();
        let mut expected = vec!["first".to_owned()];
        vfs.fail(vfs.calls() + call, crate::vfs::simulated::Fault::NoSpace);
        for number in 0..4 {
            match buckets.put(object(&format!("k{number}")), body(b"x")).await {
                Ok(_) => expected.push(format!("k{number}")),
                Err(Error::Full { .. }) => full += 1,
                Err(Error::Failed(_)) => failed += 1,
                Err(other) => panic!("call {call}: {other}"),
            }
            let keys = buckets.keys("bucket", "", 100).await;
            assert!(keys == Ok(expected.clone()) || buckets.failure().is_some(), "call {call}: {keys:?} {expected:?}");
        }
        if buckets.failure().is_none() {
            let recorded: Vec<_> = changes(&buckets).await.unwrap().into_iter().map(|change| change.key).collect();
            assert_eq!(recorded, expected, "call {call}");
            let kept = vfs.list(std::path::Path::new("/node/buckets/objects")).unwrap();
            assert_eq!(kept.len(), expected.len(), "call {call}");
        }
    }
    assert!(full > 10 && failed > 5, "{full} full, {failed} failed");
}

#[tokio::test]
async fn a_restart_keeps_all_and_counts_go_on() {
    let vfs = Simulated::new(1);
    let buckets = Buckets::open(options(&vfs)).await.unwrap();
    buckets.create_bucket("bucket").await.unwrap();
    assert_eq!(buckets.create_bucket("bucket").await, Err(Error::BucketExists("bucket".to_owned())));
    buckets.put(object("k"), body(b"12345")).await.unwrap();
    let last = buckets.put(object("k"), body(b"123")).await.unwrap();
    buckets.close().await.unwrap();
    assert!(matches!(buckets.put(object("k"), body(b"")).await, Err(Error::Failed(_))));
    drop(buckets);
    let buckets = Buckets::open(options(&vfs)).await.unwrap();
    assert_eq!(buckets.head("bucket", "k").await.unwrap(), last);
    let bucket = buckets.ensure("bucket").await.unwrap();
    assert_eq!((bucket.objects, bucket.bytes), (1, 3));
    assert_eq!(vfs.list(std::path::Path::new("/node/buckets/objects")).unwrap().len(), 1);
    assert_eq!(buckets.delete_bucket("bucket").await, Err(Error::BucketNotEmpty("bucket".to_owned())));
    assert!(buckets.put(object("k2"), body(b"")).await.unwrap().sequencer > last.sequencer);
    for key in ["k", "k2"] {
        buckets.delete("bucket", key, Origin::new("tester", "")).await.unwrap();
    }
    buckets.delete_bucket("bucket").await.unwrap();
    assert_eq!(buckets.delete_bucket("bucket").await, Err(Error::NoBucket("bucket".to_owned())));
    assert_eq!(buckets.buckets().await.unwrap(), []);
}

/// Who hears of an object asks for it at once. On two threads: the reader is as fast as the committer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_there_when_its_object_is() {
    const OBJECTS: usize = 200;
    let buckets = store().await;
    let reader = buckets.clone();
    let heard = tokio::spawn(async move {
        let (log, mut heard) = (reader.changes(), 0);
        let (mut from, mut next) = (log.start()[0], log.next());
        while heard < OBJECTS {
            next.borrow_and_update();
            let page = log.read(from, 100, 1 << 20).await.unwrap();
            for stored in &page {
                let change = Change::decode(&stored.record).unwrap();
                reader.head("bucket", &change.key).await.unwrap();
                from = log.after(stored.position);
                heard += 1;
            }
            if page.is_empty() {
                next.changed().await.unwrap();
            }
        }
    });
    for number in 0..OBJECTS {
        buckets.put(object(&format!("film {number}")), body(b"film")).await.unwrap();
    }
    heard.await.unwrap();
}
