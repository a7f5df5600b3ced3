//! Conditions: what an object's status says about itself, and how they add up to `Ready`.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The condition that all others add up to.
pub const READY: &str = "Ready";

/// One statement about an object, as Knative writes it: like a Kubernetes condition, with a severity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about, such as `Ready`.
    #[serde(rename = "type", default)]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[serde(default)]
    pub status: Status,
    /// Empty for what decides about `Ready`; `Warning` or `Info` for what does not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub severity: String,
    /// When the status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// One word for machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Status {
    /// It holds.
    True,
    /// It does not, and will not without a change.
    False,
    /// Not known yet: work goes on.
    #[default]
    Unknown,
}

/// Why a condition is what it is: a word for machines and a sentence for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// One word, such as `RevisionMissing`; empty for none.
    pub reason: String,
    /// A sentence; empty for none.
    pub message: String,
}

impl Cause {
    /// A cause from its two parts.
    pub fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into() }
    }
}

/// The condition of that type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether `Ready` is `True`.
pub fn is_ready(conditions: &[Condition]) -> bool {
    find(conditions, READY).is_some_and(|condition| condition.status == Status::True)
}

/// Sets one condition. `lastTransitionTime` becomes `now` only if the status changed, so that setting the same again
/// changes nothing. Conditions are kept sorted by type, as Knative keeps them.
pub fn set(conditions: &mut Vec<Condition>, type_: &str, status: Status, cause: Cause, now: Timestamp) {
    let known = conditions.iter().position(|condition| condition.type_ == type_);
    let old = known.map(|index| conditions.remove(index));
    let since = old.as_ref().filter(|old| old.status == status).and_then(|old| old.last_transition_time.clone());
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    conditions.push(Condition {
        type_: type_.to_owned(),
        status,
        severity: old.map(|old| old.severity).unwrap_or_default(),
        last_transition_time: since.or(Some(Time(now))),
        reason: some(cause.reason),
        message: some(cause.message),
    });
    conditions.sort_by(|left, right| left.type_.cmp(&right.type_));
}

/// Sets a condition that says something without deciding about `Ready`, as a Revision's `Active`.
pub fn set_info(conditions: &mut Vec<Condition>, type_: &str, status: Status, cause: Cause, now: Timestamp) {
    set(conditions, type_, status, cause, now);
    if let Some(condition) = conditions.iter_mut().find(|condition| condition.type_ == type_) {
        "Info".clone_into(&mut condition.severity);
    }
}

/// Sets `Ready` from the conditions it depends on: the first `False` makes it `False`, otherwise the first `Unknown` (or
/// missing one) makes it `Unknown`, each with that condition's reason and message; otherwise it is `True`.
pub fn roll_up(conditions: &mut Vec<Condition>, dependents: &[&str], now: Timestamp) {
    let worst = [Status::False, Status::Unknown].into_iter().find_map(|status| {
        let of_status = |type_: &&&str| find(conditions, type_).map_or(Status::Unknown, |found| found.status) == status;
        dependents.iter().find(of_status).map(|type_| (status, find(conditions, type_)))
    });
    let (status, cause) = match worst {
        Some((status, Some(found))) => {
            let text = |part: &Option<String>| part.clone().unwrap_or_default();
            (status, Cause::new(text(&found.reason), text(&found.message)))
        }
        Some((status, None)) => (status, Cause::default()),
        None => (Status::True, Cause::default()),
    };
    set(conditions, READY, status, cause, now);
}

#[cfg(test)]
mod tests;
