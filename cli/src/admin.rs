//! The node's own part of the control port, beside the Kubernetes-shaped API: logs, scaling decisions, events, dead
//! letters, metrics and health. Streams are one JSON document a line.

mod events;
mod metrics;

use crate::compose::{Parts, read_logs};
use crate::since::{ago, seconds_ago};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use fnctl_activator::activator::RevisionView;
use fnctl_autoscaler::bounds::Bound;
use fnctl_autoscaler::history::Record;
use fnctl_config::limits::FUNCTION_LOG_LOOK;
use fnctl_config::snapshot::ObjectKey;
use fnctl_controller::apiserver::{Failure, require_token};
use fnctl_runtime_wasm::logs::Line;
use futures::stream::{self, BoxStream, SelectAll, Stream, StreamExt as _};
use http::{StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::interval;

/// Everything on the control port: what needs the token, and the health of the node, which does not.
pub(crate) fn router(parts: &Parts) -> Router {
    let token = Arc::new(parts.api.token().clone());
    let registry = fnctl_runtime_wasm::registry::router(parts.runtime.artifacts().clone());
    let own = own(parts.clone()).merge(registry).layer(middleware::from_fn_with_state(token, require_token));
    health().merge(own).fallback_service(parts.api.router())
}

fn own(parts: Parts) -> Router {
    let broker = "/fnctl/v1/namespaces/{namespace}/brokers/{broker}";
    Router::new()
        .route("/metrics", get(metrics::metrics))
        .route("/fnctl/v1/functions", get(functions))
        .route("/fnctl/v1/namespaces/{namespace}/functions/{name}/logs", get(logs))
        .route("/fnctl/v1/namespaces/{namespace}/revisions/{name}/scaling", get(scaling))
        .route(&format!("{broker}/events"), get(events::events))
        .route(&format!("{broker}/events/{{event}}"), get(events::event))
        .route(&format!("{broker}/why/{{event}}"), get(events::why))
        .route(&format!("{broker}/dlq"), get(events::parked))
        .route(&format!("{broker}/dlq/redrive"), post(events::redrive))
        .route(&format!("{broker}/dlq/{{id}}"), get(events::parked_one).delete(events::drop_parked))
        .with_state(parts)
}

fn health() -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(async || "ok\n"))
        .route("/healthz", get(async || "ok\n"))
}

fn no_such(message: &str) -> Response {
    Failure::new(StatusCode::NOT_FOUND, "NotFound", message).into_response()
}

