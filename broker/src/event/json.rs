//! The JSON form: one event, or an array of them. CloudEvents JSON format 1.0.2.
//!
//! JSON data keeps its bytes exactly as they stood in the document. Duplicate members and nesting beyond the limit are
//! refused, because two readers could understand them differently.

use super::{BATCH, Event, Invalid, Name, Problem, SPEC_VERSION, Value, attribute};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use fnctl_config::limits::{BATCH_EVENTS_MAX, JSON_DEPTH_MAX};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Reads one event (`application/cloudevents+json`).
pub fn decode(body: &Bytes) -> Result<Event, Invalid> {
    check_depth(body)?;
    let raw: &RawValue = serde_json::from_slice(body).map_err(malformed)?;
    decode_value(body, raw)
}

/// Reads a batch (`application/cloudevents-batch+json`); it may be empty.
pub fn decode_batch(body: &Bytes) -> Result<Vec<Event>, Invalid> {
    check_depth(body)?;
    let raws: Vec<&RawValue> = serde_json::from_slice(body).map_err(malformed)?;
    if raws.len() > BATCH_EVENTS_MAX {
        return Err(Invalid::TooLarge { what: "the number of events in the batch", limit: BATCH_EVENTS_MAX });
    }
    let one =
        |(index, raw)| decode_value(body, raw).map_err(|error| Invalid::InBatch { index, error: Box::new(error) });
    raws.into_iter().enumerate().map(one).collect()
}

/// Writes one event. Data whose content type is JSON stands as it is, text as a string, all else as base64.
pub fn encode(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.size() + 128);
    write(event, &mut out);
    out
}

/// Writes a batch, in the content type [`BATCH`].
pub fn encode_batch<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<u8> {
    let mut out = vec![b'['];
    for (index, event) in events.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(event, &mut out);
    }
    out.push(b']');
    out
}

/// Whether data of this content type is JSON; an absent one means JSON.
pub fn is_json(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else { return true };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// Whether the content type means an event or a batch in JSON; `None` for any other.
pub(super) fn form(content_type: &str) -> Option<Form> {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        super::STRUCTURED => Some(Form::Structured),
        BATCH => Some(Form::Batch),
        _ => None,
    }
}

/// Which JSON form a content type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Structured,
    Batch,
}

/// The members of one object, in order, unread.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the event's attributes")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// A JSON string, borrowed where it holds no escape.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What the members say, before it is known to be a whole event.
#[derive(Default)]
struct Draft<'a> {
    required: [Option<String>; 4],
    optional: Vec<(Name, Value)>,
    data: Option<&'a RawValue>,
    data_base64: Option<String>,
}

const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];

impl<'a> Draft<'a> {
    fn take(&mut self, name: Cow<'a, str>, raw: &'a RawValue) -> Result<(), Invalid> {
        match name.as_ref() {
            "data" if self.data.is_some() => return Err(Invalid::attribute("data", Problem::Repeated)),
            "data" => {
                self.data = Some(raw);
                return Ok(());
            }
            _ if raw.get() == "null" => return Ok(()),
            "data_base64" => {
                let text = text_of(&name, raw)?;
                return match self.data_base64.replace(text) {
                    Some(_) => Err(Invalid::attribute("data_base64", Problem::Repeated)),
                    None => Ok(()),
                };
            }
            _ => {}
        }
        attribute::check_name(&name)?;
        if let Some(place) = REQUIRED.iter().position(|required| *required == name) {
            let text = text_of(&name, raw)?;
            attribute::check(&name, &text)?;
            return match self.required[place].replace(text) {
                Some(_) => Err(Invalid::attribute(name.into_owned(), Problem::Repeated)),
                None => Ok(()),
            };
        }
        let value = value_of(&name, raw)?;
        attribute::check(&name, &value.text())?;
        if self.optional.iter().any(|(known, _)| *known == name) {
            return Err(Invalid::attribute(name.into_owned(), Problem::Repeated));
        }
        self.optional.push((attribute::intern(Cow::Owned(name.into_owned())), value));
        Ok(())
    }

