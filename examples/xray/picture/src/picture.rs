//! A grey picture as numbers, whatever file it came from.

/// Which end of the scale is shown dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// 0 is black: bone is bright in a chest film.
    Monochrome2,
    /// 0 is white.
    Monochrome1,
}

/// A grey picture: `width * height` samples, rows from the top, each below `2^bits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    bits: u16,
    polarity: Polarity,
    samples: Vec<u16>,
}

impl Picture {
    /// A picture of these samples; `None` if their number is not `width * height`, a side is 0, or `bits` is not 1 to 16.
    /// Samples above the range are cut to it.
    pub fn new(size: (usize, usize), bits: u16, polarity: Polarity, mut samples: Vec<u16>) -> Option<Self> {
        let (width, height) = size;
        if width == 0 || height == 0 || width.checked_mul(height)? != samples.len() || !(1..=16).contains(&bits) {
            return None;
        }
        let highest = highest(bits);
        if highest < u16::MAX {
            samples.iter_mut().for_each(|sample| *sample = (*sample).min(highest));
        }
        Some(Self { width, height, bits, polarity, samples })
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Bits that a sample uses.
    pub fn bits(&self) -> u16 {
        self.bits
    }

    /// Which end of the scale is dark.
    pub fn polarity(&self) -> Polarity {
        self.polarity
    }

    /// The samples, rows from the top.
    pub fn samples(&self) -> &[u16] {
        &self.samples
    }

    /// The sample that is shown black.
    pub fn black(&self) -> u16 {
        match self.polarity {
            Polarity::Monochrome2 => 0,
            Polarity::Monochrome1 => highest(self.bits),
        }
    }

    /// The sample that is shown white.
    pub fn white(&self) -> u16 {
        highest(self.bits) - self.black()
    }

    /// Sets one sample; outside the picture nothing happens.
    pub fn set(&mut self, x: usize, y: usize, sample: u16) {
        if x < self.width && y < self.height {
            self.samples[y * self.width + x] = sample;
        }
    }

    /// Fills a rectangle, cut to the picture, with one sample.
    pub fn fill(&mut self, area: Rectangle, sample: u16) {
        let (x0, x1) = (area.x0.min(self.width), area.x1.min(self.width));
        if x0 >= x1 {
            return;
        }
        for row in self.samples.chunks_exact_mut(self.width).take(area.y1).skip(area.y0) {
            row[x0..x1].fill(sample);
        }
    }

    /// The samples as brightness, 0 is black: `MONOCHROME1` turned round.
    pub(crate) fn brightness(&self, index: usize) -> f64 {
        let sample = f64::from(self.samples[index]);
        match self.polarity {
            Polarity::Monochrome2 => sample,
            Polarity::Monochrome1 => -sample,
        }
    }
}

/// The largest sample of so many bits (1 to 16).
pub(crate) fn highest(bits: u16) -> u16 {
    u16::MAX >> (16 - bits.clamp(1, 16))
}

/// Pixels `x0..x1` by `y0..y1`, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rectangle {
    /// First column.
    pub x0: usize,
    /// First row.
    pub y0: usize,
    /// The column after the last.
    pub x1: usize,
    /// The row after the last.
    pub y1: usize,
}

#[cfg(test)]
mod tests;
