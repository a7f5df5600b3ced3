//! The pod of a ready Wasm revision: there is none that runs, but `kubectl get pods` and `kubectl logs` ask for one.

use super::labels;
use fnctl_config::api::Revision;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodStatus};
use kube::ResourceExt;

/// Name of the container, as Knative names a function's.
const CONTAINER: &str = "user-container";

/// The pod of a revision. It goes when the revision goes.
pub(super) fn pod(revision: &Revision) -> Pod {
    let name = revision.name_any();
    let image = revision.spec.containers.first().and_then(|container| container.image.clone());
    let mut metadata = labels::dependent(revision, &format!("{name}-wasm"));
    metadata.annotations = None;
    metadata.labels.get_or_insert_default().insert(labels::REVISION.to_owned(), name);
    let container = Container { name: CONTAINER.to_owned(), image, ..Container::default() };
    let spec = PodSpec { containers: vec![container], ..PodSpec::default() };
    Pod { metadata, spec: Some(spec), status: None }
}

/// The pod with the status of one that runs: an instance is there as soon as it is needed.
pub(super) fn running(pod: &Pod) -> Pod {
    let mut running = pod.clone();
    running.status = Some(PodStatus { phase: Some("Running".to_owned()), ..pod.status.clone().unwrap_or_default() });
    running
}
