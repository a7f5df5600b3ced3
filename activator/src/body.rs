//! The body of requests and answers on the data plane.

mod network;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use network::Network;
pub(crate) use network::Rest;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What may go wrong while a body is read; classified where it is turned into an answer.
pub type BodyError = Box<dyn Error + Send + Sync>;

/// A request's or an answer's body: nothing, known bytes, or a stream.
pub struct Body(Inner);

enum Inner {
    Whole(Option<Bytes>),
    Network(Network),
    Stream(UnsyncBoxBody<Bytes, BodyError>),
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self(Inner::Whole(None))
    }

    /// A body that comes over a connection, and where its rest is found if nobody reads it to its end; no rest where there is
    /// no body.
    pub(crate) fn network(incoming: Incoming) -> (Self, Option<Rest>) {
        if incoming.is_end_stream() {
            return (Self::empty(), None);
        }
        let (body, rest) = Network::new(incoming);
        (Self(Inner::Network(body)), Some(rest))
    }

    /// A body that comes in frames. It may own what must live until its last frame: an instance, a permit.
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        Self(Inner::Stream(body.map_err(Into::into).boxed_unsync()))
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(whole: T) -> Self {
        let whole = whole.into();
        Self(Inner::Whole((!whole.is_empty()).then_some(whole)))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Whole(bytes) => write!(f, "Body({} bytes)", bytes.as_ref().map_or(0, Bytes::len)),
            Inner::Network(_) => f.write_str("Body(network)"),
            Inner::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Inner::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Network(network) => network.poll_frame(context).map_err(Into::into),
            Inner::Stream(stream) => Pin::new(stream).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(bytes) => bytes.is_none(),
            Inner::Network(network) => network.is_end_stream(),
            Inner::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Inner::Network(network) => network.size_hint(),
            Inner::Stream(stream) => stream.size_hint(),
        }
    }
}
