//! What commands answer to programs, and what they say of a name or a word that is not right: which object, and a command
//! that helps.

use crate::harness::{Data, Lines, Node, Owned, binary, ended, root, shown};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output, Stdio};

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
  filters: [{exact: {type: com.example.hi}}]
  subscriber: {uri: "http://127.0.0.1:9/"}
"#;

fn file(folder: &Data, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("the file is written");
    path.display().to_string()
}

/// The only thing on stderr, which is a failure in JSON; stdout is empty.
fn failure(output: &Output) -> Value {
    assert_eq!(output.stdout, b"", "{}", shown(output));
    let said = String::from_utf8_lossy(&output.stderr);
    let document: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {}", shown(output)));
    document["error"].clone()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn wrong_usage_is_told_to_programs_in_json() {
    for (arguments, message, help) in [
        (&["get", "-o", "json"][..], "required arguments were not provided", "fnctl get --help"),
        (&["event", "send", "--tpye", "x", "--output=json"], "unexpected argument '--tpye'", "fnctl event send --help"),
        (&["-ojson", "frobnicate"], "unrecognized subcommand 'frobnicate'", "fnctl --help"),
        (&["wait", "cm/a", "--for", "delete", "--timeout", "soon", "-o", "json"], "'soon'", "fnctl --help"),
    ] {
        let output = binary().args(arguments).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", shown(&output));
        let failure = failure(&output);
        assert!(failure["message"].as_str().is_some_and(|text| text.contains(message)), "{failure}");
        assert_eq!((&failure["code"], &failure["try"]), (&json!("FN1001"), &json!(help)), "{failure}");
        assert!(failure["cause"].is_array(), "{failure}");
    }
    let people = binary().arg("get").output().expect("the binary runs");
    assert_eq!(people.status.code(), Some(2));
    assert!(shown(&people).contains("stderr: error: the following required arguments"), "{}", shown(&people));
    let help = binary().args(["get", "--help", "-o", "json"]).output().expect("the binary runs");
    assert!(help.status.success() && help.stdout.starts_with(b"List objects"), "{}", shown(&help));
}

#[test]
fn what_is_not_there_is_named_with_a_command_to_try() {
    let node = Node::start();
    node.apply(BROKER_AND_TRIGGER);
    node.text(&["wait", "broker", "default", "--for", "condition=Ready"]);
    node.text(&["wait", "trigger/greetings", "--for", "condition=Ready"]);
    node.json(&["event", "send", "--type", "com.example.hi", "--id", "one"]);
    let folder = Data::fresh();
    let event = file(&folder, "event.json", r#"{"specversion":"1.0","id":"1","source":"/s","type":"com.example.hi"}"#);
    let (brokers, triggers) = ("fnctl get brokers -A", "fnctl get triggers -A");
    for (arguments, exit, code, names, try_this) in [
        (&["event", "why", "one", "--broker", "typo"][..], 1, "FN1201", "default/typo", brokers),
        (&["event", "why", "one", "--trigger", "typo"], 1, "FN1201", "default/typo", triggers),
        (&["event", "list", "--broker", "typo"], 1, "FN1201", "default/typo", brokers),
        (&["dlq", "list", "--broker", "typo"], 1, "FN1201", "default/typo", brokers),
        (&["dlq", "list", "--trigger", "typo"], 1, "FN1201", "default/typo", triggers),
        (&["dlq", "redrive", "--broker", "typo"], 1, "FN1201", "default/typo", brokers),
        (&["dlq", "redrive", "--trigger", "typo"], 1, "FN1201", "default/typo", triggers),
        (&["trigger", "test", "--trigger", "typo", "--event", &event], 1, "FN1201", "\"typo\"", triggers),
        (&["describe", "cm/typo"], 1, "FN1201", "\"typo\"", "fnctl get configmaps -A"),
        (&["get", "ns", "typo"], 1, "FN1201", "\"typo\"", "fnctl get namespaces -A"),
        (&["deploy", "examples/helo"], 2, "FN1002", "examples/helo", "fnctl deploy --help"),
    ] {
        let refused = node.fnctl(&[arguments, &["-o", "json"]].concat());
        assert_eq!(refused.status.code(), Some(exit), "{arguments:?}: {}", shown(&refused));
        let failure = failure(&refused);
        assert_eq!((&failure["code"], &failure["try"]), (&json!(code), &json!(try_this)), "{arguments:?}: {failure}");
        assert!(failure["message"].as_str().is_some_and(|text| text.contains(names)), "{arguments:?}: {failure}");
        let tried = node.fnctl(&try_this.split(' ').skip(1).collect::<Vec<_>>());
        assert!(tried.status.success(), "{try_this}: {}", shown(&tried));
    }
}

#[test]
fn a_trigger_of_the_node_is_tried() {
    let node = Node::start();
    node.apply(BROKER_AND_TRIGGER);
    let folder = Data::fresh();
    for (kind, exit) in [("com.example.hi", 0), ("com.example.ho", 1)] {
        let event = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": kind}).to_string();
        let event = file(&folder, "event.json", &event);
        let tried = node.fnctl(&["trigger", "test", "--trigger", "greetings", "--event", &event, "-o", "json"]);
        assert_eq!(tried.status.code(), Some(exit), "{}", shown(&tried));
        let answer: Value = serde_json::from_slice(&tried.stdout).expect("one JSON document");
        assert_eq!((&answer["matched"], keys(&answer)), (&json!(exit == 0), vec!["matched", "reason"]), "{answer}");
        assert!(answer["reason"].as_str().is_some_and(|reason| reason.contains(kind)), "{answer}");
    }
}

#[test]
fn a_difference_is_one_document_for_each_object_that_differs() {
    let node = Node::start();
    let folder = Data::fresh();
    let maps = |one: &str| {
        let map = |name: &str, value: &str| {
            format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{key: {value}}}}}\n---\n")
        };
        file(&folder, "maps.yaml", &(map("one", one) + &map("two", "same")))
    };
    let path = maps("before");
    node.text(&["apply", "-f", &path]);
    let same = node.fnctl(&["diff", "-f", &path, "-o", "json"]);
    assert_eq!((same.status.code(), same.stdout.as_slice()), (Some(0), b"".as_slice()), "{}", shown(&same));
    maps("after");
    let differs = node.fnctl(&["diff", "-f", &path, "-o", "json"]);
    assert_eq!(differs.status.code(), Some(1), "{}", shown(&differs));
    let answer: Value = serde_json::from_slice(&differs.stdout).expect("one JSON document");
    assert_eq!(answer["object"], "configmap/one", "{answer}");
    let difference = answer["difference"].as_str().expect("text");
    assert!(difference.contains("-  key: before\n+  key: after\n") && !difference.contains("same"), "{difference}");
}

