//! Events that could not be delivered and have no dead-letter sink: kept here, with the reason, until somebody sends
//! them again or removes them, or deletes their broker. Nothing else removes them, and they do not hold the log's segments
//! back. Where the store is full nothing is parked: the event waits at its trigger, and the log keeps it.
//! All calls block: from async code use `tokio::task::spawn_blocking`.

use crate::log::Position;
use crate::state::{State, StateError, damaged, parse};
use bytes::Bytes;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

const ENTRIES: TableDefinition<u64, &[u8]> = TableDefinition::new("parked");
const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("parked_events");
/// Trigger and position to entry, so that a redelivery after a crash parks nothing twice.
const PLACES: TableDefinition<(&str, [u8; 12]), u64> = TableDefinition::new("parked_places");
/// Bytes of all events here.
const BYTES: TableDefinition<(), u64> = TableDefinition::new("parked_bytes");

/// The number that the next event gets: a name is not used again, whoever else still holds it.
const NEXT: TableDefinition<(), u64> = TableDefinition::new("parked_next");

/// The store. Clones share it; it lives in the file of the [`State`].
#[derive(Clone, Debug)]
pub struct Parked {
    state: State,
    bytes_max: u64,
}

/// Names one parked event; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParkedId(u64);

/// Why an event was parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// All attempts failed.
    Exhausted,
    /// The subscriber refused it in a way that another attempt does not change.
    Refused,
    /// It was forwarded as often as `knativebrokerttl` allows.
    Looping,
    /// The dead-letter sink took it neither.
    DeadLetterFailed,
}

/// What is known of a parked event, apart from the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Uid of the broker that accepted it.
    pub broker: String,
    /// Uid of the trigger that could not deliver it.
    pub trigger: String,
    /// Where it was in the broker's log.
    pub position: Position,
    /// Why it is here.
    pub reason: Reason,
    /// The subscriber's last status; none if it never answered.
    pub status: Option<u16>,
    /// Attempts made.
    pub attempts: u32,
    /// What the last one ended with.
    pub last_error: String,
    /// When it was parked, in milliseconds since 1970.
    pub parked_at_ms: i64,
}

/// Which parked events to list: each part that is given must agree.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Uid of the broker.
    pub broker: Option<String>,
    /// Uid of the trigger.
    pub trigger: Option<String>,
    /// Why they are here.
    pub reason: Option<Reason>,
    /// Only those after this one: the last of the page before.
    pub after: Option<ParkedId>,
}

impl Parked {
    /// The parked events in the file of `state`, whose bytes are at most `bytes_max`.
    pub fn new(state: &State, bytes_max: u64) -> Self {
        Self { state: state.clone(), bytes_max }
    }

    /// Keeps events, in one commit, durable when this returns; all of them or none. An event that the same trigger parked
    /// before keeps its first entry.
    pub fn park(&self, events: &[(Entry, Bytes)]) -> Result<Vec<ParkedId>, StateError> {
        self.state.write(|transaction| {
            let mut entries = transaction.open_table(ENTRIES)?;
            let mut copies = transaction.open_table(EVENTS)?;
            let mut places = transaction.open_table(PLACES)?;
            let mut bytes = bytes_in(transaction, &copies)?;
            let mut numbers = transaction.open_table(NEXT)?;
            let noted = numbers.get(())?.map_or(1, |next| next.value());
            let mut next = noted.max(last_id(&entries)? + 1);
            let mut ids = Vec::with_capacity(events.len());
            for (entry, event) in events {
                let place = (entry.trigger.as_str(), entry.position.to_key());
                let known = places.get(place)?.map(|id| id.value());
                if let Some(id) = known {
                    ids.push(ParkedId(id));
                    continue;
                }
                bytes = bytes.saturating_add(event.len() as u64);
                let value = serde_json::to_vec(entry).map_err(|error| damaged("parked", &next.to_string(), &error))?;
                entries.insert(next, value.as_slice())?;
                copies.insert(next, event.as_ref())?;
                places.insert(place, next)?;
                ids.push(ParkedId(next));
                next += 1;
            }
            if bytes > self.bytes_max {
                return Err(StateError::ParkedFull { bytes_max: self.bytes_max });
            }
            transaction.open_table(BYTES)?.insert((), bytes)?;
            numbers.insert((), next)?;
            Ok(ids)
        })
    }

