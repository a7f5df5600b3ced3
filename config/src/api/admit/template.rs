//! Revisions and the templates they are made from.

use super::{container, immutable, read, traffic, unsupported};
use crate::api::annotation;
use crate::api::error::{FieldError, FieldErrorKind, at, join};
use crate::api::kind::Kind;
use crate::api::metadata::{dns_1035, labels_and_annotations, misplaced_annotations};
use crate::api::revision::RevisionSpec;
use crate::limits::{CONTAINER_CONCURRENCY_MAX, REVISION_TIMEOUT_SECONDS_DEFAULT, REVISION_TIMEOUT_SECONDS_MAX};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// A Service or a Configuration.
pub(super) fn owner(kind: &Kind, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = misplaced_annotations(&object["metadata"]);
    let template = &object["spec"]["template"];
    errors.extend(name(object, old));
    errors.extend(labels_and_annotations(&template["metadata"], "spec.template.metadata"));
    errors.extend(spec(&template["spec"], &template["metadata"], "spec.template"));
    if kind.kind == "Service" {
        errors.extend(traffic::service(&object["spec"]["traffic"]));
    }
    errors
}

/// A Revision: what it runs never changes.
pub(super) fn revision(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    if let Some(old) = old
        && old["spec"] != object["spec"]
    {
        let fields = |object: &Value| object["spec"].as_object().cloned().unwrap_or_default();
        let (was, is) = (fields(old), fields(object));
        let keys = was.keys().chain(is.keys().filter(|key| !was.contains_key(*key)));
        let changed: Vec<&str> = keys.filter(|key| was.get(*key) != is.get(*key)).map(String::as_str).collect();
        let why = format!("{}; change the Service or Configuration, which makes a new revision", changed.join(", "));
        return vec![immutable("spec", &why)];
    }
    spec(&object["spec"], &object["metadata"], "")
}

/// The name that a template gives the next revision: it begins with the owner's, and stands for one content only.
fn name(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let path = "spec.template.metadata.name";
    let metadata = &object["spec"]["template"]["metadata"];
    let mut errors = Vec::new();
    if metadata["generateName"].as_str().is_some_and(|name| !name.is_empty()) {
        errors.push(FieldError::disallowed("spec.template.metadata.generateName"));
    }
    let Some(name) = metadata["name"].as_str().filter(|name| !name.is_empty()) else { return errors };
    let prefix = format!("{}-", object["metadata"]["name"].as_str().unwrap_or_default());
    errors.extend(dns_1035(name, path));
    if !name.starts_with(&prefix) {
        errors.push(FieldError::invalid_because(name, path, format_args!("must have prefix {prefix:?}")));
    }
    let template = |object: &Value| (object["spec"]["template"]["spec"].clone(), metadata_that_runs(object));
    let renamed = |old: &Value| old["spec"]["template"]["metadata"]["name"] != name;
    if old.is_some_and(|old| !renamed(old) && template(old) != template(object)) {
        let sentence = format!(
            "Saw the following changes without a name change (-old +new): the template differs, the name is still {name:?}"
        );
        errors.push(FieldError::general(FieldErrorKind::Invalid, path, sentence));
    }
    errors
}

fn metadata_that_runs(object: &Value) -> [Value; 2] {
    ["labels", "annotations"].map(|field| {
        let mut map = object["spec"]["template"]["metadata"][field].clone();
        // Tools note there when they wrote; it runs nothing.
        if let Some(map) = map.as_object_mut() {
            map.retain(|key, _| !key.starts_with("client.knative.dev/"));
        }
        if map.as_object().is_some_and(Map::is_empty) { Value::Null } else { map }
    })
}

/// The spec of a revision. `parent` is what holds spec and metadata: `spec.template`, or nothing.
fn spec(written: &Value, metadata: &Value, parent: &str) -> Vec<FieldError> {
    let path = join(parent, "spec");
    let spec: RevisionSpec = match read::<Option<_>>(written, &path) {
        Ok(spec) => spec.unwrap_or_default(),
        Err(errors) => return errors,
    };
    let mut errors: Vec<_> = spec.refused.keys().map(|field| FieldError::disallowed(&join(&path, field))).collect();
    errors.extend(bounds(&spec, &path));
    if !spec.volumes.is_empty() {
        let sentence = "volumes are not supported yet: give values by env and envFrom";
        errors.push(unsupported(&join(&path, "volumes"), sentence));
    }
    match spec.containers.as_slice() {
        [] => errors.push(FieldError::missing(&join(&path, "containers"))),
        [_] => {}
        [..] => {
            let sentence = "several containers are not supported yet: a function is one container";
            errors.push(unsupported(&join(&path, "containers"), sentence));
        }
    }
    for (index, container) in spec.containers.iter().enumerate() {
        errors.extend(container::validate(container, &at(&join(&path, "containers"), index)));
    }
    let annotations: annotation::Annotations =
        read::<Option<_>>(&metadata["annotations"], "").ok().flatten().unwrap_or_default();
    let path = join(&join(parent, "metadata"), "annotations");
    let concurrency = spec.container_concurrency.and_then(|bound| u32::try_from(bound).ok()).unwrap_or(0);
    errors.extend(annotation::scale(&annotations, concurrency, &path).err().into_iter().flatten());
    errors.extend(annotation::extensions(&annotations, &path).err().into_iter().flatten());
    errors
}

fn bounds(spec: &RevisionSpec, path: &str) -> Vec<FieldError> {
    let within = |value: Option<i64>, bounds: RangeInclusive<i64>, field: &str| {
        let value = value.filter(|value| !bounds.contains(value))?;
        Some(FieldError::out_of_bounds(value, bounds.start(), bounds.end(), &join(path, field)))
    };
    let timeout = spec.timeout_seconds.filter(|seconds| *seconds > 0).unwrap_or(REVISION_TIMEOUT_SECONDS_DEFAULT);
    let mut errors: Vec<_> = [
        within(spec.container_concurrency, 0..=CONTAINER_CONCURRENCY_MAX, "containerConcurrency"),
        within(spec.timeout_seconds, 0..=REVISION_TIMEOUT_SECONDS_MAX, "timeoutSeconds"),
        within(spec.response_start_timeout_seconds, 0..=timeout, "responseStartTimeoutSeconds"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if spec.idle_timeout_seconds.is_some_and(|seconds| seconds != 0) {
        let sentence = "an idle timeout is not supported yet: use timeoutSeconds and responseStartTimeoutSeconds";
        errors.push(unsupported(&join(path, "idleTimeoutSeconds"), sentence));
    }
    errors
}
