//! What became of an event, and why: the answers of `fnctl event why`, as JSON.
//!
//! Put together from what is kept: the filter in force at the event's position tells who wanted it, the ledger what
//! happened, the log what it was answered with, the state and the parked store the last error. The words of other errors are
//! kept in memory only: after a restart their kind is told, and that the words are gone.

use crate::event::{Event, json};
use crate::filter;
use crate::ledger::{Before, Outcome, Replied, Verdict};
use crate::log::Position;
use crate::parked::Entry;
use crate::state::{Retry, TriggerRecord};
use fnctl_config::limits::DELIVERY_NOTES_KEPT;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::{HashMap, VecDeque};
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
#[derive(Clone, Debug, Serialize)]
pub struct TriggerWhy {
    /// The trigger's name; its uid if it is deleted.
    pub name: String,
    /// What became of the event.
    pub outcome: Fate,
    /// Why, in one sentence.
    pub reason: String,
    /// Attempts that are known.
    pub attempts: Vec<AttemptWhy>,
    /// How often it was given, or may have been given, to the subscriber after the first time.
    pub redeliveries: usize,
    /// The event that the subscriber answered with, as lists show it; only a `note` where the log does not hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Box<RawValue>>,
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
    /// The part of it that was spent waiting for room, or for the function to leave zero.
    pub waited_ms: u32,
    /// Whether the node had ended without order, so that an attempt before this one may have been lost with it.
    pub redelivered: bool,
    /// Which instance answered, where that is known.
    pub instance: Option<String>,
    /// What went wrong, or a note about a success.
    pub error: Option<String>,
}

/// The words of one attempt, which the ledger has no room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) attempt: u32,
    pub(crate) text: String,
}

/// A ring of the last notes of one broker.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<VecDeque<(String, Position, Note)>>);

impl Notes {
    pub(crate) fn add(&self, trigger: &str, position: Position, note: Note) {
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
    /// The replies that the log still holds, as lists show them.
    pub(crate) replies: &'a HashMap<Position, Box<RawValue>>,
}

/// What became of the event for one trigger: pure.
pub(crate) fn explain(facts: Facts<'_>) -> TriggerWhy {
    let (outcome, reason) = fate(&facts);
    let mut attempts: Vec<(u32, AttemptWhy)> = Vec::new();
    for outcome in &facts.outcomes {
        let is_attempt = matches!(outcome.verdict, Verdict::Delivered | Verdict::Retrying | Verdict::Parked);
        let redelivered = outcome.before == Before::Unknown;
        let is_known =
            |(number, known): &(u32, AttemptWhy)| *number == outcome.attempt && known.redelivered == redelivered;
        if is_attempt && !attempts.iter().any(is_known) {
            let note = facts.notes.iter().find(|note| note.attempt == outcome.attempt);
            let attempt = AttemptWhy {
                at: Timestamp::from_millisecond(outcome.at_ms).unwrap_or_default(),
                status: outcome.status,
                duration_ms: outcome.duration_ms,
                waited_ms: outcome.waited_ms,
                redelivered,
                instance: outcome.instance.clone(),
                error: note.map(|note| note.text.clone()).or_else(|| outcome.remark.words(outcome.status)),
            };
            attempts.push((outcome.attempt, attempt));
        }
    }
    // The words of the last failure are kept over a restart; there may be an attempt after it already.
    let kept = facts.retry.map(|retry| (retry.history.attempts, retry.history.error));
    if let Some((number, error)) = kept.or(facts.parked.map(|entry| (entry.attempts, entry.last_error)))
        && let Some((_, failed)) = attempts.iter_mut().rev().find(|(attempt, _)| *attempt == number)
    {
        failed.error = Some(error);
    }
    let attempts: Vec<_> = attempts.into_iter().map(|(_, attempt)| attempt).collect();
    let first_is_known = attempts.first().is_none_or(|first| !first.redelivered);
    let redeliveries = attempts.len().saturating_sub(usize::from(first_is_known));
    let reply = facts.outcomes.iter().rev().find_map(|outcome| reply(outcome.reply, facts.replies));
    TriggerWhy { name: facts.name, outcome, reason, attempts, redeliveries, reply }
}

fn reply(replied: Replied, kept: &HashMap<Position, Box<RawValue>>) -> Option<Box<RawValue>> {
    let note = |position: Option<Position>, note: &str| {
        serde_json::value::to_raw_value(&serde_json::json!({"position": position, "note": note})).ok()
    };
    match replied {
        Replied::Nothing => None,
        Replied::Published(position) => {
            kept.get(&position).cloned().or_else(|| note(Some(position), "the broker no longer keeps it"))
        }
        Replied::Withheld => note(None, "not published: knativebrokerttl is used up, or it is too large"),
    }
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
                Some(retry) => {
                    (Fate::Retrying, format!("attempt {} failed: {}", retry.history.attempts, retry.history.error))
                }
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
            (Fate::Retrying, facts.retry.as_ref().map(|retry| retry.history.error.clone()).unwrap_or_default())
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
