use super::{dependents, step};
use fnctl_config::api::condition::{Status, find};
use fnctl_config::api::{Configuration, Route, Service};
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

fn service() -> Service {
    serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Service",
        "metadata": {
            "name": "hello", "namespace": "default", "generation": 5, "uid": "s-1", "labels": {"team": "a"},
            "annotations": {"note": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": {"template": {"spec": {"containers": [{"image": "hello"}]}}},
    }))
    .expect("a service")
}

#[test]
fn dependents_have_its_name_labels_and_annotations() {
    let (configuration, route) = dependents(&service());
    assert_eq!((configuration.name_any(), route.name_any()), ("hello".to_owned(), "hello".to_owned()));
    for (labels, annotations, owners) in [
        (configuration.labels(), configuration.annotations(), configuration.owner_references()),
        (route.labels(), route.annotations(), route.owner_references()),
    ] {
        let expected =
            json!({"team": "a", "serving.knative.dev/service": "hello", "serving.knative.dev/serviceUID": "s-1"});
        assert_eq!(json!(labels), expected);
        assert_eq!(json!(annotations), json!({"note": "x"}));
        assert_eq!(owners[0].uid, "s-1");
    }
    let traffic = json!([{"configurationName": "hello", "latestRevision": true, "percent": 100}]);
    assert_eq!(json!(route.spec.traffic), traffic);
    assert_eq!(configuration.spec.template, service().spec.template);
}

fn status_of(configuration: Value, route: Value) -> (Status, Option<String>, usize) {
    let (mut known, mut routed): (Configuration, Route) = dependents(&service());
    known.metadata.generation = Some(2);
    routed.metadata.generation = Some(1);
    known.status = serde_json::from_value(configuration).expect("a status");
    routed.status = serde_json::from_value(route).expect("a status");
    let after = step(&service(), &known, &routed, Timestamp::UNIX_EPOCH).status.expect("a status");
    assert_eq!(after.observed_generation, Some(5));
    let ready = find(&after.conditions, "Ready").expect("Ready").clone();
    (ready.status, ready.reason, after.conditions.len())
}

#[test]
fn ready_is_what_its_dependents_are() {
    let ready = json!([{"type": "Ready", "status": "True"}]);
    let failed = json!([{"type": "Ready", "status": "False", "reason": "RevisionFailed", "message": "m"}]);
    let known = |generation: i64, conditions: &Value| json!({"observedGeneration": generation, "conditions": conditions, "latestReadyRevisionName": "hello-00002"});
    let routed = |revision: &str| {
        json!({
            "observedGeneration": 1, "conditions": ready,
            "traffic": [{"revisionName": revision, "latestRevision": true, "percent": 100}],
        })
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(status_of(known(2, &ready), routed("hello-00002")), (Status::True, None, 3));
    assert_eq!(status_of(known(1, &ready), routed("hello-00002")), (Status::Unknown, some("OutOfDate"), 3));
    assert_eq!(status_of(known(2, &failed), routed("hello-00002")), (Status::False, some("RevisionFailed"), 3));
    assert_eq!(status_of(known(2, &ready), routed("hello-00001")), (Status::Unknown, some("TrafficNotMigrated"), 3));
    let missing = json!([{"type": "Ready", "status": "False", "reason": "RevisionMissing", "message": "m"}]);
    let unassigned = json!({"observedGeneration": 1, "conditions": missing});
    let making = json!([{"type": "Ready", "status": "Unknown"}]);
    assert_eq!(status_of(known(2, &making), unassigned.clone()).0, Status::Unknown, "a revision is in the making");
    assert_eq!(
        status_of(known(1, &failed), unassigned.clone()).0,
        Status::Unknown,
        "the failure is of an older template"
    );
    assert_eq!(status_of(known(2, &failed), unassigned).0, Status::False);
    assert_eq!(status_of(json!({}), json!({})), (Status::Unknown, some("OutOfDate"), 3));
}
