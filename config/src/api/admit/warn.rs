//! What a user is told of an object that is taken: fields that are understood and do nothing for a Wasm function. Those
//! whose purpose is met in another way (probes, security context, pull policy: see `container`) are not among them.

use crate::api::error::{at, join};
use crate::api::kind::{Kind, SERVING};
use serde_json::Value;

/// Fields of a revision's spec.
const OF_SPEC: [(&str, &str); 1] =
    [("serviceAccountName", "a function has no rights but those that its annotations grant")];
/// Fields of its container.
const OF_CONTAINER: [(&str, &str); 2] = [
    ("command", "a component has one entry point; args and env reach it"),
    ("workingDir", "a function has no file system"),
];

/// Warnings about an object that was admitted, each with the path of its field. None where its spec is as it was: `old`
/// is the stored object, none for a new one.
pub fn warnings(kind: &Kind, object: &Value, old: Option<&Value>) -> Vec<String> {
    let (spec, path) = match (kind.group, kind.kind) {
        (SERVING, "Service" | "Configuration") => (&object["spec"]["template"]["spec"], "spec.template.spec"),
        (SERVING, "Revision") => (&object["spec"], "spec"),
        _ => return Vec::new(),
    };
    if old.is_some_and(|old| old["spec"] == object["spec"]) {
        return Vec::new();
    }
    let mut warnings = without_effect(spec, path, &OF_SPEC);
    for (index, container) in spec["containers"].as_array().into_iter().flatten().enumerate() {
        warnings.extend(without_effect(container, &at(&join(path, "containers"), index), &OF_CONTAINER));
    }
    warnings
}

fn without_effect(fields: &Value, path: &str, unused: &[(&str, &str)]) -> Vec<String> {
    let is_set = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    let set = unused.iter().filter(|(field, _)| is_set(&fields[*field]));
    set.map(|(field, why)| format!("{}: has no effect: {why}", join(path, field))).collect()
}
