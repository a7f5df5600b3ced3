//! Synthetic chest films: no real person, every number follows from the seed.
//!
//! Opacity sizes were chosen so that the scorer's verdicts come out: phantoms prove the plumbing, not medicine.

mod anatomy;
mod patient;
mod scene;
mod vessels;

pub use patient::Patient;

use crate::dicom::{self, Attribute};
use crate::picture::{Picture, Polarity, Rectangle};
use crate::random::lattice;
use crate::text;

/// Sides, in pixels, that can be drawn.
pub const SIZES: std::ops::RangeInclusive<usize> = 512..=2048;
/// The scene is drawn on at most this grid and then magnified: larger films carry no finer anatomy.
const GRID_MAX: usize = 1024;
/// The film's bits per sample.
const BITS: u16 = 12;
/// The sample of the burnt-in text.
const INK: f64 = 4000.0;
/// Says who made a phantom; the rules of the anonymiser know films by it.
pub const MANUFACTURER: &str = "fnctl phantom";

/// What a phantom shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Clear lungs.
    Healthy,
    /// One faint patch.
    Borderline,
    /// One or two dense lobes, or many dense patches.
    Sick,
}

impl Kind {
    /// The kind by its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Healthy, Self::Borderline, Self::Sick].into_iter().find(|kind| kind.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Borderline => "borderline",
            Self::Sick => "sick",
        }
    }

    /// The kind of the picture with this index in a series: of ten, seven are healthy, two sick and one borderline.
    pub fn of_index(index: u64) -> Self {
        match index % 10 {
            9 => Self::Borderline,
            7 | 8 => Self::Sick,
            _ => Self::Healthy,
        }
    }

    fn stream(self) -> u64 {
        match self {
            Self::Healthy => 0,
            Self::Borderline => 1,
            Self::Sick => 2,
        }
    }
}

/// An opacity that was drawn: the truth about a phantom, in parts of its width and height.
#[derive(Clone, Debug, PartialEq)]
pub struct Opacity {
    /// Where, in words.
    pub name: &'static str,
    /// Its centre.
    pub centre: (f64, f64),
    /// Its half axes.
    pub radius: (f64, f64),
}

/// A phantom: its film and the truth about it.
#[derive(Clone, Debug)]
pub struct Phantom {
    /// The film.
    pub picture: Picture,
    /// What was drawn into the lungs.
    pub opacities: Vec<Opacity>,
    seed: u64,
    kind: Kind,
}

impl Phantom {
    /// Draws a phantom without text. The size is held within [`SIZES`].
    pub fn draw(seed: u64, kind: Kind, size: usize) -> Self {
        let size = size.clamp(*SIZES.start(), *SIZES.end());
        let grid = size.min(GRID_MAX);
        let scene = scene::Scene::draw(seed, kind, grid);
        let density = if size == grid {
            scene.density
        } else {
            let narrow: Vec<f32> = scene.density.iter().map(|density| *density as f32).collect();
            crate::resample::resample(&narrow, (grid, grid), (size, size)).into_iter().map(f64::from).collect()
        };
        let samples = density.iter().enumerate().map(|(at, density)| {
            let (x, y) = ((at % size) as i32, (at / size) as i32);
            let grain: f64 = (0..3).map(|layer| lattice(x, y, scene.key + 90 + layer)).sum::<f64>() - 1.5;
            let grained = density + 0.016 * grain * (0.4 + 0.6 * density);
            libm::rint(48.0 + grained * 3900.0).clamp(0.0, 4095.0) as u16
        });
        let samples: Vec<u16> = samples.collect();
        let picture = Picture::new((size, size), BITS, Polarity::Monochrome2, samples)
            .expect("as many samples as the square has pixels");
        Self { picture, opacities: scene.opacities, seed, kind }
    }

    /// Burns a patient's text into the film, inside [`text_area`].
    #[must_use]
    pub fn with_text(mut self, patient: &Patient) -> Self {
        let size = self.picture.width();
        let area = text_area(size, size);
        let pitch = (area.y1 - area.y0) as f64 / 4.25;
        let left = (size as f64 * 0.012) as usize;
        for (index, words) in patient.lines().iter().enumerate() {
            let top = area.y0 + (index as f64 * pitch) as usize;
            let line = text::Line::new(words, (pitch * 0.95) as usize);
            for (x, y, ink) in line.ink() {
                let (x, y) = (left + x, top + y);
                assert!(x < area.x1 && (area.y0..area.y1).contains(&y), "text stays inside its area");
                let (under, ink) = (f64::from(self.picture.samples()[y * size + x]), f64::from(ink));
                self.picture.set(x, y, libm::rint(under * (1.0 - ink) + INK * ink) as u16);
            }
        }
        self
    }

    /// The film as a DICOM file, with this patient in its tags.
    pub fn to_dicom(&self, patient: &Patient) -> Vec<u8> {
        let uid = |part: u64| {
            format!("2.25.{}", (u128::from(self.seed) << 16) + (u128::from(self.kind.stream()) << 8) + u128::from(part))
        };
        let mut file = dicom::Writer::default();
        file.text(Attribute::StudyDate, &patient.exam.replace('-', ""))
            .text(Attribute::AccessionNumber, &patient.accession)
            .text(Attribute::Modality, "CR")
            .text(Attribute::Manufacturer, MANUFACTURER)
            .text(Attribute::PatientName, &patient.name)
            .text(Attribute::PatientID, &patient.id)
            .text(Attribute::PatientBirthDate, &patient.birth.replace('-', ""))
            .text(Attribute::PatientSex, patient.sex)
            .text(Attribute::BodyPartExamined, "CHEST")
            .text(Attribute::ViewPosition, "PA")
            .text(Attribute::StudyInstanceUID, &uid(1))
            .text(Attribute::SeriesInstanceUID, &uid(2))
            .text(Attribute::ImageComments, "synthetic phantom, fictitious patient")
            .text(Attribute::BurnedInAnnotation, "YES");
        file.finish(dicom::COMPUTED_RADIOGRAPHY, &uid(3), &self.picture)
    }
}

/// Where the burnt-in text of a phantom of this size may be.
pub fn text_area(width: usize, height: usize) -> Rectangle {
    let x1 = (width as f64 * 0.44).ceil() as usize;
    let y0 = height - (height as f64 * 0.125).ceil() as usize;
    Rectangle { x0: 0, y0, x1, y1: height }
}
