//! `lungstat-1`: plain statistics of a frontal chest picture, which say what they looked at. Nothing is learned.
//!
//! Demonstration, not for clinical use. It does not know whether it sees a chest at all, nor a mirrored film; opacity behind
//! the heart, in the apex, along the outer edge and in the lowest fifth of a lung lies outside the area it measures.

mod area;

use crate::grid::{self, CELLS, Component, Field, Mask, SIDE};
use crate::lungs;
use crate::picture::{Picture, Rectangle};
use area::{Area, Side};

/// Name and version of the model, written into every result.
pub const MODEL: &str = "lungstat-1";

/// Shortest side that is scored, in pixels.
const SIDE_MIN: usize = 64;
/// Density, between the clearest lung (0) and the mediastinum (1), from which a cell is dense.
const DENSE: f64 = 0.46;
/// Logit of the risk with no points at all.
const BIAS: f64 = -1.5;
/// Smallest patch that is outlined, as a part of the lung area.
const PATCH_MIN: f64 = 0.012;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Feature {
    /// The largest dense patch, as a part of the lung area.
    Patch,
    /// All that is dense, as a part of the lung area.
    Opacity,
    /// The largest difference of density between right and left at one height.
    Asymmetry,
    /// The mean density of the lungs: 0 is their clearest part, 1 the mediastinum.
    Haze,
    /// The loss of fine detail in the least detailed zone.
    Detail,
}

impl Feature {
    const ALL: [Self; 5] = [Self::Patch, Self::Opacity, Self::Asymmetry, Self::Haze, Self::Detail];

    /// The value without points, the value with all points, and what all points add to the logit.
    fn ramp(self) -> (f64, f64, f64) {
        match self {
            Self::Patch => (0.010, 0.022, 2.2),
            Self::Opacity => (0.08, 0.16, 2.0),
            Self::Asymmetry => (0.25, 0.60, 0.8),
            Self::Haze => (0.14, 0.40, 0.8),
            Self::Detail => (0.30, 0.60, 0.4),
        }
    }

    /// The value in words, as drawn on the processed picture.
    pub fn describe(self, value: f64) -> String {
        let percent = 100.0 * value;
        match self {
            Self::Patch => format!("largest dense patch: {percent:.0} % of the lung area"),
            Self::Opacity => format!("dense lung area in all: {percent:.0} %"),
            Self::Asymmetry => format!("right and left differ by {percent:.0} % at one height"),
            Self::Haze => format!("mean lung density {percent:.0} % of the mediastinum's"),
            Self::Detail => format!("fine detail lost: {percent:.0} % in the dullest zone"),
        }
    }
}

/// One measured feature.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Measure {
    /// Which.
    pub name: Feature,
    /// Its value.
    pub value: f64,
    /// Its points, 0 to 1.
    pub points: f64,
    /// What it adds to the logit of the risk.
    pub adds: f64,
}

/// Why no risk is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Degenerate {
    /// A side is too short.
    #[error("the picture is smaller than 64 x 64 or not grey")]
    Small,
    /// No contrast at all.
    #[error("the picture is blank")]
    Blank,
    /// Nothing lung-like.
    #[error("no lung fields found")]
    NoLungs,
    /// Too little of them.
    #[error("the lung fields found are too small")]
    SmallLungs,
    /// They are as bright as the middle.
    #[error("no contrast between lungs and mediastinum")]
    NoContrast,
}

/// Where something lies, as a reader of films names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    side: Side,
    third: &'static str,
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = match self.side {
            Side::Right => "right",
            Side::Left => "left",
        };
        write!(f, "{side} {}", self.third)
    }
}

/// What was read from a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// 0 to 1.
    pub risk: f64,
    /// Something the reader should know, although a risk is given.
    pub note: Option<&'static str>,
    /// All features, those that add most first.
    pub measures: Vec<Measure>,
    /// The largest dense patch in the picture's pixels, if it is worth showing, and its zone.
    pub patch: Option<(Rectangle, Zone)>,
    /// The threshold at which the lungs were found, in 1/128 of the contrast.
    pub level: i32,
    /// Mediastinum minus clearest lung, as a part of the picture's contrast.
    pub contrast: f64,
}

/// Scores a picture.
///
/// # Errors
/// Says why no risk can be given: the verdict is then "unsure".
pub fn score(picture: &Picture) -> Result<Reading, Degenerate> {
    if picture.width().min(picture.height()) < SIDE_MIN {
        return Err(Degenerate::Small);
    }
    let cells = normalised(picture)?;
    let (found, level) = lungs::find(&cells).ok_or(Degenerate::NoLungs)?;
    let area = Area::around(&found).ok_or(Degenerate::SmallLungs)?;
    let density = Density::of(&cells, &area).ok_or(Degenerate::NoContrast)?;
    let dense: Mask = (0..CELLS).map(|cell| area.inside(cell).is_some() && density.cells[cell] > DENSE).collect();
    // The first of the largest: components come in scan order.
    let patch = grid::components(&dense).into_iter().reduce(|a, b| if b.area() > a.area() { b } else { a });
    let measures = measures(&cells, &area, &density, patch.as_ref().map_or(0, Component::area));
    let logit = BIAS + measures.iter().map(|measure| measure.adds).sum::<f64>();
    let shown = patch.filter(|patch| patch.area() as f64 >= PATCH_MIN * area.cells() as f64);
    Ok(Reading {
        risk: 1.0 / (1.0 + libm::exp(-logit)),
        note: area.note,
        measures: sorted(measures),
        patch: shown.map(|patch| (outline(&patch, picture), area.zone(&patch))),
        level,
        contrast: density.contrast,
    })
}

