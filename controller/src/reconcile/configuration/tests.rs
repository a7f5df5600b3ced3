use super::{revision, step};
use fnctl_config::api::condition::{Status, find};
use fnctl_config::api::{Configuration, Revision};
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

fn configuration(name: Option<&str>, generation: i64) -> Configuration {
    serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Configuration",
        "metadata": {
            "name": "hello", "namespace": "default", "generation": generation, "uid": "c-1",
            "labels": {"serving.knative.dev/service": "hello", "team": "a"},
            "annotations": {"serving.knative.dev/creator": "admin", "note": "of the configuration"},
        },
        "spec": {"template": {
            "metadata": {"name": name, "labels": {"app": "x"}, "annotations": {"autoscaling.knative.dev/min-scale": "1"}},
            "spec": {"containers": [{"image": "hello"}]},
        }},
    }))
    .expect("a configuration")
}

fn with_ready(mut revision: Revision, status: &str) -> Revision {
    let conditions = json!({"conditions": [{"type": "Ready", "status": status, "reason": "R", "message": "why"}]});
    revision.status = serde_json::from_value(conditions).expect("a status");
    revision
}

#[test]
fn a_revision_is_named_by_the_configurations_own_generation() {
    let made = revision(&configuration(None, 7));
    assert_eq!(made.name_any(), "hello-00007");
    let expected: Value = json!({
        "app": "x",
        "serving.knative.dev/service": "hello",
        "serving.knative.dev/configuration": "hello",
        "serving.knative.dev/configurationUID": "c-1",
        "serving.knative.dev/configurationGeneration": "7",
    });
    assert_eq!(json!(made.labels()), expected);
    let annotations = json!({"autoscaling.knative.dev/min-scale": "1", "serving.knative.dev/creator": "admin"});
    assert_eq!(json!(made.annotations()), annotations);
    assert_eq!(made.owner_references()[0].uid, "c-1");
    assert_eq!(revision(&configuration(Some("hello-green"), 7)).name_any(), "hello-green");
}

#[test]
fn the_newest_ready_revision_stays_until_the_next_is_ready() {
    let object = configuration(None, 1);
    let made = revision(&object);
    let now = Timestamp::UNIX_EPOCH;
    let ready = step(&object, &made, &with_ready(made.clone(), "True"), now);
    let status = ready.status.clone().expect("a status");
    assert_eq!(status.latest_ready_revision_name.as_deref(), Some("hello-00001"));

    let mut second = configuration(None, 2);
    second.status = ready.status;
    let made = revision(&second);
    for (known, expected, reason) in [("False", Status::False, "RevisionFailed"), ("Unknown", Status::Unknown, "R")] {
        let after = step(&second, &made, &with_ready(made.clone(), known), now).status.expect("a status");
        assert_eq!(after.latest_created_revision_name.as_deref(), Some("hello-00002"));
        assert_eq!(after.latest_ready_revision_name.as_deref(), Some("hello-00001"));
        assert_eq!(after.observed_generation, Some(2));
        let condition = find(&after.conditions, "Ready").expect("Ready");
        assert_eq!((condition.status, condition.reason.as_deref()), (expected, Some(reason)));
    }
}

#[test]
fn a_name_that_is_taken_is_said() {
    let object = configuration(Some("hello-green"), 2);
    let made = revision(&object);
    let mut other = with_ready(made.clone(), "True");
    other.spec.timeout_seconds = Some(7);
    let mut stranger = with_ready(made.clone(), "True");
    stranger.metadata.owner_references = None;
    for taken in [other, stranger] {
        let after = step(&object, &made, &taken, Timestamp::UNIX_EPOCH).status.expect("a status");
        let condition = find(&after.conditions, "Ready").expect("Ready");
        assert_eq!(condition.reason.as_deref(), Some("RevisionNameTaken"));
        assert_eq!(after.latest_ready_revision_name, None);
    }
}
