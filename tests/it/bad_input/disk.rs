//! Data directories that cannot be written, and disks without room. File systems are real ones in memory, mounted where
//! only the node sees them.

use super::told;
use crate::harness::{Data, Node, root, skipped};
use crate::http::{Answer, send};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Mounts, says so, and keeps the mount until its input ends.
const MOUNT: &str = r#"mount -t tmpfs -o "$1" tmpfs "$2" && echo mounted && exec cat"#;

/// A mount namespace in which a folder is a file system of its own. It ends with this value.
struct Mounted(Child);

impl Mounted {
    /// Mounts at the folder. Where this machine does not allow it the check is skipped, and says so; in CI it fails.
    #[allow(clippy::disallowed_methods, reason = "whether this is CI is a setting of the tests, not of a node")]
    fn at(folder: &Data, options: &str) -> Option<Self> {
        // Owned from the first moment, so that it is ended and waited for on every way out.
        let mut holder = Self(
            Command::new("unshare")
                .args(["--mount", "sh", "-c", MOUNT, "sh", options])
                .arg(folder.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("unshare runs"),
        );
        let mut line = String::new();
        let said = holder.0.stdout.take().expect("stdout is piped");
        BufReader::new(said).read_line(&mut line).expect("the holder speaks or ends");
        if line == "mounted\n" {
            return Some(holder);
        }
        assert!(std::env::var_os("CI").is_none(), "a file system cannot be mounted: run as root");
        skipped("a file system cannot be mounted here; run as root");
        None
    }

    /// `fnctl up` that sees the mount.
    fn command(&self, data: &Data) -> Command {
        let up = Node::command(data);
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--mount=/proc/{}/ns/mnt", self.0.id()))
            .arg("--")
            .arg(up.get_program())
            .args(up.get_args());
        command
    }

    fn start(&self, data: Data) -> Node {
        let command = self.command(&data);
        let mut node = Node::spawn(command, data);
        // The file system is seen from here through the process that holds it.
        let kubeconfig = node.kubeconfig();
        node.ready["kubeconfig"] = format!("/proc/{}/root{}", self.0.id(), kubeconfig.display()).into();
        node
    }

    /// A file in the file system.
    fn path(&self, folder: &Data, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.0.id(), folder.path().join(name).display()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const BROKER: &str = "{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: default}}";

fn config_map(name: &str) -> String {
    format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{key: value}}}}")
}

fn make_broker(node: &Node) {
    told(&node.try_apply(BROKER), 0, &[]);
    node.text(&["wait", "broker/default", "--for", "condition=Ready"]);
}

fn publish(node: &Node, id: &str) -> Answer {
    publish_bytes(node, id, &[b'x'; 8 << 10])
}

fn publish_bytes(node: &Node, id: &str, bytes: &[u8]) -> Answer {
    let head = format!(
        "POST /-/broker/default/default HTTP/1.1\nhost: localhost\nce-specversion: 1.0\nce-id: {id}\nce-source: test\n\
         ce-type: com.example.disk"
    );
    send(node, &head, bytes)
}

/// Ids of all events that the broker keeps.
fn kept(node: &Node) -> BTreeSet<String> {
    let listed = node.text(&["event", "list", "--limit", "100000", "-o", "json"]);
    let id = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON a line")["id"].as_str().map(str::to_owned)
    };
    listed.lines().map(|line| id(line).expect("an id")).collect()
}

/// Writes until the file system takes no more, or so many bytes.
fn fill(path: &PathBuf, bytes: u64) {
    let mut file = File::create(path).expect("a file");
    let written = std::io::copy(&mut std::io::repeat(0).take(bytes), &mut file);
    assert!(written.is_ok() || bytes == u64::MAX, "{written:?}");
    let _ = file.flush();
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let folder = Data::fresh();
    let file = folder.path().join("taken");
    std::fs::write(&file, "").expect("a file");
    for place in [file.clone(), file.join("below")] {
        let place = place.display().to_string();
        let ended = crate::harness::binary()
            .args(["up", "--http", "127.0.0.1:0", "--data-dir", &place])
            .output()
            .expect("the binary runs");
        told(&ended, 1, &["FN1401", &place, "cannot be used", "fnctl up --data-dir"]);
    }
    let data = Data::fresh();
    let Some(read_only) = Mounted::at(&data, "ro,size=1m") else { return };
    let ended = read_only.command(&data).output().expect("nsenter runs");
    told(&ended, 1, &["FN1401", &data.path().display().to_string(), "Read-only file system", "fnctl up --data-dir"]);
}

/// Below its low-water mark a broker takes no events, and everything else goes on.
#[test]
fn a_disk_with_little_room_takes_no_events() {
    let data = Data::fresh();
    let Some(disk) = Mounted::at(&data, "size=320m") else { return };
    let filler = disk.path(&data, "filler");
    let node = disk.start(data);
    make_broker(&node);
    assert_eq!(publish(&node, "before").status, 202);
    fill(&filler, 100 << 20);
    let refused = publish(&node, "refused");
    assert_eq!(refused.status, 507, "{refused:?}");
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    assert!(refused.body.contains("268435456"), "what must stay free is said: {refused:?}");
    told(&node.try_apply(&config_map("meanwhile")), 0, &[]);
    std::fs::remove_file(&filler).expect("the filler goes");
    assert_eq!(publish(&node, "after").status, 202);

    let node = disk.start(node.kill());
    assert_eq!(kept(&node), ["after", "before"].map(str::to_owned).into(), "what was answered 202, and nothing else");
}

