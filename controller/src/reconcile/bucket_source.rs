//! BucketSource: whether its bucket is there, and where its events go.

use super::artifacts::Rejected;
use super::context::{Context, Error};
use super::destination::Unresolved;
use super::run::RETRY_DELAY;
use fnctl_config::api::BucketSource;
use fnctl_config::api::condition::{self, Cause, Status};
use fnctl_config::snapshot::ObjectKey;
use jiff::Timestamp;
use kube::runtime::controller::Action;

const BUCKET: &str = "BucketReady";
const SINK: &str = "SinkProvided";

pub(super) async fn reconcile(key: &ObjectKey, context: &Context) -> Result<Action, Error> {
    let Some(source) = context.get::<BucketSource>(key).await? else { return Ok(Action::await_change()) };
    let bucket = context.buckets.ensure(&source.spec.bucket).await;
    let sink = super::trigger::find(context, &source.spec.sink, &key.namespace).await?;
    let is_waiting = bucket.is_err() || sink.is_err();
    let after = step(&source, bucket, sink, Timestamp::now());
    context.put_status(&source, &after).await?;
    super::run::announce(context, &source, &after).await;
    Ok(if is_waiting { Action::requeue(RETRY_DELAY) } else { Action::await_change() })
}

fn step(
    source: &BucketSource,
    bucket: Result<(), Rejected>,
    sink: Result<String, Unresolved>,
    now: Timestamp,
) -> BucketSource {
    let mut after = source.clone();
    let status = after.status.get_or_insert_default();
    status.observed_generation = source.metadata.generation;
    let (is_there, cause) = match bucket {
        Ok(()) => (Status::True, Cause::default()),
        Err(rejected) => (Status::False, Cause::new(rejected.reason, rejected.message)),
    };
    condition::set(&mut status.conditions, BUCKET, is_there, cause, now);
    let (is_provided, cause) = match sink {
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
    condition::roll_up(&mut status.conditions, &[BUCKET, SINK], now);
    after
}
