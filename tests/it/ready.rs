//! What says that it is ready answers at that moment: objects are watched as they become so, and asked at once, and once.

use crate::harness::{Lines, Node, binary, root};
use crate::http::{Answer, exchange, send};
use crate::traffic::BRIEF;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Child, Stdio};

/// `fnctl get KIND -w`.
struct Watch {
    child: Child,
    lines: Lines,
}

impl Watch {
    /// Begins before anything of the kind is there.
    fn of(node: &Node, kind: &str) -> Self {
        let mut command = binary();
        command.args(["get", kind, "-w", "-o", "json", "--kubeconfig"]).arg(node.kubeconfig()).current_dir(root());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let lines = Lines::of(child.stdout.take().expect("stdout is piped"));
        let first: Value = serde_json::from_str(&lines.next("a list").expect("it goes on")).expect("JSON");
        assert_eq!(first["items"], serde_json::json!([]), "nothing is there yet");
        Self { child, lines }
    }

    /// The next object that says of its present generation that it is ready.
    fn ready(&self) -> Value {
        loop {
            let line = self.lines.next("an object that is ready").expect("a watch goes on");
            let object: Value = serde_json::from_str(&line).expect("JSON");
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let is_ready = conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
            if is_ready && object["status"]["observedGeneration"] == object["metadata"]["generation"] {
                return object;
            }
        }
    }

    /// Applies a manifest, and meanwhile calls `check` with the name of each of so many objects that are as `is_wanted`
    /// says, at the moment when it is ready.
    fn each(
        &self,
        (node, manifest, count): (&Node, &str, usize),
        is_wanted: impl Fn(&Value) -> bool,
        check: impl Fn(&str),
    ) {
        let mut seen = BTreeSet::new();
        std::thread::scope(|scope| {
            scope.spawn(|| node.apply(manifest));
            while seen.len() < count {
                let object = self.ready();
                let name = object["metadata"]["name"].as_str().expect("a name");
                if is_wanted(&object) && seen.insert(name.to_owned()) {
                    check(name);
                }
            }
        });
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn post(node: &Node, broker: &str, id: &str) -> Answer {
    let head = format!(
        "POST /-/broker/default/{broker} HTTP/1.1\nhost: localhost\nce-specversion: 1.0\nce-type: {id}\nce-source: test\nce-id: {id}"
    );
    send(node, &head, b"")
}

fn broker(name: &str) -> String {
    format!("apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {{name: {name}}}\n---\n")
}

fn function(name: &str, target: &str) -> String {
    format!(
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec: {{template: {{spec: {{containers: [{{image: fnctl.local/examples/hello, env: [{{name: TARGET, value: {target}}}]}}]}}}}}}\n---\n"
    )
}

fn get(node: &Node, function: &str) -> Answer {
    exchange(node.address(), &format!("GET / HTTP/1.1\nhost: {function}.default.localhost"), b"")
}

#[test]
fn a_ready_broker_takes_events() {
    let node = Node::start();
    let watch = Watch::of(&node, "broker");
    let manifest: String = (0..30).map(|number| broker(&format!("b{number}"))).collect();
    watch.each(
        (&node, &manifest, 30),
        |_| true,
        |name| {
            let answer = post(&node, name, "first");
            assert_eq!(answer.status, 202, "broker {name} was ready: {answer:?}");
        },
    );
}

#[test]
fn a_ready_trigger_gets_what_is_accepted_from_then_on() {
    let node = Node::start();
    node.apply(&function("hello", "you"));
    node.text(&["wait", "ksvc/hello", "--for", "condition=Ready"]);
    let watch = Watch::of(&node, "trigger");
    let pair = |number: u32| {
        let trigger = format!(
            "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{name: t{number}}}\n\
             spec: {{broker: t{number}, \
             subscriber: {{ref: {{apiVersion: serving.knative.dev/v1, kind: Service, name: hello}}}}}}\n---\n"
        );
        broker(&format!("t{number}")) + &trigger
    };
    let manifest: String = (0..20).map(pair).collect();
    watch.each((&node, &manifest, 20), |_| true, |name| assert_eq!(post(&node, name, "first").status, 202));
    for number in 0..20 {
        let name = format!("t{number}");
        let why = node.json(&["event", "why", "first", "--broker", &name, "--trigger", &name]);
        assert_ne!(why["triggers"][0]["outcome"], "filtered", "trigger {name} was ready: {why}");
    }
}

#[test]
fn the_status_of_a_revision_follows_its_instances() {
    let node = Node::start();
    node.apply(BRIEF);
    let active = |node: &Node, status: &str| {
        node.text(&["wait", "revision/brief-00001", "--for", &format!("condition=Active={status}")]);
        let revision = node.json(&["get", "revision", "brief-00001"]);
        (revision["status"]["actualReplicas"].clone(), revision["status"]["desiredReplicas"].clone())
    };
    node.text(&["wait", "ksvc/brief", "--for", "condition=Ready"]);
    assert_eq!(active(&node, "True"), (1.into(), 1.into()), "a new revision begins with one");
    assert_eq!(active(&node, "False"), (0.into(), 0.into()), "without traffic");
    let table = node.text(&["get", "ksvc", "brief"]);
    assert!(table.contains("INSTANCES") && table.contains("0 (scaled to zero)"), "{table}");
    assert_eq!(get(&node, "brief").status, 200);
    assert_eq!(active(&node, "True"), (1.into(), 1.into()), "woken");
    let table = node.text(&["get", "ksvc", "brief"]);
    assert!(!table.contains("scaled to zero") && table.lines().any(|row| row.ends_with(" 1")), "{table}");
    let node = Node::start_in(node.kill());
    assert_eq!(active(&node, "False"), (0.into(), 0.into()), "what ran ended with its node");
}

#[test]
fn a_ready_function_answers_and_a_changed_one_with_its_change() {
    let node = Node::start();
    let watch = Watch::of(&node, "ksvc");
    let functions = |target: &str| (0..5).map(|number| function(&format!("f{number}"), target)).collect::<String>();
    for target in ["you", "them"] {
        let has_target =
            |object: &Value| object["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == target;
        watch.each((&node, &functions(target), 5), has_target, |name| {
            let answer = get(&node, name);
            let expected = format!("Hello, {target}!");
            assert_eq!((answer.status, answer.body.trim()), (200, &*expected), "{name} was ready: {answer:?}");
        });
    }
}
