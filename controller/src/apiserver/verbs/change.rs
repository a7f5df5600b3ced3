//! PUT and PATCH: an object changes. A patch without a resourceVersion is tried again when another write came between.

use super::{Context, body, create};
use crate::apiserver::admission::{self, Whole};
use crate::apiserver::answer::object;
use crate::apiserver::authorize::Verb;
use crate::apiserver::failure::{Cause, Failure};
use crate::apiserver::patch::{self, Force, JsonPatchError, Manager, same_but_for_time, strategic};
use crate::apiserver::request::{Part, Request};
use crate::apiserver::store::{Operation, Refused, Version, deleting};
use crate::apiserver::time::now;
use axum::response::Response;
use fnctl_config::limits;
use http::StatusCode;
use serde_json::{Value, json};

/// How an object changes.
#[derive(Debug)]
enum Edit {
    /// It becomes this.
    Replace(Value),
    /// RFC 7396.
    Merge(Value),
    /// RFC 6902.
    Json(json_patch::Patch),
    /// Kubernetes' own merge, for its own kinds.
    Strategic(Value),
    /// Server-side apply: all that a manager wants.
    Apply(Value),
}

const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// Changes an object.
pub(crate) async fn change(context: Context<'_>) -> Result<Response, Failure> {
    let request = context.request;
    let (edit, of_patch) = edit(request)?;
    let name = request.named()?;
    let key = request.key(name);
    let (manager, now, api_version) = (request.manager(), now(), request.resource.api_version());
    let manager = Manager {
        name: &manager,
        operation: if matches!(edit, Edit::Apply(_)) { "Apply" } else { "Update" },
        subresource: request.subresource(),
        api_version: &api_version,
        now: &now,
    };
    for _ in 0..limits::API_PATCH_TRIES {
        let Some(stored) = context.store.snapshot()?.get(&key)? else {
            match &edit {
                Edit::Apply(config) if request.part == Part::Object => {
                    match apply_new(context, &manager, config, &of_patch).await {
                        Err(failure) if failure.reason == "AlreadyExists" => continue,
                        answer => return answer,
                    }
                }
                _ => return Err(Failure::not_found(request.resource, name)),
            }
        };
        let old: Value = serde_json::from_slice(&stored.bytes)
            .map_err(|error| Failure::internal(format!("the stored object cannot be read: {error}")))?;
        let mut new = perform(request, &edit, &old, &manager)?;
        check_identity(request, &edit, &old, stored.version, &new)?;
        let mut warnings = of_patch.clone();
        warnings.extend(admission::form(request, &mut new, Whole::Yes)?);
        warnings.dedup();
        settle(request, &old, &mut new);
        if request.part == Part::Object {
            warnings.extend(admission::content(request.resource, &mut new, Some(&old), context.user())?);
        }
        bump_generation(&old, &mut new);
        if !matches!(edit, Edit::Apply(_)) {
            manager.updated(&old, &mut new);
        }
        if same_but_for_time(&old, &new) {
            return Ok(object(request, StatusCode::OK, &stored.bytes, &warnings));
        }
        if request.is_dry_run() {
            return Ok(object(request, StatusCode::OK, new.to_string().as_bytes(), &warnings));
        }
        let asked = edit.names_a_version();
        match context.store.submit(Operation::Update(key.clone(), stored.version, new)).await {
            Ok(outcome) => return Ok(object(request, StatusCode::OK, &outcome.bytes(), &warnings)),
            Err(Refused::Conflict) if request.verb == Verb::Patch && !asked => {}
            Err(refused) => return Err(Failure::refused(&refused, &key)),
        }
    }
    Err(Failure::conflict(request.resource, name))
}

fn edit(request: &Request) -> Result<(Edit, Vec<String>), Failure> {
    let mut value = body(request)?;
    if request.verb == Verb::Update {
        return Ok((Edit::Replace(value), Vec::new()));
    }
    let edit = match request.content_type() {
        MERGE => Edit::Merge(value),
        JSON => {
            let patch = serde_json::from_value(value).map_err(|error| Failure::bad_request(error.to_string()))?;
            Edit::Json(patch)
        }
        STRATEGIC if request.resource.is_built_in() => Edit::Strategic(value),
        APPLY => {
            let warnings = admission::form(request, &mut value, Whole::Part)?;
            if !value["metadata"]["managedFields"].is_null() {
                return Err(Failure::bad_request("metadata.managedFields must be nil"));
            }
            if let Some(fields) = value.as_object_mut() {
                match request.part {
                    Part::Object if request.resource.kind().has_status => drop(fields.remove("status")),
                    Part::Object => {}
                    Part::Status => fields.retain(|name, _| name != "spec"),
                }
            }
            return Ok((Edit::Apply(value), warnings));
        }
        _ => return Err(Failure::unsupported(&[JSON, MERGE, APPLY].join(", "))),
    };
    Ok((edit, Vec::new()))
}

impl Edit {
    /// Whether the client said which version it changes: then a race is its own to settle.
    fn names_a_version(&self) -> bool {
        match self {
            Self::Replace(value) | Self::Merge(value) | Self::Strategic(value) | Self::Apply(value) => {
                value["metadata"]["resourceVersion"].is_string()
            }
            Self::Json(patch) => patch.iter().any(|operation| operation.path().as_str() == "/metadata/resourceVersion"),
        }
    }
}

