//! Laws of merging and of field ownership, by tables and by random objects.

use super::fields::Fields;
use super::{Force, Manager, same_but_for_time, strategic};
use proptest::prelude::*;
use serde_json::{Value, json};

fn apply(live: &Value, manager: &str, config: &Value, force: Force) -> Result<Value, Vec<String>> {
    let manager = Manager { name: manager, operation: "Apply", subresource: "", api_version: "v1", now: "T" };
    manager.applied(live, config, force).map_err(|conflicts| conflicts.iter().map(ToString::to_string).collect())
}

fn bare() -> Value {
    json!({"metadata": {"name": "a"}})
}

fn without_managers(mut object: Value) -> Value {
    object["metadata"]["managedFields"].take();
    object
}

#[test]
fn apply_tables() {
    let one = json!({"data": {"k": "one", "l": "two"}});
    let live = apply(&bare(), "a", &one, Force::No).unwrap();
    assert_eq!(live["data"], one["data"]);

    let other = json!({"data": {"k": "nine"}});
    assert_eq!(apply(&live, "b", &other, Force::No).unwrap_err(), [r#"conflict with "a": .data.k"#]);
    let forced = apply(&live, "b", &other, Force::Yes).unwrap();
    assert_eq!(forced["data"], json!({"k": "nine", "l": "two"}));

    // The first manager no longer owns `k`, so dropping it leaves it there; `l` was its own and goes.
    let dropped = apply(&forced, "a", &json!({"data": {}}), Force::No).unwrap();
    assert_eq!(dropped["data"], json!({"k": "nine"}));
}

#[test]
fn list_elements_merge_and_go_by_key() {
    let containers = |env: Value| json!({"spec": {"containers": [{"name": "c", "image": "i", "env": env}]}});
    let live = apply(&bare(), "a", &containers(json!([{"name": "A", "value": "1"}])), Force::No).unwrap();
    let added = json!({"spec": {"containers": [{"name": "c", "env": [{"name": "B", "value": "2"}]}]}});
    let both = apply(&live, "b", &added, Force::No).unwrap();
    let names = |object: &Value| -> Vec<String> {
        let env = object["spec"]["containers"][0]["env"].as_array().cloned().unwrap_or_default();
        env.iter().map(|item| item["name"].as_str().unwrap_or("").to_owned()).collect()
    };
    assert_eq!(names(&both), ["A", "B"]);
    let left = apply(&both, "a", &containers(json!([])), Force::No);
    // An empty list is stated as a value of its own: it is what `b` owns elements of, not a conflict.
    assert_eq!(left.as_ref().map(names).unwrap_or_default(), ["B"]);
    let gone = apply(&both, "b", &json!({"metadata": {}}), Force::No).unwrap();
    assert_eq!(names(&gone), ["A"]);
    assert_eq!(gone["spec"]["containers"][0]["image"], "i");
}

#[test]
fn keyed_lists_are_those_of_the_api_and_all_others_are_one_value() {
    let stated = |field: &str, items: &[&Value]| json!({"spec": {field: items}});
    for (field, one, same, other, owned) in [
        (
            "containers",
            json!({"name": "a", "image": "i"}),
            json!({"name": "a", "image": "j"}),
            json!({"name": "b"}),
            "[name=\"a\"].image",
        ),
        (
            "env",
            json!({"name": "A", "value": "1"}),
            json!({"name": "A", "value": "2"}),
            json!({"name": "B"}),
            "[name=\"A\"].value",
        ),
        ("volumes", json!({"name": "a", "k": 1}), json!({"name": "a", "k": 2}), json!({"name": "b"}), "[name=\"a\"].k"),
        (
            "ports",
            json!({"containerPort": 80, "name": "h2c"}),
            json!({"containerPort": 80, "name": "http1", "protocol": "TCP"}),
            json!({"containerPort": 80, "protocol": "UDP"}),
            "[containerPort=80,protocol=\"TCP\"].name",
        ),
        (
            "ports",
            json!({"containerPort": 80, "n": 1}),
            json!({"containerPort": 80, "n": 2}),
            json!({"containerPort": 81}),
            "[containerPort=80,protocol=\"TCP\"].n",
        ),
        (
            "conditions",
            json!({"type": "A", "status": "True"}),
            json!({"type": "A", "status": "False"}),
            json!({"type": "B"}),
            "[type=\"A\"].status",
        ),
    ] {
        let live = apply(&bare(), "a", &stated(field, &[&one]), Force::No).unwrap();
        let both = apply(&live, "b", &stated(field, &[&other]), Force::No).unwrap();
        assert_eq!(both["spec"][field], json!([one, other]), "{field}: elements of two managers stand side by side");
        let conflict = apply(&both, "b", &stated(field, &[&same]), Force::No).unwrap_err();
        assert_eq!(conflict, [format!("conflict with \"a\": .spec.{field}{owned}")]);
        let left = apply(&both, "a", &json!({"metadata": {}}), Force::No).unwrap();
        assert_eq!(left["spec"][field], json!([other]), "{field}: an element goes with its one owner");
    }
    for field in ["args", "filters", "traffic", "eventTypes"] {
        let live = apply(&bare(), "a", &stated(field, &[&json!({"name": "a"})]), Force::No).unwrap();
        let conflict = apply(&live, "b", &stated(field, &[&json!({"name": "b"})]), Force::No).unwrap_err();
        assert_eq!(conflict, [format!("conflict with \"a\": .spec.{field}")]);
    }
}

#[test]
fn who_changes_a_field_owns_it_alone() {
    let live = apply(&bare(), "a", &json!({"data": {"k": "1", "l": "1"}}), Force::No).unwrap();
    let mut new = live.clone();
    new["data"]["k"] = json!("2");
    let editor = Manager { name: "editor", operation: "Update", subresource: "", api_version: "v1", now: "T" };
    editor.updated(&live, &mut new);
    let conflict = apply(&new, "a", &json!({"data": {"k": "1", "l": "1"}}), Force::No).unwrap_err();
    assert_eq!(conflict, [r#"conflict with "editor": .data.k"#]);
}

#[test]
fn strategic_merges_by_key_and_deletes() {
    let cases = [
        (
            json!({"data": {"a": "1", "b": "2"}}),
            json!({"data": {"a": null, "c": "3"}}),
            json!({"data": {"b": "2", "c": "3"}}),
        ),
        (json!({"x": {"a": 1}}), json!({"x": {"$patch": "replace", "b": 2}}), json!({"x": {"b": 2}})),
        (json!({"x": {"a": 1}, "y": 1}), json!({"x": {"$patch": "delete"}}), json!({"y": 1})),
        (
            json!({"env": [{"name": "A", "value": "1"}]}),
            json!({"env": [{"name": "A", "value": "2"}, {"name": "B"}], "$setElementOrder/env": []}),
            json!({"env": [{"name": "A", "value": "2"}, {"name": "B"}]}),
        ),
        (json!({"env": [{"name": "A"}]}), json!({"env": [{"name": "A", "$patch": "delete"}]}), json!({"env": []})),
        (
            json!({"metadata": {"finalizers": ["a", "b"]}}),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
            json!({"metadata": {"finalizers": ["b"]}}),
        ),
    ];
    for (mut object, patch, wanted) in cases {
        strategic(&mut object, &patch);
        assert_eq!(object, wanted, "after {patch}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(true)), (0..9).prop_map(|n| json!(n)), "[a-c]{0,3}".prop_map(|s| json!(s))];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn env() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[A-E]", "[xy]", 0..4).prop_map(|map| {
        let items: Vec<_> = map.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        json!(items)
    })
}

fn config() -> impl Strategy<Value = Value> {
    let data = prop::collection::btree_map("[a-d]", value(), 0..4);
    (data, env()).prop_map(|(data, env)| {
        let mut object = json!({"data": data});
        if env != json!([]) {
            object["spec"] = json!({"env": env});
        }
        object
    })
}

proptest! {
    #[test]
    fn fields_survive_json(config in config()) {
        let fields = Fields::of_object(&config);
        prop_assert_eq!(Fields::from_json(&fields.json()), fields);
    }

    #[test]
    fn an_apply_states_what_it_says(config in config()) {
        let live = apply(&bare(), "a", &config, Force::No).unwrap();
        for (name, value) in config["data"].as_object().unwrap() {
            prop_assert_eq!(&live["data"][name], value);
        }
    }

    #[test]
    fn apply_twice_is_apply_once(first in config(), second in config()) {
        let live = apply(&bare(), "a", &first, Force::No).unwrap();
        let once = apply(&live, "b", &second, Force::Yes).unwrap();
        let twice = apply(&once, "b", &second, Force::Yes).unwrap();
        prop_assert!(same_but_for_time(&once, &twice), "{once} became {twice}");
    }

    #[test]
    fn apply_then_nothing_leaves_nothing(config in config()) {
        let live = apply(&bare(), "a", &config, Force::No).unwrap();
        let empty = apply(&live, "a", &json!({"metadata": {}}), Force::No).unwrap();
        prop_assert_eq!(without_managers(empty), without_managers(apply(&bare(), "b", &json!({}), Force::No).unwrap()));
    }

    #[test]
    fn managers_of_different_fields_commute(first in config(), second in config()) {
        let second = json!({"other": second["data"], "spec": {"second": second["spec"]}});
        let one = apply(&apply(&bare(), "a", &first, Force::No).unwrap(), "b", &second, Force::No).unwrap();
        let other = apply(&apply(&bare(), "b", &second, Force::No).unwrap(), "a", &first, Force::No).unwrap();
        prop_assert_eq!(without_managers(one), without_managers(other));
    }

    #[test]
    fn a_merge_patch_done_twice_is_done_once(object in config(), patch in value()) {
        let mut once = object;
        json_patch::merge(&mut once, &patch);
        let mut twice = once.clone();
        json_patch::merge(&mut twice, &patch);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn a_strategic_patch_done_twice_is_done_once(object in config(), patch in config()) {
        let mut once = object;
        strategic(&mut once, &patch);
        let mut twice = once.clone();
        strategic(&mut twice, &patch);
        prop_assert_eq!(once, twice);
    }
}
