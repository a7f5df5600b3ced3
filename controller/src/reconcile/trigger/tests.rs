use super::{Found, Unresolved, step};
use fnctl_config::api::condition::{Status, find};
use fnctl_config::api::{Broker, Trigger};
use jiff::Timestamp;
use serde_json::json;

fn trigger() -> Trigger {
    serde_json::from_value(json!({
        "apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
        "metadata": {"name": "t", "namespace": "default", "generation": 4},
        "spec": {"broker": "default", "subscriber": {"uri": "http://example.com"}},
    }))
    .expect("a trigger")
}

fn broker(ready: Option<&str>) -> Broker {
    let conditions = ready.map(|status| json!([{"type": "Ready", "status": status}])).unwrap_or_else(|| json!([]));
    serde_json::from_value(json!({
        "apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
        "metadata": {"name": "default"}, "spec": {}, "status": {"conditions": conditions},
    }))
    .expect("a broker")
}

#[test]
fn ready_is_what_its_parts_are() {
    let uri = || Ok("http://example.com".to_owned());
    let missing = || Err(Unresolved { reason: "NotFound", message: "it is not there".to_owned() });
    let rows = [
        (Some(broker(Some("True"))), uri(), None, Status::True, None),
        (None, uri(), None, Status::False, Some("BrokerDoesNotExist")),
        (Some(broker(None)), uri(), None, Status::Unknown, Some("BrokerNotReconciled")),
        (Some(broker(Some("False"))), uri(), None, Status::False, None),
        (Some(broker(Some("True"))), missing(), None, Status::False, Some("NotFound")),
        (Some(broker(Some("True"))), uri(), Some(missing()), Status::False, Some("NotFound")),
        (Some(broker(Some("True"))), uri(), Some(uri()), Status::True, None),
    ];
    for (index, (broker, subscriber, dead_letter, expected, reason)) in rows.into_iter().enumerate() {
        let (provided, dead) = (subscriber.clone().ok(), dead_letter.clone().and_then(Result::ok));
        let after = step(&trigger(), Found { broker, subscriber, dead_letter }, Timestamp::UNIX_EPOCH);
        let status = after.status.expect("a status");
        let ready = find(&status.conditions, "Ready").expect("Ready");
        assert_eq!((ready.status, ready.reason.as_deref()), (expected, reason), "row {index}");
        assert_eq!((status.subscriber_uri, status.dead_letter_sink_uri), (provided, dead), "row {index}");
        assert_eq!((status.observed_generation, status.conditions.len()), (Some(4), 6));
    }
}
