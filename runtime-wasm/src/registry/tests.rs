use super::{Route, route, router};
use crate::artifact::{Artifacts, digest_of};
use crate::testing::guest;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

#[test]
fn paths_are_read_from_the_right() {
    for (path, expected) in [
        ("default/hello/tags/list", Some(Route::Tags { name: "default/hello" })),
        ("a/b/c/manifests/v1", Some(Route::Manifest { name: "a/b/c", target: "v1" })),
        ("a/blobs/sha256:00", Some(Route::Blob { name: "a", digest: "sha256:00" })),
        ("a/blobs/uploads/", Some(Route::NewUpload { name: "a" })),
        ("a/blobs/uploads/17", Some(Route::Upload { name: "a", id: "17" })),
        ("../a/manifests/v1", None),
        ("A/manifests/v1", None),
        ("manifests/v1", None),
        ("a", None),
    ] {
        assert_eq!(route(path), expected, "{path}");
    }
}

struct Client(axum::Router, Artifacts, #[allow(dead_code, reason = "removed at the end")] tempfile::TempDir);

impl Client {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(folder.path()).unwrap();
        Self(router(artifacts.clone()), artifacts, folder)
    }

    async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Response<Body> {
        let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
        self.0.clone().oneshot(request).await.unwrap()
    }
}

fn location(answer: &Response<Body>) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

async fn bytes(answer: Response<Body>) -> Vec<u8> {
    answer.into_body().collect().await.unwrap().to_bytes().to_vec()
}

#[tokio::test]
async fn push_and_pull() {
    let client = Client::new();
    let component = guest("hello-bench");
    let digest = digest_of(&component);
    assert_eq!(client.send("GET", "/v2/", "").await.status(), 200);
    assert_eq!(client.send("HEAD", &format!("/v2/a/b/blobs/sha256:{digest}"), "").await.status(), 404);

    // In chunks, as wkg does; the config in one piece, as oras does.
    let upload = location(&client.send("POST", "/v2/a/b/blobs/uploads/", "").await);
    let (first, second) = component.split_at(1000);
    assert_eq!(client.send("PATCH", &upload, first.to_vec()).await.headers()["range"], "0-999");
    assert_eq!(client.send("PATCH", &upload, second.to_vec()).await.status(), StatusCode::ACCEPTED);
    let done = client.send("PUT", &format!("{upload}?digest=sha256:{digest}"), "").await;
    assert_eq!(done.status(), StatusCode::CREATED);
    let config = format!("/v2/a/b/blobs/uploads/?digest=sha256:{}", digest_of(b"{}"));
    assert_eq!(client.send("POST", &config, "{}").await.status(), StatusCode::CREATED);

    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": super::MANIFEST, "artifactType": "application/vnd.wasm.config.v0+json",
        "config": { "mediaType": "application/vnd.wasm.config.v0+json", "size": 2, "digest": format!("sha256:{}", digest_of(b"{}")) },
        "layers": [{ "mediaType": "application/wasm", "size": component.len(), "digest": format!("sha256:{digest}") }],
    })
    .to_string();
    assert_eq!(client.send("PUT", "/v2/a/b/manifests/v1", manifest.clone()).await.status(), StatusCode::CREATED);

    let head = client.send("HEAD", "/v2/a/b/manifests/v1", "").await;
    assert_eq!(head.headers()["docker-content-digest"], format!("sha256:{}", digest_of(manifest.as_bytes())).as_str());
    assert_eq!(bytes(client.send("GET", "/v2/a/b/manifests/v1", "").await).await, manifest.as_bytes());
    assert_eq!(bytes(client.send("GET", &format!("/v2/a/b/blobs/sha256:{digest}"), "").await).await, component);
    assert_eq!(bytes(client.send("GET", "/v2/a/b/tags/list", "").await).await, br#"{"name":"a/b","tags":["v1"]}"#);
    assert_eq!(client.1.resolve("fnctl.local/a/b:v1").unwrap(), digest);
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let client = Client::new();
    let wrong = format!("sha256:{}", "0".repeat(64));
    let answer = client.send("POST", &format!("/v2/a/blobs/uploads/?digest={wrong}"), "bytes").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(String::from_utf8(bytes(answer).await).unwrap().contains("DIGEST_INVALID"));
    let large = vec![0u8; fnctl_config::limits::COMPONENT_BYTES_MAX + 1];
    let answer = client.send("POST", &format!("/v2/a/blobs/uploads/?digest={wrong}"), large).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    for (method, path, body, status) in [
        ("GET", "/v2/a/manifests/v1", "", 404),
        ("GET", "/v2/a/tags/list", "", 404),
        ("GET", "/v2/a/blobs/sha256:xyz", "", 400),
        ("PUT", "/v2/a/manifests/v1", "no json", 400),
        ("PUT", "/v2/a/blobs/uploads/1?digest=sha256:00", "", 400),
        ("PATCH", "/v2/a/blobs/uploads/1", "", 404),
        ("DELETE", "/v2/a/manifests/v1", "", 405),
        ("GET", "/v2/..%2fetc/manifests/v1", "", 404),
    ] {
        assert_eq!(client.send(method, path, body).await.status().as_u16(), status, "{method} {path}");
    }
}

#[tokio::test]
async fn uploads_are_bounded() {
    let client = Client::new();
    for _ in 0..fnctl_config::limits::UPLOADS_MAX {
        assert_eq!(client.send("POST", "/v2/a/blobs/uploads/", "").await.status(), StatusCode::ACCEPTED);
    }
    assert_eq!(client.send("POST", "/v2/a/blobs/uploads/", "").await.status(), StatusCode::TOO_MANY_REQUESTS);
}
