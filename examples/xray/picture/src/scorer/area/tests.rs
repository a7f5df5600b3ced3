//! The measured area around lungs that are blocks of cells: where it lies is calculated by hand.

use super::{Area, BANDS, Side};
use crate::grid::{CELLS, Component, SIDE};
use crate::lungs::Lungs;

fn both(right: Component, left: Component) -> Option<Area> {
    Area::around(&Lungs::Both { right, left })
}

/// Right lung 30 to 55, left lung 72 to 97: the midline is 63.5, and each reaches 33.5 cells from it.
fn even() -> Area {
    both(Component::block(30..=55, 20..=80), Component::block(72..=97, 20..=80)).expect("lungs that are large enough")
}

/// The columns and rows that the two sides span together: first and last.
fn span(area: &Area) -> [f64; 4] {
    let frame = &area.frame;
    [frame.middle - frame.right_width, frame.middle + frame.left_width, frame.top, frame.bottom]
}

#[test]
fn a_side_that_is_much_narrower_takes_the_width_of_the_other() {
    // The midline is 64, and the left lung reaches 40 cells from it.
    for (first, right) in [(24, 24.0), (30, 30.0), (31, 24.0), (40, 24.0)] {
        let area =
            both(Component::block(first..=55, 20..=80), Component::block(73..=104, 20..=80)).expect("large enough");
        assert_eq!(span(&area), [right, 104.0, 20.0, 80.0], "from {first}");
    }
    let area = both(Component::block(24..=55, 20..=80), Component::block(73..=90, 20..=80)).expect("large enough");
    assert_eq!(span(&area), [24.0, 104.0, 20.0, 80.0], "the other side likewise");
}

#[test]
fn a_side_that_is_cut_short_takes_the_height_of_the_other() {
    // The common height is 60 cells; 9 of them may be missing.
    for (rows, top, bottom) in [(29..=80, 29, 80), (30..=80, 20, 80), (20..=71, 20, 71), (20..=70, 20, 80)] {
        let area =
            both(Component::block(30..=55, 20..=80), Component::block(72..=97, rows.clone())).expect("large enough");
        let height = |row: usize, column: usize| area.frame.place(row * SIDE + column).1;
        assert_eq!((height(top, 90), height(bottom, 90)), (0.0, 1.0), "{rows:?}");
        assert_eq!((height(20, 40), height(80, 40)), (0.0, 1.0), "the whole side is as it was");
    }
}

#[test]
fn the_midline_lies_in_the_gap_and_not_far_from_the_middle_of_the_box() {
    // The heart pushes the gap of the lower part aside: it is not looked at.
    let with_heart = Component::block(72..=97, 20..=49).and(Component::block(86..=97, 50..=80));
    for (right, left, middle) in [
        (Component::block(30..=55, 20..=80), with_heart, 63.5),
        (Component::block(30..=69, 20..=80), Component::block(76..=97, 20..=80), 71.5),
        (Component::block(30..=50, 20..=80), Component::block(57..=97, 20..=80), 55.5),
        // Five rows of the upper part must have both.
        (Component::block(30..=69, 20..=46), Component::block(76..=97, 40..=80), 71.5),
        (Component::block(30..=69, 20..=46), Component::block(76..=97, 41..=80), 63.5),
    ] {
        let area = both(right, left).expect("large enough");
        assert_eq!(area.frame.middle, middle);
    }
}

#[test]
fn one_lung_stands_for_both_and_that_is_noted() {
    for one in [Lungs::Right(Component::block(30..=55, 20..=80)), Lungs::Left(Component::block(72..=97, 20..=80))] {
        let area = Area::around(&one).expect("large enough");
        assert_eq!(span(&area), span(&even()));
        assert_eq!((area.note, even().note), (Some("only one lung field found"), None));
        let count = |side| (0..CELLS).filter(|cell| area.inside(*cell) == Some(side)).count();
        assert!(count(Side::Right) > 100 && count(Side::Left) > 100, "both sides are measured");
    }
}

#[test]
fn lungs_that_are_too_small_are_not_measured() {
    // The midline is 64: a side needs 20 cells, and the box a height of 30.
    for (first, last, rows, is_measured) in [
        (44, 84, 20..=50, true),
        (45, 84, 20..=50, false),
        (44, 83, 20..=50, false),
        (44, 84, 20..=49, false),
        (45, 83, 20..=49, false),
    ] {
        let area = both(Component::block(first..=55, rows.clone()), Component::block(73..=last, rows.clone()));
        assert_eq!(area.is_some(), is_measured, "{first} to {last}, {rows:?}");
    }
    assert!(Area::around(&Lungs::Right(Component::block(44..=55, 20..=80))).is_none());
    assert!(Area::around(&Lungs::Left(Component::block(72..=83, 20..=80))).is_none());
}

#[test]
fn what_is_found_is_named_by_side_and_third() {
    // Fifty rows from 20: the middle third begins at 36, the lower one at 48.
    let area = both(Component::block(30..=55, 20..=70), Component::block(72..=97, 20..=70)).expect("large enough");
    for (column, row, name) in [
        (45, 25, "right upper"),
        (45, 35, "right upper"),
        (45, 36, "right middle"),
        (82, 47, "left middle"),
        (82, 48, "left lower"),
        (82, 65, "left lower"),
    ] {
        assert_eq!(area.zone(&Component::block(column..=column, row..=row)).to_string(), name);
    }
}

#[test]
fn the_measured_area_is_inside_the_lungs_and_the_mediastinum_between_them() {
    let area = even();
    let place = |cell: usize| (cell % SIDE, cell / SIDE);
    for cell in 0..CELLS {
        let (x, y) = place(cell);
        match area.inside(cell) {
            Some(Side::Right) => assert!((30..64).contains(&x) && (20..=80).contains(&y), "{x} {y}"),
            Some(Side::Left) => assert!((64..=97).contains(&x) && (20..=80).contains(&y), "{x} {y}"),
            None => {}
        }
        assert!(!area.is_mediastinum(cell) || (area.inside(cell).is_none() && (57..=70).contains(&x)), "{x} {y}");
        let bands = BANDS.iter().filter(|band| area.is_in(cell, Side::Right, band)).count();
        assert!(bands <= usize::from(area.inside(cell) == Some(Side::Right)), "a cell is in one band of its side");
    }
    assert_eq!(area.cells(), (0..CELLS).filter(|cell| area.inside(*cell).is_some()).count());
}
