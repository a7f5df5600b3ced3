//! BucketSource: whether its bucket is there, and where its events go.

use super::artifacts::Rejected;
use super::context::{Context, Error, serving_condition};
use super::destination::Unresolved;
use super::run::RETRY_DELAY;
use crate::project::Serving;
use fnctl_config::api::BucketSource;
use fnctl_config::api::condition::{self, Cause, Status};
use fnctl_config::resolve;
use fnctl_config::snapshot::{Change, ObjectKey};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use std::sync::Arc;

const BUCKET: &str = "BucketReady";
const DEPLOYED: &str = "Deployed";
const SINK: &str = "SinkProvided";

/// What a source depends on, as it is now.
struct Found {
    bucket: Result<(), Rejected>,
    sink: Result<String, Unresolved>,
    /// Whether its cursor is on the change log.
    serving: Serving,
}

pub(super) async fn reconcile(key: &ObjectKey, context: &Context) -> Result<Action, Error> {
    let Some(source) = context.get::<BucketSource>(key).await? else { return Ok(Action::await_change()) };
    let bucket = context.buckets.ensure(&source.spec.bucket).await;
    let sink = super::trigger::find(context, &source.spec.sink, &key.namespace).await?;
    let meant = resolve::bucket_source(&source, &context.settings.home());
    let serving = context.serving(meant.map(|source| Change::BucketSource(Arc::new(source)))).await;
    let is_waiting = bucket.is_err() || sink.is_err() || serving != Serving::Yes;
    let after = step(&source, Found { bucket, sink, serving }, Timestamp::now());
    context.put_status(&source, &after).await?;
    super::run::announce(context, &source, &after).await;
    Ok(if is_waiting { Action::requeue(RETRY_DELAY) } else { Action::await_change() })
}

fn step(source: &BucketSource, found: Found, now: Timestamp) -> BucketSource {
    let mut after = source.clone();
    let status = after.status.get_or_insert_default();
    status.observed_generation = source.metadata.generation;
    let (is_there, cause) = match found.bucket {
        Ok(()) => (Status::True, Cause::default()),
        Err(rejected) => (Status::False, rejected.into()),
    };
    condition::set(&mut status.conditions, BUCKET, is_there, cause, now);
    let (is_provided, cause) = match found.sink {
        Ok(uri) => {
            status.sink_uri = Some(uri);
            (Status::True, Cause::default())
        }
        Err(unresolved) => {
            status.sink_uri = None;
            (Status::False, unresolved.into())
        }
    };
    condition::set(&mut status.conditions, SINK, is_provided, cause, now);
    let (is_deployed, cause) = serving_condition(&found.serving);
    condition::set(&mut status.conditions, DEPLOYED, is_deployed, cause, now);
    condition::roll_up(&mut status.conditions, &[BUCKET, SINK, DEPLOYED], now);
    after
}

#[cfg(test)]
mod tests;
