//! The scorer against the numbers of the prototype that its limits were measured with, and on pictures it must not score.

use std::ops::RangeInclusive;
use xray_picture::phantom::{Kind, Patient, Phantom};
use xray_picture::picture::{Picture, Polarity, Rectangle};
use xray_picture::scorer::Feature::{self, Asymmetry, Detail, Haze, Opacity, Patch};
use xray_picture::scorer::{Degenerate, Reading, score};
use xray_picture::verdict::Limits;

fn film(seed: u64, kind: Kind, size: usize) -> Picture {
    Phantom::draw(seed, kind, size).with_text(&Patient::of_seed(seed)).picture
}

/// What the prototype says of one phantom's samples.
struct Golden {
    film: (u64, Kind, usize),
    risk: f64,
    level: i32,
    patch: Option<([usize; 4], &'static str)>,
    contrast: f64,
    features: [(Feature, f64); 5],
}

const GOLDEN: [Golden; 6] = [
    Golden {
        film: (2, Kind::Sick, 1024),
        risk: 0.9768043002513784,
        level: -8,
        patch: Some(([648, 256, 864, 696], "left middle")),
        contrast: 0.6466886124266034,
        features: [
            (Patch, 0.34106583072100316),
            (Opacity, 0.34106583072100316),
            (Asymmetry, 0.547408943845731),
            (Haze, 0.25717145300160904),
            (Detail, 0.1836054015747537),
        ],
    },
    Golden {
        film: (20_000, Kind::Healthy, 512),
        risk: 0.18242552380635635,
        level: -4,
        patch: None,
        contrast: 0.6170081931165896,
        features: [
            (Patch, 0.0),
            (Opacity, 0.0),
            (Asymmetry, 0.02624172778645051),
            (Haze, 0.06884357059195767),
            (Detail, 0.09624967351134006),
        ],
    },
    Golden {
        film: (20_007, Kind::Sick, 512),
        risk: 0.9637313069739477,
        level: -11,
        patch: Some(([104, 232, 184, 364], "right lower")),
        contrast: 0.5170790738084907,
        features: [
            (Patch, 0.18946824987093444),
            (Opacity, 0.33608673205988643),
            (Asymmetry, 0.05605303284561214),
            (Haze, 0.32845372340615875),
            (Detail, 0.2307595073954185),
        ],
    },
    Golden {
        film: (20_008, Kind::Sick, 512),
        risk: 0.9651947907866781,
        level: -8,
        patch: Some(([136, 152, 216, 252], "right lower")),
        contrast: 0.5410750817005624,
        features: [
            (Patch, 0.23485784919653893),
            (Opacity, 0.3399258343634116),
            (Asymmetry, 0.16082107474096236),
            (Haze, 0.29938059656894594),
            (Detail, 0.3991207766202114),
        ],
    },
    Golden {
        film: (20_009, Kind::Borderline, 512),
        risk: 0.677552997519118,
        level: -9,
        patch: Some(([320, 120, 380, 184], "left upper")),
        contrast: 0.609104524685349,
        features: [
            (Patch, 0.06056782334384858),
            (Opacity, 0.06056782334384858),
            (Asymmetry, 0.26861518114570543),
            (Haze, 0.12507657963086785),
            (Detail, 0.11517899875975202),
        ],
    },
    Golden {
        film: (20_017, Kind::Sick, 512),
        risk: 0.9845089545654092,
        level: -9,
        patch: Some(([104, 112, 204, 340], "right middle")),
        contrast: 0.6088833016457557,
        features: [
            (Patch, 0.46586102719033234),
            (Opacity, 0.46586102719033234),
            (Asymmetry, 0.5725268007413855),
            (Haze, 0.34168765512526694),
            (Detail, 0.37057450059869323),
        ],
    },
];

#[test]
fn agrees_with_the_prototype() {
    for expected in GOLDEN {
        let (seed, kind, size) = expected.film;
        let reading = score(&film(seed, kind, size)).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(reading.risk, expected.risk), "{seed}: risk {}", reading.risk);
        assert!(near(reading.contrast, expected.contrast), "{seed}: contrast {}", reading.contrast);
        assert_eq!(reading.level, expected.level, "{seed}");
        for (feature, value) in expected.features {
            assert!(near(value_of(&reading, feature), value), "{seed}: {feature:?} {}", value_of(&reading, feature));
        }
        let patch = reading.patch.map(|(area, zone)| ([area.x0, area.y0, area.x1, area.y1], zone.to_string()));
        assert_eq!(patch, expected.patch.map(|(area, zone)| (area, zone.to_owned())), "{seed}");
    }
}

