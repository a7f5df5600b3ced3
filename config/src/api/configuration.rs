//! Configuration (serving.knative.dev/v1): the template of a function's revisions.

use super::{condition::Condition, revision::RevisionTemplate};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The template of a function's revisions: each change of it makes a Revision.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "serving.knative.dev", version = "v1", kind = "Configuration", namespaced, schema = "disabled")]
#[kube(status = "ConfigurationStatus", derive = "PartialEq")]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationSpec {
    /// The newest revision.
    #[serde(default)]
    pub template: RevisionTemplate,
}

/// What is known about a configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationStatus {
    /// `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The generation this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Annotations of the status, for tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The newest revision made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_created_revision_name: Option<String>,
    /// The newest revision that became ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_ready_revision_name: Option<String>,
}
