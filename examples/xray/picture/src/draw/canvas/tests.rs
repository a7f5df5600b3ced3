use super::{Canvas, Colour};
use crate::picture::Rectangle;

const PAPER: Colour = [10, 10, 10];
const INK: Colour = [200, 100, 50];

fn paper() -> Canvas {
    Canvas::new(8, 6, PAPER)
}

/// Pixels that are no longer paper: column and row.
fn drawn(canvas: &Canvas) -> Vec<(usize, usize)> {
    let changed = canvas.pixels.iter().enumerate().filter(|(_, pixel)| **pixel != PAPER);
    changed.map(|(at, _)| (at % canvas.width, at / canvas.width)).collect()
}

#[test]
fn what_is_outside_is_not_drawn() {
    let mut canvas = paper();
    for (x, y) in [(8, 0), (0, 6), (8, 6), (100, 2), (2, 100)] {
        canvas.set(x, y, INK);
        canvas.text((x, y), 8, "##", INK);
    }
    canvas.fill(Rectangle { x0: 8, y0: 0, x1: 20, y1: 20 }, INK);
    canvas.fill(Rectangle { x0: 0, y0: 6, x1: 20, y1: 20 }, INK);
    assert_eq!(drawn(&canvas), []);

    canvas.set(7, 5, INK);
    canvas.fill(Rectangle { x0: 6, y0: 4, x1: 20, y1: 20 }, INK);
    assert_eq!(drawn(&canvas), [(6, 4), (7, 4), (6, 5), (7, 5)]);
}

#[test]
fn text_is_cut_where_the_picture_ends() {
    let mut whole = Canvas::new(80, 60, PAPER);
    whole.text((0, 0), 32, "##", INK);
    let mut window = Canvas::new(20, 30, PAPER);
    window.text((10, 12), 32, "##", INK);
    assert!(drawn(&window).iter().all(|(x, y)| *x >= 10 && *y >= 12));
    for (x, y) in (12..30).flat_map(|y| (10..20).map(move |x| (x, y))) {
        assert_eq!(window.pixels[y * 20 + x], whole.pixels[(y - 12) * 80 + x - 10], "{x} {y}");
    }
}
