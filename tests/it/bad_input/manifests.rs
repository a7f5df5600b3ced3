//! Manifests that cannot be what was meant.

use super::told;
use crate::harness::{Data, Node};

const SERVICE: &str = "
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec:
  template:
    spec:
      containerConcurrency: 5
      containers:
      - image: fnctl.local/examples/hello
";

const TRIGGER: &str = "
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: picky}
spec:
  broker: default
  filters: [{exact: {type: com.example.greeting}}]
  subscriber: {uri: 'http://127.0.0.1:9/'}
";

#[test]
fn a_refused_manifest_names_the_field_and_changes_nothing() {
    let node = Node::start();
    let table: [(String, &[&str]); 8] = [
        ("kind: [".to_owned(), &["FN1003", "manifest.yaml is not valid YAML", "line 1"]),
        (
            SERVICE.replace("kind: Service", "kind: Sevrice"),
            &["FN1004", "manifest.yaml", "\"Sevrice\"", "serving.knative.dev/v1"],
        ),
        (SERVICE.replace("{name: hello}", "{}"), &["FN1003", "manifest.yaml", "metadata.name is missing"]),
        (SERVICE.replace("{name: hello}", "{name: Hello_There}"), &["FN1203", "\"Hello_There\"", "metadata.name"]),
        (
            SERVICE.replace("containerConcurrency", "containerConcurency"),
            &[
                "FN1203",
                "\"spec.template.spec.containerConcurency\"",
                "did you mean \"containerConcurrency\"?",
                "manifest.yaml",
            ],
        ),
        (
            SERVICE.replace("containerConcurrency: 5", "containerConcurrency: many"),
            &["FN1203", "\"hello\"", "spec.template.spec.containerConcurrency", "integer"],
        ),
        (
            SERVICE.replace("containerConcurrency: 5", "containerConcurrency: 5000"),
            &["FN1203", "spec.template.spec.containerConcurrency", "5000", "1000"],
        ),
        (SERVICE.replace("image: ", "name: "), &["FN1203", "\"hello\"", "spec.template.spec.containers[0].image"]),
    ];
    for (manifest, words) in table {
        told(&node.try_apply(&manifest), 2, words);
    }
    assert_eq!(node.text(&["get", "ksvc", "-o", "name"]), "", "what was refused is not there");
}

#[test]
fn a_refused_filter_names_its_place() {
    let node = Node::start();
    let table: [(&str, &[&str]); 4] = [
        ("{excat: {type: a}}", &["\"spec.filters[0].excat\"", "did you mean \"exact\"?"]),
        ("{exact: {type: a}, prefix: {type: b}}", &["exactly one", "spec.filters[0].exact", "spec.filters[0].prefix"]),
        ("{exact: {Ty-pe: a}}", &["\"Ty-pe\"", "spec.filters[0].exact", "lowercase alphanumeric"]),
        ("{not: {all: [{suffix: {type: ''}}]}}", &["spec.filters[0].not.all[0].suffix"]),
    ];
    for (filter, words) in table {
        let refused = node.try_apply(&TRIGGER.replace("{exact: {type: com.example.greeting}}", filter));
        told(&refused, 2, words);
        told(&refused, 2, &["FN1203", "Trigger", "manifest.yaml"]);
    }
    assert_eq!(node.text(&["get", "trigger", "-o", "name"]), "");
}

#[test]
fn an_immutable_field_stays() {
    let node = Node::start();
    told(&node.try_apply(TRIGGER), 0, &[]);
    let moved = node.try_apply(&TRIGGER.replace("broker: default", "broker: other"));
    told(&moved, 2, &["FN1203", "\"picky\"", "spec.broker", "make another trigger"]);
    assert_eq!(node.json(&["get", "trigger", "picky"])["spec"]["broker"], "default");

    told(&node.try_apply(SERVICE), 0, &[]);
    node.text(&["wait", "ksvc/hello", "--for", "condition=Ready"]);
    let revision = node.json(&["get", "revision", "hello-00001"]);
    let mut changed = revision.clone();
    changed["spec"]["containerConcurrency"] = 7.into();
    changed["metadata"]["managedFields"].take();
    let folder = Data::fresh();
    let file = folder.path().join("revision.json");
    std::fs::write(&file, changed.to_string()).expect("the manifest is written");
    let refused = node.fnctl(&["apply", "--force-conflicts", "-f", &file.display().to_string()]);
    told(&refused, 2, &["FN1203", "\"hello-00001\"", "containerConcurrency", "Immutable", "change the Service"]);
    assert_eq!(node.json(&["get", "revision", "hello-00001"])["spec"], revision["spec"]);
}
