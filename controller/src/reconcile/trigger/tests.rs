use super::{Found, Unresolved, broker_condition, step};
use crate::project::Serving;
use crate::reconcile::Rejected;
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
        let broker = broker_condition("default", broker.as_ref());
        let found = Found { broker, serving: Serving::Yes, subscriber, dead_letter };
        let after = step(&trigger(), found, Timestamp::UNIX_EPOCH);
        let status = after.status.expect("a status");
        let ready = find(&status.conditions, "Ready").expect("Ready");
        assert_eq!((ready.status, ready.reason.as_deref()), (expected, reason), "row {index}");
        assert_eq!((status.subscriber_uri, status.dead_letter_sink_uri), (provided, dead), "row {index}");
        assert_eq!((status.observed_generation, status.conditions.len()), (Some(4), 6));
    }
}

#[test]
fn a_trigger_is_ready_when_the_data_plane_has_it() {
    let refused = Serving::No(Rejected::new("NotServed", "the disk is full"));
    let rows = [
        (Serving::Yes, Status::True, None),
        (Serving::NotYet, Status::Unknown, Some("NotServedYet")),
        (refused, Status::False, Some("NotServed")),
    ];
    for (serving, expected, reason) in rows {
        let broker = broker_condition("default", Some(&broker(Some("True"))));
        let subscriber = Ok("http://example.com".to_owned());
        let found = Found { broker, serving, subscriber, dead_letter: None };
        let status = step(&trigger(), found, Timestamp::UNIX_EPOCH).status.expect("a status");
        let ready = find(&status.conditions, "Ready").expect("Ready");
        assert_eq!((ready.status, ready.reason.as_deref()), (expected, reason));
    }
}
