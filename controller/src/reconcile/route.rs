//! Route: where a function answers, and which revision serves it.
//!
//! All requests go to one revision for now; a split is refused with a reason until splits come.

use super::activity;
use super::context::{Context, Error, Settings, key_of, serving_condition};
use super::routing;
use super::run::RETRY_DELAY;
use crate::project::Serving;
use fnctl_config::api::condition::{self, Cause, Status};
use fnctl_config::api::destination::Addressable;
use fnctl_config::api::route::TrafficTarget;
use fnctl_config::api::{Configuration, Revision, Route};
use fnctl_config::resolve;
use fnctl_config::snapshot::{Change, ObjectKey};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use std::sync::Arc;

/// Reason of a route whose revision is not there or not ready.
pub(super) const REVISION_MISSING: &str = "RevisionMissing";

const ASSIGNED: &str = "AllTrafficAssigned";
const INGRESS: &str = "IngressReady";
const CERTIFICATE: &str = "CertificateProvisioned";

/// What a target names, as it is stored now.
enum Named {
    Configuration(String, Option<Box<Configuration>>),
    Revision(String, Option<Box<Revision>>),
}

/// The target of all requests, or why there is none.
type Assigned = Result<TrafficTarget, (Status, Cause)>;

pub(super) async fn reconcile(key: &ObjectKey, context: &Context) -> Result<Action, Error> {
    let Some(route) = context.get::<Route>(key).await? else { return Ok(Action::await_change()) };
    let assigned = match sole_target(&route) {
        Ok(target) => {
            let of = |name: &str| ObjectKey::new(&key.namespace, name);
            let named = match (&target.revision_name, &target.configuration_name) {
                (Some(name), _) => Named::Revision(name.clone(), context.get(&of(name)).await?.map(Box::new)),
                (None, name) => {
                    let name = name.clone().unwrap_or_else(|| key.name.clone());
                    let stored = context.get(&of(&name)).await?.map(Box::new);
                    Named::Configuration(name, stored)
                }
            };
            assign(&named)
        }
        Err(cause) => Err((Status::False, cause)),
    };
    if let Ok(share) = &assigned
        && let Some(revision) = &share.revision_name
    {
        routing::mark(&route, revision, context).await?;
    }
    let (after, serving) = settle(&route, &assigned, context).await?;
    super::run::announce(context, &route, &after).await;
    Ok(if assigned.is_ok() && serving != Serving::Yes { Action::requeue(RETRY_DELAY) } else { Action::await_change() })
}

/// Writes where the requests go, waits for the data plane to take that over, and writes whether it has.
async fn settle(route: &Route, assigned: &Assigned, context: &Context) -> Result<(Route, Serving), Error> {
    let told = step(route, (assigned, &Serving::NotYet), &context.settings, Timestamp::now());
    let traffic = |route: &Route| route.status.as_ref().map(|status| status.traffic.clone()).unwrap_or_default();
    let stored = match traffic(&told) == traffic(route) {
        true => route.clone(),
        false => context.put_status(route, &told).await?,
    };
    let serving = if assigned.is_ok() { serving(&stored, context).await? } else { Serving::NotYet };
    let after = step(&stored, (assigned, &serving), &context.settings, Timestamp::now());
    Ok((context.put_status(&stored, &after).await?, serving))
}

/// Whether the data plane answers on the hosts of a route, from the revisions that its status names.
async fn serving(stored: &Route, context: &Context) -> Result<Serving, Error> {
    let Some(meant) = resolve::route(stored, &context.settings.domain) else { return Ok(Serving::NotYet) };
    for target in &meant.targets {
        let Some(revision) = context.get::<Revision>(&target.revision).await? else { return Ok(Serving::NotYet) };
        let uid = revision.uid().unwrap_or_default();
        match context.observed.serving_revision(&target.revision, &uid).await {
            Serving::Yes => activity::begin(&revision, context).await,
            not_served => return Ok(not_served),
        }
    }
    Ok(context.observed.serving(&Change::Route(Arc::new(meant))).await)
}