/// The cells, stretched so that the darkest and the brightest fiftieth are 0 and 1.
fn normalised(picture: &Picture) -> Result<Field, Degenerate> {
    let (cells, range) = grid::downscale(picture);
    let low = grid::quantile(cells.clone(), 0.02).ok_or(Degenerate::Blank)?;
    let high = grid::quantile(cells.clone(), 0.98).ok_or(Degenerate::Blank)?;
    if high - low < 1e-6 || high - low < 0.02 * range {
        return Err(Degenerate::Blank);
    }
    Ok(cells.into_iter().map(|cell| ((cell - low) / (high - low)).clamp(0.0, 1.0)).collect())
}

/// How dense each cell is: 0 as the clearest lung, 1 as the mediastinum.
struct Density {
    cells: Field,
    contrast: f64,
}

impl Density {
    fn of(cells: &[f64], area: &Area) -> Option<Self> {
        let calm = grid::smooth(&grid::smooth(&grid::smooth(cells, 2, 2), 2, 2), 2, 2);
        let pick =
            |keep: &dyn Fn(usize) -> bool| (0..CELLS).filter(|cell| keep(*cell)).map(|cell| calm[cell]).collect();
        let mediastinum = grid::quantile(pick(&|cell| area.is_mediastinum(cell)), 0.5)?;
        let clearest = grid::quantile(pick(&|cell| area.inside(cell).is_some()), 0.10)?;
        let contrast = mediastinum - clearest;
        if contrast < 0.08 {
            return None;
        }
        let cells = calm.into_iter().map(|cell| ((cell - clearest) / contrast).clamp(0.0, 1.2)).collect();
        Some(Self { cells, contrast })
    }
}

fn measures(cells: &[f64], area: &Area, density: &Density, patch: usize) -> Vec<Measure> {
    let all = area.cells() as f64;
    let inside = || (0..CELLS).filter(|cell| area.inside(*cell).is_some());
    let dense = inside().filter(|cell| density.cells[*cell] > DENSE).count();
    let calm = grid::smooth(cells, 2, 2);
    let fine: Field = cells.iter().zip(calm).map(|(cell, calm)| (cell - calm).abs()).collect();
    let mut asymmetry: f64 = 0.0;
    let mut details = Vec::new();
    for band in area::BANDS {
        let mean = |field: &[f64], side| mean((0..CELLS).filter(|c| area.is_in(*c, side, &band)).map(|c| field[c]));
        let right = mean(&density.cells, Side::Right).zip(mean(&fine, Side::Right));
        let left = mean(&density.cells, Side::Left).zip(mean(&fine, Side::Left));
        // A band of which one side has no cell at all says nothing about a difference.
        if let (Some((right, _)), Some((left, _))) = (right, left) {
            asymmetry = asymmetry.max((right - left).abs());
        }
        details.extend([right, left].into_iter().flatten().map(|(_, detail)| detail));
    }
    let dullest = details.iter().copied().fold(f64::INFINITY, f64::min);
    let finest = details.iter().copied().fold(0.0, f64::max);
    let value = |feature| match feature {
        Feature::Patch => patch as f64 / all,
        Feature::Opacity => dense as f64 / all,
        Feature::Asymmetry => asymmetry,
        Feature::Haze => mean(inside().map(|cell| density.cells[cell])).unwrap_or(0.0),
        Feature::Detail => 1.0 - dullest.min(finest) / finest.max(1e-9),
    };
    Feature::ALL.map(|name| measure(name, value(name))).into()
}

fn measure(name: Feature, value: f64) -> Measure {
    let (low, high, weight) = name.ramp();
    let points = ((value - low) / (high - low)).clamp(0.0, 1.0);
    Measure { name, value, points, adds: weight * points }
}

fn sorted(mut measures: Vec<Measure>) -> Vec<Measure> {
    measures.sort_by(|a, b| b.adds.total_cmp(&a.adds));
    measures
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The patch in the picture's pixels, two cells wider on each side: the measured area is narrower than the lung.
fn outline(patch: &Component, picture: &Picture) -> Rectangle {
    let x = |cell: usize| cell * picture.width() / SIDE;
    let y = |cell: usize| cell * picture.height() / SIDE;
    Rectangle {
        x0: x(patch.x0.saturating_sub(2)),
        y0: y(patch.y0.saturating_sub(2)),
        x1: x((patch.x1 + 3).min(SIDE)),
        y1: y((patch.y1 + 3).min(SIDE)),
    }
}
