//! Brokers, triggers and bucket sources, resolved.

use crate::address::{DEFAULT_DOMAIN, HTTP_PORT_DEFAULT, RESERVED_PREFIX};
use crate::api::annotation::{DELIVERY_ORDER, RETENTION, STRICT_REPLY};
use crate::api::delivery::DeliverySpec;
use crate::api::destination::{Destination as Written, Reference};
use crate::api::error::{FieldError, FieldErrorKind, join};
use crate::api::metadata::is_dns_subdomain;
use crate::api::{Broker, BucketSource, Trigger};
use crate::duration::IsoDuration;
use crate::filter;
use crate::limits::{DELIVERY_RETRIES_MAX, RETENTION_AGE_DEFAULT, RETENTION_BYTES_DEFAULT};
use crate::snapshot::{self, Backoff, Delivery, Destination, Filter, ObjectKey, Retention};
use kube::ResourceExt as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// What tells addresses of this home from those of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Functions are hosts under it.
    pub domain: String,
    /// The data plane's port: other ports of this machine are somebody else's.
    pub http_port: u16,
}

impl Default for Home {
    fn default() -> Self {
        Self { domain: DEFAULT_DOMAIN.to_owned(), http_port: HTTP_PORT_DEFAULT }
    }
}

/// Retries of a broker that says nothing about delivery: Knative's `config-br-defaults`.
const RETRY_DEFAULT: u32 = 10;
/// The unit of its waits, doubled each time: 0.2 s, 0.4 s, ...
const BACKOFF_DELAY_DEFAULT: Duration = Duration::from_millis(200);

/// A broker, with Knative's default delivery where it brings none.
pub fn broker(object: &Broker, home: &Home) -> Result<snapshot::Broker, Vec<FieldError>> {
    let key = key_of(object);
    let delivery = match &object.spec.delivery {
        Some(written) => delivery(written, (&key.namespace, home), "spec.delivery")?,
        None => Delivery {
            retry: RETRY_DEFAULT,
            backoff: Backoff::Exponential,
            backoff_delay: BACKOFF_DELAY_DEFAULT,
            timeout: None,
            dead_letter: None,
            retry_after_max: None,
        },
    };
    let drop_pending = object.annotations().get(RETENTION).is_some_and(|value| value == "delete");
    let retention = Retention { age: RETENTION_AGE_DEFAULT, bytes: RETENTION_BYTES_DEFAULT, drop_pending };
    Ok(snapshot::Broker { key, uid: object.uid().unwrap_or_default(), delivery, retention })
}

