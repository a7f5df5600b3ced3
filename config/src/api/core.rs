//! Pod (core/v1), lean: one per running revision, so that `kubectl get pods` and `kubectl logs` have what they ask for.
//! Only the schema is ours: clients write `k8s_openapi::api::core::v1::Pod`, of which the API keeps these fields.
//! Namespace, ConfigMap, Secret and Event are Kubernetes' own types.

use super::condition::Condition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Instances of one revision on this node, seen as a pod. The node writes it; it cannot be used to run anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec {
    /// The containers of the pod: one, the function.
    #[serde(default)]
    pub containers: Vec<PodContainer>,
    /// The node it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
}

/// A container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodContainer {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// What is known about a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded` or `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// State of each container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub container_statuses: Vec<PodContainerStatus>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// Its address.
    #[serde(rename = "podIP", default, skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<String>,
}

/// State of a pod's container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodContainerStatus {
    /// The container's name.
    #[serde(default)]
    pub name: String,
    /// Whether it takes requests.
    #[serde(default)]
    pub ready: bool,
    /// How often it was started again.
    #[serde(default)]
    pub restart_count: i32,
}
