//! What names may be, and how a key becomes a file's name: by its hash, so that no key reaches the file system.

use super::error::Error;
use fnctl_config::address::is_bucket_name;
use fnctl_config::limits::BUCKET_KEY_BYTES_MAX;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Checks a bucket's name by S3's rules.
pub fn check_bucket(name: &str) -> Result<(), Error> {
    if is_bucket_name(name) { Ok(()) } else { Err(Error::BucketName(name.to_owned())) }
}

/// Checks an object's key: any UTF-8 of 1 to 1,024 bytes.
pub fn check_key(key: &str) -> Result<(), Error> {
    match key.len() {
        0 => Err(Error::EmptyKey),
        1..=BUCKET_KEY_BYTES_MAX => Ok(()),
        length => Err(Error::KeyTooLong(length)),
    }
}

/// The name of the file of one version of an object. The sequencer keeps versions apart, so that a file is never
/// written over: who reads the old one goes on reading it.
pub(super) fn file(bucket: u64, key: &str, sequencer: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(bucket.to_be_bytes());
    hash.update(key.as_bytes());
    format!("{}-{sequencer:016x}", hex(&hash.finalize()))
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
