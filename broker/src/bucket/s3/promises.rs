//! What a client may ask for beside the bytes. Where the node would not do it the request is refused: an object that was to
//! be encrypted, locked or tagged, and is not, would be found out too late.

use s3s::{S3Request, S3Result, s3_error};

const REFUSED: [(&str, &str); 7] = [
    ("x-amz-server-side-encryption", "objects are not encrypted on disk"),
    ("x-amz-server-side-encryption-customer-algorithm", "objects are not encrypted on disk"),
    ("x-amz-object-lock-mode", "objects cannot be locked"),
    ("x-amz-object-lock-legal-hold", "objects cannot be locked"),
    ("x-amz-bucket-object-lock-enabled", "objects cannot be locked"),
    ("x-amz-tagging", "objects have no tags"),
    ("x-amz-website-redirect-location", "objects redirect nobody"),
];

/// Refuses a write that asks for what would not be done.
pub(super) fn check<T>(request: &S3Request<T>) -> S3Result<()> {
    let asked = |name: &str| request.headers.get(name).is_some_and(|value| value != "false");
    match REFUSED.iter().find(|(name, _)| asked(name)) {
        Some((name, why)) => Err(s3_error!(NotImplemented, "{name}: {why}")),
        None => Ok(()),
    }
}
