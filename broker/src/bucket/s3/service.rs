//! S3's operations on the store. What is not here is answered `NotImplemented` by the trait itself.

use super::{answer, copy, list, objects, promises, uploads};
use crate::bucket::{Buckets, Origin, REGION};
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

/// The operations.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) buckets: Buckets,
}

/// Who asks, in which request: noted by the connection before the request came here.
pub(super) fn origin<T>(request: &S3Request<T>) -> Origin {
    let principal = request.credentials.as_ref().map(|credentials| credentials.access_key.clone()).unwrap_or_default();
    match request.extensions.get::<Origin>() {
        Some(origin) => Origin { principal, ..origin.clone() },
        None => Origin::new(principal, ""),
    }
}

fn owner() -> Owner {
    Owner { display_name: Some("fnctl".to_owned()), id: Some("fnctl".to_owned()) }
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        promises::check(&request)?;
        let name = request.input.bucket;
        self.buckets.create_bucket(&name).await?;
        Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{name}")) }))
    }

    async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.buckets.delete_bucket(&request.input.bucket).await?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.buckets.bucket(&request.input.bucket).await?;
        let output = HeadBucketOutput { bucket_region: Some(REGION.to_owned()), ..HeadBucketOutput::default() };
        Ok(S3Response::new(output))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self.buckets.buckets().await?;
        let listed = |bucket: crate::bucket::Bucket| Bucket {
            creation_date: Some(answer::time(bucket.created)),
            name: Some(bucket.name),
            bucket_region: Some(REGION.to_owned()),
        };
        let output = ListBucketsOutput {
            buckets: Some(buckets.into_iter().map(listed).collect()),
            owner: Some(owner()),
            ..ListBucketsOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.buckets.bucket(&request.input.bucket).await?;
        // S3 says nothing for the region that ours is named after.
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    /// Never switched on, as S3 says it: clients ask before they remove objects.
    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        self.buckets.bucket(&request.input.bucket).await?;
        Ok(S3Response::new(GetBucketVersioningOutput::default()))
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        list::first(&self.buckets, request.input).await.map(S3Response::new)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        list::second(&self.buckets, request.input).await.map(S3Response::new)
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        objects::put(&self.buckets, request).await.map(S3Response::new)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        objects::get(&self.buckets, request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        objects::head(&self.buckets, request).await
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        copy::object(&self.buckets, request).await.map(S3Response::new)
    }

    /// None, as for any object: clients ask before they copy a large one.
    async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        self.buckets.head(&request.input.bucket, &request.input.key).await?;
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set: Vec::new(), version_id: None }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let origin = origin(&request);
        let input = request.input;
        if input.version_id.is_some() || input.if_match.is_some() {
            return Err(s3_error!(NotImplemented, "objects have no versions, and deletes no conditions"));
        }
        self.buckets.delete(&input.bucket, &input.key, origin).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        objects::delete_many(&self.buckets, request).await.map(S3Response::new)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        uploads::create(&self.buckets, request).await.map(S3Response::new)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        uploads::put_part(&self.buckets, request).await.map(S3Response::new)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        uploads::complete(&self.buckets, request).await.map(S3Response::new)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        uploads::abort(&self.buckets, request).await.map(S3Response::new)
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        copy::part(&self.buckets, request).await.map(S3Response::new)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        uploads::list_open(&self.buckets, request.input).await.map(S3Response::new)
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        uploads::list(&self.buckets, request).await.map(S3Response::new)
    }
}
