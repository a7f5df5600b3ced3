//! A Kubernetes-shaped API over one embedded database: what `kubectl`, `kn` and `kube::Client` speak to when there is no
//! cluster.
//!
//! A request goes `handler` → `authorize` → `list`, `watch` or `verbs`; a write passes `admission` (`schema`, then the
//! kind's own rules), `patch` where it changes an object, and ends in `store`. `discovery`, `openapi` and `table` tell
//! clients what there is and print it. `serve`, `tls`, `token` and `kubeconfig` are the way in from the network.
//!
//! Not here: what objects mean (reconcilers do that), admission webhooks, custom resource definitions, roles.

mod admission;
mod answer;
mod authorize;
mod discovery;
mod event;
mod failure;
mod handler;
pub mod json_path;
pub mod kubeconfig;
mod list;
pub mod logs;
mod openapi;
mod patch;
mod private_file;
mod protobuf;
mod request;
mod resource;
mod review;
mod schema;
mod selector;
mod serve;
pub mod store;
mod table;
mod time;
pub mod tls;
mod token;
mod verbs;
mod watch;

#[cfg(test)]
pub(crate) mod tests;

pub use authorize::{Identity, Target, Verb, authenticate, authorize, require_token};
pub use failure::{Cause, Failure};
pub use patch::Conflict;
pub use resource::Resource;
pub use serve::serve_tls;
pub use token::Token;

use axum::Router;
use axum::body::Body;
use fnctl_config::limits;
use logs::PodLogs;
use serde_json::json;
use std::fmt;
use std::sync::{Arc, LazyLock};
use store::{Key, Operation, Place, Refused, Store};
use tower::Service;

/// The namespace that is there from the start, and stays.
const DEFAULT_NAMESPACE: &str = "default";

/// The API, ready to be called in process and to be served.
#[derive(Clone, Debug)]
pub struct ApiServer {
    shared: Arc<Shared>,
}

/// What every request needs.
struct Shared {
    store: Arc<Store>,
    token: Token,
    logs: Arc<dyn PodLogs>,
    /// Made when they are first asked for: people ask, reconcilers do not.
    openapi: LazyLock<openapi::Documents>,
    closing: tokio::sync::watch::Sender<bool>,
}

impl Shared {
    fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.closing.subscribe();
        // Where the API is gone there is nothing to wait for, either.
        async move { drop(closing.wait_for(|closing| *closing).await) }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("store", &self.store).finish_non_exhaustive()
    }
}

impl ApiServer {
    /// Opens the store and makes the namespace `default` where it is not there.
    pub async fn open(place: Place, token: Token, logs: Arc<dyn PodLogs>) -> Result<Self, store::Error> {
        let opened = tokio::task::spawn_blocking(move || Store::open(place)).await;
        let store = Arc::new(opened.map_err(|error| store::Error::Failed(error.to_string()))??);
        if let Some(namespaces) = Resource::by_plural("", "namespaces")
            && store.snapshot()?.get(&Key::new(namespaces, "", DEFAULT_NAMESPACE))?.is_none()
        {
            let namespace = json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {
                    "name": DEFAULT_NAMESPACE, "uid": uuid::Uuid::new_v4().to_string(),
                    "creationTimestamp": time::now(), "labels": {"kubernetes.io/metadata.name": DEFAULT_NAMESPACE},
                },
                "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
            });
            match store.submit(Operation::Create(Key::new(namespaces, "", DEFAULT_NAMESPACE), namespace)).await {
                Ok(_) | Err(Refused::Exists) => {}
                Err(Refused::Unavailable(error)) => return Err(error),
                Err(refused) => return Err(store::Error::Failed(refused.to_string())),
            }
        }
        let (closing, _) = tokio::sync::watch::channel(false);
        let shared = Shared { store, token, logs, openapi: LazyLock::new(openapi::Documents::new), closing };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Every path of the API, behind the token. Other routes can be merged beside it; it takes what they leave.
    pub fn router(&self) -> Router {
        Router::new().fallback(handler::serve).with_state(self.shared.clone())
    }

    /// A client without socket, TLS and token: requests carry the node's identity. Pass a field manager in patches: such
    /// requests have no user agent, and the manager would be `unknown`.
    pub fn client(&self) -> kube::Client {
        let router = self.router();
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let mut router = router.clone();
            let (mut head, body) = request.into_parts();
            head.extensions.insert(Identity::Node);
            router.call(http::Request::from_parts(head, Body::new(body)))
        });
        kube::Client::new(service, DEFAULT_NAMESPACE)
    }

    /// The token that admits from the network.
    pub fn token(&self) -> &Token {
        &self.shared.token
    }

    /// Waits until the store takes no writes any more, and answers why. Then the node should stop: only a start helps.
    pub async fn failed(&self) -> String {
        self.shared.store.failed().await
    }

    /// Ends all watches and followed logs, so that a node can stop without waiting for them. New ones end at once.
    pub fn close_watches(&self) {
        self.shared.closing.send_replace(true);
    }

    /// Done once watches end. For streams beside them that go on for ever.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        self.shared.closing()
    }

    /// Lets old events go, for ever: the caller's task, ended by dropping it.
    pub async fn sweep_events(&self) {
        let mut interval = tokio::time::interval(limits::API_EVENT_SWEEP);
        loop {
            interval.tick().await;
            match event::sweep(&self.shared.store, jiff::Timestamp::now()).await {
                Ok(0) => {}
                Ok(gone) => tracing::debug!(gone, "old events are gone"),
                Err(error) => tracing::warn!(%error, "old events could not be deleted"),
            }
        }
    }
}
