//! JPEG and PNG.

use super::{Error, Limit};
use crate::picture::{Picture, Polarity};
use png::{BitDepth, ColorType, Transformations};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Longest side that the JPEG format can express.
const JPEG_SIDE_MAX: usize = 65_535;
/// Scans of one progressive JPEG that are followed: each one walks the whole picture.
const JPEG_SCANS_MAX: usize = 64;

/// Decodes a JPEG, baseline or progressive, to 8 bits of grey.
pub(super) fn jpeg(file: &[u8], limit: Limit) -> Result<Picture, Error> {
    let failed = |cause: String| Error::Compressed { kind: "JPEG", cause };
    let options = DecoderOptions::default()
        .set_max_width(JPEG_SIDE_MAX)
        .set_max_height(JPEG_SIDE_MAX)
        .set_strict_mode(true)
        .jpeg_set_max_scans(JPEG_SCANS_MAX)
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(|error| failed(error.to_string()))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| failed("it has no dimensions".into()))?;
    limit.check(width, height)?;
    let pixels = decoder.decode().map_err(|error| failed(error.to_string()))?;
    let samples = pixels.into_iter().map(u16::from).collect();
    Picture::new((width, height), 8, Polarity::Monochrome2, samples)
        .ok_or_else(|| failed("it does not decode to one grey channel".into()))
}

/// Decodes a PNG to 8 or 16 bits of grey; transparency is not looked at.
pub(super) fn png(file: &[u8], limit: Limit) -> Result<Picture, Error> {
    let failed = |cause: String| Error::Compressed { kind: "PNG", cause };
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(|error| failed(error.to_string()))?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    limit.check(width, height)?;
    let size = reader.output_buffer_size().ok_or_else(|| failed("it is too large".into()))?;
    let mut bytes = vec![0; size];
    let frame = reader.next_frame(&mut bytes).map_err(|error| failed(error.to_string()))?;
    bytes.truncate(frame.buffer_size());
    let channels = match frame.color_type {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
        ColorType::Indexed => return Err(failed("its palette is missing".into())),
    };
    let (bits, samples) = match frame.bit_depth {
        BitDepth::Sixteen => {
            let wide: Vec<u16> = bytes.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            (16, grey(&wide, channels))
        }
        _ => (8, grey(&bytes.into_iter().map(u16::from).collect::<Vec<_>>(), channels)),
    };
    Picture::new((width, height), bits, Polarity::Monochrome2, samples)
        .ok_or_else(|| failed("it has fewer pixels than it says".into()))
}

/// One grey sample per pixel: the first channel, or the luma of three (ITU-R BT.601).
fn grey(samples: &[u16], channels: usize) -> Vec<u16> {
    samples
        .chunks_exact(channels)
        .map(|pixel| match pixel {
            [red, green, blue, ..] => {
                ((299 * u32::from(*red) + 587 * u32::from(*green) + 114 * u32::from(*blue) + 500) / 1000) as u16
            }
            [grey, ..] => *grey,
            [] => 0,
        })
        .collect()
}
