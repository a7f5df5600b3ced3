//! Revision: which code its image is, whether that can run with what the revision gives it, and the pod that stands for it.

use super::activity::ACTIVE;
use super::artifacts::Rejected;
use super::context::{Context, Error};
use super::pod;
use super::run::RETRY_DELAY;
use crate::project;
use fnctl_config::api::Revision;
use fnctl_config::api::condition::{self, Cause, Status};
use fnctl_config::api::revision::ContainerStatus;
use fnctl_config::snapshot::ObjectKey;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::controller::Action;

const HEALTHY: &str = "ContainerHealthy";
const RESOURCES: &str = "ResourcesAvailable";

/// How far a revision came.
enum Progress {
    /// Its image, its references or its settings are not usable.
    NoResources(Rejected),
    /// The code is there, but cannot run.
    Unhealthy { image_digest: String, rejected: Rejected },
    /// It can run.
    Fit { image_digest: String },
}

pub(super) async fn reconcile(key: &ObjectKey, context: &Context) -> Result<Action, Error> {
    let Some(revision) = context.get::<Revision>(key).await? else { return Ok(Action::await_change()) };
    let progress = match is_settled(&revision) {
        true => Progress::Fit { image_digest: digest(&revision).unwrap_or_default() },
        false => progress(&revision, context).await?,
    };
    let is_fit = matches!(progress, Progress::Fit { .. });
    let after = step(&revision, progress, Timestamp::now());
    context.put_status(&revision, &after).await?;
    super::run::announce(context, &revision, &after).await;
    if !is_fit {
        return Ok(Action::requeue(RETRY_DELAY));
    }
    let stored = context.ensure::<Pod, _>(&revision, pod::pod(&revision), |_, _| {}).await?;
    context.put_status(&stored, &pod::running(&stored)).await?;
    Ok(Action::await_change())
}

/// A revision never changes its code: one that was fit for this generation stays so. What it is granted is checked again
/// where it is used.
fn is_settled(revision: &Revision) -> bool {
    let Some(status) = &revision.status else { return false };
    condition::is_ready(&status.conditions)
        && status.observed_generation == revision.metadata.generation
        && digest(revision).is_some()
}

/// The image by digest, as it was pinned.
fn digest(revision: &Revision) -> Option<String> {
    revision.status.as_ref()?.container_statuses.first()?.image_digest.clone()
}

async fn progress(revision: &Revision, context: &Context) -> Result<Progress, Error> {
    let image = revision.spec.containers.first().and_then(|container| container.image.as_deref()).unwrap_or_default();
    let image_digest = match digest(revision) {
        Some(pinned) => pinned,
        None => match context.artifacts.resolve(image).await {
            Ok(digest) => pin(image, &digest),
            Err(rejected) => return Ok(Progress::NoResources(rejected)),
        },
    };
    let references = project::read_references(&context.client, revision).await?;
    let resolved = match project::resolve_revision(revision, &image_digest, &references) {
        Ok(resolved) => resolved,
        Err(rejected) => return Ok(Progress::NoResources(rejected)),
    };
    Ok(match context.artifacts.prepare(&resolved).await {
        Ok(()) => Progress::Fit { image_digest },
        Err(rejected) => Progress::Unhealthy { image_digest, rejected },
    })
}

/// The image with its tag replaced by a digest.
fn pin(image: &str, digest: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let after_registry = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name[after_registry..].find(':').map_or(name.len(), |colon| after_registry + colon);
    format!("{}@sha256:{digest}", &name[..end])
}

fn step(revision: &Revision, progress: Progress, now: Timestamp) -> Revision {
    let mut after = revision.clone();
    let status = after.status.get_or_insert_default();
    status.observed_generation = revision.metadata.generation;
    let name = revision.spec.containers.first().map(|container| container.name.clone()).filter(|name| !name.is_empty());
    let pinned = |image_digest| vec![ContainerStatus { name, image_digest: Some(image_digest) }];
    let yes = || (Status::True, Cause::default());
    let no = |rejected: Rejected| (Status::False, rejected.into());
    let (resources, healthy) = match progress {
        Progress::NoResources(rejected) => (no(rejected.clone()), no(rejected)),
        Progress::Unhealthy { image_digest, rejected } => {
            status.container_statuses = pinned(image_digest);
            (yes(), no(rejected))
        }
        Progress::Fit { image_digest } => {
            status.container_statuses = pinned(image_digest);
            (yes(), yes())
        }
    };
    condition::set(&mut status.conditions, RESOURCES, resources.0, resources.1, now);
    condition::set(&mut status.conditions, HEALTHY, healthy.0, healthy.1, now);
    if condition::find(&status.conditions, ACTIVE).is_none() {
        let idle = Cause::new("NoTraffic", "The target is not receiving traffic.");
        condition::set_info(&mut status.conditions, ACTIVE, Status::Unknown, idle, now);
    }
    condition::roll_up(&mut status.conditions, &[RESOURCES, HEALTHY], now);
    after
}

#[cfg(test)]
mod tests;
