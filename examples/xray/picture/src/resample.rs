//! Another number of pixels for the same picture, by a triangle filter in each direction.

/// Resamples `samples` of `from` (width, height) to `to`. An empty source gives an empty result.
pub(crate) fn resample<T: Copy + Into<f32>>(samples: &[T], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
    let (columns, rows) = (weights(from.0, to.0), weights(from.1, to.1));
    let mut wide = Vec::with_capacity(to.0 * from.1);
    for row in samples.chunks_exact(from.0.max(1)) {
        wide.extend(columns.iter().map(|tap| tap.apply(|x| row[x].into())));
    }
    let mut result = Vec::with_capacity(to.0 * to.1);
    for tap in &rows {
        result.extend((0..to.0).map(|x| tap.apply(|y| wide[y * to.0 + x])));
    }
    result
}

/// The source pixels that make one new pixel, and their shares.
struct Tap {
    first: usize,
    shares: Vec<f32>,
}

impl Tap {
    fn apply(&self, at: impl Fn(usize) -> f32) -> f32 {
        self.shares.iter().enumerate().map(|(step, share)| share * at(self.first + step)).sum()
    }
}

fn weights(from: usize, to: usize) -> Vec<Tap> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    (0..to)
        .map(|pixel| {
            let centre = (pixel as f64 + 0.5) * scale;
            let first = ((centre - reach + 0.5).max(0.0) as usize).min(from - 1);
            let last = ((centre + reach + 0.5) as usize).clamp(first + 1, from);
            let share = |source: usize| (1.0 - ((source as f64 + 0.5 - centre) / reach).abs()).max(0.0);
            let sum: f64 = (first..last).map(share).sum();
            Tap { first, shares: (first..last).map(|source| (share(source) / sum) as f32).collect() }
        })
        .collect()
}
