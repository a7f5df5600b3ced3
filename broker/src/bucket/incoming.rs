//! Bytes on their way into the store: written to a file of their own while they come, hashed, synced. Who gives up
//! leaves nothing behind.

use super::error::Error;
use super::name;
use crate::vfs::{File, Vfs};
use bytes::Bytes;
use fnctl_config::limits::BUCKET_CHUNK_BYTES;
use futures::{Stream, StreamExt as _};
use md5::{Digest as _, Md5};
use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

/// Where bytes go, and how many may come.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) directory: PathBuf,
    pub(super) free_bytes_min: u64,
    pub(super) bytes_max: u64,
}

impl Place {
    /// Refuses at the low-water mark.
    pub(super) fn check_room(&self) -> Result<(), Error> {
        let (free_bytes, required_bytes) = (self.vfs.free_bytes(&self.directory)?, self.free_bytes_min);
        if free_bytes < required_bytes {
            return Err(Error::Full { free_bytes, required_bytes });
        }
        Ok(())
    }
}

/// A whole file that nobody has taken over yet: dropped, it is removed.
#[derive(Debug)]
pub(super) struct Incoming {
    place: Place,
    /// Its name in the directory.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    kept: bool,
}

impl Incoming {
    /// It is part of the store now.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }

    pub(super) fn etag(&self) -> String {
        name::hex(&self.md5)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.kept {
            // What stays is removed at the next start.
            let _ = self.place.vfs.remove(&self.place.directory.join(&self.name));
        }
    }
}

/// A file that is being written. Blocks.
pub(super) struct Sink {
    file: Arc<dyn File>,
    hash: Md5,
    incoming: Incoming,
}

impl Sink {
    pub(super) fn create(place: &Place) -> Result<Self, Error> {
        place.check_room()?;
        let name = Uuid::new_v4().simple().to_string();
        let file = place.vfs.create(&place.directory.join(&name))?;
        let incoming = Incoming { place: place.clone(), name, size: 0, md5: [0; 16], kept: false };
        Ok(Self { file, hash: Md5::new(), incoming })
    }

    pub(super) fn write(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let place = &self.incoming.place;
        let size = self.incoming.size.saturating_add(chunk.len() as u64);
        if size > place.bytes_max {
            return Err(Error::TooLarge(place.bytes_max));
        }
        place.check_room()?;
        self.file.write_all_at(self.incoming.size, chunk)?;
        self.hash.update(chunk);
        self.incoming.size = size;
        Ok(())
    }

    /// Appends another file's bytes.
    pub(super) fn append(&mut self, file: &dyn File, size: u64) -> Result<(), Error> {
        let mut buffer = vec![0; BUCKET_CHUNK_BYTES.min(usize::try_from(size).unwrap_or(usize::MAX))];
        let mut at = 0;
        while at < size {
            let count = buffer.len().min(usize::try_from(size - at).unwrap_or(usize::MAX));
            file.read_exact_at(at, &mut buffer[..count])?;
            self.write(&buffer[..count])?;
            at += count as u64;
        }
        Ok(())
    }

    /// Makes the bytes survive a power cut; their name does so later.
    pub(super) fn finish(mut self) -> Result<Incoming, Error> {
        self.file.sync_all()?;
        self.incoming.md5 = self.hash.finalize().into();
        Ok(self.incoming)
    }
}

/// Takes a body in. Small ones are one visit to the blocking threads.
pub(super) async fn receive<S, E>(place: &Place, mut body: S) -> Result<Incoming, Error>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    let mut sink: Option<Sink> = None;
    let mut waiting: Vec<Bytes> = Vec::new();
    let mut bytes = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| broken(error.into()))?;
        bytes += chunk.len();
        waiting.push(chunk);
        if bytes >= BUCKET_CHUNK_BYTES {
            let (place, chunks, begun) = (place.clone(), std::mem::take(&mut waiting), sink.take());
            sink = Some(blocking(move || pour(&place, begun, &chunks)).await?);
            bytes = 0;
        }
    }
    let place = place.clone();
    blocking(move || pour(&place, sink, &waiting)?.finish()).await
}

fn pour(place: &Place, begun: Option<Sink>, chunks: &[Bytes]) -> Result<Sink, Error> {
    let mut sink = match begun {
        Some(sink) => sink,
        None => Sink::create(place)?,
    };
    for chunk in chunks {
        sink.write(chunk)?;
    }
    Ok(sink)
}

/// An error of the store that a body carries comes out as it is.
fn broken(error: Box<dyn StdError + Send + Sync>) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => Error::Body(error.to_string()),
    }
}

/// Runs work that blocks on a thread made for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => Err(Error::Failed(error.to_string())),
    }
}
