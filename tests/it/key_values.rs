//! Key-value stores of functions on a real node: what a guest wrote is there after the node was killed.

use crate::harness::{Node, root};
use crate::http::send;

fn ask(node: &Node, request: &str, body: &str) -> (u16, String) {
    let answer = send(node, &format!("{request} HTTP/1.1\nhost: storage.default.localhost"), body.as_bytes());
    (answer.status, answer.body)
}

fn said(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

#[test]
fn values_survive_a_kill() {
    let node = Node::start();
    let component = root().join("examples/guests/storage.wasm").display().to_string();
    let annotations = "{fnctl.dev/key-value: 'notes,counters', fnctl.dev/buckets: out=write}";
    node.apply(&format!(
        "{{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {{name: storage}}, spec: {{template: {{
              metadata: {{annotations: {annotations}}}, spec: {{containers: [{{image: '{component}'}}]}}}}}}}}"
    ));
    node.text(&["wait", "ksvc/storage", "--for", "condition=Ready"]);
    assert_eq!(ask(&node, "PUT /value/notes/k", "remember"), said(""));
    assert_eq!(ask(&node, "POST /count/counters/n", ""), said("1"));
    assert_eq!(ask(&node, "POST /count/counters/n", ""), said("2"));
    let node = Node::start_in(node.kill());
    assert_eq!(ask(&node, "GET /value/notes/k", ""), said("remember"));
    assert_eq!(ask(&node, "GET /value/counters/k", ""), said(""), "stores are apart");
    assert_eq!(ask(&node, "POST /count/counters/n", ""), said("3"));
    let (status, reason) = ask(&node, "POST /count/notes/k", "");
    assert!(status == 502 && reason.contains("the value is no counter"), "{status} {reason}");
}
