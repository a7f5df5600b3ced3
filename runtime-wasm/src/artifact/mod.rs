//! Functions' code on this node: an OCI image layout of components, and beside it what they were compiled to.
//!
//! ```text
//! <root>/oci-layout  index.json          names and the manifests they lead to
//! <root>/blobs/sha256/<hex>              components, configs, manifests: named by what they contain
//! <root>/compiled/<component>-<fingerprint>.cwasm, .sha256
//! <root>/partial/                        files that are being written; emptied at start
//! ```
//! Every file is written aside, synced and renamed: never in place, so that a crash leaves either the old or the new
//! one, and code that is mapped never changes.

mod compiled;
mod index;

pub(crate) use compiled::Compiled;
pub use compiled::LoadError;
pub(crate) use index::is_name;
pub use index::{Reference, ReferenceError, Target};

use crate::engine::Engine;
use fnctl_config::limits;
use index::{Index, Manifest};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The artifact store of one node. Cheap to clone. Its methods block on the disk.
#[derive(Clone, Debug)]
pub struct Artifacts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    index: Mutex<Index>,
    /// Compiled files that this process has verified or made, by name.
    verified: Mutex<HashMap<String, Compiled>>,
    next_partial: AtomicU64,
}

/// Why the artifact store failed.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The disk failed, or is full or read-only.
    #[error("artifact store: {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A push would leave too little room on the disk.
    #[error(
        "the disk has {free_bytes} bytes left, and the artifact store leaves {} free: free some space",
        limits::ARTIFACT_FREE_BYTES_MIN
    )]
    Full {
        /// What is left.
        free_bytes: u64,
    },
    /// A file of the store is not what it should be.
    #[error("artifact store: {path} is damaged: {reason}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// The bytes are not those that were announced.
    #[error("digest mismatch: expected {expected}, found {found}")]
    Digest {
        /// What was announced.
        expected: String,
        /// What came.
        found: String,
    },
    /// The store has no such name, tag or digest.
    #[error("{0} is not in the node's artifact store: push it, or deploy from a file")]
    Missing(String),
    /// An image's name that cannot be served.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A manifest that is no wasm artifact.
    #[error("the manifest is no wasm artifact: {0}")]
    Manifest(String),
}

