//! `/metrics`: the node in Prometheus' text format. Names without ids of events or requests in their labels.

use crate::compose::Parts;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use fnctl_activator::meter::TotalsView;
use fnctl_config::snapshot::ObjectKey;
use http::header;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// OpenMetrics, as Prometheus asks for it.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Name {
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Class {
    namespace: String,
    name: String,
    class: String,
}

impl From<&ObjectKey> for Name {
    fn from(key: &ObjectKey) -> Self {
        Self { namespace: key.namespace.clone(), name: key.name.clone() }
    }
}

pub(super) async fn metrics(State(parts): State<Parts>) -> Response {
    let mut registry = Registry::with_prefix("fnctl");
    revisions(&parts, &mut registry);
    brokers(&parts, &mut registry).await;
    let memory = Gauge::<i64>::default();
    memory.set(i64::try_from(parts.runtime.guest_memory_bytes()).unwrap_or(i64::MAX));
    registry.register("guest_memory_bytes", "Linear memory that guests hold", memory);
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response()
}

type Counters = Family<Name, Counter>;
type Gauges = Family<Name, Gauge>;

fn gauge(family: &Gauges, key: &ObjectKey, value: i64) {
    family.get_or_create(&key.into()).set(value);
}

fn count(family: &Counters, key: &ObjectKey, value: u64) {
    family.get_or_create(&key.into()).inc_by(value);
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn revisions(parts: &Parts, registry: &mut Registry) {
    let (instances, in_flight, queued) = (Gauges::default(), Gauges::default(), Gauges::default());
    let (cold_starts, answers) = (Counters::default(), Family::<Class, Counter>::default());
    let refusals = Family::<Class, Counter>::default();
    for view in parts.activator.revisions() {
        let key = &view.revision.key;
        gauge(&instances, key, i64::from(parts.scaling.instances(&view)));
        gauge(&in_flight, key, i64::from(view.in_flight));
        gauge(&queued, key, number(view.queued));
        count(&cold_starts, key, view.totals.cold_starts);
        classes(&answers, &refusals, key, &view.totals);
    }
    registry.register("revision_instances", "Instances of a revision", instances);
    registry.register("revision_requests_in_flight", "Requests that run", in_flight);
    registry.register("revision_requests_queued", "Requests that wait", queued);
    registry.register("revision_cold_starts", "How often zero was left", cold_starts);
    registry.register("revision_answers", "Answers by class of their status", answers);
    registry.register("revision_refusals", "Refusals and failed calls by reason", refusals);
}

fn classes(answers: &Family<Class, Counter>, refusals: &Family<Class, Counter>, key: &ObjectKey, totals: &TotalsView) {
    let label = |class: String| Class { namespace: key.namespace.clone(), name: key.name.clone(), class };
    for (index, answered) in totals.answered.iter().enumerate() {
        answers.get_or_create(&label(format!("{}xx", index + 1))).inc_by(*answered);
    }
    for (reason, occurred) in totals.occurred() {
        refusals.get_or_create(&label(reason.name().to_owned())).inc_by(occurred);
    }
}

async fn brokers(parts: &Parts, registry: &mut Registry) {
    let (delivered, retried, parked) = (Counters::default(), Counters::default(), Counters::default());
    let (dead_lettered, expired) = (Counters::default(), Counters::default());
    let (records, commits, damaged) = (Counters::default(), Counters::default(), Gauges::default());
    let (in_flight, waiting) = (Gauges::default(), Gauges::default());
    for broker in parts.brokers.metrics().await {
        count(&delivered, &broker.broker, broker.delivered);
        count(&retried, &broker.broker, broker.retried);
        count(&parked, &broker.broker, broker.parked);
        count(&dead_lettered, &broker.broker, broker.dead_lettered);
        count(&expired, &broker.broker, broker.expired);
        if let Some(log) = broker.log {
            count(&records, &broker.broker, log.records);
            count(&commits, &broker.broker, log.commits);
        }
        gauge(&damaged, &broker.broker, number(broker.damaged));
        for (trigger, status) in broker.triggers {
            gauge(&in_flight, &trigger, number(status.depth.in_flight));
            gauge(&waiting, &trigger, number(status.depth.waiting));
        }
    }
    registry.register("broker_events_delivered", "Deliveries that subscribers took", delivered);
    registry.register("broker_attempts_retried", "Failed attempts that were followed by another", retried);
    registry.register("broker_events_parked", "Events parked", parked);
    registry.register("broker_events_dead_lettered", "Events given to a dead-letter sink", dead_lettered);
    registry.register("broker_events_expired", "Events gone before they were delivered", expired);
    registry.register("broker_log_records", "Events written to the log on disk", records);
    registry.register("broker_log_commits", "Commits of the log, each with one sync", commits);
    registry.register("broker_log_damaged", "Damaged files and ranges of the log, as its start found them", damaged);
    registry.register("trigger_deliveries_in_flight", "Deliveries under way", in_flight);
    registry.register("trigger_events_waiting", "Events that wait for another attempt, or for room", waiting);
}
