//! Why a request was refused, in the words and codes that `kubectl` and client libraries act on: a `Status` object.
//! No other file of the API server chooses an HTTP status for a failure.

use super::patch::JsonPatchError;
use super::resource::Resource;
use super::store;
use http::StatusCode;
use serde_json::{Value, json};

/// A refused request.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The HTTP status.
    pub code: StatusCode,
    /// Kubernetes' reason: what programs look at.
    pub reason: &'static str,
    /// What people read.
    pub message: String,
    /// Which object, and which of its fields.
    pub details: Value,
}

/// One field that is wrong, as it appears in `details.causes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Kubernetes' reason.
    pub reason: &'static str,
    /// What is wrong.
    pub message: String,
    /// Its path.
    pub field: String,
}

impl Failure {
    /// A failure with nothing known of an object.
    pub fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: json!({}) }
    }

    /// The `Status` object.
    pub fn status(&self) -> Value {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "details": self.details, "code": self.code.as_u16(),
        })
    }

    /// 400: the request itself makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 401: no token, or not ours.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    /// 403: known, but not allowed.
    pub fn forbidden(resource: &str, name: &str, why: &str) -> Self {
        let message = format!("{resource} {name:?} is forbidden: {why}");
        let details = json!({"name": name, "kind": resource});
        Self { details, ..Self::new(StatusCode::FORBIDDEN, "Forbidden", message) }
    }

    /// 403: a kind that only the node writes.
    pub fn only_the_node(resource: Resource, instead: &str) -> Self {
        let message = format!("{} are written by the node alone: {instead}", resource.name());
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    /// 404: no such path.
    pub fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource")
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    /// 404: no such object.
    pub fn not_found(resource: Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.name());
        Self::of(resource, name, StatusCode::NOT_FOUND, "NotFound").says(message)
    }

    /// 404: the namespace of the request is not there.
    pub fn no_namespace(namespace: &str) -> Self {
        let message = format!("namespaces \"{namespace}\" not found");
        let details = json!({"name": namespace, "kind": "namespaces"});
        Self { details, ..Self::new(StatusCode::NOT_FOUND, "NotFound", message) }
    }

    /// 409: changed since it was read.
    pub fn conflict(resource: Resource, name: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the object has been modified; \
             please apply your changes to the latest version and try again",
            resource.name()
        );
        Self::of(resource, name, StatusCode::CONFLICT, "Conflict").says(message)
    }

    /// 409: fields that other managers own.
    pub fn apply_conflict(conflicts: &[super::patch::Conflict]) -> Self {
        let (plural, joint) = if conflicts.len() == 1 { ("conflict", ": ") } else { ("conflicts", ":\n- ") };
        let text: Vec<_> = conflicts.iter().map(ToString::to_string).collect();
        let causes: Vec<_> = conflicts
            .iter()
            .map(|conflict| Cause {
                reason: "FieldManagerConflict",
                message: format!("conflict with {:?}", conflict.manager),
                field: conflict.field.clone(),
            })
            .collect();
        let message = format!("Apply failed with {} {plural}{joint}{}", conflicts.len(), text.join("\n- "));
        let mut failure = Self::new(StatusCode::CONFLICT, "Conflict", message);
        failure.details = json!({"causes": causes.iter().map(Cause::json).collect::<Vec<_>>()});
        failure
    }

    /// 410: too old to be served from what is kept.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "Expired", message)
    }

    /// 413.
    pub fn too_large(limit: usize) -> Self {
        let message = format!("the request is larger than the limit of {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message)
    }

    /// 413: a JSON patch beyond its bounds.
    pub(crate) fn patch_too_large(error: &JsonPatchError) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", error.to_string())
    }

    /// 415.
    pub fn unsupported(accepted: &str) -> Self {
        let message =
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    /// 422: the object is not valid; every wrong field is named.
    pub fn invalid(resource: Resource, name: &str, causes: &[Cause]) -> Self {
        let kind = resource.kind();
        let qualified =
            if kind.group.is_empty() { kind.kind.to_owned() } else { format!("{}.{}", kind.kind, kind.group) };
        let fields: Vec<_> = causes.iter().map(Cause::text).collect();
        let text = if let [one] = fields.as_slice() { one.clone() } else { format!("[{}]", fields.join(", ")) };
        let mut failure = Self::of(resource, name, StatusCode::UNPROCESSABLE_ENTITY, "Invalid")
            .says(format!("{qualified} {name:?} is invalid: {text}"));
        failure.details["kind"] = json!(kind.kind);
        failure.details["causes"] = causes.iter().map(Cause::json).collect();
        failure
    }

    /// 422: an option of the request is not valid.
    pub fn invalid_option(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
    }

    /// 500: our own fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// 507: the disk has no room. 500: it failed. 503: too much waits. Clients try a 503 again by themselves, for minutes;
    /// the others want a person.
    pub fn unavailable(error: &store::Error) -> Self {
        match error {
            store::Error::Full { .. } => {
                return Self::new(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage", error.to_string());
            }
            store::Error::InUse(_) | store::Error::Failed(_) | store::Error::ReadOnly(_) => {
                return Self::internal(error.to_string());
            }
            store::Error::Busy => {}
        }
        let mut failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", error.to_string());
        failure.details = json!({"retryAfterSeconds": 1});
        failure
    }

    /// 504: a version that is not there yet.
    pub fn version_too_large(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let mut failure = Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message);
        let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        failure.details = json!({"retryAfterSeconds": 1, "causes": [cause]});
        failure
    }

    /// What the store refused, about one object.
    pub fn refused(refused: &store::Refused, key: &store::Key) -> Self {
        match refused {
            store::Refused::Exists => {
                let message = format!("{} \"{}\" already exists", key.resource.name(), key.name);
                Self::of(key.resource, &key.name, StatusCode::CONFLICT, "AlreadyExists").says(message)
            }
            store::Refused::Missing => Self::not_found(key.resource, &key.name),
            store::Refused::Conflict => Self::conflict(key.resource, &key.name),
            store::Refused::NoNamespace => Self::no_namespace(&key.namespace),
            store::Refused::Terminating => {
                let why = format!(
                    "unable to create new content in namespace {} because it is being terminated",
                    key.namespace
                );
                Self::forbidden(&key.resource.name(), &key.name, &why)
            }
            store::Refused::Unavailable(error) => Self::unavailable(error),
        }
    }

    fn of(resource: Resource, name: &str, code: StatusCode, reason: &'static str) -> Self {
        let kind = resource.kind();
        let details = json!({"name": name, "group": kind.group, "kind": kind.plural});
        Self { code, reason, message: String::new(), details }
    }

    fn says(self, message: String) -> Self {
        Self { message, ..self }
    }
}

impl Cause {
    /// A value that is not allowed.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: "FieldValueInvalid", message: message.into(), field: field.into() }
    }

    fn text(&self) -> String {
        if self.field.is_empty() { self.message.clone() } else { format!("{}: {}", self.field, self.message) }
    }

    fn json(&self) -> Value {
        json!({"reason": self.reason, "message": self.message, "field": self.field})
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::unavailable(&error)
    }
}
