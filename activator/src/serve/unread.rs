//! Answers to clients that are still sending, over HTTP/1.
//!
//! A function, or a refusal, may answer before it has read the request's body. A little of the rest is read then, so that the
//! connection can be used again. Where there is more, the answer says that the connection closes, and the socket takes in
//! what the client still sends for a while: closing at once would reset the connection, and the reset overtakes the answer.
//! HTTP/2 needs none of this: a stream whose answer has ended is reset without an error.

use crate::body::{Body, BodyError, Rest};
use bytes::Bytes;
use fnctl_config::limits::{UNREAD_BYTES_MAX, UNREAD_LINGER_MAX, UNREAD_TIMEOUT};
use futures::future::BoxFuture;
use http::header::{CONNECTION, EXPECT, HeaderMap, HeaderValue};
use http::{Response, Version};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};

/// Set when a client of this connection may still be sending what nobody will read.
#[derive(Clone, Debug, Default)]
pub(super) struct Linger(Arc<AtomicBool>);

/// How the client sends its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upload {
    /// Over HTTP/1, at once.
    AtOnce,
    /// Over HTTP/1, once it is told to go on. Reading would tell it so.
    WhenTold,
    /// Over a stream of HTTP/2.
    Stream,
}

impl Upload {
    pub(super) fn of(version: Version, headers: &HeaderMap) -> Self {
        match version {
            Version::HTTP_2 => Self::Stream,
            _ if headers.contains_key(EXPECT) => Self::WhenTold,
            _ => Self::AtOnce,
        }
    }

    /// Reads what is left if it is little and there soon.
    async fn is_read(self, rest: Incoming) -> bool {
        if self == Self::WhenTold || rest.size_hint().lower() > UNREAD_BYTES_MAX as u64 {
            return false;
        }
        let mut rest = Limited::new(rest, UNREAD_BYTES_MAX);
        let to_its_end = async {
            loop {
                match rest.frame().await {
                    Some(Ok(_)) => {}
                    Some(Err(_)) => return false,
                    None => return true,
                }
            }
        };
        timeout(UNREAD_TIMEOUT, to_its_end).await.unwrap_or(false)
    }
}

/// The answer to a request whose body may not have been read to its end.
pub(super) async fn settle(mut answer: Response<Body>, rest: Rest, upload: Upload, linger: &Linger) -> Response<Body> {
    if upload == Upload::Stream {
        return answer;
    }
    if let Some(left) = rest.take() {
        if !upload.is_read(left).await {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            linger.0.store(true, Ordering::Relaxed);
        }
        return answer;
    }
    if rest.is_final() {
        return answer;
    }
    let linger = linger.clone();
    answer.map(|answer| Body::stream(Ending { answer, rest, upload, linger, reading: None }))
}

/// An answer that began while the request's body was still in use: whether all of that was read is known at its end.
struct Ending {
    answer: Body,
    rest: Rest,
    upload: Upload,
    linger: Linger,
    reading: Option<BoxFuture<'static, bool>>,
}

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.reading.is_none() {
            if let Some(frame) = ready!(Pin::new(&mut this.answer).poll_frame(context)) {
                return Poll::Ready(Some(frame));
            }
            this.answer = Body::empty(); // and with it goes whoever still held the request
            let Some(left) = this.rest.take() else { return Poll::Ready(None) };
            this.reading = Some(Box::pin(this.upload.is_read(left)));
        }
        if let Some(reading) = &mut this.reading
            && !ready!(reading.as_mut().poll(context))
        {
            this.linger.0.store(true, Ordering::Relaxed);
        }
        this.reading = None;
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}

/// A socket that is closed gently where its client is still sending.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    linger: Linger,
    over: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, linger: Linger) -> Self {
        Self { stream, linger, over: None }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Says that nothing more comes, then takes in what the client sends until it hangs up or the time is over.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.over.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.linger.0.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let over = this.over.get_or_insert_with(|| Box::pin(sleep(UNREAD_LINGER_MAX)));
        let mut scratch = [0; 8192];
        while over.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
