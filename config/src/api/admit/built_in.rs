//! ConfigMaps and Secrets, by Kubernetes' rules in its words.

use crate::api::error::{FieldError, FieldErrorKind, keyed};
use crate::api::kind::Kind;
use crate::limits::MAP_BYTES_MAX;
use serde_json::{Map, Value};

const KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

pub(super) fn validate(kind: &Kind, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for field in ["data", "binaryData"] {
        for (key, value) in entries(object, field) {
            size += value.as_str().unwrap_or_default().len();
            if let Some(why) = key_error(key) {
                errors.push(FieldError::kubernetes(FieldErrorKind::Invalid, &keyed(field, key), Some(key), why));
            }
            if field == "binaryData" && !object["data"][key].is_null() {
                let detail = "duplicate of key present in data";
                errors.push(FieldError::kubernetes(FieldErrorKind::Invalid, &keyed(field, key), Some(key), detail));
            }
        }
    }
    if size > MAP_BYTES_MAX {
        let detail = format!("may not be more than {MAP_BYTES_MAX} bytes");
        errors.push(FieldError::kubernetes(FieldErrorKind::TooLong, "data", None, &detail));
    }
    errors.extend(old.into_iter().flat_map(|old| changes(kind, object, old)));
    errors
}

fn entries<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object[field].as_object().into_iter().flat_map(Map::iter)
}

fn key_error(key: &str) -> Option<&'static str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match key {
        "." => Some("must not be '.'"),
        _ if key.starts_with("..") => Some("must not start with '..'"),
        _ if key.len() > 253 => Some("must be no more than 253 characters"),
        _ if key.is_empty() || !key.bytes().all(legal) => Some(KEY),
        _ => None,
    }
}

/// What never changes: a Secret's type, and everything of an object that says so.
fn changes(kind: &Kind, object: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if kind.kind == "Secret" && object["type"] != old["type"] {
        let type_ = object["type"].as_str().unwrap_or_default();
        errors.push(FieldError::kubernetes(FieldErrorKind::Invalid, "type", Some(type_), "field is immutable"));
    }
    if old["immutable"] == true {
        let is_changed = |field: &&str| object[*field] != old[*field];
        let detail = "field is immutable when `immutable` is set";
        let forbidden = |field| FieldError::kubernetes(FieldErrorKind::Forbidden, field, None, detail);
        errors.extend(["immutable", "data", "binaryData"].into_iter().filter(is_changed).map(forbidden));
    }
    errors
}
