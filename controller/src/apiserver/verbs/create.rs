//! POST: a new object.

use super::{Context, body};
use crate::apiserver::admission::{self, Whole};
use crate::apiserver::answer::object;
use crate::apiserver::failure::Failure;
use crate::apiserver::patch::Manager;
use crate::apiserver::request::Request;
use crate::apiserver::store::{Operation, Refused};
use crate::apiserver::time::now;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

/// Letters of generated names: no vowels, so that no words appear.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Letters added to `generateName`, as Kubernetes.
const SUFFIX: usize = 5;
/// Times that another generated name is tried.
const NAMES_MAX: usize = 8;

/// Makes an object.
pub(crate) async fn create(context: Context<'_>) -> Result<Response, Failure> {
    let request = context.request;
    let mut new = body(request)?;
    let warnings = admission::form(request, &mut new, Whole::Yes)?;
    place(request, &mut new)?;
    let generated = new["metadata"]["name"].as_str().unwrap_or("").is_empty();
    for _ in 0..NAMES_MAX {
        let mut new = new.clone();
        name(&mut new);
        begin(request, &mut new);
        let unused = admission::content(request.resource, &mut new, None, context.user())?;
        let (manager, now) = (request.manager(), now());
        let manager = Manager {
            name: &manager,
            operation: "Update",
            subresource: "",
            api_version: &request.resource.api_version(),
            now: &now,
        };
        manager.updated(&json!({"metadata": {}}), &mut new);
        match store(context, new, &[warnings.as_slice(), &unused].concat()).await {
            Err(failure) if generated && failure.reason == "AlreadyExists" => {}
            answer => return answer,
        }
    }
    Err(Failure::internal("no free name was found for generateName"))
}

/// Stores a new object, or answers as if on a dry run.
pub(super) async fn store(context: Context<'_>, new: Value, warnings: &[String]) -> Result<Response, Failure> {
    let request = context.request;
    let key = request.key(new["metadata"]["name"].as_str().unwrap_or(""));
    if request.is_dry_run() {
        if context.store.snapshot()?.get(&key)?.is_some() {
            return Err(Failure::refused(&Refused::Exists, &key));
        }
        return Ok(object(request, StatusCode::CREATED, new.to_string().as_bytes(), warnings));
    }
    let stored = context.store.submit(Operation::Create(key.clone(), new)).await;
    let stored = stored.map_err(|refused| Failure::refused(&refused, &key))?;
    Ok(object(request, StatusCode::CREATED, &stored.bytes(), warnings))
}

/// Puts in what the server says of a new object, and takes out what a client must not.
pub(super) fn begin(request: &Request, new: &mut Value) {
    let kind = request.resource.kind();
    if kind.has_status
        && let Some(fields) = new.as_object_mut()
    {
        fields.remove("status");
    }
    if request.resource.is_namespace() {
        new["status"] = json!({"phase": "Active"});
        new["spec"] = json!({"finalizers": ["kubernetes"]});
        label_namespace(new);
    }
    let Some(metadata) = new["metadata"].as_object_mut() else { return };
    for field in ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
        metadata.remove(field);
    }
    if metadata.get("finalizers").is_some_and(|list| list.as_array().is_some_and(Vec::is_empty)) {
        metadata.remove("finalizers");
    }
    metadata.insert("uid".to_owned(), json!(uuid::Uuid::new_v4().to_string()));
    metadata.insert("creationTimestamp".to_owned(), json!(now()));
    if !kind.built_in {
        metadata.insert("generation".to_owned(), json!(1));
    }
}

/// A namespace has its name as a label too, so that selectors can choose it.
pub(super) fn label_namespace(namespace: &mut Value) {
    let name = namespace["metadata"]["name"].clone();
    if let Some(metadata) = namespace["metadata"].as_object_mut()
        && let Some(labels) = metadata.entry("labels").or_insert_with(|| json!({})).as_object_mut()
    {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name);
    }
}

fn place(request: &Request, new: &mut Value) -> Result<(), Failure> {
    let Some(metadata) = new["metadata"].as_object_mut() else {
        return Err(Failure::bad_request("metadata is no object"));
    };
    if !request.resource.kind().namespaced {
        metadata.remove("namespace");
        return Ok(());
    }
    let Some(namespace) = &request.namespace else {
        return Err(Failure::bad_request("an object of this kind is created in a namespace"));
    };
    if metadata.get("namespace").and_then(Value::as_str).is_some_and(|given| given != namespace) {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Failure::bad_request(message));
    }
    metadata.insert("namespace".to_owned(), json!(namespace));
    Ok(())
}

fn name(new: &mut Value) {
    let metadata = &mut new["metadata"];
    let given = metadata["name"].as_str().is_some_and(|name| !name.is_empty());
    if let (false, Some(prefix)) = (given, metadata["generateName"].as_str()) {
        let letter = || char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]);
        let suffix: String = std::iter::repeat_with(letter).take(SUFFIX).collect();
        // Kubernetes cuts the prefix so that the whole fits a label.
        let prefix: String = prefix.chars().take(63 - SUFFIX).collect();
        metadata["name"] = json!(format!("{prefix}{suffix}"));
    }
}
