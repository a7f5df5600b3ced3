//! Encodings that are read, and files that are refused, each with the reason.

use dicom_dictionary_std::tags;
use xray_picture::decode::{Error, Format, PIXELS_MAX, decode};
use xray_picture::dicom::{self, Attribute, Writer};
use xray_picture::draw::encode_grey;
use xray_picture::phantom::{Kind, Patient, Phantom};
use xray_picture::picture::{Picture, Polarity};

fn film() -> (Phantom, Vec<u8>) {
    let patient = Patient::of_seed(7);
    let phantom = Phantom::draw(7, Kind::Healthy, 512).with_text(&patient);
    let file = phantom.to_dicom(&patient);
    (phantom, file)
}

fn small() -> Picture {
    Picture::new((4, 2), 12, Polarity::Monochrome1, vec![0, 1, 2, 3, 4, 5, 6, 4095]).expect("eight samples")
}

fn written(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut file = Writer::default().finish("1.2", "1.2.3", &small());
    change(&mut file);
    file
}

/// Replaces the 16-bit value of an attribute (explicit little endian, short form).
fn set(file: &mut [u8], attribute: Attribute, value: u16) {
    let at = find(file, attribute);
    file[at + 8..at + 10].copy_from_slice(&value.to_le_bytes());
}

fn find(file: &[u8], attribute: Attribute) -> usize {
    let dicom::Tag(group, element) = attribute.tag();
    let tag = [group.to_le_bytes(), element.to_le_bytes()].concat();
    (132..).find(|at| file[*at..].starts_with(&tag)).expect("the attribute is there")
}

/// Takes an attribute out (short form).
fn remove(file: &mut Vec<u8>, attribute: Attribute) {
    let at = find(file, attribute);
    let length = usize::from(u16::from_le_bytes([file[at + 6], file[at + 7]]));
    file.drain(at..at + 8 + length);
}

fn set_syntax(file: &mut Vec<u8>, syntax: &str) {
    let at = find(file, Attribute::TransferSyntaxUID);
    let padded = format!("{syntax}{}", if syntax.len() % 2 == 1 { "\0" } else { "" });
    let length = usize::from(u16::from_le_bytes([file[at + 6], file[at + 7]]));
    file.splice(at + 8..at + 8 + length, padded.bytes());
    file[at + 6..at + 8].copy_from_slice(&(padded.len() as u16).to_le_bytes());
}

#[test]
fn what_we_write_is_read_back_by_us_and_by_another_reader() {
    let (phantom, file) = film();
    let decoded = decode(&file, PIXELS_MAX).unwrap();
    assert_eq!(decoded.picture, phantom.picture);
    assert_eq!(decoded.format, Format::Dicom);

    let other = dicom_object::from_reader(file.as_slice()).unwrap();
    let elements = decoded.elements.unwrap();
    for (tag, attribute) in [
        (tags::PATIENT_NAME, Attribute::PatientName),
        (tags::PATIENT_ID, Attribute::PatientID),
        (tags::STUDY_DATE, Attribute::StudyDate),
        (tags::SOP_INSTANCE_UID, Attribute::SOPInstanceUID),
        (tags::BURNED_IN_ANNOTATION, Attribute::BurnedInAnnotation),
    ] {
        let text = other.element(tag).unwrap().to_str().unwrap().trim_end_matches([' ', '\0']).to_owned();
        assert_eq!(elements.text(attribute).as_deref(), Some(text.as_str()));
    }
    assert_eq!(other.element(tags::ROWS).unwrap().to_int::<u16>().unwrap(), 512);
    let pixels = other.element(tags::PIXEL_DATA).unwrap().to_multi_int::<u16>().unwrap();
    assert_eq!(pixels, phantom.picture.samples());
}

