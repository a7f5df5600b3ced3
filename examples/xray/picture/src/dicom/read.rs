//! Walks the elements of a file, in place.

use super::{Attribute, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, Tag};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Bytes before the marker `DICM`.
const PREAMBLE: usize = 128;
/// Deepest nesting of sequences that is followed; real films have two or three levels. Deeper is refused.
const NESTING_MAX: u8 = 16;
/// A length that says "until the delimiter".
const UNDEFINED: u32 = 0xFFFF_FFFF;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// Why a file could not be read as DICOM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The marker is not there.
    #[error("the marker DICM is missing at byte 128")]
    NoMarker,
    /// The file ends inside an element.
    #[error("the file ends inside the element {tag} at byte {at}: {declared} bytes declared, {left} left")]
    Truncated {
        /// The element.
        tag: Tag,
        /// Where its value begins.
        at: usize,
        /// The length it declares.
        declared: u32,
        /// What is left of the file.
        left: usize,
    },
    /// The file ends where an element or a delimiter must follow.
    #[error("the file ends at byte {0} where an element must follow")]
    Ended(usize),
    /// Something else than an item inside a sequence.
    #[error("found {tag} at byte {at} where an item of a sequence must be")]
    NoItem {
        /// What is there.
        tag: Tag,
        /// Where.
        at: usize,
    },
    /// Sequences inside sequences, beyond the limit.
    #[error("sequences are nested deeper than {NESTING_MAX} levels")]
    TooDeep,
    /// The file does not say how it is encoded.
    #[error("the transfer syntax is missing from the file's meta information")]
    NoTransferSyntax,
}

/// The pixel data as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pixels<'a> {
    /// Samples one after another.
    Native(&'a [u8]),
    /// Fragments of a compressed stream, without the offset table.
    Encapsulated(Vec<&'a [u8]>),
}

/// The top-level elements of a file.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    values: BTreeMap<Tag, &'a [u8]>,
    /// How the data set is encoded.
    pub transfer_syntax: Cow<'a, str>,
    /// The pixel data, if there is any.
    pub pixels: Option<Pixels<'a>>,
}

impl<'a> Elements<'a> {
    /// The text of an attribute, without padding; `None` if it is missing or empty.
    pub fn text(&self, attribute: Attribute) -> Option<Cow<'a, str>> {
        text(self.values.get(&attribute.tag())?)
    }

    /// The first 16-bit number of an attribute.
    pub fn number(&self, attribute: Attribute) -> Option<u16> {
        Some(u16::from_le_bytes(*self.values.get(&attribute.tag())?.first_chunk()?))
    }

    /// The tags that are there, sequences and pixel data apart.
    pub fn tags(&self) -> impl Iterator<Item = Tag> {
        self.values.keys().copied()
    }
}

fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    let end = value.iter().rposition(|byte| !matches!(byte, b' ' | 0)).map_or(0, |last| last + 1);
    let start = value[..end].iter().position(|byte| *byte != b' ').unwrap_or(end);
    (start < end).then(|| String::from_utf8_lossy(&value[start..end]))
}

/// Reads the elements of a file.
///
/// # Errors
/// When the bytes are no DICOM file, end too early or are nested too deep. Transfer syntaxes with explicit value
/// representations in little endian are walked whether or not their pixel data can be decoded.
pub fn read(file: &[u8]) -> Result<Elements<'_>, Error> {
    if file.get(PREAMBLE..PREAMBLE + 4) != Some(b"DICM") {
        return Err(Error::NoMarker);
    }
    let mut walk = Walk { file, at: PREAMBLE + 4, explicit: true, values: BTreeMap::new(), pixels: None };
    walk.meta()?;
    let syntax = Attribute::TransferSyntaxUID.tag();
    let transfer_syntax = walk.values.get(&syntax).and_then(|value| text(value)).ok_or(Error::NoTransferSyntax)?;
    walk.explicit = transfer_syntax != IMPLICIT_LITTLE_ENDIAN;
    while walk.at < file.len() {
        walk.element()?;
    }
    Ok(Elements { values: walk.values, transfer_syntax, pixels: walk.pixels })
}

/// Whether a transfer syntax stores samples uncompressed.
pub(crate) fn is_native(transfer_syntax: &str) -> bool {
    transfer_syntax == IMPLICIT_LITTLE_ENDIAN || transfer_syntax == EXPLICIT_LITTLE_ENDIAN
}

