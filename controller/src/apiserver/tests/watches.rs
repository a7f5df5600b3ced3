//! Watches: what they replay, how they begin, how they say where they are, and how they end.

use super::{CORE, call, config_map, fill, server};
use crate::apiserver::logs::NoLogs;
use crate::apiserver::store::Place;
use crate::apiserver::{ApiServer, Identity, Token};
use axum::body::Body;
use fnctl_config::limits;
use http::{Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tower::ServiceExt;

const JSON: &str = "application/json";
const MAPS: &str = "/api/v1/configmaps?watch=1";

/// A watch: its lines as they come.
pub(super) struct Lines(Body, Vec<u8>);

impl Lines {
    pub(super) async fn open(api: &ApiServer, path: &str, accept: &str) -> Self {
        let request = Request::builder().uri(path).header(header::ACCEPT, accept).extension(Identity::Node);
        let response = api.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        Self(response.into_body(), Vec::new())
    }

    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.1.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.1.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = self.0.frame().await?.unwrap();
            self.1.extend_from_slice(frame.data_ref().unwrap());
        }
    }

    /// Type and name of the next event.
    async fn event(&mut self) -> (String, String) {
        let event = self.next().await.unwrap();
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or("").to_owned();
        (event["type"].as_str().unwrap().to_owned(), name)
    }
}

fn pair(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}

/// The newest version that lists tell.
async fn newest(api: &ApiServer) -> String {
    let (_, list) = call(api, "GET", "/api/v1/configmaps", Value::Null).await;
    list["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

async fn patch(api: &ApiServer, name: &str, value: &str) {
    let (code, _) = call(api, "PATCH", &format!("{CORE}/configmaps/{name}"), json!({"data": {"k": value}})).await;
    assert_eq!(code, 200);
}

/// The one line of a watch that cannot begin where it was asked to.
async fn is_expired(api: &ApiServer, version: &str) {
    let mut lines = Lines::open(api, &format!("{MAPS}&resourceVersion={version}&timeoutSeconds=1"), JSON).await;
    let event = lines.next().await.expect("a watch that went on is over by now");
    let (kind, code, reason) = (&event["type"], &event["object"]["code"], &event["object"]["reason"]);
    assert_eq!((kind, code, reason), (&json!("ERROR"), &json!(410), &json!("Expired")), "{event}");
    assert!(lines.next().await.is_none(), "nothing follows");
}

#[tokio::test]
async fn a_watch_replays_what_came_after_a_version() {
    let api = server().await;
    fill(&api, 1).await;
    let (_, list) = call(&api, "GET", "/api/v1/configmaps", Value::Null).await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    call(&api, "POST", &format!("{CORE}/configmaps"), config_map("new", json!({}))).await;
    call(&api, "DELETE", &format!("{CORE}/configmaps/new"), Value::Null).await;
    let path = format!("/api/v1/configmaps?watch=1&resourceVersion={version}");
    let mut lines = Lines::open(&api, &path, "application/json").await;
    assert_eq!(lines.event().await, pair("ADDED", "new"));
    assert_eq!(lines.event().await, pair("DELETED", "new"));
    call(&api, "PATCH", &format!("{CORE}/configmaps/c00"), json!({"data": {"k": "v"}})).await;
    assert_eq!(lines.event().await, pair("MODIFIED", "c00"));
    api.close_watches();
    assert!(lines.next().await.is_none());
}

#[tokio::test]
async fn a_watch_that_was_passed_by_starts_again() {
    let api = server().await;
    let mut lines = Lines::open(&api, "/api/v1/configmaps?watch=1&resourceVersion=1", "application/json").await;
    // The ring begins at the version that the store was opened with; one before it cannot be replayed.
    call(&api, "POST", &format!("{CORE}/configmaps"), config_map("a", json!({}))).await;
    assert_eq!(lines.event().await, pair("ADDED", "a"));
    for index in 0..=fnctl_config::limits::API_RING_EVENTS_MAX {
        let patch = json!({"data": {"k": index.to_string()}});
        call(&api, "PATCH", &format!("{CORE}/configmaps/a"), patch).await;
    }
    let event = lines.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)), "{event}");
    assert!(lines.next().await.is_none());
    is_expired(&api, "1").await;
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark_and_selectors_delete() {
    let api = server().await;
    fill(&api, 2).await;
    let path = "/api/v1/configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\
                &allowWatchBookmarks=true&labelSelector=parity%3Deven";
    let mut lines = Lines::open(&api, path, "application/json").await;
    assert_eq!(lines.event().await, pair("ADDED", "c00"));
    let bookmark = lines.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    call(&api, "PATCH", &format!("{CORE}/configmaps/c00"), json!({"metadata": {"labels": {"parity": "odd"}}})).await;
    assert_eq!(lines.event().await, pair("DELETED", "c00"));
    call(&api, "PATCH", &format!("{CORE}/configmaps/c01"), json!({"metadata": {"labels": {"parity": "even"}}})).await;
    assert_eq!(lines.event().await, pair("ADDED", "c01"));
}

