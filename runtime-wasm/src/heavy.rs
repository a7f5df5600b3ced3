//! Calls that need much CPU run on threads of their own, with lower priority, so that the others' connections are
//! served. The answer's body comes back through a bounded channel.

use crate::answer::AnswerError;
use crate::call::{Call, Place, Settled, settle};
use bytes::Bytes;
use fnctl_activator::body::{Body, BodyError};
use fnctl_activator::provider::CallError;
use fnctl_config::limits;
use http::Response;
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot};

/// How much nicer than the node's other threads these are: on a busy machine the others get a CPU first.
const NICENESS: i32 = 10;
/// The most that there is.
const NICENESS_MAX: i32 = 19;

/// The threads: one per core but one, at least one. The composer holds the runtime and gives its handle away.
pub fn runtime() -> io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // Of the thread that makes them: a node may have been started with a niceness of its own.
    let niceness =
        rustix::process::getpriority_process(None).map_or(NICENESS, |own| (own + NICENESS).min(NICENESS_MAX));
    Builder::new_multi_thread()
        .worker_threads(cores.saturating_sub(1).max(1))
        .thread_name("wasm-heavy")
        .on_thread_start(move || {
            // On Linux priorities belong to threads. Where it is refused they run as the others do.
            _ = rustix::process::setpriority_process(None, niceness);
        })
        .enable_all()
        .build()
}

/// Drives a call on the heavy threads until its last frame; ends it when the returned future or the body is dropped.
pub(crate) async fn carry(
    call: Call,
    threads: &Handle,
    tasks: &crate::node::Tasks,
) -> Result<Response<Body>, CallError> {
    let (head, answered) = oneshot::channel();
    tasks.spawn_on(threads, run(call, head));
    answered.await.unwrap_or_else(|_| Err(CallError::Unavailable("the node is stopping".to_owned())))
}

async fn run(call: Call, mut head: oneshot::Sender<Result<Response<Body>, CallError>>) {
    let settled = tokio::select! {
        settled = settle(call, Place::Heavy) => settled,
        () = head.closed() => return, // the client has gone, and with this the guest goes
    };
    let answer = match settled {
        Ok(Settled::Streaming(answer)) => answer,
        Ok(Settled::Whole(answer)) => {
            // The receiver may be gone by now; then there is nobody to tell.
            _ = head.send(Ok(answer));
            return;
        }
        Err(error) => {
            _ = head.send(Err(error));
            return;
        }
        Ok(Settled::Heavy(_)) => return, // not from `Place::Heavy`; the closed channel is answered as unavailable
    };
    let (frames, received) = mpsc::channel(limits::HEAVY_FRAMES_MAX);
    let (parts, mut body) = answer.into_parts();
    if head.send(Ok(Response::from_parts(parts, Body::stream(Received(received))))).is_err() {
        return;
    }
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = frames.closed() => return,
        };
        let last = !matches!(frame, Some(Ok(_)));
        if frames.send(frame.transpose()).await.is_err() || last {
            return;
        }
    }
}

/// The connection's end of the channel. The end of the body is told: a channel that closes without it is a cut.
struct Received(mpsc::Receiver<Result<Option<Frame<Bytes>>, BodyError>>);

impl HttpBody for Received {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_recv(context).map(|frame| frame.unwrap_or_else(|| Err(AnswerError::Unfinished.into())).transpose())
    }
}
