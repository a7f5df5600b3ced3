//! Answers: one object in the shape asked for, warnings, failures.

use super::event::to_events_v1;
use super::failure::Failure;
use super::request::{Request, Spelling};
use super::resource::Resource;
use super::table::{self, Shape};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How objects of one request are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) resource: Resource,
    pub(crate) spelling: Spelling,
    pub(crate) shape: Shape,
}

impl View {
    /// As the request's headers ask.
    pub(crate) fn of(request: &Request) -> Self {
        let shape = Shape::asked(request.accept(), request.query.get("includeObject"));
        Self { resource: request.resource, spelling: request.spelling, shape }
    }

    /// One stored object as an item of a list: itself, its metadata, or a row.
    pub(crate) fn item(&self, stored: &[u8], now: Timestamp) -> Bytes {
        if self.shape == Shape::Whole && self.spelling == Spelling::Core {
            return Bytes::copy_from_slice(stored);
        }
        let mut object: Value = serde_json::from_slice(stored).unwrap_or_default();
        match self.shape {
            Shape::Whole => {
                self.spell(&mut object);
                object.to_string().into()
            }
            Shape::Metadata => table::metadata_only(&object).to_string().into(),
            Shape::Table(include) => table::row(self.resource, &object, include, now).to_string().into(),
        }
    }

    /// One stored object on its own. In a watch only the first table has columns.
    pub(crate) fn single(&self, stored: &[u8], columns: &Value) -> Bytes {
        let item = self.item(stored, Timestamp::now());
        match self.shape {
            Shape::Whole | Shape::Metadata => item,
            Shape::Table(_) => {
                let version = super::verbs::version_of(stored);
                table::table(&json!({"resourceVersion": version}), columns, &item).into()
            }
        }
    }

    /// `apiVersion` of the objects as they are spelled here.
    pub(crate) fn api_version(&self) -> String {
        match self.spelling {
            Spelling::Core => self.resource.api_version(),
            Spelling::EventsV1 => "events.k8s.io/v1".to_owned(),
        }
    }

    fn spell(&self, object: &mut Value) {
        if self.spelling == Spelling::EventsV1 {
            to_events_v1(object);
        }
    }
}

/// One object, with warnings.
pub(crate) fn object(request: &Request, code: StatusCode, stored: &[u8], warnings: &[String]) -> Response {
    let view = View::of(request);
    let mut response = json_bytes(code, view.single(stored, &table::columns(request.resource)));
    for warning in warnings {
        // A text that is no header value (a field named in Unicode) is left out: it is advice only.
        if let Ok(value) = HeaderValue::from_str(&format!("299 - {}", json!(warning))) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

/// `Status: Success`.
pub(crate) fn success(details: &Value) -> Response {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
    json_bytes(StatusCode::OK, status.to_string())
}

/// A JSON body.
pub(crate) fn json_bytes(code: StatusCode, body: impl Into<Body>) -> Response {
    (code, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = json_bytes(self.code, self.status().to_string());
        if let Some(seconds) = self.details["retryAfterSeconds"].as_u64() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
