//! Parked events: list, show, send again, drop. And the events that a dead-letter sink took: a list.

use super::Brokers;
use super::running::Running;
use crate::dispatch::{blocking, redrive};
use crate::event::stored;
use crate::ledger::{Outcome, Verdict};
use crate::log::Position;
use crate::parked::{Entry, ParkedId, Query, Reason};
use crate::state::StateError;
use crate::why;
use fnctl_config::limits::EVENT_PAGE_MAX;
use fnctl_config::snapshot::ObjectKey;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Which parked events: each part that is given must agree.
#[derive(Clone, Debug, Default)]
pub struct DlqQuery {
    /// Of this broker.
    pub broker: Option<ObjectKey>,
    /// Of this trigger.
    pub trigger: Option<ObjectKey>,
    /// For this reason.
    pub reason: Option<Reason>,
    /// After this one: the last of the page before.
    pub after: Option<ParkedId>,
}

/// A parked event, as `fnctl dlq list` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedEvent {
    /// Its name in this store.
    #[serde(serialize_with = "as_text")]
    pub id: ParkedId,
    /// The broker; its uid if it is deleted.
    pub broker: String,
    /// The trigger; its uid if it is deleted.
    pub trigger: String,
    /// Where it was in the broker's log.
    pub position: Position,
    /// Why it is here.
    pub reason: Reason,
    /// The subscriber's last status.
    pub status: Option<u16>,
    /// Attempts made.
    pub attempts: u32,
    /// What the last one ended with.
    pub error: String,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// The event; only where one is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Box<RawValue>>,
}

/// An event that a dead-letter sink took, as `fnctl dlq list` prints it. It is no longer ours: only what happened is kept,
/// for as long as the log keeps the event.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLettered {
    /// The broker.
    pub broker: String,
    /// The trigger; its uid if it is deleted.
    pub trigger: String,
    /// Where it is in the broker's log.
    pub position: Position,
    /// Always `dead-lettered`, beside the reasons of parked events.
    pub reason: Verdict,
    /// The subscriber's last status.
    pub status: Option<u16>,
    /// Attempts made.
    pub attempts: u32,
    /// What the last one ended with, as far as it is kept.
    pub error: Option<String>,
    /// When the sink took it.
    pub dead_lettered_at: Timestamp,
}

