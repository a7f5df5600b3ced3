//! Writes a new file, explicit little endian.

use super::{Attribute, EXPLICIT_LITTLE_ENDIAN};
use crate::picture::{Picture, Polarity};

/// Our own implementation, named in every file written here.
const IMPLEMENTATION: &str = "2.25.249087132457689023981231290123918231";

/// A file in the making: attributes in any order, written in the order of their tags.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    values: Vec<(Attribute, Vec<u8>)>,
}

impl Writer {
    /// Sets an attribute's text; an attribute set before is replaced.
    pub fn text(&mut self, attribute: Attribute, value: &str) -> &mut Self {
        let mut bytes = value.as_bytes().to_vec();
        if !bytes.len().is_multiple_of(2) {
            bytes.push(if attribute.vr() == *b"UI" { 0 } else { b' ' });
        }
        self.set(attribute, bytes)
    }

    /// Sets an attribute's 16-bit number.
    pub fn number(&mut self, attribute: Attribute, value: u16) -> &mut Self {
        self.set(attribute, value.to_le_bytes().to_vec())
    }

    fn set(&mut self, attribute: Attribute, value: Vec<u8>) -> &mut Self {
        self.values.retain(|(other, _)| *other != attribute);
        self.values.push((attribute, value));
        self
    }

    /// The file, with this picture. `class` and `instance` stand in the data set and in the meta information.
    pub fn finish(mut self, class: &str, instance: &str, picture: &Picture) -> Vec<u8> {
        self.text(Attribute::SOPClassUID, class).text(Attribute::SOPInstanceUID, instance);
        self.describe(picture);
        let mut meta = Self::default();
        meta.text(Attribute::MediaStorageSOPClassUID, class)
            .text(Attribute::MediaStorageSOPInstanceUID, instance)
            .text(Attribute::TransferSyntaxUID, EXPLICIT_LITTLE_ENDIAN)
            .text(Attribute::ImplementationClassUID, IMPLEMENTATION);
        let mut group = vec![2, 0, 1, 0, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 1];
        meta.write(&mut group);

        let mut file = vec![0; 128];
        file.extend_from_slice(b"DICM");
        file.extend_from_slice(&[2, 0, 0, 0, b'U', b'L', 4, 0]);
        file.extend_from_slice(&(group.len() as u32).to_le_bytes());
        file.append(&mut group);
        self.write(&mut file);
        file
    }

    fn describe(&mut self, picture: &Picture) {
        let allocated = if picture.bits() > 8 { 16 } else { 8 };
        let photometric = match picture.polarity() {
            Polarity::Monochrome1 => "MONOCHROME1",
            Polarity::Monochrome2 => "MONOCHROME2",
        };
        self.number(Attribute::SamplesPerPixel, 1)
            .text(Attribute::PhotometricInterpretation, photometric)
            .number(Attribute::Rows, picture.height() as u16)
            .number(Attribute::Columns, picture.width() as u16)
            .number(Attribute::BitsAllocated, allocated)
            .number(Attribute::BitsStored, picture.bits())
            .number(Attribute::HighBit, picture.bits() - 1)
            .number(Attribute::PixelRepresentation, 0);
        let mut pixels: Vec<u8> = if allocated == 8 {
            picture.samples().iter().map(|sample| *sample as u8).collect()
        } else {
            picture.samples().iter().flat_map(|sample| sample.to_le_bytes()).collect()
        };
        if !pixels.len().is_multiple_of(2) {
            pixels.push(0);
        }
        self.set(Attribute::PixelData, pixels);
    }

    fn write(&mut self, file: &mut Vec<u8>) {
        self.values.sort_by_key(|(attribute, _)| attribute.tag());
        file.reserve(self.values.iter().map(|(_, value)| value.len() + 12).sum());
        for (attribute, value) in &self.values {
            let (tag, vr) = (attribute.tag(), attribute.vr());
            file.extend_from_slice(&tag.0.to_le_bytes());
            file.extend_from_slice(&tag.1.to_le_bytes());
            file.extend_from_slice(&vr);
            if vr == *b"OW" {
                file.extend_from_slice(&[0, 0]);
                file.extend_from_slice(&(value.len() as u32).to_le_bytes());
            } else {
                file.extend_from_slice(&(value.len() as u16).to_le_bytes());
            }
            file.extend_from_slice(value);
        }
    }
}
