//! Bytes of a file → a grey picture. The dimensions are looked at before anything of their size is allocated.

mod film;
mod plain;

use crate::dicom::{self, Attribute};
use crate::picture::Picture;

/// Pixels that a picture may have where the caller has no limit of its own: above it the file is refused.
pub const PIXELS_MAX: usize = 100_000_000;

/// What kind of file a picture came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A DICOM file.
    Dicom,
    /// A JPEG file.
    Jpeg,
    /// A PNG file.
    Png,
}

impl Format {
    /// The format that the first bytes say, whatever the name of the file.
    pub fn of(file: &[u8]) -> Option<Self> {
        if file.get(128..132) == Some(b"DICM") {
            Some(Self::Dicom)
        } else if file.starts_with(&[0xFF, 0xD8, 0xFF]) {
            Some(Self::Jpeg)
        } else if file.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else {
            None
        }
    }

    /// The usual ending of such a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Dicom => "dcm",
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }
}

/// Why a file is not a picture that can be scored. Each is the file's fault: trying again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither DICOM, JPEG nor PNG.
    #[error("the file is neither DICOM, JPEG nor PNG")]
    NotAPicture,
    /// The file says it is DICOM, and is damaged.
    #[error("the DICOM file cannot be read: {0}")]
    Dicom(#[from] dicom::Error),
    /// An attribute that every picture must have is missing.
    #[error("the DICOM attribute {0} is missing")]
    MissingAttribute(Attribute),
    /// An attribute has a value that is not supported.
    #[error("{attribute} is {value}, supported is {supported}")]
    UnsupportedValue {
        /// The attribute.
        attribute: Attribute,
        /// What it says.
        value: String,
        /// What it might say.
        supported: &'static str,
    },
    /// The compression is not supported.
    #[error(
        "the transfer syntax {0} is not supported, supported are uncompressed little endian, JPEG baseline and JPEG 2000"
    )]
    UnsupportedTransferSyntax(String),
    /// More pixels than the limit.
    #[error("the picture has {width} x {height} pixels, the limit is {limit} pixels")]
    TooLarge {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// The limit, in pixels.
        limit: usize,
    },
    /// No pixel at all.
    #[error("the picture has {width} x {height} pixels")]
    Empty {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// Fewer bytes of pixels than the dimensions need.
    #[error("the pixel data has {found} bytes where {expected} are needed")]
    TooFewPixels {
        /// Bytes that are there.
        found: usize,
        /// Bytes that are needed.
        expected: usize,
    },
    /// The compressed picture is not the one that the tags describe.
    #[error("the compressed picture has {found:?} pixels, the tags say {declared:?}")]
    OtherSize {
        /// Width and height inside.
        found: (usize, usize),
        /// Width and height by the tags.
        declared: (usize, usize),
    },
    /// The compressed data are damaged, cut off or of an unsupported kind.
    #[error("the {kind} data cannot be decoded: {cause}")]
    Compressed {
        /// `JPEG`, `JPEG 2000` or `PNG`.
        kind: &'static str,
        /// The decoder's words.
        cause: String,
    },
}

/// A picture and what the file says about it.
#[derive(Clone, Debug)]
pub struct Decoded<'a> {
    /// The pixels.
    pub picture: Picture,
    /// What kind of file it was.
    pub format: Format,
    /// The elements, if it was DICOM.
    pub elements: Option<dicom::Elements<'a>>,
}

/// Decodes a DICOM, JPEG or PNG file of at most `pixels_max` pixels.
///
/// # Errors
/// Names what is wrong with the file. All of them are the file's fault.
pub fn decode(file: &[u8], pixels_max: usize) -> Result<Decoded<'_>, Error> {
    let limit = Limit(pixels_max.min(PIXELS_MAX));
    match Format::of(file).ok_or(Error::NotAPicture)? {
        Format::Dicom => {
            let elements = dicom::read(file)?;
            let picture = film::decode(&elements, limit)?;
            Ok(Decoded { picture, format: Format::Dicom, elements: Some(elements) })
        }
        Format::Jpeg => Ok(Decoded { picture: plain::jpeg(file, limit)?, format: Format::Jpeg, elements: None }),
        Format::Png => Ok(Decoded { picture: plain::png(file, limit)?, format: Format::Png, elements: None }),
    }
}

/// The most pixels that are decoded.
#[derive(Clone, Copy, Debug)]
struct Limit(usize);

impl Limit {
    fn check(self, width: usize, height: usize) -> Result<(), Error> {
        match width.checked_mul(height) {
            Some(0) => Err(Error::Empty { width, height }),
            Some(pixels) if pixels <= self.0 => Ok(()),
            _ => Err(Error::TooLarge { width, height, limit: self.0 }),
        }
    }
}
