//! `wasi:blobstore` over the [`Blobs`] port. Every call is checked against the revision's grants.

use super::bindings::wasi::blobstore::{blobstore, container, types};
use super::blobs::{Blob, BlobError, Blobs, Content, Object, Range};
use crate::store::Context;
use bytes::{Bytes, BytesMut};
use fnctl_config::limits;
use fnctl_config::snapshot::Access;
use futures::stream::{self, StreamExt as _};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, poll_noop, spawn};

/// What guests are told.
type Told<T> = Result<std::result::Result<T, String>>;

pub(crate) fn add_to_linker(linker: &mut Linker<Context>) -> Result<()> {
    types::add_to_linker::<_, HasSelf<Context>>(linker, |context| context)?;
    container::add_to_linker::<_, HasSelf<Context>>(linker, |context| context)?;
    blobstore::add_to_linker::<_, HasSelf<Context>>(linker, |context| context)
}

/// An open bucket.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated code publishes it")]
pub struct Container {
    name: String,
}

/// A listing and how far it was read.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated code publishes it")]
pub struct ObjectNames {
    bucket: String,
    after: String,
}

/// A value that is being read.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated code publishes it")]
pub struct IncomingValue(Blob);

/// A value that is being written: its bytes wait in a short channel until it is known where they go.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated code publishes it")]
pub struct OutgoingValue {
    sender: Option<mpsc::Sender<Bytes>>,
    finish: oneshot::Sender<()>,
    /// Until `write-data` takes it.
    content: Option<(mpsc::Receiver<Bytes>, oneshot::Receiver<()>)>,
    put: Option<AbortOnDropJoinHandle<std::result::Result<(), BlobError>>>,
}

impl Context {
    fn blobs(&self) -> Arc<dyn Blobs> {
        self.function.node.blobs.clone()
    }

    fn allow(&self, bucket: &str, needed: Access) -> std::result::Result<(), String> {
        match self.function.revision.grants.buckets.get(bucket) {
            Some(granted) if *granted >= needed => Ok(()),
            Some(_) => {
                Err(format!("bucket {bucket:?} is granted for reading only: see the annotation fnctl.dev/buckets"))
            }
            None => Err(format!("bucket {bucket:?} is not granted: see the annotation fnctl.dev/buckets")),
        }
    }

    /// The object `name` of an open bucket, if it may be used so.
    fn object(
        &self,
        container: &Resource<Container>,
        name: String,
        needed: Access,
    ) -> Result<std::result::Result<Object, String>> {
        let bucket = self.table.get(container)?.name.clone();
        Ok(self.allow(&bucket, needed).map(|()| Object { bucket, key: name }))
    }

    async fn delete_one(&mut self, object: &Object) -> std::result::Result<(), String> {
        self.blobs().delete(object).await.map_err(|error| error.to_string())
    }

    async fn copy(&mut self, from: types::ObjectId, to: types::ObjectId) -> std::result::Result<Object, String> {
        self.allow(&from.container, Access::Read)?;
        self.allow(&to.container, Access::ReadWrite)?;
        let [from, to] = [from, to].map(|id| Object { bucket: id.container, key: id.object });
        self.blobs().copy(&from, &to).await.map_err(|error| error.to_string())?;
        Ok(from)
    }
}

impl blobstore::Host for Context {
    async fn create_container(&mut self, name: String) -> Told<Resource<Container>> {
        Ok(Err(format!("a function cannot make buckets: make {name:?} with the node's S3 endpoint")))
    }

