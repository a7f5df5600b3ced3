//! Why bytes are no valid event.

use std::borrow::Cow;

/// Why something is no valid event. The sender's fault; trying again with the same bytes does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// One attribute is at fault.
    #[error("attribute {attribute:?} {problem}")]
    Attribute {
        /// Its name, as it came.
        attribute: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The bytes cannot be parsed.
    #[error("not a CloudEvent: {0}")]
    Malformed(String),
    /// The content type is none of an event.
    #[error(
        "content type {0:?} is not supported: expected application/cloudevents+json, application/cloudevents-batch+json or ce- headers"
    )]
    ContentType(String),
    /// The body is coded, compressed for instance.
    #[error("content coding {0:?} is not supported: send the body as it is")]
    ContentCoding(String),
    /// A limit is passed.
    #[error("{what} passes the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in the unit of `what`.
        limit: usize,
    },
    /// One event of a batch is at fault.
    #[error("event {index} of the batch: {error}")]
    InBatch {
        /// Its place, from 0.
        index: usize,
        /// What is wrong with it.
        error: Box<Invalid>,
    },
}

impl Invalid {
    pub(super) fn attribute(attribute: impl Into<Cow<'static, str>>, problem: Problem) -> Self {
        Self::Attribute { attribute: attribute.into().into_owned(), problem }
    }

    /// The attribute at fault, where it is one.
    pub fn attribute_at_fault(&self) -> Option<&str> {
        match self {
            Self::Attribute { attribute, .. } => Some(attribute),
            Self::InBatch { error, .. } => error.attribute_at_fault(),
            Self::Malformed(_) | Self::ContentType(_) | Self::ContentCoding(_) | Self::TooLarge { .. } => None,
        }
    }
}

/// What is wrong with an attribute.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Required and absent.
    #[error("is required and missing")]
    Missing,
    /// Present and empty.
    #[error("must not be empty")]
    Empty,
    /// A name outside the specification.
    #[error("has a name that is not valid: expected lower-case letters and digits, at most {0} of them")]
    Name(usize),
    /// A name that has a meaning of its own at this place.
    #[error("cannot be set here: the name is reserved")]
    Reserved,
    /// There twice.
    #[error("is given more than once")]
    Repeated,
    /// Not the version that is spoken here.
    #[error("has the value {0:?}: only \"1.0\" is supported")]
    Version(String),
    /// A control character, or bytes that are no text.
    #[error("holds a character that is not allowed: control characters and bytes that are not UTF-8 are refused")]
    Character,
    /// Not the form that the specification asks for.
    #[error("is not {expected}: {value:?}")]
    Form {
        /// What is expected, with its article.
        expected: &'static str,
        /// What came, shortened.
        value: String,
    },
    /// Not a type of CloudEvents.
    #[error("must be a string, a boolean or an integer of 32 bits")]
    Kind,
    /// `data` beside `data_base64`.
    #[error("cannot stand beside \"data\"")]
    BesideData,
}
