//! Looking into the metadata of one object. The store knows no more of an object than this.

use serde_json::Value;

/// The finalizer that holds an owner until its dependents are gone.
pub(super) const FOREGROUND: &str = "foregroundDeletion";

/// Whether deletion of the object has begun.
pub(crate) fn deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// What must be taken off before the object can go.
pub(crate) fn finalizers(object: &Value) -> Vec<String> {
    let list = object["metadata"]["finalizers"].as_array();
    list.into_iter().flatten().filter_map(|finalizer| finalizer.as_str().map(str::to_owned)).collect()
}

/// The object's uid; empty where it has none.
pub(super) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or("")
}

/// Its owners.
pub(super) fn owners(object: &Value) -> &[Value] {
    object["metadata"]["ownerReferences"].as_array().map_or(&[], Vec::as_slice)
}

/// Takes one owner off; answers whether there was one.
pub(super) fn disown(object: &mut Value, mut gone: impl FnMut(&Value) -> bool) -> bool {
    let Some(list) = object["metadata"]["ownerReferences"].as_array_mut() else { return false };
    let before = list.len();
    list.retain(|owner| !gone(owner));
    let changed = list.len() < before;
    if list.is_empty()
        && let Some(metadata) = object["metadata"].as_object_mut()
    {
        metadata.remove("ownerReferences");
    }
    changed
}
