//! One picture through: read, decode, score, judge, draw, anonymise, archive.

use crate::settings::Settings;
use crate::store::{Failure, Store};
use xray_picture::anonymise::anonymise;
use xray_picture::decode::{self, Decoded, Format};
use xray_picture::draw;
use xray_picture::names::Object;
use xray_picture::scorer::{self, Degenerate, Reading};
use xray_picture::verdict::Verdict;

/// Largest object that is read, in bytes: an uncompressed film of the default limit has 20 MB.
pub const OBJECT_BYTES_MAX: u64 = 48 << 20;

/// What came out.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The picture was scored and its results are stored.
    Scored(Box<Scored>),
    /// It is not a picture that can be scored; trying again does not help.
    Rejected(Rejected),
}

/// A scored picture.
#[derive(Clone, Debug)]
pub struct Scored {
    /// What is said about it.
    pub verdict: Verdict,
    /// What was measured, or why nothing was.
    pub score: Result<Reading, Degenerate>,
    /// The kind of file.
    pub format: Format,
    /// Columns and rows.
    pub size: (usize, usize),
    /// Key of the processed picture.
    pub processed: String,
    /// Key of the archived original.
    pub archived: String,
    /// What became of the copy for research.
    pub research: Research,
}

/// What became of the copy for research.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Research {
    /// The rule did not choose this picture.
    NotChosen,
    /// It is stored under this key.
    Stored(String),
    /// It was not made.
    Refused(String),
}

/// Why a picture was not scored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The file cannot be decoded.
    #[error(transparent)]
    File(#[from] decode::Error),
    /// The object was deleted before it was read.
    #[error("the object is gone")]
    Gone,
    /// More bytes than the limit.
    #[error("the object has {0} bytes, the limit is {OBJECT_BYTES_MAX} bytes")]
    TooLarge(u64),
    /// The event is about a bucket that this function writes into.
    #[error("the object is in a bucket for results")]
    OwnOutput,
}

/// Processes one object. The original is archived first, so that it is safe before anything is said about it.
///
/// # Errors
/// When the store fails. Everything may be done again.
pub fn process(store: &impl Store, settings: &Settings, object: &Object) -> Result<Outcome, Failure> {
    let Object { bucket, key, .. } = object;
    if settings.is_output(bucket) {
        return Ok(Outcome::Rejected(Rejected::OwnOutput));
    }
    match store.size(bucket, key)? {
        None => return Ok(Outcome::Rejected(Rejected::Gone)),
        Some(size) if size > OBJECT_BYTES_MAX => return Ok(Outcome::Rejected(Rejected::TooLarge(size))),
        Some(_) => {}
    }
    let file = store.get(bucket, key)?;
    match decode::decode(&file, settings.pixels_max) {
        Ok(decoded) => scored(store, settings, object, (&file, &decoded)),
        Err(error) => Ok(Outcome::Rejected(error.into())),
    }
}

fn scored(
    store: &impl Store,
    settings: &Settings,
    object: &Object,
    (file, decoded): (&[u8], &Decoded<'_>),
) -> Result<Outcome, Failure> {
    let secret = &settings.copies.key;
    let score = scorer::score(&decoded.picture);
    let verdict = settings.limits.judge(score.as_ref().ok().map(|reading| reading.risk));
    let archived = object.archived(secret, decoded.format);
    store.put(&settings.archive, &archived, file)?;
    let research =
        if settings.chosen == Some(verdict) { copy(store, settings, object, decoded)? } else { Research::NotChosen };
    let processed = object.processed(secret);
    store.put(&settings.processed, &processed, &draw::processed(&decoded.picture, &score, &settings.limits))?;
    let size = (decoded.picture.width(), decoded.picture.height());
    Ok(Outcome::Scored(Box::new(Scored {
        verdict,
        score,
        format: decoded.format,
        size,
        processed,
        archived,
        research,
    })))
}

fn copy(store: &impl Store, settings: &Settings, object: &Object, decoded: &Decoded<'_>) -> Result<Research, Failure> {
    match anonymise(decoded, object, &settings.copies) {
        Ok(copy) => {
            let key = object.research(&settings.copies.key, &copy.number, copy.extension);
            store.put(&settings.research, &key, &copy.bytes)?;
            Ok(Research::Stored(key))
        }
        Err(refusal) => Ok(Research::Refused(refusal.to_string())),
    }
}

/// One line for the log, without names.
impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rejected(reason) => write!(f, "rejected: {reason}"),
            Self::Scored(scored) => {
                let (width, height) = scored.size;
                let verdict = scored.verdict.word();
                match &scored.score {
                    Ok(reading) => write!(f, "{verdict}, risk {:.3}", reading.risk)?,
                    Err(reason) => write!(f, "{verdict}, no risk: {reason}")?,
                }
                write!(f, ", {} {width} x {height}", scored.format.extension())?;
                match &scored.research {
                    Research::NotChosen => Ok(()),
                    Research::Stored(_) => f.write_str(", copied for research"),
                    Research::Refused(why) => write!(f, ", not copied for research: {why}"),
                }
            }
        }
    }
}
