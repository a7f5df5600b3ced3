//! Brokers, triggers and bucket sources, resolved.

use crate::api::annotation::{DELIVERY_ORDER, RETENTION, STRICT_REPLY};
use crate::api::delivery::DeliverySpec;
use crate::api::destination::{Destination as Written, Reference};
use crate::api::error::{FieldError, FieldErrorKind, join};
use crate::api::{Broker, BucketSource, Trigger};
use crate::duration::IsoDuration;
use crate::filter;
use crate::limits::{DELIVERY_RETRIES_MAX, RETENTION_AGE_DEFAULT, RETENTION_BYTES_DEFAULT};
use crate::snapshot::{self, Backoff, Delivery, Destination, Filter, ObjectKey, Retention};
use kube::ResourceExt as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Retries of a broker that says nothing about delivery: Knative's `config-br-defaults`.
const RETRY_DEFAULT: u32 = 10;
/// The unit of its waits, doubled each time: 0.2 s, 0.4 s, ...
const BACKOFF_DELAY_DEFAULT: Duration = Duration::from_millis(200);

/// A broker, with Knative's default delivery where it brings none.
pub fn broker(object: &Broker) -> Result<snapshot::Broker, Vec<FieldError>> {
    let key = key_of(object);
    let delivery = match &object.spec.delivery {
        Some(written) => delivery(written, &key.namespace, "spec.delivery")?,
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
pub fn trigger(object: &Trigger) -> Result<snapshot::Trigger, Vec<FieldError>> {
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
    let subscriber = destination(&spec.subscriber, &key.namespace, "spec.subscriber");
    let delivery = spec.delivery.as_ref().map(|written| delivery(written, &key.namespace, "spec.delivery")).transpose();
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
pub fn bucket_source(object: &BucketSource) -> Result<snapshot::BucketSource, Vec<FieldError>> {
    let key = key_of(object);
    let spec = &object.spec;
    let sink = destination(&spec.sink, &key.namespace, "spec.sink").map_err(|error| vec![error])?;
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
pub fn delivery(written: &DeliverySpec, namespace: &str, path: &str) -> Result<Delivery, Vec<FieldError>> {
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
    let dead_letter = sink.map(|sink| destination(sink, namespace, &join(path, "deadLetterSink"))).transpose();
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

/// Where events go: a function or broker of this home by reference or by one of its URLs, or any other URL.
/// `namespace` is the referring object's; whether the object exists is not looked at.
pub fn destination(written: &Written, namespace: &str, path: &str) -> Result<Destination, FieldError> {
    let reference = written.reference.as_ref();
    let unsupported = [
        ("CACerts", written.ca_certs.is_some()),
        ("audience", written.audience.is_some()),
        ("ref.group", reference.is_some_and(|reference| reference.group.is_some())),
        ("ref.address", reference.is_some_and(|reference| reference.address.is_some())),
    ];
    if let Some((field, _)) = unsupported.iter().find(|(_, is_given)| *is_given) {
        return Err(FieldError::general(FieldErrorKind::NotSupported, &join(path, field), "not supported yet"));
    }
    match (&written.reference, &written.uri) {
        (None, None) => Err(FieldError::missing_one_of(path, &["ref", "uri"])),
        (Some(reference), uri) => by_reference(reference, uri.as_deref().unwrap_or("/"), namespace, path),
        (None, Some(uri)) => by_uri(uri, &join(path, "uri")),
    }
}

fn by_reference(reference: &Reference, relative: &str, namespace: &str, path: &str) -> Result<Destination, FieldError> {
    let key = ObjectKey::new(reference.namespace.as_deref().unwrap_or(namespace), reference.name.clone());
    if reference.name.is_empty() {
        return Err(FieldError::missing(&join(path, "ref.name")));
    }
    let group = reference.api_version.as_deref().unwrap_or_default();
    match (group, reference.kind.as_str()) {
        ("serving.knative.dev/v1", "Service") if relative.contains("://") => Err(FieldError::invalid_because(
            relative,
            &join(path, "uri"),
            "with a ref it must be relative to its address",
        )),
        ("serving.knative.dev/v1", "Service") => {
            Ok(Destination::Function { key, path: format!("/{}", relative.trim_start_matches('/')) })
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

fn by_uri(uri: &str, path: &str) -> Result<Destination, FieldError> {
    let invalid = || FieldError::invalid_because(uri, path, "expected an absolute http or https URL");
    let rest = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://")).ok_or_else(invalid)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_ascii_lowercase();
    if host.is_empty() || authority.contains('@') || uri.contains(char::is_whitespace) {
        return Err(invalid());
    }
    let tail = tail.split('#').next().unwrap_or_default();
    if ["localhost", "127.0.0.1"].contains(&host.as_str())
        && let Some(broker) = tail.strip_prefix("/-/broker/")
        && let Some((namespace, name)) = broker.trim_end_matches('/').split_once('/')
    {
        return Ok(Destination::Broker { key: ObjectKey::new(namespace, name) });
    }
    let ours = host.strip_suffix(".svc.cluster.local").or_else(|| host.strip_suffix(".localhost"));
    if let Some((name, namespace)) = ours.and_then(|name| name.split_once('.'))
        && !namespace.contains('.')
    {
        let slash = if tail.starts_with('/') { "" } else { "/" };
        return Ok(Destination::Function { key: ObjectKey::new(namespace, name), path: format!("{slash}{tail}") });
    }
    Ok(Destination::Uri { uri: uri.to_owned() })
}

fn key_of<K: kube::Resource>(object: &K) -> ObjectKey {
    ObjectKey::new(object.namespace().unwrap_or_default(), object.name_any())
}

fn string_map(map: &BTreeMap<String, String>) -> Value {
    Value::Object(map.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect())
}
