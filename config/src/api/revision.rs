//! Revision (serving.knative.dev/v1): an immutable snapshot of a function, and the template it is made from.

use super::condition::Condition;
use super::container::Container;
use k8s_openapi::api::core::v1::{LocalObjectReference, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::CustomResource;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// An immutable snapshot of a function: its code and its settings.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "serving.knative.dev", version = "v1", kind = "Revision", namespaced, schema = "disabled")]
#[kube(status = "RevisionStatus", derive = "PartialEq")]
#[serde(rename_all = "camelCase")]
#[schemars(transform = name_refused_fields)]
pub struct RevisionSpec {
    /// What runs: one container, whose image is the function.
    #[serde(default)]
    pub containers: Vec<Container>,
    /// Requests that one instance takes at once, 0 to 1000; 0 is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_concurrency: Option<i64>,
    /// Seconds that one request may take, 0 to 600; 300 where it is 0 or not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<i64>,
    /// Seconds until the answer's head must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_start_timeout_seconds: Option<i64>,
    /// Seconds that a request may pass no byte. Off where it is 0 or not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<i64>,
    /// The service account of the instances; has no effect on a Wasm function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Whether the instances get their service account's token; only `false` is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
    /// Whether the environment names the namespace's services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_service_links: Option<bool>,
    /// Secrets with registry credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Volumes that containers mount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Fields of a Kubernetes PodSpec that are refused, kept so that validation can name them.
    #[serde(flatten)]
    #[schemars(skip)]
    pub refused: Map<String, Value>,
}

/// Metadata and spec of the revisions that a Service or Configuration makes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RevisionTemplate {
    /// Labels, annotations and, if wished, the name of the next revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ObjectMeta>,
    /// What the next revision runs.
    #[serde(default)]
    pub spec: RevisionSpec,
}

/// What is known about a revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionStatus {
    /// `Ready`, `ResourcesAvailable`, `ContainerHealthy`, `Active`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The generation this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Annotations of the status, for tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Where the revision's logs are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_url: Option<String>,
    /// The containers' images, by digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub container_statuses: Vec<ContainerStatus>,
    /// The init containers' images, by digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub init_container_statuses: Vec<ContainerStatus>,
    /// Instances that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_replicas: Option<i32>,
    /// Instances that the autoscaler wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_replicas: Option<i32>,
}

/// A container's image, by digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// The container's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `<registry>/<repository>@sha256:<digest>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
}

/// PodSpec fields that Knative takes only behind a feature flag; every flag is off here.
pub const POD_FIELDS_GATED: &[&str] = &[
    "affinity",
    "dnsConfig",
    "dnsPolicy",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "initContainers",
    "nodeSelector",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "shareProcessNamespace",
    "tolerations",
    "topologySpreadConstraints",
];

/// PodSpec fields that are never taken: the platform sets them, or they make no sense for a function.
pub const POD_FIELDS_REFUSED: &[&str] = &[
    "activeDeadlineSeconds",
    "ephemeralContainers",
    "hostUsers",
    "hostname",
    "nodeName",
    "os",
    "overhead",
    "preemptionPolicy",
    "priority",
    "readinessGates",
    "resourceClaims",
    "resources",
    "restartPolicy",
    "schedulingGates",
    "serviceAccount",
    "setHostnameAsFQDN",
    "subdomain",
    "terminationGracePeriodSeconds",
];

/// Adds the refused fields to the schema, so that field checks let them through to validation, which says why.
fn name_refused_fields(schema: &mut Schema) {
    let fields = POD_FIELDS_GATED.iter().chain(POD_FIELDS_REFUSED);
    super::schema::add_refused_fields(schema, fields.copied());
}
