//! Labels and annotations of Knative, and the metadata that a dependent takes from its owner.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};
use std::collections::BTreeMap;

pub(super) const SERVICE: &str = "serving.knative.dev/service";
pub(super) const SERVICE_UID: &str = "serving.knative.dev/serviceUID";
pub(super) const CONFIGURATION: &str = "serving.knative.dev/configuration";
pub(super) const CONFIGURATION_UID: &str = "serving.knative.dev/configurationUID";
pub(super) const CONFIGURATION_GENERATION: &str = "serving.knative.dev/configurationGeneration";
pub(super) const REVISION: &str = "serving.knative.dev/revision";
pub(super) const CREATOR: &str = "serving.knative.dev/creator";
pub(super) const LAST_MODIFIER: &str = "serving.knative.dev/lastModifier";
/// What `kubectl apply` notes on the object it was given; it is about that object alone.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Metadata of a dependent of `owner`: its name, the owner's namespace, labels and annotations, and the reference by
/// which it goes when the owner goes.
pub(super) fn dependent<K: Resource<DynamicType = ()>>(owner: &K, name: &str) -> ObjectMeta {
    let mut annotations = owner.annotations().clone();
    annotations.remove(LAST_APPLIED);
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: owner.namespace(),
        labels: Some(owner.labels().clone()),
        annotations: Some(annotations),
        owner_references: owner.controller_owner_ref(&()).map(|reference| vec![reference]),
        ..ObjectMeta::default()
    }
}

/// Whether `object` goes when `owner` goes.
pub(super) fn is_owned<K: Resource, O: Resource>(object: &K, owner: &O) -> bool {
    object.owner_references().iter().any(|reference| Some(&reference.uid) == owner.meta().uid.as_ref())
}

/// Whether the metadata that the owner decides about is as wanted. Who wrote it is the API's to say.
pub(super) fn is_same(wanted: &ObjectMeta, stored: &ObjectMeta) -> bool {
    let decided = |annotations: &Option<BTreeMap<String, String>>| {
        let mut annotations = annotations.clone().unwrap_or_default();
        annotations.remove(CREATOR);
        annotations.remove(LAST_MODIFIER);
        annotations
    };
    let labels = |meta: &ObjectMeta| meta.labels.clone().unwrap_or_default();
    labels(wanted) == labels(stored) && decided(&wanted.annotations) == decided(&stored.annotations)
}
