//! Which parts of which pictures carry text about the patient.

use crate::decode::Format;
use crate::picture::{Picture, Rectangle};

/// The rules, tried in order.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(try_from = "Vec<Rule>")]
pub struct Rules(Vec<Rule>);

/// One rule: which pictures it is for, and their rectangles.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The kind of file.
    pub format: Format,
    /// The exact Manufacturer of a DICOM file; any if missing.
    #[serde(default)]
    pub manufacturer: Option<String>,
    /// The exact number of columns; any if missing.
    #[serde(default)]
    pub columns: Option<usize>,
    /// The exact number of rows; any if missing.
    #[serde(default)]
    pub rows: Option<usize>,
    /// Left, top, right and bottom as parts of width and height, 0 to 1. None says: such pictures carry no text.
    pub rectangles: Vec<[f64; 4]>,
}

/// A rule that cannot be meant.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadRule {
    /// Not a rectangle.
    #[error(
        "rule {index}: {rectangle:?} is not left, top, right, bottom with 0 <= left < right <= 1 and 0 <= top < bottom <= 1"
    )]
    Rectangle {
        /// Which rule, from 0.
        index: usize,
        /// The four numbers.
        rectangle: [f64; 4],
    },
    /// A manufacturer outside of DICOM.
    #[error("rule {index}: only DICOM files have a manufacturer")]
    Manufacturer {
        /// Which rule, from 0.
        index: usize,
    },
}

impl TryFrom<Vec<Rule>> for Rules {
    type Error = BadRule;

    fn try_from(rules: Vec<Rule>) -> Result<Self, BadRule> {
        for (index, rule) in rules.iter().enumerate() {
            if rule.manufacturer.is_some() && rule.format != Format::Dicom {
                return Err(BadRule::Manufacturer { index });
            }
            for &rectangle in &rule.rectangles {
                let [left, top, right, bottom] = rectangle;
                let ordered = |low: f64, high: f64| 0.0 <= low && low < high && high <= 1.0;
                if !ordered(left, right) || !ordered(top, bottom) {
                    return Err(BadRule::Rectangle { index, rectangle });
                }
            }
        }
        Ok(Self(rules))
    }
}

impl Rules {
    /// The rectangles of a picture by the first rule for it, rounded outwards; `None` if no rule is for it.
    pub fn areas(&self, picture: &Picture, format: Format, manufacturer: Option<&str>) -> Option<Vec<Rectangle>> {
        let matches = |rule: &&Rule| {
            rule.format == format
                && rule.columns.is_none_or(|columns| columns == picture.width())
                && rule.rows.is_none_or(|rows| rows == picture.height())
                && rule.manufacturer.as_deref().is_none_or(|name| Some(name) == manufacturer)
        };
        let (width, height) = (picture.width() as f64, picture.height() as f64);
        let area = |&[left, top, right, bottom]: &[f64; 4]| Rectangle {
            x0: (left * width) as usize,
            y0: (top * height) as usize,
            x1: (right * width).ceil() as usize,
            y1: (bottom * height).ceil() as usize,
        };
        self.0.iter().find(matches).map(|rule| rule.rectangles.iter().map(area).collect())
    }
}

#[cfg(test)]
mod tests;
