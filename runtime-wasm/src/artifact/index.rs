//! Names of artifacts, their manifests, and the index that joins the two.

use super::ArtifactError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::{fs, io};

/// The host part of this node's own artifacts. It is never dialled.
pub(crate) const LOCAL_HOST: &str = "fnctl.local";
/// Media type of a component's layer.
const COMPONENT: &str = "application/wasm";
/// Media type of a wasm artifact's config.
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// An image's name, parsed: `fnctl.local/default/hello:v1` or `...@sha256:<hex>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name without host: `default/hello`.
    pub name: String,
    /// Which version of it.
    pub target: Target,
}

/// A version of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A name that may move.
    Tag(String),
    /// sha256, 64 hex digits.
    Digest(String),
}

/// Why an image's name cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Not a valid name.
    #[error("image {0:?} is not a valid name: it looks like fnctl.local/<namespace>/<name>:<tag>")]
    Invalid(String),
    /// A registry elsewhere.
    #[error(
        "image {image:?}: pulling from the registry {host} is not here yet: push it to this node, or deploy from a file"
    )]
    Remote {
        /// The name.
        image: String,
        /// The registry's host.
        host: String,
    },
    /// A path that nobody has rewritten.
    #[error("image {0:?} is a file: `fnctl apply` and `fnctl deploy` push it and put its name here, kubectl cannot")]
    File(String),
}

impl Reference {
    /// Parses an image's name. Docker's rule tells hosts from names: a first part with a dot or a port is a host.
    pub fn parse(image: &str) -> Result<Self, ReferenceError> {
        if image.starts_with(['.', '/']) || (image.ends_with(".wasm") && !image.contains(':')) {
            return Err(ReferenceError::File(image.to_owned()));
        }
        let invalid = || ReferenceError::Invalid(image.to_owned());
        let (host, rest) = match image.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
            _ => ("docker.io", image),
        };
        if host != LOCAL_HOST {
            return Err(ReferenceError::Remote { image: image.to_owned(), host: host.to_owned() });
        }
        let (name, target) = match (rest.split_once('@'), rest.split_once(':')) {
            (Some((name, digest)), _) => {
                let name = name.split_once(':').map_or(name, |(name, _tag)| name);
                (name, Target::parse_digest(digest).ok_or_else(invalid)?)
            }
            (None, Some((name, tag))) => (name, Target::Tag(tag.to_owned())),
            (None, None) => (rest, Target::Tag("latest".to_owned())),
        };
        if !is_name(name) || !target.is_valid() {
            return Err(invalid());
        }
        Ok(Self { name: name.to_owned(), target })
    }
}

impl Target {
    /// A tag, or a digest where it begins with `sha256:`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let target = Self::parse_digest(text).unwrap_or_else(|| Self::Tag(text.to_owned()));
        target.is_valid().then_some(target)
    }

    pub(crate) fn parse_digest(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?;
        let valid = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        valid.then(|| Self::Digest(hex.to_owned()))
    }

    fn is_valid(&self) -> bool {
        let Self::Tag(tag) = self else { return true };
        let first = tag.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let rest = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        first && rest && tag.len() <= 128
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(hex) => write!(f, "sha256:{hex}"),
        }
    }
}

/// Whether a repository's name is one by the distribution specification.
pub(crate) fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        edge(part.bytes().next())
            && edge(part.bytes().last())
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte))
    };
    name.len() <= 255 && name.split('/').all(part)
}

/// An OCI image manifest, as far as wasm artifacts use it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Descriptor {
    fn new(media_type: &str, (digest, size): (&str, u64)) -> Self {
        let (media_type, digest) = (media_type.to_owned(), format!("sha256:{digest}"));
        Self { media_type, digest, size, annotations: BTreeMap::new() }
    }

    fn hex(&self) -> Result<String, String> {
        match Target::parse_digest(&self.digest) {
            Some(Target::Digest(hex)) => Ok(hex),
            _ => Err(format!("{:?} is no sha256 digest", self.digest)),
        }
    }
}

impl Manifest {
    /// The manifest of one component; both parts as digest and size.
    pub(crate) fn of_component(config: (&str, u64), component: (&str, u64)) -> Self {
        let (config, layers) = (Descriptor::new(CONFIG, config), vec![Descriptor::new(COMPONENT, component)]);
        Self { schema_version: 2, media_type: Some(MANIFEST.to_owned()), config, layers }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default() // strings and numbers only: it does not fail
    }

    /// Every blob it names.
    pub(crate) fn digests(&self) -> Result<Vec<String>, String> {
        std::iter::once(&self.config).chain(&self.layers).map(Descriptor::hex).collect()
    }

    /// The digest of its one component.
    pub(crate) fn component(&self) -> Result<String, ArtifactError> {
        let mut wasm = self.layers.iter().filter(|layer| layer.media_type == COMPONENT);
        match (wasm.next(), wasm.next()) {
            (Some(layer), None) => layer.hex().map_err(ArtifactError::Manifest),
            (None, _) => {
                let found: Vec<_> = self.layers.iter().map(|layer| layer.media_type.as_str()).collect();
                let text = format!("no layer of type {COMPONENT}, only {found:?} (a container image is not here yet)");
                Err(ArtifactError::Manifest(text))
            }
            (Some(_), Some(_)) => Err(ArtifactError::Manifest(format!("more than one layer of type {COMPONENT}"))),
        }
    }
}

/// `index.json`: manifests by name and tag. A manifest that was pushed by digest alone stands under its digest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index(BTreeMap<(String, Target), Descriptor>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    schema_version: u32,
    media_type: String,
    manifests: Vec<Descriptor>,
}

impl Index {
    pub(crate) fn read(path: &Path) -> Result<Self, ArtifactError> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            read => read.map_err(super::at(path))?,
        };
        let damaged = |reason: String| ArtifactError::Damaged { path: path.to_owned(), reason };
        let written: Written = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let entry = |descriptor: Descriptor| {
            let image = format!("{LOCAL_HOST}/{}", descriptor.annotations.get(REF_NAME).map_or("", String::as_str));
            let Reference { name, target } = Reference::parse(&image).map_err(|error| damaged(error.to_string()))?;
            Ok(((name, target), descriptor))
        };
        written.manifests.into_iter().map(entry).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let manifests = self.0.values().cloned().collect();
        let written = Written { schema_version: 2, media_type: INDEX.to_owned(), manifests };
        serde_json::to_vec_pretty(&written).unwrap_or_default() // strings and numbers only: it does not fail
    }

    pub(crate) fn set(&mut self, name: &str, target: &Target, digest: &str, size: u64) {
        // By its digest too: a tag that moves on leaves the old manifest reachable.
        for target in [target.clone(), Target::Digest(digest.to_owned())] {
            let separator = if matches!(target, Target::Tag(_)) { ':' } else { '@' };
            let mut descriptor = Descriptor::new(MANIFEST, (digest, size));
            descriptor.annotations.insert(REF_NAME.to_owned(), format!("{name}{separator}{target}"));
            self.0.insert((name.to_owned(), target), descriptor);
        }
    }

    pub(crate) fn get(&self, name: &str, target: &Target) -> Option<String> {
        self.0.get(&(name.to_owned(), target.clone()))?.hex().ok()
    }

    pub(crate) fn tags(&self, name: &str) -> Vec<String> {
        let tag = |(found, target): &(String, Target)| match target {
            Target::Tag(tag) if found == name => Some(tag.clone()),
            Target::Tag(_) | Target::Digest(_) => None,
        };
        self.0.keys().filter_map(tag).collect()
    }
}
