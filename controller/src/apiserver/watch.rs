//! Changes of a collection as they happen. A watch keeps nothing but a version: what comes next is asked of the ring of
//! the kind, and the wake-up is the store's newest version. A client that is slow slows only itself, until it is passed by
//! and told to start again (410).

use super::answer::View;
use super::failure::Failure;
use super::list::{Most, Wanted, blocking, not_older_than};
use super::request::{Query, Request};
use super::store::{Change, Key, Snapshot, Store, Version};
use super::table::{self, Shape};
use axum::body::Body;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use fnctl_config::limits;
use http::StatusCode;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// Answers a watch. It ends when its time is up, the client goes, or `closing` turns true.
pub(crate) fn watch(store: Arc<Store>, closing: Receiver<bool>, request: &Request) -> Result<Response, Failure> {
    let wanted = Wanted::of(request)?;
    let snapshot = Arc::new(store.snapshot()?);
    let asked = not_older_than(request, snapshot.version)?;
    let initial = request.query.is_true("sendInitialEvents");
    if initial && request.query.get("resourceVersionMatch") != "NotOlderThan" {
        let message = "resourceVersionMatch: Forbidden: sendInitialEvents needs resourceVersionMatch NotOlderThan";
        return Err(Failure::invalid_option(message));
    }
    let replays = asked > 0 && !initial;
    let begin = match (replays, initial) {
        (true, _) => Begin::Done,
        (false, true) => Begin::Objects { snapshot: snapshot.clone(), after: None, marked: true },
        (false, false) => Begin::Objects { snapshot: snapshot.clone(), after: None, marked: false },
    };
    let mut beat = tokio::time::interval(limits::API_BOOKMARK_INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    let watcher = Watcher {
        at: if replays { asked } else { snapshot.version },
        begin,
        columns: table::columns(request.resource),
        bookmarks: initial || request.query.is_true("allowWatchBookmarks"),
        until: Instant::now() + duration(&request.query),
        beat,
        published: store.published(),
        closing,
        finished: false,
        store,
        wanted,
    };
    let stream = futures::stream::unfold(watcher, |mut watcher| async move {
        watcher.next().await.map(|bytes| (Ok::<_, Infallible>(bytes), watcher))
    });
    Ok(super::answer::json_bytes(StatusCode::OK, Body::from_stream(stream)))
}

/// How long a watch may take; 0 is no wish, as in Kubernetes.
fn duration(query: &Query) -> Duration {
    match query.get("timeoutSeconds").parse() {
        Ok(0) | Err(_) => limits::API_WATCH_MAX,
        Ok(seconds) => Duration::from_secs(seconds).min(limits::API_WATCH_MAX),
    }
}

/// What comes before the changes.
enum Begin {
    /// The objects that are there, page by page; then, if asked, a bookmark that says so.
    Objects { snapshot: Arc<Snapshot>, after: Option<Key>, marked: bool },
    /// Nothing (any more).
    Done,
}

/// Why a watch that waited goes on.
enum Woken {
    /// Its time is up, or the node stops.
    End,
    /// Nothing happened for a while.
    Beat,
    /// The store has a newer version.
    Change,
}

struct Watcher {
    store: Arc<Store>,
    wanted: Wanted,
    /// Everything up to here was seen.
    at: Version,
    begin: Begin,
    /// Column definitions for the next table: null once they were sent.
    columns: Value,
    bookmarks: bool,
    until: Instant,
    beat: Interval,
    published: Receiver<Version>,
    closing: Receiver<bool>,
    finished: bool,
}

impl Watcher {
    /// The next lines; nothing at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            // Asked here too: a kind that changes all the time would never let it wait.
            if self.finished || *self.closing.borrow() || Instant::now() >= self.until {
                return None;
            }
            let mut lines = BytesMut::new();
            if let Begin::Objects { .. } = self.begin {
                self.objects(&mut lines).await;
                if lines.is_empty() { continue } else { return Some(lines.freeze()) }
            }
            let more = self.changes(&mut lines);
            if !lines.is_empty() {
                return Some(lines.freeze());
            }
            if more {
                continue;
            }
            let woken = tokio::select! {
                () = tokio::time::sleep_until(self.until) => Woken::End,
                _ = self.closing.wait_for(|closing| *closing) => Woken::End,
                _ = self.beat.tick(), if self.bookmarks => Woken::Beat,
                changed = self.published.changed() => if changed.is_ok() { Woken::Change } else { Woken::End },
            };
            match woken {
                Woken::End => return None,
                Woken::Change => {}
                Woken::Beat => {
                    self.bookmark(None, &mut lines);
                    return Some(lines.freeze());
                }
            }
        }
    }

    async fn objects(&mut self, lines: &mut BytesMut) {
        let Begin::Objects { snapshot, after, marked } = std::mem::replace(&mut self.begin, Begin::Done) else {
            return;
        };
        // Whole objects here: each becomes an event of its own below.
        let whole = Wanted { view: View { shape: Shape::Whole, ..self.whole() }, ..self.wanted.clone() };
        match blocking(whole, snapshot.clone(), after, Most::AT_ONCE).await {
            Ok(page) => {
                for item in &page.items {
                    self.line(Change::Added, item, lines);
                }
                if page.more {
                    self.begin = Begin::Objects { snapshot, after: page.last, marked };
                } else if marked {
                    self.bookmark(Some("k8s.io/initial-events-end"), lines);
                }
            }
            Err(failure) => self.fail(&failure, lines),
        }
    }

    /// Puts down what the ring has; answers whether it has more.
    fn changes(&mut self, lines: &mut BytesMut) -> bool {
        let reached = *self.published.borrow_and_update();
        let most = limits::API_PAGE_OBJECTS;
        let Some(events) = self.store.rings().since(self.wanted.view.resource, self.at, most) else {
            let failure = Failure::expired(format!("too old resource version: {}", self.at));
            self.fail(&failure, lines);
            return false;
        };
        let mut taken = 0;
        for event in &events {
            if lines.len() >= limits::API_PAGE_BYTES {
                break;
            }
            taken += 1;
            self.at = self.at.max(event.version);
            let elsewhere = self.wanted.namespace.as_ref().is_some_and(|wanted| *wanted != event.key.namespace);
            if !elsewhere && let Some(change) = self.wanted.selector.seen(event) {
                self.line(change, &event.object, lines);
            }
        }
        let more = taken < events.len() || events.len() == most;
        if !more {
            // Rings are filled before a version is published: up to it, nothing else can come.
            self.at = self.at.max(reached);
        }
        more
    }

    fn line(&mut self, change: Change, stored: &[u8], lines: &mut BytesMut) {
        let object = self.wanted.view.single(stored, &self.columns);
        self.columns = Value::Null;
        let kind = match change {
            Change::Added => "ADDED",
            Change::Modified => "MODIFIED",
            Change::Deleted => "DELETED",
        };
        put(lines, kind, &object);
    }

    /// Tells the client that it has seen everything up to this version.
    fn bookmark(&self, annotation: Option<&str>, lines: &mut BytesMut) {
        let view = self.wanted.view;
        let mut metadata = json!({"resourceVersion": self.at.to_string(), "creationTimestamp": null});
        if let Some(annotation) = annotation {
            metadata["annotations"] = json!({annotation: "true"});
        }
        let object = match view.shape {
            Shape::Whole => {
                json!({"kind": view.resource.kind().kind, "apiVersion": view.api_version(), "metadata": metadata})
                    .to_string()
                    .into_bytes()
            }
            Shape::Metadata => table::metadata_only(&json!({"metadata": metadata})).to_string().into_bytes(),
            Shape::Table(_) => {
                let row = json!({"cells": [], "object": table::metadata_only(&json!({"metadata": metadata}))});
                let rows = if annotation.is_some() { row.to_string() } else { String::new() };
                table::table(&json!({"resourceVersion": self.at.to_string()}), &Value::Null, rows.as_bytes())
            }
        };
        put(lines, "BOOKMARK", &object);
    }

    fn fail(&mut self, failure: &Failure, lines: &mut BytesMut) {
        put(lines, "ERROR", failure.status().to_string().as_bytes());
        self.finished = true;
    }

    fn whole(&self) -> View {
        View { shape: Shape::Whole, spelling: super::request::Spelling::Core, ..self.wanted.view }
    }
}

fn put(lines: &mut BytesMut, kind: &str, object: &[u8]) {
    lines.put_slice(format!(r#"{{"type":"{kind}","object":"#).as_bytes());
    lines.put_slice(object);
    lines.put_slice(b"}\n");
}
