use super::{Picture, Polarity};

#[test]
fn what_is_outside_is_not_set() {
    let mut picture = Picture::new((3, 2), 12, Polarity::Monochrome2, vec![0; 6]).expect("six samples");
    for (x, y) in [(3, 0), (0, 2), (3, 2), (9, 9)] {
        picture.set(x, y, 7);
    }
    assert_eq!(picture.samples(), [0; 6]);
    picture.set(2, 1, 7);
    assert_eq!(picture.samples(), [0, 0, 0, 0, 0, 7]);
}

#[test]
fn the_ends_of_the_scale_follow_the_polarity() {
    for (polarity, black, white) in [(Polarity::Monochrome2, 0, 4095), (Polarity::Monochrome1, 4095, 0)] {
        let picture = Picture::new((1, 1), 12, polarity, vec![0]).expect("one sample");
        assert_eq!((picture.black(), picture.white()), (black, white), "{polarity:?}");
    }
}