/// On a disk that is full to the last byte, events that were taken stay, others are refused, functions answer, and when
/// there is room again events are taken without a restart.
#[test]
fn a_full_disk_loses_no_event_and_passes() {
    let data = Data::fresh();
    let Some(disk) = Mounted::at(&data, "size=320m") else { return };
    let filler = disk.path(&data, "filler");
    let node = disk.start(data);
    node.json(&["deploy", "examples/hello"]);
    make_broker(&node);
    let accepted: BTreeSet<String> =
        (0..50).map(|n| format!("before-{n}")).filter(|id| publish(&node, id).status == 202).collect();
    assert_eq!(accepted.len(), 50);

    fill(&filler, u64::MAX);
    assert_eq!(publish(&node, "refused").status, 507);
    assert_eq!(node.json(&["invoke", "hello"])["status"], 200, "functions answer");
    assert_eq!(kept(&node), accepted, "events can be read");

    std::fs::remove_file(&filler).expect("the filler goes");
    assert_eq!(publish(&node, "after").status, 202);
    let node = disk.start(node.kill());
    let mut accepted = accepted;
    accepted.insert("after".to_owned());
    assert_eq!(kept(&node), accepted);
    assert_eq!(node.json(&["invoke", "hello"])["status"], 200);
}

/// A ConfigMap near the limit of Kubernetes.
fn large(name: &str) -> String {
    let value = "x".repeat(900 << 10);
    format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{key: {value}}}}}")
}

/// The ConfigMaps that there are, beside those that other tests' parts of the node make.
fn config_maps(node: &Node) -> BTreeSet<String> {
    let listed = node.json(&["get", "configmap"]);
    let items = listed["items"].as_array().expect("a list").iter();
    items.map(|item| item["metadata"]["name"].as_str().expect("a name").to_owned()).collect()
}

/// Objects are refused before the last byte is taken, so that reads, functions and the state of triggers go on; a disk
/// that somebody else filled meanwhile changes nothing of that, and no restart is needed.
#[test]
fn a_full_disk_refuses_objects_at_once_and_passes() {
    let data = Data::fresh();
    let Some(disk) = Mounted::at(&data, "size=320m") else { return };
    let (filler, rest) = (disk.path(&data, "filler"), disk.path(&data, "rest"));
    let node = disk.start(data);
    node.json(&["deploy", "examples/hello"]);
    let mut stored = config_maps(&node);
    let refused = |manifest: &str| told(&node.try_apply(manifest), 1, &["FN1203", "bytes left", "free some space"]);

    // Up to the low-water mark by what the node itself writes.
    fill(&filler, 225 << 20);
    let mut number = 0;
    loop {
        let name = format!("large-{number}");
        let ended = node.try_apply(&large(&name));
        if !ended.status.success() {
            refused(&large(&name));
            break;
        }
        stored.insert(name);
        number += 1;
    }
    assert!(number > 10, "{number} objects were taken");
    // A component that the node does not have: hello, with an empty section of its own.
    let (folder, unused_section) = (Data::fresh(), [0, 2, 1, b'x']);
    let file = folder.path().join("another.wasm");
    let hello = std::fs::read(root().join("examples/hello/hello.wasm")).expect("it ships with its source");
    std::fs::write(&file, [hello.as_slice(), &unused_section].concat()).expect("the file is written");
    let deploy = || node.fnctl(&["deploy", &file.display().to_string()]);
    told(&deploy(), 1, &["507", "bytes left", "free some space"]);
    // To the last byte by somebody else, while the node writes.
    std::thread::scope(|scope| {
        scope.spawn(|| fill(&rest, u64::MAX));
        for _ in 0..3 {
            refused(&config_map("small"));
        }
    });
    refused(&config_map("small"));
    assert_eq!(config_maps(&node), stored, "what was acknowledged can be read");
    assert_eq!(node.json(&["invoke", "hello"])["status"], 200, "functions answer");

    std::fs::remove_file(&rest).expect("the rest goes");
    refused(&config_map("small"));
    std::fs::remove_file(&filler).expect("the filler goes");
    told(&node.try_apply(&config_map("after")), 0, &[]);
    told(&deploy(), 0, &[]);
    stored.insert("after".to_owned());
    assert_eq!(config_maps(&node), stored);
    let node = disk.start(node.kill());
    assert_eq!(config_maps(&node), stored);
    assert_eq!(node.json(&["invoke", "hello"])["status"], 200);
}

/// A write that fails for another reason than want of room: files may not grow beyond a limit of the process. The node
/// ends, so that what watches it starts it again, and nothing that was acknowledged is lost.
#[test]
fn a_log_that_failed_ends_the_node() {
    const LIMITED: &str = r#"trap "" XFSZ && exec prlimit --fsize=12582912 "$@""#;
    let data = Data::fresh();
    let (up, said) = (Node::command(&data), data.path().join("said"));
    let mut command = Command::new("sh");
    command.args(["-c", LIMITED, "sh"]).arg(up.get_program()).args(up.get_args());
    command.stderr(File::create(&said).expect("a file"));
    let node = Node::spawn(command, data);
    make_broker(&node);
    let bytes = vec![b'x'; 1 << 19];
    let mut accepted = BTreeSet::new();
    let refused = loop {
        let id = format!("event-{}", accepted.len());
        let answer = publish_bytes(&node, &id, &bytes);
        if answer.status != 202 {
            break answer;
        }
        accepted.insert(id);
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(accepted.len() > 10, "{accepted:?}");
    let (code, data) = node.ended();
    let said = std::fs::read_to_string(said).expect("what the node said");
    assert_eq!(code, Some(1), "{said}");
    for word in ["FN1402", "the event log of broker default/default", "File too large", "fnctl up"] {
        assert!(said.contains(word), "{word:?} is not said: {said}");
    }
    let kept = kept(&Node::start_in(data));
    assert!(kept.is_superset(&accepted), "{:?}", accepted.difference(&kept).collect::<Vec<_>>());
}
