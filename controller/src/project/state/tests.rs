use super::{Family, Object, Seen, State};
use fnctl_config::snapshot::{Change, ObjectKey};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn object<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object")
}

fn revision(ready: &str, env: &Value) -> Seen {
    Seen::Object(Object::Revision(Box::new(object(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Revision",
        "metadata": {"name": "hello-00001", "namespace": "default", "uid": "r-1"},
        "spec": {"containers": [{"image": "hello", "env": env}]},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [{"imageDigest": format!("hello@sha256:{}", "ab".repeat(32))}],
        },
    })))))
}

fn config_map(value: &str) -> Seen {
    Seen::Object(Object::ConfigMap(Box::new(object(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "words", "namespace": "default"},
        "data": {"greeting": value},
    })))))
}

fn broker() -> Seen {
    Seen::Object(Object::Broker(Box::new(object(json!({
        "apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
        "metadata": {"name": "default", "namespace": "default", "uid": "b-1"}, "spec": {},
    })))))
}

fn from_words() -> Value {
    json!([{"name": "GREETING", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "greeting"}}}])
}

fn state() -> State {
    State::new(fnctl_config::resolve::Home::default())
}

/// The value of an environment's variable in the only change.
#[track_caller]
fn greeting(changes: &[Change]) -> String {
    let [Change::Revision(revision)] = changes else { panic!("not one revision: {changes:?}") };
    let found = revision.env.iter().find(|(name, _)| name == "GREETING");
    found.map(|(_, value)| value.clone()).expect("GREETING")
}

#[test]
fn only_ready_revisions_are_told_and_once() {
    let mut state = state();
    assert_eq!(state.take(revision("False", &json!([]))), []);
    let told = state.take(revision("True", &json!([])));
    let [Change::Revision(revision_told)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(revision_told.artifact, "ab".repeat(32));
    assert_eq!(state.take(revision("True", &json!([]))), []);
    let key = ObjectKey::new("default", "hello-00001");
    assert_eq!(state.take(Seen::Gone(Family::Revision, key.clone())), [Change::RevisionGone(key.clone())]);
    assert_eq!(state.take(Seen::Gone(Family::Revision, key)), []);
}

#[test]
fn environments_follow_what_they_name() {
    let mut state = state();
    assert_eq!(state.take(revision("True", &from_words())), [], "its words are not there yet");
    assert_eq!(greeting(&state.take(config_map("hi"))), "hi");
    assert_eq!(state.take(config_map("hi")), []);
    assert_eq!(greeting(&state.take(config_map("hello"))), "hello");
    let key = ObjectKey::new("default", "words");
    assert_eq!(state.take(Seen::Gone(Family::ConfigMap, key)), [], "what runs keeps what it was given");
}

#[test]
fn a_list_that_begins_again_tells_what_is_gone() {
    let mut state = state();
    assert_eq!(state.take(broker()).len(), 1);
    for (lists, expected) in [(true, vec![]), (false, vec![Change::BrokerGone(ObjectKey::new("default", "default"))])] {
        assert_eq!(state.take(Seen::Restarted(Family::Broker)), []);
        if lists {
            assert_eq!(state.take(broker()), []);
        }
        assert_eq!(state.take(Seen::Listed(Family::Broker)), expected);
    }
}

#[test]
fn synced_is_when_every_kind_was_listed() {
    let mut state = state();
    use Family::{Broker, BucketSource, ConfigMap, Revision, Route, Secret, Trigger};
    for family in [ConfigMap, Secret, Revision, Route, Broker, Trigger, BucketSource] {
        assert!(!state.is_synced());
        state.take(Seen::Restarted(family));
        state.take(Seen::Listed(family));
    }
    assert!(state.is_synced());
}

#[test]
fn brokers_that_do_not_resolve_are_there_all_the_same() {
    let mut state = state();
    let strange = |retry: i32| {
        Seen::Object(Object::Broker(Box::new(object(json!({
            "apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
            "metadata": {"name": "strange", "namespace": "default", "uid": "b-2"},
            "spec": {"delivery": {"retry": retry}},
        })))))
    };
    assert_eq!(state.take(broker()).len(), 1);
    assert_eq!(state.take(strange(-1)), [], "no such number of retries may exist");
    assert_eq!(Vec::from_iter(state.brokers()), ["b-1", "b-2"]);
    state.take(Seen::Gone(Family::Broker, ObjectKey::new("default", "strange")));
    assert_eq!(Vec::from_iter(state.brokers()), ["b-1"]);
}