/// Puts a component into a folder in one step, as builds do.
fn build(folder: &Path, bytes: &[u8]) {
    let half = folder.join("half");
    std::fs::write(&half, bytes).expect("the build is written");
    std::fs::rename(half, folder.join("function.wasm")).expect("the build is there");
}

#[test]
fn each_deployment_is_one_document() {
    let node = Node::start();
    let folder = Data::fresh();
    file(
        &folder,
        "service.yaml",
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: changing}\n\
        spec: {template: {spec: {containers: [{image: ./function.wasm}]}}}\n",
    );
    let guest = |path: &str| std::fs::read(root().join("examples").join(path)).expect("a guest");
    build(folder.path(), &guest("hello/hello.wasm"));
    let mut command = binary();
    command.arg("dev").arg(folder.path()).args(["-o", "json", "--kubeconfig"]).arg(node.kubeconfig());
    let mut dev = Owned(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts"));
    let out = Lines::of(dev.0.stdout.take().expect("stdout is piped"));
    let err = Lines::of(dev.0.stderr.take().expect("stderr is piped"));
    let document = |lines: &Lines| -> Value {
        let line = lines.next("a document").expect("it goes on");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    };
    let deployed = |answer: &Value, revision: &str| {
        assert_eq!(keys(answer), ["name", "namespace", "ready", "revision", "seconds", "url"], "{answer}");
        assert_eq!((&answer["name"], &answer["namespace"]), (&json!("changing"), &json!("default")));
        assert_eq!((&answer["ready"], &answer["revision"]), (&json!(true), &json!(revision)));
        let url = format!("http://changing.default.localhost:{}", node.address().rsplit(':').next().expect("a port"));
        assert_eq!(answer["url"], url, "{answer}");
        assert!(answer["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{answer}");
    };
    deployed(&document(&out), "changing-00001");
    build(folder.path(), b"\0asm\x0d\0\x01\0 and then nothing that compiles");
    let broken = document(&err);
    assert_eq!(broken["error"]["code"], "FN1203", "{broken}");
    build(folder.path(), &guest("guests/count.wasm"));
    deployed(&document(&out), "changing-00002");
    let sent = Command::new("kill").args(["-INT", &dev.0.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    assert_eq!(ended(&mut dev.0), Some(0));
    deployed(&node.json(&["deploy", &folder.path().display().to_string()]), "changing-00002");
}

#[test]
fn a_wait_ends_as_its_condition_says() {
    let node = Node::start();
    let map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [example.test/hold]}}\n---\n\
        {apiVersion: v1, kind: ConfigMap, metadata: {name: going}}\n";
    node.apply(map);
    node.text(&["deploy", "examples/hello"]);
    for what in ["condition=Ready", "condition=ready=true", "condition=RoutesReady"] {
        let met = node.text(&["wait", "ksvc", "hello", "--for", what]);
        assert_eq!(met, "service.serving.knative.dev/hello condition met\n", "{what}");
    }
    node.text(&["delete", "cm/held"]);
    for (object, what, exit, words) in [
        ("cm/going", "deleted", 2, "condition=TYPE[=STATUS] or delete"),
        ("cm/none", "condition=Ready", 1, "\"none\" not found"),
    ] {
        let ended = node.fnctl(&["wait", object, "--for", what]);
        assert_eq!(ended.status.code(), Some(exit), "{object} {what}: {}", shown(&ended));
        assert!(shown(&ended).contains(words), "{object} {what}: {}", shown(&ended));
    }
    // Long enough to see that the condition does not hold, all at once.
    let in_vain = [
        ("ksvc/hello", "condition=Ready=False"),
        ("ksvc/hello", "condition=Nonsense"),
        ("cm/going", "delete"),
        ("cm/held", "delete"),
    ];
    std::thread::scope(|scope| {
        for (object, what) in in_vain {
            let node = &node;
            scope.spawn(move || {
                let ended = node.fnctl(&["wait", object, "--for", what, "--timeout", "3s"]);
                assert_eq!(ended.status.code(), Some(4), "{object} {what}: {}", shown(&ended));
                assert!(shown(&ended).contains("FN1302"), "{object} {what}: {}", shown(&ended));
            });
        }
    });
    let mut command = binary();
    command.args(["wait", "cm", "going", "--for", "delete", "-o", "json", "--kubeconfig"]).arg(node.kubeconfig());
    let waiting = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
    node.text(&["delete", "cm/going"]);
    let gone = waiting.wait_with_output().expect("it ends");
    let answer: Value = serde_json::from_slice(&gone.stdout).unwrap_or_else(|e| panic!("{e}: {}", shown(&gone)));
    assert_eq!((gone.status.code(), answer), (Some(0), json!({"object": "configmap/going", "result": "deleted"})));
}

#[test]
fn fields_without_effect_are_warned_of() {
    let node = Node::start();
    let folder = Data::fresh();
    let manifest = |timeout: u8| {
        let text = format!(
            "{{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {{name: told}}, spec: {{template: {{spec: \
             {{timeoutSeconds: {timeout}, containers: [{{image: fnctl.local/examples/hello, command: [sh]}}]}}}}}}}}\n"
        );
        file(&folder, "service.yaml", &text)
    };
    let field = "spec.template.spec.containers[0].command: has no effect: ";
    let path = manifest(5);
    for (timeout, command) in [(5, &["apply", "--dry-run", "-f"][..]), (5, &["apply", "-f"]), (6, &["deploy"])] {
        let done = node.fnctl(&[command, &[&manifest(timeout)]].concat());
        assert!(done.status.success(), "{}", shown(&done));
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(said.matches(&format!("Warning: {field}")).count(), 1, "{command:?}: {}", shown(&done));
    }
    let again = node.fnctl(&["apply", "-f", &path]);
    assert!(again.status.success() && !shown(&again).contains("Warning"), "it was said: {}", shown(&again));
    manifest(7);
    let told = node.fnctl(&["apply", "-f", &path, "-o", "json"]);
    let warning: Value = serde_json::from_slice(&told.stderr).unwrap_or_else(|e| panic!("{e}: {}", shown(&told)));
    assert!(warning["warning"].as_str().is_some_and(|text| text.starts_with(field)), "{warning}");
    assert_eq!(serde_json::from_slice::<Value>(&told.stdout).expect("one document")["result"], "configured");
}

#[test]
fn a_map_is_described_with_its_values_and_a_secret_without() {
    let node = Node::start();
    node.apply(
        r#"
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {level: high}}
---
apiVersion: v1
kind: Secret
metadata:
  name: key
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"stringData":{"password":"hunter22"}}'}
stringData: {password: hunter22}
"#,
    );
    let map = node.text(&["describe", "configmap", "settings"]);
    assert!(map.contains("\nData:\n  level: high\n"), "{map}");
    let secret = node.text(&["describe", "secret", "key"]);
    assert!(secret.contains("Type:       Opaque\n") && secret.contains("\nData:\n  password: 8 bytes\n"), "{secret}");
    assert!(!secret.contains("hunter22") && !secret.contains("aHVudGVyMjI"), "{secret}");
}

