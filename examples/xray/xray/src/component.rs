//! The component: `wasi:http` in front, `wasi:blobstore` behind.

use crate::store::{Failure, Store};
use std::io::{Read as _, Write as _};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

#[allow(warnings, clippy::all, reason = "generated from the interfaces")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../runtime-wasm/wit",
        world: "buckets",
        with: { "wasi:io/streams@0.2.0": wasip2::io::streams },
        generate_all,
    });
}
use bindings::wasi::blobstore::blobstore;
use bindings::wasi::blobstore::container::Container;
use bindings::wasi::blobstore::types::{IncomingValue, OutgoingValue};

/// The node's buckets, as far as the manifest grants them.
struct Buckets;

fn failure(what: &'static str, bucket: &str, cause: impl std::fmt::Display) -> Failure {
    Failure { what, bucket: bucket.to_owned(), cause: cause.to_string() }
}

fn open(bucket: &str) -> Result<Container, Failure> {
    blobstore::get_container(&bucket.to_owned()).map_err(|cause| failure("open a container", bucket, cause))
}

impl Store for Buckets {
    fn size(&self, bucket: &str, key: &str) -> Result<Option<u64>, Failure> {
        let failed = |cause| failure("look for an object", bucket, cause);
        let (container, key) = (open(bucket)?, key.to_owned());
        if !container.has_object(&key).map_err(failed)? {
            return Ok(None);
        }
        Ok(Some(container.object_info(&key).map_err(failed)?.size))
    }

    fn get(&self, bucket: &str, key: &str) -> Result<Vec<u8>, Failure> {
        let failed = |cause: String| failure("read an object", bucket, cause);
        let value = open(bucket)?.get_data(&key.to_owned(), 0, u64::MAX).map_err(failed)?;
        let mut bytes =
            Vec::with_capacity(usize::try_from(value.size().min(crate::flow::OBJECT_BYTES_MAX)).unwrap_or(0));
        let stream = IncomingValue::incoming_value_consume_async(value).map_err(failed)?;
        // An object that grew since its size was read is cut: the decoder then refuses it, and its own event follows.
        stream
            .take(crate::flow::OBJECT_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(|cause| failed(cause.to_string()))?;
        Ok(bytes)
    }

    fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<(), Failure> {
        let failed = |cause: String| failure("write an object", bucket, cause);
        let container = open(bucket)?;
        let value = OutgoingValue::new_outgoing_value();
        container.write_data(&key.to_owned(), &value).map_err(failed)?;
        let mut stream = value.outgoing_value_write_body().map_err(|()| failed("no body to write to".into()))?;
        stream
            .write_all(bytes)
            .and_then(|()| std::io::Write::flush(&mut stream))
            .map_err(|cause| failed(cause.to_string()))?;
        drop(stream);
        // Durable when this returns.
        OutgoingValue::finish(value).map_err(failed)
    }
}

struct Xray;

impl wasip2::exports::http::incoming_handler::Guest for Xray {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        xray_guest::serve::serve(&request, out, |request| {
            crate::handle(request, |name| std::env::var(name).ok(), &Buckets)
        });
    }
}

wasip2::http::proxy::export!(Xray);
