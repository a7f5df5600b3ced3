//! The node's buckets, used by a stock S3 client: boto3, through `tests/clients/s3.py`; and the events that they become.

use crate::harness::{Node, root, shown, until};
use crate::serving::tool_path;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SOURCE: &str = "
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
---
apiVersion: sources.fnctl.dev/v1alpha1
kind: BucketSource
metadata: {name: films}
spec:
  bucket: films
  sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: default}}
";

/// The S3 client of the tests.
#[derive(Clone)]
pub(crate) struct Client {
    python: PathBuf,
}

/// Keys and the SHA-256 of what is under them.
pub(crate) type Objects = BTreeMap<String, String>;

impl Client {
    /// None where it is not installed, which is said; in CI that fails.
    pub(crate) fn installed() -> Option<Self> {
        Some(Self { python: tool_path("s3/bin/python")? })
    }

    /// The folder of all tools of the tests.
    pub(crate) fn tools(&self) -> &Path {
        self.python.ancestors().nth(3).expect("the tools' folder holds s3/bin/python")
    }

    /// The script with its arguments, to a node, not started. It sees nothing of this machine's settings.
    pub(crate) fn command(&self, node: &Node, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command.env_clear().env("HOME", "/nonexistent").arg(root().join("tests/clients/s3.py")).args(arguments);
        let fields = ["endpoint", "accessKey", "secretKey", "region"];
        for (variable, field) in ["S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_REGION"].iter().zip(fields) {
            command.env(variable, node.ready["s3"][field].as_str().expect("the ready line says where the buckets are"));
        }
        command
    }

    fn run(&self, node: &Node, arguments: &[&str]) -> Vec<Value> {
        let output = self.command(node, arguments).stdin(Stdio::null()).output().expect("python starts");
        assert!(output.status.success(), "s3.py {arguments:?}: {}", shown(&output));
        lines(&String::from_utf8_lossy(&output.stdout))
    }

    /// Puts every file of a folder, under its path there.
    pub(crate) fn put(&self, node: &Node, bucket: &str, folder: &Path) -> Objects {
        objects(&self.run(node, &["put", bucket, &folder.display().to_string()]))
    }

    /// Every object of a bucket.
    pub(crate) fn list(&self, node: &Node, bucket: &str) -> Objects {
        objects(&self.run(node, &["list", bucket]))
    }

    /// Every object of a bucket, kept in a folder by its SHA-256.
    pub(crate) fn get(&self, node: &Node, bucket: &str, folder: &Path) -> Objects {
        objects(&self.run(node, &["list", bucket, &folder.display().to_string()]))
    }
}

/// JSON lines.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("no JSON ({e}): {line}"))).collect()
}

/// What the script said of objects.
pub(crate) fn objects(said: &[Value]) -> Objects {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    said.iter().map(|object| (text(&object["key"]), text(&object["sha256"]))).collect()
}

/// Events of a broker, oldest first.
pub(crate) fn events(node: &Node, broker: &str) -> Vec<Value> {
    lines(&node.text(&["event", "list", "--broker", broker, "--limit", "1000", "-o", "json"]))
}

#[test]
fn a_stock_client_works_and_every_change_is_an_event() {
    let Some(client) = Client::installed() else { return };
    let node = Node::start();
    node.apply(SOURCE);
    node.text(&["wait", "bucketsource/films", "--for", "condition=Ready"]);
    let changes = client.run(&node, &["check"]);
    assert!(changes.len() > 15, "{changes:?}");
    let arrived = until("an event of each change", || {
        Some(events(&node, "default")).filter(|arrived| arrived.len() >= changes.len())
    });
    assert_eq!(arrived.len(), changes.len(), "one event for each change");
    for (event, change) in arrived.iter().zip(&changes) {
        let action = change["action"].as_str().expect("a text");
        assert_eq!(event["type"], format!("com.amazonaws.s3.{action}"), "in the order of the changes: {event}");
        assert_eq!(event["subject"], change["key"]);
        assert_eq!(event["source"], "aws:s3.us-east-1.films");
        assert_eq!(event["data"]["eventName"], change["action"]);
        let encoded = event["data"]["s3"]["object"]["key"].as_str().expect("a key");
        assert!(encoded.is_ascii() && !encoded.contains([' ', '"', '#']), "encoded as a form does: {encoded}");
    }
    let sequence: Vec<_> = arrived.iter().map(|event| event["sequencer"].as_str()).collect();
    assert!(sequence.is_sorted_by(|one, next| one < next), "{sequence:?}");
}

/// The same changes, and a source that is about one kind of them.
#[test]
fn a_source_tells_of_what_it_names_alone() {
    let Some(client) = Client::installed() else { return };
    let node = Node::start();
    node.apply(&SOURCE.replace("  bucket: films", "  bucket: films\n  eventTypes: ['s3:ObjectRemoved:*']"));
    node.text(&["wait", "bucketsource/films", "--for", "condition=Ready"]);
    let changes = client.run(&node, &["check"]);
    let removed = changes.iter().filter(|change| change["action"] == "ObjectRemoved:Delete").count();
    let arrived =
        until("an event of each removal", || Some(events(&node, "default")).filter(|arrived| arrived.len() >= removed));
    assert_eq!(arrived.len(), removed);
    assert!(arrived.iter().all(|event| event["type"] == "com.amazonaws.s3.ObjectRemoved:Delete"), "{arrived:?}");
}
