//! Joins the broker to the functions of this process: delivery is activation: an event waits in the same queue as a request from the network.

use fnctl_activator::activator::{Activator, REVISION_HEADER};
use fnctl_activator::admit::Admission;
use fnctl_activator::body::Body;
use fnctl_activator::respond::Timing;
use fnctl_broker::deliver::{self, Answered, Deliver, Outcome, Parcel};
use fnctl_broker::event::http as binding;
use fnctl_config::snapshot::{Destination, ObjectKey};
use futures::future::BoxFuture;
use http::{Request, Response};
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
            Some(limit) => match timeout(limit, exchange).await {
                Ok(ended) => ended,
                Err(_) => {
                    Err(Outcome::Failed { reason: format!("no answer within {limit:?}"), duration: begun.elapsed() })
                }
            },
        }
    }
}

fn request(parcel: &Parcel, path: &str) -> Result<Request<Body>, String> {
    let mut request =
        Request::post(path).body(Body::from(parcel.event.data().clone())).map_err(|error| error.to_string())?;
    *request.headers_mut() = binding::encode_binary(&parcel.event);
    request.headers_mut().insert("prefer", http::HeaderValue::from_static("reply"));
    Ok(request)
}

async fn read(response: Response<Body>, begun: Instant) -> Result<Outcome, Outcome> {
    let (head, body) = response.into_parts();
    let body = deliver::read_body(head.status, body).await;
    let body = body.map_err(|error| Outcome::Failed {
        reason: format!("the answer broke off: {error}"),
        duration: begun.elapsed(),
    })?;
    let instance = head.headers.get(REVISION_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Outcome::Answered(Answered {
        status: head.status.as_u16(),
        waited: head.extensions.get().map(Timing::waited).unwrap_or_default(),
        headers: head.headers,
        body,
        duration: begun.elapsed(),
        instance,
    }))
}