/// A trigger.
pub fn trigger(object: &Trigger, home: &Home) -> Result<snapshot::Trigger, Vec<FieldError>> {
    let key = key_of(object);
    let spec = &object.spec;
    let mut errors = Vec::new();
    let filter = match &spec.filters {
        Some(filters) => filter::parse(filters, "spec.filters"),
        None => {
            let attributes = spec.filter.as_ref().map(|filter| string_map(&filter.attributes));
            filter::legacy(attributes.as_ref(), "spec.filter.attributes")
        }
    };
    let filter = filter.unwrap_or_else(|mut found| {
        errors.append(&mut found);
        Filter::All(Vec::new())
    });
    let subscriber = destination(&spec.subscriber, (&key.namespace, home), "spec.subscriber");
    let delivery =
        spec.delivery.as_ref().map(|written| delivery(written, (&key.namespace, home), "spec.delivery")).transpose();
    let (Ok(subscriber), Ok(delivery)) = (subscriber.as_ref(), delivery.as_ref()) else {
        errors.extend(subscriber.err());
        errors.extend(delivery.err().into_iter().flatten());
        return Err(errors);
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    let annotation = |name: &str, value: &str| object.annotations().get(name).is_some_and(|found| found == value);
    Ok(snapshot::Trigger {
        broker: ObjectKey::new(key.namespace.clone(), spec.broker.clone()),
        uid: object.uid().unwrap_or_default(),
        generation: object.metadata.generation.unwrap_or(0),
        filter,
        subscriber: subscriber.clone(),
        delivery: delivery.clone(),
        ordered: annotation(DELIVERY_ORDER, "ordered"),
        strict_reply: annotation(STRICT_REPLY, "true"),
        key,
    })
}

/// A bucket source; the `s3:` prefix of event names is taken off.
pub fn bucket_source(object: &BucketSource, home: &Home) -> Result<snapshot::BucketSource, Vec<FieldError>> {
    let key = key_of(object);
    let spec = &object.spec;
    let sink = destination(&spec.sink, (&key.namespace, home), "spec.sink").map_err(|error| vec![error])?;
    let event_type = |name: &String| name.strip_prefix("s3:").unwrap_or(name).to_owned();
    Ok(snapshot::BucketSource {
        uid: object.uid().unwrap_or_default(),
        bucket: spec.bucket.clone(),
        event_types: spec.event_types.iter().map(event_type).collect(),
        prefix: spec.prefix.clone().unwrap_or_default(),
        suffix: spec.suffix.clone().unwrap_or_default(),
        sink,
        key,
    })
}

/// Delivery settings. What is not given: no retry, no wait, no bound (Knative merges nothing field by field).
pub fn delivery(written: &DeliverySpec, place: Place<'_>, path: &str) -> Result<Delivery, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut duration = |value: &Option<String>, field: &str| {
        let text = value.as_ref()?;
        let parsed = text.parse::<IsoDuration>();
        parsed.map_err(|why| errors.push(FieldError::invalid_because(text, &join(path, field), why))).ok()
    };
    let timeout = duration(&written.timeout, "timeout");
    let backoff_delay = duration(&written.backoff_delay, "backoffDelay");
    let retry_after_max = duration(&written.retry_after_max, "retryAfterMax");
    if timeout.is_some_and(|timeout| timeout.0.is_zero()) {
        errors.push(FieldError::invalid("PT0S", &join(path, "timeout")));
    }
    let backoff = match written.backoff_policy.as_deref() {
        None | Some("exponential") => Backoff::Exponential,
        Some("linear") => Backoff::Linear,
        Some(other) => {
            errors.push(FieldError::invalid(other, &join(path, "backoffPolicy")));
            Backoff::Exponential
        }
    };
    if let Some(format) = written.format.as_deref().filter(|format| *format != "binary") {
        let sentence = format!("format {format} is not supported yet: events are sent as binary");
        errors.push(FieldError::general(FieldErrorKind::NotSupported, &join(path, "format"), sentence));
    }
    let retry = written.retry.unwrap_or(0);
    if !(0..=DELIVERY_RETRIES_MAX).contains(&retry) {
        errors.push(FieldError::out_of_bounds(retry, 0, DELIVERY_RETRIES_MAX, &join(path, "retry")));
    }
    let sink = written.dead_letter_sink.as_ref();
    let dead_letter = sink.map(|sink| destination(sink, place, &join(path, "deadLetterSink"))).transpose();
    let dead_letter = dead_letter.unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Delivery {
        retry: u32::try_from(retry).unwrap_or(0),
        backoff,
        backoff_delay: backoff_delay.map(|delay| delay.0).unwrap_or_default(),
        timeout: timeout.map(|timeout| timeout.0),
        dead_letter,
        retry_after_max: retry_after_max.map(|most| most.0).filter(|most| !most.is_zero()),
    })
}

/// The namespace of the referring object, and the home.
pub type Place<'a> = (&'a str, &'a Home);

/// Where events go: a function or broker of this home by reference or by one of its URLs, or any other URL. Whether the
/// object exists is not looked at.
pub fn destination(written: &Written, place: Place<'_>, path: &str) -> Result<Destination, FieldError> {
    let reference = written.reference.as_ref();
    let unsupported = [
        ("audience", written.audience.is_some()),
        ("ref.group", reference.is_some_and(|reference| reference.group.is_some())),
        ("ref.address", reference.is_some_and(|reference| reference.address.is_some())),
    ];
    if let Some((field, _)) = unsupported.iter().find(|(_, is_given)| *is_given) {
        return Err(FieldError::general(FieldErrorKind::NotSupported, &join(path, field), "not supported yet"));
    }
    let found = match (reference, &written.uri) {
        (None, None) => Err(FieldError::missing_one_of(path, &["ref", "uri"])),
        (Some(reference), uri) => by_reference(reference, uri.as_deref().unwrap_or_default(), place.0, path),
        (None, Some(uri)) => by_uri(uri, place.1, &join(path, "uri")),
    }?;
    match &written.ca_certs {
        Some(pem) => trusting(found, pem, &join(path, "CACerts")),
        None => Ok(found),
    }
}

/// Adds certificates to trust, where there will be one to check. Whether they are valid is found out by the first delivery.
fn trusting(found: Destination, pem: &str, path: &str) -> Result<Destination, FieldError> {
    let invalid = |why| Err(FieldError::invalid_because(pem.lines().next().unwrap_or_default(), path, why));
    match found {
        Destination::Uri { uri, .. } if uri.starts_with("https://") => {
            if !pem.contains("-----BEGIN CERTIFICATE-----") {
                return invalid("expected certificates in PEM");
            }
            Ok(Destination::Uri { uri, ca_certs: Some(pem.to_owned()) })
        }
        _ => invalid("only an https uri outside of this home has a certificate to check"),
    }
}