    /// At most `limit` entries that the query asks for, newest last. An answer shorter than `limit` is the last page.
    pub fn list(&self, query: &Query, limit: usize) -> Result<Vec<(ParkedId, Entry)>, StateError> {
        let transaction = self.state.read()?;
        let first = query.after.map_or(0, |id| id.0.saturating_add(1));
        let mut found = Vec::new();
        for row in transaction.open_table(ENTRIES)?.range(first..)? {
            if found.len() == limit {
                break;
            }
            let (id, value) = row?;
            let entry: Entry = parse("parked", &id.value().to_string(), value.value())?;
            if query.wants(&entry) {
                found.push((ParkedId(id.value()), entry));
            }
        }
        Ok(found)
    }

    /// How many events are parked.
    pub fn count(&self) -> Result<u64, StateError> {
        use redb::ReadableTableMetadata;
        Ok(self.state.read()?.open_table(ENTRIES)?.len()?)
    }

    /// One entry and its event.
    pub fn get(&self, id: ParkedId) -> Result<Option<(Entry, Bytes)>, StateError> {
        let transaction = self.state.read()?;
        let Some(value) = transaction.open_table(ENTRIES)?.get(id.0)? else { return Ok(None) };
        let entry = parse("parked", &id.to_string(), value.value())?;
        let event = transaction.open_table(EVENTS)?.get(id.0)?;
        let event = event.map(|event| Bytes::copy_from_slice(event.value())).unwrap_or_default();
        Ok(Some((entry, event)))
    }

    /// Removes events that were sent again, or are not wanted. Answers how many were there.
    pub fn remove(&self, ids: &[ParkedId]) -> Result<usize, StateError> {
        self.state.write(|transaction| remove(transaction, ids))
    }
}

impl Query {
    fn wants(&self, entry: &Entry) -> bool {
        self.broker.as_ref().is_none_or(|broker| *broker == entry.broker)
            && self.trigger.as_ref().is_none_or(|trigger| *trigger == entry.trigger)
            && self.reason.is_none_or(|reason| reason == entry.reason)
    }
}

pub(crate) fn make_tables(transaction: &WriteTransaction) -> Result<(), StateError> {
    transaction.open_table(ENTRIES)?;
    transaction.open_table(EVENTS)?;
    transaction.open_table(PLACES)?;
    transaction.open_table(NEXT)?;
    Ok(())
}

fn remove(transaction: &WriteTransaction, ids: &[ParkedId]) -> Result<usize, StateError> {
    let mut entries = transaction.open_table(ENTRIES)?;
    let mut copies = transaction.open_table(EVENTS)?;
    let mut places = transaction.open_table(PLACES)?;
    let mut bytes = bytes_in(transaction, &copies)?;
    let mut gone = 0;
    for id in ids {
        let Some(value) = entries.remove(id.0)? else { continue };
        let entry: Entry = parse("parked", &id.to_string(), value.value())?;
        places.remove((entry.trigger.as_str(), entry.position.to_key()))?;
        let copy = copies.remove(id.0)?.map_or(0, |copy| copy.value().len());
        bytes = bytes.saturating_sub(copy as u64);
        gone += 1;
    }
    transaction.open_table(BYTES)?.insert((), bytes)?;
    Ok(gone)
}

/// Removes all events of a broker that is gone.
pub(crate) fn forget(transaction: &WriteTransaction, broker: &str) -> Result<(), StateError> {
    let mut own = Vec::new();
    for row in transaction.open_table(ENTRIES)?.iter()? {
        let (id, value) = row?;
        if parse::<Entry>("parked", &id.value().to_string(), value.value())?.broker == broker {
            own.push(ParkedId(id.value()));
        }
    }
    if !own.is_empty() {
        remove(transaction, &own)?;
    }
    Ok(())
}

/// Bytes of all events here; counted where the file is of a time that did not note them.
fn bytes_in(
    transaction: &WriteTransaction,
    copies: &impl ReadableTable<u64, &'static [u8]>,
) -> Result<u64, StateError> {
    if let Some(bytes) = transaction.open_table(BYTES)?.get(())? {
        return Ok(bytes.value());
    }
    copies.iter()?.try_fold(0, |bytes: u64, row| Ok(bytes.saturating_add(row?.1.value().len() as u64)))
}

fn last_id(entries: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64, StateError> {
    Ok(entries.last()?.map_or(0, |(id, _)| id.value()))
}

impl fmt::Display for ParkedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parked-{}", self.0)
    }
}

impl FromStr for ParkedId {
    type Err = InvalidParkedId;
    fn from_str(text: &str) -> Result<Self, InvalidParkedId> {
        let number = text.strip_prefix("parked-").and_then(|number| number.parse().ok());
        number.map(Self).ok_or_else(|| InvalidParkedId(text.to_owned()))
    }
}

/// The text names no parked event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no parked event: expected a name as in \"parked-17\", see `fnctl dlq list`")]
pub struct InvalidParkedId(pub String);
