//! One request: who asks, what for, may they, and the answer. One fallback handler serves every path, so that the router
//! needs no route for each kind.

use super::authorize::{Target, Verb, authenticate, authorize};
use super::failure::Failure;
use super::logs::{self, LogOptions};
use super::request::{Query, Request, segments};
use super::resource::Resource;
use super::verbs::{self, Context};
use super::{Shared, discovery, list, openapi, review, watch};
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fnctl_config::limits;
use fnctl_config::snapshot::ObjectKey;
use http::request::Parts;
use http::{Method, header};
use std::sync::Arc;

/// Serves one request.
pub(crate) async fn serve(State(shared): State<Arc<Shared>>, request: http::Request<Body>) -> Response {
    match answer(&shared, request).await {
        Ok(response) => response,
        Err(failure) => {
            tracing::debug!(code = failure.code.as_u16(), message = %failure.message, "refused");
            failure.into_response()
        }
    }
}

async fn answer(shared: &Arc<Shared>, request: http::Request<Body>) -> Result<Response, Failure> {
    let identity = authenticate(&request, &shared.token)?;
    let (head, body) = request.into_parts();
    let path = segments(head.uri.path());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let accept = super::request::text(&head.headers, header::ACCEPT);
    if head.method == Method::GET {
        let here = Target::Path(head.uri.path());
        if let ["openapi", "v3", rest @ ..] = path.as_slice() {
            authorize(identity, Verb::Get, here)?;
            return openapi_answer(&shared.openapi, rest);
        }
        if let Some(found) = discovery::answer(&path, accept) {
            authorize(identity, Verb::Get, here)?;
            return Ok(found);
        }
        if let ["api", "v1", "namespaces", namespace, "pods", name, "log"] = path.as_slice() {
            let pod = pods().ok_or_else(Failure::no_such_path)?;
            authorize(identity, Verb::Get, Target::Objects(pod))?;
            return pod_log(shared, pod, ObjectKey::new(*namespace, *name), &head).await;
        }
    }
    if let (["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"], &Method::POST) =
        (path.as_slice(), &head.method)
    {
        authorize(identity, Verb::Create, Target::Path(head.uri.path()))?;
        let content_type = super::request::text(&head.headers, header::CONTENT_TYPE).to_owned();
        return review::answer(identity, &read(body).await?, &content_type);
    }
    let mut request = Request::read(&head)?;
    authorize(identity, request.verb, Target::Objects(request.resource))?;
    request.body = read(body).await?;
    let context = Context { store: &shared.store, identity, request: &request };
    match request.verb {
        Verb::Get => list::get(&shared.store, &request),
        Verb::List => list::list(&shared.store, &request).await,
        Verb::Watch => watch::watch(shared.store.clone(), shared.closing.subscribe(), &request),
        Verb::Create => verbs::create(context).await,
        Verb::Update | Verb::Patch => verbs::change(context).await,
        Verb::Delete | Verb::DeleteCollection => verbs::delete(context).await,
    }
}

fn openapi_answer(documents: &openapi::Documents, rest: &[&str]) -> Result<Response, Failure> {
    documents.answer(rest).ok_or_else(Failure::no_such_path)
}

fn pods() -> Option<Resource> {
    Resource::all().find(|resource| discovery::is_pod(*resource))
}

async fn pod_log(shared: &Shared, pods: Resource, pod: ObjectKey, head: &Parts) -> Result<Response, Failure> {
    let options = LogOptions::of(&Query::parse(head.uri.query().unwrap_or("")))?;
    let key = super::store::Key::new(pods, pod.namespace.clone(), pod.name.clone());
    shared.store.snapshot()?.get(&key)?.ok_or_else(|| Failure::not_found(pods, &pod.name))?;
    Ok(logs::answer(shared.logs.as_ref(), pod, options, shared.closing()).await)
}

async fn read(body: Body) -> Result<Bytes, Failure> {
    to_bytes(body, limits::OBJECT_BYTES_MAX).await.map_err(|error| {
        let mut source: Option<&dyn std::error::Error> = Some(&error);
        while let Some(cause) = source {
            if cause.is::<http_body_util::LengthLimitError>() {
                return Failure::too_large(limits::OBJECT_BYTES_MAX);
            }
            source = cause.source();
        }
        Failure::bad_request(format!("the body could not be read: {error}"))
    })
}