fn by_reference(reference: &Reference, relative: &str, namespace: &str, path: &str) -> Result<Destination, FieldError> {
    let key = ObjectKey::new(reference.namespace.as_deref().unwrap_or(namespace), reference.name.clone());
    if reference.name.is_empty() {
        return Err(FieldError::missing(&join(path, "ref.name")));
    }
    let group = reference.api_version.as_deref().unwrap_or_default();
    match (group, reference.kind.as_str()) {
        ("serving.knative.dev/v1", "Service") => {
            Ok(Destination::Function { key, path: below_root(relative, &join(path, "uri"))? })
        }
        ("eventing.knative.dev/v1", "Broker") if !relative.is_empty() => {
            let why = "a broker takes events at its own address only: leave the uri out";
            Err(FieldError::invalid_because(relative, &join(path, "uri"), why))
        }
        ("eventing.knative.dev/v1", "Broker") => Ok(Destination::Broker { key }),
        _ => {
            let sentence = format!(
                "{group} {} cannot be addressed: use a Service of serving.knative.dev/v1 or a Broker of eventing.knative.dev/v1",
                reference.kind
            );
            Err(FieldError::general(FieldErrorKind::NotSupported, &join(path, "ref"), sentence))
        }
    }
}

/// A relative reference, resolved against the root of a host as RFC 3986 does: path and query, without a fragment.
fn below_root(relative: &str, path: &str) -> Result<String, FieldError> {
    let relative = relative.split('#').next().unwrap_or_default();
    let (way, query) = relative.split_once('?').map_or((relative, None), |(way, query)| (way, Some(query)));
    let has_scheme = way.split('/').next().is_some_and(|first| first.contains(':'));
    if has_scheme || way.starts_with("//") || !is_uri_text(relative) {
        let why = "with a ref it must be a path, relative to the address of the object";
        return Err(FieldError::invalid_because(relative, path, why));
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for segment in way.trim_start_matches('/').split('/') {
        ends_in_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let slash = if ends_in_folder && !kept.is_empty() { "/" } else { "" };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("/{}{slash}{query}", kept.join("/")))
}

fn by_uri(uri: &str, home: &Home, path: &str) -> Result<Destination, FieldError> {
    let invalid = || FieldError::invalid_because(uri, path, "expected an absolute http or https URL");
    let (scheme, rest) = uri.split_once("://").ok_or_else(invalid)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // An IPv6 address stands in brackets and has colons of its own.
    let colon = authority.rfind(':').filter(|colon| !authority[*colon..].contains(']'));
    let (host, port) = authority.split_at(colon.unwrap_or(authority.len()));
    let port = port.strip_prefix(':').map(str::parse::<u16>).transpose().map_err(|_| invalid())?;
    if !["http", "https"].contains(&scheme) || host.is_empty() || authority.contains('@') || !is_uri_text(uri) {
        return Err(invalid());
    }
    let (host, tail) = (host.to_ascii_lowercase(), tail.split('#').next().unwrap_or_default());
    // This home answers http only: what is asked for by https is behind somebody else's door.
    let is_ours = scheme == "http";
    let is_our_port = port.unwrap_or(80) == home.http_port;
    if is_ours
        && is_our_port
        && ["localhost", "127.0.0.1", "[::1]"].contains(&host.as_str())
        && let Some(broker) = tail.strip_prefix(RESERVED_PREFIX).and_then(|tail| tail.strip_prefix("broker/"))
        && let Some((namespace, name)) = broker.trim_end_matches('/').split_once('/')
        && is_dns_subdomain(namespace)
        && is_dns_subdomain(name)
    {
        return Ok(Destination::Broker { key: ObjectKey::new(namespace, name) });
    }
    let public = || host.strip_suffix(&home.domain).and_then(|name| name.strip_suffix('.')).filter(|_| is_our_port);
    let function = host.strip_suffix(".svc.cluster.local").or_else(public).filter(|_| is_ours);
    if let Some((name, namespace)) = function.and_then(|name| name.split_once('.'))
        && !namespace.contains('.')
    {
        let slash = if tail.starts_with('/') { "" } else { "/" };
        return Ok(Destination::Function { key: ObjectKey::new(namespace, name), path: format!("{slash}{tail}") });
    }
    Ok(Destination::Uri { uri: uri.to_owned(), ca_certs: None })
}

/// Whether every character may stand in a URI.
fn is_uri_text(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

fn key_of<K: kube::Resource>(object: &K) -> ObjectKey {
    ObjectKey::new(object.namespace().unwrap_or_default(), object.name_any())
}

fn string_map(map: &BTreeMap<String, String>) -> Value {
    Value::Object(map.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect())
}
