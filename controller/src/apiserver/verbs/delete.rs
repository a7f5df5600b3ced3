//! DELETE of one object, or of all in a collection that a selector matches.

use super::{Context, body};
use crate::apiserver::DEFAULT_NAMESPACE;
use crate::apiserver::answer::{object, success};
use crate::apiserver::authorize::Verb;
use crate::apiserver::failure::Failure;
use crate::apiserver::list::Wanted;
use crate::apiserver::request::{Request, check_dry_run};
use crate::apiserver::store::{Cascade, Key, Operation, Outcome, Preconditions, Refused};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use std::ops::ControlFlow;

/// `DeleteOptions`, from body or query.
#[derive(Debug)]
struct Options {
    cascade: Cascade,
    preconditions: Preconditions,
    dry_run: bool,
}

/// Deletes.
pub(crate) async fn delete(context: Context<'_>) -> Result<Response, Failure> {
    let options = options(context.request)?;
    let request = context.request;
    if request.verb == Verb::DeleteCollection {
        return delete_collection(context, &options).await;
    }
    let key = request.key(request.named()?);
    if request.resource.is_namespace() && key.name == DEFAULT_NAMESPACE {
        return Err(Failure::forbidden("namespaces", &key.name, "this namespace may not be deleted"));
    }
    let stored = context.store.snapshot()?.get(&key)?;
    let stored = stored.ok_or_else(|| Failure::not_found(request.resource, &key.name))?;
    let details = |stored: &[u8]| {
        let object: Value = serde_json::from_slice(stored).unwrap_or_default();
        let kind = request.resource.kind();
        json!({"name": key.name, "group": kind.group, "kind": kind.plural, "uid": object["metadata"]["uid"]})
    };
    if options.dry_run {
        return Ok(success(&details(&stored.bytes)));
    }
    match perform(context, key.clone(), &options).await {
        // Finalizers, dependents or a namespace's content still hold it.
        Ok(Outcome::Stored(bytes)) => Ok(object(request, StatusCode::OK, &bytes, &[])),
        Ok(Outcome::Gone(bytes)) => Ok(success(&details(&bytes))),
        Err(refused) => Err(Failure::refused(&refused, &key)),
    }
}

async fn delete_collection(context: Context<'_>, options: &Options) -> Result<Response, Failure> {
    let request = context.request;
    // As in Kubernetes: everything in them would go, too.
    if request.resource.is_namespace() {
        return Err(Failure::method_not_allowed());
    }
    let wanted = Wanted::of(request)?;
    let mut keys = Vec::new();
    context.store.snapshot()?.visit(request.resource, request.namespace.as_deref(), None, |key, stored| {
        if wanted.selector.matches(&key.name, stored) {
            keys.push(key);
        }
        ControlFlow::Continue(())
    })?;
    if !options.dry_run {
        for key in keys {
            match perform(context, key.clone(), options).await {
                Ok(_) | Err(Refused::Missing) => {}
                Err(refused) => return Err(Failure::refused(&refused, &key)),
            }
        }
    }
    Ok(success(&json!({"group": request.resource.kind().group, "kind": request.resource.kind().plural})))
}

async fn perform(context: Context<'_>, key: Key, options: &Options) -> Result<Outcome, Refused> {
    let preconditions = options.preconditions.clone();
    context.store.submit(Operation::Delete { key, preconditions, cascade: options.cascade }).await
}

fn options(request: &Request) -> Result<Options, Failure> {
    let body = if request.body.is_empty() { json!({}) } else { body(request)? };
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let policy = body["propagationPolicy"].as_str().unwrap_or_else(|| request.query.get("propagationPolicy"));
    let orphans = body["orphanDependents"] == true || request.query.is_true("orphanDependents");
    let cascade = match policy {
        "Foreground" => Cascade::Foreground,
        "Orphan" => Cascade::Orphan,
        "" if orphans => Cascade::Orphan,
        "" | "Background" => Cascade::Background,
        other => {
            let message = format!(
                "propagationPolicy: Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\""
            );
            return Err(Failure::invalid_option(message));
        }
    };
    let dry_run = body["dryRun"].as_array().map(Vec::as_slice).unwrap_or_default();
    for asked in dry_run {
        check_dry_run(asked.as_str().unwrap_or("null"))?;
    }
    Ok(Options {
        cascade,
        preconditions: Preconditions {
            uid: text(&body["preconditions"]["uid"]),
            version: text(&body["preconditions"]["resourceVersion"]),
        },
        dry_run: request.is_dry_run() || !dry_run.is_empty(),
    })
}
