//! Questions about events: list, show, tail, why.

use super::running::Running;
use super::{Brokers, Shared};
use crate::dispatch::blocking;
use crate::event::{Event, stored};
use crate::ingress::Refusal;
use crate::ledger::Replied;
use crate::log::{Position, ReadError, Stored};
use crate::parked::Query;
use crate::state::{StateError, TriggerRecord};
use crate::why::{self, Facts, Why};
use fnctl_config::limits::{DISPATCH_READ_BYTES, DISPATCH_READ_RECORDS, EVENT_PAGE_MAX};
use fnctl_config::snapshot::ObjectKey;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Which events to list: each part that is given must agree.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Go on from here: [`EventPage::next`] of the page before.
    pub from: Option<Vec<Position>>,
    /// Accepted at or after this time; looked at where `from` is not given.
    pub since: Option<Timestamp>,
    /// The attribute `type`.
    pub kind: Option<String>,
    /// The attribute `source`.
    pub source: Option<String>,
    /// The attribute `id`.
    pub id: Option<String>,
    /// Most events of the page; at most `limits::EVENT_PAGE_MAX`, which 0 stands for.
    pub limit: usize,
}

/// A page of events.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// Events as one JSON line each, with `position` and `acceptedAt`.
    pub events: Vec<Box<RawValue>>,
    /// Where the next page begins.
    pub next: Vec<Position>,
    /// Whether the page ends at the end of the log: a reader that follows waits for [`Brokers::appended`].
    pub end: End,
}

/// Where a page ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything there is was read.
    OfLog,
    /// There is more.
    OfPage,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// No such broker on this node.
    #[error("broker {0} does not exist")]
    UnknownBroker(ObjectKey),
    /// No such trigger, or one of another broker.
    #[error("trigger {trigger} does not read broker {broker}")]
    UnknownTrigger {
        /// Which trigger.
        trigger: ObjectKey,
        /// The broker that was asked.
        broker: ObjectKey,
    },
    /// The log.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Cursors and parked events.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What is known of an id that the log does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// Refusals of the ingress, newest first; empty: never seen.
    pub refused: Vec<Refusal>,
}