#[test]
fn values_are_padded_as_their_kind_asks_and_small_samples_take_a_byte() {
    let eight = Picture::new((3, 1), 8, Polarity::Monochrome2, vec![0, 7, 255]).unwrap();
    let mut writer = Writer::default();
    writer.text(Attribute::PatientName, "ODD");
    let file = writer.finish("1.2", "1.2.3", &eight);
    for (attribute, padded) in [(Attribute::PatientName, b"ODD ".as_slice()), (Attribute::SOPInstanceUID, b"1.2.3\0")] {
        assert!(file[find(&file, attribute) + 8..].starts_with(padded), "{attribute}");
    }
    let decoded = decode(&file, PIXELS_MAX).unwrap();
    assert_eq!((decoded.picture, decoded.elements.unwrap().number(Attribute::BitsAllocated)), (eight, Some(8)));
}

#[test]
fn implicit_little_endian_written_by_another_is_read() {
    let (phantom, file) = film();
    let explicit = dicom_object::from_reader(file.as_slice()).unwrap();
    let mut implicit = Vec::new();
    let meta = dicom_object::FileMetaTableBuilder::new()
        .transfer_syntax(dicom::IMPLICIT_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(dicom::COMPUTED_RADIOGRAPHY)
        .media_storage_sop_instance_uid("1.2")
        .build()
        .unwrap();
    explicit.into_inner().with_exact_meta(meta).write_all(&mut implicit).unwrap();
    let decoded = decode(&implicit, PIXELS_MAX).unwrap();
    assert_eq!(decoded.picture, phantom.picture);
}

#[test]
fn samples_are_taken_from_the_bits_that_are_stored() {
    for (bits, stored, high, shift) in [(12, 12, 11, 0), (12, 12, 15, 4), (12, 9, 12, 4), (8, 8, 7, 0), (8, 6, 6, 1)] {
        let samples = vec![0, 1, 2, 3, 33, 44, 55, (1 << stored) - 1];
        let around = !(u16::MAX >> (16 - stored) << shift);
        let raw = samples.iter().map(|sample| sample << shift | around).collect::<Vec<u16>>();
        let mut file = Writer::default().finish(
            "1.2",
            "1.2.3",
            &Picture::new((4, 2), bits, Polarity::Monochrome2, vec![0; 8]).expect("eight samples"),
        );
        set(&mut file, Attribute::BitsStored, stored);
        set(&mut file, Attribute::HighBit, high);
        let at = find(&file, Attribute::PixelData) + 12;
        let bytes: Vec<u8> = match bits {
            8 => raw.iter().map(|sample| *sample as u8).collect(),
            _ => raw.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
        };
        file[at..].copy_from_slice(&bytes);
        let decoded = decode(&file, PIXELS_MAX).unwrap().picture;
        assert_eq!((decoded.samples(), decoded.bits()), (samples.as_slice(), stored), "{bits} {stored} {high}");
    }
}

#[test]
fn png_keeps_every_sample() {
    for (bits, shift) in [(8, 0), (6, 2), (16, 0), (12, 4)] {
        let samples = [0, 1, 200, 255].map(|sample: u16| sample.min(u16::MAX >> (16 - bits))).to_vec();
        let picture = Picture::new((2, 2), bits, Polarity::Monochrome2, samples.clone()).unwrap();
        let file = encode_grey(&picture);
        let decoded = decode(&file, PIXELS_MAX).unwrap();
        assert_eq!(decoded.picture.samples(), samples.iter().map(|sample| sample << shift).collect::<Vec<_>>());
        assert_eq!(decoded.format, Format::Png);
    }
    let inverted = Picture::new((2, 1), 8, Polarity::Monochrome1, vec![0, 200]).unwrap();
    assert_eq!(decode(&encode_grey(&inverted), PIXELS_MAX).unwrap().picture.samples(), [255, 55]);
}

#[test]
fn a_png_in_colour_is_read_as_its_luma_and_its_transparency_is_not_looked_at() {
    let luma = [76, 150, 29, 255, 124];
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 200, 30]];
    let rgba = colours.map(|[red, green, blue]| [red, green, blue, 7]);
    let grey = luma.map(|grey| [grey as u8, 7]);
    for (kind, bytes) in [
        (png::ColorType::Rgb, colours.as_flattened()),
        (png::ColorType::Rgba, rgba.as_flattened()),
        (png::ColorType::GrayscaleAlpha, grey.as_flattened()),
    ] {
        let read = |depth, bytes: &[u8]| {
            let mut file = Vec::new();
            let mut encoder = png::Encoder::new(&mut file, 5, 1);
            encoder.set_color(kind);
            encoder.set_depth(depth);
            encoder.write_header().unwrap().write_image_data(bytes).unwrap();
            decode(&file, PIXELS_MAX).unwrap().picture
        };
        assert_eq!(read(png::BitDepth::Eight, bytes).samples(), luma, "{kind:?}");
        // Each byte twice is the same share of the larger range.
        let wide: Vec<u8> = bytes.iter().flat_map(|byte| [*byte, *byte]).collect();
        let samples = read(png::BitDepth::Sixteen, &wide).samples().to_vec();
        let close = |(wide, narrow): (&u16, &u16)| wide.abs_diff(narrow * 257) <= 257;
        assert!(samples.iter().zip(&luma).all(close), "{kind:?}: {samples:?}");
    }
}

