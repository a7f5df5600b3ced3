use super::{Named, Serving, Settings};
use super::{assign, names_configuration, names_revision, sole_target, step};
use fnctl_config::api::condition::{Status, find};
use fnctl_config::api::route::TrafficTarget;
use fnctl_config::api::{Configuration, Revision, Route};
use jiff::Timestamp;
use serde_json::{Value, json};

fn settings() -> Settings {
    Settings { domain: "localhost".to_owned(), http_port: 8080 }
}

fn route(traffic: &Value) -> Route {
    serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Route",
        "metadata": {"name": "hello", "namespace": "default", "generation": 3},
        "spec": {"traffic": traffic},
    }))
    .expect("a route")
}

fn configuration(status: &Value) -> Named {
    let object: Configuration = serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Configuration",
        "metadata": {"name": "hello"}, "spec": {"template": {"spec": {}}}, "status": status,
    }))
    .expect("a configuration");
    Named::Configuration("hello".to_owned(), Some(Box::new(object)))
}

fn revision(status: &Value) -> Named {
    let object: Revision = serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Revision",
        "metadata": {"name": "hello-1"}, "spec": {}, "status": status,
    }))
    .expect("a revision");
    Named::Revision("hello-1".to_owned(), Some(Box::new(object)))
}

#[test]
fn one_target_takes_everything_and_splits_say_so() {
    let rows = [
        (json!([{"latestRevision": true, "percent": 100}]), None),
        (json!([{"revisionName": "hello-1", "percent": 100}, {"revisionName": "hello-2", "percent": 0}]), None),
        (json!([{"revisionName": "a", "percent": 50}, {"revisionName": "b", "percent": 50}]), Some("NotSupported")),
        (json!([{"revisionName": "a", "percent": 99}]), Some("NotSupported")),
        (json!([{"latestRevision": true, "percent": 100, "tag": "blue"}]), Some("NotSupported")),
        (json!([]), Some("TrafficMissing")),
    ];
    for (traffic, expected) in rows {
        let actual = sole_target(&route(&traffic)).err().map(|cause| cause.reason);
        assert_eq!(actual.as_deref(), expected, "of {traffic}");
    }
}

#[test]
fn a_latest_revision_that_is_not_ready_takes_nothing() {
    let failed = json!([{"type": "Ready", "status": "False"}]);
    let rows = [
        (Named::Configuration("hello".to_owned(), None), Err((Status::False, "ConfigurationMissing"))),
        (configuration(&json!({"latestCreatedRevisionName": "hello-1"})), Err((Status::Unknown, "RevisionMissing"))),
        (configuration(&json!({"conditions": failed})), Err((Status::False, "RevisionMissing"))),
        (
            configuration(&json!({"observedGeneration": 1, "conditions": failed})),
            Err((Status::Unknown, "RevisionMissing")),
        ),
        (configuration(&json!({"latestReadyRevisionName": "hello-1", "conditions": failed})), Ok(("hello-1", true))),
        (Named::Revision("hello-1".to_owned(), None), Err((Status::False, "RevisionMissing"))),
        (revision(&json!({})), Err((Status::Unknown, "RevisionMissing"))),
        (revision(&json!({"conditions": [{"type": "Ready", "status": "True"}]})), Ok(("hello-1", false))),
    ];
    for (named, expected) in rows {
        let actual = assign(&named);
        let actual = actual
            .as_ref()
            .map(|share| (share.revision_name.as_deref().unwrap_or(""), share.latest_revision == Some(true)));
        let actual = actual.map_err(|(status, cause)| (*status, cause.reason.as_str()));
        assert_eq!(actual, expected);
    }
}

#[test]
fn status_has_url_and_keeps_what_served() {
    let now = Timestamp::UNIX_EPOCH;
    let share = TrafficTarget { revision_name: Some("hello-1".to_owned()), percent: Some(100), ..Default::default() };
    let served = step(&route(&json!([])), (&Ok(share.clone()), &Serving::Yes), &settings(), now);
    let status = served.status.clone().expect("a status");
    assert_eq!(status.url.as_deref(), Some("http://hello.default.localhost:8080"));
    assert_eq!(status.observed_generation, Some(3));
    assert_eq!(find(&status.conditions, "Ready").map(|ready| ready.status), Some(Status::True));

    let later = Timestamp::from_second(60).expect("a time");
    let again = step(&served, (&Ok(share.clone()), &Serving::Yes), &settings(), later);
    assert_eq!(again, served, "the same again changes nothing");
    let told = step(&served, (&Ok(share.clone()), &Serving::NotYet), &settings(), later).status.expect("a status");
    let ready = find(&told.conditions, "Ready").expect("Ready");
    assert_eq!((ready.status, ready.reason.as_deref()), (Status::Unknown, Some("NotServedYet")));
    let refusal = Err((Status::False, super::Cause::new("NotSupported", "no")));
    let refused = step(&served, (&refusal, &Serving::NotYet), &settings(), later);
    let status = refused.status.expect("a status");
    assert_eq!(status.traffic, [share]);
    let ready = find(&status.conditions, "Ready").expect("Ready");
    assert_eq!((ready.status, ready.reason.as_deref()), (Status::False, Some("NotSupported")));
}

#[test]
fn knows_whom_it_names() {
    let latest = route(&json!([{"latestRevision": true, "percent": 100}]));
    assert!(names_configuration(&latest, "hello") && !names_configuration(&latest, "other"));
    let pinned = route(&json!([{"revisionName": "hello-1", "percent": 100}]));
    assert!(names_revision(&pinned, "hello-1") && !names_revision(&pinned, "hello-2"));
}
