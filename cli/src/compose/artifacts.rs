//! Joins the reconcilers to the node: what an image leads to, whether it can run here, and whether a bucket is there.

use super::scale::Scaling;
use fnctl_broker::bucket::BucketNode;
use fnctl_config::snapshot::{Access, ObjectKey, Revision};
use fnctl_controller::reconcile::{Artifacts, Buckets, Instances, Rejected, Replicas};
use fnctl_runtime_wasm::Runtime;
use fnctl_runtime_wasm::prepare::PrepareError;
use futures::future::BoxFuture;
use std::collections::BTreeSet;

/// The node as the reconcilers see it.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) runtime: Runtime,
    pub(crate) buckets: BucketNode,
    pub(crate) scaling: Scaling,
}

impl Instances for Ports {
    fn changed(&self) -> BoxFuture<'_, BTreeSet<ObjectKey>> {
        Box::pin(self.scaling.changed())
    }

    fn replicas(&self, revision: &ObjectKey) -> Option<Replicas> {
        self.scaling.replicas(revision)
    }

    fn begun<'a>(&'a self, revision: &'a ObjectKey) -> BoxFuture<'a, Option<Replicas>> {
        Box::pin(self.scaling.begun(revision))
    }
}

impl Artifacts for Ports {
    fn resolve<'a>(&'a self, image: &'a str) -> BoxFuture<'a, Result<String, Rejected>> {
        Box::pin(async move { self.runtime.resolve(image).await.map_err(|error| rejected(&error)) })
    }

    fn prepare<'a>(&'a self, revision: &'a Revision) -> BoxFuture<'a, Result<(), Rejected>> {
        Box::pin(async move {
            // A function that may write into a bucket finds it there.
            for (bucket, _) in revision.grants.buckets.iter().filter(|(_, access)| **access == Access::ReadWrite) {
                self.ensure(bucket).await?;
            }
            let prepared = self.runtime.prepare(&revision.artifact, &revision.grants).await;
            prepared.map(drop).map_err(|error| rejected(&error))
        })
    }
}

impl Buckets for Ports {
    fn ensure<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), Rejected>> {
        Box::pin(async move {
            let made = self.buckets.ensure(bucket).await;
            made.map(drop).map_err(|error| Rejected::new("BucketRefused", error.to_string()))
        })
    }
}

fn rejected(error: &PrepareError) -> Rejected {
    let reason = match error {
        PrepareError::Artifact(_) => "ContainerMissing",
        PrepareError::Precheck(_) | PrepareError::NoHandler(_) => "NotAFunction",
        PrepareError::Imports(_) => "ImportNotGranted",
        PrepareError::TooLarge { .. } => "TooLarge",
        PrepareError::Compile(_) => "CompileFailed",
        PrepareError::Load(_) | PrepareError::Link(_) => "LinkFailed",
        PrepareError::Stopping => "NodeStopping",
    };
    Rejected::new(reason, error.to_string())
}
