//! Delivery by HTTP POST to any URL: binary content mode, `Prefer: reply`, no redirects, every address checked.

use super::connect::{ConnectError, Connector, Roots};
use super::{Answered, Deliver, Outcome, Parcel};
use crate::event::http as binding;
use ::http::header::HeaderValue;
use ::http::{HeaderMap, Method, Request, Uri};
use bytes::Bytes;
use fnctl_config::limits::{DELIVERY_TIMEOUT_DEFAULT, SINK_IDLE_CONNECTIONS_MAX, SINK_IDLE_TIMEOUT, SINK_TRUSTS_MAX};
use fnctl_config::reach::Policy;
use fnctl_config::snapshot::Destination;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

type Sinks = Client<Connector, Full<Bytes>>;

/// The adapter.
pub struct HttpDeliver {
    connector: Connector,
    sinks: Sinks,
    /// Sinks that bring certificates to trust, each set with connections of its own; the one used last is at the end.
    trusting: Mutex<Vec<(String, Sinks)>>,
}

impl fmt::Debug for HttpDeliver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpDeliver")
    }
}

impl HttpDeliver {
    /// An adapter that reaches what the policy allows, and by https those whom the roots vouch for.
    pub fn new(policy: Policy, roots: Roots) -> Self {
        let connector = Connector::new(policy, roots);
        Self { sinks: sinks(connector.clone()), connector, trusting: Mutex::default() }
    }

    fn sinks(&self, ca_certs: Option<&str>) -> Sinks {
        let Some(ca_certs) = ca_certs else { return self.sinks.clone() };
        let mut trusting = self.trusting.lock().unwrap_or_else(PoisonError::into_inner);
        let known = trusting.iter().position(|(known, _)| known == ca_certs).map(|at| trusting.remove(at));
        if known.is_none() && trusting.len() >= SINK_TRUSTS_MAX {
            trusting.remove(0);
        }
        let known = known.unwrap_or_else(|| (ca_certs.to_owned(), sinks(self.connector.trusting(ca_certs))));
        trusting.push(known.clone());
        known.1
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<(u16, HeaderMap, Bytes), Failure> {
        let Destination::Uri { uri, ca_certs } = &parcel.destination else {
            return Err(Failure::Forbidden(format!("{:?} is no URL", parcel.destination)));
        };
        let request = request(uri, parcel)?;
        let answer = self.sinks(ca_certs.as_deref()).request(request).await.map_err(|error| classify(&error))?;
        let (head, body) = answer.into_parts();
        let body = super::read_body(head.status, body).await;
        let body = body.map_err(|error| Failure::Broken(format!("the answer's body: {}", chain(&*error))))?;
        Ok((head.status.as_u16(), head.headers, body))
    }
}

fn sinks(connector: Connector) -> Sinks {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(SINK_IDLE_TIMEOUT)
        .pool_max_idle_per_host(SINK_IDLE_CONNECTIONS_MAX)
        .build(connector)
}

impl Deliver for HttpDeliver {
    fn deliver(&self, parcel: Parcel) -> BoxFuture<'_, Outcome> {
        async move {
            let begin = Instant::now();
            let limit = parcel.timeout.unwrap_or(DELIVERY_TIMEOUT_DEFAULT);
            let ended = timeout(limit, self.attempt(&parcel)).await;
            let duration = begin.elapsed();
            match ended {
                Ok(Ok((status, headers, body))) => Outcome::Answered(Answered {
                    status,
                    headers,
                    body,
                    duration,
                    waited: Duration::ZERO,
                    instance: None,
                }),
                Ok(Err(Failure::Broken(reason))) => Outcome::Failed { reason, duration },
                Ok(Err(Failure::Forbidden(reason))) => Outcome::Forbidden { reason },
                Err(_) => Outcome::Failed { reason: format!("no answer within {limit:?}"), duration },
            }
        }
        .boxed()
    }
}

enum Failure {
    Broken(String),
    Forbidden(String),
}

fn request(uri: &str, parcel: &Parcel) -> Result<Request<Full<Bytes>>, Failure> {
    let forbidden = |why: &str| Failure::Forbidden(format!("{uri:?} cannot be a subscriber: {why}"));
    let parsed: Uri = uri.parse().map_err(|_| forbidden("it is no URL"))?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) {
        return Err(forbidden("only http and https are"));
    }
    if parsed.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(forbidden("it needs a host and no user name"));
    }
    let mut request = Request::new(Full::new(parcel.event.data().clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = parsed;
    *request.headers_mut() = binding::encode_binary(&parcel.event);
    request.headers_mut().insert("prefer", HeaderValue::from_static("reply"));
    Ok(request)
}

fn classify(error: &(dyn Error + 'static)) -> Failure {
    let mut cause = Some(error);
    while let Some(level) = cause {
        match level.downcast_ref::<ConnectError>() {
            Some(error @ (ConnectError::Refused { .. } | ConnectError::Host(..) | ConnectError::CaCerts(_))) => {
                return Failure::Forbidden(error.to_string());
            }
            Some(error) => return Failure::Broken(error.to_string()),
            None => cause = level.source(),
        }
    }
    Failure::Broken(chain(error))
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(level) = cause {
        text.push_str(": ");
        text.push_str(&level.to_string());
        cause = level.source();
    }
    text
}

#[cfg(test)]
pub(super) mod tests;
