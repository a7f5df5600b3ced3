//! Brokers, triggers and bucket sources. Their filters, delivery and destinations are judged by being resolved.

use super::{immutable, read, unsupported};
use crate::address::is_bucket_name;
use crate::api::annotation::{
    BROKER_CLASS, BROKER_CLASS_DEFAULT, DELIVERY_ORDER, DEPENDENCY, INJECTION, RETENTION, STRICT_REPLY,
};
use crate::api::error::{FieldError, join};
use crate::api::metadata::annotation_path;
use crate::resolve::{self, Home};
use serde_json::Value;

/// S3 event names that the node's buckets send; a `*` after the colon is all of them.
const BUCKET_EVENTS: [&str; 8] = [
    "ObjectCreated:*",
    "ObjectCreated:Put",
    "ObjectCreated:Post",
    "ObjectCreated:Copy",
    "ObjectCreated:CompleteMultipartUpload",
    "ObjectRemoved:*",
    "ObjectRemoved:Delete",
    "ObjectRemoved:DeleteMarkerCreated",
];

pub(super) fn broker(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = choice(object, RETENTION, &["delete", "keep"]);
    let class = class_of(object);
    let path = annotation_path("metadata", BROKER_CLASS);
    if class != BROKER_CLASS_DEFAULT {
        let sentence =
            format!("broker class {class} is not supported yet: use {BROKER_CLASS_DEFAULT}, or leave it out");
        errors.push(unsupported(&path, &sentence));
    }
    if let Some(old) = old {
        if class_of(old) != class {
            errors.push(immutable(&path, "a broker keeps its class: make another broker"));
        }
        if old["spec"]["config"] != object["spec"]["config"] {
            errors.push(immutable("spec.config", "a broker keeps its config: make another broker"));
        }
    }
    if let Some(config) = object["spec"].get("config").filter(|config| !config.is_null()) {
        let is_missing = |field: &&str| config[*field].as_str().is_none_or(str::is_empty);
        let missing = ["apiVersion", "kind", "name"].into_iter().filter(is_missing);
        errors.extend(missing.map(|field| FieldError::missing(&join("spec.config", field))));
    }
    resolved(object, resolve::broker, &mut errors);
    errors
}

fn class_of(broker: &Value) -> &str {
    broker["metadata"]["annotations"][BROKER_CLASS].as_str().unwrap_or(BROKER_CLASS_DEFAULT)
}

pub(super) fn trigger(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = choice(object, STRICT_REPLY, &["true", "false"]);
    errors.extend(choice(object, DELIVERY_ORDER, &["ordered", "unordered"]));
    let refused = [
        (DEPENDENCY, "a trigger that waits for another object is not supported yet"),
        (INJECTION, "a broker is not made by a trigger: make a Broker"),
    ];
    for (name, sentence) in refused {
        if !object["metadata"]["annotations"][name].is_null() {
            errors.push(unsupported(&annotation_path("metadata", name), sentence));
        }
    }
    if object["spec"]["broker"].as_str().is_none_or(str::is_empty) {
        errors.push(FieldError::missing("spec.broker"));
    } else if old.is_some_and(|old| old["spec"]["broker"] != object["spec"]["broker"]) {
        errors.push(immutable("spec.broker", "a trigger keeps its broker: make another trigger"));
    }
    resolved(object, resolve::trigger, &mut errors);
    errors
}

pub(super) fn bucket_source(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let bucket = object["spec"]["bucket"].as_str().unwrap_or_default();
    if bucket.is_empty() {
        errors.push(FieldError::missing("spec.bucket"));
    } else if !is_bucket_name(bucket) {
        let why = "expected 3 to 63 lower case letters, digits, '-' and '.', as S3 takes them";
        errors.push(FieldError::invalid_because(bucket, "spec.bucket", why));
    }
    for (index, name) in object["spec"]["eventTypes"].as_array().into_iter().flatten().enumerate() {
        let name = name.as_str().unwrap_or_default();
        if !BUCKET_EVENTS.contains(&name.strip_prefix("s3:").unwrap_or(name)) {
            let near = crate::nearest(name, BUCKET_EVENTS);
            let near = near.map(|near| format!("did you mean {near:?}?"));
            let why = near.unwrap_or_else(|| format!("expected one of {}", BUCKET_EVENTS.join(", ")));
            errors.push(FieldError::invalid_because(name, &format!("spec.eventTypes[{index}]"), why));
        }
    }
    resolved(object, resolve::bucket_source, &mut errors);
    errors
}

/// An annotation that takes one of a few values.
fn choice(object: &Value, name: &str, values: &[&str]) -> Vec<FieldError> {
    let value = object["metadata"]["annotations"][name].as_str().filter(|value| !values.contains(value));
    let why = format!("expected {}", values.join(" or "));
    value.map(|value| FieldError::invalid_because(value, &annotation_path("metadata", name), why)).into_iter().collect()
}

/// Adds what resolving the object finds wrong.
fn resolved<Object: serde::de::DeserializeOwned, Resolved>(
    object: &Value,
    resolve: fn(&Object, &Home) -> Result<Resolved, Vec<FieldError>>,
    errors: &mut Vec<FieldError>,
) {
    errors.extend(read(object, "").and_then(|object| resolve(&object, &Home::default())).err().into_iter().flatten());
}
