//! Functions that misbehave: each gets its own answer, and the neighbours theirs.

use super::told;
use crate::harness::{Node, root};
use crate::http::{Answer, send};
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends the neighbour's calls on every way out: a test that fails must not wait for them for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Deploys a guest with so much CPU time and 64 MiB of memory.
fn deploy(node: &Node, guest: &str, cpu: &str) {
    let component = root().join(format!("examples/guests/{guest}.wasm")).display().to_string();
    let applied = node.try_apply(&format!(
        "{{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {{name: {guest}}}, spec: {{template: {{
          metadata: {{annotations: {{fnctl.dev/cpu: {cpu}}}}},
          spec: {{containers: [{{image: '{component}', resources: {{limits: {{memory: 64Mi}}}}}}]}}}}}}}}"
    ));
    told(&applied, 0, &[]);
    node.text(&["wait", &format!("ksvc/{guest}"), "--for", "condition=Ready"]);
}

fn call(node: &Node, function: &str, path: &str) -> Answer {
    send(node, &format!("GET {path} HTTP/1.1\nhost: {function}.default.localhost"), b"")
}

#[test]
fn a_function_that_fails_is_alone_with_it() {
    let node = Node::start();
    node.json(&["deploy", "examples/hello"]);
    // What is to end at another limit has CPU time to get there, also on a slow machine.
    for (guest, cpu) in [("trap", "10s"), ("hog", "10s"), ("spin", "200ms")] {
        deploy(&node, guest, cpu);
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let mut served = 0;
            while !over.load(Ordering::Relaxed) {
                let answer = call(&node, "hello", "/");
                assert_eq!(answer.status, 200, "the neighbour: {answer:?}");
                served += 1;
            }
            served
        });
        let ends = Over(&over);
        let bad = [
            ("trap", "/", 500, "function-trapped"),
            ("trap", "/exit", 500, "function-trapped"),
            ("hog", "/", 500, "memory-limit"),
            ("spin", "/", 504, "cpu-limit"),
        ];
        let calls: Vec<_> = bad
            .into_iter()
            .cycle()
            .take(16)
            .map(|case| {
                (
                    case,
                    scope.spawn({
                        let node = &node;
                        move || call(node, case.0, case.1)
                    }),
                )
            })
            .collect();
        for ((guest, path, status, reason), call) in calls {
            let answer = call.join().expect("the node answers");
            assert_eq!(answer.status, status, "{guest}{path}: {answer:?}");
            assert!(answer.head.contains(&format!("x-fnctl-reason: {reason}")), "{guest}{path}: {answer:?}");
        }
        drop(ends);
        let served = neighbour.join().expect("the neighbour is served");
        assert!(served > 0, "no request of the neighbour came through");
    });
    let logs = node.text(&["logs", "trap"]);
    assert!(logs.contains("about to trap"), "what it printed before is kept: {logs}");
}

/// An answer that began cannot become an error: it ends short, so that the client sees that it is not whole.
#[test]
fn an_answer_that_breaks_off_is_not_whole() {
    let node = Node::start();
    deploy(&node, "trap", "10s");
    let answer = call(&node, "trap", "/late");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("transfer-encoding: chunked"), "{}", answer.head);
    assert!(!answer.is_whole, "the last chunk says that nothing is missing");
}
