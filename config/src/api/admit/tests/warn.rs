//! What is taken and has no effect.

use super::*;

fn warned(name: &str, object: &Value, old: Option<&Value>) -> Vec<String> {
    warnings(by_name(name).unwrap(), object, old)
}

#[test]
fn fields_that_do_nothing_for_a_function_are_named() {
    let unused = json!({"serviceAccountName": "robot", "containers": [
        {"image": "x", "command": ["/bin/sh"], "args": ["a"], "workingDir": "/", "livenessProbe": {}}]});
    let (template, revision) = (service(unused.clone()), json!({"spec": unused}));
    for (name, object, path) in [
        ("ksvc", &template, "spec.template.spec"),
        ("configuration", &template, "spec.template.spec"),
        ("revision", &revision, "spec"),
    ] {
        let found = warned(name, object, None);
        let fields: Vec<_> = found.iter().map(|text| text.split_once(": has no effect: ").expect(text).0).collect();
        let wanted = ["serviceAccountName", "containers[0].command", "containers[0].workingDir"];
        assert_eq!(fields, wanted.map(|field| format!("{path}.{field}")), "{name}");
    }
    let empty = json!({"serviceAccountName": "", "containers": [{"image": "x", "command": [], "workingDir": null}]});
    assert!(warned("ksvc", &service(empty), None).is_empty(), "what is empty asks for nothing");
    assert!(warned("trigger", &revision, None).is_empty());
}

#[test]
fn a_warning_comes_with_the_spec_that_asks_for_it() {
    let old = container(json!({"command": ["a"]}));
    let (mut labelled, mut changed) = (old.clone(), old.clone());
    labelled["metadata"]["labels"]["a"] = json!("b");
    changed["spec"]["template"]["spec"]["timeoutSeconds"] = json!(5);
    assert_eq!(warned("ksvc", &labelled, Some(&old)), [""; 0]);
    assert_eq!(warned("ksvc", &changed, Some(&old)).len(), 1);
}
