use super::*;
use crate::decode::{PIXELS_MAX, decode};
use crate::phantom::{Kind, MANUFACTURER, Patient as Person, Phantom, text_area};
use crate::picture::Polarity;
use crate::random::SplitMix64;

fn settings(label: Label) -> Settings {
    let rules = format!(r#"[{{"format":"dicom","manufacturer":"{MANUFACTURER}","rectangles":[[0,0.875,0.44,1]]}}]"#);
    let key = Key::parse(&"0123456789abcdef".repeat(4)).unwrap();
    Settings { key, rules: serde_json::from_str(&rules).unwrap(), label }
}

fn object() -> Object {
    Object { bucket: "xray-in".into(), key: "ward 7/HOLLOWAY-TEST GRETA.dcm".into(), sequencer: "0A".into() }
}

fn person() -> Person {
    Person { name: "HOLLOWAY-TEST^GRETA".into(), ..Person::of_seed(2) }
}

fn copy_of(file: &[u8], settings: &Settings) -> Copy {
    anonymise(&decode(file, PIXELS_MAX).unwrap(), &object(), settings).unwrap()
}

fn inside(picture: &Picture, area: Rectangle) -> Vec<u16> {
    let rows = picture.samples().chunks(picture.width()).take(area.y1).skip(area.y0);
    rows.flat_map(|row| row[area.x0..area.x1].to_vec()).collect()
}

#[test]
fn every_pixel_of_a_region_is_one_value_whatever_stood_there() {
    let mut random = SplitMix64::new(5);
    for _ in 0..8 {
        let letter = |random: &mut SplitMix64| char::from(b' ' + random.below(95) as u8);
        let name: String = (0..20).map(|_| letter(&mut random)).collect();
        let patient = Person { name, ..person() };
        let size = 512 + random.below(300) as usize;
        let file =
            Phantom::draw(u64::from(random.below(1000)), Kind::Sick, size).with_text(&patient).to_dicom(&patient);
        let copy = copy_of(&file, &settings(Label::None));
        let picture = decode(&copy.bytes, PIXELS_MAX).unwrap().picture;
        assert!(inside(&picture, text_area(size, size)).iter().all(|sample| *sample == 0));
        // With the number written over it, the region is what the number alone makes of black.
        let labelled = decode(&copy_of(&file, &settings(Label::Number)).bytes, PIXELS_MAX).unwrap().picture;
        let mut expected = Picture::new((size, size), 12, Polarity::Monochrome2, vec![0; size * size]).unwrap();
        label(&mut expected, &[text_area(size, size)], &copy.number);
        assert_eq!(inside(&labelled, text_area(size, size)), inside(&expected, text_area(size, size)));
        assert!(inside(&labelled, text_area(size, size)).contains(&4095), "the number is there");
    }
}

#[test]
fn phantoms_that_differ_only_in_the_patient_are_equal_after() {
    let film = |patient: &Person| Phantom::draw(9, Kind::Borderline, 600).with_text(patient).to_dicom(patient);
    let (one, other) = (film(&person()), film(&Person { name: "FERNSBY^UNO".into(), ..Person::of_seed(3) }));
    let pixels = |file: &[u8]| decode(&copy_of(file, &settings(Label::None)).bytes, PIXELS_MAX).unwrap().picture;
    assert_ne!(decode(&one, PIXELS_MAX).unwrap().picture, decode(&other, PIXELS_MAX).unwrap().picture);
    assert_eq!(pixels(&one), pixels(&other));
}

#[test]
fn nothing_of_the_patient_is_in_the_copy() {
    let patient = person();
    let file = Phantom::draw(2, Kind::Sick, 512).with_text(&patient).to_dicom(&patient);
    let copy = copy_of(&file, &settings(Label::Number));
    let key = object().research(&settings(Label::Number).key, &copy.number, copy.extension);
    let original = decode(&file, PIXELS_MAX).unwrap().elements.unwrap();
    let uid = |attribute| original.text(attribute).unwrap().into_owned();
    let words = [
        "HOLLOWAY".to_owned(),
        "GRETA".into(),
        patient.id.clone(),
        patient.id.trim_start_matches("ZZ-").into(),
        patient.birth.replace('-', ""),
        patient.exam.replace('-', ""),
        patient.accession.clone(),
        "fictitious".into(),
        uid(Attribute::StudyInstanceUID),
        uid(Attribute::SeriesInstanceUID),
        uid(Attribute::SOPInstanceUID),
    ];
    for word in words {
        let found = |bytes: &[u8]| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(found(&file) || word == "fictitious", "{word} is in the original");
        assert!(!found(&copy.bytes), "{word} is in the copy");
        assert!(!key.contains(&word), "{word} is in the key");
    }
}

#[test]
fn the_copy_has_the_allowed_attributes_only() {
    let patient = person();
    let file = Phantom::draw(2, Kind::Sick, 512).to_dicom(&patient);
    let copy = copy_of(&file, &settings(Label::Number));
    let decoded = decode(&copy.bytes, PIXELS_MAX).unwrap();
    let elements = decoded.elements.unwrap();
    let text = |attribute| elements.text(attribute).map(std::borrow::Cow::into_owned);
    assert_eq!(text(Attribute::PatientName), Some(format!("PATIENT^{}", copy.number)));
    assert_eq!(text(Attribute::PatientID), Some(copy.number.clone()));
    assert_eq!(text(Attribute::PatientIdentityRemoved).as_deref(), Some("YES"));
    assert_eq!(text(Attribute::BurnedInAnnotation).as_deref(), Some("NO"));
    assert_eq!(text(Attribute::Modality).as_deref(), Some("CR"));
    for gone in
        [Attribute::PatientBirthDate, Attribute::PatientSex, Attribute::ImageComments, Attribute::AccessionNumber]
    {
        assert_eq!(text(gone), None, "{gone}");
    }
    assert_eq!(elements.tags().count(), 29, "{:?}", elements.tags().collect::<Vec<_>>());
    assert_eq!(text(Attribute::SOPInstanceUID), text(Attribute::MediaStorageSOPInstanceUID));
    let uid = text(Attribute::SOPInstanceUID).unwrap();
    assert!(uid.starts_with("2.25.") && uid.len() <= 64);
    let other = dicom_object::from_reader(copy.bytes.as_slice()).unwrap();
    assert_eq!(other.meta().media_storage_sop_instance_uid().trim_end_matches('\0'), uid);
}

#[test]
fn free_text_does_not_pass_as_a_code() {
    let mut file = dicom::Writer::default();
    file.text(Attribute::Modality, "CR of John Doe")
        .text(Attribute::BodyPartExamined, "CHEST")
        .text(Attribute::WindowCenter, "John")
        .text(Attribute::BurnedInAnnotation, "NO");
    let picture = Picture::new((8, 8), 8, Polarity::Monochrome2, vec![3; 64]).unwrap();
    let copy = copy_of(&file.finish("John", "1.2", &picture), &settings(Label::Number));
    assert!(!copy.bytes.windows(4).any(|window| window == b"John"));
    assert!(copy.bytes.windows(5).any(|window| window == b"CHEST"));
}

#[test]
fn is_refused_where_nobody_said_where_the_text_is() {
    let mut file = dicom::Writer::default();
    file.text(Attribute::Manufacturer, "another");
    let picture = Picture::new((64, 64), 8, Polarity::Monochrome1, vec![3; 4096]).unwrap();
    let refused =
        |file: &[u8]| anonymise(&decode(file, PIXELS_MAX).unwrap(), &object(), &settings(Label::Number)).is_err();
    assert!(refused(&file.clone().finish("1.2", "1.2", &picture)));
    assert!(refused(&file.clone().text(Attribute::BurnedInAnnotation, "YES").clone().finish("1.2", "1.2", &picture)));
    assert!(!refused(&file.text(Attribute::BurnedInAnnotation, "NO").clone().finish("1.2", "1.2", &picture)));
    assert!(refused(&encode_grey(&picture)), "a PNG says nothing");
}

#[test]
fn plain_pictures_are_encoded_anew_by_their_own_rule() {
    let rules = r#"[{"format":"png","rectangles":[[0.5,0,1,0.5]]}]"#;
    let settings = Settings { rules: serde_json::from_str(rules).unwrap(), ..settings(Label::None) };
    let picture = Picture::new((4, 4), 8, Polarity::Monochrome2, vec![9; 16]).unwrap();
    let mut file = encode_grey(&picture);
    // A comment behind the header: length, kind, words, checksum.
    let comment = b"\0\0\0\x0ctEXtTitle\0GRETA.\x1b\xd0\x79\x50";
    file.splice(33..33, comment.iter().copied());
    let clean = copy_of(&file, &settings);
    assert!(!clean.bytes.windows(5).any(|window| window == b"GRETA"));
    let after = decode(&clean.bytes, PIXELS_MAX).unwrap().picture;
    assert_eq!(after.samples(), [9, 9, 0, 0, 9, 9, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9]);
}

#[test]
fn the_same_input_has_the_same_names_and_another_key_others() {
    let patient = person();
    let film = |exam: &str, seed| {
        let patient = Person { exam: exam.into(), ..patient.clone() };
        Phantom::draw(seed, Kind::Healthy, 512).to_dicom(&patient)
    };
    let one = copy_of(&film("2024-03-01", 1), &settings(Label::Number));
    assert_eq!(one.bytes, copy_of(&film("2024-03-01", 1), &settings(Label::Number)).bytes);
    let next = copy_of(&film("2024-03-15", 2), &settings(Label::Number));
    assert_eq!(one.number, next.number, "one patient, one number");
    let date = |copy: &Copy| {
        let text =
            decode(&copy.bytes, PIXELS_MAX).unwrap().elements.unwrap().text(Attribute::StudyDate).unwrap().into_owned();
        text.parse::<u32>().unwrap()
    };
    assert!(date(&one) < 20_240_301 && date(&one) >= 20_230_301);
    assert!(date(&next) > date(&one));
    let other = Settings { key: Key::parse(&"f".repeat(64)).unwrap(), ..settings(Label::Number) };
    assert_ne!(one.number, copy_of(&film("2024-03-01", 1), &other).number);
    assert_eq!(one.number.len(), 8);
}

#[test]
fn dates_go_back_over_leap_days_and_centuries() {
    for (date, days, expected) in [
        ("20240301", 1, Some("20240229")),
        ("20230301", 1, Some("20230228")),
        ("20000301", 366, Some("19990301")),
        ("19000301", 1, Some("19000228")),
        ("20240101", 365, Some("20230101")),
        ("20241301", 1, None),
        ("2024-01-01", 1, None),
        ("today", 1, None),
    ] {
        assert_eq!(dates::back(date, days).as_deref(), expected, "{date} - {days}");
    }
}

#[test]
fn the_key_is_64_digits_and_never_shown() {
    for bad in ["", "12", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65)] {
        assert!(Key::parse(bad).is_err());
    }
    let key = Key::parse(&format!(" {} \n", "ab".repeat(32))).unwrap();
    assert_eq!(format!("{key:?}"), "Key(..)");
}

