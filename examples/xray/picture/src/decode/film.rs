//! The pixels of a DICOM file.

use super::{Error, Limit, plain};
use crate::dicom::{Attribute, Elements, JPEG_2000, JPEG_2000_LOSSLESS, JPEG_BASELINE, Pixels, is_native};
use crate::picture::{Picture, Polarity, highest};
use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};
use std::borrow::Cow;

/// How the samples are laid out, as the tags say.
struct Layout {
    width: usize,
    height: usize,
    allocated: u16,
    stored: u16,
    shift: u16,
    polarity: Polarity,
}

/// Decodes the one grey frame of a film.
pub(super) fn decode(elements: &Elements<'_>, limit: Limit) -> Result<Picture, Error> {
    let syntax = elements.transfer_syntax.as_ref();
    let known = is_native(syntax) || [JPEG_BASELINE, JPEG_2000_LOSSLESS, JPEG_2000].contains(&syntax);
    if !known {
        return Err(Error::UnsupportedTransferSyntax(syntax.to_owned()));
    }
    let layout = layout(elements)?;
    limit.check(layout.width, layout.height)?;
    let pixels = elements.pixels.as_ref().ok_or(Error::MissingAttribute(Attribute::PixelData))?;
    match pixels {
        Pixels::Native(bytes) if is_native(syntax) => native(bytes, &layout),
        Pixels::Encapsulated(fragments) if syntax == JPEG_BASELINE => jpeg(&joined(fragments), &layout, limit),
        Pixels::Encapsulated(fragments) if !is_native(syntax) => jpeg_2000(&joined(fragments), &layout, limit),
        _ => Err(Error::UnsupportedTransferSyntax(format!("{syntax} with pixel data that contradicts it"))),
    }
}

fn layout(elements: &Elements<'_>) -> Result<Layout, Error> {
    let number = |attribute| elements.number(attribute).ok_or(Error::MissingAttribute(attribute));
    let (height, width) = (number(Attribute::Rows)?.into(), number(Attribute::Columns)?.into());
    let allocated = number(Attribute::BitsAllocated)?;
    let stored = elements.number(Attribute::BitsStored).unwrap_or(allocated);
    let photometric = elements
        .text(Attribute::PhotometricInterpretation)
        .ok_or(Error::MissingAttribute(Attribute::PhotometricInterpretation))?;
    let refuse = |attribute, value: String, supported| Err(Error::UnsupportedValue { attribute, value, supported });
    let polarity = match photometric.as_ref() {
        "MONOCHROME1" => Polarity::Monochrome1,
        "MONOCHROME2" => Polarity::Monochrome2,
        other => return refuse(Attribute::PhotometricInterpretation, other.to_owned(), "MONOCHROME1 or MONOCHROME2"),
    };
    let samples = elements.number(Attribute::SamplesPerPixel).unwrap_or(1);
    if samples != 1 {
        return refuse(Attribute::SamplesPerPixel, samples.to_string(), "1");
    }
    if !matches!(allocated, 8 | 16) {
        return refuse(Attribute::BitsAllocated, allocated.to_string(), "8 or 16");
    }
    let high = elements.number(Attribute::HighBit).unwrap_or(stored.saturating_sub(1));
    if !(1..=allocated).contains(&stored) || high + 1 < stored || high >= allocated {
        return refuse(Attribute::BitsStored, stored.to_string(), "1 to BitsAllocated");
    }
    let signed = elements.number(Attribute::PixelRepresentation).unwrap_or(0);
    if signed != 0 {
        return refuse(Attribute::PixelRepresentation, signed.to_string(), "0 (unsigned)");
    }
    let frames = elements.text(Attribute::NumberOfFrames).unwrap_or(Cow::Borrowed("1"));
    if frames != "1" {
        return refuse(Attribute::NumberOfFrames, frames.into_owned(), "1");
    }
    Ok(Layout { width, height, allocated, stored, shift: high + 1 - stored, polarity })
}

fn native(bytes: &[u8], layout: &Layout) -> Result<Picture, Error> {
    let expected = layout.width * layout.height * usize::from(layout.allocated / 8);
    let Some(bytes) = bytes.get(..expected) else {
        return Err(Error::TooFewPixels { found: bytes.len(), expected });
    };
    let mask = highest(layout.stored);
    let samples = if layout.allocated == 8 {
        bytes.iter().map(|byte| (u16::from(*byte) >> layout.shift) & mask).collect()
    } else {
        bytes.as_chunks().0.iter().map(|pair| (u16::from_le_bytes(*pair) >> layout.shift) & mask).collect()
    };
    picture(layout, layout.stored, samples)
}

fn jpeg(stream: &[u8], layout: &Layout, limit: Limit) -> Result<Picture, Error> {
    let inner = plain::jpeg(stream, limit)?;
    same_size((inner.width(), inner.height()), layout)?;
    picture(layout, 8, inner.samples().to_vec())
}

fn jpeg_2000(stream: &[u8], layout: &Layout, limit: Limit) -> Result<Picture, Error> {
    let failed = |cause: String| Error::Compressed { kind: "JPEG 2000", cause };
    // DICOM holds bare codestreams (PS3.5, A.4.4); the boxes of a .jp2 file are not looked at.
    if !stream.starts_with(&[0xFF, 0x4F, 0xFF, 0x51]) {
        return Err(failed("it does not begin with a codestream".into()));
    }
    let settings = DecodeSettings { resolve_palette_indices: false, strict: true, target_resolution: None };
    let image = Image::new(stream, &settings).map_err(|error| failed(error.to_string()))?;
    let size = (image.width() as usize, image.height() as usize);
    limit.check(size.0, size.1)?;
    same_size(size, layout)?;
    if image.color_space().num_channels() != 1 || image.has_alpha() {
        return Err(failed("it has more than one channel".into()));
    }
    let bits = u16::from(image.original_bit_depth());
    if !(1..=16).contains(&bits) {
        return Err(failed(format!("it has {bits} bits per sample")));
    }
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|error| failed(error.to_string()))?;
    let channel = decoded.components().first().ok_or_else(|| failed("it has no channel".into()))?;
    let highest = f32::from(highest(bits));
    // Exact: a f32 holds whole numbers of up to 24 bits.
    let samples = channel.samples().iter().map(|sample| sample.round().clamp(0.0, highest) as u16).collect();
    picture(layout, bits, samples)
}

fn same_size(found: (usize, usize), layout: &Layout) -> Result<(), Error> {
    let declared = (layout.width, layout.height);
    if found == declared { Ok(()) } else { Err(Error::OtherSize { found, declared }) }
}

fn picture(layout: &Layout, bits: u16, samples: Vec<u16>) -> Result<Picture, Error> {
    let (found, expected) = (samples.len(), layout.width * layout.height);
    Picture::new((layout.width, layout.height), bits, layout.polarity, samples)
        .ok_or(Error::TooFewPixels { found, expected })
}

fn joined<'a>(fragments: &[&'a [u8]]) -> Cow<'a, [u8]> {
    match fragments {
        [one] => Cow::Borrowed(one),
        many => Cow::Owned(many.concat()),
    }
}
