//! Numbers that look random and follow from a seed, the same on every machine.

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly between `low` and `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.next() >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// A whole number below `count`.
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        (self.between(0.0, 1.0) * f64::from(count)) as u32
    }
}

/// A number from 0 to 1 for a point of a lattice.
pub(crate) fn lattice(x: i32, y: i32, key: u32) -> f64 {
    let mix = (x as u32).wrapping_mul(374_761_393);
    let mix = mix.wrapping_add((y as u32).wrapping_mul(668_265_263)).wrapping_add(key.wrapping_mul(974_634_533));
    let mix = (mix ^ (mix >> 13)).wrapping_mul(1_274_126_177);
    let mix = (mix ^ (mix >> 16)).wrapping_mul(2_246_822_519);
    f64::from(mix ^ (mix >> 15)) / 4_294_967_296.0
}

/// Smooth noise between -1 and 1 at a point, with so many bumps per unit.
pub(crate) fn noise(x: f64, y: f64, frequency: f64, key: u32) -> f64 {
    let (fx, fy) = ((x + 2.0) * frequency, (y + 2.0) * frequency);
    let (ix, iy) = (fx.floor(), fy.floor());
    let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
    let (tx, ty) = (smooth(fx - ix), smooth(fy - iy));
    let (ix, iy) = (ix as i32, iy as i32);
    let (a, b) = (lattice(ix, iy, key), lattice(ix + 1, iy, key));
    let (c, d) = (lattice(ix, iy + 1, key), lattice(ix + 1, iy + 1, key));
    2.0 * ((a + (b - a) * tx) * (1.0 - ty) + (c + (d - c) * tx) * ty) - 1.0
}
