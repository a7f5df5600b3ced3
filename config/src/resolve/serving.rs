//! Revisions and routes, resolved.

use super::expand::expand;
use crate::address::{function_host, function_internal_hosts};
use crate::api::annotation;
use crate::api::container::{Container, Resources};
use crate::api::error::{FieldError, FieldErrorKind, at, join, keyed};
use crate::api::{Revision, Route};
use crate::limits::{MEMORY_BYTES_DEFAULT, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, REVISION_TIMEOUT_SECONDS_DEFAULT};
use crate::quantity::Quantity;
use crate::snapshot::{self, CallLimits, ObjectKey, RouteTarget};
use k8s_openapi::api::core::v1::{EnvFromSource, EnvVarSource};
use kube::ResourceExt as _;
use std::collections::BTreeMap;
use std::time::Duration;

/// ConfigMaps and Secrets of the revision's namespace, as text by key; binary values are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lookup {
    /// ConfigMaps by name.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
}

/// A revision whose image was resolved to `artifact` (64 hex digits).
pub fn revision(object: &Revision, artifact: &str, lookup: &Lookup) -> Result<snapshot::Revision, Vec<FieldError>> {
    let key = ObjectKey::new(object.namespace().unwrap_or_default(), object.name_any());
    let Some(container) = object.spec.containers.first() else {
        return Err(vec![FieldError::missing("spec.containers")]);
    };
    let label = |name: &str| object.labels().get(&format!("serving.knative.dev/{name}")).cloned();
    let configuration = label("configuration").unwrap_or_else(|| key.name.clone());
    let service = label("service").unwrap_or_else(|| configuration.clone());
    let concurrency = u32::try_from(object.spec.container_concurrency.unwrap_or(0)).unwrap_or(0);
    let path = "metadata.annotations";
    let parts = (
        annotation::scale(object.annotations(), concurrency, path),
        annotation::extensions(object.annotations(), path),
        memory(&container.resources, "spec.containers[0].resources.limits"),
        environment(container, lookup, "spec.containers[0]"),
    );
    let (Ok(scale), Ok(extensions), Ok(memory_bytes), Ok(mut env)) = parts else {
        let (scale, extensions, memory, env) = parts;
        let lists = [scale.err(), extensions.err(), memory.err().map(|error| vec![error]), env.err()];
        return Err(lists.into_iter().flatten().flatten().collect());
    };
    let port = container.ports.first().and_then(|port| port.container_port).unwrap_or(8080);
    for (name, value) in [("K_SERVICE", &service), ("K_CONFIGURATION", &configuration), ("K_REVISION", &key.name)] {
        put(&mut env, name, value.clone());
    }
    put(&mut env, "PORT", port.to_string());
    let seconds = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0);
    let timeout = seconds(object.spec.timeout_seconds).unwrap_or(REVISION_TIMEOUT_SECONDS_DEFAULT.unsigned_abs());
    Ok(snapshot::Revision {
        uid: object.uid().unwrap_or_default(),
        service,
        configuration,
        artifact: artifact.to_owned(),
        args: container.args.iter().map(|argument| expand(argument, &env)).collect(),
        env,
        limits: CallLimits {
            memory_bytes,
            cpu: extensions.cpu,
            timeout: Duration::from_secs(timeout),
            response_start: seconds(object.spec.response_start_timeout_seconds).map(Duration::from_secs),
        },
        container_concurrency: concurrency,
        scale,
        reuse: extensions.reuse,
        grants: extensions.grants,
        key,
    })
}

/// A route: its public and internal hosts, and the targets of its status that get requests. None before the reconciler
/// has assigned any.
pub fn route(object: &Route, domain: &str) -> Option<snapshot::Route> {
    let key = ObjectKey::new(object.namespace().unwrap_or_default(), object.name_any());
    let target = |target: &crate::api::route::TrafficTarget| {
        let percent = u8::try_from(target.percent?).ok().filter(|percent| (1..=100).contains(percent))?;
        Some(RouteTarget { revision: ObjectKey::new(key.namespace.clone(), target.revision_name.clone()?), percent })
    };
    let targets: Vec<_> = object.status.iter().flat_map(|status| &status.traffic).filter_map(target).collect();
    if targets.is_empty() {
        return None;
    }
    let hosts = std::iter::once(function_host(&key, domain)).chain(function_internal_hosts(&key)).collect();
    Some(snapshot::Route { key, uid: object.uid().unwrap_or_default(), hosts, targets })
}

