//! The form in which the log keeps an event.
//!
//! ```text
//! version  attributes  id        source    type      attribute ...                   data
//! u8 = 1   u16         u32+text  u32+text  u32+text  u8 name, (u8+text), kind+value  the rest
//! ```
//! Numbers are little-endian. A name byte below 255 is a place in the table of well-known names; 255 is followed by the
//! name. A kind is 0 (text, u32 and bytes), 1 (boolean, u8) or 2 (integer, i32). Data is not copied when read.

use super::{Event, Name, Value, attribute};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::borrow::Cow;

const VERSION: u8 = 1;
const NAMED: u8 = u8::MAX;

/// The bytes are no event of this codec: damage, or a newer version of the program wrote them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A version that is not known here.
    #[error("the record has version {0}, which this program does not know: it was written by a newer one")]
    Version(u8),
    /// Not what the codec writes.
    #[error("the record is not an event: {0}")]
    Damaged(&'static str),
}

/// Writes an event for the log.
pub fn encode(event: &Event) -> Bytes {
    let mut out = BytesMut::with_capacity(event.size() + 64);
    out.put_u8(VERSION);
    out.put_u16_le(u16::try_from(event.optional.len()).unwrap_or(u16::MAX));
    put_text(&mut out, &event.id);
    put_text(&mut out, &event.source);
    put_text(&mut out, &event.kind);
    for (name, value) in event.optional.iter().take(usize::from(u16::MAX)) {
        match attribute::WELL_KNOWN.iter().position(|known| known == name).and_then(|place| u8::try_from(place).ok()) {
            Some(place) => out.put_u8(place),
            None => {
                out.put_u8(NAMED);
                out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
                out.put_slice(&name.as_bytes()[..name.len().min(usize::from(u8::MAX))]);
            }
        }
        match value {
            Value::Text(text) => {
                out.put_u8(0);
                put_text(&mut out, text);
            }
            Value::Boolean(flag) => {
                out.put_u8(1);
                out.put_u8(u8::from(*flag));
            }
            Value::Integer(number) => {
                out.put_u8(2);
                out.put_i32_le(*number);
            }
        }
    }
    out.put_slice(&event.data);
    out.freeze()
}

/// Reads an event of the log. The data is a slice of `record`.
pub fn decode(record: &Bytes) -> Result<Event, Unreadable> {
    let mut rest = record.clone();
    let cut = |_| Unreadable::Damaged("it ends too early");
    let version = rest.try_get_u8().map_err(cut)?;
    if version != VERSION {
        return Err(Unreadable::Version(version));
    }
    let count = rest.try_get_u16_le().map_err(cut)?;
    let (id, source, kind) = (take_text(&mut rest)?, take_text(&mut rest)?, take_text(&mut rest)?);
    let mut optional = Vec::with_capacity(usize::from(count).min(64));
    for _ in 0..count {
        let name = take_name(&mut rest)?;
        let value = match rest.try_get_u8().map_err(cut)? {
            0 => Value::Text(take_text(&mut rest)?),
            1 => Value::Boolean(rest.try_get_u8().map_err(cut)? != 0),
            2 => Value::Integer(rest.try_get_i32_le().map_err(cut)?),
            _ => return Err(Unreadable::Damaged("an attribute has an unknown kind")),
        };
        optional.push((name, value));
    }
    Ok(Event { id, source, kind, optional, data: rest })
}

fn put_text(out: &mut BytesMut, text: &str) {
    out.put_u32_le(u32::try_from(text.len()).unwrap_or(u32::MAX));
    out.put_slice(text.as_bytes());
}

fn take_text(rest: &mut Bytes) -> Result<String, Unreadable> {
    let length = rest.try_get_u32_le().map_err(|_| Unreadable::Damaged("it ends too early"))?;
    take(rest, length as usize)
}

fn take_name(rest: &mut Bytes) -> Result<Name, Unreadable> {
    let cut = |_| Unreadable::Damaged("it ends too early");
    match rest.try_get_u8().map_err(cut)? {
        NAMED => {
            let length = rest.try_get_u8().map_err(cut)?;
            take(rest, usize::from(length)).map(Cow::Owned)
        }
        place => match attribute::WELL_KNOWN.get(usize::from(place)) {
            Some(name) => Ok(Cow::Borrowed(name)),
            None => Err(Unreadable::Damaged("an attribute has an unknown name")),
        },
    }
}

fn take(rest: &mut Bytes, length: usize) -> Result<String, Unreadable> {
    if length > rest.len() {
        return Err(Unreadable::Damaged("it ends too early"));
    }
    let bytes = rest.split_to(length);
    std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| Unreadable::Damaged("text is not UTF-8"))
}
