//! Delivery by HTTP POST to any URL: binary content mode, `Prefer: reply`, no redirects, every address checked.

use super::address::{self, Policy};
use super::{Answered, Deliver, Outcome, Parcel};
use crate::event::http as binding;
use ::http::header::HeaderValue;
use ::http::{HeaderMap, Method, Request, Uri};
use bytes::Bytes;
use fnctl_config::limits::{CONNECT_TIMEOUT, DELIVERY_TIMEOUT_DEFAULT, REPLY_BYTES_MAX, SINK_IDLE_CONNECTIONS_MAX};
use fnctl_config::snapshot::Destination;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// The adapter. Clones share its connections. `https` is refused until the node has trust roots to check it with.
#[derive(Clone)]
pub struct HttpDeliver {
    client: Client<Connector, Full<Bytes>>,
}

impl fmt::Debug for HttpDeliver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpDeliver")
    }
}

impl HttpDeliver {
    /// An adapter that reaches what the policy allows.
    pub fn new(policy: Policy) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(SINK_IDLE_CONNECTIONS_MAX)
            .build(Connector { policy: Arc::new(policy) });
        Self { client }
    }

    async fn attempt(&self, parcel: &Parcel) -> Result<(u16, HeaderMap, Bytes), Failure> {
        let Destination::Uri { uri } = &parcel.destination else {
            return Err(Failure::Forbidden(format!("{:?} is no URL", parcel.destination)));
        };
        let request = request(uri, parcel)?;
        let answer = self.client.request(request).await.map_err(|error| classify(&error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, REPLY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Failure::Broken(format!("the answer's body: {}", chain(&*error))))?;
        Ok((head.status.as_u16(), head.headers, body.to_bytes()))
    }
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
    match parsed.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(forbidden("https is not supported yet")),
        _ => return Err(forbidden("only http and https are")),
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
        if let Some(refused) = level.downcast_ref::<Refused>() {
            return Failure::Forbidden(refused.to_string());
        }
        cause = level.source();
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

/// Resolves, checks and connects to the very address that was checked.
#[derive(Clone)]
struct Connector {
    policy: Arc<Policy>,
}

#[derive(Debug, thiserror::Error)]
#[error("{host} must not be reached: {refusal}")]
struct Refused {
    host: String,
    refusal: address::Refusal,
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
            let port = uri.port_u16().unwrap_or(80);
            match timeout(CONNECT_TIMEOUT, connect(&host, port, &policy)).await {
                Ok(connected) => connected,
                Err(_) => Err(timed_out(CONNECT_TIMEOUT).into()),
            }
        })
    }
}

async fn connect(host: &str, port: u16, policy: &Policy) -> Result<TokioIo<TcpStream>, Box<dyn Error + Send + Sync>> {
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => tokio::net::lookup_host((host, port)).await?.collect(),
    };
    let mut last: Box<dyn Error + Send + Sync> = format!("{host} has no address").into();
    for address in addresses {
        if let Err(refusal) = address::judge(address, policy) {
            return Err(Refused { host: host.to_owned(), refusal }.into());
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(TokioIo::new(stream));
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

fn timed_out(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {limit:?}"))
}