impl Artifacts {
    /// Opens or makes the store in `root` (mode 0700), and drops files that a crash left half-written.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ArtifactError> {
        let root = root.into();
        for folder in ["blobs/sha256", "compiled", "partial"] {
            let path = root.join(folder);
            DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(at(&path))?;
        }
        let partial = root.join("partial");
        for entry in fs::read_dir(&partial).map_err(at(&partial))? {
            let path = entry.map_err(at(&partial))?.path();
            fs::remove_file(&path).map_err(at(&path))?;
        }
        let index = Index::read(&root.join("index.json"))?;
        let inner = Inner { root, index: Mutex::new(index), verified: Mutex::default(), next_partial: 0.into() };
        let store = Self(Arc::new(inner));
        store.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(store)
    }

    /// Puts a component under a name of this node (`default/hello`) and tag, as a push of an OCI artifact would.
    /// Returns the component's digest.
    pub fn put_component(&self, name: &str, tag: &str, component: &[u8]) -> Result<String, ArtifactError> {
        let digest = self.put_blob(component)?;
        let config = self.put_blob(b"{}")?;
        let manifest = Manifest::of_component((&config, 2), (&digest, component.len() as u64)).to_bytes();
        self.put_manifest(name, &Target::Tag(tag.to_owned()), &manifest)?;
        Ok(digest)
    }

    /// Ships components inside the binary: name (`examples/hello`) and bytes. Those already there are left alone.
    pub fn embed(&self, components: &[(&str, &[u8])]) -> Result<(), ArtifactError> {
        for (name, component) in components {
            let there = self.resolve(&format!("{}/{name}", index::LOCAL_HOST));
            if there.is_ok_and(|digest| digest == digest_of(component)) {
                continue;
            }
            self.put_component(name, "latest", component)?;
        }
        Ok(())
    }

    /// What an image's name leads to: the component's sha256, 64 hex digits.
    pub fn resolve(&self, image: &str) -> Result<String, ArtifactError> {
        let Reference { name, target } = Reference::parse(image)?;
        let missing = || ArtifactError::Missing(image.to_owned());
        if let Target::Digest(digest) = &target
            && self.blob(digest).is_ok_and(|blob| is_wasm(&blob))
        {
            return Ok(digest.clone());
        }
        let (_, manifest) = self.manifest(&name, &target).map_err(|error| match error {
            ArtifactError::Missing(_) => missing(),
            other => other,
        })?;
        Manifest::parse(&manifest).map_err(ArtifactError::Manifest)?.component()
    }

    /// Stores bytes under their digest and returns it.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<String, ArtifactError> {
        let digest = digest_of(bytes);
        let path = self.blob_path(&digest);
        if !path.try_exists().map_err(at(&path))? {
            self.write(&format!("blobs/sha256/{digest}"), bytes)?;
        }
        Ok(digest)
    }

    /// Stores a manifest under a name: all blobs it names must be there. Returns the manifest's digest.
    pub fn put_manifest(&self, name: &str, target: &Target, manifest: &[u8]) -> Result<String, ArtifactError> {
        let parsed = Manifest::parse(manifest).map_err(ArtifactError::Manifest)?;
        for digest in parsed.digests().map_err(ArtifactError::Manifest)? {
            let path = self.blob_path(&digest);
            if !path.try_exists().map_err(at(&path))? {
                return Err(ArtifactError::Missing(format!("blob sha256:{digest}")));
            }
        }
        parsed.component()?;
        let found = digest_of(manifest);
        if let Target::Digest(expected) = target
            && *expected != found
        {
            return Err(ArtifactError::Digest { expected: expected.clone(), found });
        }
        self.put_blob(manifest)?;
        let mut index = lock(&self.0.index);
        let mut next = index.clone();
        next.set(name, target, &found, manifest.len() as u64);
        self.write("index.json", &next.to_bytes())?;
        *index = next;
        Ok(found)
    }

    /// The component that a manifest names, if it is here.
    pub(crate) fn component_of(&self, manifest: &[u8]) -> Result<Vec<u8>, ArtifactError> {
        self.blob(&Manifest::parse(manifest).map_err(ArtifactError::Manifest)?.component()?)
    }

    /// A manifest and its digest, by tag or by digest.
    pub fn manifest(&self, name: &str, target: &Target) -> Result<(String, Vec<u8>), ArtifactError> {
        let digest = lock(&self.0.index).get(name, target);
        let digest = digest.ok_or_else(|| ArtifactError::Missing(format!("{name}:{target}")))?;
        Ok((digest.clone(), self.blob(&digest)?))
    }

    /// The tags of a name, sorted.
    pub fn tags(&self, name: &str) -> Vec<String> {
        lock(&self.0.index).tags(name)
    }

    /// A blob's bytes, checked against its digest.
    pub fn blob(&self, digest: &str) -> Result<Vec<u8>, ArtifactError> {
        let path = self.blob_path(digest);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ArtifactError::Missing(format!("blob sha256:{digest}")));
            }
            read => read.map_err(at(&path))?,
        };
        if digest_of(&bytes) != digest {
            return Err(ArtifactError::Damaged { path, reason: "its bytes are not those of its digest".to_owned() });
        }
        Ok(bytes)
    }

    /// Where a blob lies or would lie.
    pub(crate) fn blob_path(&self, digest: &str) -> PathBuf {
        self.0.root.join("blobs/sha256").join(digest)
    }

    /// The compiled form of a component for this engine, verified.
    pub(crate) fn compiled(&self, engine: &Engine, digest: &str) -> Result<Compiled, LoadError> {
        let name = format!("{digest}-{}", engine.fingerprint());
        if let Some(compiled) = lock(&self.0.verified).get(&name) {
            return Ok(compiled.clone());
        }
        let compiled = Compiled::verify(&self.0.root.join("compiled"), &name)?;
        lock(&self.0.verified).insert(name, compiled.clone());
        Ok(compiled)
    }

    /// Takes over a file that the compiler wrote into [`Self::partial`].
    pub(crate) fn adopt_compiled(&self, engine: &Engine, digest: &str, file: &Path) -> Result<(), ArtifactError> {
        let bytes = fs::read(file).map_err(at(file))?;
        let name = format!("{digest}-{}", engine.fingerprint());
        lock(&self.0.verified).remove(&name);
        // The code first: a digest without code is looked for in vain, code without a digest is never loaded.
        self.write(&format!("compiled/{name}.cwasm"), &bytes)?;
        self.write(&format!("compiled/{name}.sha256"), digest_of(&bytes).as_bytes())?;
        fs::remove_file(file).map_err(at(file))
    }

    /// Whether something may be pushed: the disk keeps `limits::ARTIFACT_FREE_BYTES_MIN`. What the node makes by itself
    /// (compiled code, names) may go below.
    pub(crate) fn has_room(&self) -> Result<(), ArtifactError> {
        let space = rustix::fs::statvfs(&self.0.root).map_err(|error| at(&self.0.root)(error.into()))?;
        let free_bytes = space.f_bavail.saturating_mul(space.f_frsize);
        if free_bytes < limits::ARTIFACT_FREE_BYTES_MIN { Err(ArtifactError::Full { free_bytes }) } else { Ok(()) }
    }

    /// A path for a file that is being written.
    pub(crate) fn partial(&self) -> PathBuf {
        let number = self.0.next_partial.fetch_add(1, Ordering::Relaxed);
        self.0.root.join("partial").join(format!("{}-{number}", std::process::id()))
    }

    /// Moves a finished file to its place, durably.
    pub(crate) fn adopt(&self, partial: &Path, relative: &str) -> Result<(), ArtifactError> {
        let path = self.0.root.join(relative);
        let parent = path.parent().unwrap_or(&self.0.root);
        File::open(partial).and_then(|file| file.sync_all()).map_err(at(partial))?;
        fs::rename(partial, &path).map_err(at(&path))?;
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(at(parent))
    }

    fn write(&self, relative: &str, bytes: &[u8]) -> Result<(), ArtifactError> {
        let partial = self.partial();
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial);
        let written = file.and_then(|mut file| file.write_all(bytes)).map_err(at(&partial));
        let written = written.and_then(|()| self.adopt(&partial, relative));
        if written.is_err() {
            // It would go at the next start anyway; the error that matters is the first.
            _ = fs::remove_file(&partial);
        }
        written
    }
}

/// sha256 as 64 hex digits.
pub fn digest_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        _ = write!(text, "{byte:02x}"); // writing to a String does not fail
        text
    })
}

fn is_wasm(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm")
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ArtifactError {
    move |source| ArtifactError::Io { path: path.to_owned(), source }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
