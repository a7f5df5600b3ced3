//! Rules of attribute names and values: CloudEvents 1.0.2, sections "Naming Conventions", "Type System" and
//! "Context Attributes".

use super::{ARRIVAL_TIME, Invalid, Name, PARTITION_KEY, Problem, SPEC_VERSION, TTL};
use fnctl_config::limits::{ATTRIBUTE_NAME_BYTES_MAX, ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX};
use jiff::Timestamp;
use std::borrow::Cow;

/// Names that are known without a copy. The log's codec refers to them by place: append only.
pub(super) const WELL_KNOWN: [&str; 15] = [
    "datacontenttype",
    "dataschema",
    "subject",
    "time",
    ARRIVAL_TIME,
    TTL,
    PARTITION_KEY,
    "traceparent",
    "tracestate",
    "sequence",
    "sequencer",
    "dataref",
    "knativeerrordest",
    "knativeerrorcode",
    "knativeerrordata",
];

/// The name without an allocation of its own where it is well-known.
pub(super) fn intern(name: Name) -> Name {
    match WELL_KNOWN.iter().find(|known| **known == name) {
        Some(known) => Cow::Borrowed(known),
        None => name,
    }
}

pub(super) fn is_required(name: &str) -> bool {
    matches!(name, "id" | "source" | "type" | "specversion")
}

/// Lower-case letters and digits. The specification recommends 20 characters at most; sources that copy names from
/// elsewhere (Kafka headers) pass that, so the bound here is wider.
pub(super) fn check_name(name: &str) -> Result<(), Invalid> {
    let fits = !name.is_empty() && name.len() <= ATTRIBUTE_NAME_BYTES_MAX;
    if !fits || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Err(Invalid::attribute(name.to_owned(), Problem::Name(ATTRIBUTE_NAME_BYTES_MAX)));
    }
    if name == "data" {
        return Err(Invalid::attribute("data", Problem::Reserved));
    }
    Ok(())
}

/// Checks a value by the rules of its attribute.
pub(super) fn check(name: &str, value: &str) -> Result<(), Invalid> {
    let fail = |problem| Err(Invalid::attribute(name.to_owned(), problem));
    if value.chars().any(is_refused) {
        return fail(Problem::Character);
    }
    let form = |expected| Problem::Form { expected, value: value.chars().take(80).collect() };
    match name {
        "specversion" if value != SPEC_VERSION => fail(Problem::Version(value.chars().take(20).collect())),
        "id" | "source" | "type" | "subject" | "dataschema" | "datacontenttype" | "time" if value.is_empty() => {
            fail(Problem::Empty)
        }
        "source" if !is_uri_reference(value) => fail(form("a URI reference")),
        "dataschema" if !is_uri(value) => fail(form("an absolute URI")),
        "time" if !is_timestamp(value) => fail(form("a timestamp as in RFC 3339")),
        "datacontenttype" if !is_media_type(value) => fail(form("a media type")),
        _ => Ok(()),
    }
}

/// Checks the number of attributes and their bytes together, so that every event fits into HTTP headers.
pub(super) fn check_amount(count: usize, bytes: usize) -> Result<(), Invalid> {
    if count > ATTRIBUTES_MAX {
        return Err(Invalid::TooLarge { what: "the number of attributes", limit: ATTRIBUTES_MAX });
    }
    if bytes > ATTRIBUTES_BYTES_MAX {
        return Err(Invalid::TooLarge { what: "the bytes of all attributes", limit: ATTRIBUTES_BYTES_MAX });
    }
    Ok(())
}

/// Characters that a CloudEvents string may not hold: controls and Unicode non-characters.
fn is_refused(character: char) -> bool {
    let code = u32::from(character);
    character.is_control() || (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
}

/// Characters of RFC 3986, and those beyond ASCII, which many senders leave as they are.
fn is_uri_reference(text: &str) -> bool {
    !text.chars().any(|c| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`'))
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && is_uri_reference(text)
}

fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    text.is_ascii() && essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

/// `2018-04-05T17:31:00.25Z` or with an offset: the form of RFC 3339, then the ranges by the calendar.
fn is_timestamp(text: &str) -> bool {
    const SHAPE: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let bytes = text.as_bytes();
    if bytes.len() <= SHAPE.len() {
        return false;
    }
    let (head, rest) = bytes.split_at(SHAPE.len());
    let shaped = head.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'd' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't'),
        other => byte == other,
    });
    let zone = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 { return false } else { &fraction[digits..] }
        }
        None => rest,
    };
    let zoned = match zone {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', a, b, b':', c, d] => [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    shaped && zoned && calendar(text)
}

fn calendar(text: &str) -> bool {
    // jiff takes nine digits of a fraction at most; RFC 3339 has no bound, and the digits carry no range.
    let fraction = text.find('.').map_or(0..0, |dot| {
        let digits = text[dot + 1..].bytes().take_while(u8::is_ascii_digit).count();
        dot..dot + 1 + digits
    });
    let mut plain = text.to_ascii_uppercase();
    plain.replace_range(fraction, "");
    plain.parse::<Timestamp>().is_ok()
}
