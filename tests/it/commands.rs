//! What commands do beyond their happy path: which objects they mean, what they print for programs, and how they end.

use crate::harness::{Data, Lines, Node, Owned, binary, ended, shown};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const CONFIG: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: NAME}}\n---\n";

fn config(names: &[&str]) -> String {
    names.iter().map(|name| CONFIG.replace("NAME", name)).collect()
}

/// Runs a command in a folder.
fn run_in(folder: &Path, node: &Node, arguments: &[&str]) -> Output {
    let mut command = binary();
    command.args(arguments).arg("--kubeconfig").arg(node.kubeconfig()).current_dir(folder);
    command.output().expect("the binary runs")
}

#[test]
fn an_empty_name_never_means_all_objects() {
    let node = Node::start();
    node.apply(&config(&["one", "two"]));
    let folder = Data::fresh();
    let generated = folder.path().join("generated.yaml");
    std::fs::write(&generated, "{apiVersion: v1, kind: ConfigMap, metadata: {generateName: c-}}").expect("written");
    let generated = generated.display().to_string();
    let table: [&[&str]; 9] = [
        &["delete", "cm", ""],
        &["delete", "cm/"],
        &["delete", "cm/one", "cm/"],
        &["delete", "-f", &generated],
        &["apply", "-f", &generated],
        &["get", "cm", ""],
        &["describe", "cm/"],
        &["wait", "cm/", "--for", "delete"],
        &["get", "cm", "-n", ""],
    ];
    for arguments in table {
        let refused = node.fnctl(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {}", shown(&refused));
    }
    assert_eq!(node.text(&["get", "cm", "-o", "name"]), "configmap/one\nconfigmap/two\n");
    assert_eq!(node.text(&["get", "cm/two", "-o", "name"]), "configmap/two\n");
}

#[test]
fn apply_prunes_what_the_same_files_made_and_nothing_else() {
    let node = Node::start();
    let (ours, theirs) = (Data::fresh(), Data::fresh());
    let write = |folder: &Data, text: &str| std::fs::write(folder.path().join("app.yaml"), text).expect("written");
    let prune = |folder: &Data, more: &[&str]| {
        run_in(folder.path(), &node, &[&["apply", "-f", ".", "--prune", "-o", "json"], more].concat())
    };
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: other}}\n---\n";
    let far = "{apiVersion: v1, kind: ConfigMap, metadata: {name: far, namespace: other}}\n";
    write(&ours, &(namespace.to_owned() + &config(&["one", "two"]) + far));
    write(&theirs, &config(&["three"]));
    for folder in [&ours, &theirs] {
        let applied = prune(folder, &[]);
        assert!(applied.status.success() && !shown(&applied).contains("pruned"), "{}", shown(&applied));
    }
    // The same files in another namespace are others.
    let applied = prune(&ours, &["-n", "other"]);
    assert!(applied.status.success() && !shown(&applied).contains("pruned"), "{}", shown(&applied));
    assert_eq!(node.text(&["get", "cm", "-o", "name"]), "configmap/one\nconfigmap/three\nconfigmap/two\n");

    write(&ours, &(namespace.to_owned() + &config(&["one"])));
    let pruned = prune(&ours, &["-n", "other"]);
    let printed = String::from_utf8_lossy(&pruned.stdout);
    let lines = printed.lines().map(|line| serde_json::from_str::<Value>(line).expect("one JSON document a line"));
    let gone: Vec<_> = lines.filter(|line| line["result"] == "pruned").map(|line| line["object"].clone()).collect();
    assert_eq!(gone, ["configmap/far", "configmap/two"], "{}", shown(&pruned));
    assert_eq!(node.text(&["get", "cm", "-n", "other", "-o", "name"]), "configmap/one\n");
    assert_eq!(node.text(&["get", "cm", "-o", "name"]), "configmap/one\nconfigmap/three\nconfigmap/two\n");

    // A file that was cut off, or labels that are none, change nothing.
    for (text, words) in
        [("", "no object in"), ("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: b}}", "labels")]
    {
        write(&ours, text);
        let refused = prune(&ours, &[]);
        assert_eq!(refused.status.code(), Some(2), "{}", shown(&refused));
        assert!(shown(&refused).contains(words), "{}", shown(&refused));
    }
    assert_eq!(node.text(&["get", "cm", "-o", "name"]), "configmap/one\nconfigmap/three\nconfigmap/two\n");
}

