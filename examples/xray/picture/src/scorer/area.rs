//! The part of the picture that is measured: a conservative outline of both lungs inside the box around what was found.

use super::Zone;
use crate::grid::{self, CELLS, Component, SIDE};
use crate::lungs::Lungs;
use std::ops::Range;

/// The patient's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// On the picture's left.
    Right,
    /// On the picture's right.
    Left,
}

/// The heights at which right and left are compared: upper, middle, lower.
pub(super) const BANDS: [Range<f64>; 3] = [0.10..0.32, 0.32..0.56, 0.56..0.82];

/// Outlines: distance from the midline (1 is the outer edge), and height (0 the top, 1 the bottom).
const RIGHT: [(f64, f64); 12] = [
    (0.32, 0.14),
    (0.42, 0.11),
    (0.52, 0.15),
    (0.66, 0.29),
    (0.78, 0.48),
    (0.84, 0.66),
    (0.85, 0.80),
    (0.74, 0.80),
    (0.58, 0.78),
    (0.42, 0.78),
    (0.36, 0.60),
    (0.36, 0.36),
];
const LEFT: [(f64, f64); 12] = [
    (0.32, 0.14),
    (0.42, 0.11),
    (0.52, 0.15),
    (0.66, 0.29),
    (0.78, 0.48),
    (0.85, 0.66),
    (0.88, 0.82),
    (0.76, 0.82),
    (0.68, 0.74),
    (0.60, 0.60),
    (0.48, 0.46),
    (0.38, 0.36),
];

/// The measured area. Coordinates of a cell: `u` is 0 at the midline and -1 or 1 at the outer edges, `v` as above.
pub(super) struct Area {
    frame: Frame,
    inside: Vec<Option<Side>>,
    count: usize,
    /// What the reader should know about how it was found.
    pub(super) note: Option<&'static str>,
}

/// The box around the lungs, in cells.
struct Frame {
    middle: f64,
    right_width: f64,
    left_width: f64,
    right: (f64, f64),
    left: (f64, f64),
    top: f64,
    bottom: f64,
}

impl Area {
    /// The area for these lungs; `None` if they are too small.
    pub(super) fn around(lungs: &Lungs) -> Option<Self> {
        let (frame, note) = match lungs {
            Lungs::Both { right, left } => (Frame::of_both(right, left), None),
            Lungs::Right(one) => (Frame::of_one(one, 63.5 - one.x0 as f64), Some("only one lung field found")),
            Lungs::Left(one) => (Frame::of_one(one, one.x1 as f64 - 63.5), Some("only one lung field found")),
        };
        if frame.right_width.min(frame.left_width) < 20.0 || frame.bottom - frame.top < 30.0 {
            return None;
        }
        let inside: Vec<_> = (0..CELLS).map(|cell| frame.side_inside(cell)).collect();
        let count = inside.iter().flatten().count();
        (count > 0).then_some(Self { frame, inside, count, note })
    }

    /// How many cells it has.
    pub(super) fn cells(&self) -> usize {
        self.count
    }

    /// In which lung a cell is, if in one.
    pub(super) fn inside(&self, cell: usize) -> Option<Side> {
        self.inside[cell]
    }

    /// Whether a cell is in this lung at this height.
    pub(super) fn is_in(&self, cell: usize, side: Side, band: &Range<f64>) -> bool {
        self.inside[cell] == Some(side) && band.contains(&self.frame.place(cell).1)
    }

    /// Whether a cell is between the lungs.
    pub(super) fn is_mediastinum(&self, cell: usize) -> bool {
        let (u, v) = self.frame.place(cell);
        u.abs() < 0.18 && v > 0.35 && v < 0.80
    }

    /// The zone of a component's centre.
    pub(super) fn zone(&self, component: &Component) -> Zone {
        let (u, v) = self.frame.place(component.cy as usize * SIDE + component.cx as usize);
        let side = if u < 0.0 { Side::Right } else { Side::Left };
        let third = if v < BANDS[1].start {
            "upper"
        } else if v < BANDS[2].start {
            "middle"
        } else {
            "lower"
        };
        Zone { side, third }
    }
}

impl Frame {
    fn of_both(right: &Component, left: &Component) -> Self {
        let (top, bottom) = (right.y0.min(left.y0) as f64, right.y1.max(left.y1) as f64);
        let height = bottom - top;
        // A side keeps its own top and bottom unless it is cut short by more than 15 % of the common height.
        let own = |side: &Component| {
            let (y0, y1) = (side.y0 as f64, side.y1 as f64);
            (if y0 - top <= 0.15 * height { y0 } else { top }, if bottom - y1 <= 0.15 * height { y1 } else { bottom })
        };
        let middle = midline(right, left, top, height);
        let (right_width, left_width) = (middle - right.x0 as f64, left.x1 as f64 - middle);
        // A side narrower than 85 % of the other (opacity at its outer edge) takes the other's width.
        let wide = |one: f64, other: f64| if one < 0.85 * other { other } else { one };
        Self {
            middle,
            right_width: wide(right_width, left_width),
            left_width: wide(left_width, right_width),
            right: own(right),
            left: own(left),
            top,
            bottom,
        }
    }

    fn of_one(one: &Component, width: f64) -> Self {
        let (top, bottom) = (one.y0 as f64, one.y1 as f64);
        let side = (top, bottom);
        Self { middle: 63.5, right_width: width, left_width: width, right: side, left: side, top, bottom }
    }

    fn place(&self, cell: usize) -> (f64, f64) {
        let (y, x) = ((cell / SIDE) as f64, (cell % SIDE) as f64);
        let right = x < self.middle;
        let u = (x - self.middle) / if right { self.right_width } else { self.left_width };
        let (top, bottom) = if u < 0.0 { self.right } else { self.left };
        (u, (y - top) / (bottom - top))
    }

    fn side_inside(&self, cell: usize) -> Option<Side> {
        let (u, v) = self.place(cell);
        if is_inside(&RIGHT, -u, v) {
            Some(Side::Right)
        } else if is_inside(&LEFT, u, v) {
            Some(Side::Left)
        } else {
            None
        }
    }
}

/// The middle of the gap between the lungs in their upper part, where the heart is not in the way.
fn midline(right: &Component, left: &Component, top: f64, height: f64) -> f64 {
    let middle = (right.x0 + left.x1) as f64 / 2.0;
    let rows = (top + 0.10 * height) as usize..=(top + 0.40 * height) as usize;
    let columns = |side: &Component, row: usize| -> Vec<usize> {
        side.cells.iter().filter(|cell| *cell / SIDE == row).map(|cell| cell % SIDE).collect()
    };
    let gaps: Vec<f64> = rows
        .filter_map(|row| {
            let inner = columns(right, row).into_iter().max()? + columns(left, row).into_iter().min()?;
            Some(inner as f64 / 2.0)
        })
        .collect();
    if gaps.len() < 5 {
        return middle;
    }
    grid::quantile(gaps, 0.5).map_or(middle, |gap| gap.clamp(middle - 8.0, middle + 8.0))
}

/// The even-odd rule.
fn is_inside(outline: &[(f64, f64)], u: f64, v: f64) -> bool {
    let next = outline.iter().cycle().skip(1);
    outline.iter().zip(next).fold(false, |inside, (&(x1, y1), &(x2, y2))| {
        let crosses = (y1 > v) != (y2 > v) && u < (x2 - x1) * (v - y1) / (y2 - y1) + x1;
        inside != crosses
    })
}

#[cfg(test)]
mod tests;
