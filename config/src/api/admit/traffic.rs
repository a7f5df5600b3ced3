//! How the requests to a function are split.

use super::read;
use crate::api::error::{FieldError, FieldErrorKind, at, join};
use crate::api::metadata::{dns_1035, misplaced_annotations};
use crate::api::route::TrafficTarget;
use serde_json::Value;

const PATH: &str = "spec.traffic";

/// Whose traffic it is: a Service's targets are of its own Configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Service,
    Route,
}

pub(super) fn route(object: &Value) -> Vec<FieldError> {
    let mut errors = misplaced_annotations(&object["metadata"]);
    errors.extend(validate(&object["spec"]["traffic"], Whose::Route));
    errors
}

pub(super) fn service(traffic: &Value) -> Vec<FieldError> {
    validate(traffic, Whose::Service)
}

fn validate(traffic: &Value, whose: Whose) -> Vec<FieldError> {
    let traffic: Vec<TrafficTarget> = match read::<Option<_>>(traffic, PATH) {
        Ok(traffic) => traffic.unwrap_or_default(),
        Err(errors) => return errors,
    };
    let mut errors = Vec::new();
    for (index, target) in traffic.iter().enumerate() {
        let path = at(PATH, index);
        errors.extend(revision(target, whose, &path));
        errors.extend(target.url.as_ref().map(|_| FieldError::disallowed(&join(&path, "url"))));
        let percent = target.percent.filter(|percent| !(0..=100).contains(percent));
        errors.extend(percent.map(|percent| FieldError::out_of_bounds(percent, 0, 100, &join(&path, "percent"))));
        let Some(tag) = target.tag.as_deref().filter(|tag| !tag.is_empty()) else { continue };
        errors.extend(dns_1035(tag, &join(&path, "tag")));
        if let Some(first) = traffic[..index].iter().position(|other| other.tag.as_deref() == Some(tag)) {
            let sentence = format!("Multiple definitions for {tag:?}: {PATH}[{first}].tag");
            errors.push(FieldError::general(FieldErrorKind::Duplicate, &join(&path, "tag"), sentence));
        }
    }
    let sum = traffic.iter().filter_map(|target| target.percent).fold(0_i64, i64::saturating_add);
    if sum != 100 {
        let sentence = format!("Traffic targets sum to {sum}, want 100");
        errors.push(FieldError::general(FieldErrorKind::Invalid, PATH, sentence));
    }
    errors
}

/// A target is one revision, or the latest one of a Configuration.
fn revision(target: &TrafficTarget, whose: Whose, path: &str) -> Vec<FieldError> {
    let given = |name: &Option<String>| name.as_deref().is_some_and(|name| !name.is_empty());
    let (revision, configuration) = (given(&target.revision_name), given(&target.configuration_name));
    let fields = ["configurationName", "revisionName"];
    let mut errors = match (whose, revision, configuration) {
        (Whose::Service, _, true) => vec![FieldError::disallowed(&join(path, "configurationName"))],
        (Whose::Route, true, true) => vec![FieldError::multiple_one_of(path, &fields)],
        (Whose::Route, false, false) => vec![FieldError::missing_one_of(path, &fields)],
        _ => Vec::new(),
    };
    if let Some(latest) = target.latest_revision.filter(|latest| *latest == revision) {
        let why = if latest { "may not be true beside a revisionName" } else { "must be true without a revisionName" };
        errors.push(FieldError::invalid_because(latest, &join(path, "latestRevision"), why));
    }
    errors
}
