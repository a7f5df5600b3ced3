//! Events on a real node: accepted, filtered, delivered, explained, parked and redriven; and what a kill leaves.

use crate::harness::{Data, Node, shown, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

const BROKER_AND_TRIGGER: &str = r#"
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: greetings}
spec:
  broker: default
  filters:
  - prefix: {type: com.example.}
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: hello}}
"#;

/// Nobody listens on the discard port of this machine.
const NOWHERE: &str = r#"
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: nowhere}
spec:
  broker: default
  filters:
  - exact: {type: com.example.lost}
  delivery: {retry: 1, backoffPolicy: linear, backoffDelay: PT0.1S}
  subscriber: {uri: "http://127.0.0.1:9/"}
"#;

fn node_with_broker() -> Node {
    let node = Node::start();
    node.json(&["deploy", "examples/hello"]);
    node.apply(BROKER_AND_TRIGGER);
    node.text(&["wait", "trigger/greetings", "--for", "condition=Ready"]);
    node
}

/// Asks `event why` until the trigger's outcome is final, and answers that trigger's row.
pub(crate) fn outcome(node: &Node, id: &str, trigger: &str) -> Value {
    until(&format!("the outcome of {id} for {trigger}"), || {
        let answer = node.json(&["event", "why", id, "--trigger", trigger]);
        let row = answer["triggers"][0].clone();
        let outcome = row["outcome"].as_str().unwrap_or_else(|| panic!("trigger {trigger} is not in {answer}"));
        (!matches!(outcome, "pending" | "retrying")).then_some(row)
    })
}

