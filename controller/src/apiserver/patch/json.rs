//! JSON patch, bounded: a few bytes of `copy` make a document of any size, and of `move` one of any depth, which whoever walks
//! through it would pay with the whole stack.

use fnctl_config::limits::{API_DEPTH_MAX, API_PATCH_OPERATIONS_MAX, OBJECT_BYTES_MAX};
use json_patch::{Patch, PatchError, PatchOperation, patch_unsafe};
use serde_json::Value;
use std::slice;

/// Why a patch was not applied. The document is spoilt then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JsonPatchError {
    #[error("the patch has {0} operations; at most {API_PATCH_OPERATIONS_MAX} are taken")]
    Operations(usize),
    #[error("operation '/{0}' copies more than {OBJECT_BYTES_MAX} bytes with those before it")]
    Copies(usize),
    #[error("operation '/{0}' would nest deeper than {API_DEPTH_MAX} levels")]
    Depth(usize),
    #[error(transparent)]
    Operation(#[from] PatchError),
}

/// Applies a patch to a document that is at most [`API_DEPTH_MAX`] levels deep, as what was read from JSON is.
pub(crate) fn json(document: &mut Value, patch: &Patch) -> Result<(), JsonPatchError> {
    if patch.len() > API_PATCH_OPERATIONS_MAX {
        return Err(JsonPatchError::Operations(patch.len()));
    }
    let mut copied = 0;
    for (index, operation) in patch.iter().enumerate() {
        let inserted = match operation {
            PatchOperation::Add(add) => Some(&add.value),
            PatchOperation::Replace(replace) => Some(&replace.value),
            PatchOperation::Move(moved) => document.pointer(moved.from.as_str()),
            PatchOperation::Copy(copy) => {
                let source = document.pointer(copy.from.as_str());
                copied += source.map_or(0, size);
                source
            }
            PatchOperation::Remove(_) | PatchOperation::Test(_) => None,
        };
        if copied > OBJECT_BYTES_MAX {
            return Err(JsonPatchError::Copies(index));
        }
        let levels = operation.path().as_str().matches('/').count();
        if inserted.is_some_and(|value| levels + depth(value) > API_DEPTH_MAX) {
            return Err(JsonPatchError::Depth(index));
        }
        patch_unsafe(document, slice::from_ref(operation)).map_err(|mut error| {
            error.operation = index;
            error
        })?;
    }
    Ok(())
}

/// Bytes of the value as JSON, about.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(name, field)| name.len() + size(field) + 4).sum::<usize>() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => 5,
    }
}

/// Levels of arrays and objects.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn applied(operations: Vec<Value>) -> Result<Value, JsonPatchError> {
        let mut document = json!({"data": {"a": "1"}});
        let patch = serde_json::from_value(Value::Array(operations)).unwrap();
        json(&mut document, &patch).map(|()| document)
    }

    #[test]
    fn copies_of_copies_end_at_an_objects_size() {
        let copies =
            |count: usize| (0..count).map(|at| json!({"op": "copy", "from": "/data", "path": format!("/data/{at}")}));
        assert!(size(&applied(copies(10).collect()).unwrap()) > 1 << 10, "each of them doubles what is there");
        let error = applied(copies(1_000).collect()).unwrap_err();
        assert!(matches!(error, JsonPatchError::Copies(at) if at < 25), "{error}");
    }

    #[test]
    fn moves_into_moves_end_at_the_depth_that_can_be_read() {
        let nested = |levels: usize| {
            let level = [
                json!({"op": "add", "path": "/outer", "value": {}}),
                json!({"op": "move", "from": "/inner", "path": "/outer/a"}),
                json!({"op": "move", "from": "/outer", "path": "/inner"}),
            ];
            let begin = vec![json!({"op": "add", "path": "/inner", "value": {}})];
            begin.into_iter().chain(std::iter::repeat_n(level, levels).flatten()).collect::<Vec<_>>()
        };
        let read = |document: Value| serde_json::from_str::<Value>(&document.to_string()).is_ok();
        assert!(read(applied(nested(API_DEPTH_MAX - 3)).unwrap()));
        assert!(matches!(applied(nested(API_DEPTH_MAX)), Err(JsonPatchError::Depth(_))));
        let deep = format!("/data{}", "/a".repeat(API_DEPTH_MAX));
        assert!(matches!(
            applied(vec![json!({"op": "add", "path": deep, "value": {}})]),
            Err(JsonPatchError::Depth(0))
        ));
    }

    /// What an operation threw away cannot be brought back: the library's own way of trying to ends in a panic.
    #[test]
    fn a_patch_that_fails_behind_a_move_onto_a_parent_is_refused() {
        let onto = json!({"op": "move", "from": "/data/a", "path": "/data"});
        let error = applied(vec![onto, json!({"op": "remove", "path": "/data/b"})]).unwrap_err();
        assert!(error.to_string().contains("'/1'"), "{error}");
    }

    #[test]
    fn operations_are_counted_and_named() {
        let test = json!({"op": "test", "path": "/data/a", "value": "1"});
        assert!(applied(vec![test.clone(); API_PATCH_OPERATIONS_MAX]).is_ok());
        let error = applied(vec![test.clone(); API_PATCH_OPERATIONS_MAX + 1]).unwrap_err();
        assert!(matches!(error, JsonPatchError::Operations(_)), "{error}");
        let error = applied(vec![test, json!({"op": "remove", "path": "/data/b"})]).unwrap_err();
        assert!(error.to_string().contains("'/1'") && error.to_string().contains("/data/b"), "{error}");
    }
}
