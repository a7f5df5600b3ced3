//! The part of DICOM that one film needs: read the elements of a file, write a new file.
//!
//! Reading walks the input in place: no declared length is believed beyond the bytes that are there, nothing is allocated
//! before the caller has looked at the dimensions, and nesting is bounded. Sequences are skipped, not kept.

mod read;
mod write;

pub(crate) use read::is_native;
pub use read::{Elements, Error, Pixels, read};
pub use write::Writer;

/// Group and element of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u16, pub u16);

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({:04X},{:04X})", self.0, self.1)
    }
}

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident = ($group:literal, $element:literal, $vr:literal);)*) => {
        /// The attributes that are read or written by name (PS3.6).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the names are the standard's own keywords")]
        pub enum Attribute { $($name),* }

        impl Attribute {
            /// Its tag.
            pub fn tag(self) -> Tag {
                match self { $(Self::$name => Tag($group, $element)),* }
            }

            /// Its value representation.
            pub fn vr(self) -> [u8; 2] {
                match self { $(Self::$name => *$vr),* }
            }

            /// Its keyword.
            pub fn keyword(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

attributes! {
    MediaStorageSOPClassUID = (0x0002, 0x0002, b"UI");
    MediaStorageSOPInstanceUID = (0x0002, 0x0003, b"UI");
    TransferSyntaxUID = (0x0002, 0x0010, b"UI");
    ImplementationClassUID = (0x0002, 0x0012, b"UI");
    SOPClassUID = (0x0008, 0x0016, b"UI");
    SOPInstanceUID = (0x0008, 0x0018, b"UI");
    StudyDate = (0x0008, 0x0020, b"DA");
    SeriesDate = (0x0008, 0x0021, b"DA");
    AcquisitionDate = (0x0008, 0x0022, b"DA");
    ContentDate = (0x0008, 0x0023, b"DA");
    AccessionNumber = (0x0008, 0x0050, b"SH");
    Modality = (0x0008, 0x0060, b"CS");
    Manufacturer = (0x0008, 0x0070, b"LO");
    PatientName = (0x0010, 0x0010, b"PN");
    PatientID = (0x0010, 0x0020, b"LO");
    IssuerOfPatientID = (0x0010, 0x0021, b"LO");
    PatientBirthDate = (0x0010, 0x0030, b"DA");
    PatientSex = (0x0010, 0x0040, b"CS");
    PatientIdentityRemoved = (0x0012, 0x0062, b"CS");
    DeidentificationMethod = (0x0012, 0x0063, b"LO");
    BodyPartExamined = (0x0018, 0x0015, b"CS");
    ViewPosition = (0x0018, 0x5101, b"CS");
    StudyInstanceUID = (0x0020, 0x000D, b"UI");
    SeriesInstanceUID = (0x0020, 0x000E, b"UI");
    StudyID = (0x0020, 0x0010, b"SH");
    FrameOfReferenceUID = (0x0020, 0x0052, b"UI");
    ImageComments = (0x0020, 0x4000, b"LT");
    SamplesPerPixel = (0x0028, 0x0002, b"US");
    PhotometricInterpretation = (0x0028, 0x0004, b"CS");
    NumberOfFrames = (0x0028, 0x0008, b"IS");
    Rows = (0x0028, 0x0010, b"US");
    Columns = (0x0028, 0x0011, b"US");
    BitsAllocated = (0x0028, 0x0100, b"US");
    BitsStored = (0x0028, 0x0101, b"US");
    HighBit = (0x0028, 0x0102, b"US");
    PixelRepresentation = (0x0028, 0x0103, b"US");
    BurnedInAnnotation = (0x0028, 0x0301, b"CS");
    WindowCenter = (0x0028, 0x1050, b"DS");
    WindowWidth = (0x0028, 0x1051, b"DS");
    PixelData = (0x7FE0, 0x0010, b"OW");
}

impl std::fmt::Display for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.keyword(), self.tag())
    }
}

/// Little endian, value representations not written: the syntax that every device must speak.
pub const IMPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
/// Little endian, value representations written: what we write.
pub const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// JPEG, 8 bits, baseline.
pub const JPEG_BASELINE: &str = "1.2.840.10008.1.2.4.50";
/// JPEG 2000, lossless only.
pub const JPEG_2000_LOSSLESS: &str = "1.2.840.10008.1.2.4.90";
/// JPEG 2000, also lossy.
pub const JPEG_2000: &str = "1.2.840.10008.1.2.4.91";
/// SOP class of a computed radiography image.
pub const COMPUTED_RADIOGRAPHY: &str = "1.2.840.10008.5.1.4.1.1.1";
