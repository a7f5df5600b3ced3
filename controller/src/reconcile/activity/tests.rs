use super::{ACTIVE, Replicas, step};
use fnctl_config::api::Revision;
use fnctl_config::api::condition::{Status, find, is_ready};
use jiff::Timestamp;
use serde_json::json;

#[test]
fn active_follows_the_instances_and_ready_does_not() {
    let mut revision: Revision = serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Revision", "metadata": {"name": "hello-00001"}, "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }))
    .expect("a revision");
    let rows = [
        ((0, 1), Status::Unknown, Some("Queued")),
        ((1, 1), Status::True, None),
        ((2, 3), Status::True, None),
        ((1, 0), Status::True, None),
        ((0, 0), Status::False, Some("NoTraffic")),
    ];
    for (second, ((actual, desired), expected, reason)) in (0..).zip(rows) {
        let now = Timestamp::from_second(second).expect("a time");
        let after = step(&revision, Replicas { actual, desired }, now);
        let later = Timestamp::from_second(second + 1).expect("a time");
        assert_eq!(step(&after, Replicas { actual, desired }, later), after, "the same again changes nothing");
        let status = after.status.as_ref().expect("a status");
        let active = find(&status.conditions, ACTIVE).expect("Active");
        assert_eq!((active.status, active.reason.as_deref()), (expected, reason), "of {actual} and {desired}");
        assert_eq!(active.severity, "Info");
        let numbers = (status.actual_replicas, status.desired_replicas);
        assert_eq!(numbers, (i32::try_from(actual).ok(), i32::try_from(desired).ok()));
        assert!(is_ready(&status.conditions));
        revision = after;
    }
}
