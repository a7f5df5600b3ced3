//! Broker (eventing.knative.dev/v1): a durable log of events that triggers read.

use super::condition::Condition;
use super::delivery::DeliverySpec;
use super::destination::{Addressable, Reference};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Takes events and keeps them, on disk, for the triggers that read it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "eventing.knative.dev", version = "v1", kind = "Broker", namespaced, schema = "disabled")]
#[kube(status = "BrokerStatus", derive = "PartialEq")]
#[serde(rename_all = "camelCase")]
pub struct BrokerSpec {
    /// Settings of the broker's class. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Reference>,
    /// Delivery of triggers that bring none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
}

/// What is known about a broker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrokerStatus {
    /// `Ready`, `Addressable`, `IngressReady`, `FilterReady`, `TriggerChannelReady`, `DeadLetterSinkResolved`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The generation this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Annotations of the status, for tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Where the broker takes events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Addressable>,
    /// Where events go whose tries are used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_sink_uri: Option<String>,
}
