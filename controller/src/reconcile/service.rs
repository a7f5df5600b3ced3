//! Service: owns a Configuration and a Route of its own name, and says how they are.

use super::context::{Context, Error, Object};
use super::labels;
use super::route::REVISION_MISSING;
use fnctl_config::api::condition::{self, Cause, Condition, Status};
use fnctl_config::api::configuration::ConfigurationSpec;
use fnctl_config::api::route::{RouteSpec, TrafficTarget};
use fnctl_config::api::{Configuration, Route, Service};
use fnctl_config::snapshot::ObjectKey;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;

const CONFIGURATIONS_READY: &str = "ConfigurationsReady";
const ROUTES_READY: &str = "RoutesReady";

pub(super) async fn reconcile(key: &ObjectKey, context: &Context) -> Result<Action, Error> {
    let Some(service) = context.get::<Service>(key).await? else { return Ok(Action::await_change()) };
    let (configuration, route) = dependents(&service);
    let configuration =
        context.ensure(&service, configuration, |wanted, stored| stored.spec.clone_from(&wanted.spec)).await;
    let route = context.ensure(&service, route, |wanted, stored| stored.spec.clone_from(&wanted.spec)).await;
    let after = match (&configuration, &route) {
        (Ok(configuration), Ok(route)) => step(&service, configuration, route, Timestamp::now()),
        (configuration, route) => not_owned(&service, [configuration.as_ref().err(), route.as_ref().err()]),
    };
    context.put_status(&service, &after).await?;
    super::run::announce(context, &service, &after).await;
    configuration?;
    route?;
    Ok(Action::await_change())
}

/// The Configuration and the Route of a service.
fn dependents(service: &Service) -> (Configuration, Route) {
    let name = service.name_any();
    let mut metadata = labels::dependent(service, &name);
    let uid = service.uid().unwrap_or_default();
    metadata
        .labels
        .get_or_insert_default()
        .extend([(labels::SERVICE.to_owned(), name.clone()), (labels::SERVICE_UID.to_owned(), uid)]);
    let template = service.spec.template.clone();
    let configuration =
        Configuration { metadata: metadata.clone(), spec: ConfigurationSpec { template }, status: None };
    let latest = TrafficTarget { latest_revision: Some(true), percent: Some(100), ..TrafficTarget::default() };
    let mut traffic = service.spec.traffic.clone();
    if traffic.is_empty() {
        traffic.push(latest);
    }
    for target in traffic.iter_mut().filter(|target| target.revision_name.is_none()) {
        target.configuration_name = Some(name.clone());
    }
    (configuration, Route { metadata, spec: RouteSpec { traffic }, status: None })
}

/// The service with the status that its dependents make.
fn step(service: &Service, configuration: &Configuration, route: &Route, now: Timestamp) -> Service {
    let mut after = service.clone();
    let status = after.status.get_or_insert_default();
    status.observed_generation = service.metadata.generation;
    let configured = configuration.status.clone().unwrap_or_default();
    let routed = route.status.clone().unwrap_or_default();
    status.latest_created_revision_name = configured.latest_created_revision_name;
    status.latest_ready_revision_name.clone_from(&configured.latest_ready_revision_name);
    status.url = routed.url;
    status.address = routed.address;
    status.traffic = routed.traffic;
    for target in &mut status.traffic {
        target.configuration_name = None;
    }

    let (is_ready, cause) = mirrored(&configured.conditions, configuration, configured.observed_generation);
    let may_become_ready = is_ready != Status::False;
    condition::set(&mut status.conditions, CONFIGURATIONS_READY, is_ready, cause, now);
    let (mut is_ready, mut cause) = mirrored(&routed.conditions, route, routed.observed_generation);
    let latest = configured.latest_ready_revision_name.as_deref();
    let is_old =
        |target: &TrafficTarget| target.latest_revision == Some(true) && target.revision_name.as_deref() != latest;
    if is_ready == Status::True && status.traffic.iter().any(is_old) {
        let message = "Traffic is not yet migrated to the latest revision.";
        (is_ready, cause) = (Status::Unknown, Cause::new("TrafficNotMigrated", message));
    }
    // The route fails for want of a revision that may be in the making: it has not seen the configuration as it is now.
    let follows_latest = route.spec.traffic.iter().all(|target| target.latest_revision == Some(true));
    if is_ready == Status::False && cause.reason == REVISION_MISSING && follows_latest && may_become_ready {
        is_ready = Status::Unknown;
    }
    condition::set(&mut status.conditions, ROUTES_READY, is_ready, cause, now);
    condition::roll_up(&mut status.conditions, &[CONFIGURATIONS_READY, ROUTES_READY], now);
    after
}

/// `Ready` of a dependent, unless it is about an older spec.
fn mirrored<K: Object>(conditions: &[Condition], dependent: &K, observed: Option<i64>) -> (Status, Cause) {
    let kind = K::kind(&());
    if observed.is_none() || observed != dependent.meta().generation {
        let message = format!("the {kind} {:?} has not been acted on yet", dependent.name_any());
        return (Status::Unknown, Cause::new("OutOfDate", message));
    }
    let Some(ready) = condition::find(conditions, condition::READY) else {
        return (Status::Unknown, Cause::default());
    };
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    (ready.status, Cause::new(text(&ready.reason), text(&ready.message)))
}

/// A dependent of the service's name belongs to somebody else.
fn not_owned(service: &Service, errors: [Option<&Error>; 2]) -> Service {
    let mut after = service.clone();
    let now = Timestamp::now();
    let status = after.status.get_or_insert_default();
    for (type_, error) in [CONFIGURATIONS_READY, ROUTES_READY].into_iter().zip(errors) {
        if let Some(Error::NotOwned { .. }) = error {
            let message = error.map(ToString::to_string).unwrap_or_default();
            condition::set(&mut status.conditions, type_, Status::False, Cause::new("NotOwned", message), now);
            status.observed_generation = service.metadata.generation;
        }
    }
    condition::roll_up(&mut status.conditions, &[CONFIGURATIONS_READY, ROUTES_READY], now);
    after
}

#[cfg(test)]
mod tests;
