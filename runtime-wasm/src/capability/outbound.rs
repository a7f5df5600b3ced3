//! Requests of functions to the outside: denied unless granted, and never to where a guest could reach the platform.

use crate::node::Function;
use fnctl_config::limits;
use fnctl_config::snapshot::Grants;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// What a function's grants say about one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not granted.
    Denied,
    /// Granted as any public host (`*`).
    Public,
    /// Granted by its name: also a private address, but never one of [`Reach::Never`].
    Named,
}

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The internet.
    Public,
    /// Loopback, private and shared networks.
    Private,
    /// Link-local (cloud metadata lives there), multicast, and forms that hide another address.
    Never,
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

/// Where an address leads, embedded IPv4 addresses told apart.
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (169, 254, _) | (0, ..) | (224..=255, ..) => Reach::Never,
        // Alibaba's metadata service lives in the shared network.
        (100, 100, 100) => Reach::Never,
        (127, ..) | (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Reach::Private,
        (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113) | (198, 18..=19, _) => Reach::Private,
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let segments = address.segments();
    if address == Ipv6Addr::LOCALHOST {
        return Reach::Private;
    }
    match segments {
        // AWS' metadata service by IPv6.
        [0xfd00, 0x0ec2, ..] => Reach::Never,
        // Mapped, compatible, translated (NAT64), 6to4 and Teredo addresses hide an IPv4 address.
        [0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, ..] | [0x2002, ..] | [0x2001, 0, ..] => Reach::Never,
        [first, ..] if first & 0xffc0 == 0xfe80 || first & 0xff00 == 0xff00 => Reach::Never,
        [first, ..] if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0 => Reach::Private,
        [0x2001, 0xdb8, ..] => Reach::Private,
        _ => Reach::Public,
    }
}

/// The node's clients to the outside. Connections are pooled apart by what they may reach, so that one that was granted
/// by name is never used by a function that was not.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    public: Client<HttpConnector<Resolver>, WasiBody>,
    named: Client<HttpConnector<Resolver>, WasiBody>,
    own_ports: Arc<[u16]>,
    requests: Arc<Semaphore>,
}

impl Outbound {
    pub(crate) fn new(own: Vec<SocketAddr>) -> Self {
        let client = |private: Private| {
            let mut connector = HttpConnector::new_with_resolver(Resolver(private));
            connector.set_connect_timeout(Some(limits::OUTBOUND_CONNECT_MAX));
            connector.set_nodelay(true);
            Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)
        };
        Self {
            public: client(Private::Refused),
            named: client(Private::Allowed),
            own_ports: own.into_iter().map(|address| address.port()).collect(),
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
        if verdict == Verdict::Denied {
            return Err(Error::HttpRequestDenied);
        }
        let uri = request.uri();
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err(Error::InternalError(Some("https to the outside is not here yet".to_owned())));
        }
        let own_port = self.own_ports.contains(&uri.port_u16().unwrap_or(80));
        // What listens on a port of ours may be us: then only public addresses will do.
        let private = if verdict == Verdict::Named && !own_port { Private::Allowed } else { Private::Refused };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        // The connector looks up names only; an address that is written out is checked here.
        if let Ok(address) = host.parse::<IpAddr>()
            && !private.admits(address)
        {
            return Err(Error::DestinationIpProhibited);
        }
        let Ok(permit) = self.requests.clone().try_acquire_owned() else { return Err(Error::ConnectionLimitReached) };
        let client = if private == Private::Allowed { &self.named } else { &self.public };
        let wait = options.and_then(|options| options.first_byte_timeout).unwrap_or(limits::OUTBOUND_HEAD_MAX);
        let answer = timeout(wait.min(limits::OUTBOUND_HEAD_MAX), client.request(request)).await;
        let answer = answer.map_err(|_| Error::ConnectionReadTimeout)?.map_err(|error| {
            let refused = std::error::Error::source(&error)
                .and_then(std::error::Error::source)
                .is_some_and(|source| source.to_string().contains(REFUSED));
            if refused { Error::DestinationIpProhibited } else { Error::InternalError(Some(error.to_string())) }
        })?;
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

/// Whether private addresses are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Private {
    Allowed,
    Refused,
}

impl Private {
    fn admits(self, address: IpAddr) -> bool {
        match reach(address) {
            Reach::Public => true,
            Reach::Private => self == Self::Allowed,
            Reach::Never => false,
        }
    }
}

const REFUSED: &str = "no address of this name may be reached";

/// Looks a name up once and gives on only what may be reached: the connector dials these very addresses, so that a
/// second lookup cannot answer differently.
#[derive(Clone, Debug)]
struct Resolver(Private);

impl tower::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<_> = found.filter(|address| private.admits(address.ip())).collect();
            if admitted.is_empty() {
                return Err(io::Error::other(REFUSED));
            }
            Ok(admitted.into_iter())
        })
    }
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
            Ok((answer, Box::new(std::future::ready(Ok(()))) as Io))
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
