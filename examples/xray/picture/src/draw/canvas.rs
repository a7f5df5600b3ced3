//! A picture in colour to draw on, and its PNG.

use crate::picture::Rectangle;
use crate::text::Line;

/// Red, green, blue.
pub(super) type Colour = [u8; 3];

/// Pixels in colour, rows from the top. What is drawn outside is not drawn.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Colour>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize, colour: Colour) -> Self {
        Self { width, height, pixels: vec![colour; width * height] }
    }

    pub(super) fn set(&mut self, x: usize, y: usize, colour: Colour) {
        if x < self.width && y < self.height {
            self.pixels[y * self.width + x] = colour;
        }
    }

    pub(super) fn fill(&mut self, area: Rectangle, colour: Colour) {
        for y in area.y0..area.y1.min(self.height) {
            for x in area.x0..area.x1.min(self.width) {
                self.pixels[y * self.width + x] = colour;
            }
        }
    }

    /// The edge of a rectangle, growing outwards.
    pub(super) fn frame(&mut self, area: Rectangle, thick: usize, colour: Colour) {
        let Rectangle { x0, y0, x1, y1 } = area;
        let (left, top, right, bottom) = (x0.saturating_sub(thick), y0.saturating_sub(thick), x1 + thick, y1 + thick);
        for (x0, y0, x1, y1) in
            [(left, top, right, y0), (left, y1, right, bottom), (left, top, x0, bottom), (x1, top, right, bottom)]
        {
            self.fill(Rectangle { x0, y0, x1, y1 }, colour);
        }
    }

    /// A line of text of this height, its left upper corner here.
    pub(super) fn text(&mut self, (left, top): (usize, usize), height: usize, words: &str, colour: Colour) {
        for (x, y, ink) in Line::new(words, height).ink() {
            let (x, y) = (left + x, top + y);
            if x < self.width && y < self.height {
                let under = &mut self.pixels[y * self.width + x];
                for (channel, over) in under.iter_mut().zip(colour) {
                    *channel = (f32::from(*channel) * (1.0 - ink) + f32::from(over) * ink + 0.5) as u8;
                }
            }
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        png((self.width, self.height), png::ColorType::Rgb, png::BitDepth::Eight, self.pixels.as_flattened())
    }
}

/// A PNG of these bytes.
pub(super) fn png(size: (usize, usize), colour: png::ColorType, depth: png::BitDepth, bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size.0 as u32, size.1 as u32);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(bytes));
    written.expect("memory takes every byte, and the bytes fit the size");
    file
}

#[cfg(test)]
mod tests;
