//! All of one phantom on a square grid: tissue, opacities, bones, vessels, and the film's response.

use super::anatomy::{Body, Tissue, Turned, ellipse, step};
use super::{Kind, Opacity, vessels};
use crate::random::{SplitMix64, noise};
use std::f64::consts::PI;

/// A drawn scene.
pub(super) struct Scene {
    /// Density from 0 to 1, rows from the top.
    pub(super) density: Vec<f64>,
    /// What was drawn into the lungs.
    pub(super) opacities: Vec<Opacity>,
    /// Seed of all noise.
    pub(super) key: u32,
}

/// A blot of density in a lung.
struct Blot {
    name: &'static str,
    centre: (f64, f64),
    radius: (f64, f64),
    density: f64,
}

/// The centres of the lobes.
const LOBES: [(&str, f64, f64); 5] = [
    ("right upper", -0.36, -0.36),
    ("right middle", -0.40, -0.02),
    ("right lower", -0.43, 0.18),
    ("left upper", 0.38, -0.36),
    ("left lower", 0.54, 0.05),
];

impl Scene {
    /// Draws the scene on a grid of `side * side`.
    pub(super) fn draw(seed: u64, kind: Kind, side: usize) -> Self {
        let mut random = SplitMix64::new(seed.wrapping_mul(4).wrapping_add(kind.stream()));
        let body = Body::draw(&mut random);
        let blots = blots(kind, &body, &mut random);
        let vessels = vessels::draw(&mut random, &body.frame, side);
        let ragged = if kind == Kind::Borderline { 0.15 } else { 0.34 };
        let bubble = || Turned::new((0.40, body.dome + 0.05 + 0.20), (0.17, 0.07), -8.0);
        let painter = Painter { body: &body, blots: &blots, ragged, bubble: (body.bubble < 0.6).then(bubble) };
        let raw = (0..side * side).map(|at| {
            let (x, y) = body.frame.scene(at % side, at / side, side);
            painter.density(x, y, vessels[at])
        });
        let reach = (side / 512).max(1);
        let soft = blur(&blur(&raw.collect::<Vec<_>>(), side, reach), side, reach);
        let density = soft.into_iter().map(|d| libm::pow(d.clamp(0.0, 1.1) / 1.1, body.gamma)).collect();
        let half = body.frame.scale / 2.0;
        let opacities = blots
            .iter()
            .map(|blot| Opacity {
                name: blot.name,
                centre: body.frame.film(blot.centre.0, blot.centre.1),
                radius: (blot.radius.0 * half, blot.radius.1 * half),
            })
            .collect();
        Self { density, opacities, key: body.key }
    }
}

/// The opacities of a kind. The draws are in a fixed order.
fn blots(kind: Kind, body: &Body, random: &mut SplitMix64) -> Vec<Blot> {
    match kind {
        Kind::Healthy => Vec::new(),
        Kind::Borderline => {
            let (_, x, y) = LOBES[random.below(4) as usize];
            vec![blot(
                random,
                "faint patch",
                (x, y),
                ((-0.02, 0.02), (0.135, 0.145), (0.135, 0.145), (1.0, 1.04)),
                body,
            )]
        }
        Kind::Sick if random.below(2) == 0 => {
            let mut lobes = vec![random.below(5)];
            if random.between(0.0, 1.0) < 0.25 {
                lobes.push(random.below(5));
            }
            let shape = ((-0.03, 0.03), (0.30, 0.36), (0.32, 0.40), (1.02, 1.16));
            let lobe = |index: u32| LOBES[index as usize];
            lobes.into_iter().map(lobe).map(|(name, x, y)| blot(random, name, (x, y), shape, body)).collect()
        }
        Kind::Sick => patches(body, random),
    }
}

type Span = (f64, f64);

fn blot(
    random: &mut SplitMix64,
    name: &'static str,
    (x, y): Span,
    shape: (Span, Span, Span, Span),
    body: &Body,
) -> Blot {
    let (shift, wide, high, density) = shape;
    let centre = (x + random.between(shift.0, shift.1), y + random.between(-0.04, 0.04));
    let radius = (random.between(wide.0, wide.1), random.between(high.0, high.1));
    Blot { name, centre, radius, density: body.lung * random.between(density.0, density.1) }
}

