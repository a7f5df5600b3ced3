//! Broker: where it takes events, and where exhausted ones go.

use super::context::{Context, Error, Settings, key_of, serving_condition};
use super::destination::Unresolved;
use super::run::RETRY_DELAY;
use crate::project::Serving;
use fnctl_config::api::Broker;
use fnctl_config::api::condition::{self, Cause, Status};
use fnctl_config::api::destination::Addressable;
use fnctl_config::resolve;
use fnctl_config::snapshot::{Change, ObjectKey};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use std::sync::Arc;

const DEAD_LETTER: &str = "DeadLetterSinkResolved";
/// What Knative's broker of channels says of its parts; here they are one process, ready when it answers.
const PARTS: [&str; 4] = ["Addressable", "FilterReady", "IngressReady", "TriggerChannelReady"];

/// What a broker depends on, as it is now.
struct Found {
    /// Whether it takes events.
    serving: Serving,
    /// The URI of its dead-letter sink, if it has one.
    dead_letter: Option<Result<String, Unresolved>>,
}

pub(super) async fn reconcile(key: &ObjectKey, context: &Context) -> Result<Action, Error> {
    let Some(broker) = context.get::<Broker>(key).await? else { return Ok(Action::await_change()) };
    let sink = broker.spec.delivery.as_ref().and_then(|delivery| delivery.dead_letter_sink.as_ref());
    let dead_letter = match sink {
        Some(sink) => Some(super::trigger::find(context, sink, &key.namespace).await?),
        None => None,
    };
    let meant = resolve::broker(&broker, &context.settings.home()).map(|broker| Change::Broker(Arc::new(broker)));
    let serving = context.serving(meant).await;
    let is_waiting = matches!(dead_letter, Some(Err(_))) || serving != Serving::Yes;
    let after = step(&broker, Found { serving, dead_letter }, &context.settings, Timestamp::now());
    context.put_status(&broker, &after).await?;
    super::run::announce(context, &broker, &after).await;
    Ok(if is_waiting { Action::requeue(RETRY_DELAY) } else { Action::await_change() })
}

/// The broker with its status.
fn step(broker: &Broker, found: Found, settings: &Settings, now: Timestamp) -> Broker {
    let mut after = broker.clone();
    let status = after.status.get_or_insert_default();
    status.observed_generation = broker.metadata.generation;
    status.address = Some(Addressable { url: Some(settings.broker_url(&key_of(broker))), name: None });
    let (is_serving, cause) = serving_condition(&found.serving);
    for part in PARTS {
        condition::set(&mut status.conditions, part, is_serving, cause.clone(), now);
    }
    let dead_letter;
    (status.dead_letter_sink_uri, dead_letter) = dead_letter_condition(found.dead_letter);
    condition::set(&mut status.conditions, DEAD_LETTER, dead_letter.0, dead_letter.1, now);
    let dependents: Vec<&str> = PARTS.into_iter().chain([DEAD_LETTER]).collect();
    condition::roll_up(&mut status.conditions, &dependents, now);
    after
}

/// What status says of a dead-letter sink: its URI and its condition.
pub(super) fn dead_letter_condition(sink: Option<Result<String, Unresolved>>) -> (Option<String>, (Status, Cause)) {
    match sink {
        None => {
            let message = "no dead letter sink is given: exhausted events are parked in the broker";
            (None, (Status::True, Cause::new("DeadLetterSinkNotConfigured", message)))
        }
        Some(Ok(uri)) => (Some(uri), (Status::True, Cause::default())),
        Some(Err(unresolved)) => (None, (Status::False, unresolved.into())),
    }
}
