//! Connections to the outside of the home: a name is looked up once, its addresses are checked, and none but those are
//! connected to. By https the other side has to prove that it is who was asked for.

use fnctl_config::limits::CONNECT_TIMEOUT;
use fnctl_config::reach::{Policy, Refusal, judge};
use http::Uri;
use http::uri::Scheme;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::ServiceExt as _;

/// Where trusted certificates come from: asked on the first connection by https, on a thread for blocking work, and
/// again after it failed. The error is one sentence.
pub type Roots = Arc<dyn Fn() -> Result<Arc<RootCertStore>, String> + Send + Sync>;
/// A connection, encrypted or not.
pub type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens connections that the policy allows. Clones are one connector.
#[derive(Clone)]
pub struct Connector(Arc<Shared>);

struct Shared {
    policy: Arc<Policy>,
    roots: Roots,
    /// PEM certificates that are trusted too.
    ca_certs: Option<String>,
    tls: OnceCell<TlsConnector>,
}

/// Why there is no connection. Sources may be deeper: TCP's own errors come as they are.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The policy forbids every address of the host.
    #[error("{host} must not be reached: {refusal}")]
    Refused {
        /// Whose.
        host: String,
        /// Why.
        #[source]
        refusal: Refusal,
    },
    /// A host that no certificate can be for.
    #[error("no certificate can be for the host {0:?}")]
    Host(String, #[source] InvalidDnsNameError),
    /// The other side's certificate does not prove who it is.
    #[error("the certificate of {host} is not accepted: {}", why(source))]
    Certificate {
        /// Whose.
        host: String,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// TLS could not be spoken.
    #[error("no TLS with {host}: {source}")]
    Tls {
        /// With whom.
        host: String,
        /// Why.
        source: BoxError,
    },
    /// The machine's trusted certificates.
    #[error("{0}")]
    Roots(String),
    /// The destination's own certificates.
    #[error("the CACerts of the destination are no PEM certificates: {0}")]
    CaCerts(String),
    /// Name, TCP and TLS together took longer than [`CONNECT_TIMEOUT`].
    #[error("no connection within {CONNECT_TIMEOUT:?}")]
    TimedOut(#[source] io::Error),
}

fn why(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "nobody whom this node trusts signed it; its authority belongs into the machine's certificates, into the file \
             of SSL_CERT_FILE or into CACerts"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(reason) => reason.to_string(),
        other => other.to_string(),
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.0.policy).finish()
    }
}

impl Connector {
    /// Reaches what the policy allows, and trusts the machine's certificates.
    pub fn new(policy: Policy, roots: Roots) -> Self {
        Self(Arc::new(Shared { policy: Arc::new(policy), roots, ca_certs: None, tls: OnceCell::new() }))
    }

    /// The same, and trusts these PEM certificates too.
    pub fn trusting(&self, ca_certs: &str) -> Self {
        Self(Arc::new(Shared {
            policy: Arc::clone(&self.0.policy),
            roots: Arc::clone(&self.0.roots),
            ca_certs: Some(ca_certs.to_owned()),
            tls: OnceCell::new(),
        }))
    }
}

impl tower::Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let late = |_| ConnectError::TimedOut(io::ErrorKind::TimedOut.into());
            timeout(CONNECT_TIMEOUT, shared.connect(uri)).await.map_err(late)?
        })
    }
}

impl Shared {
    async fn connect(&self, uri: Uri) -> Result<Stream, BoxError> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let is_https = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        // TCP's connector asks about names only; an address that is written out is checked here.
        if let Ok(ip) = host.parse::<IpAddr>() {
            let refused = |refusal| ConnectError::Refused { host: host.clone(), refusal };
            judge(SocketAddr::new(ip, port), &self.policy).map_err(refused)?;
        }
        let mut tcp = HttpConnector::new_with_resolver(Resolver { policy: Arc::clone(&self.policy), port });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Divided among the addresses, so that one that does not answer leaves time for the next.
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let stream = tcp.oneshot(uri).await?;
        if !is_https {
            return Ok(MaybeHttpsStream::Http(stream));
        }
        let name = ServerName::try_from(host.clone()).map_err(|error| ConnectError::Host(host.clone(), error))?;
        let tls = self.tls.get_or_try_init(|| client(self.roots.clone(), self.ca_certs.clone())).await?;
        let stream = tls.connect(name, TokioIo::new(stream)).await;
        Ok(stream.map_err(|error| broken(host, error))?.into())
    }
}

/// A failed handshake: the certificate, or anything else.
fn broken(host: String, error: io::Error) -> ConnectError {
    match error.downcast::<rustls::Error>() {
        Ok(source @ rustls::Error::InvalidCertificate(_)) => ConnectError::Certificate { host, source },
        Ok(source) => ConnectError::Tls { host, source: source.into() },
        Err(source) => ConnectError::Tls { host, source: source.into() },
    }
}

async fn client(roots: Roots, ca_certs: Option<String>) -> Result<TlsConnector, ConnectError> {
    let made = tokio::task::spawn_blocking(move || {
        let mut trusted = roots().map_err(ConnectError::Roots)?;
        if let Some(pem) = ca_certs {
            add(Arc::make_mut(&mut trusted), &pem)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| ConnectError::Roots(error.to_string()))?;
        Ok(Arc::new(config.with_root_certificates(trusted).with_no_client_auth()).into())
    });
    made.await.map_err(|error| ConnectError::Roots(error.to_string()))?
}

fn add(trusted: &mut RootCertStore, pem: &str) -> Result<(), ConnectError> {
    let mut added = 0;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| ConnectError::CaCerts(error.to_string()))?;
        trusted.add(certificate).map_err(|error| ConnectError::CaCerts(error.to_string()))?;
        added += 1;
    }
    if added == 0 {
        return Err(ConnectError::CaCerts("there is none".to_owned()));
    }
    Ok(())
}

/// Looks a name up and gives on only what may be reached: TCP's connector dials these very addresses, so that a second
/// look-up cannot answer differently.
#[derive(Clone)]
struct Resolver {
    policy: Arc<Policy>,
    port: u16,
}

impl Resolver {
    async fn look_up(self, name: Name) -> Result<std::vec::IntoIter<SocketAddr>, BoxError> {
        let mut allowed = Vec::new();
        let mut refused = None;
        for address in tokio::net::lookup_host((name.as_str(), self.port)).await? {
            match judge(address, &self.policy) {
                Ok(()) => allowed.push(address),
                Err(refusal) => refused = Some(refusal),
            }
        }
        match refused {
            Some(refusal) if allowed.is_empty() => {
                Err(ConnectError::Refused { host: name.as_str().to_owned(), refusal }.into())
            }
            _ => Ok(allowed.into_iter()),
        }
    }
}

impl tower::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.clone().look_up(name))
    }
}

#[cfg(test)]
mod tests;
