//! The processed picture: the film as it is, the outline of what was found, and the panel beneath it.

use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use xray_picture::draw::processed;
use xray_picture::phantom::{Kind, Patient, Phantom};
use xray_picture::picture::{Picture, Polarity, Rectangle};
use xray_picture::scorer::{Degenerate, Reading, score};
use xray_picture::verdict::Limits;

const DARK: [u8; 3] = [18, 20, 24];
const BAR: [u8; 3] = [60, 64, 72];
const PNEUMONIA: [u8; 3] = [214, 84, 66];
const UNSURE: [u8; 3] = [222, 165, 54];
const NORMAL: [u8; 3] = [86, 170, 112];

/// A processed picture, decoded again.
struct Drawn {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Drawn {
    fn of(picture: &Picture, score: &Result<Reading, Degenerate>) -> Self {
        let file = processed(picture, score, &Limits::default());
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().expect("a PNG");
        let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut bytes).expect("a picture");
        let pixels = bytes.as_chunks().0.to_vec();
        Self { width: info.width as usize, height: info.height as usize, pixels }
    }

    fn film(&self) -> usize {
        self.height - 232
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        self.pixels[y * self.width + x]
    }

    /// How many pixels in a row have this colour, beginning at x 24: the panel's bar.
    fn bar(&self, colour: [u8; 3]) -> usize {
        (24..324).filter(|x| self.at(*x, self.film() + 148) == colour).count()
    }

