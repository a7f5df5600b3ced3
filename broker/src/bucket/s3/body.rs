//! Bodies of uploads: bounded in idle time, and checked against what the client says of them before they are stored.

use crate::bucket::Error;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use fnctl_config::limits::S3_IDLE_TIMEOUT;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http::HeaderMap;
use md5::{Digest as _, Md5};
use s3s::TrailingHeaders;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{Checksum, StreamingBlob};
use tokio::time::timeout;

const NAMES: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// A body being read.
struct Reading {
    body: StreamingBlob,
    /// Checksums in the request's head.
    headers: HeaderMap,
    /// Checksums behind the body.
    trailers: Option<TrailingHeaders>,
    md5: Option<Md5>,
    hasher: ChecksumHasher,
}

/// The body with its checks: what does not match ends with an error, and is not stored.
pub(super) fn checked(
    body: Option<StreamingBlob>,
    headers: &HeaderMap,
    trailers: Option<TrailingHeaders>,
) -> BoxStream<'static, Result<Bytes, Error>> {
    let Some(body) = body else { return stream::empty().boxed() };
    let announced = headers.get("x-amz-trailer").and_then(|names| names.to_str().ok()).unwrap_or_default();
    let asked = |name: &str| headers.contains_key(name) || announced.split(',').any(|one| one.trim() == name);
    let hasher = ChecksumHasher {
        crc32: asked(NAMES[0]).then(Crc32::new),
        crc32c: asked(NAMES[1]).then(Crc32c::new),
        crc64nvme: asked(NAMES[2]).then(Crc64Nvme::new),
        sha1: asked(NAMES[3]).then(Sha1::new),
        sha256: asked(NAMES[4]).then(Sha256::new),
    };
    let md5 = headers.contains_key("content-md5").then(Md5::new);
    let reading = Reading { body, headers: headers.clone(), trailers, md5, hasher };
    stream::try_unfold(reading, Reading::next).boxed()
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        let chunk = timeout(S3_IDLE_TIMEOUT, self.body.next()).await;
        match chunk.map_err(|_| Error::Body(format!("no byte came for {S3_IDLE_TIMEOUT:?}")))? {
            Some(Ok(chunk)) => {
                self.hasher.update(&chunk);
                if let Some(md5) = &mut self.md5 {
                    md5.update(&chunk);
                }
                Ok(Some((chunk, self)))
            }
            Some(Err(error)) => Err(Error::Body(error.to_string())),
            None => self.check().map(|()| None),
        }
    }

    fn check(self) -> Result<(), Error> {
        if let (Some(md5), Some(said)) = (self.md5, self.headers.get("content-md5"))
            && BASE64_STANDARD.encode(md5.finalize()).as_bytes() != said.as_bytes()
        {
            return Err(Error::Digest("Content-MD5"));
        }
        let Checksum { checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256, .. } =
            self.hasher.finalize();
        let found = [checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256];
        let trailers = self.trailers.and_then(|trailers| trailers.take()).unwrap_or_default();
        for (name, found) in NAMES.into_iter().zip(found) {
            let said = self.headers.get(name).or_else(|| trailers.get(name));
            if let (Some(said), Some(found)) = (said, found)
                && said.as_bytes() != found.as_bytes()
            {
                return Err(Error::Digest(name));
            }
        }
        Ok(())
    }
}