fn patches(body: &Body, random: &mut SplitMix64) -> Vec<Blot> {
    const SIDES: [&[(&str, f64)]; 3] =
        [&[("right patch", -1.0)], &[("left patch", 1.0)], &[("right patch", -1.0), ("left patch", 1.0)]];
    let sides = SIDES[random.below(3) as usize];
    let count = 6 + random.below(4) as usize;
    (0..count)
        .map(|index| {
            let (name, sign) = sides[index % sides.len()];
            let y = random.between(-0.42, 0.36);
            // The heart is in the way on the left.
            let (low, high) = if sign < 0.0 || y < -0.15 { (0.28, 0.52) } else { (0.46, 0.62) };
            let centre = (sign * random.between(low, high), y);
            let radius = (random.between(0.16, 0.22), random.between(0.16, 0.22));
            Blot { name, centre, radius, density: body.lung * random.between(1.02, 1.18) }
        })
        .collect()
}

/// Puts the parts of one point together.
struct Painter<'a> {
    body: &'a Body,
    blots: &'a [Blot],
    ragged: f64,
    /// The stomach's, if it shows.
    bubble: Option<Turned>,
}

impl Painter<'_> {
    fn density(&self, x: f64, y: f64, vessel: f64) -> f64 {
        let tissue = self.body.tissue(x, y);
        if tissue.body == 0.0 {
            return tissue.density;
        }
        let opacity = self.opacity(x, y);
        // Opacities hide ribs and vessels.
        let shown = 1.0 - 0.9 * (opacity / 0.40).clamp(0.0, 1.0);
        let mut density = tissue.density + opacity * tissue.lung;
        density += self.ribs(x, y, &tissue) * shown;
        density += shoulders(x, y) * tissue.body;
        density += vessel * (0.15 + 0.85 * tissue.lung) * shown * tissue.outline;
        density + self.soft_parts(x, y, &tissue)
    }

    fn opacity(&self, x: f64, y: f64) -> f64 {
        let key = self.body.key;
        let mut densest: f64 = 0.0;
        for (index, blot) in self.blots.iter().enumerate() {
            let distance = ellipse((x, y), blot.centre, blot.radius);
            // Beyond, no noise can bring it back under the edge.
            if distance > 2.0 {
                continue;
            }
            let index = index as u32;
            let edge = self.ragged * noise(x, y, 6.0, key + 40 + index) + 0.16 * noise(x, y, 15.0, key + 60 + index);
            let grain = 0.86 + 0.14 * noise(x, y, 26.0, key + 80 + index);
            densest = densest.max(blot.density * step(1.30, 0.35, distance + edge) * grain);
        }
        densest
    }

    fn ribs(&self, x: f64, y: f64, tissue: &Tissue) -> f64 {
        let side = x.abs();
        let apex = self.body.apex;
        let inside = step(0.06, -0.01, side - tissue.lateral) * step(apex - 0.06, apex + 0.04, y);
        if inside == 0.0 {
            return 0.0;
        }
        let bones: f64 = (0..10).map(|rib| self.posterior_rib(rib, side, y)).sum::<f64>()
            + (0..6).map(|rib| self.anterior_rib(rib, side, y)).sum::<f64>();
        let fade = 1.0 - 0.5 * step(0.25, 0.1, side);
        0.105 * self.body.ribs * bones * inside * (0.30 + 0.70 * tissue.lung) * fade
    }

    /// Bright, drooping outwards.
    fn posterior_rib(&self, rib: u32, side: f64, y: f64) -> f64 {
        let number = f64::from(rib);
        let (top, width) = (-0.80 + 0.128 * number, 0.026 + 0.0012 * number);
        let fall = self.body.slope * (0.10 + 0.022 * number);
        if side <= 0.09 || y < top - 0.075 - 4.0 * width || y > top + 1.5 * fall + 4.0 * width {
            return 0.0;
        }
        let reach = self.body.width * (0.62 + 0.42 * ((number + 0.6) / 4.0).min(1.0)) + 0.02;
        let along = ((side - 0.09) / (reach - 0.09)).clamp(0.0, 1.2);
        let middle = top - 0.075 * libm::sin(PI * (along * 1.25).min(1.0)) + fall * libm::pow(along, 2.2);
        bar(y - middle, width, (0.70, 0.45, 0.30)) * step(1.04, 0.97, along) * (0.8 + 0.75 * step(0.70, 1.0, along))
    }

    /// Faint, drooping inwards.
    fn anterior_rib(&self, rib: u32, side: f64, y: f64) -> f64 {
        let along = ((side - 0.12) / (self.body.width - 0.12)).clamp(0.0, 1.2);
        let inner = (0.45 - along).clamp(0.0, 1.0);
        let top = -0.46 + 0.150 * f64::from(rib);
        let middle = top - 0.05 - 0.30 * self.body.slope * (along - 0.45) + 0.20 * inner * inner;
        0.62 * bar(y - middle, 0.033, (0.55, 0.25, 0.30)) * step(1.03, 0.95, along) * step(0.28, 0.50, along)
    }

    /// Breast shadows, the stomach's bubble, and quiet mottling.
    fn soft_parts(&self, x: f64, y: f64, tissue: &Tissue) -> f64 {
        let mut density = 0.0;
        if self.body.breast < 0.4 {
            let distance = ellipse((x.abs(), y), (0.42, 0.24), (0.33, 0.33));
            density += tissue.body * 0.05 * step(1.03, 0.90, distance) * (0.4 + 0.6 * step(-0.1, 0.5, y));
        }
        if let Some(bubble) = &self.bubble {
            density -= 0.16 * step(1.1, 0.8, bubble.distance(x, y));
        }
        let key = self.body.key;
        let mottling = noise(x, y, 4.0, key + 2) + 0.8 * noise(x, y, 14.0, key + 3) + 0.7 * noise(x, y, 45.0, key + 4);
        density + tissue.body * 0.014 * mottling
    }
}

