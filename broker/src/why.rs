//! What became of an event, and why: the answers of `fnctl event why`, as JSON.
//!
//! Put together from what is kept: the filter in force at the event's position tells who wanted it, the ledger what
//! happened, the state and the parked store the last error. Notes on answers are kept in memory only and are missing
//! after a restart.

use crate::event::{Event, json};
use crate::filter;
use crate::ledger::{Outcome, Verdict};
use crate::log::Position;
use crate::parked::Entry;
use crate::state::{Retry, TriggerRecord};
use fnctl_config::limits::DELIVERY_NOTES_KEPT;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// The answer for one event.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// The event with its position and the time it was accepted.
    pub event: Box<RawValue>,
    /// One entry per trigger that reads the broker.
    pub triggers: Vec<TriggerWhy>,
}

/// What one trigger did with the event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TriggerWhy {
    /// The trigger's name; its uid if it is deleted.
    pub name: String,
    /// What became of the event.
    pub outcome: Fate,
    /// Why, in one sentence.
    pub reason: String,
    /// Attempts that are known.
    pub attempts: Vec<AttemptWhy>,
    /// The reply of the subscriber, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
}

/// What became of an event for one trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// The subscriber has it.
    Delivered,
    /// The trigger does not want it.
    Filtered,
    /// Not tried yet, or under way for the first time.
    Pending,
    /// Failed, and will be tried again.
    Retrying,
    /// The dead-letter sink has it.
    DeadLettered,
    /// Kept by the broker.
    Parked,
    /// Dropped by the declared retention.
    Expired,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptWhy {
    /// When it ended.
    pub at: Timestamp,
    /// The subscriber's status; none if it never answered.
    pub status: Option<u16>,
    /// How long it took.
    pub duration_ms: u32,
    /// Which instance answered, where that is known.
    pub instance: Option<String>,
    /// What went wrong, or a note about a success.
    pub error: Option<String>,
}

/// An event that a subscriber answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// Its id.
    pub id: String,
    /// Its source.
    pub source: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is in the broker's log; none if it was not published because `knativebrokerttl` is used up.
    pub position: Option<Position>,
}

/// What is known of one attempt beyond the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) attempt: u32,
    pub(crate) text: Option<String>,
    pub(crate) instance: Option<String>,
    pub(crate) reply: Option<Reply>,
}

/// A ring of the last notes of one broker.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<VecDeque<(String, Position, Note)>>);

impl Notes {
    /// Keeps a note that says something.
    pub(crate) fn add(&self, trigger: &str, position: Position, note: Note) {
        if note.text.is_none() && note.instance.is_none() && note.reply.is_none() {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == DELIVERY_NOTES_KEPT {
            kept.pop_front();
        }
        kept.push_back((trigger.to_owned(), position, note));
    }

    pub(crate) fn of(&self, trigger: &str, position: Position) -> Vec<Note> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted =
            |(uid, at, note): &(String, Position, Note)| (uid == trigger && *at == position).then(|| note.clone());
        kept.iter().filter_map(wanted).collect()
    }
}

/// All that is known of one event and one trigger.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) name: String,
    pub(crate) position: Position,
    pub(crate) event: &'a Event,
    pub(crate) record: &'a TriggerRecord,
    /// Records of the ledger for this trigger and this event, in order.
    pub(crate) outcomes: Vec<&'a Outcome>,
    pub(crate) retry: Option<Retry>,
    pub(crate) parked: Option<Entry>,
    pub(crate) notes: Vec<Note>,
}

