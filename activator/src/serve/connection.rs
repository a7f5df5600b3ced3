//! One connection, in one task.

use super::front::Front;
use super::unread::{Linger, Socket};
use crate::headers::Peer;
use fnctl_config::limits::{
    HEADER_BYTES_MAX, HEADER_READ_TIMEOUT, PING_INTERVAL, QUEUE_REQUEST_BYTES_MAX, STREAMS_MAX,
};
use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What an HTTP/2 connection begins with, as far as no HTTP/1 method does.
const PREFACE: &[u8; 4] = b"PRI ";
/// Between two looks at a beginning that is too short to tell; it practically never is.
const PEEK_PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Serves a connection until it ends, or until its requests have ended once `stopping` has lost its sender. HTTP/2 streams run
/// on the runtime `streams`.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    front: Arc<Front>,
    streams: Handle,
    stopping: watch::Receiver<()>,
) {
    // It was accepted elsewhere: from here on what arrives wakes this runtime.
    let stream = match stream.into_std().and_then(TcpStream::from_std) {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%peer, %error, "connection dropped"),
    };
    let linger = Linger::default();
    let shared = Arc::new((front, Peer::new(peer.ip()), linger.clone()));
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(shared.0.answer(&shared.1, &shared.2, request).await) }
    });
    let mut stop = stopping.clone();
    let protocol = tokio::select! {
        protocol = timeout(HEADER_READ_TIMEOUT, protocol(&stream)) => protocol,
        _ = stop.changed() => return,
    };
    // Whoever says nothing in time, or hangs up, is let go without a word.
    let Ok(Ok(protocol)) = protocol else { return };
    let ended = match protocol {
        Protocol::Http1 => {
            let socket = TokioIo::new(Socket::new(stream, linger));
            drive(http1().serve_connection(socket, service), stopping).await
        }
        Protocol::Http2 => drive(http2(streams).serve_connection(TokioIo::new(stream), service), stopping).await,
    };
    if let Err(error) = ended {
        // The client's doing: it went away, or it spoke no HTTP.
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Looks at the first bytes and leaves them where they are.
async fn protocol(stream: &TcpStream) -> io::Result<Protocol> {
    stream.set_nodelay(true)?;
    let mut seen = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut seen).await?;
        if length == 0 || !PREFACE.starts_with(&seen[..length]) {
            return Ok(Protocol::Http1);
        }
        if length == PREFACE.len() {
            return Ok(Protocol::Http2);
        }
        // The socket stays readable, so waiting for that would spin.
        sleep(PEEK_PAUSE).await;
    }
}

async fn drive<C: GracefulConnection>(connection: C, mut stopping: watch::Receiver<()>) -> Result<(), C::Error> {
    tokio::pin!(connection);
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        _ = stopping.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

fn http1() -> http1::Builder {
    let mut http = http1::Builder::new();
    // hyper's own limit of 100 headers stays: setting the same number would put each head on the heap.
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_header_size(HEADER_BYTES_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        // Head and body in one buffer: cheaper for small answers.
        .writev(false);
    http
}

fn http2(runtime: Handle) -> http2::Builder<Streams> {
    let mut http = http2::Builder::new(Streams { tasks: Arc::default(), runtime });
    http.timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX as u32)
        .initial_stream_window_size(QUEUE_REQUEST_BYTES_MAX as u32)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL);
    http
}

/// The streams of one connection: when it is dropped, they are.
#[derive(Clone, Debug)]
struct Streams {
    tasks: Arc<Mutex<JoinSet<()>>>,
    runtime: Handle,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let mut streams = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while streams.try_join_next().is_some() {}
        streams.spawn_on(stream, &self.runtime);
    }
}