/// A stream of JSON documents, one a line.
fn lines(documents: BoxStream<'static, Value>) -> Response {
    let lines = documents.map(|document| Ok::<_, Infallible>(Bytes::from(format!("{document}\n"))));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

/// All functions that run here, as the demo and `top`-like views want them.
async fn functions(State(parts): State<Parts>) -> axum::Json<Value> {
    let all: Vec<Value> = parts.activator.revisions().iter().map(|view| described(&parts, view)).collect();
    axum::Json(json!({"revisions": all}))
}

fn described(parts: &Parts, view: &RevisionView) -> Value {
    json!({
        "namespace": view.revision.key.namespace, "revision": view.revision.key.name, "function": view.revision.service,
        "state": format!("{:?}", view.state).to_lowercase(), "sinceSeconds": view.since.as_secs_f64(),
        "instances": parts.scaling.instances(view), "inFlight": view.in_flight, "queued": view.queued,
        "requests": view.totals.requests(), "coldStarts": view.totals.cold_starts,
    })
}

async fn scaling(State(parts): State<Parts>, Path((namespace, name)): Path<(String, String)>) -> Response {
    let key = ObjectKey::new(namespace, name);
    let Some(view) = parts.activator.revision(&key) else {
        return no_such(&format!("revision {key} does not run on this node"));
    };
    let now = Timestamp::now();
    let at = |since: Duration| ago(now, since).to_string();
    let decisions = parts.scaler.decisions(&key).unwrap_or_default();
    let decisions = decisions.iter().map(|explained| {
        json!({"at": at(explained.first_ago), "until": at(explained.last_ago),
            "desired": explained.record.settled.instances, "reason": reason(&explained.record)})
    });
    let mut answer = described(&parts, &view);
    answer["decisions"] = decisions.collect();
    axum::Json(answer).into_response()
}

/// Why the number is what it is: the bound where one was met, and what the load asked for.
fn reason(record: &Record) -> String {
    match record.settled.bound {
        Bound::Load => record.decision.reason.to_string(),
        bound => format!("{bound}; {}", record.decision.reason),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LogQuery {
    follow: bool,
    #[serde(rename = "sinceSeconds", deserialize_with = "seconds_ago")]
    since: Option<Timestamp>,
    event: Option<String>,
    revision: Option<String>,
}

/// The lines of all revisions of a function, in the order of time; followed ones as they come.
async fn logs(
    State(parts): State<Parts>,
    Path((namespace, name)): Path<(String, String)>,
    Query(query): Query<LogQuery>,
) -> Response {
    let asked = Asked { function: ObjectKey::new(namespace, name), revision: query.revision };
    let revisions = asked.revisions(&parts);
    if revisions.is_empty() {
        return no_such(&match &asked.revision {
            Some(revision) => format!("revision {revision:?} of function {} does not run on this node", asked.function),
            None => format!("no revision of function {} runs on this node", asked.function),
        });
    }
    let oldest = query.since;
    let event = query.event;
    let wanted = move |line: &Line| {
        oldest.is_none_or(|oldest| line.time >= oldest) && event.as_deref().is_none_or(|event| *line.call == *event)
    };
    let mut kept = Vec::new();
    let mut later = SelectAll::new();
    for key in &revisions {
        let (lines, follow) = read_logs(parts.runtime.logs(), key);
        kept.extend(lines.into_iter().map(|line| (key.clone(), line)));
        later.push(named(key, follow));
    }
    kept.sort_by_key(|(_, line)| line.time);
    let closing = parts.api.closing();
    let all = match query.follow {
        true => stream::iter(kept).chain(following(parts, asked, revisions, later).take_until(closing)).boxed(),
        false => stream::iter(kept).boxed(),
    };
    lines(
        all.filter(move |(_, line)| std::future::ready(wanted(line))).map(|(key, line)| log_line(&key, &line)).boxed(),
    )
}

/// Whose lines are asked for.
struct Asked {
    function: ObjectKey,
    /// Only this one of its revisions.
    revision: Option<String>,
}

impl Asked {
    /// The revisions that there are now.
    fn revisions(&self, parts: &Parts) -> BTreeSet<ObjectKey> {
        let all = parts.activator.revisions().into_iter().map(|view| view.revision);
        let its = all.filter(|revision| {
            revision.key.namespace == self.function.namespace && revision.service == self.function.name
        });
        let its = its.map(|revision| revision.key.clone());
        its.filter(|key| self.revision.as_ref().is_none_or(|name| *name == key.name)).collect()
    }
}

/// Lines, and which revision wrote them.
type Lines = BoxStream<'static, (ObjectKey, Line)>;

fn named(revision: &ObjectKey, lines: impl Stream<Item = Line> + Send + 'static) -> Lines {
    let revision = revision.clone();
    lines.map(move |line| (revision.clone(), line)).boxed()
}

/// The lines from now on: of the revisions that are known, and of those that are made meanwhile.
fn following(
    parts: Parts,
    asked: Asked,
    known: BTreeSet<ObjectKey>,
    lines: SelectAll<Lines>,
) -> impl Stream<Item = (ObjectKey, Line)> {
    let state = (parts, asked, known, lines, interval(FUNCTION_LOG_LOOK));
    stream::unfold(state, async |(parts, asked, mut known, mut lines, mut look)| {
        loop {
            tokio::select! {
                Some(line) = lines.next() => return Some((line, (parts, asked, known, lines, look))),
                _ = look.tick() => {
                    let now = asked.revisions(&parts);
                    for new in now.difference(&known) {
                        let (kept, later) = read_logs(parts.runtime.logs(), new);
                        lines.push(named(new, stream::iter(kept).chain(later)));
                    }
                    known = now;
                }
            }
        }
    })
}

fn log_line(revision: &ObjectKey, line: &Line) -> Value {
    json!({"at": line.time.to_string(), "revision": revision.name, "stream": format!("{:?}", line.stream).to_lowercase(),
        "event": *line.call, "text": line.text})
}
