//! Trigger (eventing.knative.dev/v1): sends a broker's matching events to a subscriber.

use super::condition::Condition;
use super::delivery::DeliverySpec;
use super::destination::Destination;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Sends those events of a broker that match to a subscriber.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "eventing.knative.dev", version = "v1", kind = "Trigger", namespaced, schema = "disabled")]
#[kube(status = "TriggerStatus", derive = "PartialEq")]
#[serde(rename_all = "camelCase")]
pub struct TriggerSpec {
    /// The broker, in the same namespace. Cannot be changed.
    #[serde(default)]
    pub broker: String,
    /// Attributes that an event must have; not read where `filters` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<TriggerFilter>,
    /// An event must match all of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<SubscriptionsApiFilter>>")]
    pub filters: Option<Vec<Value>>,
    /// Who gets the events.
    #[serde(default)]
    pub subscriber: Destination,
    /// How hard to try; the broker's where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
}

/// The older form of a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerFilter {
    /// Attribute names and the values they must equal; an empty value asks only that the attribute is there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// One filter: exactly one of the fields.
// The shape that `explain` and field checks know; objects keep filters as they were written, and `crate::filter` parses them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubscriptionsApiFilter {
    /// All of these must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Vec<Map<String, Value>>>,
    /// At least one of these must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub any: Option<Vec<Map<String, Value>>>,
    /// This must not match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Map<String, Value>>,
    /// Attributes that must equal these values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<BTreeMap<String, String>>,
    /// Attributes that must begin with these values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<BTreeMap<String, String>>,
    /// Attributes that must end with these values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<BTreeMap<String, String>>,
    /// A CloudEvents SQL expression. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cesql: Option<String>,
}

/// What is known about a trigger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerStatus {
    /// `Ready`, `BrokerReady`, `SubscriptionReady`, `DependencyReady`, `SubscriberResolved`, `DeadLetterSinkResolved`.
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
    pub subscriber_uri: Option<String>,
    /// Where events go whose tries are used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_sink_uri: Option<String>,
}