#[test]
fn an_event_is_delivered_filtered_and_explained() {
    let node = node_with_broker();
    let sent =
        node.json(&["event", "send", "--type", "com.example.greeting", "--id", "one", "--data", r#"{"to":"you"}"#]);
    assert_eq!(sent["accepted"], 1);
    assert_eq!(sent["events"][0]["id"], "one");
    assert!(sent["events"][0]["position"].is_string(), "{sent}");
    let row = outcome(&node, "one", "greetings");
    assert_eq!(row["outcome"], "delivered", "{row}");
    assert_eq!(row["attempts"][0]["status"], 200, "{row}");
    node.json(&["event", "send", "--type", "com.example.greeting", "--id", "again"]);
    assert_eq!(outcome(&node, "again", "greetings")["outcome"], "delivered");
    let logs = node.text(&["logs", "hello", "--event", "one"]);
    assert!(logs.contains("event one ") && !logs.contains("event again "), "what the function saw of it: {logs}");

    node.json(&["event", "send", "--type", "org.other", "--id", "two"]);
    let row = outcome(&node, "two", "greetings");
    assert_eq!(row["outcome"], "filtered", "{row}");
    assert!(row["reason"].as_str().is_some_and(|reason| reason.contains("type")), "the reason names the clause: {row}");

    let listed = node.text(&["event", "list"]);
    assert!(listed.contains("com.example.greeting") && listed.contains("org.other"), "{listed}");
    let shown_event = node.json(&["event", "show", "one"]);
    assert_eq!(shown_event["data"], json!({"to": "you"}), "{shown_event}");
    let unknown = node.fnctl(&["event", "why", "never-seen"]);
    assert_eq!(unknown.status.code(), Some(1), "{}", shown(&unknown));
}

#[test]
fn a_refused_event_says_why() {
    let node = node_with_broker();
    let refused =
        node.fnctl(&["event", "send", "--type", "com.example.x", "--id", "bad", "--extension", "not_allowed=1"]);
    assert_eq!(refused.status.code(), Some(2), "{}", shown(&refused));
    assert!(shown(&refused).contains("not_allowed"), "the attribute is named: {}", shown(&refused));
    let unknown_broker = node.fnctl(&["event", "send", "--broker", "nothing", "--type", "x"]);
    assert_eq!(unknown_broker.status.code(), Some(1), "{}", shown(&unknown_broker));
}

#[test]
fn an_exhausted_event_is_parked_and_redriven() {
    let node = node_with_broker();
    node.apply(NOWHERE);
    node.text(&["wait", "trigger/nowhere", "--for", "condition=Ready"]);
    node.json(&["event", "send", "--type", "com.example.lost", "--id", "lost"]);
    let row = outcome(&node, "lost", "nowhere");
    assert_eq!(row["outcome"], "parked", "{row}");
    assert_eq!(row["attempts"].as_array().map(Vec::len), Some(2), "one try and one retry: {row}");
    let parked = node.json(&["dlq", "list", "--trigger", "nowhere"]);
    assert_eq!(parked["attempts"], 2, "{parked}");
    let id = parked["id"].as_str().expect("an id");
    assert!(node.text(&["dlq", "list"]).lines().any(|row| row.starts_with(id)));
    let whole = node.json(&["dlq", "show", id]);
    assert_eq!((&whole["reason"], &whole["event"]["id"]), (&json!("exhausted"), &json!("lost")), "{whole}");
    let shown = node.text(&["dlq", "show", id]);
    assert!(shown.starts_with(&format!("{id} of trigger default/nowhere: exhausted after 2 attempts")), "{shown}");

    let refused = node.fnctl(&["dlq", "redrive", "--trigger", "nowhere", "-o", "json"]);
    let said = crate::harness::shown(&refused);
    assert_eq!(refused.status.code(), Some(1), "nobody took it: {said}");
    assert!(said.contains("1 events stay parked") && said.contains(&format!("{id} was sent again")), "{said}");
    node.apply(&NOWHERE.replace(
        r#"{uri: "http://127.0.0.1:9/"}"#,
        "{ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: hello}}",
    ));
    node.text(&["wait", "trigger/nowhere", "--for", "condition=Ready"]);
    let redriven = node.json(&["dlq", "redrive", "--trigger", "nowhere"]);
    assert_eq!(redriven["redriven"], 1, "{redriven}");
    assert_eq!(outcome(&node, "lost", "nowhere")["outcome"], "delivered");
    assert_eq!(node.text(&["dlq", "list", "--trigger", "nowhere"]), "");
}

#[test]
fn a_parked_event_is_dropped_when_that_is_meant() {
    let node = node_with_broker();
    node.apply(NOWHERE);
    node.text(&["wait", "trigger/nowhere", "--for", "condition=Ready"]);
    for id in ["one", "two"] {
        node.json(&["event", "send", "--type", "com.example.lost", "--id", id]);
        assert_eq!(outcome(&node, id, "nowhere")["outcome"], "parked");
    }
    let ids = || -> Vec<String> {
        let listed = node.text(&["dlq", "list", "-o", "json"]);
        let id =
            |line: &str| serde_json::from_str::<Value>(line).expect("JSON a line")["id"].as_str().map(str::to_owned);
        listed.lines().map(|line| id(line).expect("an id")).collect()
    };
    let before = ids();
    let unsure = node.fnctl(&["dlq", "drop", &before[0]]);
    assert_eq!(unsure.status.code(), Some(2), "{}", shown(&unsure));
    assert!(shown(&unsure).contains("--yes") && ids() == before, "{}", shown(&unsure));
    assert_eq!(node.json(&["dlq", "drop", &before[0], "--yes"])["dropped"], before[0].as_str());
    assert_eq!(ids(), before[1..]);
    for (id, code) in [(before[0].as_str(), 1), ("parked-x", 2)] {
        for command in [&["dlq", "show", id][..], &["dlq", "drop", id, "--yes"]] {
            let refused = node.fnctl(command);
            assert_eq!(refused.status.code(), Some(code), "{command:?}: {}", shown(&refused));
        }
    }
}

/// A broker that cannot be opened says why, and becomes ready by itself when what was in its way has gone.
#[test]
fn a_broker_that_could_not_be_opened_becomes_ready_without_a_change() {
    let node = node_with_broker();
    node.json(&["event", "send", "--type", "com.example.greeting", "--id", "one"]);
    let uid = node.json(&["get", "broker", "default"])["metadata"]["uid"].as_str().expect("a uid").to_owned();
    let data = node.kill();
    let lock = File::open(data.path().join("broker").join(uid).join("log/lock")).expect("the log's lock");
    lock.try_lock().expect("nobody has it");

    let node = Node::start_in(data);
    node.text(&["wait", "broker/default", "--for", "condition=Ready=False"]);
    let broker = node.json(&["get", "broker", "default"]).to_string();
    for word in ["NotServed", "in use by another process", "tried again by itself"] {
        assert!(broker.contains(word), "{word:?} is not said: {broker}");
    }
    drop(lock);
    // Whoever waits for it is told at once that it is not ready, until it is.
    for object in ["broker/default", "trigger/greetings"] {
        until(&format!("{object} is ready"), || {
            node.fnctl(&["wait", object, "--for", "condition=Ready"]).status.success().then_some(())
        });
    }
    assert_eq!(outcome(&node, "one", "greetings")["outcome"], "delivered");
    node.json(&["event", "send", "--type", "com.example.greeting", "--id", "two"]);
    assert_eq!(outcome(&node, "two", "greetings")["outcome"], "delivered");
}

/// A broker that is deleted takes its events with it, and leaves those of others alone.
#[test]
fn a_deleted_brokers_events_are_gone() {
    let node = node_with_broker();
    node.apply(&BROKER_AND_TRIGGER.replace("default", "other").replace("greetings", "others"));
    node.text(&["wait", "trigger/others", "--for", "condition=Ready"]);
    let uid = |node: &Node, name| node.json(&["get", "broker", name])["metadata"]["uid"].as_str().map(str::to_owned);
    let folder = |uid: Option<String>| node.data.path().join("broker").join(uid.expect("a uid"));
    let (kept, first) = (folder(uid(&node, "default")), folder(uid(&node, "other")));
    for broker in ["default", "other"] {
        node.json(&["event", "send", "--broker", broker, "--type", "com.example.greeting", "--id", "one"]);
    }
    node.text(&["delete", "broker", "other"]);
    node.apply(&BROKER_AND_TRIGGER.replace("default", "other").replace("greetings", "others"));
    node.text(&["wait", "broker/other", "--for", "condition=Ready"]);
    assert_eq!(node.text(&["event", "list", "--broker", "other"]).lines().count(), 0, "it begins anew");
    assert!(!first.try_exists().expect("an answer") && folder(uid(&node, "other")).is_dir() && kept.is_dir());
    assert_eq!(outcome(&node, "one", "greetings")["outcome"], "delivered");
}

/// Sends events one after another until the node is gone, and answers the ids of those that it accepted.
fn send_until_killed(address: &str, from: usize) -> BTreeSet<String> {
    let mut accepted = BTreeSet::new();
    for number in from.. {
        let id = format!("event-{number}");
        let Ok(answer) = post(address, &id) else { break };
        if answer.starts_with("HTTP/1.1 202") {
            accepted.insert(id);
        }
    }
    accepted
}

fn post(address: &str, id: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let head = format!(
        "POST /-/broker/default/default HTTP/1.1\r\nhost: localhost\r\nce-specversion: 1.0\r\nce-type: com.example.kill\r\n\
         ce-source: test\r\nce-id: {id}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// What a kill left of the events that were accepted before it, by the node that came after.
struct AfterKill {
    /// Not delivered.
    lost: BTreeSet<String>,
    /// Delivered, and said to have been given more than once.
    redelivered: usize,
}

fn after_kill(settings: &str) -> AfterKill {
    let data = Data::fresh();
    std::fs::write(data.path().join("node.yaml"), settings).expect("the settings are written");
    let node = Node::start_in(data);
    node.json(&["deploy", "examples/hello"]);
    node.apply(BROKER_AND_TRIGGER);
    node.text(&["wait", "trigger/greetings", "--for", "condition=Ready"]);
    let address =
        node.ready["http"].as_str().and_then(|url| url.strip_prefix("http://")).expect("an address").to_owned();
    let sender = std::thread::spawn(move || send_until_killed(&address, 0));
    // Killed in the middle of its work: when the hundredth event is in.
    until("the hundredth event", || node.fnctl(&["event", "show", "event-100"]).status.success().then_some(()));
    let data = node.kill();
    let accepted = sender.join().expect("the sender ends with the node");
    assert!(accepted.len() >= 100, "only {} events were accepted", accepted.len());
    let node = Node::start_in(data);
    let mut left = AfterKill { lost: BTreeSet::new(), redelivered: 0 };
    for id in accepted {
        let known = node.fnctl(&["event", "why", id.as_str(), "--trigger", "greetings"]);
        let row = if known.status.success() { outcome(&node, &id, "greetings") } else { Value::Null };
        if row["outcome"] != "delivered" {
            left.lost.insert(id);
        } else if row["redeliveries"].as_u64().is_some_and(|times| times > 0) {
            let attempts = row["attempts"].as_array().expect("attempts");
            assert!(attempts.iter().any(|attempt| attempt["redelivered"] == true), "{row}");
            left.redelivered += 1;
        }
    }
    left
}

#[test]
fn a_kill_loses_no_accepted_event() {
    let left = after_kill("log: segments\n");
    assert!(left.lost.is_empty(), "accepted with 202 and lost: {:?}", left.lost);
    assert!(left.redelivered > 0, "what was under way is given again, and that is said");
}

/// The same test must see the loss where a broker answers before it writes.
#[test]
fn the_kill_test_sees_a_log_in_memory() {
    let left = after_kill("log: memory\n");
    assert!(!left.lost.is_empty(), "a log in memory cannot survive a kill");
}