/// A JPEG 2000 codestream of 4 x 4 pixels and so many channels, with no bit of any of them.
fn codestream(channels: u8) -> Vec<u8> {
    let mut file = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 38 + 3 * channels, 0, 0];
    for number in [4_u32, 4, 0, 0, 4, 4, 0, 0] {
        file.extend(number.to_be_bytes());
    }
    file.extend([0, channels]);
    file.extend([7, 1, 1].repeat(usize::from(channels)));
    file.extend([0xFF, 0x52, 0, 12, 0, 0, 0, 1, 0, 0, 2, 2, 0, 1]);
    file.extend([0xFF, 0x5C, 0, 4, 0x40, 0x40]);
    file.extend([0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 15, 0, 1, 0xFF, 0x93, 0, 0xFF, 0xD9]);
    file
}

#[test]
fn a_film_in_colour_is_refused() {
    let inside = |channels| {
        let mut file = written(|file| set_syntax(file, dicom::JPEG_2000));
        set(&mut file, Attribute::Rows, 4);
        file.truncate(find(&file, Attribute::PixelData) + 8);
        file.extend(u32::MAX.to_le_bytes());
        for fragment in [Vec::new(), codestream(channels)] {
            file.extend([0xFE, 0xFF, 0x00, 0xE0]);
            file.extend((fragment.len() as u32).to_le_bytes());
            file.extend(fragment);
        }
        file.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        decode(&file, PIXELS_MAX).map(|decoded| decoded.picture.samples().to_vec()).map_err(|error| error.to_string())
    };
    for channels in 2..=4 {
        let error = inside(channels).expect_err("more than grey");
        assert!(error.contains("more than one channel"), "{channels}: {error}");
    }
    assert_eq!(inside(1), Ok(vec![128; 16]), "grey is read: a stream without a bit is the middle of the range");
}

