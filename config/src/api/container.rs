//! The container of a revision: the function's image and its settings.

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, Probe, SecurityContext, VolumeMount};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Name of a container that has none: what its logs are asked for by.
pub const CONTAINER_NAME: &str = "user-container";

/// What runs: an image and its settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = name_refused_fields)]
pub struct Container {
    /// Name of the container; `user-container` where it is not given.
    #[serde(default)]
    pub name: String,
    /// The image: an OCI artifact that holds a Wasm component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// Replaces the image's entry point; has no effect on a Wasm function.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Working directory; has no effect on a Wasm function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Environment: values, or keys of a ConfigMap or Secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// Environment from all keys of a ConfigMap or Secret; `env` wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_from: Vec<EnvFromSource>,
    /// The port it listens on, at most one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ContainerPort>,
    /// Memory and CPU; the memory limit bounds one instance.
    #[serde(default)]
    pub resources: Resources,
    /// When an instance is restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Probe>,
    /// When an instance takes requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Probe>,
    /// When an instance counts as started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Probe>,
    /// Rights of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_context: Option<SecurityContext>,
    /// File that holds the reason of the container's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_message_path: Option<String>,
    /// `File` or `FallbackToLogsOnError`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_message_policy: Option<String>,
    /// Where volumes are mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Fields of a Kubernetes container that are refused, kept so that validation can name them.
    #[serde(flatten)]
    #[schemars(skip)]
    pub refused: Map<String, Value>,
}

/// The port that a container listens on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPort {
    /// The protocol spoken: `http1` (also where it is empty) or `h2c`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The port's number; 8080 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_port: Option<i64>,
    /// `TCP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_port: Option<i64>,
    /// Refused.
    #[serde(rename = "hostIP", default, skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<String>,
}

/// Resources that an instance may use, and those it is sure of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Most that may be used: `memory`, `cpu`, `ephemeral-storage`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, WrittenQuantity>,
    /// What is kept free for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, WrittenQuantity>,
    /// Refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Value>,
}

/// A quantity as it was written: `128Mi`, `"0.5"`, or a bare number. [`crate::quantity::Quantity`] gives it a meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WrittenQuantity {
    /// A string, the usual form.
    Text(String),
    /// A bare number, as YAML has it where nobody quoted it.
    Number(serde_json::Number),
}

impl std::fmt::Display for WrittenQuantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl JsonSchema for WrittenQuantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let value =
            json!({"description": "A Kubernetes quantity, such as 128Mi or 500m.", "x-kubernetes-int-or-string": true});
        Schema::try_from(value).unwrap_or_default()
    }
}

/// Fields of a Kubernetes container that are never taken.
pub const CONTAINER_FIELDS_REFUSED: &[&str] =
    &["lifecycle", "resizePolicy", "restartPolicy", "restartPolicyRules", "stdin", "stdinOnce", "tty", "volumeDevices"];

fn name_refused_fields(schema: &mut Schema) {
    super::schema::add_refused_fields(schema, CONTAINER_FIELDS_REFUSED.iter().copied());
}
