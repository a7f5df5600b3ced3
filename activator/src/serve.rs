//! The data plane's listener: HTTP/1.1 and HTTP/2 without TLS (prior knowledge) on one port.
//!
//! One task per connection, owned by the server, on the worker that has the fewest. An HTTP/1 request runs inside its
//! connection's task, from its head to the last byte of its answer: no task, channel or timer of its own. HTTP/2 streams
//! are tasks, since they run side by side, where the server runs; they belong to their connection and end with it.
//!
//! What is not here: TLS, `Upgrade` (it is dropped, so a WebSocket client gets a plain answer), a least speed of bodies.

mod connection;
mod front;
mod unread;

use crate::activator::Activator;
use crate::body::Body;
use crate::route::normalise;
use fnctl_config::limits::{ACCEPT_PAUSE, CONNECTIONS_MAX, DRAIN_LAST_WORDS, DRAIN_TIMEOUT};
use fnctl_config::snapshot::ObjectKey;
use front::Front;
use futures::future::BoxFuture;
use http::{Request, Response};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

/// Takes what is sent to a broker's path on the data plane's port.
pub trait EventIngress: fmt::Debug + Send + Sync {
    /// Answers a request to `/-/broker/<namespace>/<name>`; whether there is such a broker is its business.
    fn ingest(&self, broker: ObjectKey, request: Request<Body>) -> BoxFuture<'static, Response<Body>>;
}

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Hosts beside loopback on which the reserved paths answer, as users write them.
    pub hosts: Vec<String>,
    /// Who takes events; without it the broker's paths are unknown.
    pub events: Option<Arc<dyn EventIngress>>,
    /// Most open connections; more wait in the kernel's backlog.
    pub connections: usize,
    /// Time that requests in flight get when the server stops.
    pub drain: Duration,
    /// Runtimes for connections, each of one thread; without any, connections live where the server runs.
    pub workers: Vec<Handle>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            events: None,
            connections: CONNECTIONS_MAX,
            drain: DRAIN_TIMEOUT,
            workers: Vec::new(),
        }
    }
}

/// A bound listener and what answers on it.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    front: Arc<Front>,
    connections: usize,
    drain: Duration,
    workers: Vec<Handle>,
}

impl Server {
    /// A server on a bound listener.
    pub fn new(listener: TcpListener, activator: Activator, settings: ServerSettings) -> Self {
        let ServerSettings { hosts, events, connections, drain, workers } = settings;
        let hosts: HashSet<String> = hosts.iter().filter_map(|host| normalise(host)).map(Cow::into_owned).collect();
        let front = Arc::new(Front { activator, hosts, events });
        Self { listener, front, connections, drain, workers }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`; then takes no connection more, lets requests end, and after the drain time tells those
    /// who still wait 503 and cuts the rest.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, front, connections, drain, workers } = self;
        let here = Handle::current();
        let (serving, stopping) = watch::channel(());
        let room = Arc::new(Semaphore::new(connections));
        let mut open = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = open.join_next() => report(ended),
                Some((stream, peer, permit)) = next_connection(&listener, &room) => {
                    let (front, stopping) = (front.clone(), stopping.clone());
                    let streams = here.clone();
                    let connection = async move {
                        connection::serve(stream, peer, front, streams, stopping).await;
                        drop(permit);
                    };
                    open.spawn_on(connection, emptiest(&workers).unwrap_or(&here));
                }
            }
        }
        drop((listener, serving)); // no connection more; each open one sees its sender gone
        let last_words = DRAIN_LAST_WORDS.min(drain);
        if timeout(drain - last_words, join_all(&mut open)).await.is_err() {
            front.activator.close();
            // Who is still there after that is cut.
            _ = timeout(last_words, join_all(&mut open)).await;
        }
        open.shutdown().await;
    }
}

/// The worker with the fewest tasks: nearly all of them are connections.
fn emptiest(workers: &[Handle]) -> Option<&Handle> {
    workers.iter().min_by_key(|worker| worker.metrics().num_alive_tasks())
}

/// The next connection, once there is room for it. It never fails: what goes wrong is either one connection's end or
/// passes with time.
async fn next_connection(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.ok()?; // the semaphore is never closed
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Some((stream, peer, permit)),
            Err(error) => {
                if let Some(pause) = pause_after(&error) {
                    tracing::warn!(%error, "cannot accept connections");
                    sleep(pause).await;
                }
            }
        }
    }
}

/// How long to wait after a failed accept. A connection that broke while it waited costs nobody a pause; anything else
/// (no descriptors, no memory) would come back at once and turn the loop hot.
fn pause_after(error: &io::Error) -> Option<Duration> {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    let passing = [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted];
    (!passing.contains(&error.kind())).then_some(ACCEPT_PAUSE)
}

async fn join_all(open: &mut JoinSet<()>) {
    while let Some(ended) = open.join_next().await {
        report(ended);
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}

#[cfg(test)]
mod tests;
