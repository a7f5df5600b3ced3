use super::*;
use crate::broker::{EventQuery, LogChoice, Options as BrokerOptions};
use crate::bucket::{Action, Change as BucketChange, NewObject, Options as StoreOptions, Origin};
use crate::deliver::{Answered, Deliver, Outcome, Parcel};
use crate::log::segment;
use crate::vfs::simulated::{Fault, Simulated};
use bytes::Bytes;
use fnctl_config::limits::SOURCE_BACKOFF_MAX;
use fnctl_config::snapshot::{Backoff, Broker, Delivery, Destination, Retention};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream;
use serde_json::value::RawValue;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// A sink in memory that answers what it is told.
#[derive(Debug)]
struct Sink {
    status: AtomicU16,
    tried: watch::Sender<usize>,
    taken: watch::Sender<Vec<String>>,
}

impl Sink {
    fn new(status: u16) -> Arc<Self> {
        Arc::new(Self { status: status.into(), tried: watch::Sender::new(0), taken: watch::Sender::new(Vec::new()) })
    }

    async fn has(&self, subjects: &[&str]) {
        self.taken.subscribe().wait_for(|taken| taken.len() >= subjects.len()).await.unwrap();
        assert_eq!(*self.taken.borrow(), subjects);
    }

    async fn was_tried(&self, times: usize) {
        self.tried.subscribe().wait_for(|tried| *tried >= times).await.unwrap();
    }
}

impl Deliver for Sink {
    fn deliver(&self, parcel: Parcel) -> BoxFuture<'_, Outcome> {
        async move {
            let status = self.status.load(Ordering::SeqCst);
            if status == 200 {
                let subject = parcel.event.attribute("subject").unwrap().into_owned();
                self.taken.send_modify(|taken| taken.push(subject));
            }
            self.tried.send_modify(|tried| *tried += 1);
            let (headers, body) = (http::HeaderMap::new(), Bytes::from_static(b"no event"));
            Outcome::Answered(Answered {
                status,
                headers,
                body,
                duration: Duration::ZERO,
                waited: Duration::ZERO,
                instance: None,
            })
        }
        .boxed()
    }
}

struct Node {
    disk: Simulated,
    sink: Arc<Sink>,
    buckets: Buckets,
    brokers: Brokers,
    sources: BucketSources,
}

impl Node {
    async fn start(disk: &Simulated, sink: &Arc<Sink>) -> Self {
        let log = segment::Options { free_bytes_min: 0, ..segment::Options::default() };
        let brokers = Brokers::open(BrokerOptions {
            vfs: Arc::new(disk.clone()),
            directory: PathBuf::from("/node/brokers"),
            // The log in memory forgets what no trigger waits for after half a minute, of which a paused clock makes nothing.
            log: LogChoice::Segments(log.clone()),
            parked_bytes_max: fnctl_config::limits::PARKED_BYTES_MAX,
            copies_bytes_max: fnctl_config::limits::RETRY_COPIES_BYTES_MAX,
            functions: sink.clone(),
            uris: sink.clone(),
        })
        .unwrap();
        let store = StoreOptions::new(Arc::new(disk.clone()), PathBuf::from("/node/buckets"));
        let buckets = Buckets::open(StoreOptions { free_bytes_min: 0, log, ..store }).await.unwrap();
        buckets.ensure("bucket").await.unwrap();
        let sources = BucketSources::open(&buckets, brokers.clone()).unwrap();
        Self { disk: disk.clone(), sink: Arc::clone(sink), buckets, brokers, sources }
    }

    async fn put(&self, key: &str) {
        let object = NewObject::new("bucket", key, Origin::new("tester", ""));
        self.buckets
            .put(object, stream::iter([Ok::<_, crate::bucket::Error>(Bytes::from_static(b"x"))]))
            .await
            .unwrap();
    }

    async fn apply(&self, source: &BucketSource) {
        self.sources.apply(&Change::BucketSource(Arc::new(source.clone()))).await.unwrap();
    }

    async fn restart(self) -> Self {
        self.sources.drain().await;
        self.buckets.close().await.unwrap();
        self.brokers.drain().await;
        let Self { disk, sink, buckets, brokers, sources } = self;
        drop((buckets, brokers, sources));
        disk.kill();
        Self::start(&disk, &sink).await
    }
}

fn source(sink: Destination) -> BucketSource {
    BucketSource {
        key: ObjectKey::new("default", "source"),
        uid: "uid".to_owned(),
        bucket: "bucket".to_owned(),
        event_types: vec!["ObjectCreated:*".to_owned()],
        prefix: String::new(),
        suffix: String::new(),
        sink,
    }
}

fn function() -> Destination {
    Destination::Function { key: ObjectKey::new("default", "f"), path: "/".to_owned() }
}

