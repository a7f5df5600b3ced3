//! The one gate into the store: makes an object fit to be stored, or says all that is wrong with it.
//!
//! What is admitted can be run: annotations, resources, delivery, filters and destinations are read by the functions that
//! resolution uses. What is understood and does nothing here yet is refused in so many words, not ignored.

mod built_in;
mod container;
mod default;
mod eventing;
mod template;
mod traffic;
mod warn;

use super::error::{FieldError, FieldErrorKind};
use super::kind::Kind;
use super::metadata;
use serde_json::Value;

pub use warn::warnings;

/// Makes an object fit to be stored, or says all that is wrong with it. The object has a name and has passed its schema.
/// `old` is the stored object, none for a new one; `who` is the user.
///
/// It sets defaults and notes who made and changed the object. Admitting the result again changes nothing. A spec that is
/// stored already gets no defaults, so that neither an upgrade nor an edit of metadata makes a new revision. An update
/// that leaves labels, annotations and content as they are is not judged, so that finalizers can always be taken off.
pub fn admit(kind: &Kind, object: &mut Value, old: Option<&Value>, who: &str) -> Result<(), Vec<FieldError>> {
    let is_settled = old.is_some_and(|old| is_content_same(object, old));
    if !kind.built_in {
        default::metadata(kind, object);
        if old.is_none_or(|old| old["spec"] != object["spec"]) {
            default::spec(kind, object);
        }
        default::authors(kind, object, old, who);
    }
    if is_settled {
        return Ok(());
    }
    let mut errors = metadata::validate(kind, object);
    errors.extend(match kind.kind {
        "ConfigMap" | "Secret" => built_in::validate(kind, object, old),
        _ if kind.built_in => Vec::new(),
        "Service" | "Configuration" => template::owner(kind, object, old),
        "Revision" => template::revision(object, old),
        "Route" => traffic::route(object),
        "Broker" => eventing::broker(object, old),
        "Trigger" => eventing::trigger(object, old),
        "BucketSource" => eventing::bucket_source(object),
        _ => Vec::new(),
    });
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Whether an update leaves all that admission looks at as it is.
fn is_content_same(object: &Value, old: &Value) -> bool {
    let content = |object: &Value| {
        let fields = object.as_object().into_iter().flatten();
        let fields = fields.filter(|(field, _)| !["metadata", "status"].contains(&field.as_str()));
        fields.map(|(field, value)| (field.clone(), value.clone())).collect::<serde_json::Map<_, _>>()
    };
    let words = |field: &str| object["metadata"][field] == old["metadata"][field];
    words("labels") && words("annotations") && content(object) == content(old)
}

/// Reads an object, or a part of one, into its type.
fn read<Object: serde::de::DeserializeOwned>(object: &Value, path: &str) -> Result<Object, Vec<FieldError>> {
    serde::Deserialize::deserialize(object)
        .map_err(|why| vec![FieldError::general(FieldErrorKind::Invalid, path, format!("cannot be read: {why}"))])
}

/// Knative's error for a part that must not change.
fn immutable(path: &str, why: &str) -> FieldError {
    FieldError::general(FieldErrorKind::Forbidden, path, format_args!("Immutable fields changed (-old +new): {why}"))
}

/// The error for what is understood and not done yet.
fn unsupported(path: &str, what: &str) -> FieldError {
    FieldError::general(FieldErrorKind::NotSupported, path, format_args!("{what}"))
}

#[cfg(test)]
mod tests;
