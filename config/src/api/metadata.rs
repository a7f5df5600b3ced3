//! Names, labels and annotations: Kubernetes' rules in its words, and Knative's for the names of functions.

use super::annotation;
use super::error::{FieldError, FieldErrorKind, join, keyed};
use super::kind::{Kind, SERVING};
use crate::limits::ANNOTATIONS_BYTES_MAX;
use serde_json::{Map, Value};

const DNS_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED_NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Knative's label that keeps a function off the public address.
const VISIBILITY: &str = "networking.knative.dev/visibility";

/// What is wrong with the name, labels and annotations of an object that is about to be stored.
pub fn validate(kind: &Kind, object: &Value) -> Vec<FieldError> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let mut errors = Vec::new();
    if kind.group == SERVING {
        errors.extend(dns_1035(name, "metadata.name"));
    } else {
        let (legal, rule) = match kind.kind {
            "Namespace" => (is_dns_label(name), DNS_LABEL),
            _ => (is_dns_subdomain(name), DNS_SUBDOMAIN),
        };
        if !legal {
            errors.push(FieldError::kubernetes(FieldErrorKind::Invalid, "metadata.name", Some(name), rule));
        }
    }
    errors.extend(labels_and_annotations(&object["metadata"], "metadata"));
    let visibility = object["metadata"]["labels"][VISIBILITY].as_str();
    if let (SERVING, Some(value)) = (kind.group, visibility) {
        let why = "addresses that only the cluster can reach are not here yet: the function would be public";
        errors.push(FieldError::invalid_because(value, &keyed("metadata.labels", VISIBILITY), why));
    }
    errors
}

/// What is wrong with the labels and annotations of metadata, of an object or of a template.
pub(super) fn labels_and_annotations(metadata: &Value, path: &str) -> Vec<FieldError> {
    let entries = |field: &str| metadata[field].as_object().into_iter().flatten();
    let invalid = |field: &str, value: &str, rule: &str| {
        FieldError::kubernetes(FieldErrorKind::Invalid, &join(path, field), Some(value), rule)
    };
    let mut errors = Vec::new();
    for (key, value) in entries("labels") {
        let value = value.as_str().unwrap_or_default();
        if !is_qualified_name(key) {
            errors.push(invalid("labels", key, QUALIFIED_NAME));
        }
        if !value.is_empty() && !is_name_part(value) {
            errors.push(invalid("labels", value, LABEL_VALUE));
        }
    }
    let mut size = 0;
    for (key, value) in entries("annotations") {
        size += key.len() + value.as_str().unwrap_or_default().len();
        if !is_qualified_name(key) {
            errors.push(invalid("annotations", key, QUALIFIED_NAME));
        }
    }
    if size > ANNOTATIONS_BYTES_MAX {
        let detail = format!("may not be more than {ANNOTATIONS_BYTES_MAX} bytes");
        errors.push(FieldError::kubernetes(FieldErrorKind::TooLong, &join(path, "annotations"), None, &detail));
    }
    let annotations = metadata["annotations"].as_object();
    errors.extend(annotations.into_iter().flat_map(|annotations| unknown_of_ours(annotations, path)));
    errors
}

/// Annotations under our own prefix that mean nothing: a spelling mistake would otherwise be a setting without effect.
fn unknown_of_ours(annotations: &Map<String, Value>, path: &str) -> Vec<FieldError> {
    let unknown = |key: &&String| key.starts_with("fnctl.dev/") && !annotation::OURS.contains(&key.as_str());
    let error = |key: &String| {
        let why = match crate::nearest(key, annotation::OURS.iter().copied()) {
            Some(name) => format!("there is no such annotation: did you mean {name:?}?"),
            None => format!("there is no such annotation: expected one of {}", annotation::OURS.join(", ")),
        };
        FieldError::invalid_key(key, &join(path, "annotations"), why)
    };
    annotations.keys().filter(unknown).map(error).collect()
}

/// Annotations that work only on the template of revisions, and stand on the object that makes them.
pub(super) fn misplaced_annotations(metadata: &Value) -> Vec<FieldError> {
    let of_revisions =
        |key: &&String| key.starts_with(annotation::AUTOSCALING) || annotation::OF_REVISIONS.contains(&key.as_str());
    let error = |key: &String| {
        let place = "spec.template.metadata.annotations";
        let why = if key.starts_with(annotation::AUTOSCALING) {
            format!("autoscaling annotations must be put under {place:?} to work")
        } else {
            format!("this annotation must be put under {place:?} to work")
        };
        FieldError::invalid_key(key, "metadata.annotations", why)
    };
    metadata["annotations"].as_object().into_iter().flat_map(Map::keys).filter(of_revisions).map(error).collect()
}

/// Knative's error for a name that must be a DNS-1035 label, if it is none.
pub(super) fn dns_1035(name: &str, path: &str) -> Option<FieldError> {
    let legal = is_dns_label(name) && name.starts_with(|first: char| first.is_ascii_lowercase());
    let why = if name.len() > 63 { "must be no more than 63 characters" } else { DNS_1035 };
    let sentence = format_args!("not a DNS 1035 label: [{why}]");
    (!legal).then(|| FieldError::general(FieldErrorKind::Invalid, path, sentence))
}

/// Whether it is an RFC 1123 label: lower-case letters, digits and `-`, at most 63 characters.
pub fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_dns_part(text)
}

/// Whether it is an RFC 1123 subdomain: such labels (of any length) joined by dots, at most 253 characters.
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_part)
}

fn is_dns_part(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(legal) && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether it is the name part of a label's key, or a label's value that is not empty.
fn is_name_part(text: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = text.as_bytes();
    text.len() <= 63 && text.bytes().all(legal) && is_edge(bytes.first()) && is_edge(bytes.last())
}

/// Whether it is the key of a label or annotation: `name` or `prefix/name`.
fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_name_part(name),
        None => is_name_part(text),
    }
}

/// `path[key]` of an annotation.
pub(super) fn annotation_path(path: &str, key: &str) -> String {
    keyed(&join(path, "annotations"), key)
}

#[cfg(test)]
mod tests;
