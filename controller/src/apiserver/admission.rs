//! What an object must pass before it is stored: identity and name, its schema, defaults and validation of its kind.

use super::failure::{Cause, Failure};
use super::request::Request;
use super::resource::Resource;
use super::schema::{self, Findings};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fnctl_config::api;
use serde_json::{Value, json};

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// The object as it will be stored.
    Yes,
    /// A part of it, as server-side apply sends: what is missing may be there already.
    Part,
}

/// Checks the form of an object that a client sent, and prunes what its schema does not know. Answers warnings.
pub(crate) fn form(request: &Request, object: &mut Value, whole: Whole) -> Result<Vec<String>, Failure> {
    let resource = request.resource;
    let kind = resource.kind();
    if !object.is_object() {
        return Err(Failure::bad_request("the body is no object"));
    }
    if object["kind"] != kind.kind || object["apiVersion"] != resource.api_version() {
        return Err(Failure::bad_request(format!(
            "the object provided has apiVersion {} and kind {}; this address takes {} {}",
            object["apiVersion"],
            object["kind"],
            resource.api_version(),
            kind.kind
        )));
    }
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    if resource.is_built_in() && kind.kind == "Secret" {
        fold_secret(object, whole);
    }
    let mut findings = schema::walk(api::schemas(), &kind.schema_name(), object);
    if whole == Whole::Part {
        findings.wrong.retain(|wrong| wrong.reason != "FieldValueRequired");
    }
    let name = object["metadata"]["name"].as_str().unwrap_or("");
    findings_to_answer(request, name, &findings)
}

fn findings_to_answer(request: &Request, name: &str, findings: &Findings) -> Result<Vec<String>, Failure> {
    let kind = request.resource.kind();
    let unknown: Vec<_> = findings
        .unknown
        .iter()
        .map(|unknown| match &unknown.nearest {
            Some(nearest) => format!("unknown field {:?} (did you mean {nearest:?}?)", unknown.path),
            None => format!("unknown field {:?}", unknown.path),
        })
        .collect();
    let validation = request.query.get("fieldValidation");
    if validation == "Strict" && !unknown.is_empty() {
        return Err(Failure::bad_request(format!(
            "{0} in version {1:?} cannot be handled as a {0}: strict decoding error: {2}",
            kind.kind,
            kind.version,
            unknown.join(", ")
        )));
    }
    if !findings.wrong.is_empty() {
        let causes: Vec<_> = findings
            .wrong
            .iter()
            .map(|wrong| Cause { reason: wrong.reason, message: wrong.message.clone(), field: wrong.path.clone() })
            .collect();
        return Err(Failure::invalid(request.resource, name, &causes));
    }
    Ok(if validation == "Ignore" { Vec::new() } else { unknown })
}

/// Defaults and validation of the kind. Answers warnings.
pub(crate) fn content(
    resource: Resource,
    object: &mut Value,
    old: Option<&Value>,
    who: &str,
) -> Result<Vec<String>, Failure> {
    let name = object["metadata"]["name"].as_str().unwrap_or("").to_owned();
    let mut causes = Vec::new();
    if let Err(errors) = api::admit(resource.kind(), object, old, who) {
        for error in errors {
            // The sentence begins with the path in Kubernetes' form; it is printed once.
            let message = error.message.strip_prefix(&format!("{}: ", error.path)).unwrap_or(&error.message);
            let cause = Cause { reason: error.kind.reason(), message: message.to_owned(), field: error.path.clone() };
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
    }
    let size = object.to_string().len();
    if size > fnctl_config::limits::OBJECT_BYTES_MAX {
        return Err(Failure::too_large(fnctl_config::limits::OBJECT_BYTES_MAX));
    }
    if !causes.is_empty() {
        return Err(Failure::invalid(resource, &name, &causes));
    }
    Ok(api::warnings(resource.kind(), object, old))
}

/// What Kubernetes does with a Secret on the way in: `stringData` is encoded into `data`, and there is a type.
fn fold_secret(secret: &mut Value, whole: Whole) {
    let Some(fields) = secret.as_object_mut() else { return };
    if let Some(Value::Object(text)) = fields.get("stringData").cloned()
        && text.values().all(Value::is_string)
    {
        fields.remove("stringData");
        let data = fields.entry("data").or_insert_with(|| json!({}));
        if let (Some(data), false) = (data.as_object_mut(), text.is_empty()) {
            for (key, value) in text {
                data.insert(key, json!(BASE64_STANDARD.encode(value.as_str().unwrap_or(""))));
            }
        }
    }
    if whole == Whole::Yes && fields.get("type").and_then(Value::as_str).is_none_or(str::is_empty) {
        fields.insert("type".to_owned(), json!("Opaque"));
    }
}
