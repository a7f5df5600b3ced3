//! Events as HTTP messages: CloudEvents HTTP protocol binding 1.0.2.
//!
//! Attribute values are percent-encoded when they are written, as section 3.1.3.2 asks; both encoded and plain values
//! are read, since most senders do not encode.

use super::json::{self, Form};
use super::{Event, Invalid, Name, Problem, STRUCTURED, Value, attribute};
use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};
use serde::de::IgnoredAny;
use std::borrow::Cow;

const PREFIX: &str = "ce-";
/// What a header value must encode: space, double quote, percent, and all outside of U+0021 to U+007E.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// What an HTTP message holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// One event.
    One(Event),
    /// A batch; it may be empty.
    Batch(Vec<Event>),
}

impl Message {
    /// The events, in order.
    pub fn into_events(self) -> Vec<Event> {
        match self {
            Self::One(event) => vec![event],
            Self::Batch(events) => events,
        }
    }
}

/// Whether the headers announce an event; an answer without it is an ordinary HTTP answer.
pub fn is_event(headers: &HeaderMap) -> bool {
    headers.contains_key("ce-specversion") || content_type(headers).is_some_and(|text| announces(&text))
}

/// Reads a request or an answer in binary, structured or batched mode.
///
/// A coded body is refused: an event has no attribute for the coding, so that its receivers could not read the data.
pub fn decode(headers: &HeaderMap, body: &Bytes) -> Result<Message, Invalid> {
    if let Some(coding) = headers.get(CONTENT_ENCODING).filter(|coding| *coding != "identity") {
        return Err(Invalid::ContentCoding(String::from_utf8_lossy(coding.as_bytes()).into_owned()));
    }
    let content_type = content_type(headers);
    match content_type.as_deref() {
        Some(text) if announces(text) => match json::form(text) {
            Some(Form::Structured) => json::decode(body).map(Message::One),
            Some(Form::Batch) => json::decode_batch(body).map(Message::Batch),
            None => Err(Invalid::ContentType(text.to_owned())),
        },
        Some(text) if !has_attributes(headers) => Err(Invalid::ContentType(text.to_owned())),
        _ => decode_binary(headers, body).map(Message::One),
    }
}

/// The headers of the event in binary mode; the body is [`Event::data`].
pub fn encode_binary(event: &Event) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(event.optional.len() + 5);
    let mut put = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(&utf8_percent_encode(value, ENCODED).to_string()) {
            headers.insert(name, value);
        }
    };
    put(HeaderName::from_static("ce-specversion"), super::SPEC_VERSION);
    put(HeaderName::from_static("ce-id"), event.id());
    put(HeaderName::from_static("ce-source"), event.source());
    put(HeaderName::from_static("ce-type"), event.kind());
    for (name, value) in event.optionals().filter(|(name, _)| *name != "datacontenttype") {
        if let Ok(header) = HeaderName::try_from(format!("{PREFIX}{name}")) {
            put(header, &value.text());
        }
    }
    if let Some(content_type) = binary_content_type(event) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    headers
}

/// The content type and the body of the event in structured mode.
pub fn encode_structured(event: &Event) -> (HeaderValue, Bytes) {
    (HeaderValue::from_static(STRUCTURED), json::encode(event).into())
}

/// An event without a content type has JSON data; only data that is JSON is labelled so.
fn binary_content_type(event: &Event) -> Option<HeaderValue> {
    match event.content_type() {
        Some(text) => HeaderValue::from_str(text).ok(),
        None => serde_json::from_slice::<IgnoredAny>(&event.data)
            .is_ok()
            .then(|| HeaderValue::from_static("application/json")),
    }
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
}

fn announces(content_type: &str) -> bool {
    content_type.get(..23).is_some_and(|head| head.eq_ignore_ascii_case("application/cloudevents"))
}

fn has_attributes(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with(PREFIX))
}

fn decode_binary(headers: &HeaderMap, body: &Bytes) -> Result<Event, Invalid> {
    let mut required = [const { None }; 4];
    let mut optional: Vec<(Name, Value)> = Vec::new();
    for header in headers.keys() {
        let Some(name) = header.as_str().strip_prefix(PREFIX) else { continue };
        attribute::check_name(name)?;
        if name == "datacontenttype" {
            return Err(Invalid::attribute("datacontenttype", Problem::Reserved));
        }
        let mut values = headers.get_all(header).iter();
        let value = values.next().map_or(&b""[..], HeaderValue::as_bytes);
        if values.next().is_some() {
            return Err(Invalid::attribute(name.to_owned(), Problem::Repeated));
        }
        let value = decode_value(value).ok_or_else(|| Invalid::attribute(name.to_owned(), Problem::Character))?;
        attribute::check(name, &value)?;
        match name {
            "specversion" => required[0] = Some(value),
            "id" => required[1] = Some(value),
            "source" => required[2] = Some(value),
            "type" => required[3] = Some(value),
            _ => optional.push((attribute::intern(Cow::Owned(name.to_owned())), Value::Text(value))),
        }
    }
    let missing = |name: &'static str| Invalid::attribute(name, Problem::Missing);
    let [version, id, source, kind] = required;
    version.ok_or_else(|| missing("specversion"))?;
    if let Some(content_type) = content_type(headers) {
        attribute::check("datacontenttype", &content_type)?;
        optional.insert(0, (Cow::Borrowed("datacontenttype"), Value::Text(content_type)));
    }
    let mut event = Event {
        id: id.ok_or_else(|| missing("id"))?,
        source: source.ok_or_else(|| missing("source"))?,
        kind: kind.ok_or_else(|| missing("type"))?,
        optional,
        data: Bytes::new(),
    };
    attribute::check_amount(event.optional.len() + 4, event.size())?;
    event.data = body.clone();
    Ok(event)
}

/// Takes the quotes off, then one round of percent-decoding. A `%` that begins no escape stays as it is.
fn decode_value(value: &[u8]) -> Option<String> {
    let unquoted = match value {
        [b'"', inner @ .., b'"'] => Cow::Owned(unescape(inner)),
        plain => Cow::Borrowed(plain),
    };
    percent_decode(&unquoted).decode_utf8().ok().map(Cow::into_owned)
}

fn unescape(quoted: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => out.extend(bytes.next()),
            plain => out.push(*plain),
        }
    }
    out
}
