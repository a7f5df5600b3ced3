//! The node's artifact store over the OCI distribution protocol (`/v2/`): what `oras push`, `wkg` and our own CLI speak.
//! Names carry no host here: `default/hello` is `fnctl.local/default/hello` in a manifest.
//!
//! Access is the composer's business: these routes are mounted behind the control port's own check.

mod uploads;

use crate::artifact::{ArtifactError, Artifacts, Target};
use crate::precheck::precheck;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use fnctl_config::limits;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::collections::HashMap;
use uploads::{UploadError, Uploads};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONTENT_DIGEST: &str = "docker-content-digest";

#[derive(Clone, Debug)]
struct Registry {
    artifacts: Artifacts,
    uploads: Uploads,
}

/// The routes. State that they make for uploads lives as long as the router.
pub fn router(artifacts: Artifacts) -> Router {
    let registry = Registry { uploads: Uploads::new(artifacts.clone()), artifacts };
    Router::new().route("/v2/", get(async || StatusCode::OK)).route("/v2/{*path}", any(serve)).with_state(registry)
}

/// What a path under `/v2/` names. The name itself holds slashes, so it is read from the right.
#[derive(Debug, PartialEq, Eq)]
enum Route<'a> {
    Tags { name: &'a str },
    Manifest { name: &'a str, target: &'a str },
    Blob { name: &'a str, digest: &'a str },
    NewUpload { name: &'a str },
    Upload { name: &'a str, id: &'a str },
}

fn route(path: &str) -> Option<Route<'_>> {
    let found = if let Some(name) = path.strip_suffix("/tags/list") {
        Route::Tags { name }
    } else if let Some(name) = path.strip_suffix("/blobs/uploads/").or_else(|| path.strip_suffix("/blobs/uploads")) {
        Route::NewUpload { name }
    } else if let Some((name, id)) = path.rsplit_once("/blobs/uploads/") {
        Route::Upload { name, id }
    } else if let Some((name, digest)) = path.rsplit_once("/blobs/") {
        Route::Blob { name, digest }
    } else {
        let (name, target) = path.rsplit_once("/manifests/")?;
        Route::Manifest { name, target }
    };
    let (Route::Tags { name }
    | Route::Manifest { name, .. }
    | Route::Blob { name, .. }
    | Route::NewUpload { name }
    | Route::Upload { name, .. }) = found;
    crate::artifact::is_name(name).then_some(found)
}

async fn serve(
    State(registry): State<Registry>,
    Path(path): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let Some(route) = route(&path) else {
        return Failure::new(StatusCode::NOT_FOUND, "NAME_INVALID", format!("{path:?} names nothing here")).answer();
    };
    let method = request.method().clone();
    let served = match (route, method) {
        (Route::Tags { name }, Method::GET) => registry.tags(name),
        (Route::Manifest { name, target }, Method::GET | Method::HEAD) => registry.manifest(name, target).await,
        (Route::Manifest { name, target }, Method::PUT) => {
            registry.put_manifest(name, target, request.into_body()).await
        }
        (Route::Blob { digest, .. }, Method::GET | Method::HEAD) => registry.blob(digest).await,
        (Route::NewUpload { name }, Method::POST) => match query.get("digest") {
            Some(digest) => registry.put_whole(name, digest, request.into_body()).await,
            None => registry.begin(name),
        },
        (Route::Upload { name, id }, Method::PATCH) => {
            let range = request.headers().get(header::CONTENT_RANGE).cloned();
            registry.append(name, id, range.as_ref(), request.into_body()).await
        }
        (Route::Upload { name, id }, Method::PUT) => match query.get("digest") {
            Some(digest) => registry.finish(name, id, digest, request.into_body()).await,
            None => Err(Failure::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "the query has no digest".to_owned())),
        },
        (Route::Upload { name, id }, Method::GET) => registry.progress(name, id),
        (Route::Upload { id, .. }, Method::DELETE) => {
            registry.uploads.cancel(id);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        (_, method) => {
            let text = format!("{method} is not offered here");
            Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", text))
        }
    };
    served.unwrap_or_else(|failure| failure.answer())
}

