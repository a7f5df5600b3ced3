//! Is this file a valid event? The core of `fnctl event check`; needs no node.

use super::http::{self as binding, Message};
use super::{Event, Invalid, json};
use ::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use fnctl_config::limits::EVENT_BYTES_MAX;

/// In which form the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One event as JSON.
    Structured,
    /// An array of events as JSON.
    Batch,
    /// A raw HTTP message: an optional request or status line, headers, an empty line, the body.
    Http,
}

/// The events in the bytes, or what is wrong with them, by the rules of the ingress.
pub fn check(mode: Mode, bytes: &Bytes) -> Result<Vec<Event>, Invalid> {
    if bytes.len() > EVENT_BYTES_MAX {
        return Err(Invalid::TooLarge { what: "the size in bytes", limit: EVENT_BYTES_MAX });
    }
    match mode {
        Mode::Structured => json::decode(bytes).map(|event| vec![event]),
        Mode::Batch => json::decode_batch(bytes),
        Mode::Http => {
            let (headers, body) = parse(bytes)?;
            binding::decode(&headers, &body).map(Message::into_events)
        }
    }
}

fn parse(bytes: &Bytes) -> Result<(HeaderMap, Bytes), Invalid> {
    let mut headers = HeaderMap::new();
    let mut place = 0;
    let mut first = true;
    loop {
        let rest = &bytes[place..];
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]);
        place = (place + length + 1).min(bytes.len());
        if line.is_empty() {
            break;
        }
        let is_start_line = std::mem::take(&mut first) && is_start_line(line);
        if !is_start_line {
            let (name, value) = header(line)?;
            headers.append(name, value);
        }
    }
    let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let body = bytes.slice(place..);
    Ok((headers, length.filter(|length| *length <= body.len()).map_or(body.clone(), |length| body.slice(..length))))
}

fn is_start_line(line: &[u8]) -> bool {
    line.starts_with(b"HTTP/") || line.windows(6).any(|part| part == b" HTTP/")
}

fn header(line: &[u8]) -> Result<(HeaderName, HeaderValue), Invalid> {
    let malformed = || Invalid::Malformed(format!("not a header line: {:?}", String::from_utf8_lossy(line)));
    let colon = line.iter().position(|byte| *byte == b':').ok_or_else(malformed)?;
    let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| malformed())?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).map_err(|_| malformed())?;
    Ok((name, value))
}
