use super::{evaluate, select};
use serde_json::{Value, json};

fn document() -> Value {
    json!({"metadata": {"name": "hello", "annotations": {"a.b/c": "x", "d]e": "y"}}, "status": {"none": null, "conditions": [
        {"type": "Active", "status": "False"}, {"type": "Ready", "status": "True"}]}, "items": [{"n": 1}, {"n": 2}]})
}

#[test]
fn paths_lead_to_values() {
    let document = document();
    let table = [
        ("", json!([document])),
        ("$.metadata.name", json!(["hello"])),
        ("@.metadata['name']", json!(["hello"])),
        ("metadata.name", json!(["hello"])),
        (r#".status.conditions[?(@.type=="Ready")].status"#, json!(["True"])),
        (".items[?(@.n == 2)]", json!([{"n": 2}])),
        (".items[*].n", json!([1, 2])),
        (".items.*.n", json!([1, 2])),
        (".items[0]['n']", json!([1])),
        (".items[-1].n", json!([2])),
        (".items[-3].n", json!([])),
        (".items[2].n", json!([])),
        (r".metadata.annotations.a\.b/c", json!(["x"])),
        (r".metadata.annotations['a\.b/c']", json!(["x"])),
        (".metadata.annotations['a.b/c']", json!(["x"])),
        (".metadata.annotations['d]e']", json!(["y"])),
        (".missing.path", json!([])),
    ];
    for (path, expected) in table {
        assert_eq!(json!(select(path, &document).unwrap()), expected, "{path}");
    }
    for bad in [".a[", ".a['x]", ".items[x]", "..name", ".items[?(@.n)]", ".items[0:1]"] {
        assert!(select(bad, &document).is_err(), "{bad}");
    }
}

#[test]
fn a_column_shows_the_first_value_or_a_length() {
    let document = document();
    let table = [
        (".metadata.name", Some(json!("hello"))),
        (".items.length()", Some(json!(2))),
        (".metadata.annotations.length()", Some(json!(2))),
        (".items[*].n", Some(json!(1))),
        (".status.none", None),
        (".missing.length()", None),
        (".items[x]", None),
    ];
    for (path, expected) in table {
        assert_eq!(evaluate(path, &document), expected, "{path}");
    }
}
