//! Joins the broker to what runs in this process: functions through the activator, other brokers through their log.
//! Delivery is activation: an event waits in the same queue as a request from the network.

use fnctl_activator::body::Body;
use fnctl_activator::activator::{Activator, REVISION_HEADER};
use fnctl_activator::admit::Admission;
use fnctl_broker::Brokers;
use fnctl_broker::deliver::{Answered, Deliver, Outcome, Parcel};
use fnctl_broker::event::http as binding;
use fnctl_config::limits::REPLY_BYTES_MAX;
use fnctl_config::snapshot::{Destination, ObjectKey};
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use std::sync::{Arc, OnceLock};
use tokio::time::{Instant, timeout};

/// Delivers to functions of this home.
#[derive(Debug)]
pub(crate) struct Functions(pub(crate) Activator);

impl Deliver for Functions {
    fn deliver(&self, parcel: Parcel) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let Destination::Function { key, path } = &parcel.destination else {
                return Outcome::Forbidden { reason: "the destination is no function".to_owned() };
            };
            match self.attempt(&parcel, key, path).await {
                Ok(outcome) | Err(outcome) => outcome,
            }
        })
    }
}

impl Functions {
    async fn attempt(&self, parcel: &Parcel, key: &ObjectKey, path: &str) -> Result<Outcome, Outcome> {
        let request = request(parcel, path).map_err(|reason| Outcome::Forbidden { reason })?;
        let begun = Instant::now();
        let exchange = async {
            let response = self.0.call(key, request, Admission::Wait).await;
            let response = response.map_err(|refusal| Outcome::NotAdmitted { reason: refusal.to_string() })?;
            read(response, begun).await
        };
        match parcel.timeout {
            None => exchange.await,
            Some(limit) => timeout(limit, exchange).await.unwrap_or_else(|_| {
                Err(Outcome::Failed { reason: format!("no answer within {limit:?}"), duration: begun.elapsed() })
            }),
        }
    }
}

fn request(parcel: &Parcel, path: &str) -> Result<Request<Body>, String> {
    let (headers, body) = binding::encode_binary(&parcel.event).map_err(|error| error.to_string())?;
    let mut request = Request::post(path).body(Body::from(body)).map_err(|error| error.to_string())?;
    *request.headers_mut() = headers;
    request.headers_mut().insert("prefer", http::HeaderValue::from_static("reply"));
    Ok(request)
}

async fn read(response: Response<Body>, begun: Instant) -> Result<Outcome, Outcome> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, REPLY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| Outcome::Failed { reason: format!("the answer broke off: {error}"), duration: begun.elapsed() })?;
    let instance = head.headers.get(REVISION_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Outcome::Answered(Answered {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.to_bytes(),
        duration: begun.elapsed(),
        instance,
    }))
}

/// Delivers to brokers of this home. They are opened with this adapter in hand, so they are set a moment later.
#[derive(Debug, Default)]
pub(crate) struct OtherBrokers(pub(crate) Arc<OnceLock<Brokers>>);

impl Deliver for OtherBrokers {
    fn deliver(&self, parcel: Parcel) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let (Some(brokers), Destination::Broker { key }) = (self.0.get(), &parcel.destination) else {
                return Outcome::NotAdmitted { reason: "the brokers are not open yet".to_owned() };
            };
            let begun = Instant::now();
            match brokers.publish(key, (*parcel.event).clone()).await {
                Ok(_) => Outcome::Answered(Answered {
                    status: http::StatusCode::ACCEPTED.as_u16(),
                    headers: http::HeaderMap::new(),
                    body: bytes::Bytes::new(),
                    duration: begun.elapsed(),
                    instance: None,
                }),
                Err(refused) => Outcome::Failed { reason: refused.to_string(), duration: begun.elapsed() },
            }
        })
    }
}
