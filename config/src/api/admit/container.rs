//! The container of a revision. Probes, security context and pull policy are taken and have no effect on a Wasm function:
//! it is ready when it is loaded, has no rights but its grants, and is pinned to a digest.

use super::unsupported;
use crate::api::container::{Container, ContainerPort, Resources};
use crate::api::error::{FieldError, FieldErrorKind, at, join, keyed};
use crate::api::metadata::is_dns_label;
use crate::quantity::Quantity;
use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar};

/// Names and numbers of the platform's own, as in Knative.
const NAMES_RESERVED: [&str; 1] = ["queue-proxy"];
const ENV_RESERVED: [&str; 4] = ["PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"];
const PORTS_RESERVED: [i64; 6] = [8008, 8012, 8013, 8022, 9090, 9091];

pub(super) fn validate(container: &Container, path: &str) -> Vec<FieldError> {
    let mut errors: Vec<_> = container.refused.keys().map(|field| FieldError::disallowed(&join(path, field))).collect();
    errors.extend(name(&container.name, &join(path, "name")));
    errors.extend(image(container.image.as_deref().unwrap_or_default(), &join(path, "image")));
    errors.extend(ports(&container.ports, &join(path, "ports")));
    for (index, variable) in container.env.iter().enumerate() {
        errors.extend(variable_errors(variable, &at(&join(path, "env"), index)));
    }
    for (index, source) in container.env_from.iter().enumerate() {
        errors.extend(env_from(source, &at(&join(path, "envFrom"), index)));
    }
    errors.extend(resources(&container.resources, &join(path, "resources")));
    if !container.volume_mounts.is_empty() {
        errors.push(unsupported(
            &join(path, "volumeMounts"),
            "volumes are not supported yet: give values by env and envFrom",
        ));
    }
    errors
}

fn name(name: &str, path: &str) -> Option<FieldError> {
    if NAMES_RESERVED.contains(&name) {
        let sentence = format!("{name:?} is a reserved container name");
        return Some(FieldError::general(FieldErrorKind::Invalid, path, sentence));
    }
    let why = "expected lower case letters, digits and '-', at most 63";
    (!name.is_empty() && !is_dns_label(name)).then(|| FieldError::invalid_because(name, path, why))
}