fn change(action: Action, key: &str) -> BucketChange {
    BucketChange {
        action,
        time: "2026-11-21T08:25:43.921Z".parse().unwrap(),
        bucket: "bucket".to_owned(),
        key: key.to_owned(),
        size: Some(3),
        etag: Some("e".to_owned()),
        sequencer: 0x1f,
        origin: Origin {
            principal: "p".to_owned(),
            address: String::new(),
            request_id: "REQUEST".to_owned(),
            host_id: "host".to_owned(),
            part: None,
        },
    }
}

#[test]
fn a_source_chooses_by_type_prefix_and_suffix() {
    type Row = (&'static [&'static str], &'static str, &'static str, Action, &'static str, bool);
    let table: &[Row] = &[
        (&[], "", "", Action::Delete, "k", true),
        (&["ObjectCreated:*"], "", "", Action::Put, "k", true),
        (&["s3:ObjectCreated:*"], "", "", Action::CompleteMultipartUpload, "k", true),
        (&["ObjectCreated:*"], "", "", Action::Delete, "k", false),
        (&["ObjectCreated:Copy"], "", "", Action::Put, "k", false),
        (&["ObjectCreated:Copy", "ObjectRemoved:Delete"], "", "", Action::Delete, "k", true),
        (&["*"], "", "", Action::Copy, "k", true),
        (&["ObjectCreated"], "", "", Action::Put, "k", false),
        (&[], "in/", ".dcm", Action::Put, "in/a.dcm", true),
        (&[], "in/", ".dcm", Action::Put, "in/a.png", false),
        (&[], "in/", ".dcm", Action::Put, "out/a.dcm", false),
        (&[], "in/", "", Action::Put, "in", false),
    ];
    for (types, prefix, suffix, action, key, chosen) in table {
        let source = BucketSource {
            event_types: types.iter().map(|one| (*one).to_owned()).collect(),
            prefix: (*prefix).to_owned(),
            suffix: (*suffix).to_owned(),
            ..source(function())
        };
        assert_eq!(matches(&source, &change(*action, key)), *chosen, "{types:?} {prefix} {suffix} {action:?} {key}");
    }
    let other = BucketSource { bucket: "other".to_owned(), ..source(function()) };
    assert!(!matches(&other, &change(Action::Put, "k")));
}

