//! Settings of the function, from its environment.

use xray_picture::anonymise::{self, Label};
use xray_picture::keyed::Key;
use xray_picture::rules::Rules;
use xray_picture::verdict::{Limits, Verdict};

/// Everything that a deployment decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where processed pictures go.
    pub processed: String,
    /// Where anonymised copies go.
    pub research: String,
    /// Where originals go.
    pub archive: String,
    /// The limits of the verdict.
    pub limits: Limits,
    /// The verdict whose pictures are copied for research, if any.
    pub chosen: Option<Verdict>,
    /// How copies are made.
    pub copies: anonymise::Settings,
    /// Most pixels of a picture.
    pub pixels_max: usize,
    /// Name of the function, for the source of its events.
    pub service: String,
}

/// A setting that is missing or cannot be meant. Its value is not repeated: it may be the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the setting {name} {problem}")]
pub struct Wrong {
    /// The environment variable.
    pub name: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// Megapixels where nothing is said: what 256 MiB of memory hold with a JPEG 2000 picture being decoded.
const MEGAPIXELS: usize = 10;
/// The most that can be set; beyond it every picture is refused.
const MEGAPIXELS_MAX: usize = 99;

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// Names the first setting that is missing or wrong. Without `XRAY_HMAC_KEY` the function refuses to work: an unkeyed
    /// number would be reversed by trying all patients.
    pub fn read(setting: impl Fn(&str) -> Option<String>) -> Result<Self, Wrong> {
        let get = |name| setting(name).filter(|value| !value.trim().is_empty());
        let bucket = |name, default: &str| get(name).unwrap_or_else(|| default.to_owned());
        let key = get("XRAY_HMAC_KEY")
            .ok_or_else(|| wrong("XRAY_HMAC_KEY", "is missing: it is a Secret of 64 hexadecimal digits"))?;
        let key = Key::parse(&key).map_err(|error| wrong("XRAY_HMAC_KEY", error))?;
        let settings = Self {
            processed: bucket("XRAY_BUCKET_PROCESSED", "xray-processed"),
            research: bucket("XRAY_BUCKET_RESEARCH", "xray-research"),
            archive: bucket("XRAY_BUCKET_ARCHIVE", "xray-archive"),
            limits: limits(&get)?,
            chosen: chosen(&get)?,
            copies: anonymise::Settings { key, rules: rules(&get)?, label: label(&get)? },
            pixels_max: pixels_max(&get)?,
            service: bucket("K_SERVICE", "xray"),
        };
        Ok(settings)
    }

    /// Whether a bucket is one that this function writes into: its pictures are never processed, or it would never end.
    pub fn is_output(&self, bucket: &str) -> bool {
        [&self.processed, &self.research, &self.archive].iter().any(|output| *output == bucket)
    }
}

fn wrong(name: &'static str, problem: impl std::fmt::Display) -> Wrong {
    Wrong { name, problem: problem.to_string() }
}

type Get<'a> = &'a dyn Fn(&'static str) -> Option<String>;

fn limits(get: Get<'_>) -> Result<Limits, Wrong> {
    let default = Limits::default();
    let number = |name, default| match get(name) {
        Some(text) => text.trim().parse::<f64>().map_err(|_| wrong(name, "must be a number from 0 to 1")),
        None => Ok(default),
    };
    let normal = number("XRAY_NORMAL_BELOW", default.normal_below())?;
    let pneumonia = number("XRAY_PNEUMONIA_ABOVE", default.pneumonia_above())?;
    Limits::new(normal, pneumonia)
        .ok_or_else(|| wrong("XRAY_PNEUMONIA_ABOVE", "must be from XRAY_NORMAL_BELOW to 1, and that from 0"))
}

fn chosen(get: Get<'_>) -> Result<Option<Verdict>, Wrong> {
    match get("XRAY_RESEARCH").as_deref().map(str::trim) {
        None | Some("unsure") => Ok(Some(Verdict::Unsure)),
        Some("pneumonia") => Ok(Some(Verdict::Pneumonia)),
        Some("none") => Ok(None),
        Some(_) => Err(wrong("XRAY_RESEARCH", "must be unsure, pneumonia or none")),
    }
}

fn label(get: Get<'_>) -> Result<Label, Wrong> {
    match get("XRAY_LABEL").as_deref().map(str::trim) {
        None | Some("number") => Ok(Label::Number),
        Some("none") => Ok(Label::None),
        Some(_) => Err(wrong("XRAY_LABEL", "must be number or none")),
    }
}

fn rules(get: Get<'_>) -> Result<Rules, Wrong> {
    let text = get("XRAY_REGIONS").unwrap_or_else(|| "[]".into());
    serde_json::from_str(&text).map_err(|error| wrong("XRAY_REGIONS", format_args!("is not a list of rules: {error}")))
}

fn pixels_max(get: Get<'_>) -> Result<usize, Wrong> {
    let megapixels = match get("XRAY_MEGAPIXELS_MAX") {
        Some(text) => text.trim().parse().ok().filter(|number| (1..=MEGAPIXELS_MAX).contains(number)),
        None => Some(MEGAPIXELS),
    };
    let problem = format_args!("must be a whole number from 1 to {MEGAPIXELS_MAX}").to_string();
    Ok(megapixels.ok_or_else(|| wrong("XRAY_MEGAPIXELS_MAX", problem))? * 1_000_000)
}
