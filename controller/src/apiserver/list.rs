//! Reading one object, and lists: selectors, pages on one snapshot, versions. Long lists are streamed.

use super::answer::{View, json_bytes, object};
use super::authorize::Verb;
use super::failure::Failure;
use super::request::Request;
use super::selector::Selector;
use super::store::{Error, Key, Snapshot, Store, Version};
use super::table::{self, Shape};
use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use fnctl_config::limits;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::ops::ControlFlow;
use std::sync::Arc;

/// One object.
pub(crate) fn get(store: &Store, request: &Request) -> Result<Response, Failure> {
    let name = request.named()?;
    let snapshot = store.snapshot()?;
    not_older_than(request, snapshot.version)?;
    let found = snapshot.get(&request.key(name))?.ok_or_else(|| Failure::not_found(request.resource, name))?;
    Ok(object(request, StatusCode::OK, &found.bytes, &[]))
}

/// The version that a request wants at least; 0 where any will do. One that is not there yet is refused.
pub(crate) fn not_older_than(request: &Request, current: Version) -> Result<Version, Failure> {
    let asked = match request.query.get("resourceVersion") {
        "" => 0,
        text => text.parse().map_err(|_| Failure::bad_request(format!("resourceVersion: Invalid value: {text:?}")))?,
    };
    if asked > current { Err(Failure::version_too_large(asked, current)) } else { Ok(asked) }
}

/// Which objects of a snapshot are wanted, and how.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) view: View,
    pub(crate) namespace: Option<String>,
    pub(crate) selector: Selector,
}

impl Wanted {
    /// What a request asks for. A name in the path of a watch selects by it.
    pub(crate) fn of(request: &Request) -> Result<Self, Failure> {
        let (labels, fields) = (request.query.get("labelSelector"), request.query.get("fieldSelector"));
        let mut selector = Selector::parse(request.resource, labels, fields)?;
        if request.verb == Verb::Watch && request.name.is_some() {
            selector.name = request.name.clone();
        }
        Ok(Self { view: View::of(request), namespace: request.namespace.clone(), selector })
    }

    /// The next objects after a key. Reads the disk: call it where blocking is allowed.
    pub(crate) fn page(&self, snapshot: &Snapshot, after: Option<&Key>, most: Most) -> Result<Page, Error> {
        let now = Timestamp::now();
        let mut page = Page { items: Vec::new(), last: None, more: false };
        let mut bytes = 0;
        let resource = self.view.resource;
        snapshot.visit(resource, self.namespace.as_deref(), after, |key, stored| {
            if !self.selector.is_all() && !self.selector.matches(&key.name, stored) {
                return ControlFlow::Continue(());
            }
            if page.items.len() == most.objects || bytes >= most.bytes {
                page.more = true;
                return ControlFlow::Break(());
            }
            let item = self.view.item(stored, now);
            bytes += item.len();
            page.items.push(item);
            page.last = Some(key);
            ControlFlow::Continue(())
        })?;
        Ok(page)
    }
}

/// How much one page holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    objects: usize,
    /// Bytes of their JSON; the object that passes it is the last.
    bytes: usize,
}

impl Most {
    /// What is held in memory at a time where everything is wanted.
    pub(crate) const AT_ONCE: Self = Self { objects: limits::API_PAGE_OBJECTS, bytes: limits::API_PAGE_BYTES };

    /// What a client asked for.
    fn objects(objects: usize) -> Self {
        Self { objects, bytes: usize::MAX }
    }
}

/// Some objects of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) items: Vec<Bytes>,
    pub(crate) last: Option<Key>,
    /// Whether others follow.
    pub(crate) more: bool,
}

/// Where the next page begins.
#[derive(Debug, Serialize, Deserialize)]
struct Continue {
    #[serde(rename = "v")]
    version: Version,
    #[serde(rename = "ns")]
    namespace: String,
    #[serde(rename = "n")]
    name: String,
}

