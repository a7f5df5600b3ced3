//! Data directories that cannot be written, and disks without room. File systems are real ones in memory, mounted where
//! only the node sees them.

use super::{apply, told};
use crate::harness::{Data, Node, skipped};
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
    told(&apply(node, BROKER), 0, &[]);
    node.text(&["wait", "broker/default", "--for", "condition=Ready"]);
    // The door opens a moment after the broker is ready.
    while send(node, "POST /-/broker/default/default HTTP/1.1\nhost: localhost", b"").status == 404 {
        std::thread::yield_now();
    }
}

fn publish(node: &Node, id: &str) -> Answer {
    let head = format!(
        "POST /-/broker/default/default HTTP/1.1\nhost: localhost\nce-specversion: 1.0\nce-id: {id}\nce-source: test\n\
         ce-type: com.example.disk"
    );
    send(node, &head, &[b'x'; 8 << 10])
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
    told(&apply(&node, &config_map("meanwhile")), 0, &[]);
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
