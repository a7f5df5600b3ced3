//! Instances without code: an adapter for tests and measurements, of this crate and of whoever composes it.
//!
//! What a call does is told by its path: `/hang` never answers, `/wait` answers when released, `/trap` and `/cpu` fail,
//! `/stream` answers in frames; every other path answers with the request's body, or `hello` if it has none.

use crate::body::Body;
use crate::provider::{CallError, Instances, Lease, Provider, StartError};
use crate::respond::Timing;
use bytes::Bytes;
use fnctl_config::snapshot::Revision;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Makes [`FakeInstances`], all on one [`Script`].
#[derive(Debug, Default)]
pub struct FakeProvider {
    script: Arc<Script>,
}

impl FakeProvider {
    /// A provider whose instances follow the script.
    pub fn new(script: Arc<Script>) -> Self {
        Self { script }
    }
}

impl Provider for FakeProvider {
    fn instances(&self, _revision: &Arc<Revision>) -> Arc<dyn Instances> {
        self.script.made.fetch_add(1, SeqCst);
        Arc::new(FakeInstances { script: self.script.clone(), started: AtomicU32::new(0) })
    }
}

/// How the instances behave, and what they saw.
#[derive(Debug)]
pub struct Script {
    capacity: AtomicU32,
    /// What the next starts come to; when it is empty they work.
    failures: Mutex<VecDeque<String>>,
    /// One permit lets one start through; see [`Script::hold_starts`].
    start_gate: Semaphore,
    /// One permit lets one `/wait` call through.
    call_gate: Semaphore,
    made: AtomicU32,
    starts: AtomicU32,
    stops: AtomicU32,
    running: AtomicU32,
    most_running: AtomicU32,
    calls: Mutex<Vec<String>>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            capacity: AtomicU32::new(1_000),
            failures: Mutex::default(),
            start_gate: Semaphore::new(Semaphore::MAX_PERMITS),
            call_gate: Semaphore::new(0),
            made: AtomicU32::new(0),
            starts: AtomicU32::new(0),
            stops: AtomicU32::new(0),
            running: AtomicU32::new(0),
            most_running: AtomicU32::new(0),
            calls: Mutex::default(),
        }
    }
}

impl Script {
    /// From now on at most this many calls at once.
    pub fn set_capacity(&self, capacity: u32) {
        self.capacity.store(capacity, SeqCst);
    }

    /// The next start fails with this reason; further ones queue up.
    pub fn fail_start(&self, reason: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push_back(reason.to_owned());
    }

    /// Starts hang from now on, until [`Script::release_starts`].
    pub fn hold_starts(&self) {
        self.start_gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets this many starts through, those that hang first.
    pub fn release_starts(&self, count: usize) {
        self.start_gate.add_permits(count);
    }

    /// Lets this many `/wait` calls answer.
    pub fn release_calls(&self, count: usize) {
        self.call_gate.add_permits(count);
    }

    /// How often [`Provider::instances`] was asked.
    pub fn made(&self) -> u32 {
        self.made.load(SeqCst)
    }

    /// Starts begun.
    pub fn starts(&self) -> u32 {
        self.starts.load(SeqCst)
    }

    /// Stops done.
    pub fn stops(&self) -> u32 {
        self.stops.load(SeqCst)
    }

    /// Calls that run now: their lease is held.
    pub fn running(&self) -> u32 {
        self.running.load(SeqCst)
    }

    /// The most calls that ever ran at once.
    pub fn most_running(&self) -> u32 {
        self.most_running.load(SeqCst)
    }

    /// Path and query of the calls begun, in their order. Calls of plain paths (`/`) are not kept.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn begin(self: &Arc<Self>, lease: Lease) -> Running {
        let now = self.running.fetch_add(1, SeqCst) + 1;
        self.most_running.fetch_max(now, SeqCst);
        Running { script: self.clone(), _lease: lease }
    }
}

/// Follows a [`Script`].
#[derive(Debug)]
pub struct FakeInstances {
    script: Arc<Script>,
    started: AtomicU32,
}

impl Instances for FakeInstances {
    fn start(&self) -> BoxFuture<'_, Result<(), StartError>> {
        self.script.starts.fetch_add(1, SeqCst);
        async {
            if let Ok(permit) = self.script.start_gate.acquire().await {
                permit.forget();
            }
            let failure = self.script.failures.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match failure {
                Some(reason) => Err(StartError { reason }),
                None => {
                    self.started.store(1, SeqCst);
                    Ok(())
                }
            }
        }
        .boxed()
    }

    fn stop(&self) {
        self.started.store(0, SeqCst);
        self.script.stops.fetch_add(1, SeqCst);
    }

    fn capacity(&self) -> u32 {
        self.script.capacity.load(SeqCst)
    }

    fn call(
        self: Arc<Self>,
        request: Request<Body>,
        lease: Lease,
    ) -> BoxFuture<'static, Result<Response<Body>, CallError>> {
        let running = self.script.begin(lease);
        if request.uri().path() != "/" {
            let target = request.uri().path_and_query().map_or("", |target| target.as_str()).to_owned();
            self.script.calls.lock().unwrap_or_else(PoisonError::into_inner).push(target);
        }
        let started = self.started.load(SeqCst) == 1;
        async move {
            if !started {
                return Err(CallError::Unavailable("not started".into()));
            }
            match request.uri().path() {
                "/hang" => return std::future::pending().await,
                "/wait" => {
                    if let Ok(permit) = self.script.call_gate.acquire().await {
                        permit.forget();
                    }
                }
                "/trap" => return Err(CallError::Trap("unreachable".into())),
                "/cpu" => return Err(CallError::Cpu { limit: Duration::from_secs(1) }),
                "/stream" => return Ok(Response::new(Body::stream(Frames { left: 3, _running: running }))),
                _ => {}
            }
            echo(request, running).await
        }
        .boxed()
    }
}

async fn echo(request: Request<Body>, running: Running) -> Result<Response<Body>, CallError> {
    let (head, body) = request.into_parts();
    let answer = if body.is_end_stream() {
        Bytes::from_static(b"hello")
    } else {
        let read = body.collect().await.map_err(|error| CallError::BadAnswer(error.to_string()))?;
        read.to_bytes()
    };
    let mut response = Response::new(Body::from(answer));
    // What the function was asked, so that tests can see what reached it.
    response.extensions_mut().insert(Seen(Arc::new(head.headers)));
    response.extensions_mut().insert(Timing::default());
    drop(running);
    Ok(response)
}

/// The headers that reached the function, in the answer's extensions.
#[derive(Clone, Debug)]
pub struct Seen(pub Arc<http::HeaderMap>);

/// A call that runs.
#[derive(Debug)]
struct Running {
    script: Arc<Script>,
    _lease: Lease,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.script.running.fetch_sub(1, SeqCst);
    }
}

/// Frames of `tick`, one per poll.
struct Frames {
    left: u32,
    _running: Running,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"tick")))))
    }
}
