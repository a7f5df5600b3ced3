//! The scorer's working grid: 128 x 128 cells, and the few operations on it.

use crate::picture::Picture;

/// Cells on each side.
pub(crate) const SIDE: usize = 128;
/// All cells.
pub(crate) const CELLS: usize = SIDE * SIDE;

/// One number per cell, rows from the top.
pub(crate) type Field = Vec<f64>;
/// One bit per cell.
pub(crate) type Mask = Vec<bool>;

/// The mean brightness of each cell, and the difference of the brightest and the darkest pixel.
pub(crate) fn downscale(picture: &Picture) -> (Field, f64) {
    let (width, height) = (picture.width(), picture.height());
    let rows: Vec<_> = (0..SIDE).map(|cell| edges(cell, height)).collect();
    let columns: Vec<_> = (0..SIDE).map(|cell| edges(cell, width)).collect();
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut field = Vec::with_capacity(CELLS);
    for (top, bottom) in rows {
        for (left, right) in &columns {
            // Whole numbers below 2^53: the sum is exact in any order.
            let mut sum = 0.0;
            for y in top..bottom {
                for x in *left..*right {
                    let sample = picture.brightness(y * width + x);
                    (low, high) = (f64::min(low, sample), f64::max(high, sample));
                    sum += sample;
                }
            }
            field.push(sum / ((bottom - top) * (right - left)) as f64);
        }
    }
    (field, high - low)
}

/// The pixels of a cell; a side of fewer than 128 pixels gives one pixel to more than one cell.
fn edges(cell: usize, pixels: usize) -> (usize, usize) {
    let start = cell * pixels / SIDE;
    (start, ((cell + 1) * pixels / SIDE).max(start + 1))
}

/// Mean over `2 ry + 1` rows and `2 rx + 1` columns; the edges are repeated.
pub(crate) fn smooth(field: &[f64], ry: usize, rx: usize) -> Field {
    let stride = SIDE + 2 * rx + 1;
    let high = SIDE + 2 * ry + 1;
    let mut sums = vec![0.0; stride * high];
    for y in 1..high {
        let row = &field[(y - 1).saturating_sub(ry).min(SIDE - 1) * SIDE..][..SIDE];
        for x in 1..stride {
            let cell = row[(x - 1).saturating_sub(rx).min(SIDE - 1)];
            sums[y * stride + x] = sums[(y - 1) * stride + x] + cell;
        }
    }
    for row in sums.chunks_exact_mut(stride) {
        for x in 1..stride {
            row[x] += row[x - 1];
        }
    }
    let (ky, kx) = (2 * ry + 1, 2 * rx + 1);
    let count = (ky * kx) as f64;
    let at = |y: usize, x: usize| sums[y * stride + x];
    (0..CELLS)
        .map(|cell| (cell / SIDE, cell % SIDE))
        .map(|(y, x)| (at(y + ky, x + kx) - at(y, x + kx) - at(y + ky, x) + at(y, x)) / count)
        .collect()
}

/// The value that the part `share` of all values does not exceed: no interpolation. `None` of nothing.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    let index = (share * values.len().checked_sub(1)? as f64) as usize;
    Some(*values.select_nth_unstable_by(index, f64::total_cmp).1)
}

/// Cells whose four neighbours are all set too; outside the grid nothing is set.
pub(crate) fn erode(mask: &[bool]) -> Mask {
    around(mask, |own, neighbours| own && neighbours == 4)
}

/// Cells that are set or have a neighbour that is.
pub(crate) fn dilate(mask: &[bool]) -> Mask {
    around(mask, |own, neighbours| own || neighbours > 0)
}

fn around(mask: &[bool], keep: impl Fn(bool, usize) -> bool) -> Mask {
    (0..CELLS).map(|cell| keep(mask[cell], neighbours(cell).filter(|other| mask[*other]).count())).collect()
}

/// The cells above, below, left and right, as far as there are any.
fn neighbours(cell: usize) -> impl Iterator<Item = usize> {
    let (y, x) = (cell / SIDE, cell % SIDE);
    let up = (y > 0).then(|| cell - SIDE);
    let down = (y + 1 < SIDE).then(|| cell + SIDE);
    let left = (x > 0).then(|| cell - 1);
    let right = (x + 1 < SIDE).then(|| cell + 1);
    [up, down, left, right].into_iter().flatten()
}

/// Cells that hang together.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    pub(crate) cells: Vec<usize>,
    pub(crate) x0: usize,
    pub(crate) x1: usize,
    pub(crate) y0: usize,
    pub(crate) y1: usize,
    pub(crate) cx: f64,
    pub(crate) cy: f64,
}

impl Component {
    fn new(cells: Vec<usize>) -> Self {
        let (mut x0, mut x1, mut y0, mut y1) = (SIDE, 0, SIDE, 0);
        let (mut sum_x, mut sum_y) = (0, 0);
        for (y, x) in cells.iter().map(|cell| (cell / SIDE, cell % SIDE)) {
            (x0, x1, y0, y1) = (x0.min(x), x1.max(x), y0.min(y), y1.max(y));
            (sum_x, sum_y) = (sum_x + x, sum_y + y);
        }
        let count = cells.len() as f64;
        Self { x0, x1, y0, y1, cx: sum_x as f64 / count, cy: sum_y as f64 / count, cells }
    }

    pub(crate) fn area(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn width(&self) -> usize {
        self.x1 - self.x0 + 1
    }

    pub(crate) fn height(&self) -> usize {
        self.y1 - self.y0 + 1
    }

    /// The part of its bounding box that it covers.
    pub(crate) fn fill(&self) -> f64 {
        self.area() as f64 / (self.width() * self.height()) as f64
    }

    /// Its cells on the grid's outermost ring.
    pub(crate) fn border(&self) -> usize {
        let outer = |at: usize| at == 0 || at == SIDE - 1;
        self.cells.iter().filter(|cell| outer(*cell / SIDE) || outer(*cell % SIDE)).count()
    }

    /// Its cells that are on a mask.
    pub(crate) fn on(&self, mask: &[bool]) -> usize {
        self.cells.iter().filter(|cell| mask[**cell]).count()
    }
}

/// The parts of a mask that hang together, in the order of their first cell.
pub(crate) fn components(mask: &[bool]) -> Vec<Component> {
    let mut left = mask.to_vec();
    let mut found = Vec::new();
    for start in 0..CELLS {
        if !std::mem::take(&mut left[start]) {
            continue;
        }
        let (mut cells, mut next) = (vec![start], 0);
        while next < cells.len() {
            for other in neighbours(cells[next]) {
                if std::mem::take(&mut left[other]) {
                    cells.push(other);
                }
            }
            next += 1;
        }
        found.push(Component::new(cells));
    }
    found
}

#[cfg(test)]
impl Component {
    /// The cells in these columns and rows, which tests make.
    pub(crate) fn block(columns: std::ops::RangeInclusive<usize>, rows: std::ops::RangeInclusive<usize>) -> Self {
        Self::new(rows.flat_map(|y| columns.clone().map(move |x| y * SIDE + x)).collect())
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self::new([self.cells, other.cells].concat())
    }
}