/// The one target with all requests.
fn sole_target(route: &Route) -> Result<&TrafficTarget, Cause> {
    let not_yet = |what: &str| {
        let message = format!("{what} are not supported yet: give one target 100 percent in spec.traffic");
        Cause::new("NotSupported", message)
    };
    let mut shares = route.spec.traffic.iter().filter(|target| target.percent.unwrap_or(0) > 0);
    match (shares.next(), shares.next()) {
        _ if route.spec.traffic.iter().any(|target| target.tag.is_some()) => Err(not_yet("tags")),
        (Some(target), None) if target.percent == Some(100) => Ok(target),
        (None, _) => Err(Cause::new("TrafficMissing", "no target has a share of the requests")),
        _ => Err(not_yet("splits")),
    }
}

/// The revision that takes the requests. A latest revision that is not ready takes none: the one before keeps them.
fn assign(named: &Named) -> Assigned {
    let share = |revision: &str, is_latest: bool| TrafficTarget {
        revision_name: Some(revision.to_owned()),
        latest_revision: Some(is_latest),
        percent: Some(100),
        ..TrafficTarget::default()
    };
    match named {
        Named::Configuration(name, None) => {
            let message = format!("Configuration {name:?} referenced in traffic not found.");
            Err((Status::False, Cause::new("ConfigurationMissing", message)))
        }
        Named::Configuration(name, Some(configuration)) => {
            let status = configuration.status.clone().unwrap_or_default();
            if let Some(ready) = &status.latest_ready_revision_name {
                return Ok(share(ready, true));
            }
            // What is said of an older template is no verdict on the present one.
            let is_current = status.observed_generation == configuration.metadata.generation;
            let has_failed = is_current
                && condition::find(&status.conditions, condition::READY)
                    .is_some_and(|ready| ready.status == Status::False);
            let (known, verb) = match has_failed {
                true => (Status::False, "does not have any ready Revision."),
                false => (Status::Unknown, "is waiting for a Revision to become ready."),
            };
            Err((known, Cause::new(REVISION_MISSING, format!("Configuration {name:?} {verb}"))))
        }
        Named::Revision(name, None) => {
            let message = format!("Revision {name:?} referenced in traffic not found.");
            Err((Status::False, Cause::new(REVISION_MISSING, message)))
        }
        Named::Revision(name, Some(revision)) => {
            let conditions = revision.status.clone().unwrap_or_default().conditions;
            match condition::find(&conditions, condition::READY).map_or(Status::Unknown, |ready| ready.status) {
                Status::True => Ok(share(name, false)),
                known => Err((known, Cause::new(REVISION_MISSING, format!("Revision {name:?} is not ready.")))),
            }
        }
    }
}

/// The route with the status that its target makes. What served keeps serving while there is no better.
fn step(route: &Route, (assigned, serving): (&Assigned, &Serving), settings: &Settings, now: Timestamp) -> Route {
    let mut after = route.clone();
    let status = after.status.get_or_insert_default();
    status.observed_generation = route.metadata.generation;
    let url = settings.function_url(&key_of(route));
    status.address = Some(Addressable { url: Some(url.clone()), name: None });
    status.url = Some(url);
    let conditions = &mut status.conditions;
    let (is_assigned, cause) = match assigned {
        Ok(share) => {
            status.traffic = vec![share.clone()];
            (Status::True, Cause::default())
        }
        Err((known, cause)) => (*known, cause.clone()),
    };
    condition::set(conditions, ASSIGNED, is_assigned, cause, now);
    let (is_serving, cause) = match assigned {
        Ok(_) => serving_condition(serving),
        Err(_) => (Status::Unknown, Cause::new("IngressNotConfigured", "there is no traffic to serve yet")),
    };
    condition::set(conditions, INGRESS, is_serving, cause, now);
    let no_tls = Cause::new("TLSNotEnabled", "functions answer over plain HTTP on this node");
    condition::set(conditions, CERTIFICATE, Status::True, no_tls, now);
    condition::roll_up(conditions, &[ASSIGNED, INGRESS, CERTIFICATE], now);
    after
}

/// Whether a change of a configuration of that name concerns the route.
pub(super) fn names_configuration(route: &Route, name: &str) -> bool {
    let own = route.name_any();
    route.spec.traffic.iter().any(|target| target.configuration_name.as_deref().unwrap_or(&own) == name)
}

/// Whether a change of a revision of that name concerns the route.
pub(super) fn names_revision(route: &Route, name: &str) -> bool {
    route.spec.traffic.iter().any(|target| target.revision_name.as_deref() == Some(name))
}

#[cfg(test)]
mod tests;