/// Memory of one instance: the limit, within bounds, or the default.
pub(crate) fn memory(resources: &Resources, path: &str) -> Result<u64, FieldError> {
    let Some(written) = resources.limits.get("memory") else { return Ok(MEMORY_BYTES_DEFAULT) };
    let path = keyed(path, "memory");
    let quantity: Quantity =
        written.to_string().parse().map_err(|why| FieldError::invalid_because(written, &path, why))?;
    let bounds = MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX;
    let error = || {
        let [min, max] = [MEMORY_BYTES_MIN, MEMORY_BYTES_MAX].map(|bytes| format!("{}Mi", bytes >> 20));
        FieldError::out_of_bounds(written, min, max, &path)
    };
    quantity.units().filter(|bytes| bounds.contains(bytes)).ok_or_else(error)
}

fn environment(container: &Container, lookup: &Lookup, path: &str) -> Result<Vec<(String, String)>, Vec<FieldError>> {
    let (mut env, mut errors) = (Vec::new(), Vec::new());
    for (index, source) in container.env_from.iter().enumerate() {
        match all_keys(source, lookup, &at(&join(path, "envFrom"), index)) {
            Ok(values) => values.into_iter().for_each(|(name, value)| put(&mut env, &name, value)),
            Err(error) => errors.push(error),
        }
    }
    for (index, variable) in container.env.iter().enumerate() {
        let path = join(&at(&join(path, "env"), index), "valueFrom");
        match variable.value_from.as_ref().map(|source| one_key(source, lookup, &path)) {
            None => {
                // Only what stands before it can be named.
                let value = expand(variable.value.as_deref().unwrap_or_default(), &env);
                put(&mut env, &variable.name, value);
            }
            Some(Ok(Some(value))) => put(&mut env, &variable.name, value),
            Some(Ok(None)) => {}
            Some(Err(error)) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(env) } else { Err(errors) }
}

fn all_keys(source: &EnvFromSource, lookup: &Lookup, path: &str) -> Result<Vec<(String, String)>, FieldError> {
    let (found, name, optional, field) = match (&source.config_map_ref, &source.secret_ref) {
        (Some(map), None) => (lookup.config_maps.get(&map.name), &map.name, map.optional, "configMapRef"),
        (None, Some(secret)) => (lookup.secrets.get(&secret.name), &secret.name, secret.optional, "secretRef"),
        (None, None) => return Err(FieldError::missing_one_of(path, &["configMapRef", "secretRef"])),
        (Some(_), Some(_)) => return Err(FieldError::multiple_one_of(path, &["configMapRef", "secretRef"])),
    };
    let prefix = source.prefix.as_deref().unwrap_or_default();
    match found {
        Some(values) => Ok(values.iter().map(|(key, value)| (format!("{prefix}{key}"), value.clone())).collect()),
        None if optional == Some(true) => Ok(Vec::new()),
        None => Err(not_found(&join(path, field), name, None)),
    }
}

fn one_key(source: &EnvVarSource, lookup: &Lookup, path: &str) -> Result<Option<String>, FieldError> {
    let (map, name, key, optional, field) = match (&source.config_map_key_ref, &source.secret_key_ref) {
        (Some(from), None) => (&lookup.config_maps, &from.name, &from.key, from.optional, "configMapKeyRef"),
        (None, Some(from)) => (&lookup.secrets, &from.name, &from.key, from.optional, "secretKeyRef"),
        (None, None) => return Err(FieldError::missing_one_of(path, &["configMapKeyRef", "secretKeyRef"])),
        (Some(_), Some(_)) => return Err(FieldError::multiple_one_of(path, &["configMapKeyRef", "secretKeyRef"])),
    };
    match map.get(name).and_then(|values| values.get(key)) {
        Some(value) => Ok(Some(value.clone())),
        None if optional == Some(true) => Ok(None),
        None => Err(not_found(&join(path, field), name, Some(key))),
    }
}

fn not_found(path: &str, name: &str, key: Option<&str>) -> FieldError {
    let key = key.map(|key| format!(" with key {key:?}")).unwrap_or_default();
    FieldError::general(FieldErrorKind::Invalid, path, format!("{name:?}{key} not found"))
}

/// Sets a variable; a later one of the same name wins and keeps the place of the first.
fn put(env: &mut Vec<(String, String)>, name: &str, value: String) {
    match env.iter_mut().find(|(known, _)| known == name) {
        Some(entry) => entry.1 = value,
        None => env.push((name.to_owned(), value)),
    }
}
