//! Events that are to be tried again. Their attempts are durable before the wait for the next one begins, else an event that
//! kills the process would be tried for ever. Of most of them the log keeps the event; of those beyond what a trigger leaves
//! there a copy is kept here, so that neither the trigger nor the log waits for them.

use super::{State, StateError, damaged, parse};
use crate::deliver::answer::Remark;
use crate::log::Position;
use bytes::Bytes;
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Trigger and position.
type Place<'a> = (&'a str, [u8; 12]);

const RETRIES: TableDefinition<Place<'static>, &[u8]> = TableDefinition::new("retries");
const COPIES: TableDefinition<Place<'static>, &[u8]> = TableDefinition::new("retry_copies");
/// Bytes of all copies.
const BYTES: TableDefinition<(), u64> = TableDefinition::new("retry_bytes");

/// An event that failed and is to be tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Which event.
    pub position: Position,
    /// The attempts made so far.
    #[serde(flatten)]
    pub history: History,
    /// When the next one is due, in milliseconds since 1970.
    pub next_at_ms: i64,
    /// Where the event is.
    #[serde(default)]
    pub kept: Kept,
}

/// What is known of the attempts made so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// To the subscriber.
    pub attempts: u32,
    /// To the dead-letter sink; some once the subscriber's are used up.
    #[serde(default)]
    pub dead_letter: Option<u32>,
    /// The subscriber's last status.
    #[serde(default)]
    pub status: Option<u16>,
    /// What that answer counts as: its status, or another one where the reply was not valid.
    #[serde(default)]
    pub code: Option<u16>,
    /// What is to be said of it.
    #[serde(default)]
    pub remark: Remark,
    /// What the last attempt ended with.
    #[serde(rename = "last_error")]
    pub error: String,
    /// Begin of the subscriber's last answer, in base64.
    #[serde(default)]
    pub data: String,
}

/// Where an event is kept until its next attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// In the log, which its cursor holds back.
    #[default]
    Log,
    /// In the state: its cursor has passed it.
    Copy,
}

impl State {
    /// Saves the attempts of events that will be tried again: durable before the wait for the next attempt begins.
    pub fn save_retries(&self, trigger: &str, retries: &[Retry]) -> Result<(), StateError> {
        self.write(|transaction| retries.iter().try_for_each(|retry| save(transaction, trigger, retry)))
    }

    /// The same for one event, together with a copy of it. [`StateError::RetriesFull`], and nothing is saved, where the
    /// copies would take more than `bytes_max`.
    pub fn save_copy(&self, trigger: &str, retry: &Retry, event: &Bytes, bytes_max: u64) -> Result<(), StateError> {
        self.write(|transaction| {
            let place = (trigger, retry.position.to_key());
            let before = transaction.open_table(COPIES)?.insert(place, event.as_ref())?.map_or(0, |old| length(&old));
            let bytes = bytes_in(transaction)?.saturating_sub(before).saturating_add(event.len() as u64);
            if bytes > bytes_max {
                return Err(StateError::RetriesFull { bytes_max });
            }
            transaction.open_table(BYTES)?.insert((), bytes)?;
            save(transaction, trigger, retry)
        })
    }

    /// The events of a trigger that wait for another attempt, by position.
    pub fn retries(&self, trigger: &str) -> Result<Vec<Retry>, StateError> {
        let transaction = self.read()?;
        let table = transaction.open_table(RETRIES)?;
        let mut found = Vec::new();
        for entry in table.range(all_of(trigger))? {
            found.push(parse("retries", trigger, entry?.1.value())?);
        }
        Ok(found)
    }

    /// The event of a trigger at this position, if it waits for another attempt.
    pub fn retry(&self, trigger: &str, position: Position) -> Result<Option<Retry>, StateError> {
        match self.read()?.open_table(RETRIES)?.get((trigger, position.to_key()))? {
            Some(value) => parse("retries", trigger, value.value()).map(Some),
            None => Ok(None),
        }
    }

    /// A copy and its attempts.
    pub fn copy(&self, trigger: &str, position: Position) -> Result<Option<(Retry, Bytes)>, StateError> {
        let transaction = self.read()?;
        let place = (trigger, position.to_key());
        let Some(value) = transaction.open_table(RETRIES)?.get(place)? else { return Ok(None) };
        let retry = parse("retries", trigger, value.value())?;
        let copy = transaction.open_table(COPIES)?.get(place)?;
        Ok(copy.map(|copy| (retry, Bytes::copy_from_slice(copy.value()))))
    }
}

pub(super) fn make_tables(transaction: &WriteTransaction) -> Result<(), StateError> {
    transaction.open_table(RETRIES)?;
    transaction.open_table(COPIES)?;
    transaction.open_table(BYTES)?;
    Ok(())
}

/// Drops what is kept of events that are settled.
pub(super) fn settle(transaction: &WriteTransaction, settled: &[(String, Position)]) -> Result<(), StateError> {
    let mut retries = transaction.open_table(RETRIES)?;
    let mut copied = Vec::new();
    for (trigger, position) in settled {
        let place = (trigger.as_str(), position.to_key());
        let Some(value) = retries.remove(place)? else { continue };
        if parse::<Retry>("retries", trigger, value.value())?.kept == Kept::Copy {
            copied.push(place);
        }
    }
    drop_copies(transaction, &copied)
}

/// Drops all that is kept of a trigger's events.
pub(super) fn clear(transaction: &WriteTransaction, trigger: &str) -> Result<(), StateError> {
    transaction.open_table(RETRIES)?.retain_in(all_of(trigger), |_, _| false)?;
    let mut own = Vec::new();
    for copy in transaction.open_table(COPIES)?.range(all_of(trigger))? {
        own.push((trigger, copy?.0.value().1));
    }
    drop_copies(transaction, &own)
}

fn drop_copies(transaction: &WriteTransaction, places: &[Place<'_>]) -> Result<(), StateError> {
    if places.is_empty() {
        return Ok(());
    }
    let mut bytes = bytes_in(transaction)?;
    let mut copies = transaction.open_table(COPIES)?;
    for place in places {
        bytes = bytes.saturating_sub(copies.remove(*place)?.map_or(0, |old| length(&old)));
    }
    transaction.open_table(BYTES)?.insert((), bytes)?;
    Ok(())
}

fn save(transaction: &WriteTransaction, trigger: &str, retry: &Retry) -> Result<(), StateError> {
    let value = serde_json::to_vec(retry).map_err(|error| damaged("retries", trigger, &error))?;
    transaction.open_table(RETRIES)?.insert((trigger, retry.position.to_key()), value.as_slice())?;
    Ok(())
}

fn bytes_in(transaction: &WriteTransaction) -> Result<u64, StateError> {
    Ok(transaction.open_table(BYTES)?.get(())?.map_or(0, |bytes| bytes.value()))
}

fn length(value: &redb::AccessGuard<'_, &'static [u8]>) -> u64 {
    value.value().len() as u64
}

fn all_of(trigger: &str) -> RangeInclusive<Place<'_>> {
    (trigger, [0; 12])..=(trigger, [0xff; 12])
}
