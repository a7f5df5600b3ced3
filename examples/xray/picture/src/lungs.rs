//! Finds the two dark fields beside the middle of the picture that may be lungs.

use crate::grid::{self, CELLS, Component, Field, Mask, SIDE};

/// What was found on which side of the picture ("right" is the patient's: the picture's left).
#[derive(Clone, Debug)]
pub(crate) enum Lungs {
    /// Both.
    Both { right: Component, left: Component },
    /// Only the patient's right.
    Right(Component),
    /// Only the patient's left.
    Left(Component),
}

/// Thresholds of darkness that are tried, in 1/128.
const LEVELS: std::ops::Range<i32> = -36..12;

/// Tries every threshold; the best pair of dark, lung-like components wins. Also the threshold it was found at.
pub(crate) fn find(cells: &[f64]) -> Option<(Lungs, i32)> {
    let (darkness, air) = darkness(cells);
    let near_air = grid::dilate(&air);
    let mut best: Option<(f64, Component, Component, i32)> = None;
    let mut single: Option<(Component, i32)> = None;
    for level in LEVELS {
        let limit = f64::from(level) / 128.0;
        let dark: Mask = darkness.iter().map(|cell| *cell < limit).collect();
        let candidates: Vec<Component> = grid::components(&grid::dilate(&grid::erode(&dark)))
            .into_iter()
            .filter(|component| is_lung_like(component, &near_air))
            .collect();
        for one in &candidates {
            let larger = single.as_ref().is_none_or(|(other, _)| one.area() > other.area());
            if one.y1 - one.y0 >= 40 && larger {
                single = Some((one.clone(), level));
            }
        }
        for (a, b) in candidates.iter().flat_map(|a| candidates.iter().map(move |b| (a, b))) {
            let Some(score) = pair_score(a, b) else { continue };
            if best.as_ref().is_none_or(|(other, ..)| score > *other) {
                best = Some((score, a.clone(), b.clone(), level));
            }
        }
    }
    if let Some((_, right, left, level)) = best {
        return Some((Lungs::Both { right, left }, level));
    }
    single.map(|(one, level)| (if one.cx < 63.5 { Lungs::Right(one) } else { Lungs::Left(one) }, level))
}

/// How much brighter (+) or darker (-) each cell is than its wider surroundings, ribs averaged away; and the air around the body.
fn darkness(cells: &[f64]) -> (Field, Mask) {
    let dark: Mask = grid::smooth(cells, 1, 1).iter().map(|cell| *cell < 0.12).collect();
    let mut air = vec![false; CELLS];
    for component in grid::components(&dark).iter().filter(|component| component.border() > 4) {
        component.cells.iter().for_each(|cell| air[*cell] = true);
    }
    for _ in 0..4 {
        air = grid::dilate(&air);
    }
    let body = cells.iter().zip(&air).filter(|(_, air)| !**air).map(|(cell, _)| *cell).collect();
    let median = grid::quantile(body, 0.5).unwrap_or(0.5);
    let covered: Field = cells.iter().zip(&air).map(|(cell, air)| if *air { median } else { *cell }).collect();
    let near = grid::smooth(&grid::smooth(&covered, 4, 1), 3, 1);
    let wide = grid::smooth(&grid::smooth(&covered, 14, 20), 14, 20);
    (near.iter().zip(wide).map(|(near, wide)| near - wide).collect(), air)
}

fn is_lung_like(one: &Component, near_air: &[bool]) -> bool {
    (240..=3600).contains(&one.area())
        && (24..=112).contains(&one.height())
        && (8..=58).contains(&one.width())
        && one.fill() >= 0.26
        && one.x0 >= 3
        && one.x1 <= SIDE - 4
        && (20.0..=100.0).contains(&one.cy)
        && (14.0..=113.0).contains(&one.cx)
        && one.border() <= 4
        && one.on(near_air) <= 16
}

/// How well two components make a pair, `a` on the picture's left; `None` if they cannot be one.
fn pair_score(a: &Component, b: &Component) -> Option<f64> {
    let gap = b.cx - a.cx;
    if !(24.0..=84.0).contains(&gap) || ((a.cx + b.cx) / 2.0 - 63.5).abs() > 20.0 || a.x1 >= b.x0 + 6 {
        return None;
    }
    let overlap = a.y1.min(b.y1) as f64 - a.y0.max(b.y0) as f64 + 1.0;
    let union = (a.y1.max(b.y1) - a.y0.min(b.y0) + 1) as f64;
    let (small, large) = (a.area().min(b.area()) as f64, a.area().max(b.area()) as f64);
    if overlap < 0.5 * a.height().min(b.height()) as f64 || small < 0.15 * large {
        return None;
    }
    let weight = |one: &Component| one.area() as f64 * one.fill().sqrt();
    Some((weight(a) + weight(b)) * (overlap / union).sqrt())
}

#[cfg(test)]
mod tests;
