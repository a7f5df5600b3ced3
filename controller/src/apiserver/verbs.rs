//! Writing: create, update, patch, delete.

mod change;
mod create;
mod delete;

pub(crate) use change::change;
pub(crate) use create::create;
pub(crate) use delete::delete;

use super::authorize::Identity;
use super::event::to_core;
use super::failure::Failure;
use super::protobuf;
use super::request::{Request, Spelling};
use super::store::Store;
use serde_json::Value;

/// What a write needs beside its request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) store: &'a Store,
    pub(crate) identity: Identity,
    pub(crate) request: &'a Request,
}

impl Context<'_> {
    /// The user, as audit annotations name them.
    pub(super) fn user(&self) -> &'static str {
        match self.identity {
            Identity::Node => "system:node",
            Identity::Admin => "admin",
        }
    }
}

/// The object or patch in the body, spelled as it is stored.
fn body(request: &Request) -> Result<Value, Failure> {
    let content_type = request.content_type();
    if content_type == protobuf::MEDIA_TYPE {
        return protobuf::decode(&request.body).ok_or_else(|| Failure::unsupported("application/json"));
    }
    if content_type == "application/cbor" {
        return Err(Failure::unsupported("application/json"));
    }
    let mut object: Value = serde_json::from_slice(&request.body)
        .map_err(|error| Failure::bad_request(format!("the body is not valid JSON: {error}")))?;
    if request.spelling == Spelling::EventsV1 {
        to_core(&mut object);
    }
    Ok(object)
}

/// The resourceVersion in a stored object.
pub(crate) fn version_of(stored: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Object {
        metadata: Metadata,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        #[serde(default)]
        resource_version: String,
    }
    serde_json::from_slice::<Object>(stored).map(|object| object.metadata.resource_version).unwrap_or_default()
}
