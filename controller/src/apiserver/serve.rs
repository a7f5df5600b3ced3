//! The control port: TLS, HTTP/1.1 and HTTP/2, bounded in connections and in time, drained when the node stops.

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use fnctl_config::limits;
use futures::FutureExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// Serves a router until `shutdown` is done; then gives open requests [`limits::DRAIN_TIMEOUT`] and returns. Close the
/// watches first ([`super::ApiServer::close_watches`]): they would take all of it.
pub async fn serve_tls(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) {
    let acceptor = TlsAcceptor::from(tls);
    let permits = Arc::new(Semaphore::new(limits::API_CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        // A permit before the accept: connections above the limit wait in the kernel's backlog.
        let permit = tokio::select! {
            () = &mut shutdown => break,
            permit = permits.clone().acquire_owned() => permit,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => { drop(permit); continue }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, acceptor.clone(), router.clone(), graceful.watcher());
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, or a client that went before it was accepted: later is better.
                tracing::warn!(%error, "a connection to the control port was not accepted");
                tokio::time::sleep(limits::API_ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(limits::DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections to the control port were still open when the time to drain was up");
    }
    connections.shutdown().await;
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    // Small answers go at once; a socket that refuses the option works without it.
    let _ = stream.set_nodelay(true);
    let stream = match timeout(limits::HEADER_READ_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => return tracing::debug!("TLS handshake took too long"),
    };
    let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(caught(router, request.map(Body::new)).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits::HEADER_READ_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::API_STREAMS_MAX)
        .max_header_list_size(u32::try_from(limits::HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(limits::API_KEEP_ALIVE)
        .keep_alive_timeout(limits::HEADER_READ_TIMEOUT);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection to the control port ended");
    }
}

/// Answers 500 where a handler panics: without this, clients see a broken stream and guess.
async fn caught(router: Router, request: http::Request<Body>) -> Response {
    match AssertUnwindSafe(router.oneshot(request)).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => super::failure::Failure::internal("the node failed to answer this request; its log says why")
            .into_response(),
    }
}
