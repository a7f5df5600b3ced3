//! Risk → verdict, by two limits that are settings.

/// What is said about a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The risk is above the upper limit.
    Pneumonia,
    /// The risk is between the limits, or no risk can be given.
    Unsure,
    /// The risk is below the lower limit.
    Normal,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pneumonia => "pneumonia",
            Self::Unsure => "unsure",
            Self::Normal => "normal",
        }
    }
}

/// The two limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    normal_below: f64,
    pneumonia_above: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { normal_below: 0.60, pneumonia_above: 0.80 }
    }
}

impl Limits {
    /// Limits with `0 <= normal_below <= pneumonia_above <= 1`; `None` otherwise.
    pub fn new(normal_below: f64, pneumonia_above: f64) -> Option<Self> {
        let ordered = 0.0 <= normal_below && normal_below <= pneumonia_above && pneumonia_above <= 1.0;
        ordered.then_some(Self { normal_below, pneumonia_above })
    }

    /// The risk below which a picture is normal.
    pub fn normal_below(&self) -> f64 {
        self.normal_below
    }

    /// The risk above which it is pneumonia.
    pub fn pneumonia_above(&self) -> f64 {
        self.pneumonia_above
    }

    /// The verdict for a risk; `None` (no risk could be given) is unsure.
    pub fn judge(&self, risk: Option<f64>) -> Verdict {
        match risk {
            Some(risk) if risk > self.pneumonia_above => Verdict::Pneumonia,
            Some(risk) if risk < self.normal_below => Verdict::Normal,
            _ => Verdict::Unsure,
        }
    }
}

#[cfg(test)]
mod tests;
