//! What a guest answers, made safe for the connection: one content-length at most, no headers that frame messages, and
//! an answer that was cut looks cut.

use crate::call::Call;
use bytes::{Bytes, BytesMut};
use fnctl_activator::body::{Body, BodyError};
use fnctl_activator::provider::CallError;
use fnctl_config::limits;
use http::{Response, header};
use http_body::{Body as _, Frame};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// Why an answer was cut after its head had been sent.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The function failed while it wrote.
    #[error("the answer was cut: {0}")]
    Failed(#[source] CallError),
    /// It ended without finishing the body, or wrote another length than it had told.
    #[error("the answer was cut: the function did not finish its body")]
    Unfinished,
    /// It wrote more than a function may.
    #[error("the answer was cut after {limit_bytes} bytes, the limit of an answer")]
    TooLong {
        /// The limit.
        limit_bytes: u64,
    },
}

/// Takes out of a head what is the connection's business. wasi:http refuses these headers already when the guest sets
/// them; message framing is checked twice.
pub(crate) fn check_head<B>(answer: &mut Response<B>) -> Result<(), CallError> {
    if answer.status().is_informational() {
        return Err(CallError::BadAnswer(format!("status {} is not final", answer.status())));
    }
    let headers = answer.headers_mut();
    if headers.is_empty() {
        return Ok(());
    }
    for name in DEFAULT_FORBIDDEN_HEADERS.iter().chain([&header::TE, &header::TRAILER]) {
        headers.remove(name);
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(()) };
    if lengths.next().is_some() || length.is_empty() || !length.as_bytes().iter().all(u8::is_ascii_digit) {
        return Err(CallError::BadAnswer("its content-length is not one number".to_owned()));
    }
    Ok(())
}

/// The answer of a guest that has ended: all its frames are there, since the channel bounds them.
pub(crate) fn whole(answer: Response<HyperOutgoingBody>) -> Result<Response<Body>, CallError> {
    let (mut head, mut body) = answer.into_parts();
    let mut context = Context::from_waker(Waker::noop());
    let mut bytes = Bytes::new();
    let mut more: Option<BytesMut> = None;
    loop {
        match poll_frame(&mut body, &mut context) {
            Poll::Ready(None) => break,
            Poll::Ready(Some(Ok(frame))) => match (frame.into_data(), &mut more) {
                (Ok(data), Some(more)) => more.extend_from_slice(&data),
                (Ok(data), None) if bytes.is_empty() => bytes = data,
                (Ok(data), more @ None) => more.insert(BytesMut::from(&bytes[..])).extend_from_slice(&data),
                (Err(_trailers), _) => {} // an answer that is sent in one piece has none
            },
            Poll::Ready(Some(Err(_))) | Poll::Pending => {
                return Err(CallError::BadAnswer("it did not finish its body".to_owned()));
            }
        }
    }
    let body = Body::from(more.map_or(bytes, BytesMut::freeze));
    // The connection writes the length that is true; a guest's own word stands for an answer without a body alone
    // (to HEAD, and 304).
    if !body.is_end_stream() {
        head.headers.remove(header::CONTENT_LENGTH);
    }
    Ok(Response::from_parts(head, body))
}

/// The next frame that the guest has written. Outside of tokio's budget of a task: a pending that only means "others
/// first" would look like a body that was never finished.
fn poll_frame(
    body: &mut HyperOutgoingBody,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, wasmtime_wasi_http::Error>>> {
    let mut frame =
        tokio::task::unconstrained(std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)));
    Pin::new(&mut frame).poll(context)
}

/// A body that drives the guest that writes it.
pub(crate) struct GuestBody {
    inner: HyperOutgoingBody,
    state: State,
    sent: u64,
}

enum State {
    Running(Box<Call>),
    Ended,
    Failed(CallError),
    Closed,
}

impl GuestBody {
    pub(crate) fn new(inner: HyperOutgoingBody, call: Call) -> Self {
        Self { inner, state: State::Running(Box::new(call)), sent: 0 }
    }

    fn cut(&mut self, error: AnswerError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.state = State::Closed;
        Poll::Ready(Some(Err(error.into())))
    }
}

impl http_body::Body for GuestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let State::Closed = this.state {
            return Poll::Ready(None);
        }
        if let State::Running(call) = &mut this.state
            && let Poll::Ready(result) = call.poll(context)
        {
            this.state = result.map_or_else(State::Failed, |()| State::Ended);
        }
        // A trap drops the guest's end of the body, which alone would look like a complete answer; and a guest that
        // ended without finishing its body leaves it pending for ever. Both cut the connection.
        match poll_frame(&mut this.inner, context) {
            Poll::Ready(None) => match std::mem::replace(&mut this.state, State::Closed) {
                State::Failed(error) => this.cut(AnswerError::Failed(error)),
                State::Running(call) => {
                    call.finish_alone();
                    Poll::Ready(None)
                }
                State::Ended | State::Closed => Poll::Ready(None),
            },
            Poll::Pending => match std::mem::replace(&mut this.state, State::Closed) {
                State::Failed(error) => this.cut(AnswerError::Failed(error)),
                State::Ended => this.cut(AnswerError::Unfinished),
                running => {
                    this.state = running;
                    Poll::Pending
                }
            },
            Poll::Ready(Some(Err(_))) => match std::mem::replace(&mut this.state, State::Closed) {
                State::Failed(error) => this.cut(AnswerError::Failed(error)),
                _ => this.cut(AnswerError::Unfinished),
            },
            Poll::Ready(Some(Ok(frame))) => {
                this.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
                if this.sent > limits::ANSWER_BYTES_MAX {
                    return this.cut(AnswerError::TooLong { limit_bytes: limits::ANSWER_BYTES_MAX });
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }
}
