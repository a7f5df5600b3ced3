//! A node that cannot start, and visitors that it must not serve.

use super::told;
use crate::harness::{Data, Node, binary};
use crate::http::send;
use std::net::TcpListener;

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    for flag in ["--http", "--control", "--s3"] {
        let data = Data::fresh();
        let mut up = binary();
        up.arg("up");
        for free in ["--http", "--control", "--s3"] {
            up.args([free, if free == flag { &address } else { "127.0.0.1:0" }]);
        }
        let ended = up.arg("--data-dir").arg(data.path()).output().expect("the binary runs");
        told(&ended, 1, &["FN1401", &address, flag.trim_start_matches('-'), "try: fnctl up"]);
    }
}

#[test]
fn settings_that_do_not_make_sense_are_named_together() {
    let data = Data::fresh();
    let file = data.path().join("node.yaml");
    std::fs::write(&file, "htpp: 127.0.0.1:1\nlog: tape\n").expect("the settings are written");
    let ended = Node::command(&data).output().expect("the binary runs");
    told(&ended, 2, &["htpp", "did you mean", "http", "log", "tape", "segments or memory", "node.yaml"]);
}

#[test]
fn another_token_is_not_accepted() {
    let node = Node::start();
    let text = std::fs::read_to_string(node.kubeconfig()).expect("the kubeconfig is there");
    let value: serde_json::Value = serde_json::from_str(&text).expect("a kubeconfig in JSON, which is YAML");
    let token = value["users"][0]["user"]["token"].as_str().expect("a token");
    let folder = Data::fresh();
    let other = folder.path().join("kubeconfig");
    let file = other.display().to_string();
    for wrong in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &token[1..], ""] {
        std::fs::write(&other, text.replace(token, wrong)).expect("the kubeconfig is written");
        for command in
            [&["get", "ksvc"][..], &["deploy", "examples/hello/hello.wasm"], &["event", "list"], &["logs", "hello"]]
        {
            let mut fnctl = binary();
            fnctl.args(command).args(["--kubeconfig", &file]).current_dir(crate::harness::root());
            told(&fnctl.output().expect("the binary runs"), 1, &["FN1103", "does not accept this token", "try:"]);
        }
    }
    assert_eq!(node.text(&["get", "ksvc", "-o", "name"]), "");
}

#[test]
fn a_node_that_is_not_there_is_told_apart() {
    let node = Node::start();
    let folder = Data::fresh();
    let kept = folder.path().join("kubeconfig");
    std::fs::copy(node.kubeconfig(), &kept).expect("the kubeconfig is there");
    let (exit, _data) = node.stop();
    assert_eq!(exit, Some(0));
    let ask = |file: &str| binary().args(["get", "ksvc", "--kubeconfig", file]).output().expect("the binary runs");
    told(&ask(&kept.display().to_string()), 3, &["FN1102", "does not answer", "try: fnctl up"]);
    told(&ask("/nowhere/kubeconfig"), 3, &["FN1101", "/nowhere/kubeconfig"]);
}

/// A page of a stranger reaches the node under the stranger's name (DNS rebinding): reserved paths do not answer it.
#[test]
fn reserved_paths_know_their_hosts() {
    let node = Node::start();
    node.json(&["deploy", "examples/hello"]);
    for path in ["/-/healthz", "/-/function/default/hello/", "/-/broker/default/default"] {
        for stranger in ["attacker.example", "localhost.attacker.example", "127.0.0.1.attacker.example:80", "10.0.0.7"]
        {
            let answer = send(&node, &format!("GET {path} HTTP/1.1\nhost: {stranger}"), b"");
            assert_eq!(answer.status, 403, "{stranger} {path}: {answer:?}");
            assert!(answer.head.contains("x-fnctl-reason: foreign-host"), "{answer:?}");
        }
    }
    for own in ["localhost", "LOCALHOST:8080", "127.0.0.1", "[::1]:80"] {
        assert_eq!(send(&node, &format!("GET /-/healthz HTTP/1.1\nhost: {own}"), b"").status, 200, "{own}");
        let answer = send(&node, &format!("GET /-/function/default/hello/ HTTP/1.1\nhost: {own}"), b"");
        assert_eq!(answer.status, 200, "{own}: {answer:?}");
    }
    let answer = send(&node, "GET / HTTP/1.1\nhost: nobody.default.localhost", b"");
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(answer.body.contains("nobody.default.localhost"), "the host is named: {answer:?}");
}
