//! The ConfigMaps and Secrets that a revision's environment names.

use crate::reconcile::Rejected;
use fnctl_config::api::Revision;
use fnctl_config::resolve::{self, Lookup};
use fnctl_config::snapshot;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client, ResourceExt as _};
use std::collections::{BTreeMap, BTreeSet};

/// Names of the ConfigMaps and Secrets of the revision's namespace that its environment needs.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) config_maps: BTreeSet<String>,
    pub(super) secrets: BTreeSet<String>,
}

impl Names {
    pub(super) fn of(revision: &Revision) -> Self {
        let mut names = Self::default();
        for container in &revision.spec.containers {
            for source in &container.env_from {
                names.config_maps.extend(source.config_map_ref.iter().map(|source| source.name.clone()));
                names.secrets.extend(source.secret_ref.iter().map(|source| source.name.clone()));
            }
            for source in container.env.iter().filter_map(|variable| variable.value_from.as_ref()) {
                names.config_maps.extend(source.config_map_key_ref.iter().map(|source| source.name.clone()));
                names.secrets.extend(source.secret_key_ref.iter().map(|source| source.name.clone()));
            }
        }
        names
    }

    pub(super) fn is_empty(&self) -> bool {
        self.config_maps.is_empty() && self.secrets.is_empty()
    }
}

/// Reads what a revision's environment names; what is not there is left out.
pub(crate) async fn read_references(client: &Client, revision: &Revision) -> Result<Lookup, kube::Error> {
    let names = Names::of(revision);
    let namespace = revision.namespace().unwrap_or_default();
    let mut lookup = Lookup::default();
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    for name in names.config_maps {
        if let Some(found) = config_maps.get_opt(&name).await? {
            lookup.config_maps.insert(name, config_map_text(found));
        }
    }
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    for name in names.secrets {
        if let Some(found) = secrets.get_opt(&name).await? {
            lookup.secrets.insert(name, secret_text(found));
        }
    }
    Ok(lookup)
}

/// The revision as the data plane runs it. `image_digest` is the pinned image.
pub(crate) fn resolve_revision(
    revision: &Revision,
    image_digest: &str,
    lookup: &Lookup,
) -> Result<snapshot::Revision, Rejected> {
    let artifact = image_digest.rsplit_once("@sha256:").map_or(image_digest, |(_, digest)| digest);
    resolve::revision(revision, artifact, lookup).map_err(|errors| {
        let is_reference = errors.iter().all(|error| error.to_string().contains("not found"));
        let reason = if is_reference { "ReferencesMissing" } else { "InvalidSettings" };
        let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Rejected::new(reason, messages.join("; "))
    })
}

pub(super) fn config_map_text(object: ConfigMap) -> BTreeMap<String, String> {
    object.data.unwrap_or_default()
}

/// Values that are no text are left out: an environment holds text.
pub(super) fn secret_text(object: Secret) -> BTreeMap<String, String> {
    let values = object.data.unwrap_or_default().into_iter();
    values.filter_map(|(key, value)| String::from_utf8(value.0).ok().map(|text| (key, text))).collect()
}
