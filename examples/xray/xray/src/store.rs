//! What the function needs of an object store.

/// Buckets of objects.
pub trait Store {
    /// The size of an object in bytes, or `None` if it is not there.
    ///
    /// # Errors
    /// When the store cannot tell.
    fn size(&self, bucket: &str, key: &str) -> Result<Option<u64>, Failure>;

    /// The bytes of an object.
    ///
    /// # Errors
    /// When they cannot be read.
    fn get(&self, bucket: &str, key: &str) -> Result<Vec<u8>, Failure>;

    /// Stores an object, whole or not at all; what was there is replaced.
    ///
    /// # Errors
    /// When it is not stored for certain.
    fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<(), Failure>;
}

/// The store failed: the platform's trouble, worth another try.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {what} in the bucket {bucket}: {cause}")]
pub struct Failure {
    /// What was tried.
    pub what: &'static str,
    /// Where.
    pub bucket: String,
    /// The store's words.
    pub cause: String,
}
