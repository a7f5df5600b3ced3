//! What the reconcilers ask the node: which code an image is, whether it can run, and whether a bucket is there.

use super::activity::{Instances, Replicas};
use fnctl_config::api::condition::Cause;
use fnctl_config::snapshot::{ObjectKey, Revision};
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Knows the images of functions and whether they can run here.
pub trait Artifacts: fmt::Debug + Send + Sync {
    /// The sha256 of the component that an image names now, 64 lower-case hex digits. What is not there may come later.
    fn resolve<'a>(&'a self, image: &'a str) -> BoxFuture<'a, Result<String, Rejected>>;

    /// Makes a revision fit to run: its code is compiled, and every import of it is granted. `Ok` again at once for what
    /// was prepared before.
    fn prepare<'a>(&'a self, revision: &'a Revision) -> BoxFuture<'a, Result<(), Rejected>>;
}

/// Knows the node's buckets.
pub trait Buckets: fmt::Debug + Send + Sync {
    /// Makes a bucket unless it is there.
    fn ensure<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), Rejected>>;
}

/// Why something cannot be used, in the words of a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejected {
    /// One CamelCase word, such as `ContainerMissing`.
    pub reason: String,
    /// One sentence that names what is wrong and what to do.
    pub message: String,
}

impl From<Rejected> for Cause {
    fn from(rejected: Rejected) -> Self {
        Self::new(rejected.reason, rejected.message)
    }
}

impl Rejected {
    /// From its two parts.
    pub fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into() }
    }
}

/// Images and buckets in memory, for tests.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Image to digest.
    pub images: BTreeMap<String, String>,
    /// Digests that cannot run, and why.
    pub rejected: BTreeMap<String, Rejected>,
    /// Names that no bucket can have.
    pub refused_buckets: BTreeSet<String>,
    /// Instances of every revision; none where nothing ever runs.
    pub instances: Option<Replicas>,
}

impl Artifacts for Memory {
    fn resolve<'a>(&'a self, image: &'a str) -> BoxFuture<'a, Result<String, Rejected>> {
        let digest = self.images.get(image).cloned();
        let missing =
            move || Rejected::new("ContainerMissing", format!("unable to fetch image {image:?}: it is not there"));
        Box::pin(async move { digest.ok_or_else(missing) })
    }

    fn prepare<'a>(&'a self, revision: &'a Revision) -> BoxFuture<'a, Result<(), Rejected>> {
        let answer = self.rejected.get(&revision.artifact).cloned().map_or(Ok(()), Err);
        Box::pin(async move { answer })
    }
}

/// A node on which nothing ever changes.
impl Instances for Memory {
    fn changed(&self) -> BoxFuture<'_, BTreeSet<ObjectKey>> {
        Box::pin(std::future::pending())
    }

    fn replicas(&self, _: &ObjectKey) -> Option<Replicas> {
        self.instances
    }

    fn begun<'a>(&'a self, revision: &'a ObjectKey) -> BoxFuture<'a, Option<Replicas>> {
        Box::pin(async move { self.replicas(revision) })
    }
}

impl Buckets for Memory {
    fn ensure<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), Rejected>> {
        let is_refused = self.refused_buckets.contains(bucket);
        let refused = move || Rejected::new("BucketRefused", format!("{bucket:?} cannot be the name of a bucket"));
        Box::pin(async move { if is_refused { Err(refused()) } else { Ok(()) } })
    }
}
