//! A CloudEvent 1.0 and its forms: HTTP binary, structured and batched JSON, and the log's own.
//!
//! Own code because the platform must keep what it was given: data byte by byte, attribute text as written, the JSON
//! type of an extension. Data is never copied where the form allows it.

mod attribute;
pub mod check;
pub mod http;
mod invalid;
pub mod json;
pub mod stored;

pub use invalid::{Invalid, Problem};

use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;

/// The only version of the specification that is taken.
pub const SPEC_VERSION: &str = "1.0";
/// Content type of one event as JSON.
pub const STRUCTURED: &str = "application/cloudevents+json";
/// Content type of several events as a JSON array.
pub const BATCH: &str = "application/cloudevents-batch+json";
/// Extension that counts down the replies an event may still cause; Knative's name.
pub const TTL: &str = "knativebrokerttl";
/// Extension with the time at which the broker took the event; Knative's name.
pub const ARRIVAL_TIME: &str = "knativearrivaltime";
/// Extension by which ordered triggers keep their order; the name of the CloudEvents partitioning extension.
pub const PARTITION_KEY: &str = "partitionkey";

/// A valid CloudEvent: it cannot be made with a missing or malformed attribute.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    id: String,
    source: String,
    kind: String,
    /// Optional attributes and extensions in the order they came; names are unique.
    optional: Vec<(Name, Value)>,
    data: Bytes,
}

/// An attribute's name; the well-known ones take no memory.
pub type Name = Cow<'static, str>;

/// An attribute's value with the type it had in JSON. Over HTTP headers every value is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, and all types that are written as text (URI, timestamp, binary).
    Text(String),
    /// A JSON boolean.
    Boolean(bool),
    /// A JSON number; CloudEvents integers have 32 bits.
    Integer(i32),
}

impl Value {
    /// The value as CloudEvents prints it; what filters compare.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
            Self::Integer(number) => Cow::Owned(number.to_string()),
        }
    }
}

impl<T: Into<String>> From<T> for Value {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

impl Event {
    /// An event with its three required attributes; `kind` is the attribute `type`.
    pub fn new(id: impl Into<String>, source: impl Into<String>, kind: impl Into<String>) -> Result<Self, Invalid> {
        let event =
            Self { id: id.into(), source: source.into(), kind: kind.into(), optional: Vec::new(), data: Bytes::new() };
        attribute::check("id", &event.id)?;
        attribute::check("source", &event.source)?;
        attribute::check("type", &event.kind)?;
        Ok(event)
    }

    /// The event with one more optional attribute or extension; an attribute of that name is replaced.
    pub fn with(mut self, name: impl Into<Name>, value: impl Into<Value>) -> Result<Self, Invalid> {
        self.set(name.into(), value.into())?;
        Ok(self)
    }

    /// The event with this data; `content_type` becomes `datacontenttype`.
    pub fn with_data(self, content_type: &str, data: impl Into<Bytes>) -> Result<Self, Invalid> {
        let mut event = self.with("datacontenttype", content_type)?;
        event.data = data.into();
        Ok(event)
    }

    /// Sets an optional attribute or an extension.
    pub fn set(&mut self, name: Name, value: Value) -> Result<(), Invalid> {
        attribute::check_name(&name)?;
        if attribute::is_required(&name) {
            return Err(Invalid::attribute(name, Problem::Reserved));
        }
        attribute::check(&name, &value.text())?;
        match self.optional.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.optional.push((attribute::intern(name), value)),
        }
        Ok(())
    }

    /// Sets an extension of the platform's own, whose name is well-known and whose value is text without controls.
    pub(crate) fn mark(&mut self, name: &'static str, value: Value) {
        self.remove(name);
        self.optional.push((Cow::Borrowed(name), value));
    }

    /// Removes an optional attribute or an extension.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let place = self.optional.iter().position(|(known, _)| known == name)?;
        Some(self.optional.remove(place).1)
    }

    /// The attribute `id`; unique within its source.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The attribute `source`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The attribute `type`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The attribute `datacontenttype`.
    pub fn content_type(&self) -> Option<&str> {
        match self.optional("datacontenttype") {
            Some(Value::Text(text)) => Some(text),
            Some(Value::Boolean(_) | Value::Integer(_)) | None => None,
        }
    }

    /// The data as it came; empty where there is none.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// Optional attributes and extensions, in the order they came.
    pub fn optionals(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.optional.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// One optional attribute or extension.
    pub fn optional(&self, name: &str) -> Option<&Value> {
        self.optional.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Any attribute as text, required ones included; absent is `None`.
    pub fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "id" => Some(Cow::Borrowed(&self.id)),
            "source" => Some(Cow::Borrowed(&self.source)),
            "type" => Some(Cow::Borrowed(&self.kind)),
            "specversion" => Some(Cow::Borrowed(SPEC_VERSION)),
            other => self.optional(other).map(Value::text),
        }
    }

    /// Bytes that the event takes in memory, roughly.
    pub fn size(&self) -> usize {
        let optional: usize = self.optional.iter().map(|(name, value)| name.len() + value.text().len()).sum();
        self.id.len() + self.source.len() + self.kind.len() + optional + self.data.len()
    }
}

/// Attributes and the data's length; data may be private and is not printed.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Event");
        out.field("id", &self.id).field("source", &self.source).field("type", &self.kind);
        for (name, value) in &self.optional {
            out.field(name, &value.text());
        }
        out.field("data", &format_args!("{} bytes", self.data.len())).finish()
    }
}

#[cfg(test)]
mod tests;