/// Across a bone: its body and its bright rims. `(body, rim, rim's width in parts of the bone's)`.
fn bar(distance: f64, width: f64, (body, rim, narrow): (f64, f64, f64)) -> f64 {
    // Beyond, both exponentials are below what twelve bits can show.
    if distance.abs() > 3.0 * width {
        return 0.0;
    }
    let (across, edge) = (distance / width, (distance.abs() - width) / (narrow * width));
    let square = across * across;
    body * libm::exp(-square * square) + rim * libm::exp(-edge * edge)
}

/// Clavicles, shoulder blades, heads of the arms.
fn shoulders(x: f64, y: f64) -> f64 {
    if y > 0.03 {
        return 0.0;
    }
    let side = x.abs();
    let along = ((side - 0.07) / 0.75).clamp(0.0, 1.2);
    let middle = -0.60 - 0.17 * along + 0.045 * libm::sin(2.0 * PI * along) + 0.02 * x;
    let width = 0.030 + 0.012 * (along - 0.5).abs();
    let clavicle = bar(y - middle, width, (0.085, 0.045, 0.25)) * step(0.04, 0.075, side) * step(0.88, 0.80, side);
    let rim = 0.60 + 0.16 * (y + 0.5);
    let blade =
        0.040 * step(0.0, 0.02, side - rim) * step(-0.66, -0.58, y) * step(0.02, -0.10, y) * step(1.0, 0.9, side);
    clavicle + blade + 0.09 * step(1.05, 0.9, ellipse((side, y), (0.93, -0.72), (0.10, 0.11)))
}

/// Mean over `2 reach + 1` pixels in each direction; the edges are repeated.
fn blur(picture: &[f64], side: usize, reach: usize) -> Vec<f64> {
    let down = blur_lines(picture, side, reach, |line, step| step * side + line);
    blur_lines(&down, side, reach, |line, step| line * side + step)
}

fn blur_lines(picture: &[f64], side: usize, reach: usize, at: impl Fn(usize, usize) -> usize) -> Vec<f64> {
    let mut result = vec![0.0; picture.len()];
    let count = (2 * reach + 1) as f64;
    for line in 0..side {
        let pixel = |step: isize| picture[at(line, step.clamp(0, side as isize - 1) as usize)];
        let around = -(reach as isize)..=reach as isize;
        for step in 0..side {
            let sum: f64 = around.clone().map(|offset| pixel(step as isize + offset)).sum();
            result[at(line, step)] = sum / count;
        }
    }
    result
}