    async fn get_container(&mut self, name: String) -> Told<Resource<Container>> {
        if let Err(refused) = self.allow(&name, Access::Read) {
            return Ok(Err(refused));
        }
        match self.blobs().bucket(&name).await {
            Ok(_) => Ok(Ok(self.table.push(Container { name })?)),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    async fn delete_container(&mut self, name: String) -> Told<()> {
        Ok(Err(format!("a function cannot delete buckets: delete {name:?} with the node's S3 endpoint")))
    }

    async fn container_exists(&mut self, name: String) -> Told<bool> {
        if let Err(refused) = self.allow(&name, Access::Read) {
            return Ok(Err(refused));
        }
        Ok(match self.blobs().bucket(&name).await {
            Ok(_) => Ok(true),
            Err(BlobError::NoBucket(_)) => Ok(false),
            Err(error) => Err(error.to_string()),
        })
    }

    async fn copy_object(&mut self, src: types::ObjectId, dest: types::ObjectId) -> Told<()> {
        Ok(self.copy(src, dest).await.map(drop))
    }

    async fn move_object(&mut self, src: types::ObjectId, dest: types::ObjectId) -> Told<()> {
        if let Err(refused) = self.allow(&src.container, Access::ReadWrite) {
            return Ok(Err(refused));
        }
        if (&src.container, &src.object) == (&dest.container, &dest.object) {
            return Ok(Ok(())); // it is there already; deleting it would lose it
        }
        Ok(match self.copy(src, dest).await {
            Ok(from) => self.delete_one(&from).await,
            Err(error) => Err(error),
        })
    }
}

impl container::Host for Context {}

impl container::HostContainer for Context {
    async fn name(&mut self, this: Resource<Container>) -> Told<String> {
        Ok(Ok(self.table.get(&this)?.name.clone()))
    }

    async fn info(&mut self, this: Resource<Container>) -> Told<types::ContainerMetadata> {
        let name = self.table.get(&this)?.name.clone();
        let created = self.blobs().bucket(&name).await;
        let seconds = created.map(|at| u64::try_from(at.as_second()).unwrap_or(0));
        Ok(seconds.map(|created_at| types::ContainerMetadata { name, created_at }).map_err(|error| error.to_string()))
    }

    async fn get_data(
        &mut self,
        this: Resource<Container>,
        name: String,
        start: u64,
        end: u64,
    ) -> Told<Resource<IncomingValue>> {
        let object = match self.object(&this, name, Access::Read)? {
            Ok(object) => object,
            Err(refused) => return Ok(Err(refused)),
        };
        match self.blobs().get(&object, Range { start, end: end.saturating_add(1) }).await {
            Ok(blob) => Ok(Ok(self.table.push(IncomingValue(blob))?)),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    async fn write_data(&mut self, this: Resource<Container>, name: String, data: Resource<OutgoingValue>) -> Told<()> {
        let object = match self.object(&this, name, Access::ReadWrite)? {
            Ok(object) => object,
            Err(refused) => return Ok(Err(refused)),
        };
        let blobs = self.blobs();
        let value = self.table.get_mut(&data)?;
        let Some((chunks, finished)) = value.content.take() else {
            return Ok(Err("the value was already given to write-data".to_owned()));
        };
        // Owned by the value: a call that ends, or drops the value, ends it, and then nothing is stored.
        value.put = Some(spawn(async move { blobs.put(&object, content(chunks, finished)).await }));
        Ok(Ok(()))
    }

    async fn list_objects(&mut self, this: Resource<Container>) -> Told<Resource<ObjectNames>> {
        let bucket = self.table.get(&this)?.name.clone();
        match self.allow(&bucket, Access::Read) {
            Ok(()) => Ok(Ok(self.table.push(ObjectNames { bucket, after: String::new() })?)),
            Err(refused) => Ok(Err(refused)),
        }
    }

    async fn delete_object(&mut self, this: Resource<Container>, name: String) -> Told<()> {
        Ok(match self.object(&this, name, Access::ReadWrite)? {
            Ok(object) => self.delete_one(&object).await,
            Err(refused) => Err(refused),
        })
    }

    async fn delete_objects(&mut self, this: Resource<Container>, names: Vec<String>) -> Told<()> {
        for name in names {
            let done = match self.object(&this, name, Access::ReadWrite)? {
                Ok(object) => self.delete_one(&object).await,
                Err(refused) => Err(refused),
            };
            if done.is_err() {
                return Ok(done);
            }
        }
        Ok(Ok(()))
    }

    async fn has_object(&mut self, this: Resource<Container>, name: String) -> Told<bool> {
        let object = match self.object(&this, name, Access::Read)? {
            Ok(object) => object,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(match self.blobs().head(&object).await {
            Ok(_) => Ok(true),
            Err(BlobError::NoObject { .. }) => Ok(false),
            Err(error) => Err(error.to_string()),
        })
    }

    async fn object_info(&mut self, this: Resource<Container>, name: String) -> Told<types::ObjectMetadata> {
        let object = match self.object(&this, name, Access::Read)? {
            Ok(object) => object,
            Err(refused) => return Ok(Err(refused)),
        };
        let meta = self.blobs().head(&object).await;
        Ok(meta.map_err(|error| error.to_string()).map(|meta| types::ObjectMetadata {
            name: object.key,
            container: object.bucket,
            created_at: u64::try_from(meta.modified.as_second()).unwrap_or(0),
            size: meta.size,
        }))
    }

    async fn clear(&mut self, this: Resource<Container>) -> Told<()> {
        let bucket = self.table.get(&this)?.name.clone();
        if let Err(refused) = self.allow(&bucket, Access::ReadWrite) {
            return Ok(Err(refused));
        }
        loop {
            let keys = match self.blobs().list(&bucket, "", limits::LIST_PAGE_MAX).await {
                Ok(keys) if keys.is_empty() => return Ok(Ok(())),
                Ok(keys) => keys,
                Err(error) => return Ok(Err(error.to_string())),
            };
            for key in keys {
                if let Err(error) = self.delete_one(&Object { bucket: bucket.clone(), key }).await {
                    return Ok(Err(error));
                }
            }
        }
    }

    async fn drop(&mut self, this: Resource<Container>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl container::HostStreamObjectNames for Context {
    async fn read_stream_object_names(&mut self, this: Resource<ObjectNames>, len: u64) -> Told<(Vec<String>, bool)> {
        let limit = usize::try_from(len).unwrap_or(usize::MAX).clamp(1, limits::LIST_PAGE_MAX);
        let blobs = self.blobs();
        let names = self.table.get_mut(&this)?;
        // One more than asked for tells whether the page is the last.
        let mut page = match blobs.list(&names.bucket, &names.after, limit + 1).await {
            Ok(page) => page,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let last = page.len() <= limit;
        page.truncate(limit);
        if let Some(name) = page.last() {
            names.after.clone_from(name);
        }
        Ok(Ok((page, last)))
    }

    async fn skip_stream_object_names(&mut self, this: Resource<ObjectNames>, num: u64) -> Told<(u64, bool)> {
        let mut skipped = 0;
        while skipped < num {
            let this = Resource::new_borrow(this.rep());
            match self.read_stream_object_names(this, num - skipped).await? {
                Ok((page, last)) => {
                    skipped += page.len() as u64;
                    if last {
                        return Ok(Ok((skipped, true)));
                    }
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok((skipped, false)))
    }

    async fn drop(&mut self, this: Resource<ObjectNames>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl types::Host for Context {}

impl types::HostOutgoingValue for Context {
    async fn new_outgoing_value(&mut self) -> Result<Resource<OutgoingValue>> {
        let (sender, chunks) = mpsc::channel(limits::BLOB_CHUNKS_MAX);
        let (finish, finished) = oneshot::channel();
        let value = OutgoingValue { sender: Some(sender), finish, content: Some((chunks, finished)), put: None };
        Ok(self.table.push(value)?)
    }

    async fn outgoing_value_write_body(
        &mut self,
        this: Resource<OutgoingValue>,
    ) -> Result<std::result::Result<Resource<DynOutputStream>, ()>> {
        let Some(sender) = self.table.get_mut(&this)?.sender.take() else { return Ok(Err(())) };
        let stream: DynOutputStream = Box::new(Writing { sender, bytes: 0 });
        Ok(Ok(self.table.push(stream)?))
    }

    async fn finish(&mut self, this: Resource<OutgoingValue>) -> Told<()> {
        let OutgoingValue { sender, finish, put, .. } = self.table.delete(this)?;
        drop(sender); // an empty value: its stream was never asked for
        let Some(put) = put else { return Ok(Err("the value was never given to write-data".to_owned())) };
        // The receiver is gone when the put has failed; its result tells.
        _ = finish.send(());
        Ok(put.await.map_err(|error| error.to_string()))
    }

    async fn drop(&mut self, this: Resource<OutgoingValue>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl types::HostIncomingValue for Context {
    async fn incoming_value_consume_sync(&mut self, this: Resource<IncomingValue>) -> Told<Vec<u8>> {
        let IncomingValue(Blob { size, mut content }) = self.table.delete(this)?;
        if size > limits::BLOB_INLINE_BYTES_MAX {
            let limit = limits::BLOB_INLINE_BYTES_MAX;
            return Ok(Err(format!("the value has {size} bytes, more than {limit}: read it as a stream")));
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = content.next().await {
            match chunk {
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
        Ok(Ok(bytes.into()))
    }

    async fn incoming_value_consume_async(&mut self, this: Resource<IncomingValue>) -> Told<Resource<DynInputStream>> {
        let IncomingValue(blob) = self.table.delete(this)?;
        let stream: DynInputStream = Box::new(Reading { content: blob.content, next: None });
        Ok(Ok(self.table.push(stream)?))
    }

    async fn size(&mut self, this: Resource<IncomingValue>) -> Result<u64> {
        Ok(self.table.get(&this)?.0.size)
    }

    async fn drop(&mut self, this: Resource<IncomingValue>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

/// The chunks of a value, then its end if it was finished, else an error: a writer that trapped stores nothing.
fn content(chunks: mpsc::Receiver<Bytes>, finished: oneshot::Receiver<()>) -> Content {
    stream::unfold(Some((chunks, finished)), |state| async {
        let (mut chunks, finished) = state?;
        match chunks.recv().await {
            Some(chunk) => Some((Ok(chunk), Some((chunks, finished)))),
            None if finished.await.is_ok() => None,
            None => Some((Err(BlobError::Unfinished), None)),
        }
    })
    .boxed()
}

/// The guest's end of a value that is being written.
struct Writing {
    sender: mpsc::Sender<Bytes>,
    bytes: u64,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Writing {
    async fn ready(&mut self) {
        // A closed channel is ready too: the next call tells.
        _ = self.sender.reserve().await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Writing {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.bytes += bytes.len() as u64;
        if self.bytes > limits::BLOB_BYTES_MAX {
            let text = format!("the value is larger than {} bytes, the limit of an object", limits::BLOB_BYTES_MAX);
            return Err(StreamError::LastOperationFailed(wasmtime::Error::msg(text)));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.sender.try_send(bytes).map_err(|error| match error {
            mpsc::error::TrySendError::Closed(_) => StreamError::Closed,
            mpsc::error::TrySendError::Full(_) => StreamError::Trap(wasmtime::Error::msg("a write without room")),
        })
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        match self.sender.capacity() {
            _ if self.sender.is_closed() => Err(StreamError::Closed),
            0 => Ok(0),
            _ => Ok(limits::ANSWER_CHUNK_BYTES_MAX),
        }
    }
}

/// The guest's end of a value that is being read.
struct Reading {
    content: Content,
    next: Option<std::result::Result<Bytes, StreamError>>,
}

impl Reading {
    fn take(&mut self, chunk: Option<std::result::Result<Bytes, BlobError>>) {
        self.next = Some(match chunk {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(error)) => Err(StreamError::LastOperationFailed(wasmtime::Error::msg(error.to_string()))),
            None => Err(StreamError::Closed),
        });
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Reading {
    async fn ready(&mut self) {
        while self.next.as_ref().is_none_or(|next| next.as_ref().is_ok_and(Bytes::is_empty)) {
            let chunk = self.content.next().await;
            self.take(chunk);
        }
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for Reading {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.next.is_none()
            && let Some(chunk) = poll_noop(std::pin::pin!(self.content.next()))
        {
            self.take(chunk);
        }
        match self.next.take() {
            None => Ok(Bytes::new()),
            Some(Ok(mut bytes)) => {
                let part = bytes.split_to(size.min(bytes.len()));
                self.next = (!bytes.is_empty()).then_some(Ok(bytes));
                Ok(part)
            }
            Some(Err(StreamError::Closed)) => {
                self.next = Some(Err(StreamError::Closed));
                Err(StreamError::Closed)
            }
            Some(Err(error)) => {
                self.next = Some(Err(StreamError::Closed));
                Err(error)
            }
        }
    }
}
