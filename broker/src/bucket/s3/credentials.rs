//! The key that clients of the S3 endpoint sign with.

use crate::vfs::{Vfs, parent};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 4 << 10;

/// An access key and its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Names the key: 20 characters, as AWS'.
    pub access_key: String,
    /// What requests are signed with: 40 characters.
    pub secret_key: String,
}

/// The secret is not printed.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read or made.
    #[error("the S3 credentials {path} cannot be used")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("the S3 credentials {path} are not valid: remove the file to get new ones")]
    Invalid {
        /// The file.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Credentials {
    /// New ones from the system's random numbers.
    pub fn generate() -> Self {
        let mut random = rand::rng();
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let id: String = (0..18).map(|_| char::from(letters[random.random_range(0..letters.len())])).collect();
        let mut secret = [0_u8; 30];
        random.fill(&mut secret);
        Self { access_key: format!("FN{id}"), secret_key: BASE64_URL_SAFE_NO_PAD.encode(secret) }
    }

    /// Reads the file, or makes it, with mode 0600, where there is none. Blocks.
    pub fn load_or_create(vfs: &Arc<dyn Vfs>, path: &Path) -> Result<Self, CredentialsError> {
        let io = |source| CredentialsError::Io { path: path.display().to_string(), source };
        match read(&**vfs, path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| CredentialsError::Invalid { path: path.display().to_string(), source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Self::generate();
                write(&**vfs, path, &made).map_err(io)?;
                Ok(made)
            }
            Err(error) => Err(io(error)),
        }
    }
}

fn read(vfs: &dyn Vfs, path: &Path) -> io::Result<Vec<u8>> {
    let file = vfs.open(path)?;
    let length = file.length()?;
    if length > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too large for credentials"));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(0, &mut bytes)?;
    Ok(bytes)
}

/// The file is whole or not there, whatever happens meanwhile.
fn write(vfs: &dyn Vfs, path: &Path, credentials: &Credentials) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    match vfs.remove(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    vfs.create_directory(parent(path))?;
    let file = vfs.create(&unfinished)?;
    file.write_all_at(0, &serde_json::to_vec_pretty(credentials)?)?;
    file.sync_all()?;
    vfs.rename(&unfinished, path)?;
    vfs.sync_directory(parent(path))
}
