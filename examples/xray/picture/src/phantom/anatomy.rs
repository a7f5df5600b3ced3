//! The body of one phantom: its measures, and how dense it is at a point before opacities, ribs and vessels.
//!
//! Scene coordinates run from -1 to 1 in both directions; the patient's left is at positive x.

use crate::random::{SplitMix64, noise};
use std::f64::consts::PI;

/// What differs from one body to the next.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) frame: Frame,
    /// Half width of the chest at its widest.
    pub(super) width: f64,
    /// Height of the lungs' tips.
    pub(super) apex: f64,
    /// Height of the right dome of the diaphragm.
    pub(super) dome: f64,
    heart: Heart,
    /// How much darker lung is than what surrounds it.
    pub(super) lung: f64,
    /// How bright ribs are.
    pub(super) ribs: f64,
    pub(super) breast: f64,
    /// Exponent of the film's response.
    pub(super) gamma: f64,
    trunk: f64,
    /// How steeply ribs fall.
    pub(super) slope: f64,
    pub(super) bubble: f64,
    tilt: f64,
    base: f64,
    hilum: f64,
    veil: f64,
    /// Seed of all noise.
    pub(super) key: u32,
}

/// Where the body stands on the film.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) scale: f64,
    shift: (f64, f64),
    cos: f64,
    sin: f64,
}

impl Frame {
    /// The scene point of a pixel.
    pub(super) fn scene(&self, x: usize, y: usize, side: usize) -> (f64, f64) {
        let at = |pixel: usize| (pixel as f64 + 0.5) / side as f64 * 2.0 - 1.0;
        let (dx, dy) = (at(x) - self.shift.0, at(y) - self.shift.1);
        ((dx * self.cos + dy * self.sin) / self.scale, (dy * self.cos - dx * self.sin) / self.scale)
    }

    /// The place of a scene point on the film, in parts of its width and height.
    pub(super) fn film(&self, x: f64, y: f64) -> (f64, f64) {
        let u = (x * self.cos - y * self.sin) * self.scale + self.shift.0;
        let v = (x * self.sin + y * self.cos) * self.scale + self.shift.1;
        ((u + 1.0) / 2.0, (v + 1.0) / 2.0)
    }
}

/// What is at one point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tissue {
    /// Density, bright = dense.
    pub(super) density: f64,
    /// 1 inside the body.
    pub(super) body: f64,
    /// 1 inside a lung's outline, the heart not taken away.
    pub(super) outline: f64,
    /// 1 in a lung.
    pub(super) lung: f64,
    /// Distance from the middle at which the lung ends.
    pub(super) lateral: f64,
}

/// 0 below `from`, 1 above `to`, smooth between; falls where `from > to`.
pub(super) fn step(from: f64, to: f64, value: f64) -> f64 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Distance from an upright ellipse's centre, 1 on its edge.
pub(super) fn ellipse((x, y): (f64, f64), centre: (f64, f64), axes: (f64, f64)) -> f64 {
    let (along, across) = ((x - centre.0) / axes.0, (y - centre.1) / axes.1);
    (along * along + across * across).sqrt()
}

/// A turned ellipse.
#[derive(Clone, Debug)]
pub(super) struct Turned {
    centre: (f64, f64),
    axes: (f64, f64),
    cos: f64,
    sin: f64,
}

impl Turned {
    pub(super) fn new(centre: (f64, f64), axes: (f64, f64), degrees: f64) -> Self {
        let turn = degrees.to_radians();
        Self { centre, axes, cos: libm::cos(turn), sin: libm::sin(turn) }
    }

    /// Distance from its centre, 1 on its edge.
    pub(super) fn distance(&self, x: f64, y: f64) -> f64 {
        let (dx, dy) = (x - self.centre.0, y - self.centre.1);
        ellipse((dx * self.cos + dy * self.sin, dy * self.cos - dx * self.sin), (0.0, 0.0), self.axes)
    }
}

impl Body {
    /// A body; the draws are in a fixed order, which every phantom's picture depends on.
    pub(super) fn draw(random: &mut SplitMix64) -> Self {
        let scale = random.between(0.92, 1.05);
        let shift = (random.between(-0.04, 0.04), random.between(-0.04, 0.05));
        let turn = random.between(-2.5, 2.5).to_radians();
        Self {
            frame: Frame { scale, shift, cos: libm::cos(turn), sin: libm::sin(turn) },
            width: random.between(0.68, 0.76),
            apex: random.between(-0.84, -0.76),
            dome: random.between(0.40, 0.50),
            heart: Heart::new(random.between(0.88, 1.10)),
            lung: random.between(0.40, 0.47),
            ribs: random.between(0.80, 1.25),
            breast: random.between(0.0, 1.0),
            gamma: random.between(0.88, 1.15),
            trunk: random.between(0.90, 1.06),
            slope: random.between(0.85, 1.2),
            bubble: random.between(0.0, 1.0),
            tilt: random.between(-0.05, 0.05),
            base: random.between(0.0, 0.09),
            hilum: random.between(0.02, 0.07),
            veil: random.between(0.0, 0.05),
            key: random.below(1 << 20),
        }
    }