fn perform(request: &Request, edit: &Edit, old: &Value, manager: &Manager<'_>) -> Result<Value, Failure> {
    let mut new = old.clone();
    match edit {
        Edit::Replace(value) => new = value.clone(),
        Edit::Merge(patch) => json_patch::merge(&mut new, patch),
        Edit::Json(patch) => patch::json(&mut new, patch).map_err(|error| match error {
            JsonPatchError::Operation(error) => {
                Failure::invalid_option(format!("the JSON patch does not apply: {error}"))
            }
            beyond => Failure::patch_too_large(&beyond),
        })?,
        Edit::Strategic(patch) => strategic(&mut new, patch),
        Edit::Apply(config) => {
            let force = if request.query.is_true("force") { Force::Yes } else { Force::No };
            new = manager.applied(old, config, force).map_err(|conflicts| Failure::apply_conflict(&conflicts))?;
        }
    }
    Ok(new)
}

/// Server-side apply to an object that is not there makes it.
async fn apply_new(
    context: Context<'_>,
    manager: &Manager<'_>,
    config: &Value,
    warnings: &[String],
) -> Result<Response, Failure> {
    let request = context.request;
    let mut config = config.clone();
    config["metadata"]["name"] = json!(request.named()?);
    if let Some(namespace) = &request.namespace {
        config["metadata"]["namespace"] = json!(namespace);
    }
    let mut bare = json!({"apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": {}});
    for field in ["name", "namespace"] {
        if let Some(value) = config["metadata"].get(field) {
            bare["metadata"][field] = value.clone();
        }
    }
    let applied = manager.applied(&bare, &config, Force::Yes);
    let mut new = applied.map_err(|conflicts| Failure::apply_conflict(&conflicts))?;
    create::begin(request, &mut new);
    // What defaults add belongs to nobody until somebody states it.
    admission::form(request, &mut new, Whole::Yes)?;
    let unused = admission::content(request.resource, &mut new, None, context.user())?;
    create::store(context, new, &[warnings, &unused].concat()).await
}

/// A resourceVersion or uid that the client sent is a precondition.
fn check_identity(request: &Request, edit: &Edit, old: &Value, version: Version, new: &Value) -> Result<(), Failure> {
    let (resource, name) = (request.resource, old["metadata"]["name"].as_str().unwrap_or(""));
    let replaces = matches!(edit, Edit::Replace(_));
    let asked = new["metadata"]["resourceVersion"].as_str().unwrap_or("");
    if asked.is_empty() && replaces && !resource.is_built_in() {
        let cause = Cause::invalid("metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update");
        return Err(Failure::invalid(resource, name, &[cause]));
    }
    if !asked.is_empty() && asked != version.to_string() {
        return Err(Failure::conflict(resource, name));
    }
    let is_other = |field: &str| {
        let given = new["metadata"][field].as_str().unwrap_or("");
        !given.is_empty() && old["metadata"][field] != given
    };
    if is_other("uid") {
        return Err(Failure::conflict(resource, name));
    }
    if is_other("name") || is_other("namespace") {
        let message = "the name or namespace of the object does not match that of the URL";
        return Err(Failure::bad_request(message));
    }
    Ok(())
}

/// Puts back what a client may not change: identity, and the half of the object that it did not write to.
fn settle(request: &Request, old: &Value, new: &mut Value) {
    match request.part {
        Part::Status => {
            let (status, managed) = (new["status"].take(), new["metadata"]["managedFields"].take());
            *new = old.clone();
            put(new, "status", Some(status).filter(|status| !status.is_null()));
            new["metadata"]["managedFields"] = managed;
        }
        Part::Object if request.resource.kind().has_status => put(new, "status", old.get("status").cloned()),
        Part::Object => {}
    }
    if request.resource.is_namespace() {
        put(new, "spec", old.get("spec").cloned());
        create::label_namespace(new);
    }
    let (was, is) = (&old["metadata"], &mut new["metadata"]);
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
    ] {
        put(is, field, was.get(field).cloned());
    }
    if is["managedFields"].is_null() {
        put(is, "managedFields", was.get("managedFields").cloned());
    }
    if deleting(old)
        && let Some(list) = is["finalizers"].as_array_mut()
    {
        // Nothing may hold an object any more once its deletion has begun.
        list.retain(|finalizer| was["finalizers"].as_array().is_some_and(|had| had.contains(finalizer)));
    }
    if is["finalizers"].is_null() || is["finalizers"].as_array().is_some_and(Vec::is_empty) {
        put(is, "finalizers", None);
    }
}

fn put(object: &mut Value, field: &str, value: Option<Value>) {
    let Some(fields) = object.as_object_mut() else { return };
    match value {
        Some(value) => drop(fields.insert(field.to_owned(), value)),
        None => drop(fields.remove(field)),
    }
}

/// The generation counts changes of everything but metadata and status.
fn bump_generation(old: &Value, new: &mut Value) {
    let Some(generation) = old["metadata"]["generation"].as_i64() else { return };
    let desired = |object: &Value| {
        let fields = object.as_object().into_iter().flatten();
        let fields = fields.filter(|(name, _)| *name != "metadata" && *name != "status");
        fields.map(|(name, value)| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>()
    };
    if desired(old) != desired(new) {
        new["metadata"]["generation"] = json!(generation + 1);
    }
}