/// A collection.
pub(crate) async fn list(store: &Store, request: &Request) -> Result<Response, Failure> {
    let wanted = Wanted::of(request)?;
    let limit = match request.query.get("limit") {
        "" => 0,
        text => text.parse().map_err(|_| Failure::bad_request(format!("limit: Invalid value: {text:?}")))?,
    };
    let (snapshot, after) = start(store, request)?;
    let most = if limit == 0 { Most::AT_ONCE } else { Most::objects(limit) };
    let first = blocking(wanted.clone(), snapshot.clone(), after, most).await?;
    let mut metadata = json!({"resourceVersion": snapshot.version.to_string()});
    if limit > 0
        && first.more
        && let Some(last) = &first.last
    {
        let token = Continue { version: snapshot.version, namespace: last.namespace.clone(), name: last.name.clone() };
        metadata["continue"] = json!(BASE64_URL_SAFE_NO_PAD.encode(json!(token).to_string()));
        store.keep(snapshot.clone());
    }
    let head = head(&wanted.view, &metadata);
    if limit == 0 && first.more {
        return Ok(json_bytes(StatusCode::OK, stream(wanted, snapshot, first, &head)));
    }
    let mut body = BytesMut::from(head.as_bytes());
    join(&mut body, &first.items, First::Yes);
    body.put_slice(b"]}");
    Ok(json_bytes(StatusCode::OK, body.freeze()))
}

fn start(store: &Store, request: &Request) -> Result<(Arc<Snapshot>, Option<Key>), Failure> {
    let token = request.query.get("continue");
    if token.is_empty() {
        let snapshot = Arc::new(store.snapshot()?);
        let asked = not_older_than(request, snapshot.version)?;
        if request.query.get("resourceVersionMatch") == "Exact" && asked != snapshot.version {
            let kept = store.kept(asked);
            let kept = kept.ok_or_else(|| {
                Failure::expired(format!("The resourceVersion for the provided list is too old: {asked}"))
            })?;
            return Ok((kept, None));
        }
        return Ok((snapshot, None));
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let token: Option<Continue> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let token = token.ok_or_else(|| Failure::bad_request("continue key is not valid"))?;
    let snapshot = store.kept(token.version).ok_or_else(|| {
        Failure::expired(
            "The provided continue parameter is too old to display a consistent list result. \
             You must start a new list without the continue parameter.",
        )
    })?;
    Ok((snapshot, Some(Key::new(request.resource, token.namespace, token.name))))
}

fn head(view: &View, metadata: &serde_json::Value) -> String {
    match view.shape {
        Shape::Whole => format!(
            r#"{{"kind":"{}List","apiVersion":"{}","metadata":{metadata},"items":["#,
            view.resource.kind().kind,
            view.api_version()
        ),
        Shape::Metadata => format!(
            r#"{{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{metadata},"items":["#
        ),
        Shape::Table(_) => format!(
            r#"{{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{metadata},"columnDefinitions":{},"rows":["#,
            table::columns(view.resource)
        ),
    }
}

/// The rest of a long list, page by page: never all of it in memory.
fn stream(wanted: Wanted, snapshot: Arc<Snapshot>, first: Page, head: &str) -> Body {
    let mut body = BytesMut::from(head.as_bytes());
    join(&mut body, &first.items, First::Yes);
    let state = Some((Some(body.freeze()), first.last));
    Body::from_stream(futures::stream::try_unfold(state, move |state| {
        let (wanted, snapshot) = (wanted.clone(), snapshot.clone());
        async move {
            let Some((ready, after)) = state else { return Ok(None) };
            if let Some(bytes) = ready {
                return Ok(Some((bytes, Some((None, after)))));
            }
            let page = blocking(wanted, snapshot, after, Most::AT_ONCE).await;
            let page = page.map_err(|failure| std::io::Error::other(failure.message))?;
            let mut body = BytesMut::new();
            join(&mut body, &page.items, First::No);
            if page.more {
                return Ok(Some((body.freeze(), Some((None, page.last)))));
            }
            body.put_slice(b"]}");
            Ok::<_, std::io::Error>(Some((body.freeze(), None)))
        }
    }))
}

/// Reads a page on a thread that may block.
pub(crate) async fn blocking(
    wanted: Wanted,
    snapshot: Arc<Snapshot>,
    after: Option<Key>,
    most: Most,
) -> Result<Page, Failure> {
    let read = tokio::task::spawn_blocking(move || wanted.page(&snapshot, after.as_ref(), most));
    Ok(read.await.map_err(|error| Failure::internal(error.to_string()))??)
}

/// Whether items begin a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Yes,
    No,
}

fn join(body: &mut BytesMut, items: &[Bytes], first: First) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 || first == First::No {
            body.put_u8(b',');
        }
        body.put_slice(item);
    }
}
