//! Lists, pages, watches and tables.

use super::{CORE, call, config_map, server, typed};
use crate::apiserver::ApiServer;
use crate::apiserver::Identity;
use axum::body::Body;
use http::{Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

async fn fill(api: &ApiServer, count: usize) {
    for index in 0..count {
        let mut map = config_map(&format!("c{index:02}"), json!({}));
        map["metadata"]["labels"] = json!({"parity": if index % 2 == 0 { "even" } else { "odd" }});
        assert_eq!(call(api, "POST", &format!("{CORE}/configmaps"), map).await.0, 201);
    }
}

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap_or("").to_owned()).collect()
}

/// A watch: its lines as they come.
struct Lines(Body, Vec<u8>);

impl Lines {
    async fn open(api: &ApiServer, path: &str, accept: &str) -> Self {
        let request = Request::builder().uri(path).header(header::ACCEPT, accept).extension(Identity::Node);
        let response = api.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        Self(response.into_body(), Vec::new())
    }

    async fn next(&mut self) -> Option<Value> {
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

#[tokio::test]
async fn selectors() {
    let api = server().await;
    fill(&api, 4).await;
    for (query, wanted) in [
        ("labelSelector=parity%3Deven", vec!["c00", "c02"]),
        ("labelSelector=parity!%3Deven", vec!["c01", "c03"]),
        ("labelSelector=parity%20in%20(odd,none)", vec!["c01", "c03"]),
        ("labelSelector=parity%20notin%20(odd)", vec!["c00", "c02"]),
        ("labelSelector=!parity", vec![]),
        ("labelSelector=parity", vec!["c00", "c01", "c02", "c03"]),
        ("fieldSelector=metadata.name%3Dc01", vec!["c01"]),
        ("fieldSelector=metadata.name!%3Dc01&labelSelector=parity%3Dodd", vec!["c03"]),
        ("fieldSelector=metadata.namespace%3Dother", vec![]),
    ] {
        let (code, list) = call(&api, "GET", &format!("/api/v1/configmaps?{query}"), Value::Null).await;
        assert_eq!((code, names(&list)), (200, wanted.iter().map(|name| (*name).to_owned()).collect()), "{query}");
    }
}

#[tokio::test]
async fn pages_are_of_one_snapshot() {
    let api = server().await;
    fill(&api, 7).await;
    let (_, first) = call(&api, "GET", "/api/v1/configmaps?limit=3", Value::Null).await;
    let mut all = names(&first);
    call(&api, "DELETE", &format!("{CORE}/configmaps/c05"), Value::Null).await;
    let mut token = first["metadata"]["continue"].as_str().map(str::to_owned);
    while let Some(next) = token {
        let path = format!("/api/v1/configmaps?limit=3&continue={next}");
        let (code, page) = call(&api, "GET", &path, Value::Null).await;
        assert_eq!(code, 200);
        assert_eq!(page["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
        all.extend(names(&page));
        token = page["metadata"]["continue"].as_str().map(str::to_owned);
    }
    assert_eq!(all, ["c00", "c01", "c02", "c03", "c04", "c05", "c06"]);
}

#[tokio::test]
async fn what_is_sent_at_once_has_a_bound_in_bytes() {
    let api = server().await;
    let bytes = fnctl_config::limits::API_PAGE_BYTES / 2;
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
        let mut lines = Lines::open(&api, &format!("/api/v1/configmaps?{query}"), "application/json").await;
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
async fn tables_have_columns_once() {
    let api = server().await;
    fill(&api, 1).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let mut lines = Lines::open(&api, "/api/v1/configmaps?watch=1", accept).await;
    let first = lines.next().await.unwrap();
    assert_eq!(first["object"]["rows"][0]["cells"][0], "c00");
    assert_eq!(first["object"]["columnDefinitions"][1]["name"], "Data");
    assert_eq!(first["object"]["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    call(&api, "PATCH", &format!("{CORE}/configmaps/c00"), json!({"data": {"a": "b"}})).await;
    let second = lines.next().await.unwrap();
    assert_eq!(second["object"]["columnDefinitions"], Value::Null);
    assert_eq!(second["object"]["rows"][0]["cells"][1], 1);
}

#[tokio::test]
async fn events_have_two_spellings() {
    let api = server().await;
    let event = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"},
        "regarding": {"kind": "Service", "name": "hello", "namespace": "default"}, "note": "Created it", "reason": "Created",
        "type": "Normal", "action": "Create", "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "fnctl", "reportingInstance": "node"});
    let path = "/apis/events.k8s.io/v1/namespaces/default/events";
    let (code, made) = typed(&api, "POST", path, ("application/json", event)).await;
    assert_eq!((code, &made["note"]), (201, &json!("Created it")), "{made}");
    let (_, core) = call(&api, "GET", &format!("{CORE}/events/e"), Value::Null).await;
    assert_eq!((&core["message"], &core["apiVersion"]), (&json!("Created it"), &json!("v1")));
    let selected = format!("{CORE}/events?fieldSelector=involvedObject.name%3Dhello");
    assert_eq!(names(&call(&api, "GET", &selected, Value::Null).await.1), ["e"]);
    let (now, later): (jiff::Timestamp, jiff::Timestamp) =
        ("2026-01-01T00:30:00Z".parse().unwrap(), "2026-01-01T01:30:00Z".parse().unwrap());
    let store = &api.shared.store;
    assert_eq!(crate::apiserver::event::sweep(store, now).await.unwrap(), 0);
    assert_eq!(crate::apiserver::event::sweep(store, later).await.unwrap(), 1);
}
