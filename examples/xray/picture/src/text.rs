//! Letters as coverage: how much of each pixel is ink.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

const WEIGHT: FontWeight = FontWeight::Bold;
/// The size that the letters are kept in; all others are resampled from it.
const KEPT: RasterHeight = RasterHeight::Size32;
/// What is drawn for a character outside of ASCII.
const UNKNOWN: char = '?';

/// One line of text.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    width: usize,
    /// 0 to 1, rows from the top.
    coverage: Vec<f32>,
}

impl Line {
    /// A line of this height in pixels; all characters have the same width.
    pub(crate) fn new(text: &str, height: usize) -> Self {
        let kept = (get_raster_width(WEIGHT, KEPT) * text.chars().count(), KEPT.val());
        let size = (width(text, height), height);
        if kept.0 == 0 || size.0 == 0 || height == 0 {
            return Self { width: 0, coverage: Vec::new() };
        }
        let mut ink = vec![0_u8; kept.0 * kept.1];
        let letters =
            text.chars().filter_map(|letter| get_raster(letter, WEIGHT, KEPT).or(get_raster(UNKNOWN, WEIGHT, KEPT)));
        for (index, letter) in letters.enumerate() {
            for (y, row) in letter.rows().enumerate() {
                ink[y * kept.0 + index * letter.width()..][..row.len()].copy_from_slice(row);
            }
        }
        let coverage = crate::resample::resample(&ink, kept, size).into_iter().map(|ink| ink / 255.0).collect();
        Self { width: size.0, coverage }
    }

    /// Every pixel with ink: column, row, how much.
    pub(crate) fn ink(&self) -> impl Iterator<Item = (usize, usize, f32)> {
        let width = self.width.max(1);
        let pixels = self.coverage.iter().enumerate().filter(|(_, ink)| **ink > 0.0);
        pixels.map(move |(index, ink)| (index % width, index / width, *ink))
    }
}

/// How wide a text is at this height.
pub(crate) fn width(text: &str, height: usize) -> usize {
    text.chars().count() * get_raster_width(WEIGHT, KEPT) * height / KEPT.val()
}