fn value_of(reading: &Reading, feature: Feature) -> f64 {
    reading.measures.iter().find(|measure| measure.name == feature).expect("every feature is measured").value
}

fn drawn(width: usize, height: usize, sample: impl Fn(usize, usize) -> u16) -> Picture {
    let samples = (0..width * height).map(|at| sample(at % width, at / width)).collect();
    Picture::new((width, height), 12, Polarity::Monochrome2, samples).expect("as many samples as pixels")
}

/// Columns and rows of the scorer's 128 x 128 cells.
type Cells = (RangeInclusive<usize>, RangeInclusive<usize>);

/// A film of 512 pixels that is the same in the mirror: bright, with a dark lung in these columns of the right half, and with
/// other dark places.
fn chest(x: usize, y: usize, lung: RangeInclusive<usize>, dark: &[Cells]) -> u16 {
    let (x, y) = (x / 4, y / 4);
    let is_lung = lung.contains(&x.min(127 - x)) && (24..=96).contains(&y);
    let is_dark = dark.iter().any(|(columns, rows)| columns.contains(&x) && rows.contains(&y));
    if is_lung || is_dark { 900 } else { 2800 }
}

#[test]
fn gives_no_risk_for_what_is_no_chest() {
    let faint = |x: usize, y: usize| if (x, y) == (5, 5) { 4095 } else { 1000 + (x % 20) as u16 };
    let noise = |x: usize, y: usize| ((x * 7919 + y * 104_729).wrapping_mul(2_654_435_761) >> 7) as u16 % 4096;
    let table = [
        ("63 x 500", drawn(63, 500, noise), Degenerate::Small),
        ("1 x 1", drawn(1, 1, noise), Degenerate::Small),
        ("blank", drawn(200, 200, |_, _| 1000), Degenerate::Blank),
        ("one bright pixel", drawn(200, 200, |x, y| if (x, y) == (5, 5) { 4095 } else { 9 }), Degenerate::Blank),
        ("ramp", drawn(256, 256, |x, _| x as u16 * 16), Degenerate::NoLungs),
        ("stripes", drawn(256, 256, |x, _| if x % 16 < 8 { 0 } else { 4000 }), Degenerate::NoLungs),
        ("noise", drawn(256, 256, noise), Degenerate::NoLungs),
        ("faint beside one bright pixel", drawn(200, 200, faint), Degenerate::Blank),
        ("narrow lungs", drawn(512, 512, |x, y| chest(x, y, 50..=59, &[])), Degenerate::SmallLungs),
        (
            "lungs around a gap",
            drawn(512, 512, |x, y| chest(x, y, 20..=46, &[(56..=71, 10..=110)])),
            Degenerate::NoContrast,
        ),
    ];
    for (name, picture, expected) in table {
        assert_eq!(score(&picture), Err(expected), "{name}");
        assert_eq!(Limits::default().judge(None).word(), "unsure");
    }
}

#[test]
fn any_shape_of_picture_is_answered() {
    for (width, height) in [(64, 64), (64, 100), (127, 128), (65, 3000), (3000, 65), (129, 131)] {
        let whole = film(20_007, Kind::Sick, 512);
        let at = |x: usize, y: usize| whole.samples()[y * 512 / height * 512 + x * 512 / width];
        // It need not find lungs, it must not fail.
        assert_ne!(score(&drawn(width, height, at)), Err(Degenerate::Small), "{width} x {height}");
    }
}

