//! The node's bearer token: 32 random bytes, kept in a file that only the owner may read.

use super::private_file;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io;
use std::path::Path;
use subtle::ConstantTimeEq;

/// The secret that admits to the control port.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Reads the token of a file, or makes one and writes it there. A file without a token in it is an error.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        if let Some(text) = private_file::read(path)? {
            let text = text.trim();
            if text.len() < 32 {
                let message = format!("{} holds no token: delete it, and a new one is made", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            return Ok(Self(text.to_owned()));
        }
        let token = Self::random();
        private_file::write(path, token.0.as_bytes())?;
        Ok(token)
    }

    /// A new token.
    pub fn random() -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
    }

    /// Whether this is the token, in time that depends on neither. Hashes are compared, so the length is no secret.
    pub fn matches(&self, presented: &str) -> bool {
        Sha256::digest(&self.0).ct_eq(&Sha256::digest(presented)).into()
    }

    /// The token itself, for a kubeconfig.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
