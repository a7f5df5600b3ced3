//! Requests as they come: many at once at zero, none for a while, and over HTTP/2.

use crate::harness::{Data, Node, shown};
use crate::http::{Answer, send};
use std::process::Command;

/// A function that is back at zero after the shortest window that Knative knows.
pub(crate) const BRIEF: &str = "
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: brief}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/window: 6s}}
    spec:
      containers: [{image: fnctl.local/examples/hello}]
";

fn node_with_brief() -> Node {
    let node = Node::start();
    let folder = Data::fresh();
    let file = folder.path().join("brief.yaml");
    std::fs::write(&file, BRIEF).expect("the manifest is written");
    node.json(&["deploy", &file.display().to_string()]);
    node
}

/// What `fnctl describe` says of the scaling: instances, and cold starts so far.
fn scaling(node: &Node) -> (u64, u64) {
    let described = node.text(&["describe", "ksvc", "brief"]);
    let line = described.lines().find(|line| line.starts_with("Scaling of brief-00001:")).expect("a line on scaling");
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers.len(), 3, "instances, requests in flight and cold starts: {line}");
    (numbers[0], numbers[2])
}

fn call(node: &Node) -> Answer {
    send(node, "GET / HTTP/1.1\nhost: brief.default.localhost", b"")
}

fn wait_for_zero(node: &Node) {
    while scaling(node).0 > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn a_function_goes_to_zero_and_a_burst_wakes_it_once() {
    let node = node_with_brief();
    assert_eq!(call(&node).status, 200);
    let (instances, before) = scaling(&node);
    assert!(instances > 0, "a function that just answered runs");
    wait_for_zero(&node);
    let described = node.text(&["describe", "ksvc", "brief"]);
    assert!(described.contains("True"), "a function at zero is ready: {described}");

    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..200).map(|_| scope.spawn(|| call(&node))).collect();
        calls.into_iter().map(|call| call.join().expect("the node answers")).collect()
    });
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let (instances, after) = scaling(&node);
    assert!(instances > 0);
    assert_eq!(after, before + 1, "one cold start for all of them");
    wait_for_zero(&node);
    assert_eq!(scaling(&node).1, after, "going to zero starts nothing");
}

#[test]
fn http2_without_an_upgrade_is_served() {
    let node = node_with_brief();
    let url = format!("http://{}/", node.address());
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--http2-prior-knowledge", "--header", "host: brief.default.localhost"])
        .args(["--write-out", "\n%{http_version} %{response_code}", &url])
        .output()
        .expect("curl runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", shown(&output));
    assert_eq!(said.matches("\n2 200").count(), 1, "over HTTP/2: {said}");
    assert!(said.contains("Hello"), "{said}");
}
