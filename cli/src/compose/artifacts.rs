//! Joins the Revision reconciler to the Wasm runtime: what an image leads to, and whether it can run here.

use fnctl_config::snapshot::Revision;
use fnctl_controller::reconcile::{Artifacts, Rejected};
use fnctl_runtime_wasm::prepare::PrepareError;
use fnctl_runtime_wasm::Runtime;
use futures::future::BoxFuture;

/// The runtime's artifact store as the reconciler sees it.
#[derive(Debug)]
pub(crate) struct WasmArtifacts(pub(crate) Runtime);

impl Artifacts for WasmArtifacts {
    fn resolve<'a>(&'a self, image: &'a str) -> BoxFuture<'a, Result<String, Rejected>> {
        Box::pin(async move { self.0.resolve(image).await.map_err(|error| rejected(&error)) })
    }

    fn prepare<'a>(&'a self, digest: &'a str, revision: &'a Revision) -> BoxFuture<'a, Result<(), Rejected>> {
        Box::pin(async move { self.0.prepare(digest, &revision.grants).await.map(drop).map_err(|error| rejected(&error)) })
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
    Rejected { reason: reason.to_owned(), message: error.to_string() }
}