/// What became of the event for one trigger: pure.
pub(crate) fn explain(facts: Facts<'_>) -> TriggerWhy {
    let (outcome, reason) = fate(&facts);
    let mut attempts: BTreeMap<u32, AttemptWhy> = BTreeMap::new();
    for outcome in &facts.outcomes {
        let note = facts.notes.iter().find(|note| note.attempt == outcome.attempt);
        let is_attempt = matches!(outcome.verdict, Verdict::Delivered | Verdict::Retrying | Verdict::Parked);
        if is_attempt && !attempts.contains_key(&outcome.attempt) {
            let attempt = AttemptWhy {
                at: Timestamp::from_millisecond(outcome.at_ms).unwrap_or_default(),
                status: outcome.status,
                duration_ms: outcome.duration_ms,
                instance: note.and_then(|note| note.instance.clone()),
                error: note.and_then(|note| note.text.clone()),
            };
            attempts.insert(outcome.attempt, attempt);
        }
    }
    let mut attempts: Vec<_> = attempts.into_values().collect();
    let last_error = facts.retry.map(|retry| retry.last_error).or(facts.parked.map(|entry| entry.last_error));
    if let (Some(last), Some(error)) = (attempts.last_mut(), last_error) {
        last.error.get_or_insert(error);
    }
    let reply = facts.notes.into_iter().rev().find_map(|note| note.reply);
    TriggerWhy { name: facts.name, outcome, reason, attempts, reply }
}

fn fate(facts: &Facts<'_>) -> (Fate, String) {
    let Some(generation) = facts.record.generation_at(facts.position) else {
        return (Fate::Filtered, "the trigger did not exist when the event was accepted".to_owned());
    };
    let explained = filter::explain(&generation.filter, facts.event);
    if !explained.matched && facts.outcomes.is_empty() {
        return (Fate::Filtered, explained.reason);
    }
    let status = |outcome: &Outcome| match outcome.status {
        Some(status) => format!("the subscriber answered {status}"),
        None => "the subscriber gave no answer".to_owned(),
    };
    let parked = |facts: &Facts<'_>| facts.parked.as_ref().map(|entry| entry.last_error.clone()).unwrap_or_default();
    match facts.outcomes.last() {
        Some(last) => match last.verdict {
            Verdict::Delivered => (Fate::Delivered, format!("{}; {}", explained.reason, status(last))),
            Verdict::Redriven => (Fate::Delivered, "it was sent again by hand and taken".to_owned()),
            Verdict::Retrying => match &facts.retry {
                Some(retry) => (Fate::Retrying, format!("attempt {} failed: {}", retry.attempts, retry.last_error)),
                None => (Fate::Retrying, format!("attempt {} failed: {}", last.attempt, status(last))),
            },
            Verdict::DeadLettered => {
                (Fate::DeadLettered, format!("{} attempts failed; the dead-letter sink took it", last.attempt))
            }
            Verdict::Parked => (Fate::Parked, format!("{} attempts failed: {}", last.attempt, parked(facts))),
            Verdict::Expired => (Fate::Expired, "the broker's retention dropped it".to_owned()),
        },
        None if facts.parked.is_some() => (Fate::Parked, parked(facts)),
        None if facts.retry.is_some() => {
            (Fate::Retrying, facts.retry.as_ref().map(|retry| retry.last_error.clone()).unwrap_or_default())
        }
        None if facts.record.cursor.is_done(facts.position) => {
            (Fate::Delivered, format!("{}; the outcome's record was lost in a crash", explained.reason))
        }
        None => (Fate::Pending, format!("{}; no attempt has ended yet", explained.reason)),
    }
}

/// An event as lists show it: its attributes and data as in JSON, with `position` and `acceptedAt`.
pub fn line(position: Position, appended_at_ms: i64, event: &Event) -> Box<RawValue> {
    let mut event = event.clone();
    event.remove("position");
    let accepted_at = Timestamp::from_millisecond(appended_at_ms).unwrap_or_default();
    let attributes = json::encode(&event);
    let attributes = String::from_utf8_lossy(attributes.get(1..).unwrap_or_default());
    let text = format!("{{\"position\":\"{position}\",\"acceptedAt\":\"{accepted_at}\",{attributes}");
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
