//! BucketSource (sources.fnctl.dev/v1alpha1): a bucket's notifications as events.

use super::condition::Condition;
use super::destination::Destination;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sends an event to a sink for each change of a bucket's objects.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "sources.fnctl.dev", version = "v1alpha1", kind = "BucketSource", namespaced, schema = "disabled")]
#[kube(plural = "bucketsources", status = "BucketSourceStatus", derive = "PartialEq")]
#[serde(rename_all = "camelCase")]
pub struct BucketSourceSpec {
    /// The bucket, on this node; made if it is not there.
    #[serde(default)]
    pub bucket: String,
    /// S3 event names such as `ObjectCreated:*` or `s3:ObjectRemoved:Delete`; all where nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_types: Vec<String>,
    /// Only keys that begin with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Only keys that end with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// Where the events go.
    #[serde(default)]
    pub sink: Destination,
}

/// What is known about a bucket source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketSourceStatus {
    /// `Ready`, `BucketReady`, `SinkProvided`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The generation this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Annotations of the status, for tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Where the events go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink_uri: Option<String>,
}