fn as_text<S: serde::Serializer>(id: &ParkedId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Why a parked event was not sent again.
#[derive(Debug, thiserror::Error)]
pub enum DlqError {
    /// No such entry.
    #[error("{0} is not parked: see `fnctl dlq list`")]
    Unknown(ParkedId),
    /// Nobody to send it to.
    #[error("{id} cannot be sent again: its trigger is gone")]
    NoTrigger {
        /// Which entry.
        id: ParkedId,
    },
    /// The copy cannot be read.
    #[error("{id} cannot be sent again: {reason}")]
    Unreadable {
        /// Which entry.
        id: ParkedId,
        /// Why.
        reason: String,
    },
    /// The subscriber did not take it; it stays parked.
    #[error("{id} was sent again and not taken: {reason}")]
    NotTaken {
        /// Which entry.
        id: ParkedId,
        /// Why.
        reason: String,
    },
    /// The store.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Brokers {
    /// A page of parked events, newest last; at most `limits::EVENT_PAGE_MAX`. A broker or a trigger that is not there has
    /// none.
    pub async fn dlq_list(&self, query: &DlqQuery) -> Result<Vec<ParkedEvent>, DlqError> {
        let broker =
            query.broker.as_ref().map(|key| self.shared.running(key).map_or_else(String::new, |found| found.uid()));
        let trigger = query.trigger.as_ref().map(|key| self.uid_of(key).unwrap_or_default());
        let stored = Query { broker, trigger, reason: query.reason, after: query.after };
        let parked = self.shared.parked.clone();
        let entries = blocking(move || parked.list(&stored, EVENT_PAGE_MAX)).await?;
        Ok(entries.into_iter().map(|(id, entry)| self.named(id, entry)).collect())
    }

    /// The newest events of a broker that dead-letter sinks took, of one trigger or all of them, newest last; at most
    /// `limits::EVENT_PAGE_MAX`. A broker or a trigger that is not there has none.
    pub async fn dlq_dead_lettered(
        &self,
        broker: &ObjectKey,
        trigger: Option<&ObjectKey>,
    ) -> Result<Vec<DeadLettered>, DlqError> {
        let Some(running) = self.shared.running(broker) else { return Ok(Vec::new()) };
        let trigger = trigger.map(|key| self.uid_of(key).unwrap_or_default());
        let ledger = Arc::clone(&running.stores.ledger);
        let found = blocking(move || {
            let found = ledger.with_verdict(Verdict::DeadLettered, trigger.as_deref(), EVENT_PAGE_MAX);
            found.map_err(|error| StateError::Interrupted(error.to_string()))
        });
        let words = |outcome: &Outcome| {
            let kept = running.stores.notes.of(&outcome.trigger, outcome.position);
            let last = kept.into_iter().find(|note| note.attempt == outcome.attempt).map(|note| note.text);
            last.or_else(|| outcome.remark.words(outcome.status))
        };
        let named = |outcome: Outcome| DeadLettered {
            error: words(&outcome),
            broker: broker.to_string(),
            trigger: running
                .subscription(&outcome.trigger)
                .map_or(outcome.trigger, |known| known.trigger.key.to_string()),
            position: outcome.position,
            reason: outcome.verdict,
            status: outcome.status,
            attempts: outcome.attempt,
            dead_lettered_at: Timestamp::from_millisecond(outcome.at_ms).unwrap_or_default(),
        };
        Ok(found.await?.into_iter().map(named).collect())
    }

    /// One parked event of a broker with its copy.
    pub async fn dlq_show(&self, broker: &ObjectKey, id: ParkedId) -> Result<ParkedEvent, DlqError> {
        let (entry, record) = self.parked_of(broker, id).await?;
        let event = stored::decode(&record).map_err(|error| DlqError::Unreadable { id, reason: error.to_string() })?;
        let line = why::line(entry.position, entry.parked_at_ms, &event);
        Ok(ParkedEvent { event: Some(line), ..self.named(id, entry) })
    }

    /// Sends a parked event to its trigger's subscriber once more. It leaves the store when the subscriber has taken it
    /// and its reply is published; a crash in between sends it twice.
    pub async fn dlq_redrive(&self, id: ParkedId) -> Result<(), DlqError> {
        let (entry, record) = self.parked(id).await?;
        let event = stored::decode(&record).map_err(|error| DlqError::Unreadable { id, reason: error.to_string() })?;
        let running = self.shared.all().into_iter().find(|running| running.has(&entry.trigger));
        let found = running.and_then(|running| Some((running.subscription(&entry.trigger)?, running)));
        let (subscription, running) = found.ok_or(DlqError::NoTrigger { id })?;
        redrive(&running.stores, &subscription, entry.position, event)
            .await
            .map_err(|reason| DlqError::NotTaken { id, reason })?;
        self.remove(id).await
    }

    /// Removes a parked event of a broker: nothing sends it again.
    pub async fn dlq_drop(&self, broker: &ObjectKey, id: ParkedId) -> Result<(), DlqError> {
        self.parked_of(broker, id).await?;
        self.remove(id).await
    }

    async fn remove(&self, id: ParkedId) -> Result<(), DlqError> {
        let parked = self.shared.parked.clone();
        match blocking(move || parked.remove(&[id])).await? {
            0 => Err(DlqError::Unknown(id)),
            _ => Ok(()),
        }
    }

    async fn parked_of(&self, broker: &ObjectKey, id: ParkedId) -> Result<(Entry, bytes::Bytes), DlqError> {
        let uid = self.shared.running(broker).map(|running| running.uid());
        let found = self.parked(id).await?;
        if uid.is_some_and(|uid| uid == found.0.broker) { Ok(found) } else { Err(DlqError::Unknown(id)) }
    }

    async fn parked(&self, id: ParkedId) -> Result<(Entry, bytes::Bytes), DlqError> {
        let parked = self.shared.parked.clone();
        blocking(move || parked.get(id)).await?.ok_or(DlqError::Unknown(id))
    }

    fn uid_of(&self, trigger: &ObjectKey) -> Option<String> {
        let of = |running: Arc<Running>| running.triggers().into_iter().find(|(_, key)| key == trigger);
        self.shared.all().into_iter().find_map(of).map(|(uid, _)| uid)
    }

    fn named(&self, id: ParkedId, entry: Entry) -> ParkedEvent {
        let running = self.shared.all().into_iter().find(|running| running.uid() == entry.broker);
        let trigger = running.as_ref().and_then(|running| running.subscription(&entry.trigger));
        ParkedEvent {
            id,
            broker: running.map_or(entry.broker, |running| running.broker().key.to_string()),
            trigger: trigger.map_or(entry.trigger, |known| known.trigger.key.to_string()),
            position: entry.position,
            reason: entry.reason,
            status: entry.status,
            attempts: entry.attempts,
            error: entry.last_error,
            parked_at: Timestamp::from_millisecond(entry.parked_at_ms).unwrap_or_default(),
            event: None,
        }
    }
}