#[test]
fn says_what_is_wrong_with_a_file() {
    let long = |file: &mut Vec<u8>| {
        let at = find(file, Attribute::PixelData);
        file[at + 8..at + 12].copy_from_slice(&0xFFFF_FFF0_u32.to_le_bytes());
    };
    let missing = |attribute| (written(|file| remove(file, attribute)), format!("{attribute} is missing"));
    let table = [
        (Vec::new(), "neither DICOM, JPEG nor PNG".to_owned()),
        (b"hello, world".to_vec(), "neither DICOM, JPEG nor PNG".into()),
        (vec![0; 200], "neither DICOM, JPEG nor PNG".into()),
        (written(|file| file.truncate(file.len() - 3)), "the file ends inside the element (7FE0,0010)".into()),
        (written(long), "4294967280 bytes declared".into()),
        (written(|file| file.truncate(140)), "the file ends".into()),
        (written(|file| file.truncate(132)), "transfer syntax is missing".into()),
        missing(Attribute::Rows),
        missing(Attribute::Columns),
        missing(Attribute::BitsAllocated),
        missing(Attribute::PhotometricInterpretation),
        (written(|file| file.truncate(find(file, Attribute::PixelData))), "PixelData (7FE0,0010) is missing".into()),
        (written(|file| set(file, Attribute::Rows, 0)), "4 x 0 pixels".into()),
        (written(|file| set(file, Attribute::Rows, 3)), "16 bytes where 24 are needed".into()),
        (written(|file| set(file, Attribute::BitsAllocated, 32)), "BitsAllocated (0028,0100) is 32".into()),
        (written(|file| set(file, Attribute::BitsStored, 17)), "BitsStored".into()),
        (written(|file| set(file, Attribute::HighBit, 3)), "BitsStored".into()),
        (written(|file| set(file, Attribute::SamplesPerPixel, 3)), "SamplesPerPixel".into()),
        (written(|file| set(file, Attribute::PixelRepresentation, 1)), "unsigned".into()),
        (written(|file| set_syntax(file, "1.2.840.10008.1.2.5")), "1.2.840.10008.1.2.5 is not supported".into()),
        (written(|file| set_syntax(file, dicom::JPEG_2000)), "contradicts".into()),
        (b"\x89PNG\r\n\x1a\n".to_vec(), "PNG data cannot be decoded".into()),
        (vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4], "JPEG data cannot be decoded".into()),
    ];
    for (file, words) in table {
        let error = decode(&file, PIXELS_MAX).expect_err(&words).to_string();
        assert!(error.contains(&words), "{error:?} should say {words:?}");
    }
}

#[test]
fn a_hundred_megapixels_are_refused_before_memory_is_taken() {
    let dicom = written(|file| {
        set(file, Attribute::Rows, 10_001);
        set(file, Attribute::Columns, 10_000);
    });
    let mut png = encode_grey(&small());
    png[16..20].copy_from_slice(&50_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&50_000_u32.to_be_bytes());
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    // A start of image, one quantisation table, and a frame of 65,500 x 65,500.
    let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
    jpeg.extend([1; 64]);
    jpeg.extend([0xFF, 0xC0, 0, 11, 8, 0xFF, 0xDC, 0xFF, 0xDC, 1, 1, 0x11, 0]);
    jpeg.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0xFF, 0xD9]);
    for (name, file) in [("DICOM", dicom), ("PNG", png), ("JPEG", jpeg)] {
        let error = decode(&file, usize::MAX).unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: PIXELS_MAX, .. }), "{name}: {error}");
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[test]
fn sequences_are_skipped_and_bounded() {
    let with = |insert: &[u8]| {
        written(|file| {
            let at = find(file, Attribute::PixelData);
            file.splice(at..at, insert.iter().copied());
        })
    };
    let open =
        [0x08, 0, 0x40, 0x11, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF];
    let close = [0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];
    let nested = |depth: usize| [open.repeat(depth), close.repeat(depth)].concat();
    assert_eq!(decode(&with(&nested(1)), PIXELS_MAX).unwrap().picture, small());
    assert_eq!(decode(&with(&nested(16)), PIXELS_MAX).unwrap().picture, small());
    // One item says its length, and holds an element.
    let item = [0xFE, 0xFF, 0, 0xE0, 10, 0, 0, 0, 8, 0, 0x50, 0x11, b'C', b'S', 2, 0, b'A', b'B'];
    assert_eq!(decode(&with(&[&open[..12], &item, &close[8..]].concat()), PIXELS_MAX).unwrap().picture, small());
    // What is of unknown representation holds elements without one.
    let unknown = [9, 0, 1, 0x10, b'U', b'N', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
    let bare = [9, 0, 2, 0x10, 2, 0, 0, 0, b'A', b'B'];
    let of_unknown = [&unknown, &open[12..], &bare, &close[..]].concat();
    assert_eq!(decode(&with(&of_unknown), PIXELS_MAX).unwrap().picture, small());
    let error = decode(&with(&nested(5_000)), PIXELS_MAX).unwrap_err();
    assert_eq!(error, Error::Dicom(dicom::Error::TooDeep));
    let error = decode(&with(&open), PIXELS_MAX).unwrap_err();
    assert!(matches!(error, Error::Dicom(_)), "{error}");
}

#[test]
fn no_cut_or_changed_file_panics() {
    let (_, film) = film();
    let header = find(&film, Attribute::PixelData) + 12;
    let files = [film[..header + 64].to_vec(), encode_grey(&small()), written(|_| {})];
    for file in &files {
        for length in 0..file.len() {
            let _ = decode(&file[..length], PIXELS_MAX);
        }
        for at in 0..file.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut changed = file.clone();
                changed[at] ^= flip;
                let _ = decode(&changed, 1_000_000);
            }
        }
    }
}

