//! Blobs on their way in: hashed while they stream into a file, stored under their digest only when it fits.

use crate::artifact::{ArtifactError, Artifacts, hex};
use axum::body::Body;
use fnctl_config::limits;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

#[derive(Clone, Debug)]
pub(super) struct Uploads {
    artifacts: Artifacts,
    open: Arc<Mutex<HashMap<String, Upload>>>,
}

#[derive(Debug)]
struct Upload {
    partial: Partial,
    used: Instant,
    bytes: u64,
    hash: Sha256,
}

/// A file that goes with its upload.
#[derive(Debug)]
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Adopted ones are no longer there; the others would go at the next start anyway.
        _ = std::fs::remove_file(&self.0);
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    #[error("there is no such upload: it was finished, or nobody continued it")]
    Unknown,
    #[error("{} uploads are open, the limit", limits::UPLOADS_MAX)]
    TooMany,
    #[error("the blob is larger than {} bytes, the limit of a component", limits::COMPONENT_BYTES_MAX)]
    TooLarge,
    #[error("the upload has {bytes} bytes: continue there")]
    Gap { bytes: u64 },
    #[error("the body broke off: {0}")]
    Body(axum::Error),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

impl Uploads {
    pub(super) fn new(artifacts: Artifacts) -> Self {
        Self { artifacts, open: Arc::default() }
    }

    pub(super) fn begin(&self) -> Result<String, UploadError> {
        let now = Instant::now();
        let mut open = self.lock();
        open.retain(|_, upload| now.duration_since(upload.used) < limits::UPLOAD_IDLE_MAX);
        if open.len() >= limits::UPLOADS_MAX {
            return Err(UploadError::TooMany);
        }
        let id = hex(&rand::random::<[u8; 16]>());
        let partial = Partial(self.artifacts.partial());
        open.insert(id.clone(), Upload { partial, used: now, bytes: 0, hash: Sha256::new() });
        Ok(id)
    }

    /// Takes the upload out while a body streams into it: two bodies at once would mix.
    pub(super) async fn append(&self, id: &str, start: Option<u64>, body: Body) -> Result<u64, UploadError> {
        let mut upload = self.lock().remove(id).ok_or(UploadError::Unknown)?;
        let bytes = upload.bytes;
        if start.is_some_and(|start| start != bytes) {
            self.lock().insert(id.to_owned(), upload);
            return Err(UploadError::Gap { bytes });
        }
        let failed = |source| ArtifactError::Io { path: PathBuf::from("partial"), source };
        let file = File::options().append(true).create(true).mode(0o600).open(&upload.partial.0).await;
        let mut file = file.map_err(failed)?;
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(UploadError::Body)?;
            self.artifacts.has_room()?;
            upload.bytes += chunk.len() as u64;
            if upload.bytes > limits::COMPONENT_BYTES_MAX as u64 {
                return Err(UploadError::TooLarge);
            }
            upload.hash.update(&chunk);
            file.write_all(&chunk).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        upload.used = Instant::now();
        let bytes = upload.bytes;
        self.lock().insert(id.to_owned(), upload);
        Ok(bytes)
    }

    /// Stores the upload if its bytes are those of `digest`; it is gone either way.
    pub(super) async fn finish(&self, id: &str, digest: &str) -> Result<(), UploadError> {
        let upload = self.lock().remove(id).ok_or(UploadError::Unknown)?;
        let found = hex(&upload.hash.clone().finalize());
        if found != digest {
            return Err(ArtifactError::Digest { expected: digest.to_owned(), found }.into());
        }
        let artifacts = self.artifacts.clone();
        let relative = format!("blobs/sha256/{found}");
        let adopted = tokio::task::spawn_blocking(move || artifacts.adopt(&upload.partial.0, &relative)).await;
        Ok(adopted.map_err(|_| UploadError::Unknown)??)
    }

    pub(super) fn bytes(&self, id: &str) -> Result<u64, UploadError> {
        self.lock().get(id).map(|upload| upload.bytes).ok_or(UploadError::Unknown)
    }

    pub(super) fn cancel(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