#[test]
fn a_demo_that_is_kept_says_where_it_is_and_stays() {
    let (data, temporary) = (Data::fresh(), Data::fresh());
    let mut command = binary();
    command.args(["demo", "xray", "--pictures", "1", "--keep", "-o", "json", "--data-dir"]);
    command.arg(data.path().join("node")).env("TMPDIR", temporary.path());
    let mut demo = Owned(command.stdout(Stdio::piped()).spawn().expect("the binary starts"));
    let lines = Lines::of(demo.0.stdout.take().expect("stdout is piped"));
    let document = |what: &str| -> Value {
        let line = lines.next(what).expect("it goes on");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    };
    let ready = document("the ready line");
    assert_eq!(ready["event"], "ready", "{ready}");
    let counts = document("the counts");
    assert_eq!((&counts["pictures"], &counts["processed"], &counts["lost"]), (&json!(1), &json!(1), &json!(0)));
    let mut asked = binary();
    asked.args(["get", "ksvc", "xray", "-o", "json", "--kubeconfig", ready["kubeconfig"].as_str().expect("a path")]);
    let there = asked.output().expect("the binary runs");
    assert!(there.status.success(), "the node stays: {}", shown(&there));
    let sent = Command::new("kill").args(["-TERM", &demo.0.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    assert_eq!(ended(&mut demo.0), Some(0));
    assert_eq!(lines.next("the end"), None, "the counts are the last line");
}
