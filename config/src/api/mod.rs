//! The objects as users write them: one file per kind, the parts they share, and what may be in them.
//!
//! [`kind`] is the table that everything else hangs on; [`admit`] is the one gate into the store.

pub mod annotation;
pub mod broker;
pub mod bucket_source;
pub mod condition;
pub mod configuration;
pub mod container;
pub mod core;
pub mod delivery;
pub mod destination;
pub mod error;
pub mod kind;
pub mod metadata;
pub mod revision;
pub mod route;
mod schema;
pub mod service;
pub mod trigger;

pub use broker::Broker;
pub use bucket_source::BucketSource;
pub use condition::Condition;
pub use configuration::Configuration;
pub use error::{FieldError, FieldErrorKind};
pub use kind::{KINDS, Kind};
pub use revision::Revision;
pub use route::Route;
pub use schema::schemas;
pub use service::Service;
pub use trigger::Trigger;

use serde_json::Value;

/// Makes an object fit to be stored, or says all that is wrong with it. The object has passed the schema before.
/// `old` is none for a new object; `who` is the user.
///
/// Checked so far: image, refused fields, resources and annotations of a revision's template; delivery, filters and
/// destinations; a trigger's broker, which never changes. Not yet: defaults, name and label syntax, ports, environment
/// names, traffic, bucket names, and the other immutable fields.
pub fn admit(kind: &Kind, object: &mut Value, old: Option<&Value>, who: &str) -> Result<(), Vec<FieldError>> {
    let _ = who;
    match kind.kind {
        _ if kind.built_in => Ok(()),
        "Service" | "Configuration" => template(&object["spec"]["template"], "spec.template"),
        "Broker" => read(object).and_then(|broker: Broker| crate::resolve::broker(&broker)).map(drop),
        "Trigger" => {
            let trigger: Trigger = read(object)?;
            if trigger.spec.broker.is_empty() {
                return Err(vec![FieldError::missing("spec.broker")]);
            }
            if old.is_some_and(|old| old["spec"]["broker"] != object["spec"]["broker"]) {
                return Err(vec![FieldError::disallowed_update("spec.broker")]);
            }
            crate::resolve::trigger(&trigger).map(drop)
        }
        "BucketSource" => {
            let source: BucketSource = read(object)?;
            if source.spec.bucket.is_empty() {
                return Err(vec![FieldError::missing("spec.bucket")]);
            }
            crate::resolve::bucket_source(&source).map(drop)
        }
        _ => Ok(()),
    }
}

fn template(template: &Value, path: &str) -> Result<(), Vec<FieldError>> {
    let template: revision::RevisionTemplate = read::<Option<_>>(template)?.unwrap_or_default();
    let mut errors: Vec<_> =
        template.spec.refused.keys().map(|field| FieldError::disallowed(&format!("{path}.spec.{field}"))).collect();
    if template.spec.containers.is_empty() {
        errors.push(FieldError::missing(&format!("{path}.spec.containers")));
    }
    for (index, container) in template.spec.containers.iter().enumerate() {
        let path = format!("{path}.spec.containers[{index}]");
        errors.extend(container.refused.keys().map(|field| FieldError::disallowed(&format!("{path}.{field}"))));
        if container.image.as_deref().is_none_or(str::is_empty) {
            errors.push(FieldError::missing(&format!("{path}.image")));
        }
        errors.extend(crate::resolve::memory(&container.resources, &format!("{path}.resources.limits")).err());
    }
    let concurrency = template.spec.container_concurrency.unwrap_or(0);
    let bounded = u32::try_from(concurrency).ok().filter(|_| concurrency <= crate::limits::CONTAINER_CONCURRENCY_MAX);
    if bounded.is_none() {
        let (max, field) = (crate::limits::CONTAINER_CONCURRENCY_MAX, format!("{path}.spec.containerConcurrency"));
        errors.push(FieldError::out_of_bounds(concurrency, 0, max, &field));
    }
    let annotations = template.metadata.and_then(|metadata| metadata.annotations).unwrap_or_default();
    let path = format!("{path}.metadata.annotations");
    errors.extend(annotation::scale(&annotations, bounded.unwrap_or(0), &path).err().into_iter().flatten());
    errors.extend(annotation::extensions(&annotations, &path).err().into_iter().flatten());
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn read<Object: serde::de::DeserializeOwned>(object: &Value) -> Result<Object, Vec<FieldError>> {
    serde::Deserialize::deserialize(object)
        .map_err(|why| vec![FieldError::general(FieldErrorKind::Invalid, "", format!("cannot read the object: {why}"))])
}

#[cfg(test)]
mod tests;