    fn digest(&self) -> String {
        let digest = Sha256::digest(self.pixels.as_flattened());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A film, what the scorer says of it, and the colour of its verdict.
struct Film {
    picture: Picture,
    reading: Reading,
    colour: [u8; 3],
}

impl Film {
    fn new(seed: u64, kind: Kind, colour: [u8; 3]) -> Self {
        let picture = Phantom::draw(seed, kind, 512).with_text(&Patient::of_seed(seed)).picture;
        let reading = score(&picture).expect("a phantom has lungs");
        Self { picture, reading, colour }
    }

    fn drawn(&self) -> Drawn {
        Drawn::of(&self.picture, &Ok(self.reading.clone()))
    }
}

/// Drawn once, since that is what takes time.
static FILMS: LazyLock<[Film; 3]> = LazyLock::new(|| {
    [
        Film::new(20_007, Kind::Sick, PNEUMONIA),
        Film::new(20_009, Kind::Borderline, UNSURE),
        Film::new(20_000, Kind::Healthy, NORMAL),
    ]
});

fn ramp(width: usize, height: usize) -> Picture {
    let samples = (0..width * height).map(|at| (at / width) as u16).collect();
    Picture::new((width, height), 12, Polarity::Monochrome2, samples).expect("as many samples as pixels")
}

#[test]
fn the_film_is_shown_whole_with_its_darkest_part_black() {
    let nothing = Err(Degenerate::NoLungs);
    for (size, film, left) in [((64, 64), 1024, 0), ((64, 128), 2048, 0), ((64, 512), 2048, 384), ((512, 64), 128, 0)] {
        let drawn = Drawn::of(&ramp(size.0, size.1), &nothing);
        assert_eq!((drawn.width, drawn.film()), (1024, film), "{size:?}");
        let shown = |x: usize| drawn.at(x, film / 2) != DARK;
        assert_eq!((0..1024).find(|x| shown(*x)), Some(left), "{size:?}");
        assert_eq!((0..1024).rfind(|x| shown(*x)), Some(1023 - left), "{size:?}");
        assert_eq!((drawn.at(512, 0), drawn.at(512, film - 1)), ([0; 3], [255; 3]), "{size:?}");
        let levels: Vec<u8> = (0..film).map(|y| drawn.at(512, y)[0]).collect();
        assert!(levels.is_sorted() && levels[film / 2].abs_diff(128) < 8, "{size:?}");
    }
}

#[test]
fn a_picture_of_a_few_pixels_and_a_blank_one_are_shown() {
    let nothing = Err(Degenerate::Small);
    for (polarity, levels) in [(Polarity::Monochrome2, [0, 128, 255]), (Polarity::Monochrome1, [255, 128, 0])] {
        let four = Picture::new((2, 2), 12, polarity, vec![1000, 1100, 1200, 1300]).expect("four samples");
        let drawn = Drawn::of(&four, &nothing);
        let corners = [drawn.at(0, 0), drawn.at(1023, 0), drawn.at(0, 1023)];
        assert_eq!(corners, levels.map(|level| [level; 3]), "{polarity:?}");
    }
    // What stands out of a blank film is seen, also where it is less than what the window leaves out.
    for (polarity, bright) in [(Polarity::Monochrome2, 4095), (Polarity::Monochrome1, 9)] {
        let spot = |at: usize| if at == 64 * 32 + 32 { bright } else { 1000 };
        let film = Picture::new((64, 64), 12, polarity, (0..64 * 64).map(spot).collect());
        let drawn = Drawn::of(&film.expect("as many samples as pixels"), &nothing);
        assert_eq!((drawn.at(9, 9), drawn.at(520, 520)), ([0; 3], [255; 3]), "{polarity:?}");
    }
}

#[test]
fn an_inverted_film_is_shown_the_right_way_round() {
    let [_, film, _] = &*FILMS;
    let inverted = film.picture.samples().iter().map(|sample| 4095 - sample).collect();
    let inverted = Picture::new((512, 512), 12, Polarity::Monochrome1, inverted).expect("as many samples");
    let (one, other) = (film.drawn(), Drawn::of(&inverted, &Ok(film.reading.clone())));
    let difference = one.pixels.iter().zip(&other.pixels).map(|(one, other)| one[0].abs_diff(other[0])).max();
    assert!(difference < Some(3), "{difference:?}");
}

#[test]
fn what_was_found_is_outlined_and_nothing_else_is_drawn_over_the_film() {
    for film in &*FILMS {
        let (drawn, colour) = (film.drawn(), film.colour);
        let Some((patch, _)) = film.reading.patch else {
            let is_grey = |[red, green, blue]: &[u8; 3]| red == green && green == blue;
            assert!(drawn.pixels[..1024 * 1024].iter().all(is_grey), "a normal film is left as it is");
            continue;
        };
        // Eight pixels around it, in a line of three.
        let (x0, y0, x1, y1) = (2 * patch.x0 - 8, 2 * patch.y0 - 8, 2 * patch.x1 + 8, 2 * patch.y1 + 8);
        let middle = (x0.midpoint(x1), y0.midpoint(y1));
        for depth in 0..3 {
            for (x, y) in [
                (x0 - 1 - depth, middle.1),
                (x1 + depth, middle.1),
                (middle.0, y0 - 1 - depth),
                (middle.0, y1 + depth),
                (x0 - 1 - depth, y0 - 1),
                (x1 + depth, y1),
            ] {
                assert_eq!(drawn.at(x, y), colour, "{x} {y}");
            }
        }
        let inside = (y0..y1).flat_map(|y| (x0..x1).map(move |x| (x, y)));
        assert_eq!(inside.filter(|(x, y)| drawn.at(*x, *y) == colour).count(), 0, "what was found can be seen");
    }
}

#[test]
fn an_outline_at_the_edge_stays_on_the_film_and_its_words_outside_of_it() {
    // The film has the middle quarter of the canvas: columns 384 to 640, four to a pixel.
    let [sick, ..] = &*FILMS;
    let (picture, (_, zone)) = (ramp(64, 512), sick.reading.patch.expect("it is sick"));
    for (x0, y0) in [(0, 0), (0, 472), (56, 0), (56, 472)] {
        let (x1, y1) = (x0 + 8, y0 + 40);
        let patch = Some((Rectangle { x0, y0, x1, y1 }, zone));
        let drawn = Drawn::of(&picture, &Ok(Reading { patch, ..sick.reading.clone() }));
        let (left, top, right, bottom) = (384 + 4 * x0, 4 * y0, 384 + 4 * x1, 4 * y1);

        let across: Vec<usize> = (0..1024).filter(|x| drawn.at(*x, top + 80) == PNEUMONIA).collect();
        let lines = if x0 == 0 { [384, right + 8] } else { [left - 11, 637] };
        assert_eq!(across, lines.map(|line| [line, line + 1, line + 2]).concat(), "three pixels on each side");
        let middle = left.midpoint(right);
        let down: Vec<usize> = (0..2048).filter(|y| drawn.at(middle, *y) == PNEUMONIA).collect();
        let lines = if y0 == 0 { [0, bottom + 8] } else { [top - 11, 2045] };
        assert!(lines.iter().all(|line| (*line..line + 3).all(|y| down.contains(&y))), "{down:?}");

        // The words have a ground of their own, of which none is over the patch, and which is near.
        let is_ground = |y: &usize| (384..640).any(|x| drawn.at(x, *y) == DARK);
        let ground: Vec<usize> = (0..2048).filter(is_ground).collect();
        let beside = if y0 == 0 { bottom + 14 } else { top - 44 };
        assert_eq!(ground, (beside..beside + 30).collect::<Vec<_>>(), "{x0} {y0}");
    }
}

#[test]
fn the_bar_is_as_long_as_the_risk() {
    for film in &*FILMS {
        let (drawn, risk) = (film.drawn(), film.reading.risk);
        // The marks of the two limits are three pixels wide and lie over it.
        let marks = [0.60, 0.80].into_iter().filter(|limit| *limit < risk).count();
        assert_eq!(drawn.bar(film.colour), (300.0 * risk).round() as usize - 3 * marks, "{risk}");
        assert_eq!(drawn.bar(film.colour) + drawn.bar(BAR), 294, "{risk}");
    }
    let drawn = Drawn::of(&ramp(64, 64), &Err(Degenerate::NoLungs));
    assert_eq!((drawn.bar(BAR), drawn.bar(UNSURE)), (294, 0), "no risk, no bar");
}

/// Digests of whole pictures: whoever changes what is drawn looks at the pictures before these are changed.
#[test]
fn a_score_is_the_same_picture_everywhere() {
    let [sick, unsure, healthy] = &*FILMS;
    let noted = Reading { note: Some("a note"), ..unsure.reading.clone() };
    let patch = |(_, zone)| (Rectangle { x0: 500, y0: 0, x1: 512, y1: 512 }, zone);
    let at_the_edge = Reading { patch: sick.reading.patch.map(patch), ..sick.reading.clone() };
    let digests = [
        sick.drawn(),
        unsure.drawn(),
        healthy.drawn(),
        Drawn::of(&unsure.picture, &Ok(noted)),
        Drawn::of(&sick.picture, &Ok(at_the_edge)),
        Drawn::of(&ramp(64, 512), &Err(Degenerate::NoContrast)),
    ]
    .map(|drawn| drawn.digest());
    assert_eq!(
        digests,
        [
            "6b719b9e32f4d480",
            "7b09caf1fdc24c16",
            "8283ba785a16202c",
            "1df865735fcef493",
            "e6b732d842b3b9df",
            "24ed7cab8ff73150"
        ]
    );
}