#[test]
fn inverting_and_fewer_bits_change_nothing_that_matters() {
    for (seed, kind) in [(20_000, Kind::Healthy), (20_007, Kind::Sick), (20_009, Kind::Borderline)] {
        let whole = film(seed, kind, 512);
        let risk = score(&whole).unwrap().risk;
        let inverted = whole.samples().iter().map(|sample| 4095 - sample).collect();
        let inverted = Picture::new((512, 512), 12, Polarity::Monochrome1, inverted).unwrap();
        assert!((score(&inverted).unwrap().risk - risk).abs() < 5e-4);
        let coarse = whole.samples().iter().map(|sample| sample >> 4).collect();
        let coarse = Picture::new((512, 512), 8, Polarity::Monochrome2, coarse).unwrap();
        assert!((score(&coarse).unwrap().risk - risk).abs() < 5e-4);
        let mut covered = whole.clone();
        covered.fill(Rectangle { x0: 0, y0: 448, x1: 226, y1: 512 }, 0);
        let change = (score(&covered).unwrap().risk - risk).abs();
        assert!(change <= 0.012, "{seed}: covering the text changes the risk by {change}");
    }
}

#[test]
fn of_patches_of_one_size_the_first_is_shown() {
    let patched = |columns: &[RangeInclusive<usize>]| {
        let is_patch = |x, y| columns.iter().any(|columns| columns.contains(&x)) && (54..=70).contains(&y);
        let sample = |x, y| if is_patch(x / 4, y / 4) { 2700 } else { chest(x, y, 20..=46, &[]) };
        score(&drawn(512, 512, sample)).unwrap()
    };
    let lungs = [31..=36, 91..=96];
    let zone = |reading: &Reading| reading.patch.map(|(_, zone)| zone.to_string());
    let (one, other, both) = (patched(&lungs[..1]), patched(&lungs[1..]), patched(&lungs));
    assert_eq!(value_of(&one, Patch), value_of(&other, Patch), "they are of one size");
    assert_eq!([&one, &other].map(zone), ["right middle", "left middle"].map(|zone| Some(zone.to_owned())));
    assert_eq!(both.patch, one.patch, "read as a page");
}

#[test]
fn a_patch_that_is_too_small_to_show_is_measured() {
    let reading = score(&film(20_156, Kind::Healthy, 512)).unwrap();
    let patch = value_of(&reading, Patch);
    assert!(patch > 0.0 && patch < 0.012, "{patch}");
    assert_eq!(reading.patch, None);
}

#[test]
fn one_lung_is_scored_and_that_is_noted() {
    let both = score(&drawn(512, 512, |x, y| chest(x, y, 20..=46, &[]))).unwrap();
    assert_eq!(both.note, None);
    for is_hidden in [|x: usize| x < 256, |x: usize| x >= 256] {
        let sample = |x, y| if is_hidden(x) { 2800 } else { chest(x, y, 20..=46, &[]) };
        let reading = score(&drawn(512, 512, sample)).unwrap();
        assert_eq!(reading.note, Some("only one lung field found"));
        assert!(value_of(&reading, Opacity) > 0.4, "what is hidden is dense: {reading:?}");
        // One that is short may be anything.
        let short = |x, y| if (44..=72).contains(&(y / 4)) { sample(x, y) } else { 2800 };
        assert_eq!(score(&drawn(512, 512, short)), Err(Degenerate::NoLungs));
    }
}

#[test]
fn brightness_is_relative() {
    let whole = film(20_007, Kind::Sick, 512);
    let [dark, bright] = [0, 50_000].map(|offset| {
        let samples = whole.samples().iter().map(|sample| sample / 16 + offset).collect();
        score(&Picture::new((512, 512), 16, Polarity::Monochrome2, samples).unwrap()).unwrap()
    });
    assert!((dark.risk - bright.risk).abs() < 1e-6, "{} and {}", dark.risk, bright.risk);
}

#[test]
fn a_pixel_of_a_small_film_stands_for_several_cells() {
    let whole = film(20_007, Kind::Sick, 512);
    let small =
        |times: usize| drawn(64 * times, 64 * times, |x, y| whole.samples()[y / times * 8 * 512 + x / times * 8]);
    let (one, two) = (score(&small(1)).unwrap(), score(&small(2)).unwrap());
    assert_eq!((one.risk, one.measures, one.level), (two.risk, two.measures, two.level));
}
