//! A function's life on a real node: deployed, called, scaled to zero and back, changed, removed; and the same through
//! the real kubectl and kn.

use crate::harness::{Data, Node, root, shown, skipped, until};
use crate::http::send;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[test]
fn a_newcomer_deploys_calls_and_looks() {
    let node = Node::start();
    let deployed = node.json(&["deploy", "examples/hello"]);
    assert_eq!(deployed["ready"], true, "{deployed}");
    assert_eq!(deployed["revision"], "hello-00001");

    let table = node.text(&["get", "ksvc", "hello"]);
    let row = table.lines().nth(1).expect("a row");
    assert!(row.trim_end().ends_with("True           1"), "how many instances is known once it is ready: {table}");

    let answer = node.json(&["invoke", "hello"]);
    assert_eq!(answer["status"], 200, "{answer}");
    assert!(answer["body"].as_str().is_some_and(|body| body.contains("Hello")), "{answer}");
    assert!(answer["headers"]["server-timing"].as_str().is_some_and(|timing| timing.contains("run;dur=")), "{answer}");

    let table = node.text(&["get", "ksvc"]);
    assert!(table.starts_with("NAME ") && table.contains("hello-00001") && table.contains("True"), "{table}");
    let described = node.text(&["describe", "ksvc", "hello"]);
    for part in ["Conditions:", "ConfigurationsReady", "Scaling of hello-00001", "Events:", "created Configuration"] {
        assert!(described.contains(part), "{part} is missing in:\n{described}");
    }
    node.json(&["invoke", "hello", "--event", "--data", "words"]);
    let logs = node.text(&["logs", "hello"]);
    assert!(logs.contains("hello-00001") && logs.contains("dev.fnctl.invoke"), "{logs}");

    let (exit, _data) = node.stop();
    assert_eq!(exit, Some(0), "SIGTERM drains and ends with 0");
}

#[test]
fn a_restarted_node_serves_what_it_served() {
    let node = Node::start();
    node.json(&["deploy", "examples/hello"]);
    let before = node.json(&["get", "ksvc", "hello"]);
    let node = Node::start_in(node.kill());
    let answer = send(&node, "GET / HTTP/1.1\nhost: hello.default.localhost", b"");
    assert_eq!(answer.status, 200, "at once, since it says that it is ready: {answer:?}");
    let after = node.json(&["get", "ksvc", "hello"]);
    assert_eq!(before["metadata"]["uid"], after["metadata"]["uid"]);
    assert_eq!(node.text(&["get", "revision", "-o", "name"]).lines().count(), 1, "a restart makes no revision");
}

/// While it starts a node reads its token; one that never comes holds it up for as long as the test needs.
#[test]
fn a_node_can_be_stopped_while_it_starts() {
    for signal in ["-TERM", "-INT"] {
        let data = Data::fresh();
        let made = Command::new("mkfifo").arg(data.path().join("token")).status().expect("mkfifo runs");
        assert!(made.success());
        let child = Node::command(&data).stdout(Stdio::piped()).spawn().expect("the binary starts");
        until("a node that listens to signals", || listens_to_signals(child.id()).then_some(()));
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let output = child.wait_with_output().expect("the node ends");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"".as_slice()), "{signal}");
    }
}

/// Whether a process that runs has handlers for SIGTERM and SIGINT, as `/proc` says.
fn listens_to_signals(id: u32) -> bool {
    const BOTH: u64 = 1 << 14 | 1 << 1;
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process runs");
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a line on signals");
    u64::from_str_radix(caught.trim(), 16).expect("a mask") & BOTH == BOTH
}

#[test]
fn a_data_directory_has_one_node() {
    let node = Node::start();
    let second = Node::command(&node.data).output().expect("the binary runs");
    assert_eq!(second.status.code(), Some(1), "{}", shown(&second));
    let message = String::from_utf8_lossy(&second.stderr).into_owned();
    let said = format!("another node runs in the data directory {}", node.data.path().display());
    assert!(message.contains(&said), "{message}");
}

#[test]
fn bad_components_are_named_when_they_are_deployed() {
    let node = Node::start();
    let folder = Data::fresh();
    let core_module = b"\0asm\x01\0\0\0".as_slice();
    let table: [(&str, &[u8], i32, &str); 2] =
        [("text.wasm", b"no wasm at all", 2, "not WebAssembly"), ("core.wasm", core_module, 1, "component")];
    for (name, bytes, exit, says) in table {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).expect("the file is written");
        let output = node.fnctl(&["deploy", &file.display().to_string()]);
        assert_eq!(output.status.code(), Some(exit), "{name}: {}", shown(&output));
        assert!(shown(&output).contains(says), "{name}: {}", shown(&output));
    }
}

#[test]
fn kubectl_works() {
    client_script("kubectl.sh", "KUBECTL", "kubectl");
}

#[test]
fn kn_works() {
    client_script("kn.sh", "KN", "kn");
}

/// Runs a script of `tests/clients` with a real client against a fresh node.
fn client_script(script: &str, variable: &str, tool: &str) {
    let Some(tool) = tool_path(tool) else { return };
    let node = Node::start();
    let folder = Data::fresh();
    let output = Command::new("bash")
        .arg(root().join("tests/clients").join(script))
        .current_dir(folder.path())
        .env(variable, tool)
        .env("FNCTL", env!("CARGO_BIN_EXE_fnctl"))
        .env("KUBECONFIG", node.kubeconfig())
        .output()
        .expect("bash runs");
    assert!(output.status.success(), "{}", shown(&output));
}

/// A tool that `tests/tools/install.sh` put there. Without it the check is skipped, and says so; in CI it fails.
#[allow(clippy::disallowed_methods, reason = "where tools are is a setting of the tests, not of a node")]
pub(crate) fn tool_path(tool: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("FNCTL_TOOLS").map(PathBuf::from);
    let found = folder.map(|folder| folder.join(tool)).filter(|path| path.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{tool} is not there: run tests/tools/install.sh and set FNCTL_TOOLS"
        );
        skipped(&format!("{tool} is not there; run tests/tools/install.sh and set FNCTL_TOOLS to what it prints"));
    }
    found
}