struct Walk<'a> {
    file: &'a [u8],
    at: usize,
    explicit: bool,
    values: BTreeMap<Tag, &'a [u8]>,
    pixels: Option<Pixels<'a>>,
}

struct Head {
    tag: Tag,
    vr: [u8; 2],
    length: u32,
}

impl<'a> Walk<'a> {
    fn meta(&mut self) -> Result<(), Error> {
        while self.file.get(self.at..self.at + 2) == Some(&[2, 0]) {
            self.element()?;
        }
        Ok(())
    }

    fn element(&mut self) -> Result<(), Error> {
        let head = self.head()?;
        if head.tag == Attribute::PixelData.tag() {
            self.pixels = Some(match head.length {
                UNDEFINED => Pixels::Encapsulated(self.fragments()?),
                length => Pixels::Native(self.take(head.tag, length)?),
            });
        } else if head.length == UNDEFINED {
            self.skip_sequence(head.vr, 0)?;
        } else {
            let value = self.take(head.tag, head.length)?;
            if head.vr != *b"SQ" {
                self.values.entry(head.tag).or_insert(value);
            }
        }
        Ok(())
    }

    /// The head of the next element. Items and delimiters have no value representation in any syntax.
    fn head(&mut self) -> Result<Head, Error> {
        let tag = Tag(self.u16()?, self.u16()?);
        if !self.explicit || tag.0 == ITEM.0 {
            return Ok(Head { tag, vr: *b"UN", length: self.u32()? });
        }
        let vr = *self.bytes()?;
        const LONG: [&[u8; 2]; 13] =
            [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];
        let length = if LONG.contains(&&vr) {
            self.u16()?;
            self.u32()?
        } else {
            u32::from(self.u16()?)
        };
        Ok(Head { tag, vr, length })
    }

    fn fragments(&mut self) -> Result<Vec<&'a [u8]>, Error> {
        let mut fragments = Vec::new();
        let mut first = true;
        loop {
            let at = self.at;
            let head = self.head()?;
            match head.tag {
                SEQUENCE_END => return Ok(fragments),
                // The first item is the table of offsets.
                ITEM if head.length != UNDEFINED => {
                    let fragment = self.take(head.tag, head.length)?;
                    if !std::mem::replace(&mut first, false) {
                        fragments.push(fragment);
                    }
                }
                tag => return Err(Error::NoItem { tag, at }),
            }
        }
    }

    /// Skips a sequence of undefined length. Inside one of unknown representation everything is implicit (PS3.5, 6.2.2).
    fn skip_sequence(&mut self, vr: [u8; 2], depth: u8) -> Result<(), Error> {
        if depth >= NESTING_MAX {
            return Err(Error::TooDeep);
        }
        let outer = self.explicit;
        self.explicit &= vr != *b"UN";
        loop {
            let at = self.at;
            let head = self.head()?;
            match head.tag {
                SEQUENCE_END => break,
                ITEM if head.length == UNDEFINED => self.skip_item(depth)?,
                ITEM => {
                    self.take(head.tag, head.length)?;
                }
                tag => return Err(Error::NoItem { tag, at }),
            }
        }
        self.explicit = outer;
        Ok(())
    }

    fn skip_item(&mut self, depth: u8) -> Result<(), Error> {
        loop {
            let head = self.head()?;
            if head.tag == ITEM_END {
                return Ok(());
            }
            if head.length == UNDEFINED {
                self.skip_sequence(head.vr, depth + 1)?;
            } else {
                self.take(head.tag, head.length)?;
            }
        }
    }

    fn take(&mut self, tag: Tag, length: u32) -> Result<&'a [u8], Error> {
        let left = &self.file[self.at..];
        let value = left.get(..length as usize).ok_or(Error::Truncated {
            tag,
            at: self.at,
            declared: length,
            left: left.len(),
        })?;
        self.at += value.len();
        Ok(value)
    }

    fn bytes<const COUNT: usize>(&mut self) -> Result<&'a [u8; COUNT], Error> {
        let bytes = self.file[self.at..].first_chunk().ok_or(Error::Ended(self.file.len()))?;
        self.at += COUNT;
        Ok(bytes)
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.bytes().map(|bytes| u16::from_le_bytes(*bytes))
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.bytes().map(|bytes| u32::from_le_bytes(*bytes))
    }
}
