use super::{Found, Rejected, Serving, Unresolved, step};
use fnctl_config::api::BucketSource;
use fnctl_config::api::condition::{Status, find};
use jiff::Timestamp;
use serde_json::json;

/// A source of which nothing was said yet.
fn source() -> BucketSource {
    serde_json::from_value(json!({
        "apiVersion": "sources.fnctl.dev/v1alpha1", "kind": "BucketSource",
        "metadata": {"name": "films", "namespace": "default", "generation": 3},
        "spec": {"bucket": "films", "sink": {"uri": "http://example.com"}},
    }))
    .expect("a source")
}

#[test]
fn ready_is_what_bucket_and_sink_are() {
    let uri = || Ok("http://example.com".to_owned());
    let refused = || Err(Rejected::new("BucketRefused", "no bucket can have this name"));
    let missing = || Err(Unresolved { reason: "NotFound", message: "it is not there".to_owned() });
    let rows = [
        (Ok(()), uri(), Status::True, Status::True, (Status::True, None)),
        (refused(), uri(), Status::False, Status::True, (Status::False, Some("BucketRefused"))),
        (Ok(()), missing(), Status::True, Status::False, (Status::False, Some("NotFound"))),
        (refused(), missing(), Status::False, Status::False, (Status::False, Some("BucketRefused"))),
    ];
    for (index, (bucket, sink, bucket_ready, sink_provided, ready)) in rows.into_iter().enumerate() {
        let (sink_uri, told) = (sink.clone().ok(), bucket.clone().err().map(|rejected| rejected.message));
        let after = step(&source(), Found { bucket, sink, serving: Serving::Yes }, Timestamp::UNIX_EPOCH);
        assert_eq!(after.spec, source().spec, "row {index}");
        let status = after.status.expect("a status");
        let condition = |name: &str| find(&status.conditions, name).expect("a condition");
        assert_eq!(condition("BucketReady").status, bucket_ready, "row {index}");
        assert_eq!(condition("BucketReady").message, told, "row {index}");
        assert_eq!(condition("SinkProvided").status, sink_provided, "row {index}");
        let found = condition("Ready");
        assert_eq!((found.status, found.reason.as_deref()), ready, "row {index}");
        assert_eq!((status.sink_uri, status.observed_generation), (sink_uri, Some(3)), "row {index}");
        assert_eq!(status.conditions.len(), 4, "row {index}");
    }
}

/// A sink that goes takes its address and its readiness with it, and nothing else changes.
#[test]
fn a_sink_that_goes_is_told() {
    let (then, now) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(100).expect("a time"));
    let found = |sink| Found { bucket: Ok(()), sink, serving: Serving::Yes };
    let uri = || Ok("http://example.com".to_owned());
    let ready = step(&source(), found(uri()), then);
    assert_eq!(step(&ready, found(uri()), now), ready, "no news, no change");
    let missing = Err(Unresolved { reason: "NotFound", message: "it is not there".to_owned() });
    let status = step(&ready, found(missing), now).status.expect("a status");
    assert_eq!(status.sink_uri, None);
    for (name, expected, at) in [("BucketReady", Status::True, then), ("SinkProvided", Status::False, now)] {
        let condition = find(&status.conditions, name).expect("a condition");
        let since = condition.last_transition_time.as_ref().map(|time| time.0);
        assert_eq!((condition.status, since), (expected, Some(at)), "{name}");
    }
}
