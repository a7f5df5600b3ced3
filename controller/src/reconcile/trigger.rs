//! Trigger: whether its broker is there, and where its events go.

use super::broker::dead_letter_condition;
use super::context::{Context, Error, serving_condition};
use super::destination::{Unresolved, resolve};
use super::run::RETRY_DELAY;
use crate::project::Serving;
use fnctl_config::api::condition::{self, Cause, Status};
use fnctl_config::api::destination::Destination;
use fnctl_config::api::{Broker, Service, Trigger};
use fnctl_config::resolve as meaning;
use fnctl_config::snapshot::{self, Change, ObjectKey};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use std::sync::Arc;

const BROKER: &str = "BrokerReady";
const DEAD_LETTER: &str = "DeadLetterSinkResolved";
const DEPENDENCY: &str = "DependencyReady";
const SUBSCRIBER: &str = "SubscriberResolved";
const SUBSCRIPTION: &str = "SubscriptionReady";

/// What a trigger depends on, as it is now.
struct Found {
    broker: (Status, Cause),
    /// Whether its cursor is in the broker's log.
    serving: Serving,
    subscriber: Result<String, Unresolved>,
    dead_letter: Option<Result<String, Unresolved>>,
}

pub(super) async fn reconcile(key: &ObjectKey, context: &Context) -> Result<Action, Error> {
    let Some(trigger) = context.get::<Trigger>(key).await? else { return Ok(Action::await_change()) };
    let dead_letter = trigger.spec.delivery.as_ref().and_then(|delivery| delivery.dead_letter_sink.as_ref());
    let broker = context.get(&ObjectKey::new(&key.namespace, &trigger.spec.broker)).await?;
    let broker = broker_condition(&trigger.spec.broker, broker.as_ref());
    let meant = meaning::trigger(&trigger, &context.settings.home()).map(|meant| Change::Trigger(Arc::new(meant)));
    let serving = match broker.0 {
        Status::True => context.serving(meant).await,
        Status::False | Status::Unknown => Serving::NotYet,
    };
    let found = Found {
        broker,
        serving,
        subscriber: find(context, &trigger.spec.subscriber, &key.namespace).await?,
        dead_letter: match dead_letter {
            Some(sink) => Some(find(context, sink, &key.namespace).await?),
            None => None,
        },
    };
    let is_unserved = found.broker.0 == Status::True && found.serving != Serving::Yes;
    let is_waiting = is_unserved || found.subscriber.is_err() || matches!(found.dead_letter, Some(Err(_)));
    let after = step(&trigger, found, Timestamp::now());
    context.put_status(&trigger, &after).await?;
    super::run::announce(context, &trigger, &after).await;
    Ok(if is_waiting { Action::requeue(RETRY_DELAY) } else { Action::await_change() })
}

/// The URI of a destination whose object is there.
pub(super) async fn find(
    context: &Context,
    destination: &Destination,
    namespace: &str,
) -> Result<Result<String, Unresolved>, Error> {
    let (destination, uri) = match resolve(destination, namespace, &context.settings) {
        Ok(resolved) => resolved,
        Err(unresolved) => return Ok(Err(unresolved)),
    };
    let message = match &destination {
        snapshot::Destination::Function { key, .. } if context.get::<Service>(key).await?.is_none() => {
            format!("Service {key} not found")
        }
        snapshot::Destination::Broker { key } if context.get::<Broker>(key).await?.is_none() => {
            format!("Broker {key} not found")
        }
        _ => return Ok(Ok(uri)),
    };
    Ok(Err(Unresolved { reason: "NotFound", message }))
}

fn step(trigger: &Trigger, found: Found, now: Timestamp) -> Trigger {
    let mut after = trigger.clone();
    let status = after.status.get_or_insert_default();
    status.observed_generation = trigger.metadata.generation;
    let conditions = &mut status.conditions;

    // Without a broker there is no log to have a cursor in.
    let subscription = match found.broker.0 {
        Status::True => serving_condition(&found.serving),
        Status::False | Status::Unknown => found.broker.clone(),
    };
    condition::set(conditions, BROKER, found.broker.0, found.broker.1, now);
    condition::set(conditions, SUBSCRIPTION, subscription.0, subscription.1, now);
    let (uri, (is_resolved, cause)) = match found.subscriber {
        Ok(uri) => (Some(uri), (Status::True, Cause::default())),
        Err(unresolved) => (None, (Status::False, unresolved.into())),
    };
    condition::set(conditions, SUBSCRIBER, is_resolved, cause, now);
    condition::set(conditions, DEPENDENCY, Status::True, Cause::default(), now);
    let (dead_letter_uri, (is_resolved, cause)) = dead_letter_condition(found.dead_letter);
    condition::set(conditions, DEAD_LETTER, is_resolved, cause, now);
    condition::roll_up(conditions, &[BROKER, SUBSCRIPTION, SUBSCRIBER, DEPENDENCY, DEAD_LETTER], now);
    status.subscriber_uri = uri;
    status.dead_letter_sink_uri = dead_letter_uri;
    after
}

fn broker_condition(name: &str, broker: Option<&Broker>) -> (Status, Cause) {
    let Some(broker) = broker else {
        return (Status::False, Cause::new("BrokerDoesNotExist", format!("Broker {name:?} does not exist")));
    };
    let conditions = broker.status.clone().unwrap_or_default().conditions;
    match condition::find(&conditions, condition::READY) {
        Some(ready) => {
            let text = |part: &Option<String>| part.clone().unwrap_or_default();
            (ready.status, Cause::new(text(&ready.reason), text(&ready.message)))
        }
        None => (Status::Unknown, Cause::new("BrokerNotReconciled", format!("Broker {name:?} is not ready yet"))),
    }
}

#[cfg(test)]
mod tests;
