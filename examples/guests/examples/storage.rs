//! Uses what a manifest grants: the node's buckets, key-value stores, settings.
//!
//! ```text
//! PUT|GET|DELETE /blob/BUCKET/KEY      GET /list/BUCKET      POST /copy/BUCKET/FROM/TO
//! POST /count/STORE/KEY                GET|PUT /value/STORE/KEY      GET /setting/NAME
//! ```

use std::io::{Read as _, Write as _};
use wasip2::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};

mod bindings {
    wit_bindgen::generate!({
        path: "../../runtime-wasm/wit",
        world: "capabilities",
        with: { "wasi:io/streams@0.2.0": wasip2::io::streams },
        generate_all,
    });
}
use bindings::wasi::blobstore::blobstore;
use bindings::wasi::blobstore::types::{IncomingValue, ObjectId, OutgoingValue};
use bindings::wasi::config::store as settings;
use bindings::wasi::keyvalue::{atomics, store as keyvalue};

wasip2::http::proxy::export!(Storage);
struct Storage;

impl wasip2::exports::http::incoming_handler::Guest for Storage {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (status, bytes) = match answer(&request) {
            Ok(bytes) => (200, bytes),
            Err(reason) => (502, reason.into_bytes()),
        };
        let response = OutgoingResponse::new(Fields::new());
        response.set_status_code(status).expect("a valid status");
        let body = response.body().expect("the first body of this response");
        ResponseOutparam::set(out, Ok(response));
        let mut stream = body.write().expect("the first stream of this body");
        stream.write_all(&bytes).expect("a client that reads");
        stream.flush().expect("a client that reads");
        drop(stream);
        OutgoingBody::finish(body, None).expect("a body that was written");
    }
}

fn answer(request: &IncomingRequest) -> Result<Vec<u8>, String> {
    let path = request.path_with_query().unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (request.method(), parts.as_slice()) {
        (Method::Put, ["blob", bucket, key]) => put(bucket, key, &read(request)?),
        (Method::Get, ["blob", bucket, key]) => get(bucket, key),
        (Method::Delete, ["blob", bucket, key]) => {
            blobstore::get_container(&bucket.to_string())?.delete_object(&key.to_string())?;
            Ok(Vec::new())
        }
        (Method::Get, ["list", bucket]) => list(bucket),
        (Method::Post, ["copy", bucket, from, to]) => {
            let object = |key: &str| ObjectId { container: bucket.to_string(), object: key.to_owned() };
            blobstore::copy_object(&object(from), &object(to))?;
            Ok(Vec::new())
        }
        (Method::Post, ["count", store, key]) => {
            let store = keyvalue::open(store).map_err(|error| error.to_string())?;
            let sum = atomics::increment(&store, key, 1).map_err(|error| error.to_string())?;
            Ok(sum.to_string().into_bytes())
        }
        (Method::Put, ["value", store, key]) => {
            let store = keyvalue::open(store).map_err(|error| error.to_string())?;
            store.set(key, &read(request)?).map_err(|error| error.to_string())?;
            Ok(Vec::new())
        }
        (Method::Get, ["value", store, key]) => {
            let store = keyvalue::open(store).map_err(|error| error.to_string())?;
            Ok(store.get(key).map_err(|error| error.to_string())?.unwrap_or_default())
        }
        (Method::Get, ["setting", name]) => {
            Ok(settings::get(name).map_err(|error| format!("{error:?}"))?.unwrap_or_default().into_bytes())
        }
        (method, _) => Err(format!("nothing answers to {method:?} {path}")),
    }
}

fn put(bucket: &str, key: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let container = blobstore::get_container(&bucket.to_owned())?;
    let value = OutgoingValue::new_outgoing_value();
    container.write_data(&key.to_owned(), &value)?;
    let mut stream = value.outgoing_value_write_body().map_err(|()| "the value was already written".to_owned())?;
    stream.write_all(bytes).map_err(|error| error.to_string())?;
    stream.flush().map_err(|error| error.to_string())?;
    drop(stream);
    OutgoingValue::finish(value)?;
    Ok(Vec::new())
}

fn get(bucket: &str, key: &str) -> Result<Vec<u8>, String> {
    let value = blobstore::get_container(&bucket.to_owned())?.get_data(&key.to_owned(), 0, u64::MAX)?;
    let mut stream = IncomingValue::incoming_value_consume_async(value)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn list(bucket: &str) -> Result<Vec<u8>, String> {
    let names = blobstore::get_container(&bucket.to_owned())?.list_objects()?;
    let mut all = Vec::new();
    loop {
        let (page, last) = names.read_stream_object_names(2)?;
        all.extend(page);
        if last {
            return Ok(all.join("\n").into_bytes());
        }
    }
}

fn read(request: &IncomingRequest) -> Result<Vec<u8>, String> {
    let body = request.consume().map_err(|()| "the body was already read".to_owned())?;
    let mut bytes = Vec::new();
    body.stream()
        .map_err(|()| "the stream was already taken".to_owned())?
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}
