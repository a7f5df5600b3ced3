//! The hila and the vessels that leave them, as random walks of small stamps.

use super::anatomy::{Frame, Turned};
use crate::random::SplitMix64;

/// Length of one step of a walk, in scene units.
const STEP: f64 = 0.008;
/// Vessels that leave each hilum.
const BRANCHES: u32 = 13;

struct Walk {
    x: f64,
    y: f64,
    angle: f64,
    width: f64,
    density: f64,
    length: f64,
}

/// Draws both hila's vessels on a grid of `side * side`.
pub(super) fn draw(random: &mut SplitMix64, frame: &Frame, side: usize) -> Vec<f64> {
    let mut map = vec![0.0; side * side];
    for (sign, hilum) in [(-1.0, (-0.185, -0.06)), (1.0, (0.20, -0.10))] {
        add_hilum(&mut map, frame, side, (hilum, sign));
        for branch in 0..BRANCHES {
            let turn = f64::from(branch) + random.between(-0.3, 0.3);
            let angle = (-78.0 + 156.0 * turn / 12.0).to_radians();
            let (width, density) = (random.between(0.013, 0.022), random.between(0.075, 0.12));
            let length = random.between(0.40, 0.58);
            let (x, y) = (hilum.0, hilum.1 + 0.05 * libm::sin(angle));
            let mut walks = vec![Walk { x, y, angle, width, density, length }];
            for _ in 0..2 {
                walks = walks
                    .into_iter()
                    .flat_map(|walk| walk.follow(sign, random, &mut Stamp { map: &mut map, frame, side }))
                    .collect();
            }
        }
    }
    map
}

fn add_hilum(map: &mut [f64], frame: &Frame, side: usize, (centre, sign): ((f64, f64), f64)) {
    let hilum = Turned::new(centre, (0.065, 0.11), 12.0 * sign);
    for (at, value) in map.iter_mut().enumerate() {
        let (x, y) = frame.scene(at % side, at / side, side);
        let distance = hilum.distance(x, y);
        // Beyond, the addition is below what twelve bits can show.
        if distance < 4.0 {
            *value += 0.060 * libm::exp(-distance * distance);
        }
    }
}

impl Walk {
    /// Walks to the end; gives the two branches that begin there.
    fn follow(mut self, sign: f64, random: &mut SplitMix64, stamp: &mut Stamp<'_>) -> [Self; 2] {
        let steps = ((self.length * 0.55 / STEP) as usize).max(2);
        for _ in 0..steps {
            self.x += sign * libm::cos(self.angle) * STEP;
            self.y += libm::sin(self.angle) * STEP;
            self.angle += random.between(-0.10, 0.10);
            self.width = (self.width * 0.985).max(0.0035);
            self.density *= 0.983;
            stamp.press(&self);
        }
        [(-0.55, -0.2), (0.2, 0.55)].map(|(low, high)| Self {
            angle: self.angle + random.between(low, high),
            width: self.width * 0.85,
            density: self.density * 0.85,
            length: self.length * 0.8,
            ..self
        })
    }
}

struct Stamp<'a> {
    map: &'a mut [f64],
    frame: &'a Frame,
    side: usize,
}

impl Stamp<'_> {
    /// A small Gaussian, joined by the maximum.
    fn press(&mut self, walk: &Walk) {
        let (u, v) = self.frame.film(walk.x, walk.y);
        let pixel = |part: f64| part * self.side as f64 - 0.5;
        let (u, v) = (pixel(u), pixel(v));
        let sigma = (walk.width * self.frame.scale / 2.0 * self.side as f64).max(0.6);
        let reach = (2.5 * sigma) as isize + 1;
        let range = |centre: f64| {
            let bound = |at: isize| at.clamp(0, self.side as isize) as usize;
            bound(centre as isize - reach)..bound(centre as isize + reach + 2)
        };
        let gauss = |at: usize, centre: f64| {
            let distance = at as f64 - centre;
            libm::exp(-distance * distance / (2.0 * sigma * sigma))
        };
        let columns: Vec<(usize, f64)> = range(u).map(|x| (x, gauss(x, u))).collect();
        for y in range(v) {
            let height = walk.density * gauss(y, v);
            for (x, width) in &columns {
                let pixel = &mut self.map[y * self.side + x];
                *pixel = pixel.max(height * width);
            }
        }
    }
}
