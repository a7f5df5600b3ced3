//! One connection of the load: writes a request, reads the whole answer to it, and no more.
//!
//! Not a client's library: the client shares its cores with the server, and what it costs hides what the server costs.
//! A general client was a third of each request of the fastest function; this one does what a closed loop needs.

use bytes::{Buf as _, Bytes, BytesMut};
use http::{Request, StatusCode, header};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Room for one read.
const READ_BYTES: usize = 16 << 10;
/// Most headers of an answer.
const HEADERS_MAX: usize = 64;
/// Most bytes of an answer's head, and of a line among its chunks.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// A keep-alive connection.
pub(super) struct Line {
    stream: TcpStream,
    unread: BytesMut,
    /// The server closes it after the answer that was read last.
    closed: bool,
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    bytes: usize,
    status: StatusCode,
    body: Length,
    closes: bool,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(u64),
    Chunks,
    UntilClosed,
}

/// The bytes of a request, as [`Line::exchange`] takes them.
pub(super) fn written(request: &Request<Bytes>) -> Bytes {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).into_bytes();
    let length = request.body().len().to_string();
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let length = (!request.body().is_empty()).then_some((header::CONTENT_LENGTH.as_str(), length.as_bytes()));
    for (name, value) in headers.chain(length) {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(request.body());
    bytes.into()
}

impl Line {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: BytesMut::new(), closed: false })
    }

    /// Whether it takes no request more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> io::Result<StatusCode> {
        self.closed = true; // unless the answer is read whole
        self.stream.write_all(request).await?;
        let head = loop {
            match head(&self.unread)? {
                Some(head) => break head,
                None => self.read().await?,
            }
        };
        self.unread.advance(head.bytes);
        match head.body {
            Length::Bytes(length) => self.skip(length).await?,
            Length::Chunks => self.skip_chunks().await?,
            Length::UntilClosed => self.skip_all().await?,
        }
        self.closed = head.closes;
        Ok(head.status)
    }

    async fn skip_chunks(&mut self) -> io::Result<()> {
        loop {
            let (line, length) = loop {
                match httparse::parse_chunk_size(&self.unread).map_err(|_| malformed("a chunk's size"))? {
                    httparse::Status::Complete(size) => break size,
                    httparse::Status::Partial if self.unread.len() > HEAD_BYTES_MAX => {
                        return Err(malformed("a chunk's size"));
                    }
                    httparse::Status::Partial => self.read().await?,
                }
            };
            self.unread.advance(line);
            if length == 0 {
                return self.skip_trailers().await;
            }
            self.skip(length.saturating_add(2)).await?; // its line end
        }
    }

    async fn skip_trailers(&mut self) -> io::Result<()> {
        loop {
            match self.unread.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let line = self.unread.split_to(end + 1);
                    if line.trim_ascii().is_empty() {
                        return Ok(());
                    }
                }
                None if self.unread.len() > HEAD_BYTES_MAX => return Err(malformed("a trailer")),
                None => self.read().await?,
            }
        }
    }

    async fn skip(&mut self, mut length: u64) -> io::Result<()> {
        loop {
            let here = usize::try_from(length).unwrap_or(usize::MAX).min(self.unread.len());
            self.unread.advance(here);
            length -= here as u64;
            if length == 0 {
                return Ok(());
            }
            self.read().await?;
        }
    }

    async fn skip_all(&mut self) -> io::Result<()> {
        loop {
            self.unread.clear();
            if self.fill().await? == 0 {
                return Ok(());
            }
        }
    }

    /// Reads on; an error at the end.
    async fn read(&mut self) -> io::Result<()> {
        if self.fill().await? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.unread.reserve(READ_BYTES);
        self.stream.read_buf(&mut self.unread).await
    }
}

/// The head that these bytes begin with; none while it is not there whole.
fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let length = match answer.parse(bytes).map_err(|_| malformed("the head"))? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial if bytes.len() > HEAD_BYTES_MAX => return Err(malformed("the head")),
        httparse::Status::Partial => return Ok(None),
    };
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| malformed("the status"))?;
    let value = |name: header::HeaderName| {
        let header = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name.as_str()));
        header.map(|header| header.value.trim_ascii())
    };
    let is = |name, word: &str| value(name).is_some_and(|value| value.eq_ignore_ascii_case(word.as_bytes()));
    let told = value(header::CONTENT_LENGTH).map(|length| std::str::from_utf8(length).ok()?.parse().ok());
    let body = match told {
        _ if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => Length::Bytes(0),
        _ if is(header::TRANSFER_ENCODING, "chunked") => Length::Chunks,
        Some(length) => Length::Bytes(length.ok_or_else(|| malformed("the content-length"))?),
        None => Length::UntilClosed,
    };
    let closes = body == Length::UntilClosed || answer.version == Some(0) || is(header::CONNECTION, "close");
    Ok(Some(Head { bytes: length, status, body, closes }))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} of an answer is not HTTP/1.1"))
}

#[cfg(test)]
mod tests;
