//! Files that are no functions, or functions that ask for what they are not given: told when they are deployed.

use super::told;
use crate::harness::{Data, Node, root};

/// The first bytes of a component, and of a module.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A component whose one function adds two values that are not there.
const INVALID: &[u8] =
    b"\0asm\x0d\0\x01\0\x01\x19\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x05\x01\x03\0\x6a\x0b";

/// A component of empty modules.
fn modules(count: usize) -> Vec<u8> {
    let section = [&[1, 8], MODULE].concat();
    [COMPONENT, &section.repeat(count)].concat()
}

#[test]
fn what_is_no_function_is_refused_with_the_reason() {
    let node = Node::start();
    let hello = std::fs::read(root().join("examples/hello/hello.wasm")).expect("the example is there");
    let table: [(&str, Vec<u8>, i32, &[&str]); 8] = [
        ("text.wasm", b"no wasm at all".to_vec(), 2, &["FN1001", "text.wasm is not WebAssembly", "wasm32-wasip2"]),
        ("empty.wasm", Vec::new(), 2, &["FN1001", "empty.wasm"]),
        (
            "core.wasm",
            MODULE.to_vec(),
            1,
            &["FN1203", "default/core", "core wasm module and not a component", "wasm32-wasip2"],
        ),
        ("invalid.wasm", INVALID.to_vec(), 1, &["FN1301", "\"invalid\"", "does not compile", "type mismatch"]),
        ("bare.wasm", modules(0), 1, &["FN1301", "\"bare\"", "no wasi:http/incoming-handler"]),
        ("many.wasm", modules(201), 1, &["FN1203", "default/many", "201 core modules", "the limit is 200"]),
        ("cut.wasm", hello[..hello.len() / 2].to_vec(), 1, &["FN1203", "default/cut", "damaged"]),
        ("large.wasm", [COMPONENT, &vec![0; 21 << 20]].concat(), 1, &["FN1203", "large", "20971520 bytes"]),
    ];
    let folder = Data::fresh();
    for (name, bytes, exit, words) in table {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).expect("the file is written");
        told(&node.fnctl(&["deploy", &file.display().to_string()]), exit, words);
    }
    let missing = folder.path().join("missing.wasm");
    told(&node.fnctl(&["deploy", &missing.display().to_string()]), 2, &["FN1002", "missing.wasm"]);
    told(
        &node.fnctl(&["deploy", "fnctl.local/nobody/nothing"]),
        1,
        &["FN1301", "\"nothing\"", "fnctl.local/nobody/nothing"],
    );

    node.json(&["deploy", "examples/hello"]);
    assert_eq!(node.json(&["invoke", "hello"])["status"], 200, "the node goes on");
}

#[test]
fn an_import_that_was_not_granted_is_named() {
    let node = Node::start();
    let refused = node.fnctl(&["deploy", "examples/guests/storage.wasm"]);
    told(&refused, 1, &["FN1301", "\"storage\"", "wasi:blobstore/container", "not granted", "fnctl.dev/buckets"]);
    told(&refused, 1, &["wasi:keyvalue/store", "fnctl.dev/key-value", "fnctl describe"]);

    // The annotations that were named are what helps.
    let component = root().join("examples/guests/storage.wasm").display().to_string();
    let granted = node.try_apply(&format!(
        "{{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {{name: granted}}, spec: {{template: {{
          metadata: {{annotations: {{fnctl.dev/buckets: pictures=write, fnctl.dev/key-value: counters}}}},
          spec: {{containers: [{{image: '{component}'}}]}}}}}}}}"
    ));
    told(&granted, 0, &[]);
    node.text(&["wait", "ksvc/granted", "--for", "condition=Ready"]);
    assert_eq!(node.json(&["invoke", "granted", "--path", "/count/counters/calls", "--data", "x"])["body"], "1");
}
