//! Messages that are no events, refused with the attribute at fault; nothing of them is kept.

use super::told;
use crate::harness::Node;
use crate::http::{exchange, send};
use serde_json::{Value, json};

const BROKER: &str = "{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: default}}";
/// An event in binary mode: each line may be left out.
const EVENT: &str = "POST /-/broker/default/default HTTP/1.1\nhost: localhost\nce-specversion: 1.0\nce-id: 1\nce-source: test\n\
    ce-type: com.example.test\ncontent-type: application/json";

fn node_with_broker() -> Node {
    let node = Node::start();
    told(&node.try_apply(BROKER), 0, &[]);
    node.text(&["wait", "broker/default", "--for", "condition=Ready"]);
    node
}

/// The event without a line, or with another in its place.
fn with(line: &str, instead: &str) -> String {
    assert!(EVENT.contains(line), "{line} is no line of the event");
    let instead = if instead.is_empty() { String::new() } else { format!("\n{instead}") };
    EVENT.replace(&format!("\n{line}"), &instead)
}

fn is_empty(node: &Node) -> bool {
    node.text(&["event", "list", "-o", "json"]).trim().is_empty()
}

#[test]
fn flags_that_make_no_event_are_named() {
    let node = node_with_broker();
    for (flags, words) in [
        (["--extension", "reason"], ["\"reason\"", "NAME=VALUE"]),
        (["--extension", "id=2"], ["\"id=2\"", "no extension"]),
        (["--source", ""], ["source", "not valid"]),
    ] {
        told(&node.fnctl(&[&["event", "send", "--type", "com.example.test"], flags.as_slice()].concat()), 2, &words);
    }
    assert!(is_empty(&node));
}

#[test]
fn an_attribute_at_fault_is_named() {
    let node = node_with_broker();
    let table: [(String, &str, &str); 10] = [
        (with("ce-id: 1", ""), "id", "missing"),
        (with("ce-source: test", ""), "source", "missing"),
        (with("ce-type: com.example.test", ""), "type", "missing"),
        (with("ce-specversion: 1.0", ""), "specversion", "missing"),
        (with("ce-specversion: 1.0", "ce-specversion: 0.3"), "specversion", "0.3"),
        (with("ce-id: 1", "ce-id: "), "id", "empty"),
        (with("ce-id: 1", "ce-id: 1\nce-id: 2"), "id", "more than once"),
        (with("ce-source: test", "ce-source: not a uri"), "source", "URI"),
        (with("ce-id: 1", "ce-id: 1\nce-not_allowed: 1"), "not_allowed", "lower-case"),
        (with("ce-id: 1", "ce-id: 1\nce-time: yesterday"), "time", "yesterday"),
    ];
    for (head, attribute, says) in table {
        let answer = send(&node, &head, b"{}");
        assert_eq!(answer.status, 400, "{head}\n{answer:?}");
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("no JSON ({e}): {answer:?}"));
        assert_eq!(body["attribute"], attribute, "{head}\n{body}");
        let error = body["error"].as_str().unwrap_or_default();
        assert!(error.contains(&format!("{attribute:?}")) && error.contains(says), "{says:?} is not said: {error:?}");
    }
    assert!(is_empty(&node), "nothing that was refused is kept");
    assert_eq!(send(&node, EVENT, b"{}").status, 202, "the event itself is good");
    assert!(!is_empty(&node));
}

#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    let node = node_with_broker();
    let head =
        "POST /-/broker/default/default HTTP/1.1\nhost: localhost\ncontent-type: application/cloudevents-batch+json";
    let event = |id: &str| json!({"specversion": "1.0", "id": id, "source": "test", "type": "com.example.test"});
    let mut batch = json!([event("one"), event("two"), event("three")]);
    batch[1].as_object_mut().expect("an event").remove("type");
    let answer = send(&node, head, batch.to_string().as_bytes());
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.body.contains("\\\"type\\\""), "the attribute is named: {answer:?}");
    assert!(answer.body.contains("event 1") || answer.body.contains("event 2"), "the event is named: {answer:?}");
    assert!(is_empty(&node), "the good ones were not taken either");
    let why = node.fnctl(&["event", "why", "one"]);
    told(&why, 1, &["one"]);
    assert!(
        crate::harness::shown(&why).contains("400"),
        "its sender's answer is remembered: {}",
        crate::harness::shown(&why)
    );

    assert_eq!(send(&node, head, json!([event("one"), event("two")]).to_string().as_bytes()).status, 202);
    assert_eq!(node.text(&["event", "list", "-o", "json"]).lines().count(), 2);
}

#[test]
fn what_is_too_large_or_of_no_type_is_refused() {
    let node = node_with_broker();
    let announced = exchange(node.address(), &format!("{EVENT}\ncontent-length: 1048577"), b"");
    assert_eq!(announced.status, 413, "{announced:?}");
    assert!(announced.body.contains("1048576"), "the limit is named: {announced:?}");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let streamed = exchange(node.address(), &format!("{EVENT}\ntransfer-encoding: chunked"), &chunk.repeat(17));
    assert_eq!(streamed.status, 413, "{streamed:?}");

    let form =
        "POST /-/broker/default/default HTTP/1.1\nhost: localhost\ncontent-type: application/x-www-form-urlencoded";
    let answer = send(&node, form, b"a=b");
    assert_eq!(answer.status, 415, "{answer:?}");
    assert!(answer.head.contains("accept: application/cloudevents"), "what is taken is said: {answer:?}");
    let answer = send(&node, &format!("{EVENT}\ncontent-encoding: gzip"), b"\x1f\x8b");
    assert_eq!(answer.status, 415, "{answer:?}");
    assert!(answer.head.contains("accept-encoding: identity"), "what is taken is said: {answer:?}");
    let answer = send(&node, &EVENT.replace("POST", "PUT"), b"{}");
    assert_eq!(answer.status, 405, "{answer:?}");
    assert!(answer.head.contains("allow: POST"), "{answer:?}");
    let structured = EVENT.replace("application/json", "application/cloudevents+json");
    assert_eq!(send(&node, &structured, b"{not json").status, 400);
    assert!(is_empty(&node));
    // One byte less is an event.
    let largest = exchange(node.address(), &format!("{EVENT}\ncontent-length: 1048576"), &vec![b' '; 1 << 20]);
    assert_eq!(largest.status, 202, "{largest:?}");
}

#[test]
fn an_unknown_broker_is_named() {
    let node = node_with_broker();
    let answer = send(&node, &EVENT.replace("/default/default", "/shop/orders"), b"{}");
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(answer.body.contains("shop/orders"), "{answer:?}");
    let sent = node.fnctl(&["event", "send", "--broker", "orders", "--type", "x"]);
    told(&sent, 1, &["FN1201", "orders"]);
}