#[test]
fn a_change_is_the_event_of_the_published_mapping() {
    let event = to_event(&change(Action::Put, "in/a b+é"), "default/source").unwrap();
    let table = [
        ("id", "REQUEST.host"),
        ("source", "aws:s3.us-east-1.bucket"),
        ("type", "com.amazonaws.s3.ObjectCreated:Put"),
        ("subject", "in/a b+é"),
        ("time", "2026-11-21T08:25:43.921Z"),
        ("datacontenttype", "application/json"),
        ("sequencer", "000000000000001F"),
    ];
    for (name, value) in table {
        assert_eq!(event.attribute(name).as_deref(), Some(value), "{name}");
    }
    let data: serde_json::Value = serde_json::from_slice(event.data()).unwrap();
    let record = serde_json::json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-11-21T08:25:43.921Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "p"},
        "requestParameters": {"sourceIPAddress": ""},
        "responseElements": {"x-amz-request-id": "REQUEST", "x-amz-id-2": "host"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "default/source",
            "bucket": {
                "name": "bucket",
                "ownerIdentity": {"principalId": "fnctl"},
                "arn": "arn:aws:s3:::bucket",
            },
            "object": {"key": "in/a+b%2B%C3%A9", "size": 3, "eTag": "e", "sequencer": "000000000000001F"},
        },
    });
    assert_eq!(data, record);
    let mut second = BucketChange { size: None, etag: None, ..change(Action::Delete, "line\nbreak") };
    second.origin = second.origin.part(2);
    let event = to_event(&second, "s").unwrap();
    assert_eq!(event.kind(), "com.amazonaws.s3.ObjectRemoved:Delete");
    let data: serde_json::Value = serde_json::from_slice(event.data()).unwrap();
    let object = serde_json::json!({"key": "line%0Abreak", "sequencer": "000000000000001F"});
    assert_eq!(data["s3"]["object"], object, "what is gone has no size");
    assert_eq!(event.id(), "REQUEST.host.2");
    assert_eq!(event.attribute("subject").as_deref(), Some("line%0Abreak"));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_down_loses_nothing_and_the_order_is_kept() {
    let node = Node::start(&Simulated::new(1), &Sink::new(503)).await;
    node.put("before").await;
    node.apply(&source(function())).await;
    for key in ["1", "2", "3"] {
        node.put(key).await;
    }
    node.sink.was_tried(12).await;
    let status = node.sources.status().await.remove(0).1;
    assert!(status.pending_since.is_some() && status.retried >= 10 && status.last_error.is_some(), "{status:?}");
    node.sink.status.store(200, Ordering::SeqCst);
    node.put("4").await;
    node.sink.has(&["1", "2", "3", "4"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_the_sink_was() {
    let node = Node::start(&Simulated::new(1), &Sink::new(200)).await;
    node.apply(&source(function())).await;
    node.put("1").await;
    node.sink.has(&["1"]).await;
    node.sink.status.store(503, Ordering::SeqCst);
    node.put("2").await;
    node.sink.was_tried(3).await;
    let node = node.restart().await;
    // No source runs: what it waits for is kept.
    node.put("3").await;
    let low = node.sources.keep_from().await.unwrap();
    assert!(low < *node.buckets.changes().next().borrow());
    node.sink.status.store(200, Ordering::SeqCst);
    node.apply(&source(function())).await;
    node.sink.has(&["1", "2", "3"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_delivers_again_only_what_was_not_saved() {
    let node = Node::start(&Simulated::new(1), &Sink::new(200)).await;
    node.apply(&source(function())).await;
    node.put("1").await;
    node.sink.has(&["1"]).await;
    let copy = node.disk.copy();
    let node = Node::start(&copy, &Sink::new(200)).await;
    node.apply(&source(function())).await;
    node.put("2").await;
    node.sink.was_tried(1).await;
    node.sink.taken.subscribe().wait_for(|taken| taken.contains(&"2".to_owned())).await.unwrap();
    let taken = node.sink.taken.borrow().clone();
    assert!(taken == ["1", "2"] || taken == ["2"], "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_sink_refuses_for_good_is_counted_and_passed() {
    let node = Node::start(&Simulated::new(1), &Sink::new(400)).await;
    node.apply(&source(function())).await;
    node.put("1").await;
    node.sink.was_tried(1).await;
    node.sink.status.store(200, Ordering::SeqCst);
    node.put("2").await;
    node.sink.has(&["2"]).await;
    let status = node.sources.status().await.remove(0).1;
    assert_eq!((status.refused, status.retried), (1, 0), "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_becomes_another_keeps_its_place() {
    let node = Node::start(&Simulated::new(1), &Sink::new(503)).await;
    node.apply(&source(Destination::Uri { uri: "http://example.com/".to_owned(), ca_certs: None })).await;
    node.put("1").await;
    node.sink.was_tried(2).await;
    node.apply(&source(function())).await;
    node.sink.status.store(200, Ordering::SeqCst);
    node.sink.has(&["1"]).await;
    node.sources.apply(&Change::BucketSourceGone(ObjectKey::new("default", "source"))).await.unwrap();
    node.put("2").await;
    assert_eq!(node.sources.keep_from().await.unwrap(), *node.buckets.changes().next().borrow());
    node.apply(&BucketSource { uid: "another".to_owned(), ..source(function()) }).await;
    node.put("3").await;
    node.sink.has(&["1", "3"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_comes_later_gets_all() {
    let node = Node::start(&Simulated::new(1), &Sink::new(200)).await;
    let key = ObjectKey::new("default", "broker");
    node.apply(&source(Destination::Broker { key: key.clone() })).await;
    for number in 0..150 {
        node.put(&format!("{number:03}")).await;
    }
    let delivery = Delivery {
        retry: 0,
        backoff: Backoff::Linear,
        backoff_delay: Duration::ZERO,
        timeout: None,
        dead_letter: None,
        retry_after_max: None,
    };
    let retention = Retention { age: Duration::from_secs(3_600), bytes: 1 << 30, drop_pending: false };
    let broker = Broker { key: key.clone(), uid: "b".to_owned(), delivery, retention };
    node.brokers.apply(&Change::Broker(Arc::new(broker))).await.unwrap();
    // Time passes only where the test says so while it waits for something else than the runtime.
    while node.sources.status().await.remove(0).1.delivered < 150 {
        tokio::time::advance(SOURCE_BACKOFF_MAX).await;
    }
    let page = node.brokers.events(&key, &EventQuery { limit: 1_000, ..EventQuery::default() }).await.unwrap();
    let event = |line: &RawValue| serde_json::from_str::<serde_json::Value>(line.get()).unwrap();
    let subjects: Vec<_> = page.events.iter().map(|line| event(line)["subject"].clone()).collect();
    assert_eq!(subjects, (0..150).map(|number| format!("{number:03}")).collect::<Vec<_>>());
    assert_eq!(node.sources.status().await.remove(0).1.delivered, 150);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_source_lets_go_of_the_log_by_another_try() {
    let another = BucketSource { uid: "another".to_owned(), ..source(function()) };
    let gone = Change::BucketSourceGone(ObjectKey::new("default", "source"));
    for change in [gone, Change::BucketSource(Arc::new(another))] {
        let mut refused = 0;
        for call in 1..100 {
            let node = Node::start(&Simulated::new(call), &Sink::new(503)).await;
            node.apply(&source(function())).await;
            node.put("1").await;
            node.sink.was_tried(2).await;
            node.disk.fail(node.disk.calls() + call, Fault::NoSpace);
            let applied = node.sources.apply(&change).await;
            node.disk.heal();
            // A state that failed for good ends the node.
            if node.buckets.failure().is_some() {
                continue;
            }
            if applied.is_ok() {
                break;
            }
            refused += 1;
            node.sources.apply(&change).await.unwrap();
            assert_eq!(node.sources.keep_from().await.unwrap(), *node.buckets.changes().next().borrow());
        }
        assert!(refused > 0);
    }
}
