//! Counts of durations in buckets that grow with the value: each is at most one part in 128 wide, so percentiles are right
//! to 0.8 %, in a fixed amount of memory.

use std::time::Duration;

#[cfg(test)]
mod tests;

/// Buckets per doubling, as a power of two.
const PRECISION_BITS: u32 = 7;
/// Enough for every 64-bit number of nanoseconds.
const BUCKETS: usize = ((64 - PRECISION_BITS) as usize + 1) << PRECISION_BITS;

/// Durations in nanoseconds, counted.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    pub(super) fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
    }

    /// The least duration that `share` of all are not above, in milliseconds; NaN where nothing was recorded.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let rank = ((share * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        found.map_or(f64::NAN, |bucket| top(bucket) as f64 / 1e6)
    }
}

fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(PRECISION_BITS + 1);
    ((shift as usize) << PRECISION_BITS) + (value >> shift) as usize
}

/// The largest value of a bucket.
fn top(bucket: usize) -> u64 {
    let shift = (bucket >> PRECISION_BITS).saturating_sub(1);
    let first = (bucket - (shift << PRECISION_BITS)) as u64;
    (first << shift) + ((1 << shift) - 1)
}
