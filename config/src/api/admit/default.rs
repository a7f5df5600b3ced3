//! Defaults that are written into objects, where Knative writes them, so that what users get back says what is in force.
//! They only add what is missing; everything else of the object stays as it was written.

use crate::api::annotation::{BROKER_CLASS, BROKER_CLASS_DEFAULT};
use crate::api::container::CONTAINER_NAME;
use crate::api::kind::Kind;
use crate::limits::REVISION_TIMEOUT_SECONDS_DEFAULT;
use serde_json::{Map, Value, json};

/// Label of a trigger with its broker's name.
const TRIGGER_BROKER: &str = "eventing.knative.dev/broker";

/// Labels and annotations that a kind always carries.
pub(super) fn metadata(kind: &Kind, object: &mut Value) {
    if kind.kind == "Broker" && object["metadata"]["annotations"][BROKER_CLASS].is_null() {
        put(object, "annotations", BROKER_CLASS, BROKER_CLASS_DEFAULT.to_owned());
    }
    if kind.kind == "Trigger"
        && let Some(name) = object["spec"]["broker"].as_str().filter(|name| !name.is_empty()).map(str::to_owned)
    {
        put(object, "labels", TRIGGER_BROKER, name);
    }
}

/// Defaults of the spec.
pub(super) fn spec(kind: &Kind, object: &mut Value) {
    if kind.kind == "Broker"
        && let Some(fields) = object.as_object_mut()
    {
        set(fields, "spec", json!({}));
    }
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    match kind.kind {
        "Service" => {
            template(spec);
            if spec.get("traffic").is_none_or(is_empty) {
                spec.insert("traffic".to_owned(), json!([{"latestRevision": true, "percent": 100}]));
            }
            targets(spec);
        }
        "Configuration" => template(spec),
        "Revision" => {
            revision(spec);
            container_names(spec);
        }
        "Route" => targets(spec),
        "Broker" => {
            set(spec, "delivery", json!({"retry": 10, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"}))
        }
        _ => {}
    }
}

/// Who made the object, and who changed its spec last, as annotations that only this function writes. What a controller
/// makes for another object carries that object's authors.
pub(super) fn authors(kind: &Kind, object: &mut Value, old: Option<&Value>, who: &str) {
    if object["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty()) {
        return;
    }
    let [creator, modifier] = ["creator", "lastModifier"].map(|name| format!("{}/{name}", kind.group));
    let known = |name: &str| old.and_then(|old| old["metadata"]["annotations"][name].as_str()).map(str::to_owned);
    let is_changed = old.is_none_or(|old| old["spec"] != object["spec"]);
    let modified = Some(who.to_owned()).filter(|_| is_changed).or_else(|| known(&modifier));
    let authors =
        [(creator.clone(), known(&creator).or_else(|| old.is_none().then(|| who.to_owned()))), (modifier, modified)];
    for (name, author) in authors {
        match author {
            Some(author) => put(object, "annotations", &name, author),
            None => remove(object, &name),
        }
    }
}

fn template(owner: &mut Map<String, Value>) {
    let spec = owner.get_mut("template").and_then(|template| template.get_mut("spec"));
    spec.and_then(Value::as_object_mut).into_iter().for_each(revision);
}

fn revision(fields: &mut Map<String, Value>) {
    set(fields, "containerConcurrency", json!(0));
    set(fields, "enableServiceLinks", json!(false));
    if fields.get("timeoutSeconds").is_none_or(|seconds| seconds.is_null() || *seconds == 0) {
        fields.insert("timeoutSeconds".to_owned(), json!(REVISION_TIMEOUT_SECONDS_DEFAULT));
    }
}

/// Names containers in the revision only: written into what users apply, a default inside a list would make kubectl's
/// client-side apply replace the list each time, and say `configured` where nothing changed.
fn container_names(fields: &mut Map<String, Value>) {
    let containers = fields.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten();
    for container in containers.filter_map(Value::as_object_mut) {
        if container.get("name").is_none_or(|name| name.is_null() || *name == "") {
            container.insert("name".to_owned(), json!(CONTAINER_NAME));
        }
    }
}

fn targets(owner: &mut Map<String, Value>) {
    let traffic = owner.get_mut("traffic").and_then(Value::as_array_mut);
    for target in traffic.into_iter().flatten().filter_map(Value::as_object_mut) {
        let is_latest = target.get("revisionName").is_none_or(|name| name.is_null() || *name == "");
        set(target, "latestRevision", json!(is_latest));
    }
}

fn is_empty(list: &Value) -> bool {
    list.is_null() || list.as_array().is_some_and(Vec::is_empty)
}

fn set(fields: &mut Map<String, Value>, field: &str, value: Value) {
    let entry = fields.entry(field).or_insert(Value::Null);
    if entry.is_null() {
        *entry = value;
    }
}

fn remove(object: &mut Value, annotation: &str) {
    if let Some(Value::Object(annotations)) = object.pointer_mut("/metadata/annotations") {
        annotations.remove(annotation);
    }
}

/// Sets one entry of a map in metadata.
fn put(object: &mut Value, map: &str, key: &str, value: String) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    set(metadata, map, json!({}));
    if let Some(entries) = metadata.get_mut(map).and_then(Value::as_object_mut) {
        entries.insert(key.to_owned(), Value::from(value));
    }
}