#[test]
fn a_program_gets_json_from_every_command() {
    let node = Node::start();
    node.apply(&config(&["one", "two"]));
    let deleted = json!({"object": "configmap/one", "result": "deleted"});
    assert_eq!(node.json(&["delete", "cm/one"]), deleted);
    assert_eq!(node.json(&["wait", "cm/one", "--for", "delete"]), deleted);
    let ready = node.json(&["deploy", "examples/hello"]);
    assert_eq!(ready["revision"], "hello-00001");
    let met = json!({"object": "service.serving.knative.dev/hello", "result": "condition met"});
    assert_eq!(node.json(&["wait", "ksvc/hello", "--for", "condition=Ready"]), met);
}

#[test]
fn what_a_manifest_would_do_is_told_with_its_component_and_not_done() {
    let node = Node::start();
    let manifest = ["-f", "examples/hello/service.yaml"];
    let differs = node.fnctl(&[&["diff"], &manifest[..]].concat());
    assert_eq!(differs.status.code(), Some(1), "{}", shown(&differs));
    let dry = node.json(&[&["apply", "--dry-run"], &manifest[..]].concat());
    assert_eq!(dry, json!({"object": "service.serving.knative.dev/hello", "result": "created"}));
    assert_eq!(node.text(&["get", "ksvc", "-o", "name"]), "");
    node.text(&["deploy", "examples/hello"]);
    let same = node.fnctl(&[&["diff"], &manifest[..]].concat());
    assert!(same.status.success(), "{}", shown(&same));
}

#[test]
fn followed_logs_go_on_with_the_next_revision_and_end_with_the_node() {
    let node = Node::start();
    node.text(&["deploy", "examples/hello"]);
    node.text(&["invoke", "hello", "--event", "--header", "ce-id:first"]);
    let mut command = binary();
    command.args(["logs", "hello", "-f", "-o", "json", "--kubeconfig"]).arg(node.kubeconfig());
    let mut child = Owned(command.stdout(Stdio::piped()).spawn().expect("the binary starts"));
    let lines = Lines::of(child.0.stdout.take().expect("stdout is piped"));
    let next = || {
        let line = lines.next("a line of the log").expect("it goes on");
        let line: Value = serde_json::from_str(&line).expect("a JSON document");
        [&line["revision"], &line["event"]].map(|field| field.as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(next(), ["hello-00001", "first"]);
    node.text(&["deploy", "examples/hello", "--env", "TARGET=again"]);
    node.text(&["invoke", "hello", "--event", "--header", "ce-id:second"]);
    assert_eq!(next(), ["hello-00002", "second"]);
    let (code, _data) = node.stop();
    assert_eq!(code, Some(0));
    assert_eq!(ended(&mut child.0), Some(0), "it is told that the node ends");
}

#[test]
fn a_demo_that_is_interrupted_ends() {
    let (data, temporary) = (Data::fresh(), Data::fresh());
    let mut command = binary();
    command.args(["demo", "xray", "--pictures", "1", "--data-dir"]).arg(data.path().join("node"));
    command.env("TMPDIR", temporary.path());
    let mut child = Owned(command.stderr(Stdio::piped()).spawn().expect("the binary starts"));
    let lines = Lines::of(child.0.stderr.take().expect("stderr is piped"));
    lines.says("waiting until the function is back at zero");
    let sent = Command::new("kill").args(["-INT", &child.0.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    assert_eq!(ended(&mut child.0), Some(1));
    lines.says("stopped before its end");
}
