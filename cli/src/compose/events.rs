//! Joins the brokers' ingress to the data plane's port.

use fnctl_activator::body::Body;
use fnctl_activator::serve::EventIngress;
use fnctl_broker::broker::Brokers;
use fnctl_config::snapshot::ObjectKey;
use futures::future::BoxFuture;
use http::{Request, Response};

/// The brokers behind `/-/broker/<namespace>/<name>`.
#[derive(Debug)]
pub(crate) struct Ingress(pub(crate) Brokers);

impl EventIngress for Ingress {
    fn ingest(&self, broker: ObjectKey, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let brokers = self.0.clone();
        Box::pin(async move { brokers.handle(&broker, request).await.map(Body::stream) })
    }
}
