//! Averages over the last seconds: one bucket a second, in a ring. The rules are Knative's, so that a trace gives the
//! same averages here and there.

use std::time::Duration;

/// How the buckets of a window become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Average {
    /// Every second counts the same; a window that was not filled yet is divided by the seconds it has.
    #[default]
    Linear,
    /// Newer seconds count more; always against the whole series, so a short history reads low.
    WeightedExponential,
}

/// The weights of a weighted window add up to at least this much of the whole series.
const WEIGHT_COVERED: f64 = 0.9999;
/// Decay is never slower than this, or long windows would be plain averages.
const DECAY_MIN: f64 = 0.2;
/// Linear averages are rounded to millionths, so that sums of decimals do not tip a ceiling.
const PRECISION: f64 = 1e6;

/// The samples of one metric over the last seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    average: Average,
    /// The value of each second, at `second % buckets.len()`.
    buckets: Vec<f64>,
    /// Second of the first sample that counts; before it nothing is known. Not known itself after some resizes.
    first: Option<i64>,
    /// Second of the newest sample.
    last: Option<i64>,
}

impl Window {
    /// An empty window. `length` is rounded up to whole seconds, at least one.
    pub fn new(length: Duration, average: Average) -> Self {
        Self { average, buckets: vec![0.0; bucket_count(length)], first: None, last: None }
    }

    /// Adds a sample to the second it belongs to. A sample that is older than the window, negative or not finite is
    /// ignored. Samples may come out of order.
    pub fn record(&mut self, at: Duration, value: f64) {
        if !value.is_finite() || value < 0.0 {
            return;
        }
        let second = whole_second(at);
        let length = self.length();
        if let Some(last) = self.last {
            if second + length <= last {
                return;
            }
            if second - last >= length {
                self.buckets.fill(0.0);
                self.first = None;
            } else {
                (last + 1..=second).for_each(|skipped| *self.bucket_mut(skipped) = 0.0);
            }
        }
        self.first = Some(self.first.map_or(second, |first| first.min(second)));
        self.last = Some(self.last.map_or(second, |last| last.max(second)));
        *self.bucket_mut(second) += value;
    }

    /// Whether the newest sample is older than the window, so that nothing can be said.
    pub fn is_empty(&self, now: Duration) -> bool {
        self.last.is_none_or(|last| whole_second(now) - last > self.length())
    }

    /// The average at `now`; 0 where nothing is known.
    pub fn average(&self, now: Duration) -> f64 {
        let Some(last) = self.last else { return 0.0 };
        // Seconds without any sample since the newest one: their buckets hold values that are too old.
        let outdated = (whole_second(now) - last).max(0);
        if outdated >= self.length() {
            return 0.0;
        }
        match self.average {
            Average::Linear => self.linear(last, outdated),
            Average::WeightedExponential => self.weighted(last, outdated),
        }
    }

    /// Makes the window longer or shorter and keeps its newest samples. Everything before counts as written with the
    /// old length, however little was; samples that were too old already are dropped.
    pub fn resize(&mut self, length: Duration, now: Duration) {
        let resized = vec![0.0; bucket_count(length)];
        if resized.len() == self.buckets.len() {
            return;
        }
        let is_outdated = self.is_empty(now);
        let old = std::mem::replace(self, Self { buckets: resized, ..self.clone() });
        self.first = None;
        let Some(last) = old.last.filter(|_| !is_outdated) else { return };
        self.first = Some(last - old.length() + 1);
        let kept = old.length().min(self.length());
        (last - kept + 1..=last).for_each(|second| *self.bucket_mut(second) = old.bucket(second));
    }

    fn linear(&self, last: i64, outdated: i64) -> f64 {
        let counted = self.length() - outdated;
        let total: f64 = (last - counted + 1..=last).map(|second| self.bucket(second)).sum();
        let written = self.first.map_or(counted, |first| (last - first + 1).min(counted));
        (total / written as f64 * PRECISION).round() / PRECISION
    }

    fn weighted(&self, last: i64, outdated: i64) -> f64 {
        let decay = (1.0 - (1.0 - WEIGHT_COVERED).powf(1.0 / self.length() as f64)).max(DECAY_MIN);
        let mut weight = decay * (1.0 - decay).powf(outdated as f64);
        let mut average = 0.0;
        for age in 0..self.length() - outdated {
            average += self.bucket(last - age) * weight;
            weight *= 1.0 - decay;
        }
        average
    }

    fn length(&self) -> i64 {
        self.buckets.len() as i64
    }

    fn bucket(&self, second: i64) -> f64 {
        self.buckets[second.rem_euclid(self.length()) as usize]
    }

    fn bucket_mut(&mut self, second: i64) -> &mut f64 {
        let index = second.rem_euclid(self.length()) as usize;
        &mut self.buckets[index]
    }
}

fn whole_second(at: Duration) -> i64 {
    i64::try_from(at.as_secs()).unwrap_or(i64::MAX / 2)
}

fn bucket_count(length: Duration) -> usize {
    let seconds = length.as_secs() + u64::from(length.subsec_nanos() > 0);
    usize::try_from(seconds.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
