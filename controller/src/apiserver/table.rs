//! Objects as rows and as bare metadata: what `kubectl get` and metadata caches ask for instead of whole objects.

use super::json_path;
use super::resource::Resource;
use super::time::age;
use fnctl_config::api::kind::{Cell, Column};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How an answer shows objects; chosen by the `Accept` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As they are.
    Whole,
    /// `as=PartialObjectMetadata`: metadata only.
    Metadata,
    /// `as=Table`: cells, and with each row as much of the object as asked.
    Table(Include),
}

/// What of the object a row carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    None,
    /// Its metadata.
    Metadata,
    /// All of it.
    Object,
}

impl Shape {
    /// The first shape of an `Accept` header that is served here. Protobuf is passed over: JSON answers are taken.
    pub(crate) fn asked(accept: &str, include_object: &str) -> Self {
        for media in accept.split(',') {
            if media.contains("protobuf") || media.contains("cbor") {
                continue;
            }
            if media.contains("as=Table") {
                return Self::Table(match include_object {
                    "None" => Include::None,
                    "Object" => Include::Object,
                    _ => Include::Metadata,
                });
            }
            if media.contains("as=PartialObjectMetadata") {
                return Self::Metadata;
            }
            return Self::Whole;
        }
        Self::Whole
    }
}

/// An object's metadata alone.
pub(crate) fn metadata_only(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// A table around rows that are JSON already. A watch sends the columns in its first event only: again, and `kubectl`
/// prints a second header.
pub(crate) fn table(metadata: &Value, columns: &Value, rows: &[u8]) -> Vec<u8> {
    let head = format!(
        r#"{{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{metadata},"columnDefinitions":{columns},"rows":["#
    );
    [head.as_bytes(), rows, b"]}"].concat()
}

/// The column definitions of a kind.
pub(crate) fn columns(resource: Resource) -> Value {
    let definition = |column: &Column| {
        let format = if column.name == "Name" { "name" } else { "" };
        // Ages are made here, so a date is text for whoever reads the table.
        let kind = if column.type_ == "date" { "string" } else { column.type_ };
        json!({"name": column.name, "type": kind, "format": format, "description": "", "priority": column.priority})
    };
    resource.kind().columns.iter().map(definition).collect()
}

/// One object as a row.
pub(crate) fn row(resource: Resource, object: &Value, include: Include, now: Timestamp) -> Value {
    let cells: Vec<_> = resource.kind().columns.iter().map(|column| cell(column, object, now)).collect();
    let object = match include {
        Include::None => Value::Null,
        Include::Metadata => metadata_only(object),
        Include::Object => object.clone(),
    };
    json!({"cells": cells, "object": object})
}

/// When an event happened last: repeats of one are folded into it.
pub(crate) fn last_seen(event: &Value) -> Option<&str> {
    let times = [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ];
    times.into_iter().find_map(Value::as_str)
}

fn cell(column: &Column, object: &Value, now: Timestamp) -> Value {
    match column.cell {
        Cell::Path(path) => found(column.type_, json_path::evaluate(path, object), now),
        Cell::DataCount => json!(size(&object["data"]) + size(&object["binaryData"])),
        Cell::EventLastSeen => json!(since(last_seen(object), now)),
        Cell::EventObject => {
            let involved = &object["involvedObject"];
            let kind = involved["kind"].as_str().unwrap_or("").to_lowercase();
            json!(format!("{kind}/{}", involved["name"].as_str().unwrap_or("")))
        }
        Cell::PodReady => {
            let containers = object["status"]["containerStatuses"].as_array().map_or(&[][..], Vec::as_slice);
            let ready = containers.iter().filter(|container| container["ready"] == true).count();
            let all = object["spec"]["containers"].as_array().map_or(containers.len(), Vec::len);
            json!(format!("{ready}/{all}"))
        }
        Cell::PodRestarts => {
            let containers = object["status"]["containerStatuses"].as_array();
            let restarts = containers.into_iter().flatten().filter_map(|container| container["restartCount"].as_i64());
            json!(restarts.sum::<i64>())
        }
    }
}

fn found(type_: &str, found: Option<Value>, now: Timestamp) -> Value {
    match (type_, found) {
        ("date", found) => json!(since(found.as_ref().and_then(Value::as_str), now)),
        ("integer" | "number" | "boolean", found) => found.unwrap_or(Value::Null),
        (_, Some(Value::String(text))) => Value::String(text),
        (_, Some(found)) => Value::String(found.to_string()),
        (_, None) => Value::String(String::new()),
    }
}

fn size(map: &Value) -> usize {
    map.as_object().map_or(0, serde_json::Map::len)
}

fn since(time: Option<&str>, now: Timestamp) -> String {
    match time.and_then(|time| time.parse().ok()) {
        Some(then) => age(now, then),
        None => "<unknown>".to_owned(),
    }
}