impl Brokers {
    /// A page of the broker's events, in order.
    pub async fn events(&self, broker: &ObjectKey, query: &EventQuery) -> Result<EventPage, InspectError> {
        let running = self.find(broker)?;
        let log = &running.stores.log;
        let mut next = match (&query.from, query.since) {
            (Some(from), _) => from.clone(),
            (None, Some(since)) => log.at_time(since.as_millisecond()).await?,
            (None, None) => log.start(),
        };
        let limit = if query.limit == 0 { EVENT_PAGE_MAX } else { query.limit.min(EVENT_PAGE_MAX) };
        let ends = log.next().borrow().clone();
        let mut events = Vec::new();
        for at in &mut next {
            let end = ends.iter().find(|end| end.partition() == at.partition()).copied().unwrap_or(*at);
            while *at < end && events.len() < limit {
                let records = match log.read(*at, DISPATCH_READ_RECORDS, DISPATCH_READ_BYTES).await {
                    Ok(records) => records,
                    Err(ReadError::Damaged { to, .. }) if to > *at => {
                        *at = to;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                if records.is_empty() {
                    *at = end;
                }
                for record in records.iter().take_while(|record| record.position < end) {
                    if events.len() == limit {
                        break;
                    }
                    *at = log.after(record.position);
                    events.extend(
                        decode(record)
                            .filter(|event| query.wants(event))
                            .map(|event| why::line(record.position, record.appended_at_ms, &event)),
                    );
                }
            }
        }
        let reached = |end: &Position| next.iter().any(|at| at.partition() == end.partition() && at >= end);
        let end = if ends.iter().all(reached) { End::OfLog } else { End::OfPage };
        Ok(EventPage { events, next, end })
    }

    /// The next positions of the broker's log, changing with each append: what `tail` waits for.
    pub fn appended(&self, broker: &ObjectKey) -> Result<watch::Receiver<Vec<Position>>, InspectError> {
        Ok(self.find(broker)?.appended())
    }

    /// One event by its position, as a JSON line.
    pub async fn event(&self, broker: &ObjectKey, position: Position) -> Result<Option<Box<RawValue>>, InspectError> {
        let running = self.find(broker)?;
        let found = read(&running, position).await?;
        Ok(found.map(|(record, event)| why::line(record.position, record.appended_at_ms, &event)))
    }

    /// What became of the events with this id, or at this position, oldest first. `Err` of the inner result: the log
    /// holds no such event, with what the ingress knows of it.
    pub async fn why(
        &self,
        broker: &ObjectKey,
        id_or_position: &str,
        source: Option<&str>,
    ) -> Result<Result<Vec<Why>, Unknown>, InspectError> {
        let running = self.find(broker)?;
        let mut found = Vec::new();
        if let Ok(position) = id_or_position.parse() {
            found.extend(read(&running, position).await?);
        }
        if found.is_empty() {
            let (ledger, id, source) =
                (Arc::clone(&running.stores.ledger), id_or_position.to_owned(), source.map(str::to_owned));
            let positions = blocking(move || {
                ledger.find(source.as_deref(), &id).map_err(|error| StateError::Interrupted(error.to_string()))
            });
            for position in positions.await? {
                found.extend(read(&running, position).await?.filter(|(_, event)| event.id() == id_or_position));
            }
        }
        found.retain(|(_, event)| source.is_none_or(|source| source == event.source()));
        if found.is_empty() {
            return Ok(Err(Unknown { refused: self.shared.refusals.of(id_or_position) }));
        }
        let mut answers = Vec::with_capacity(found.len());
        for (record, event) in found {
            answers.push(explain(&self.shared, &running, &record, event).await?);
        }
        Ok(Ok(answers))
    }

    /// Whether the broker is there and, where one is named, a trigger that reads it.
    pub fn check(&self, broker: &ObjectKey, trigger: Option<&ObjectKey>) -> Result<(), InspectError> {
        let known = self.find(broker)?.triggers();
        match trigger.filter(|trigger| known.iter().all(|(_, key)| key != *trigger)) {
            Some(trigger) => Err(InspectError::UnknownTrigger { trigger: trigger.clone(), broker: broker.clone() }),
            None => Ok(()),
        }
    }

    pub(super) fn find(&self, broker: &ObjectKey) -> Result<Arc<Running>, InspectError> {
        self.shared.running(broker).ok_or_else(|| InspectError::UnknownBroker(broker.clone()))
    }
}

impl EventQuery {
    fn wants(&self, event: &Event) -> bool {
        self.kind.as_ref().is_none_or(|kind| kind == event.kind())
            && self.source.as_ref().is_none_or(|source| source == event.source())
            && self.id.as_ref().is_none_or(|id| id == event.id())
    }
}

async fn read(running: &Running, position: Position) -> Result<Option<(Stored, Event)>, InspectError> {
    let found = match running.stores.log.read(position, 1, 1).await {
        Ok(found) => found,
        Err(ReadError::Damaged { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let here = found.into_iter().next().filter(|record| record.position == position);
    Ok(here.and_then(|record| decode(&record).map(|event| (record, event))))
}

fn decode(record: &Stored) -> Option<Event> {
    stored::decode(&record.record).ok()
}

async fn explain(
    shared: &Arc<Shared>,
    running: &Arc<Running>,
    stored: &Stored,
    event: Event,
) -> Result<Why, InspectError> {
    let position = stored.position;
    let line = why::line(position, stored.appended_at_ms, &event);
    let ledger = Arc::clone(&running.stores.ledger);
    let outcomes =
        blocking(move || ledger.outcomes(position).map_err(|error| StateError::Interrupted(error.to_string()))).await?;
    let mut replies = HashMap::new();
    for outcome in &outcomes {
        if let Replied::Published(at) = outcome.reply
            && let Some((stored, event)) = read(running, at).await?
        {
            replies.insert(at, why::line(at, stored.appended_at_ms, &event));
        }
    }
    let (shared, running) = (Arc::clone(shared), Arc::clone(running));
    let triggers = blocking(move || {
        let names: std::collections::BTreeMap<_, _> = running.triggers().into_iter().collect();
        let mut triggers = Vec::new();
        for (uid, record) in shared.state.triggers()? {
            let own: Vec<_> = outcomes.iter().filter(|outcome| outcome.trigger == uid).collect();
            let is_here = record.broker == running.stores.broker_uid;
            if !is_here || (!names.contains_key(&uid) && own.is_empty()) {
                continue;
            }
            let facts = Facts {
                name: names.get(&uid).map_or_else(|| uid.clone(), |key| key.name.clone()),
                position,
                event: &event,
                outcomes: own,
                retry: shared.state.retry(&uid, position)?,
                parked: parked(&shared, &uid, &record, position)?,
                notes: running.stores.notes.of(&uid, position),
                record: &record,
                replies: &replies,
            };
            triggers.push(why::explain(facts));
        }
        triggers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(triggers)
    });
    Ok(Why { event: line, triggers: triggers.await? })
}

fn parked(
    shared: &Shared,
    uid: &str,
    record: &TriggerRecord,
    position: Position,
) -> Result<Option<crate::parked::Entry>, StateError> {
    let query = Query { broker: Some(record.broker.clone()), trigger: Some(uid.to_owned()), ..Query::default() };
    let entries = shared.parked.list(&query, usize::MAX)?;
    Ok(entries.into_iter().map(|(_, entry)| entry).find(|entry| entry.position == position))
}
