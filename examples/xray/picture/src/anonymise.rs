//! A copy for research: what the rules name is covered, the rest of the file is written anew from an allow list.
//!
//! Nothing is copied because it was not thought of. The copy is pseudonymous: the holder of the key can link it. It is not
//! conformant to PS3.15, and not anonymous in the sense of HIPAA or the GDPR: text outside of the rules' rectangles is not
//! found, nor are faces, jewellery, or what the anatomy itself tells.

mod dates;

use crate::decode::{Decoded, Format};
use crate::dicom::{self, Attribute, Elements};
use crate::draw::encode_grey;
use crate::keyed::{Key, Use};
use crate::names::Object;
use crate::picture::{Picture, Rectangle};
use crate::rules::Rules;
use crate::text;

/// What says in the copy how it was made.
const METHOD: &str = "fnctl xray-1, PS3.15 subset";
/// Attributes whose dates go back by the patient's number of days.
const DATES: [Attribute; 4] =
    [Attribute::StudyDate, Attribute::SeriesDate, Attribute::AcquisitionDate, Attribute::ContentDate];
/// Attributes whose UIDs are replaced.
const UIDS: [Attribute; 3] =
    [Attribute::StudyInstanceUID, Attribute::SeriesInstanceUID, Attribute::FrameOfReferenceUID];
/// Attributes that are kept if they are code strings.
const CODES: [Attribute; 3] = [Attribute::Modality, Attribute::BodyPartExamined, Attribute::ViewPosition];

/// Whether the patient's new number is written into the covered rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// `PATIENT NO. <number>`.
    Number,
    /// Nothing: every pixel of the rectangle has one value.
    None,
}

/// How copies are made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The secret under which numbers, UIDs and dates are replaced.
    pub key: Key,
    /// Where text is.
    pub rules: Rules,
    /// What stands there afterwards.
    pub label: Label,
}

/// A copy without what names the patient.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The patient's new number.
    pub number: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// The ending of its name: DICOM stays DICOM, all else becomes PNG, which loses nothing a second time.
    pub extension: &'static str,
}

/// No copy is made: nobody said where the text is, and we do not guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no rule says where text about the patient is, and the picture does not say that it has none")]
pub struct NoRule;

/// Makes a copy of a picture. The same input under the same key gives the same bytes.
///
/// # Errors
/// When no rule is for the picture and its BurnedInAnnotation is not `NO`.
pub fn anonymise(decoded: &Decoded<'_>, object: &Object, settings: &Settings) -> Result<Copy, NoRule> {
    let elements = decoded.elements.as_ref();
    let text = |attribute| elements.and_then(|elements| elements.text(attribute));
    let manufacturer = text(Attribute::Manufacturer);
    let areas = match settings.rules.areas(&decoded.picture, decoded.format, manufacturer.as_deref()) {
        Some(areas) => areas,
        None if text(Attribute::BurnedInAnnotation).as_deref() == Some("NO") => Vec::new(),
        None => return Err(NoRule),
    };
    let patient = elements.and_then(Patient::of);
    let number = match &patient {
        Some(patient) => settings.key.number(&patient.parts()),
        None => object.unknown_patient(&settings.key),
    };
    let mut picture = decoded.picture.clone();
    cover(&mut picture, &areas);
    if settings.label == Label::Number {
        label(&mut picture, &areas, &number);
    }
    let (bytes, extension) = match elements {
        Some(elements) => {
            (file(elements, &picture, &number, patient.as_ref(), &settings.key), Format::Dicom.extension())
        }
        None => (encode_grey(&picture), Format::Png.extension()),
    };
    Ok(Copy { number, bytes, extension })
}

/// Covers the rectangles with black, so that nothing of what was there can be got back.
pub fn cover(picture: &mut Picture, areas: &[Rectangle]) {
    let black = picture.black();
    areas.iter().for_each(|area| picture.fill(*area, black));
}

/// Writes the number into the first rectangle that it fits into, in white without shades.
fn label(picture: &mut Picture, areas: &[Rectangle], number: &str) {
    const HEIGHT_MIN: usize = 8;
    let words = format!("PATIENT NO. {number}");
    let white = picture.white();
    for area in areas {
        let (width, height) = (area.x1 - area.x0, area.y1 - area.y0);
        let (mut tall, margin) = (height / 3, height / 10);
        while tall >= HEIGHT_MIN && text::width(&words, tall) + 2 * margin > width {
            tall -= 1;
        }
        if tall < HEIGHT_MIN {
            continue;
        }
        for (x, y, ink) in text::Line::new(&words, tall).ink() {
            if ink > 0.5 {
                picture.set(area.x0 + margin + x, area.y0 + margin + y, white);
            }
        }
        return;
    }
}

/// Whose film it is.
struct Patient {
    issuer: String,
    id: String,
}

impl Patient {
    fn of(elements: &Elements<'_>) -> Option<Self> {
        let id = elements.text(Attribute::PatientID)?.into_owned();
        let issuer = elements.text(Attribute::IssuerOfPatientID).unwrap_or_default().into_owned();
        Some(Self { issuer, id })
    }

    fn parts(&self) -> [&str; 2] {
        [&self.issuer, &self.id]
    }
}

fn file(elements: &Elements<'_>, picture: &Picture, number: &str, patient: Option<&Patient>, key: &Key) -> Vec<u8> {
    let mut file = dicom::Writer::default();
    for attribute in CODES {
        if let Some(code) = elements.text(attribute).filter(|value| is_code(value)) {
            file.text(attribute, &code);
        }
    }
    for attribute in [Attribute::WindowCenter, Attribute::WindowWidth] {
        if let Some(value) = elements.text(attribute).filter(|value| is_decimal(value)) {
            file.text(attribute, &value);
        }
    }
    for attribute in UIDS {
        if let Some(uid) = elements.text(attribute) {
            file.text(attribute, &key.uid(&uid));
        }
    }
    let days = patient.map_or_else(|| key.days(&[number]), |patient| key.days(&patient.parts()));
    for attribute in DATES {
        if let Some(date) = elements.text(attribute).and_then(|date| dates::back(&date, days)) {
            file.text(attribute, &date);
        }
    }
    if let Some(study) = elements.text(Attribute::StudyID) {
        file.text(Attribute::StudyID, &key.hex(Use::Study, &[&study], 16));
    }
    file.text(Attribute::PatientName, &format!("PATIENT^{number}"))
        .text(Attribute::PatientID, number)
        .text(Attribute::PatientBirthDate, "")
        .text(Attribute::PatientSex, "")
        .text(Attribute::PatientIdentityRemoved, "YES")
        .text(Attribute::DeidentificationMethod, METHOD)
        .text(Attribute::BurnedInAnnotation, "NO");
    let class = elements.text(Attribute::SOPClassUID).filter(|uid| is_standard_uid(uid));
    let instance = elements.text(Attribute::SOPInstanceUID).unwrap_or_default();
    file.finish(class.as_deref().unwrap_or(dicom::COMPUTED_RADIOGRAPHY), &key.uid(&instance), picture)
}

/// PS3.5, code string: free text has no way into the copy under the name of a code.
fn is_code(value: &str) -> bool {
    value.len() <= 16
        && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" _".contains(&byte))
}

fn is_decimal(value: &str) -> bool {
    value.len() <= 64 && value.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE\\ ".contains(&byte))
}

fn is_standard_uid(uid: &str) -> bool {
    uid.len() <= 64
        && uid.starts_with("1.2.840.10008.5.1.4.1.1.")
        && uid.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests;
