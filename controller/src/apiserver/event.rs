//! Events have two spellings, `v1` and `events.k8s.io/v1`, of one resource: `kube`'s recorder writes the second, `kubectl`
//! reads the first. Stored is the first. Old events go after an hour, as in Kubernetes.

use super::resource::Resource;
use super::store::{Cascade, Operation, Preconditions, Refused, Snapshot, Store};
use super::table::last_seen;
use fnctl_config::limits;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::ops::ControlFlow;

/// The same fields under both names: `events.k8s.io/v1`, `v1`.
const NAMES: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

/// Spells an event as it is stored.
pub(crate) fn to_core(event: &mut Value) {
    rename(event, NAMES.map(|(new, core)| (new, core)), "v1");
}

/// Spells a stored event as `events.k8s.io/v1`.
pub(crate) fn to_events_v1(event: &mut Value) {
    rename(event, NAMES.map(|(new, core)| (core, new)), "events.k8s.io/v1");
}

fn rename(event: &mut Value, names: [(&str, &str); 7], api_version: &str) {
    let Some(fields) = event.as_object_mut() else { return };
    for (from, to) in names {
        if let Some(value) = fields.remove(from) {
            fields.insert(to.to_owned(), value);
        }
    }
    if fields.contains_key("apiVersion") {
        fields.insert("apiVersion".to_owned(), json!(api_version));
    }
}

/// Deletes events that happened before `now` less their time to live. Answers how many went.
pub(crate) async fn sweep(store: &Store, now: Timestamp) -> Result<usize, Refused> {
    let Some(resource) = Resource::all().find(|resource| resource.is_event()) else { return Ok(0) };
    let old = expired(&store.snapshot()?, resource, now)?;
    let mut gone = 0;
    for key in old {
        let preconditions = Preconditions::default();
        match store.submit(Operation::Delete { key, preconditions, cascade: Cascade::Background }).await {
            Ok(_) => gone += 1,
            Err(Refused::Missing) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(gone)
}

fn expired(
    snapshot: &Snapshot,
    resource: Resource,
    now: Timestamp,
) -> Result<Vec<super::store::Key>, super::store::Error> {
    let mut old = Vec::new();
    snapshot.visit(resource, None, None, |key, json| {
        let event: Value = serde_json::from_slice(json).unwrap_or_default();
        let then = last_seen(&event).and_then(|time| time.parse::<Timestamp>().ok());
        if then.is_none_or(|then| now.duration_since(then).unsigned_abs() > limits::API_EVENT_KEPT && now > then) {
            old.push(key);
        }
        ControlFlow::Continue(())
    })?;
    Ok(old)
}
