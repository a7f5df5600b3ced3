//! Revision: what the data plane does with it. `Active` and the numbers of instances follow the node, a moment later.
//!
//! The node says whose numbers may have changed; here they are looked up, and written where the status says something
//! else. Changes that come close together are one write.

use super::context::{Context, Error, key_of};
use fnctl_config::api::Revision;
use fnctl_config::api::condition::{self, Cause, Status};
use fnctl_config::limits::ACTIVITY_INTERVAL;
use fnctl_config::snapshot::ObjectKey;
use futures::future::BoxFuture;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use tokio::time::sleep;

/// The condition that says whether there are instances; it does not decide about `Ready`.
pub(super) const ACTIVE: &str = "Active";

/// Instances of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// That are there.
    pub actual: u32,
    /// That the autoscaler wants.
    pub desired: u32,
}

/// Knows the instances of revisions.
pub trait Instances: fmt::Debug + Send + Sync {
    /// The revisions whose numbers may have changed since the last call, each once; waits while there are none. For one
    /// caller.
    fn changed(&self) -> BoxFuture<'_, BTreeSet<ObjectKey>>;

    /// The numbers of one revision now; none where it does not run here.
    fn replicas(&self, revision: &ObjectKey) -> Option<Replicas>;

    /// The same of a revision that was made just now, once it has the instances that it begins with: waits for them, at
    /// most `limits::INITIAL_SCALE_WAIT_MAX`.
    fn begun<'a>(&'a self, revision: &'a ObjectKey) -> BoxFuture<'a, Option<Replicas>>;
}

/// Follows the node until `shutdown` is done.
pub(super) async fn run(context: Arc<Context>, instances: Arc<dyn Instances>, shutdown: impl Future<Output = ()>) {
    let follow = async {
        let mut due = BTreeSet::new();
        loop {
            if due.is_empty() {
                due = instances.changed().await;
            }
            sleep(ACTIVITY_INTERVAL).await;
            let mut failed = BTreeSet::new();
            for key in due {
                if let Some(replicas) = instances.replicas(&key)
                    && let Err(error) = write(&key, replicas, &context).await
                {
                    tracing::debug!(revision = %key, %error, "will be tried again");
                    failed.insert(key);
                }
            }
            due = failed;
        }
    };
    tokio::select! {
        () = shutdown => {}
        () = pin!(follow) => {}
    }
}

/// Writes the numbers of a revision of which none are known yet. Who says that a function is ready wants them to be there.
pub(super) async fn begin(revision: &Revision, context: &Context) {
    if revision.status.as_ref().is_some_and(|status| status.actual_replicas.is_some()) {
        return;
    }
    let key = key_of(revision);
    if let Some(replicas) = context.instances.begun(&key).await
        && let Err(error) = write(&key, replicas, context).await
    {
        tracing::debug!(revision = %key, %error, "its instances will be told a moment later");
    }
}

async fn write(key: &ObjectKey, replicas: Replicas, context: &Context) -> Result<(), Error> {
    if let Some(revision) = context.get::<Revision>(key).await? {
        context.put_status(&revision, &step(&revision, replicas, Timestamp::now())).await?;
    }
    Ok(())
}

/// The revision with these numbers. Words and reasons are Knative's.
fn step(revision: &Revision, replicas: Replicas, now: Timestamp) -> Revision {
    let mut after = revision.clone();
    let status = after.status.get_or_insert_default();
    let number = |replicas: u32| Some(i32::try_from(replicas).unwrap_or(i32::MAX));
    (status.actual_replicas, status.desired_replicas) = (number(replicas.actual), number(replicas.desired));
    let (is_active, cause) = match replicas {
        Replicas { actual: 0, desired: 0 } => {
            (Status::False, Cause::new("NoTraffic", "The target is not receiving traffic."))
        }
        Replicas { actual: 0, .. } => {
            let message = "Requests to the target are being buffered as resources are provisioned.";
            (Status::Unknown, Cause::new("Queued", message))
        }
        Replicas { .. } => (Status::True, Cause::default()),
    };
    condition::set_info(&mut status.conditions, ACTIVE, is_active, cause, now);
    after
}

#[cfg(test)]
mod tests;
