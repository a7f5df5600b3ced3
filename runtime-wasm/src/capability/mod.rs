//! What a function may reach beyond its own request, each by a grant: ports for what the node has, and the host side of
//! the interfaces that guests import (`wit/`).

pub mod blobs;
pub(crate) mod blobstore;
pub(crate) mod environment;
pub mod key_values;
pub(crate) mod keyvalue;
pub mod outbound;
pub(crate) mod settings;

/// Generated from `wit/`.
#[allow(missing_docs, unreachable_pub, reason = "generated code")]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "capabilities",
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:blobstore/types.outgoing-value": super::blobstore::OutgoingValue,
            "wasi:blobstore/types.incoming-value": super::blobstore::IncomingValue,
            "wasi:blobstore/container.container": super::blobstore::Container,
            "wasi:blobstore/container.stream-object-names": super::blobstore::ObjectNames,
            "wasi:keyvalue/store.bucket": super::keyvalue::Bucket,
        },
    });
}