#[test]
fn the_number_stands_in_the_first_rectangle_that_it_fits_into() {
    let words = "PATIENT NO. ABCDEFGH";
    let blank = || Picture::new((600, 100), 8, Polarity::Monochrome1, vec![255; 60_000]).unwrap();
    let drawn = |areas: &[Rectangle]| {
        let mut picture = blank();
        label(&mut picture, areas, "ABCDEFGH");
        picture
    };
    let expected = |x: usize, y: usize, tall: usize| {
        let mut picture = blank();
        text::Line::new(words, tall)
            .ink()
            .filter(|(_, _, ink)| *ink > 0.5)
            .for_each(|(dx, dy, _)| picture.set(x + dx, y + dy, 0));
        assert_ne!(picture, blank());
        picture
    };
    let area =
        |x0: usize, y0: usize, width: usize, height: usize| Rectangle { x0, y0, x1: x0 + width, y1: y0 + height };
    // A third of the height, with a tenth of it around, and smaller where that is too wide.
    let width = |tall: usize, margin: usize| text::width(words, tall) + 2 * margin;
    assert_eq!(drawn(&[area(10, 20, width(20, 6), 60)]), expected(16, 26, 20));
    assert_eq!(drawn(&[area(10, 20, width(20, 6) - 1, 60)]), expected(16, 26, 19));
    assert_eq!(drawn(&[area(10, 20, width(8, 6), 60)]), expected(16, 26, 8));
    assert_eq!(drawn(&[area(0, 0, 600, 24), area(10, 40, 500, 60)]), expected(2, 2, 8), "the first one only");
    // Letters of less than eight pixels say nothing.
    for too_small in [area(0, 0, 600, 23), area(10, 20, width(8, 6) - 1, 60)] {
        assert_eq!(drawn(&[too_small]), blank(), "{too_small:?}");
        assert_eq!(drawn(&[too_small, area(10, 20, 500, 60)]), expected(16, 26, 20), "{too_small:?}");
    }
}

