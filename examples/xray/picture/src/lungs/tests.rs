//! What may be a lung, and what a pair, at the edges of each limit.

use super::{is_lung_like, pair_score};
use crate::grid::{CELLS, Component};

/// Twenty cells by fifty.
fn right() -> Component {
    Component::block(30..=49, 40..=89)
}

#[test]
fn what_may_be_a_lung_has_a_size_a_shape_and_a_place() {
    let block = Component::block;
    let without_one = |mut block: Component| {
        block.cells.pop();
        block
    };
    let table = [
        ("area", block(30..=39, 50..=73), without_one(block(30..=39, 50..=73))),
        ("large area", block(10..=59, 30..=101), block(10..=59, 30..=102)),
        ("height", block(30..=40, 50..=73), block(30..=40, 50..=72)),
        ("large height", block(30..=39, 8..=119), block(30..=39, 8..=120)),
        ("width", block(30..=37, 40..=79), block(30..=36, 40..=79)),
        ("large width", block(5..=62, 40..=79), block(4..=62, 40..=79)),
        ("a slender bow", right(), block(30..=33, 40..=89).and(block(34..=69, 86..=89))),
        ("left edge", block(3..=32, 40..=79), block(2..=32, 40..=79)),
        ("right edge", block(95..=124, 40..=79), block(95..=125, 40..=79)),
        ("top", block(30..=49, 8..=32), block(30..=49, 7..=31)),
        ("bottom", block(30..=49, 88..=112), block(30..=49, 89..=113)),
        ("far right", block(4..=24, 40..=79), block(3..=24, 40..=79)),
        ("far left", block(103..=123, 40..=79), block(103..=124, 40..=79)),
        (
            "border",
            block(30..=49, 1..=50).and(block(30..=33, 0..=0)),
            block(30..=49, 1..=50).and(block(30..=34, 0..=0)),
        ),
    ];
    let no_air = vec![false; CELLS];
    for (limit, within, beyond) in table {
        assert_eq!((is_lung_like(&within, &no_air), is_lung_like(&beyond, &no_air)), (true, false), "{limit}");
    }
    for (cells, expected) in [(16, true), (17, false)] {
        let mut near_air = no_air.clone();
        right().cells.iter().take(cells).for_each(|cell| near_air[*cell] = true);
        assert_eq!(is_lung_like(&right(), &near_air), expected, "{cells} cells near the air");
    }
}

#[test]
fn a_pair_lies_side_by_side_about_the_middle() {
    let block = Component::block;
    let table = [
        (
            "near",
            (block(43..=52, 40..=89), block(67..=76, 40..=89)),
            (block(43..=52, 40..=89), block(66..=75, 40..=89)),
        ),
        (
            "apart",
            (block(12..=31, 40..=89), block(96..=115, 40..=89)),
            (block(12..=31, 40..=89), block(97..=116, 40..=89)),
        ),
        (
            "left of the middle",
            (block(10..=29, 40..=89), block(58..=77, 40..=89)),
            (block(9..=28, 40..=89), block(57..=76, 40..=89)),
        ),
        (
            "right of the middle",
            (block(50..=69, 40..=89), block(98..=117, 40..=89)),
            (block(51..=70, 40..=89), block(99..=118, 40..=89)),
        ),
        (
            "across each other",
            (block(30..=69, 40..=89), block(64..=103, 40..=89)),
            (block(30..=69, 40..=89), block(63..=102, 40..=89)),
        ),
        ("heights", (right(), block(78..=97, 65..=114)), (right(), block(78..=97, 66..=115))),
        ("a short one beside", (right(), block(78..=97, 80..=99)), (right(), block(78..=97, 81..=100))),
        ("a small one", (right(), block(86..=88, 40..=89)), (right(), block(86..=88, 40..=88))),
    ];
    for (limit, (a, b), (c, d)) in table {
        assert_eq!((pair_score(&a, &b).is_some(), pair_score(&c, &d).is_some()), (true, false), "{limit}");
        assert_eq!(pair_score(&b, &a), None, "{limit}: the first is on the picture's left");
    }
}

#[test]
fn large_full_and_level_lungs_make_the_better_pair() {
    let left = || Component::block(78..=97, 40..=89);
    assert_eq!(pair_score(&right(), &left()), Some(2000.0));
    // Forty rows of sixty have both.
    let lower = pair_score(&right(), &Component::block(78..=97, 50..=99)).expect("a pair");
    assert!((lower - 2000.0 * (40.0_f64 / 60.0).sqrt()).abs() < 1e-9, "{lower}");
    // Half of its box is empty.
    let bow = Component::block(78..=87, 40..=89).and(Component::block(88..=97, 88..=89));
    let hollow = pair_score(&right(), &bow).expect("a pair");
    assert!((hollow - (1000.0 + 520.0 * 0.52_f64.sqrt())).abs() < 1e-9, "{hollow}");
}