    fn finish(self, body: &Bytes) -> Result<Event, Invalid> {
        let missing = |name: &'static str| Invalid::attribute(name, Problem::Missing);
        let [version, id, source, kind] = self.required;
        version.ok_or_else(|| missing("specversion"))?;
        let mut event = Event {
            id: id.ok_or_else(|| missing("id"))?,
            source: source.ok_or_else(|| missing("source"))?,
            kind: kind.ok_or_else(|| missing("type"))?,
            optional: self.optional,
            data: Bytes::new(),
        };
        attribute::check_amount(event.optional.len() + REQUIRED.len(), event.size())?;
        event.data = match (self.data, self.data_base64) {
            (Some(_), Some(_)) => return Err(Invalid::attribute("data_base64", Problem::BesideData)),
            (None, None) => Bytes::new(),
            (None, Some(text)) => {
                let expected = "base64";
                let form = || Problem::Form { expected, value: text.chars().take(40).collect() };
                BASE64_STANDARD.decode(&text).map_err(|_| Invalid::attribute("data_base64", form()))?.into()
            }
            (Some(raw), None) => data_of(body, raw, event.content_type())?,
        };
        Ok(event)
    }
}

fn decode_value(body: &Bytes, raw: &RawValue) -> Result<Event, Invalid> {
    let Members(members) = serde_json::from_str(raw.get()).map_err(malformed)?;
    let mut draft = Draft::default();
    for (name, value) in members {
        draft.take(name, value)?;
    }
    draft.finish(body)
}

/// JSON stays as it stands; a string of another content type is the text itself.
fn data_of(body: &Bytes, raw: &RawValue, content_type: Option<&str>) -> Result<Bytes, Invalid> {
    let as_it_stands = body.slice_ref(raw.get().as_bytes());
    if is_json(content_type) || !raw.get().starts_with('"') {
        return Ok(as_it_stands);
    }
    let Text(text) = serde_json::from_str(raw.get()).map_err(malformed)?;
    Ok(match text {
        Cow::Borrowed(text) => body.slice_ref(text.as_bytes()),
        Cow::Owned(text) => text.into(),
    })
}

fn text_of(name: &str, raw: &RawValue) -> Result<String, Invalid> {
    let expected = "a string";
    let form = || Problem::Form { expected, value: raw.get().chars().take(40).collect() };
    serde_json::from_str(raw.get()).map_err(|_| Invalid::attribute(name.to_owned(), form()))
}

fn value_of(name: &str, raw: &RawValue) -> Result<Value, Invalid> {
    match raw.get().as_bytes().first() {
        Some(b'"') => text_of(name, raw).map(Value::Text),
        Some(b't') => Ok(Value::Boolean(true)),
        Some(b'f') => Ok(Value::Boolean(false)),
        _ => match raw.get().parse::<i32>() {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => Err(Invalid::attribute(name.to_owned(), Problem::Kind)),
        },
    }
}

fn write(event: &Event, out: &mut Vec<u8>) {
    out.push(b'{');
    let required =
        [("specversion", SPEC_VERSION), ("id", event.id()), ("source", event.source()), ("type", event.kind())];
    for (index, (name, value)) in required.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_name(name, out);
        write_text(value, out);
    }
    for (name, value) in event.optionals() {
        out.push(b',');
        write_name(name, out);
        match value {
            Value::Text(text) => write_text(text, out),
            Value::Boolean(_) | Value::Integer(_) => out.extend_from_slice(value.text().as_bytes()),
        }
    }
    write_data(event, out);
    out.push(b'}');
}

fn write_data(event: &Event, out: &mut Vec<u8>) {
    if event.data.is_empty() {
        return;
    }
    out.push(b',');
    let content_type = event.content_type();
    if is_json(content_type) {
        if serde_json::from_slice::<IgnoredAny>(&event.data).is_ok() && check_depth(&event.data).is_ok() {
            out.extend_from_slice(b"\"data\":");
            out.extend_from_slice(event.data.trim_ascii());
            return;
        }
    } else if let (Ok(text), true) = (std::str::from_utf8(&event.data), is_textual(content_type)) {
        out.extend_from_slice(b"\"data\":");
        write_text(text, out);
        return;
    }
    out.extend_from_slice(b"\"data_base64\":");
    write_text(&BASE64_STANDARD.encode(&event.data), out);
}

fn is_textual(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|text| {
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        essence.starts_with("text/") || essence.ends_with("/xml") || essence.ends_with("+xml")
    })
}

fn write_name(name: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

/// Counts the open brackets outside of strings; whether the document is JSON at all is for the parser to say.
fn check_depth(body: &[u8]) -> Result<(), Invalid> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            // Outside of strings a backslash is no JSON.
            b'\\' => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            return Err(Invalid::TooLarge { what: "the nesting of the JSON document", limit: JSON_DEPTH_MAX });
        }
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err asks for")]
fn malformed(error: serde_json::Error) -> Invalid {
    Invalid::Malformed(error.to_string())
}