#[test]
fn codes_decimals_and_classes_are_told_from_words() {
    for (value, code, decimal) in [
        ("CHEST", true, false),
        ("AP_2 B", true, false),
        ("1234567890123456", true, true),
        ("12345678901234567", false, true),
        ("-1.5E+3\\ 2e0", false, true),
        ("chest", false, false),
        ("A^B", false, false),
    ] {
        assert_eq!((is_code(value), is_decimal(value)), (code, decimal), "{value}");
    }
    assert!(is_decimal(&"1".repeat(64)) && !is_decimal(&"1".repeat(65)));
    let standard = "1.2.840.10008.5.1.4.1.1.";
    let padded = |length: usize| format!("{standard}{}", "1".repeat(length - standard.len()));
    for (uid, is_standard) in [
        (format!("{standard}1.1"), true),
        (padded(64), true),
        (padded(65), false),
        (format!("{standard}1a"), false),
        ("1.2.840.10008.1.1".to_owned(), false),
    ] {
        assert_eq!(is_standard_uid(&uid), is_standard, "{uid}");
    }
}

#[test]
fn a_number_is_of_the_patient_and_the_issuer() {
    let key = Key::parse("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").unwrap();
    let settings = Settings { key, ..settings(Label::None) };
    let picture = Picture::new((8, 8), 8, Polarity::Monochrome2, vec![3; 64]).unwrap();
    let number = |known: &[(Attribute, &str)]| {
        let mut file = dicom::Writer::default();
        file.text(Attribute::BurnedInAnnotation, "NO");
        for (attribute, value) in known {
            file.text(*attribute, value);
        }
        copy_of(&file.finish("1.2", "1.2", &picture), &settings).number
    };
    // As Python computes them.
    assert_eq!(number(&[(Attribute::PatientID, "7"), (Attribute::IssuerOfPatientID, "ward")]), "AAUEZQLZ");
    assert_eq!(number(&[(Attribute::PatientID, "ZZ-0001")]), "JZCE35N7");
    let unknown = object().unknown_patient(&settings.key);
    assert_eq!(number(&[(Attribute::IssuerOfPatientID, "ward")]), unknown, "nobody is known but the object");
}
