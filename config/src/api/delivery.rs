//! How hard to try to deliver, as users write it.

use super::destination::Destination;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How hard to try to deliver, and what becomes of what could not be delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliverySpec {
    /// Where events go whose tries are used up; without it they are parked in the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_sink: Option<Destination>,
    /// Tries after the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<i32>,
    /// Bound of one try, an ISO-8601 duration above zero, such as `PT30S`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// How the wait between tries grows: `linear` (delay * n) or `exponential` (delay * 2^n).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_policy: Option<String>,
    /// The wait's unit, an ISO-8601 duration such as `PT0.2S`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_delay: Option<String>,
    /// Most of a `Retry-After` header of a 429 or 503 that is honoured, an ISO-8601 duration; `PT0S` is not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_max: Option<String>,
    /// `binary` or `json`: the form in which events are sent. Not supported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}
