//! Commands that scripts call, with their answers, exit codes and what they say on the way.

use crate::harness::{Data, Lines, Node, binary, root, shown, until};
use crate::http::{Answer, send};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// Runs `fnctl ARGUMENTS` without a node, with this text on its standard input.
fn alone(arguments: &[&str], input: &str) -> Output {
    let mut command = binary();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(input.as_bytes()).expect("it reads its input");
    drop(stdin);
    child.wait_with_output().expect("the binary ends")
}

fn documents(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn file(folder: &Data, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("the file is written");
    path.display().to_string()
}

/// A command that goes on until this is dropped.
struct Running {
    child: Child,
    out: Lines,
    err: Lines,
}

impl Running {
    fn start(node: &Node, arguments: &[&str]) -> Self {
        let mut command = binary();
        command.args(arguments).arg("--kubeconfig").arg(node.kubeconfig()).current_dir(root());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let out = Lines::of(child.stdout.take().expect("stdout is piped"));
        let err = Lines::of(child.stderr.take().expect("stderr is piped"));
        Self { child, out, err }
    }

    fn line(&self) -> String {
        self.out.next("a line of a command that goes on").expect("it goes on")
    }

    /// Waits until it says this to people, and answers the line.
    fn says(&self, words: &str) -> String {
        self.err.says(words)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const EVENT: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"com.example.x"}"#;

#[test]
fn a_filter_is_tried_without_a_node() {
    let folder = Data::fresh();
    let event = file(&folder, "event.json", EVENT);
    for (filters, event, exit, answer) in [
        (r#"[{"prefix":{"type":"com."}}]"#, &event, 0, Some((true, r#"type "com.example.x" begins with "com.""#))),
        (r#"[{"exact":{"type":"y"}}]"#, &event, 1, Some((false, r#"type is "com.example.x", not "y""#))),
        (r#"[{"exat":{"type":"y"}}]"#, &event, 2, None),
        ("[]", &file(&folder, "no event.json", r#"{"id":"1"}"#), 2, None),
    ] {
        let filters = file(&folder, "filters.json", filters);
        let ended = alone(&["trigger", "test", "--filters", &filters, "--event", event], "");
        assert_eq!(ended.status.code(), Some(exit), "{}", shown(&ended));
        let answer = answer.map(|(matched, reason)| json!({"matched": matched, "reason": reason}));
        assert_eq!(documents(&ended), Vec::from_iter(answer), "{}", shown(&ended));
    }
    let line = |filters: &str| format!("{{\"filters\":{filters},\"event\":{EVENT}}}\n");
    let lines = line(r#"[{"exact":{"type":"y"}}]"#) + &line("[7]") + &line("[]");
    let ended = alone(&["trigger", "test", "--lines"], &lines);
    let answers = documents(&ended);
    assert_eq!((ended.status.code(), answers.len()), (Some(0), 3), "{}", shown(&ended));
    assert_eq!((&answers[0]["matched"], &answers[2]["matched"]), (&json!(false), &json!(true)));
    assert!(
        answers[1]["error"]["cause"].to_string().contains("filters[0]"),
        "a bad line has its own answer: {answers:?}"
    );
}

#[test]
fn an_event_is_checked_without_a_node() {
    let folder = Data::fresh();
    let http = "POST / HTTP/1.1\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n\r\n";
    for (mode, text, exit, words) in [
        ("structured", EVENT.to_owned(), 0, r#""valid":true"#),
        ("structured", EVENT.replace("type", "tpye"), 1, "type"),
        ("structured", EVENT.replace("1.0", "0.3"), 1, "specversion"),
        ("batch", format!("[{EVENT},{EVENT}]"), 0, r#""valid":true"#),
        ("batch", format!("[{EVENT},{{}}]"), 1, "event 1"),
        ("http", http.to_owned(), 0, r#""id":"1""#),
        ("http", http.replace("ce-source: /s\r\n", ""), 1, "source"),
    ] {
        let path = file(&folder, "event", &text);
        let ended = alone(&["event", "check", "--mode", mode, &path, "-o", "json"], "");
        assert_eq!(ended.status.code(), Some(exit), "{mode} {text}: {}", shown(&ended));
        assert!(shown(&ended).contains(words), "{mode} {text}: {}", shown(&ended));
        assert_eq!(documents(&ended).len(), usize::from(exit == 0), "{}", shown(&ended));
    }
}

#[test]
fn a_trace_is_simulated_without_a_node() {
    let trace = r#"{"t":0,"spec":{"target":70,"total":100,"targetBurstCapacity":211}}
{"t":1,"ready":1}
{"t":2,"stable":350,"panic":350}
{"t":4,"stable":0,"panic":0}
"#;
    let ended = alone(&["autoscaler", "simulate"], trace);
    assert!(ended.status.success(), "{}", shown(&ended));
    let answers = documents(&ended);
    let numbers: Vec<_> = answers.iter().map(|one| (&one["t"], &one["desired"], &one["panicking"])).collect();
    let (five, yes) = (json!(5), json!(true));
    assert_eq!(numbers, [(&json!(2), &five, &yes), (&json!(4), &five, &yes)], "a burst is not let go of at once");
    assert!(answers.iter().all(|one| one["valid"] == true && one["reason"].is_string()), "{answers:?}");
    let ended = alone(&["autoscaler", "simulate"], "{\"t\":0,\"spec\":{\"targte\":70}}\n");
    assert_eq!(ended.status.code(), Some(2), "{}", shown(&ended));
    assert!(shown(&ended).contains("targte"), "{}", shown(&ended));
}

#[test]
fn versions_and_completions_are_printed() {
    let version = alone(&["version", "-o", "json"], "");
    assert_eq!(documents(&version)[0]["knativeServing"], "serving.knative.dev/v1", "{}", shown(&version));
    for shell in ["bash", "zsh", "fish"] {
        let ended = alone(&["completion", shell], "");
        assert!(ended.status.success() && shown(&ended).contains("deploy"), "{shell}");
    }
    assert_eq!(alone(&["no-such-command"], "").status.code(), Some(2), "wrong usage");
}

fn map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: {value}}}\n")
}

#[test]
fn apply_shows_before_it_does_and_removes_what_is_no_longer_there() {
    let node = Node::start();
    let folder = Data::fresh();
    let manifests = |text: &str| file(&folder, "maps.yaml", text);
    let value = |name: &str| node.json(&["get", "configmap", name])["data"]["key"].clone();
    let path = manifests(&(map("one", "first") + "---\n" + &map("two", "first")));
    let differs = node.fnctl(&["diff", "-f", &path]);
    assert_eq!(differs.status.code(), Some(1), "{}", shown(&differs));
    assert!(shown(&differs).contains("+  key: first"), "{}", shown(&differs));
    assert!(!shown(&differs).contains("managedFields"), "what people write, and no more: {}", shown(&differs));
    let dry = node.text(&["apply", "--dry-run", "-f", &path]);
    assert!(dry.contains("configmap/one created"), "{dry}");
    assert_eq!(node.fnctl(&["get", "configmap", "one"]).status.code(), Some(1), "nothing was stored");

    node.text(&["apply", "--prune", "-f", &path]);
    assert_eq!(value("one"), "first");
    let again = node.text(&["apply", "--prune", "-f", &path]);
    assert_eq!(again.matches("unchanged").count(), 2, "{again}");
    let changed = manifests(&map("one", "second"));
    let pruned = node.text(&["apply", "--prune", "-f", &changed]);
    assert!(pruned.contains("configmap/one configured") && pruned.contains("configmap/two pruned"), "{pruned}");
    assert_eq!(value("one"), "second");
    assert_eq!(node.fnctl(&["get", "configmap", "two"]).status.code(), Some(1));

    // The mark of the prune is somebody's label: a diff says what an apply without it would take away.
    node.text(&["apply", "-f", &changed]);
    let same = node.fnctl(&["diff", "-f", &changed]);
    assert_eq!((same.status.code(), same.stdout.as_slice()), (Some(0), b"".as_slice()), "{}", shown(&same));
}

#[test]
fn objects_are_printed_in_each_form() {
    let node = Node::start();
    node.apply(&map("one", "first"));
    let get = |form: &str| node.text(&["get", "configmap", "one", "-o", form]);
    assert_eq!(get("name"), "configmap/one\n");
    assert_eq!(get("jsonpath={.data.key}").trim_end(), "first");
    assert!(get("yaml").contains("key: first"), "{}", get("yaml"));
    assert!(get("wide").starts_with("NAME "), "{}", get("wide"));
    let all = node.text(&["get", "configmap", "-A"]);
    assert!(all.starts_with("NAMESPACE ") && all.lines().any(|row| row.starts_with("default ")), "{all}");
    let late = node.fnctl(&["wait", "configmap/one", "--for", "condition=Ready", "--timeout", "100ms"]);
    assert_eq!(late.status.code(), Some(4), "{}", shown(&late));
    assert!(shown(&late).contains("FN1302"), "{}", shown(&late));
    let unknown = node.fnctl(&["get", "configmop"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", shown(&unknown));
}

#[test]
fn what_comes_is_shown_as_it_comes() {
    let node = Node::start();
    node.json(&["deploy", "examples/hello"]);
    node.apply("{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: default}}");
    node.text(&["wait", "broker/default", "--for", "condition=Ready"]);
    let say = |id: &str, kind: &str| node.json(&["event", "send", "--type", kind, "--id", id]);
    say("before", "a");
    let all = Running::start(&node, &["event", "tail", "--since", "1h", "-o", "json"]);
    let some = Running::start(&node, &["event", "tail", "--since", "1h", "--type", "b", "-o", "json"]);
    let id = |tail: &Running| serde_json::from_str::<Value>(&tail.line()).expect("JSON a line")["id"].clone();
    assert_eq!(id(&all), "before");
    say("later", "b");
    assert_eq!((id(&all), id(&some)), (json!("later"), json!("later")));

    let call = |kind: &str| {
        let head = format!(
            "POST / HTTP/1.1\nhost: hello.default.localhost\nce-specversion: 1.0\nce-id: {kind}\nce-source: t\nce-type: {kind}"
        );
        assert_eq!(send(&node, &head, b"").status, 200);
    };
    call("first");
    let logs = Running::start(&node, &["logs", "hello", "-f", "-o", "json"]);
    assert!(logs.line().contains("of type first"));
    call("second");
    assert!(logs.line().contains("of type second"));
    let one = node.text(&["logs", "hello", "--event", "second"]);
    assert!(one.lines().count() == 1 && one.contains("of type second"), "{one}");
    assert_eq!(node.text(&["logs", "hello", "--since", "1ms"]), "");
    assert_eq!(node.text(&["logs", "hello", "--since", "1h", "--revision", "hello-00001"]).lines().count(), 2);
}

/// A copy of a guest that replaces the component of a folder in one step, as builds do.
fn build(folder: &Path, bytes: &[u8]) {
    let half = folder.join("half");
    std::fs::write(&half, bytes).expect("the build is written");
    std::fs::rename(half, folder.join("function.wasm")).expect("the build is there");
}

#[test]
fn a_folder_is_deployed_again_at_each_change_and_a_broken_build_changes_nothing() {
    let node = Node::start();
    let folder = Data::fresh();
    let guest = |path: &str| std::fs::read(root().join("examples").join(path)).expect("a guest");
    let service = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: changing}\n\
        spec: {template: {spec: {containers: [{image: ./function.wasm}]}}}\n";
    file(&folder, "service.yaml", service);
    build(folder.path(), &guest("hello/hello.wasm"));
    let dev = Running::start(&node, &["dev", &folder.path().display().to_string()]);
    let call = || -> Answer { send(&node, "GET / HTTP/1.1\nhost: changing.default.localhost", b"") };
    assert!(dev.line().starts_with("http://changing.default.localhost:"));
    dev.says("waiting for changes");
    assert_eq!(call().body, "Hello, world!\n");

    build(folder.path(), b"\0asm\x0d\0\x01\0 and then nothing that compiles");
    dev.says("what served before goes on serving");
    assert_eq!(call().body, "Hello, world!\n");

    build(folder.path(), &guest("guests/count.wasm"));
    dev.line();
    assert_eq!(call().body, "1");
}

/// What the control port answers to a GET with the node's token.
fn control(node: &Node, path: &str) -> String {
    let text = std::fs::read_to_string(node.kubeconfig()).expect("the kubeconfig is there");
    let config: Value = serde_json::from_str(&text).expect("a kubeconfig in JSON, which is YAML");
    let token = config["users"][0]["user"]["token"].as_str().expect("a token");
    let server = config["clusters"][0]["cluster"]["server"].as_str().expect("an address");
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--fail",
        "--insecure",
        "--header",
        &format!("authorization: Bearer {token}"),
    ]);
    let output = curl.arg(format!("{server}{path}")).output().expect("curl runs");
    assert!(output.status.success(), "{}", shown(&output));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn counts_are_there_for_prometheus() {
    let node = Node::start();
    node.json(&["deploy", "examples/hello"]);
    node.apply("{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: default}}");
    node.apply(
        "{apiVersion: eventing.knative.dev/v1, kind: Trigger, metadata: {name: away}, spec: {broker: default, \
         delivery: {retry: 1, backoffDelay: PT1H}, subscriber: {uri: 'http://127.0.0.1:1'}}}",
    );
    let waited = node.text(&["wait", "broker/default", "trigger/away", "--for", "condition=Ready"]);
    assert_eq!(waited.lines().count(), 2, "{waited}");
    node.json(&["invoke", "hello"]);
    node.json(&["event", "send", "--type", "a"]);
    let is_waiting =
        |counts: &String| counts.contains(r#"fnctl_trigger_events_waiting{namespace="default",name="away"} 1"#);
    let counts = until("the event waits", || Some(control(&node, "/metrics")).filter(is_waiting));
    for line in [
        r#"fnctl_revision_answers_total{namespace="default",name="hello-00001",class="2xx"} 1"#,
        r#"fnctl_revision_instances{namespace="default",name="hello-00001"} 1"#,
        r#"fnctl_broker_log_records_total{namespace="default",name="default"} 1"#,
        r#"fnctl_broker_events_expired_total{namespace="default",name="default"} 0"#,
        r#"fnctl_broker_log_damaged{namespace="default",name="default"} 0"#,
        r#"fnctl_trigger_deliveries_in_flight{namespace="default",name="away"} 0"#,
    ] {
        assert!(counts.lines().any(|found| found == line), "{line} is not in:\n{counts}");
    }
    assert!(counts.ends_with("# EOF\n"));
}