fn image(image: &str, path: &str) -> Option<FieldError> {
    if image.is_empty() {
        return Some(FieldError::missing(path));
    }
    if image.starts_with(['.', '/']) {
        let why = "a file is no image: `fnctl apply` and `fnctl deploy` store the file and name the image";
        return Some(FieldError::invalid_because(image, path, why));
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@+".contains(&byte);
    (!image.bytes().all(legal)).then(|| FieldError::invalid_because(image, path, "could not parse reference"))
}

fn ports(ports: &[ContainerPort], path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if ports.len() > 1 {
        let sentence = "more than one container port is set: only a single port is allowed across all containers";
        errors.push(FieldError::general(FieldErrorKind::Invalid, path, sentence));
    }
    for (index, port) in ports.iter().enumerate() {
        let path = at(path, index);
        let of = |field: &str| join(&path, field);
        errors.extend(port.host_port.map(|_| FieldError::disallowed(&of("hostPort"))));
        errors.extend(port.host_ip.as_ref().map(|_| FieldError::disallowed(&of("hostIP"))));
        let name = port.name.as_deref().unwrap_or_default();
        if !["", "http1", "h2c"].contains(&name) {
            let sentence = format!("port name {name} is not allowed: it must be empty, http1 or h2c");
            errors.push(FieldError::general(FieldErrorKind::Invalid, &of("name"), sentence));
        }
        if port.protocol.as_deref().is_some_and(|protocol| !["", "TCP"].contains(&protocol)) {
            errors.push(FieldError::invalid(port.protocol.as_deref().unwrap_or_default(), &of("protocol")));
        }
        let number = port.container_port.unwrap_or(0);
        if !(0..=65_535).contains(&number) {
            errors.push(FieldError::out_of_bounds(number, 0, 65_535, &of("containerPort")));
        }
        if PORTS_RESERVED.contains(&number) {
            let why = format_args!("{number} is a reserved port, please use a different value");
            errors.push(FieldError::invalid_because(number, &of("containerPort"), why));
        }
    }
    errors
}

fn variable_errors(variable: &EnvVar, path: &str) -> Vec<FieldError> {
    let mut errors: Vec<_> = env_name(&variable.name, &join(path, "name")).into_iter().collect();
    if ENV_RESERVED.contains(&variable.name.as_str()) {
        let sentence = format!("{:?} is a reserved environment variable", variable.name);
        errors.push(FieldError::general(FieldErrorKind::Invalid, &join(path, "name"), sentence));
    }
    let Some(source) = &variable.value_from else { return errors };
    let path = &join(path, "valueFrom");
    if variable.value.as_deref().is_some_and(|value| !value.is_empty()) {
        let why = "may not be specified when `value` is not empty";
        errors.push(FieldError::general(FieldErrorKind::Invalid, path, why));
    }
    let refused = [
        ("fieldRef", source.field_ref.is_some()),
        ("resourceFieldRef", source.resource_field_ref.is_some()),
        ("fileKeyRef", source.file_key_ref.is_some()),
    ];
    let is_refused = refused.iter().any(|(_, is_set)| *is_set);
    errors.extend(
        refused.iter().filter(|(_, is_set)| *is_set).map(|(field, _)| FieldError::disallowed(&join(path, field))),
    );
    match (&source.config_map_key_ref, &source.secret_key_ref) {
        (Some(from), None) => errors.extend(selector(&from.name, Some(&from.key), &join(path, "configMapKeyRef"))),
        (None, Some(from)) => errors.extend(selector(&from.name, Some(&from.key), &join(path, "secretKeyRef"))),
        (Some(_), Some(_)) => errors.push(FieldError::multiple_one_of(path, &["configMapKeyRef", "secretKeyRef"])),
        (None, None) if is_refused => {}
        (None, None) => errors.push(FieldError::missing_one_of(path, &["configMapKeyRef", "secretKeyRef"])),
    }
    errors
}

fn env_from(source: &EnvFromSource, path: &str) -> Vec<FieldError> {
    let prefix = source.prefix.as_deref().filter(|prefix| !prefix.is_empty());
    let mut errors: Vec<_> = prefix.and_then(|prefix| env_name(prefix, &join(path, "prefix"))).into_iter().collect();
    match (&source.config_map_ref, &source.secret_ref) {
        (Some(map), None) => errors.extend(selector(&map.name, None, &join(path, "configMapRef"))),
        (None, Some(secret)) => errors.extend(selector(&secret.name, None, &join(path, "secretRef"))),
        (Some(_), Some(_)) => errors.push(FieldError::multiple_one_of(path, &["configMapRef", "secretRef"])),
        (None, None) => errors.push(FieldError::missing_one_of(path, &["configMapRef", "secretRef"])),
    }
    errors
}

/// The name of an object, and the key in it where one is needed.
fn selector(name: &str, key: Option<&str>, path: &str) -> Vec<FieldError> {
    let missing = |value: &str, field: &str| value.is_empty().then(|| FieldError::missing(&join(path, field)));
    missing(name, "name").into_iter().chain(key.and_then(|key| missing(key, "key"))).collect()
}

/// As Kubernetes since 1.32: printable ASCII without `=`.
fn env_name(name: &str, path: &str) -> Option<FieldError> {
    if name.is_empty() {
        return Some(FieldError::missing(path));
    }
    let legal = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    let why = "a valid environment variable name must consist only of printable ASCII characters other than '='";
    (!name.bytes().all(legal)).then(|| FieldError::invalid_because(name, path, why))
}

fn resources(resources: &Resources, path: &str) -> Vec<FieldError> {
    let mut errors: Vec<_> = resources.claims.iter().map(|_| FieldError::disallowed(&join(path, "claims"))).collect();
    for (field, map) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        for (name, written) in map {
            let path = keyed(&join(path, field), name);
            if !["cpu", "memory", "ephemeral-storage"].contains(&name.as_str()) {
                let why = "expected cpu, memory or ephemeral-storage";
                errors.push(FieldError::invalid_key(name, &path, why));
                continue;
            }
            match written.to_string().parse::<Quantity>() {
                // A limit of memory is judged below, with its bounds.
                _ if field == "limits" && name == "memory" => {}
                Ok(quantity) if quantity.is_negative() => {
                    errors.push(FieldError::invalid_because(written, &path, "must be greater than or equal to 0"));
                }
                Ok(_) => {}
                Err(why) => errors.push(FieldError::invalid_because(written, &path, why)),
            }
        }
    }
    errors.extend(crate::resolve::memory(resources, &join(path, "limits")).err());
    for (name, request) in &resources.requests {
        let quantity = |written: &crate::api::container::WrittenQuantity| written.to_string().parse::<Quantity>().ok();
        let limit = resources.limits.get(name);
        if let (Some(asked), Some(most)) = (quantity(request), limit.and_then(quantity))
            && asked > most
        {
            let why = format_args!("must be less than or equal to {name} limit");
            errors.push(FieldError::invalid_because(request, &keyed(&join(path, "requests"), name), why));
        }
    }
    errors
}