    /// The tissue at a point.
    pub(super) fn tissue(&self, x: f64, y: f64) -> Tissue {
        let (side, left) = (x.abs(), x > 0.0);
        let wobble = 0.012 * noise(x, y, 3.0, self.key + 1);
        let half = 0.22 + 0.98 * step(-1.12, -0.60, y) - 0.26 * step(-0.62, 0.25, y) + 0.05 * step(0.3, 1.0, y);
        let edge = self.trunk * half + wobble - side;
        let body = step(0.0, 0.05, edge);
        let mut density = body * (0.30 + 0.34 * (edge / 0.55).clamp(0.0, 1.0).sqrt());
        if body == 0.0 {
            return Tissue { density, body, outline: 0.0, lung: 0.0, lateral: 0.0 };
        }

        let apart = side - if left { 0.40 } else { 0.36 };
        let outer = (side - 0.52).clamp(0.0, 1.0);
        let diaphragm = self.dome + 0.05 * step(-0.12, 0.12, x) + 0.9 * apart * apart + 0.8 * outer * outer + wobble;
        let t = ((y - self.apex) / 1.15).clamp(0.0, 1.0);
        let bulge = (1.0 - libm::pow(1.0 - t, 2.3)).clamp(0.0, 1.0);
        let lateral = self.width * libm::pow(bulge, 1.0 / 2.1) - 0.015 * t;
        let medial = if left { 0.125 } else { 0.135 } + 0.02 * libm::cos(3.0 * y) + 0.05 * step(-0.6, -0.85, y);
        let heart = self.heart.at(x, y);
        let outline = step(-0.012, 0.030, lateral + wobble - side)
            * step(-0.012, 0.022, side - medial)
            * step(-0.012, 0.014, diaphragm - y)
            * step(self.apex - 0.01, self.apex + 0.10, y);
        let lung = outline * (1.0 - heart.inside());
        let depth = 0.80 + 0.20 * step(0.0, 0.25, lateral - side) * step(self.apex, self.apex + 0.35, y);

        // Tissue beneath the domes, then the air of the lungs.
        density += body
            * 0.16
            * step(-0.012, 0.03, y - diaphragm)
            * step(0.97, 0.70, side)
            * (0.75 + 0.25 * step(0.75, 0.2, side));
        density -= self.lung * lung * depth + 0.04 * step(0.5, -0.6, y) * lung;
        if lung > 0.0 {
            density += lung * self.haze(x, y);
        }
        density += body * 0.085 * step(0.18, 0.08, side) * step(-0.75, -0.3, y) + heart.density();
        density += spine(side, y) * body - airways(x, y, body);
        Tissue { density, body, outline, lung, lateral }
    }

    /// What healthy lungs also show: uneven exposure, hazier bases, denser hila, mottling.
    fn haze(&self, x: f64, y: f64) -> f64 {
        self.tilt * x
            + self.base * step(-0.25, 0.55, y)
            + self.hilum * step(0.55, 0.15, ellipse((x.abs(), y), (0.05, 0.0), (1.0, 1.4)))
            + self.veil * noise(x, y, 2.6, self.key + 5)
    }
}

/// The two chambers that make the heart's outline; the great vessels above them are upright.
#[derive(Clone, Debug)]
struct Heart {
    ventricle: Turned,
    atrium: Turned,
}

impl Heart {
    fn new(size: f64) -> Self {
        Self {
            ventricle: Turned::new((0.14, 0.28), (0.38 * size, 0.27 * size), 36.0),
            atrium: Turned::new((-0.065, 0.24), (0.155 * size, 0.29 * size), -6.0),
        }
    }

    fn at(&self, x: f64, y: f64) -> Arches {
        Arches {
            ventricle: self.ventricle.distance(x, y),
            atrium: self.atrium.distance(x, y),
            aorta: ellipse((x, y), (0.075, -0.36), (0.115, 0.13)),
            artery: ellipse((x, y), (0.075, -0.10), (0.135, 0.24)),
        }
    }
}

/// Distances from the four arches of the heart's outline.
struct Arches {
    ventricle: f64,
    atrium: f64,
    aorta: f64,
    artery: f64,
}

impl Arches {
    /// Their smooth union.
    fn inside(&self) -> f64 {
        let blob = |distance: f64| libm::exp(-4.5 * (distance - 1.0));
        let sum = blob(self.ventricle) + blob(self.atrium) + 0.8 * blob(self.aorta) + 0.8 * blob(self.artery);
        step(0.72, 1.32, sum)
    }

    fn density(&self) -> f64 {
        let thickness = |distance: f64| {
            let distance = distance.min(1.0);
            (1.0 - distance * distance).max(0.0).sqrt()
        };
        thickness(self.ventricle) * 0.09 + thickness(self.atrium) * 0.06 + 0.025 * step(1.05, 0.5, self.aorta)
    }
}

/// Vertebrae and the rims of their joints.
fn spine(side: f64, y: f64) -> f64 {
    if side > 0.2 {
        return 0.0;
    }
    let wave = libm::cos(2.0 * PI * y / 0.118);
    let joint = (side - 0.05) / 0.016;
    (0.055 + 0.030 * (0.55 + 0.45 * wave)) * step(0.105, 0.072, side + 0.006 * wave)
        + 0.022 * libm::exp(-joint * joint) * wave.clamp(0.0, 1.0)
}

/// Trachea and main bronchi, which are dark.
fn airways(x: f64, y: f64, body: f64) -> f64 {
    if y >= -0.06 || x.abs() > 0.5 {
        return 0.0;
    }
    let middle = x + 0.012;
    let trachea = body * 0.13 * libm::exp(-libm::pow(middle.abs() / 0.040, 4.0)) * step(-0.24, -0.34, y);
    let bronchi: f64 = [-1.0, 1.0]
        .map(|sign| {
            let distance = (middle - sign * (y + 0.30) * 0.75) / 0.026;
            0.06 * libm::exp(-distance * distance) * step(-0.33, -0.26, y) * step(-0.06, -0.14, y)
        })
        .iter()
        .sum();
    trachea + bronchi
}
