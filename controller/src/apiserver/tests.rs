//! The API as its clients see it: requests through the router, and `kube::Client` with a real watcher in process.

mod lists;
mod watches;
mod writes;

use super::logs::NoLogs;
use super::store::{Disk, Place};
use super::{ApiServer, Identity, Token};
use axum::body::{Body, to_bytes};
use http::{Method, Request, header};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;

pub(super) const CORE: &str = "/api/v1/namespaces/default";
pub(super) const MERGE: &str = "application/merge-patch+json";
pub(super) const APPLY: &str = "application/apply-patch+yaml";

/// A disk that forgets, and has room for everything.
#[derive(Debug)]
struct Memory;

impl Disk for Memory {
    fn open(&self) -> std::io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(InMemoryBackend::new()))
    }
    fn free_bytes(&self) -> std::io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// A server whose objects are in memory.
pub(crate) async fn server() -> ApiServer {
    let place = Place::Disk(Box::new(Memory));
    ApiServer::open(place, Token::random(), Arc::new(NoLogs)).await.unwrap()
}

/// One request as the node; answers status and body.
pub(super) async fn call(api: &ApiServer, method: &str, path: &str, body: Value) -> (u16, Value) {
    let content_type = match method {
        "PATCH" => MERGE,
        _ => "application/json",
    };
    typed(api, method, path, (content_type, body)).await
}

pub(super) async fn typed(api: &ApiServer, method: &str, path: &str, body: (&str, Value)) -> (u16, Value) {
    let (content_type, value) = body;
    let body = if value.is_null() { Body::empty() } else { Body::from(value.to_string()) };
    let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(path);
    request = request.header(header::CONTENT_TYPE, content_type).extension(Identity::Node);
    let response = api.router().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), 1 << 24).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

pub(super) fn config_map(name: &str, data: Value) -> Value {
    let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    map["data"] = data;
    map
}

pub(super) fn service(name: &str, image: &str) -> Value {
    json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}}})
}

/// Makes ConfigMaps `c00`, `c01` and so on, every second one labelled `parity: odd`.
pub(super) async fn fill(api: &ApiServer, count: usize) {
    for index in 0..count {
        let mut map = config_map(&format!("c{index:02}"), json!({}));
        map["metadata"]["labels"] = json!({"parity": if index % 2 == 0 { "even" } else { "odd" }});
        assert_eq!(call(api, "POST", &format!("{CORE}/configmaps"), map).await.0, 201);
    }
}

#[tokio::test]
async fn strangers_are_refused() {
    let api = server().await;
    let token = api.token().expose().to_owned();
    for (header, wanted) in [
        (None, 401),
        (Some("Bearer wrong".to_owned()), 401),
        (Some(format!("Basic {token}")), 401),
        (Some(format!("Bearer {token}")), 200),
        (Some(format!("bearer {token}")), 200),
    ] {
        let mut request = Request::builder().uri("/api/v1/namespaces");
        if let Some(header) = &header {
            request = request.header(header::AUTHORIZATION, header);
        }
        let response = api.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), wanted, "{header:?}");
    }
}

#[tokio::test]
async fn paths() {
    let api = server().await;
    for (path, status, fragment) in [
        ("/version", 200, r#""major":"1""#),
        ("/api", 200, "APIVersions"),
        ("/apis", 200, "serving.knative.dev"),
        ("/api/v1", 200, r#""name":"pods/log""#),
        ("/apis/serving.knative.dev/v1", 200, "ksvc"),
        ("/apis/events.k8s.io/v1", 200, "events"),
        ("/openapi/v3", 200, "/openapi/v3/apis/serving.knative.dev/v1?hash="),
        ("/openapi/v3/api/v1", 200, "io.k8s.api.core.v1.ConfigMap"),
        ("/openapi/v3/apis/none/v1", 404, "could not find"),
        ("/api/v1/namespaces/default", 200, "Active"),
        ("/api/v1/namespaces/nope", 404, r#"namespaces \"nope\" not found"#),
        ("/apis/serving.knative.dev/v2/services", 404, "could not find"),
        ("/api/v1/services", 404, "could not find"),
        ("/api/v1/namespaces/default/configmaps/none", 404, r#"configmaps \"none\" not found"#),
        ("/apis/serving.knative.dev/v1/namespaces/default/services/none/scale", 404, "could not find"),
        ("/api/v1/configmaps?labelSelector=a%20in%20b", 400, "needs (a,b)"),
        ("/api/v1/configmaps?fieldSelector=data.k%3D1", 400, "field label not supported"),
        ("/api/v1/configmaps?limit=x", 400, "limit"),
        ("/api/v1/configmaps?resourceVersion=99999", 504, "Too large resource version"),
        ("/api/v1/configmaps?continue=eyJ2IjoxLCJucyI6IiIsIm4iOiIifQ", 410, "Expired"),
        ("/api/v1/configmaps?continue=nonsense", 400, "continue key is not valid"),
        ("/api/v1/configmaps?watch=1&sendInitialEvents=true", 422, "NotOlderThan"),
        ("/api/v1/namespaces/default/pods/none/log", 404, "not found"),
    ] {
        let (code, body) = call(&api, "GET", path, Value::Null).await;
        assert_eq!(code, status, "{path}: {body}");
        assert!(body.to_string().contains(fragment), "{path}: {body}");
    }
}

#[tokio::test]
async fn kube_client_and_watcher_work_in_process() {
    use futures::{StreamExt, TryStreamExt};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
    use kube::runtime::{WatchStreamExt, watcher};

    let api = server().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.client(), "default");
    let made: ConfigMap = serde_json::from_value(config_map("a", json!({"k": "1"}))).unwrap();
    maps.create(&PostParams::default(), &made).await.unwrap();
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let stream = watcher(maps.clone(), config).applied_objects();
        let mut stream = std::pin::pin!(stream);
        let first = stream.try_next().await.unwrap().unwrap();
        assert_eq!(first.metadata.name.as_deref(), Some("a"));
        let value = uuid::Uuid::new_v4().to_string();
        let patch = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": value}});
        let parameters = PatchParams::apply("tests").force();
        maps.patch("a", &parameters, &Patch::Apply(&patch)).await.unwrap();
        let second = stream.next().await.unwrap().unwrap();
        assert_eq!(second.data.unwrap()["k"], value);
    }
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(maps.get_opt("a").await.unwrap().is_none());
}
