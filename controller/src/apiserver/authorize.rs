//! Who asks, and whether they may: the one gate that every request passes, from the network and from inside.

use super::discovery::is_pod;
use super::failure::Failure;
use super::resource::Resource;
use super::token::Token;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, header};
use std::sync::Arc;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The node's own controllers and projections, in process.
    Node,
    /// Whoever holds the node's token.
    Admin,
}

/// What is asked, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// One object.
    Get,
    /// A collection.
    List,
    /// Changes of a collection.
    Watch,
    /// A new object.
    Create,
    /// A whole replacement.
    Update,
    /// A partial change.
    Patch,
    /// One object goes.
    Delete,
    /// All of a collection go.
    DeleteCollection,
}

impl Verb {
    /// What a method asks of a path that names no objects.
    pub fn of(method: &Method) -> Self {
        match *method {
            Method::POST => Self::Create,
            Method::PUT => Self::Update,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            _ => Self::Get,
        }
    }

    /// By Kubernetes' name for it, or the method in small letters where a path is meant.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        match name {
            "get" | "head" | "options" => Some(Self::Get),
            "list" => Some(Self::List),
            "watch" => Some(Self::Watch),
            "create" | "post" => Some(Self::Create),
            "update" | "put" => Some(Self::Update),
            "patch" => Some(Self::Patch),
            "delete" => Some(Self::Delete),
            "deletecollection" => Some(Self::DeleteCollection),
            _ => None,
        }
    }
}

/// What it is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Objects of a kind.
    Objects(Resource),
    /// Anything else, by its path: discovery, `/metrics`, the node's own API, its artifacts.
    Path(&'a str),
}

/// Decides every request that needs the token. The token is the node's owner's, who may do everything that means something: a pod
/// that no revision stands behind would never run. Narrower identities are added here and nowhere else.
pub fn authorize(identity: Identity, verb: Verb, target: Target<'_>) -> Result<(), Failure> {
    let writes = matches!(verb, Verb::Create | Verb::Update | Verb::Patch);
    match (identity, target) {
        (Identity::Admin, Target::Objects(resource)) if writes && is_pod(resource) => {
            Err(Failure::only_the_node(resource, "make a Service of serving.knative.dev/v1"))
        }
        (Identity::Node | Identity::Admin, Target::Objects(_) | Target::Path(_)) => {
            tracing::trace!(?identity, ?verb, ?target, "allowed");
            Ok(())
        }
    }
}

/// Who a request comes from, by its bearer token. In-process requests carry their identity as an extension instead; the
/// network cannot set one.
pub fn authenticate<B>(request: &http::Request<B>, token: &Token) -> Result<Identity, Failure> {
    if let Some(identity) = request.extensions().get::<Identity>() {
        return Ok(*identity);
    }
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented =
        header.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match presented {
        Some((_, presented)) if token.matches(presented.trim()) => Ok(Identity::Admin),
        _ => Err(Failure::unauthorized()),
    }
}

/// Both as a layer for a whole router (`axum::middleware::from_fn_with_state(token, require_token)`): refuses strangers
/// with 401, and hands the identity on as an extension.
pub async fn require_token(State(token): State<Arc<Token>>, mut request: Request, next: Next) -> Response {
    let allowed = authenticate(&request, &token).and_then(|identity| {
        let target = Target::Path(request.uri().path());
        authorize(identity, Verb::of(request.method()), target).map(|()| identity)
    });
    match allowed {
        Ok(identity) => {
            request.extensions_mut().insert(identity);
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    }
}
