//! Which lists are merged element by element, and by what. Every other list is replaced as a whole.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How a list is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListKind {
    /// Elements with equal keys are one element.
    Map(&'static [&'static str]),
    /// Equal elements are one element.
    Set,
    /// As one value.
    Atomic,
}

/// The kind of the list in a field of this name.
pub(super) fn list_kind(field: &str) -> ListKind {
    match field {
        "containers" | "env" | "volumes" => ListKind::Map(&["name"]),
        "ports" => ListKind::Map(&["containerPort", "protocol"]),
        "conditions" => ListKind::Map(&["type"]),
        "ownerReferences" => ListKind::Map(&["uid"]),
        "finalizers" => ListKind::Set,
        _ => ListKind::Atomic,
    }
}

/// FieldsV1's name of an element: `k:{"name":"a"}`. A missing or empty key counts as the default that admission gives it:
/// containers may come without a name and ports without a protocol, and must be found again when they come once more.
pub(super) fn element(keys: &[&str], item: &Value) -> String {
    let default = |key: &str| match key {
        "protocol" => json!("TCP"),
        "name" => json!("user-container"),
        _ => json!(""),
    };
    let given = |key: &str| item.get(key).filter(|value| !value.is_null() && *value != "").cloned();
    let key: BTreeMap<_, _> = keys.iter().map(|key| (*key, given(key).unwrap_or_else(|| default(key)))).collect();
    format!("k:{}", json!(key))
}

/// FieldsV1's name of an element of a list, whatever its kind; nothing in an atomic list.
pub(super) fn step(kind: ListKind, item: &Value) -> Option<String> {
    match kind {
        ListKind::Map(keys) => Some(element(keys, item)),
        ListKind::Set => Some(format!("v:{item}")),
        ListKind::Atomic => None,
    }
}
