//! What was measured: named figures, one value per round, told by their median and their spread.

use crate::output;
use serde_json::{Value, json};

#[cfg(test)]
mod tests;

/// One figure over all rounds.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) name: String,
    /// Unit of the values; empty for counts.
    pub(super) unit: &'static str,
    rounds: Vec<f64>,
}

/// Figures in the order in which they were first named.
#[derive(Debug, Default)]
pub(super) struct Figures(Vec<Figure>);

/// The middle of the values, or the mean of the two in the middle; none of no values or of what is no number.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (*sorted.get(sorted.len().checked_sub(1)? / 2)?, *sorted.get(sorted.len() / 2)?);
    let middle = f64::midpoint(low, high);
    middle.is_finite().then_some(middle)
}

impl Figure {
    pub(super) fn median(&self) -> Option<f64> {
        median(&self.rounds)
    }

    fn least(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn most(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}

impl Figures {
    /// Adds one round's value.
    pub(super) fn add(&mut self, name: impl Into<String>, unit: &'static str, value: f64) {
        let name = name.into();
        match self.0.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => figure.rounds.push(value),
            None => self.0.push(Figure { name, unit, rounds: vec![value] }),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Figure> {
        self.0.iter().find(|figure| figure.name == name)
    }

    /// The last round's value.
    pub(super) fn last(&self, name: &str) -> Option<f64> {
        self.get(name)?.rounds.last().copied()
    }

    pub(super) fn to_json(&self) -> Value {
        let figure = |figure: &Figure| {
            json!({"name": figure.name, "unit": figure.unit, "median": figure.median(), "least": figure.least(),
                "most": figure.most(), "rounds": figure.rounds})
        };
        self.0.iter().map(figure).collect()
    }

    pub(super) fn table(&self) -> String {
        let number = |value: f64| match value {
            value if value == value.trunc() || value.abs() >= 1_000.0 => format!("{value:.0}"),
            value => format!("{value:.2}"),
        };
        let row = |figure: &Figure| {
            let median = figure.median().map_or_else(|| "-".to_owned(), number);
            vec![figure.name.clone(), median, number(figure.least()), number(figure.most()), figure.unit.to_owned()]
        };
        output::table(&["FIGURE", "MEDIAN", "LEAST", "MOST", "UNIT"], self.0.iter().map(row))
    }
}
