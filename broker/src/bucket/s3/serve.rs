//! The listener of the S3 endpoint: HTTP/1.1, one task per connection, owned by the server.

use super::Credentials;
use super::service::Service;
use crate::bucket::{Buckets, Origin};
use fnctl_config::limits::{
    ACCEPT_PAUSE, DRAIN_TIMEOUT, HEADER_BYTES_MAX, HEADER_READ_TIMEOUT, S3_CONNECTIONS_MAX, S3_XML_BYTES_MAX,
    UNREAD_LINGER_MAX,
};
use futures::FutureExt as _;
use http::Request;
use http::header::{AUTHORIZATION, CONNECTION, HeaderName, HeaderValue};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::validation::NameValidation;
use s3s::{HttpError, HttpResponse, S3Result, s3_error};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncWriteExt as _, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

/// Bounds of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most open connections; more wait in the kernel's backlog.
    pub connections: usize,
    /// Time that requests in flight get when the endpoint stops.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { connections: S3_CONNECTIONS_MAX, drain: DRAIN_TIMEOUT }
    }
}

/// Serves until `shutdown` is ready; then takes no connection more, lets requests end, and after the drain time cuts the
/// rest. Only requests signed with the credentials are answered.
pub async fn serve(
    listener: TcpListener,
    buckets: Buckets,
    credentials: Credentials,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) {
    let service = service(buckets, credentials);
    let (serving, stopping) = watch::channel(());
    let room = Arc::new(Semaphore::new(settings.connections));
    let mut open = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = open.join_next() => report(ended),
            Some((stream, peer, permit)) = next_connection(&listener, &room) => {
                let (service, stopping) = (service.clone(), stopping.clone());
                open.spawn(async move {
                    connection(stream, peer, service, stopping).await;
                    drop(permit);
                });
            }
        }
    }
    drop((listener, serving)); // no connection more; each open one sees its sender gone
    let ended = async {
        while let Some(ended) = open.join_next().await {
            report(ended);
        }
    };
    // Who is still there after that is cut.
    let _ = timeout(settings.drain, ended).await;
    open.shutdown().await;
}

fn service(buckets: Buckets, credentials: Credentials) -> S3Service {
    let mut config = S3Config::default();
    config.xml_max_body_size = S3_XML_BYTES_MAX;
    let mut builder = S3ServiceBuilder::new(Service { buckets });
    builder.set_auth(OneKey(credentials));
    builder.set_validation(AnyName);
    builder.set_access(Signed);
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.build()
}

/// The node's one key.
struct OneKey(Credentials);

#[async_trait::async_trait]
impl S3Auth for OneKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.0.access_key {
            return Ok(SecretKey::from(self.0.secret_key.as_str()));
        }
        Err(s3_error!(InvalidAccessKeyId, "there is no access key {access_key:?}: `fnctl up` says which there is"))
    }
}

/// Names of buckets are judged by the store, which says what is wrong with one.
struct AnyName;

impl NameValidation for AnyName {
    fn validate_bucket_name(&self, _: &str) -> bool {
        true
    }
}

/// Who signed may do everything; with version 4 of the signature, where it stands in the request's head. Version 2 covers
/// neither the body nor most headers, and no current client signs so unless it is told to. Presigned URLs and forms are
/// another matter: stock clients still make them with version 2 for this region.
struct Signed;

#[async_trait::async_trait]
impl S3Access for Signed {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "requests must be signed"));
        }
        if context.headers().get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS ")) {
            return Err(s3_error!(InvalidRequest, "version 2 of the signature is not accepted: use AWS4-HMAC-SHA256"));
        }
        Ok(())
    }
}

async fn next_connection(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.ok()?; // the semaphore is never closed
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Some((stream, peer, permit)),
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections of S3 clients");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a connection to its end. A client that is still sending what nobody will read is listened to for a while: closing
/// at once would reset the connection, and the reset overtakes the answer.
async fn connection(stream: TcpStream, peer: SocketAddr, service: S3Service, mut stopping: watch::Receiver<()>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "connection ended");
        return;
    }
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT).max_header_size(HEADER_BYTES_MAX);
    let unread = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&unread);
    let service = service_fn(move |request| answer(service.clone(), peer, request, Arc::clone(&noted)).boxed());
    let mut connection = http.serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        biased;
        ended = poll_fn(|context| connection.poll_without_shutdown(context)) => ended,
        _ = stopping.changed() => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    if let Err(error) = ended {
        // The client's doing: it went away, or it spoke no HTTP.
        return tracing::debug!(%peer, %error, "connection ended");
    }
    let (mut stream, mut nowhere) = (connection.into_parts().io.into_inner(), sink());
    let said = stream.shutdown().await;
    if said.is_ok() && unread.load(Ordering::Relaxed) {
        tokio::select! {
            _ = timeout(UNREAD_LINGER_MAX, copy(&mut stream, &mut nowhere)) => {}
            _ = stopping.changed() => {}
        }
    }
}

/// Gives the request its ids, which are those of the record of its change and of the answer.
async fn answer(
    service: S3Service,
    peer: SocketAddr,
    mut request: Request<Incoming>,
    unread: Arc<AtomicBool>,
) -> Result<HttpResponse, HttpError> {
    let origin = Origin::new("", peer.ip().to_canonical().to_string());
    request.extensions_mut().insert(origin.clone());
    let has_body = !request.body().is_end_stream();
    let mut answer = service.call(request.map(s3s::Body::from)).await?;
    for (name, value) in [("x-amz-request-id", &origin.request_id), ("x-amz-id-2", &origin.host_id)] {
        // Hex digits are a valid value.
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    // What is refused may not have been read, and the connection cannot be used again then; clients must know.
    if has_body && (answer.status().is_client_error() || answer.status().is_server_error()) {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        unread.store(true, Ordering::Relaxed);
    }
    Ok(answer)
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "the task of an S3 client's connection panicked");
    }
}