impl Registry {
    fn tags(&self, name: &str) -> Result<Response, Failure> {
        let tags = self.artifacts.tags(name);
        if tags.is_empty() {
            return Err(Failure::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", format!("nothing was pushed to {name}")));
        }
        Ok(axum::Json(serde_json::json!({ "name": name, "tags": tags })).into_response())
    }

    async fn manifest(&self, name: &str, target: &str) -> Result<Response, Failure> {
        let target = Target::parse(target).ok_or_else(|| invalid("TAG_INVALID", target))?;
        let (artifacts, name) = (self.artifacts.clone(), name.to_owned());
        let (digest, bytes) = blocking(move || artifacts.manifest(&name, &target)).await??;
        Ok(content(&digest, MANIFEST, bytes))
    }

    async fn put_manifest(&self, name: &str, target: &str, body: Body) -> Result<Response, Failure> {
        let target = Target::parse(target).ok_or_else(|| invalid("TAG_INVALID", target))?;
        let bytes = axum::body::to_bytes(body, limits::MANIFEST_BYTES_MAX).await.map_err(|_| {
            let text = format!("the manifest has more than {} bytes, or did not come", limits::MANIFEST_BYTES_MAX);
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", text)
        })?;
        let (artifacts, to) = (self.artifacts.clone(), name.to_owned());
        let digest = blocking(move || {
            let component = artifacts.component_of(&bytes)?;
            precheck(&component).map_err(|error| ArtifactError::Manifest(error.to_string()))?;
            artifacts.put_manifest(&to, &target, &bytes)
        })
        .await??;
        Ok(created(&format!("/v2/{name}/manifests/sha256:{digest}"), Some(&digest)))
    }

    async fn blob(&self, digest: &str) -> Result<Response, Failure> {
        let Some(Target::Digest(digest)) = Target::parse_digest(digest) else {
            return Err(invalid("DIGEST_INVALID", digest));
        };
        let (artifacts, wanted) = (self.artifacts.clone(), digest.clone());
        let bytes = blocking(move || artifacts.blob(&wanted)).await??;
        Ok(content(&digest, "application/octet-stream", bytes))
    }

    fn begin(&self, name: &str) -> Result<Response, Failure> {
        let id = self.uploads.begin()?;
        Ok(accepted(name, &id, 0))
    }

    async fn put_whole(&self, name: &str, digest: &str, body: Body) -> Result<Response, Failure> {
        let id = self.uploads.begin()?;
        self.finish(name, &id, digest, body).await
    }

    async fn append(&self, name: &str, id: &str, range: Option<&HeaderValue>, body: Body) -> Result<Response, Failure> {
        // `<start>-<end>`; where it is given it has to continue what is here.
        let start = range.and_then(|range| range.to_str().ok()).and_then(|range| range.split_once('-'));
        let start = start.and_then(|(start, _)| start.trim_start_matches("bytes ").parse().ok());
        let bytes = self.uploads.append(id, start, body).await?;
        Ok(accepted(name, id, bytes))
    }

    async fn finish(&self, name: &str, id: &str, digest: &str, body: Body) -> Result<Response, Failure> {
        let Some(Target::Digest(digest)) = Target::parse_digest(digest) else {
            self.uploads.cancel(id);
            return Err(invalid("DIGEST_INVALID", digest));
        };
        self.uploads.append(id, None, body).await?;
        self.uploads.finish(id, &digest).await?;
        Ok(created(&format!("/v2/{name}/blobs/sha256:{digest}"), Some(&digest)))
    }

    fn progress(&self, name: &str, id: &str) -> Result<Response, Failure> {
        let bytes = self.uploads.bytes(id)?;
        let mut answer = accepted(name, id, bytes);
        *answer.status_mut() = StatusCode::NO_CONTENT;
        Ok(answer)
    }
}

/// An error as the specification writes it.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: String) -> Self {
        Self { status, code, message }
    }

    fn answer(self) -> Response {
        let errors = serde_json::json!({ "errors": [{ "code": self.code, "message": self.message }] });
        (self.status, axum::Json(errors)).into_response()
    }
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        let (status, code) = match &error {
            ArtifactError::Missing(what) if what.starts_with("blob") => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            ArtifactError::Missing(_) => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            ArtifactError::Digest { .. } => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            ArtifactError::Reference(_) | ArtifactError::Manifest(_) => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            ArtifactError::Full { .. } => (StatusCode::INSUFFICIENT_STORAGE, "DENIED"),
            ArtifactError::Io { .. } | ArtifactError::Damaged { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<UploadError> for Failure {
    fn from(error: UploadError) -> Self {
        let (status, code) = match &error {
            UploadError::Unknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            UploadError::TooMany => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            UploadError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
            UploadError::Gap { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
            UploadError::Body(_) => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            UploadError::Artifact(_) => return Self::from_artifact(error),
        };
        Self::new(status, code, error.to_string())
    }
}

impl Failure {
    fn from_artifact(error: UploadError) -> Self {
        match error {
            UploadError::Artifact(error) => error.into(),
            other => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", other.to_string()),
        }
    }
}

fn invalid(code: &'static str, what: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, code, format!("{what:?} is not valid"))
}

fn content(digest: &str, media_type: &'static str, bytes: Vec<u8>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    insert(&mut headers, CONTENT_DIGEST, &format!("sha256:{digest}"));
    // axum answers HEAD with the same head and length, without the body.
    (headers, bytes).into_response()
}

fn created(location: &str, digest: Option<&str>) -> Response {
    let mut headers = HeaderMap::new();
    insert(&mut headers, "location", location);
    if let Some(digest) = digest {
        insert(&mut headers, CONTENT_DIGEST, &format!("sha256:{digest}"));
    }
    (StatusCode::CREATED, headers).into_response()
}

fn accepted(name: &str, id: &str, bytes: u64) -> Response {
    let mut headers = HeaderMap::new();
    insert(&mut headers, "location", &format!("/v2/{name}/blobs/uploads/{id}"));
    insert(&mut headers, "docker-upload-uuid", id);
    insert(&mut headers, "range", &format!("0-{}", bytes.saturating_sub(1)));
    (StatusCode::ACCEPTED, headers).into_response()
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Names, digests and ids are ASCII by their parsers.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The disk blocks: not on the threads of connections.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Failure::new(StatusCode::SERVICE_UNAVAILABLE, "UNKNOWN", "the node is stopping".to_owned()))
}

#[cfg(test)]
mod tests;
