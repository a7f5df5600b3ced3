//! Requests of functions to the outside: denied unless granted, and never to where a guest could reach the platform.

use crate::node::Function;
use fnctl_config::limits;
use fnctl_config::reach::Refusal;
use fnctl_config::snapshot::Grants;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::error::Error as StdError;
use std::future::{Future, ready};
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::service_fn;
use tower::util::BoxCloneSyncService;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// The port that opens connections, by http or https as the URI says. An adapter looks a name up once, connects to none
/// but addresses that it checked, and answers a forbidden one with an error that has a [`Refusal`] among its sources, a
/// certificate that proves nothing with one that has a [`rustls::Error`].
pub type Connect = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, Box<dyn StdError + Send + Sync>>;

/// The ways out of a node. Neither leads to its own listeners or to cloud metadata.
#[derive(Clone, Debug)]
pub struct Outside {
    /// To public addresses.
    pub public: Connect,
    /// To private ones too.
    pub private: Connect,
}

impl Default for Outside {
    /// No way out: every connection is refused.
    fn default() -> Self {
        let refuse = service_fn(|_| ready(Err(Refusal::Private.into())));
        Self { public: Connect::new(refuse), private: Connect::new(refuse) }
    }
}

/// What a function's grants say about one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not granted.
    Denied,
    /// Granted as any public host (`*`).
    Public,
    /// Granted by its name: also a private address.
    Named,
}

/// What grants say about a URI. `http://host` and `http://host:80` are the same.
pub fn verdict(grants: &Grants, uri: &Uri) -> Verdict {
    let Some(wanted) = origin(uri) else { return Verdict::Denied };
    let named = |grant: &String| grant.parse::<Uri>().ok().and_then(|grant| origin(&grant)) == Some(wanted.clone());
    if grants.outbound.iter().any(named) {
        Verdict::Named
    } else if grants.outbound.contains("*") {
        Verdict::Public
    } else {
        Verdict::Denied
    }
}

fn origin(uri: &Uri) -> Option<(Scheme, String, u16)> {
    let scheme = uri.scheme()?.clone();
    let port = uri.port_u16().unwrap_or(if scheme == Scheme::HTTPS { 443 } else { 80 });
    Some((scheme, uri.host()?.trim_end_matches('.').to_ascii_lowercase(), port))
}

/// The node's clients to the outside. Connections are pooled apart by what they may reach, so that one that was granted
/// by name is never used by a function that was not.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    public: Client<Connect, WasiBody>,
    private: Client<Connect, WasiBody>,
    requests: Arc<Semaphore>,
}

impl Outbound {
    pub(crate) fn new(outside: Outside) -> Self {
        let client =
            |connect| Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build::<_, WasiBody>(connect);
        Self {
            public: client(outside.public),
            private: client(outside.private),
            requests: Arc::new(Semaphore::new(limits::OUTBOUND_REQUESTS_MAX)),
        }
    }

    /// Sends one request that a function's grants gave this verdict.
    async fn send(
        self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        verdict: Verdict,
    ) -> Result<Response<WasiBody>, Error> {
        let client = match verdict {
            Verdict::Denied => return Err(Error::HttpRequestDenied),
            Verdict::Public => &self.public,
            Verdict::Named => &self.private,
        };
        let Ok(permit) = self.requests.clone().try_acquire_owned() else { return Err(Error::ConnectionLimitReached) };
        let wait = options.and_then(|options| options.first_byte_timeout).unwrap_or(limits::OUTBOUND_HEAD_MAX);
        let answer = timeout(wait.min(limits::OUTBOUND_HEAD_MAX), client.request(request)).await;
        let answer = answer.map_err(|_| Error::ConnectionReadTimeout)?.map_err(|error| told(&error))?;
        let limit = limits::OUTBOUND_BYTES_MAX;
        Ok(answer.map(|body| {
            let body = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
            body.map_err(move |error| {
                let _held = &permit;
                match error.downcast::<hyper::Error>() {
                    Ok(error) => Error::Hyper(*error),
                    Err(_) => Error::HttpResponseBodySize(Some(limit)),
                }
            })
            .boxed_unsync()
        }))
    }
}

/// A failed request in the words of `wasi:http`, by the first of its causes that has one.
fn told(error: &(dyn StdError + 'static)) -> Error {
    let mut cause = Some(error);
    while let Some(level) = cause {
        if level.is::<Refusal>() {
            return Error::DestinationIpProhibited;
        }
        match level.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(_)) => return Error::TlsCertificateError,
            Some(_) => return Error::TlsProtocolError,
            None => {}
        }
        match level.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return Error::ConnectionRefused,
            Some(io::ErrorKind::TimedOut) => return Error::ConnectionTimeout,
            _ => cause = level.source(),
        }
    }
    Error::InternalError(Some(error.to_string()))
}

/// One function's way out, and how its answers are buffered.
pub(crate) struct Outgoing(Arc<Function>);

impl Outgoing {
    pub(crate) fn new(function: &Arc<Function>) -> Self {
        Self(function.clone())
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Io,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send> {
        let verdict = verdict(&self.0.revision.grants, request.uri());
        let outbound = self.0.node.outbound.clone();
        Box::new(async move {
            let answer = outbound.send(request, options, verdict).await?;
            Ok((answer, Box::new(ready(Ok(()))) as Io))
        })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        limits::ANSWER_CHUNKS_MAX
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        limits::ANSWER_CHUNK_BYTES_MAX
    }
}

#[cfg(test)]
mod tests;
