//! Strategic merge patch, as far as Kubernetes' own kinds served here need it.

use super::merge_keys::{ListKind, list_kind, step};
use serde_json::{Map, Value, json};

/// Merges a patch into an object.
pub(crate) fn strategic(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    match patch.get("$patch").and_then(Value::as_str) {
        Some("delete") => {
            *object = Value::Null;
            return;
        }
        Some("replace") => {
            let rest = patch.iter().filter(|(name, _)| *name != "$patch");
            *object = Value::Object(rest.map(|(name, value)| (name.clone(), value.clone())).collect());
            return;
        }
        _ => {}
    }
    if !object.is_object() {
        *object = json!({});
    }
    if let Some(fields) = object.as_object_mut() {
        for (name, value) in patch {
            field(fields, name, value);
        }
    }
}

fn field(fields: &mut Map<String, Value>, name: &str, value: &Value) {
    if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
        if let (Some(items), Some(gone)) = (fields.get_mut(list).and_then(Value::as_array_mut), value.as_array()) {
            items.retain(|item| !gone.contains(item));
        }
    } else if name == "$retainKeys" {
        if let Some(kept) = value.as_array() {
            fields.retain(|name, _| kept.iter().any(|kept| kept == name));
        }
    } else if name.starts_with('$') {
        // `$setElementOrder`: the order of merged lists carries no meaning here.
    } else if value.is_null() {
        fields.remove(name);
    } else if let (Some(items), true) = (value.as_array(), list_kind(name) != ListKind::Atomic) {
        merge_list(fields.entry(name).or_insert_with(|| json!([])), items, list_kind(name));
    } else {
        let slot = fields.entry(name).or_insert(Value::Null);
        strategic(slot, value);
        if slot.is_null() {
            fields.remove(name);
        }
    }
}

fn merge_list(list: &mut Value, patch: &[Value], kind: ListKind) {
    if !list.is_array() {
        *list = json!([]);
    }
    let Some(items) = list.as_array_mut() else { return };
    for change in patch {
        let found = items.iter().position(|item| step(kind, item) == step(kind, change));
        match (found, change["$patch"] == "delete") {
            (Some(index), true) => drop(items.remove(index)),
            (Some(index), false) => strategic(&mut items[index], change),
            (None, true) => {}
            (None, false) => items.push(change.clone()),
        }
    }
}
