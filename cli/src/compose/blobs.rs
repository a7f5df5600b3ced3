//! Joins functions to the node's buckets: a guest's write is a PUT like any other, notified like any other.

use fnctl_broker::bucket::{Buckets, Error, Meta as StoredMeta, NewObject, Origin};
use fnctl_runtime_wasm::capability::blobs::{Blob, BlobError, Blobs, Content, Meta, Object, Range};
use futures::future::BoxFuture;
use futures::stream::StreamExt as _;
use jiff::Timestamp;

/// Who guests are in notifications.
const PRINCIPAL: &str = "function";

/// The node's buckets as functions see them.
#[derive(Debug)]
pub(crate) struct NodeBlobs(pub(crate) Buckets);

impl Blobs for NodeBlobs {
    fn bucket<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Timestamp, BlobError>> {
        Box::pin(async move { Ok(self.0.bucket(bucket).await.map_err(refused)?.created) })
    }

    fn head<'a>(&'a self, object: &'a Object) -> BoxFuture<'a, Result<Meta, BlobError>> {
        Box::pin(async move { Ok(known(&self.0.head(&object.bucket, &object.key).await.map_err(refused)?)) })
    }

    fn get<'a>(&'a self, object: &'a Object, range: Range) -> BoxFuture<'a, Result<Blob, BlobError>> {
        Box::pin(async move {
            let asked = move |_: &StoredMeta| Ok::<_, Error>(range.start..range.end.max(range.start));
            let (_, content) = self.0.get(&object.bucket, &object.key, asked).await.map_err(refused)?;
            Ok(Blob { size: content.remaining(), content: content.map(|chunk| chunk.map_err(refused)).boxed() })
        })
    }

    fn put<'a>(&'a self, object: &'a Object, content: Content) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            let new = NewObject::new(&object.bucket, &object.key, Origin::new(PRINCIPAL, ""));
            match self.0.put(new, content).await {
                Ok(_) => Ok(()),
                Err(Error::Body(_)) => Err(BlobError::Unfinished),
                Err(error) => Err(refused(error)),
            }
        })
    }

    fn delete<'a>(&'a self, object: &'a Object) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            self.0.delete(&object.bucket, &object.key, Origin::new(PRINCIPAL, "")).await.map_err(refused)
        })
    }

    fn list<'a>(
        &'a self,
        bucket: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>> {
        Box::pin(async move { self.0.keys(bucket, after, limit).await.map_err(refused) })
    }

    fn copy<'a>(&'a self, from: &'a Object, to: &'a Object) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            let new = NewObject::new(&to.bucket, &to.key, Origin::new(PRINCIPAL, ""));
            self.0.copy((&from.bucket, &from.key), new, None).await.map(drop).map_err(refused)
        })
    }
}

fn known(meta: &StoredMeta) -> Meta {
    Meta { size: meta.size, modified: meta.modified }
}

fn refused(error: Error) -> BlobError {
    match error {
        Error::NoBucket(bucket) => BlobError::NoBucket(bucket),
        Error::NoObject { bucket, key } => BlobError::NoObject { bucket, key },
        Error::BucketName(_) | Error::EmptyKey | Error::KeyTooLong(_) => BlobError::Invalid(error.to_string()),
        other => BlobError::Failed(other.to_string()),
    }
}