/// A JPEG of 16 x 8 pixels, baseline: the left half 60, the right half 200.
fn tiny_jpeg() -> Vec<u8> {
    let hex = "\
        ffd8ffe000104a46494600010100000100010000ffdb0043000302020302020303030304030304050805050404050a070706\
        080c0a0c0c0b0a0b0b0d0e12100d0e110e0b0b1016101113141515150c0f171816141812141514ffc0000b08000800100101\
        1100ffc4001500010100000000000000000000000000000809ffc40014100100000000000000000000000000000000ffda00\
        08010100003f00252babffd9";
    let byte =
        |pair: &[u8]| pair.iter().fold(0, |byte, digit| byte * 16 + char::from(*digit).to_digit(16).unwrap_or(0));
    hex.as_bytes().chunks(2).map(|pair| byte(pair) as u8).collect()
}

#[test]
fn jpeg_is_read_alone_and_in_fragments_of_a_dicom_file() {
    let jpeg = tiny_jpeg();
    let alone = decode(&jpeg, PIXELS_MAX).unwrap().picture;
    assert_eq!((alone.width(), alone.height(), alone.samples()[0], alone.samples()[15]), (16, 8, 60, 200));
    let inside = |width: u16| {
        let mut file = written(|file| set_syntax(file, dicom::JPEG_BASELINE));
        set(&mut file, Attribute::Rows, 8);
        set(&mut file, Attribute::Columns, width);
        file.truncate(find(&file, Attribute::PixelData) + 8);
        file.extend(u32::MAX.to_le_bytes());
        // An empty table of offsets, then the stream in two fragments.
        for fragment in [&jpeg[..0], &jpeg[..100], &jpeg[100..]] {
            file.extend([0xFE, 0xFF, 0x00, 0xE0]);
            file.extend((fragment.len() as u32).to_le_bytes());
            file.extend(fragment);
        }
        file.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        file
    };
    let file = inside(16);
    let decoded = decode(&file, PIXELS_MAX).unwrap();
    assert_eq!(decoded.picture.samples(), alone.samples());
    assert_eq!(decoded.picture.polarity(), Polarity::Monochrome1);
    let open = [0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF];
    let at = find(&file, Attribute::PixelData) + 12;
    let error = decode(&[&file[..at], &open, &file[at + 8..]].concat(), PIXELS_MAX).unwrap_err();
    assert!(matches!(error, Error::Dicom(dicom::Error::NoItem { .. })), "{error}");
    let mut contrary = written(|_| {});
    contrary.truncate(find(&contrary, Attribute::PixelData) + 8);
    contrary.extend(&file[at - 4..]);
    let error = decode(&contrary, PIXELS_MAX).unwrap_err().to_string();
    assert!(error.contains("contradicts"), "{error}");
    let error = decode(&inside(17), PIXELS_MAX).unwrap_err();
    assert_eq!(error, Error::OtherSize { found: (16, 8), declared: (17, 8) });
    assert!(decode(&file[..file.len() - 60], PIXELS_MAX).is_err());
    assert!(decode(&jpeg[..jpeg.len() - 8], PIXELS_MAX).is_err(), "a cut JPEG is refused");
}
