//! Lists, pages and tables.

use super::watches::Lines;
use super::{CORE, call, fill, server, typed};
use serde_json::{Value, json};

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap_or("").to_owned()).collect()
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