#[tokio::test]
async fn after_a_restart_a_watch_begins_with_a_list() {
    let directory = tempfile::tempdir().unwrap();
    let open = || ApiServer::open(Place::File(directory.path().join("api.redb")), Token::random(), Arc::new(NoLogs));
    let api = open().await.unwrap();
    let before = newest(&api).await;
    fill(&api, 2).await;
    drop(api);
    let api = open().await.unwrap();
    is_expired(&api, &before).await;
    let mut lines = Lines::open(&api, &format!("{MAPS}&resourceVersion={}", newest(&api).await), JSON).await;
    patch(&api, "c01", "v").await;
    assert_eq!(lines.event().await, pair("MODIFIED", "c01"));
}

#[tokio::test]
async fn initial_events_come_page_by_page_and_their_bookmark_says_how_far_they_go() {
    let api = server().await;
    let count = limits::API_PAGE_OBJECTS + 1;
    fill(&api, count).await;
    let version = newest(&api).await;
    let mut lines =
        Lines::open(&api, &format!("{MAPS}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"), JSON).await;
    // What happens meanwhile belongs to the time after the bookmark.
    patch(&api, "c00", "v").await;
    let mut names: Vec<_> = (0..count).map(|index| format!("c{index:02}")).collect();
    names.sort_unstable();
    for name in names {
        assert_eq!(lines.event().await, pair("ADDED", &name));
    }
    let bookmark = lines.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["kind"], "ConfigMap");
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], version.as_str());
    assert_eq!(lines.event().await, pair("MODIFIED", "c00"));
    // Without being asked for, the objects come and no bookmark does.
    let mut lines = Lines::open(&api, &format!("{MAPS}&fieldSelector=metadata.name%3Dc00"), JSON).await;
    assert_eq!(lines.event().await, pair("ADDED", "c00"));
    patch(&api, "c00", "w").await;
    assert_eq!(lines.event().await, pair("MODIFIED", "c00"));
}

#[tokio::test]
async fn a_quiet_watch_says_how_far_it_is() {
    let api = server().await;
    fill(&api, 1).await;
    let from = newest(&api).await;
    let open = |query: &str| format!("{MAPS}&resourceVersion={from}&timeoutSeconds=100{query}");
    tokio::time::pause();
    let begun = Instant::now();
    let mut marked = Lines::open(&api, &open("&allowWatchBookmarks=true"), JSON).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let mut table = Lines::open(&api, &open("&allowWatchBookmarks=true"), accept).await;
    let mut silent = Lines::open(&api, &open(""), JSON).await;
    // A change of another kind moves the version, and nothing that these watches are about.
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}});
    assert_eq!(call(&api, "POST", "/api/v1/namespaces", namespace).await.0, 201);
    let version = newest(&api).await;
    assert_ne!(from, version);

    let bookmark = marked.next().await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), limits::API_BOOKMARK_INTERVAL.as_secs());
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], version.as_str());
    assert_eq!(bookmark["object"]["metadata"]["annotations"], Value::Null, "the initial events ended long ago");
    assert_eq!(marked.next().await.unwrap()["type"], "BOOKMARK", "and again");
    let bookmark = table.next().await.unwrap();
    assert_eq!((&bookmark["type"], &bookmark["object"]["kind"]), (&json!("BOOKMARK"), &json!("Table")));
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], version.as_str());
    assert!(silent.next().await.is_none(), "nobody asked for bookmarks");
}

#[tokio::test]
async fn a_watch_ends_when_its_time_is_up() {
    let api = server().await;
    let from = newest(&api).await;
    tokio::time::pause();
    let longest = limits::API_WATCH_MAX.as_secs();
    for (asked, seconds) in
        [("", longest), ("7", 7), ("1", 1), ("0", longest), ("999999", longest), ("-1", longest), ("soon", longest)]
    {
        let path = format!("{MAPS}&resourceVersion={from}&timeoutSeconds={asked}");
        let mut lines = Lines::open(&api, &path, JSON).await;
        let begun = Instant::now();
        assert!(lines.next().await.is_none());
        assert_eq!(begun.elapsed().as_secs(), seconds, "timeoutSeconds={asked}");
    }
    // A kind that changes all the time does not hold it.
    let mut lines = Lines::open(&api, &format!("{MAPS}&resourceVersion={from}&timeoutSeconds=7"), JSON).await;
    tokio::time::resume();
    fill(&api, 1).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(7)).await;
    assert!(lines.next().await.is_none());
}

#[tokio::test]
async fn what_is_sent_at_once_has_a_bound_in_bytes() {
    let api = server().await;
    let bytes = limits::API_PAGE_BYTES / 2;
    for index in 0..5 {
        let map = config_map(&format!("c{index}"), json!({"k": "v".repeat(bytes)}));
        assert_eq!(call(&api, "POST", &format!("{CORE}/configmaps"), map).await.0, 201);
    }
    for (query, wanted) in [
        ("", vec![2, 2, 1]),
        ("limit=5", vec![5]),
        ("watch=1", vec![2, 2, 1]),
        ("watch=1&resourceVersion=1", vec![2, 2, 1]),
    ] {
        let mut lines = Lines::open(&api, &format!("/api/v1/configmaps?{query}"), JSON).await;
        let (mut sent, mut total) = (Vec::new(), 0);
        while total < 5 {
            let frame = lines.0.frame().await.unwrap().unwrap().into_data().unwrap();
            let objects = String::from_utf8(frame.into()).unwrap().matches("creationTimestamp").count();
            total += objects;
            sent.extend((objects > 0).then_some(objects));
        }
        assert_eq!(sent, wanted, "{query}");
    }
}
