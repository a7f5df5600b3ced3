//! The last events that were refused, so that `event why` can say what became of an id that the log never saw.

use super::Refused;
use ::http::HeaderMap;
use bytes::Bytes;
use fnctl_config::limits::REFUSALS_KEPT;
use fnctl_config::snapshot::ObjectKey;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// One refused event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// By which broker, `namespace/name`.
    pub broker: String,
    /// The event's id, where it could be read.
    pub id: Option<String>,
    /// The event's source, where it could be read.
    pub source: Option<String>,
    /// Status of the answer.
    pub status: u16,
    /// Why, in one sentence.
    pub reason: String,
}

/// A ring of the last `limits::REFUSALS_KEPT`.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<VecDeque<Refusal>>);

impl Refusals {
    /// Those with this id, newest first.
    pub fn of(&self, id: &str) -> Vec<Refusal> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().filter(|refusal| refusal.id.as_deref() == Some(id)).cloned().collect()
    }

    pub(super) fn add(&self, broker: &ObjectKey, refused: &Refused, at: Timestamp, identities: &[Identity]) {
        let unknown = [Identity::default()];
        let identities = if identities.is_empty() { &unknown } else { identities };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Identity { id, source } in identities {
            if kept.len() == REFUSALS_KEPT {
                kept.pop_front();
            }
            kept.push_back(Refusal {
                at,
                broker: broker.to_string(),
                id: id.clone(),
                source: source.clone(),
                status: refused.status().as_u16(),
                reason: refused.to_string(),
            });
        }
    }
}

/// What a refused message says it is, as far as it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Identity {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    source: Option<String>,
}

/// Ids and sources of a message that is no valid event: of each event of a batch, since none of it was taken.
pub(super) fn identities(headers: &HeaderMap, body: &Bytes) -> Vec<Identity> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(shorten);
    let identity = Identity { id: text("ce-id"), source: text("ce-source") };
    if identity != Identity::default() {
        return vec![identity];
    }
    let one = serde_json::from_slice::<Identity>(body).map(|identity| vec![identity]);
    let read = one.or_else(|_| serde_json::from_slice::<Vec<Identity>>(body)).unwrap_or_default();
    let short =
        |Identity { id, source }| Identity { id: id.as_deref().map(shorten), source: source.as_deref().map(shorten) };
    read.into_iter().take(fnctl_config::limits::BATCH_EVENTS_MAX).map(short).collect()
}

/// What is remembered of a stranger's text is bounded.
fn shorten(text: &str) -> String {
    text.chars().take(256).collect()
}
