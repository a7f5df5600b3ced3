//! What a broker keeps, and what became of it: `fnctl event` and `fnctl dlq` from the node's side.

use super::{lines, no_such};
use crate::compose::Parts;
use crate::since::seconds_ago;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use fnctl_broker::broker::{Brokers, DlqError, DlqQuery, End, EventPage, EventQuery, InspectError, ParkedEvent};
use fnctl_broker::log::Position;
use fnctl_broker::parked::InvalidParkedId;
use fnctl_config::limits::EVENT_PAGE_MAX;
use fnctl_config::snapshot::ObjectKey;
use fnctl_controller::apiserver::Failure;
use futures::stream::{self, StreamExt as _};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::VecDeque;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Listing {
    follow: bool,
    #[serde(rename = "sinceSeconds", deserialize_with = "seconds_ago")]
    since: Option<Timestamp>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    source: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn events(
    State(parts): State<Parts>,
    Path((namespace, broker)): Path<(String, String)>,
    Query(listing): Query<Listing>,
) -> Response {
    let key = ObjectKey::new(namespace, broker);
    let query = EventQuery {
        from: None,
        since: listing.since,
        kind: listing.event_type.clone(),
        source: listing.source.clone(),
        id: None,
        limit: 0,
    };
    let answer = match listing.follow {
        true => follow(parts.brokers, key, query).await,
        false => newest(&parts.brokers, &key, query, listing.limit.unwrap_or(EVENT_PAGE_MAX)).await,
    };
    answer.unwrap_or_else(|error| not_answered(&error))
}

/// The newest events that match, oldest of them first.
async fn newest(
    brokers: &Brokers,
    key: &ObjectKey,
    mut query: EventQuery,
    limit: usize,
) -> Result<Response, InspectError> {
    let limit = limit.min(EVENT_PAGE_MAX);
    let mut kept = VecDeque::new();
    loop {
        let EventPage { events, next, end } = brokers.events(key, &query).await?;
        for event in events {
            if kept.len() == limit {
                kept.pop_front();
            }
            kept.push_back(document(&event));
        }
        if end == End::OfLog {
            return Ok(lines(stream::iter(kept).boxed()));
        }
        query.from = Some(next);
    }
}

/// Events as they come; from now on where no time is given.
async fn follow(brokers: Brokers, key: ObjectKey, mut query: EventQuery) -> Result<Response, InspectError> {
    let mut appended = brokers.appended(&key)?;
    if query.since.is_none() {
        query.from = Some(appended.borrow_and_update().clone());
    }
    let pages = stream::try_unfold((brokers, key, query, appended), async |(brokers, key, mut query, mut appended)| {
        loop {
            appended.borrow_and_update();
            let page = brokers.events(&key, &query).await?;
            query.from = Some(page.next);
            if !page.events.is_empty() {
                return Ok::<_, InspectError>(Some((page.events, (brokers, key, query, appended))));
            }
            // The broker is gone when nobody can append any more.
            if page.end == End::OfLog && appended.changed().await.is_err() {
                return Ok(None);
            }
        }
    });
    let documents = pages
        .take_while(|page| std::future::ready(page.is_ok()))
        .flat_map(|page| stream::iter(page.unwrap_or_default().into_iter().map(|event| document(&event))));
    Ok(lines(documents.boxed()))
}

pub(super) async fn event(
    State(parts): State<Parts>,
    Path((namespace, broker, event)): Path<(String, String, String)>,
) -> Response {
    let key = ObjectKey::new(namespace, broker);
    match find(&parts.brokers, &key, &event).await {
        Ok(Some(found)) => axum::Json(found).into_response(),
        Ok(None) => no_such(&format!("broker {key} keeps no event {event:?}")),
        Err(error) => not_answered(&error),
    }
}

async fn find(brokers: &Brokers, key: &ObjectKey, event: &str) -> Result<Option<Value>, InspectError> {
    if let Ok(position) = event.parse::<Position>()
        && let Some(found) = brokers.event(key, position).await?
    {
        return Ok(Some(document(&found)));
    }
    let answers = brokers.why(key, event, None).await?.unwrap_or_default();
    Ok(answers.last().map(|why| document(&why.event)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    source: Option<String>,
    trigger: Option<String>,
    reason: Option<String>,
}

pub(super) async fn why(
    State(parts): State<Parts>,
    Path((namespace, broker, event)): Path<(String, String, String)>,
    Query(which): Query<Which>,
) -> Response {
    let key = ObjectKey::new(&*namespace, broker);
    match parts.brokers.why(&key, &event, which.source.as_deref()).await {
        Err(error) => not_answered(&error),
        Ok(Err(unknown)) => {
            let refusals = unknown
                .refused
                .iter()
                .map(|refusal| format!("{} with {}: {}", refusal.at, refusal.status, refusal.reason));
            let seen = match unknown.refused.is_empty() {
                true => "it never came, or its time was over".to_owned(),
                false => format!("the ingress refused it at {}", refusals.collect::<Vec<_>>().join("; at ")),
            };
            no_such(&format!("broker {key} keeps no event {event:?}: {seen}"))
        }
        Ok(Ok(mut answers)) => {
            if let Some(trigger) = &which.trigger {
                answers.iter_mut().for_each(|why| why.triggers.retain(|row| row.name == *trigger));
                if answers.iter().all(|why| why.triggers.is_empty()) {
                    let trigger = ObjectKey::new(namespace, &**trigger);
                    return not_answered(&InspectError::UnknownTrigger { trigger, broker: key });
                }
            }
            lines(stream::iter(answers.into_iter().map(|why| json!(why))).boxed())
        }
    }
}

pub(super) async fn parked(
    State(parts): State<Parts>,
    Path((namespace, broker)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Response {
    let key = ObjectKey::new(&*namespace, &*broker);
    let trigger = which.trigger.as_ref().map(|trigger| ObjectKey::new(&*namespace, &**trigger));
    if let Err(unknown) = parts.brokers.check(&key, trigger.as_ref()) {
        return not_answered(&unknown);
    }
    let entries = match all_parked(&parts.brokers, &namespace, &broker, &which).await {
        Ok(entries) => entries,
        Err(error) => return failed(&error),
    };
    let taken = match parts.brokers.dlq_dead_lettered(&key, trigger.as_ref()).await {
        Ok(taken) => taken,
        Err(error) => return failed(&error),
    };
    let taken = taken.into_iter().map(|event| json!(event));
    let taken = taken.filter(|event| which.reason.as_ref().is_none_or(|reason| event["reason"] == json!(reason)));
    let all: Vec<Value> = entries.into_iter().map(|entry| json!(entry)).chain(taken).collect();
    lines(stream::iter(all).boxed())
}

/// One parked event, whole.
pub(super) async fn parked_one(
    State(parts): State<Parts>,
    Path((namespace, broker, id)): Path<(String, String, String)>,
) -> Response {
    let shown = async {
        let id = id.parse().map_err(|error| invalid(&error))?;
        parts.brokers.dlq_show(&ObjectKey::new(namespace, broker), id).await.map_err(|error| not_parked(&error))
    };
    shown.await.map_or_else(|refused| refused, |entry| axum::Json(json!(entry)).into_response())
}

/// Removes a parked event for good.
pub(super) async fn drop_parked(
    State(parts): State<Parts>,
    Path((namespace, broker, id)): Path<(String, String, String)>,
) -> Response {
    let dropped = async {
        let known = id.parse().map_err(|error| invalid(&error))?;
        parts.brokers.dlq_drop(&ObjectKey::new(namespace, broker), known).await.map_err(|error| not_parked(&error))
    };
    dropped.await.map_or_else(|refused| refused, |()| axum::Json(json!({"dropped": id})).into_response())
}

fn invalid(error: &InvalidParkedId) -> Response {
    Failure::new(StatusCode::BAD_REQUEST, "BadRequest", error.to_string()).into_response()
}

fn not_parked(error: &DlqError) -> Response {
    match error {
        DlqError::Unknown(_) => no_such(&error.to_string()),
        DlqError::NoTrigger { .. } | DlqError::Unreadable { .. } | DlqError::NotTaken { .. } | DlqError::State(_) => {
            failed(error)
        }
    }
}

/// Sends every matching parked event again; what a dead-letter sink took is no longer ours to send. Those that are not taken stay, with the reason.
pub(super) async fn redrive(
    State(parts): State<Parts>,
    Path((namespace, broker)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Response {
    let trigger = which.trigger.as_ref().map(|trigger| ObjectKey::new(&*namespace, &**trigger));
    if let Err(unknown) = parts.brokers.check(&ObjectKey::new(&*namespace, &*broker), trigger.as_ref()) {
        return not_answered(&unknown);
    }
    let entries = match all_parked(&parts.brokers, &namespace, &broker, &which).await {
        Ok(entries) => entries,
        Err(error) => return failed(&error),
    };
    let (mut redriven, mut remaining) = (0_u64, Vec::new());
    for entry in entries {
        match parts.brokers.dlq_redrive(entry.id).await {
            Ok(()) => redriven += 1,
            Err(error) => remaining.push(error.to_string()),
        }
    }
    axum::Json(json!({"redriven": redriven, "remaining": remaining})).into_response()
}

async fn all_parked(
    brokers: &Brokers,
    namespace: &str,
    broker: &str,
    which: &Which,
) -> Result<Vec<ParkedEvent>, DlqError> {
    let mut query = DlqQuery {
        broker: Some(ObjectKey::new(namespace, broker)),
        trigger: which.trigger.as_ref().map(|trigger| ObjectKey::new(namespace, trigger)),
        reason: None,
        after: None,
    };
    let mut all = Vec::new();
    loop {
        let page = brokers.dlq_list(&query).await?;
        let Some(last) = page.last() else { return Ok(all) };
        query.after = Some(last.id);
        let wanted =
            |entry: &ParkedEvent| which.reason.as_ref().is_none_or(|reason| json!(entry.reason) == json!(reason));
        all.extend(page.into_iter().filter(wanted));
    }
}

fn document(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or(Value::Null)
}

fn not_answered(error: &InspectError) -> Response {
    match error {
        InspectError::UnknownBroker(broker) => no_object("brokers", broker, error),
        InspectError::UnknownTrigger { trigger, .. } => no_object("triggers", trigger, error),
        InspectError::Read(_) | InspectError::State(_) => failed(error),
    }
}

/// As the API says it of an object that is not there.
fn no_object(kind: &str, key: &ObjectKey, error: &InspectError) -> Response {
    let details = json!({"kind": kind, "name": key.name});
    Failure { details, ..Failure::new(StatusCode::NOT_FOUND, "NotFound", error.to_string()) }.into_response()
}

fn failed(error: &dyn std::error::Error) -> Response {
    Failure::internal(error.to_string()).into_response()
}
