//! Compiled components on disk. The one place of the project that loads native code.

use crate::engine::Engine;
use std::fs;
use std::path::{Path, PathBuf};
use wasmtime::component::Component;

/// A compiled component whose bytes were those of its digest when this process first saw it. The folder belongs to this
/// user alone (0700) and files are replaced by renaming only.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    path: PathBuf,
    bytes: u64,
}

/// Why compiled code cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The component was not compiled on this node, or for another version or another CPU.
    #[error("the component is not compiled on this node: deploy it again")]
    Missing,
    /// The file is not the one that was written.
    #[error("the compiled component {0} is damaged: deploy it again")]
    Damaged(PathBuf),
    /// The engine refuses it.
    #[error("the compiled component cannot be loaded: {0}")]
    Refused(String),
}

impl Compiled {
    pub(crate) fn verify(folder: &Path, name: &str) -> Result<Self, LoadError> {
        let path = folder.join(format!("{name}.cwasm"));
        let expected = fs::read_to_string(folder.join(format!("{name}.sha256"))).map_err(|_| LoadError::Missing)?;
        let code = fs::read(&path).map_err(|_| LoadError::Missing)?;
        if super::digest_of(&code) != expected.trim() {
            return Err(LoadError::Damaged(path));
        }
        Ok(Self { path, bytes: code.len() as u64 })
    }

    /// Size of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Maps the code into this process.
    #[allow(unsafe_code, reason = "wasmtime cannot check native code; what is loaded was made by our compiler alone")]
    pub(crate) fn load(&self, engine: &Engine) -> Result<Component, LoadError> {
        // SAFETY: the file was written by our own compiler child, its digest was verified, its folder is ours alone, and
        // it is never changed in place.
        let loaded = unsafe { Component::deserialize_file(engine.wasm(), &self.path) };
        loaded.map_err(|error| LoadError::Refused(format!("{error:#}")))
    }
}
