//! Create, update, patch, delete: what is stored, and what is refused in which words.

use super::{APPLY, CORE, MERGE, call, config_map, server, service, typed};
use crate::apiserver::{ApiServer, Identity};
use axum::body::{Body, to_bytes};
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

const SERVICES: &str = "/apis/serving.knative.dev/v1/namespaces/default/services";

async fn generation(api: &ApiServer, name: &str) -> Value {
    call(api, "GET", &format!("{SERVICES}/{name}"), Value::Null).await.1["metadata"]["generation"].clone()
}

#[tokio::test]
async fn refusals() {
    let api = server().await;
    call(&api, "POST", &format!("{CORE}/configmaps"), config_map("there", json!({}))).await;
    let mut unknown = service("a", "i");
    unknown["spec"]["template"]["spec"]["containers"][0]["envv"] = json!([]);
    let mut wrong = service("a", "i");
    wrong["spec"]["template"]["spec"]["containers"][0]["env"] = json!("three");
    let mut elsewhere = config_map("a", json!({}));
    elsewhere["metadata"]["namespace"] = json!("other");
    let strict = format!("{SERVICES}?fieldValidation=Strict");
    let maps = format!("{CORE}/configmaps");
    for (method, path, body, status, fragment) in [
        (
            "POST",
            &strict,
            unknown,
            400,
            r#"unknown field \"spec.template.spec.containers[0].envv\" (did you mean \"env\"?)"#,
        ),
        ("POST", &strict, wrong, 422, "must be of type array"),
        ("POST", &format!("{SERVICES}?fieldValidation=strict"), service("a", "i"), 422, "supported values"),
        ("POST", &maps, config_map("there", json!({})), 409, "already exists"),
        ("POST", &maps, config_map("Upper_Case", json!({})), 422, "metadata.name"),
        ("POST", &maps, config_map("", json!({})), 422, "metadata.name"),
        ("POST", &maps, service("a", "i"), 400, "this address takes v1 ConfigMap"),
        ("POST", &maps, json!([1]), 400, "the body is no object"),
        ("POST", &maps, elsewhere, 400, "does not match the namespace"),
        ("POST", &"/api/v1/namespaces/nope/configmaps".to_owned(), config_map("a", json!({})), 404, "nope"),
        ("PUT", &format!("{maps}/none"), config_map("none", json!({})), 404, "not found"),
        ("PUT", &format!("{maps}/there"), config_map("other", json!({})), 400, "does not match that of the URL"),
        ("PATCH", &format!("{maps}/there"), json!({"metadata": {"resourceVersion": "1"}}), 409, "has been modified"),
        ("PATCH", &format!("{maps}/there"), json!({"data": {"k": 1}}), 422, "data.k"),
        ("DELETE", &format!("{maps}/none"), Value::Null, 404, "not found"),
        ("DELETE", &format!("{maps}/there"), json!({"preconditions": {"uid": "x"}}), 409, "has been modified"),
        ("DELETE", &format!("{maps}/there"), json!({"propagationPolicy": "Later"}), 422, "Unsupported value"),
        ("POST", &format!("{maps}/there"), config_map("there", json!({})), 405, "does not allow this method"),
    ] {
        let (code, answer) = call(&api, method, path, body).await;
        assert_eq!(code, status, "{method} {path}: {answer}");
        assert!(answer.to_string().contains(fragment), "{method} {path}: {answer}");
        assert_eq!((&answer["kind"], &answer["code"]), (&json!("Status"), &json!(code)));
    }
    let (code, _) =
        typed(&api, "PATCH", &format!("{SERVICES}/x"), ("application/strategic-merge-patch+json", json!({}))).await;
    assert_eq!(code, 415);
    let huge = json!({"k": "x".repeat(fnctl_config::limits::OBJECT_BYTES_MAX)});
    assert_eq!(call(&api, "POST", &maps, config_map("huge", huge)).await.0, 413);
}

#[tokio::test]
async fn generation_counts_the_spec_alone() {
    let api = server().await;
    let (code, made) = call(&api, "POST", SERVICES, service("a", "example.com/a:1")).await;
    assert_eq!((code, &made["metadata"]["generation"]), (201, &json!(1)), "{made}");
    let path = format!("{SERVICES}/a");
    call(&api, "PATCH", &path, json!({"metadata": {"labels": {"x": "y"}}})).await;
    assert_eq!(generation(&api, "a").await, 1);
    call(&api, "PATCH", &path, json!({"spec": {"template": {"spec": {"timeoutSeconds": 5}}}})).await;
    assert_eq!(generation(&api, "a").await, 2);
    call(&api, "PATCH", &path, json!({"status": {"url": "http://no"}})).await;
    let (code, after) =
        call(&api, "PATCH", &format!("{path}/status"), json!({"status": {"url": "http://yes"}, "spec": {}})).await;
    assert_eq!(
        (code, &after["status"]["url"], &after["metadata"]["generation"]),
        (200, &json!("http://yes"), &json!(2))
    );
    let (_, object) = call(&api, "GET", &path, Value::Null).await;
    assert_eq!(object["spec"]["template"]["spec"]["timeoutSeconds"], 5);
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing() {
    let api = server().await;
    let path = format!("{CORE}/configmaps/a");
    let apply = |manager: &str| format!("{path}?fieldManager={manager}");
    let config = config_map("a", json!({"k": "1"}));
    let (code, first) = typed(&api, "PATCH", &apply("m"), (APPLY, config.clone())).await;
    assert_eq!(code, 201, "{first}");
    let (code, second) = typed(&api, "PATCH", &apply("m"), (APPLY, config)).await;
    assert_eq!((code, &second), (200, &first));
    let (_, third) = call(&api, "PATCH", &path, json!({"data": {"k": "1"}})).await;
    assert_eq!(third, first);
    let (code, conflict) = typed(&api, "PATCH", &apply("other"), (APPLY, config_map("a", json!({"k": "2"})))).await;
    assert_eq!((code, &conflict["details"]["causes"][0]["field"]), (409, &json!(".data.k")), "{conflict}");
    let (code, _) =
        typed(&api, "PATCH", &format!("{}&force=true", apply("other")), (APPLY, config_map("a", json!({"k": "2"}))))
            .await;
    assert_eq!(code, 200);
}

#[tokio::test]
async fn a_service_applied_again_is_the_same_service() {
    let api = server().await;
    let path = format!("{SERVICES}/a?fieldManager=m");
    let unnamed = service("a", "example.com/a:1");
    let (code, first) = typed(&api, "PATCH", &path, (APPLY, unnamed.clone())).await;
    assert_eq!((code, &first["spec"]["template"]["spec"]["timeoutSeconds"]), (201, &json!(300)));
    let (code, second) = typed(&api, "PATCH", &path, (APPLY, unnamed.clone())).await;
    assert_eq!((code, &second), (200, &first));
    // The name that it has anyway, written out, is no second container.
    let mut named = unnamed;
    named["spec"]["template"]["spec"]["containers"][0]["name"] = json!("user-container");
    let (code, third) = typed(&api, "PATCH", &path, (APPLY, named)).await;
    let containers = third["spec"]["template"]["spec"]["containers"].as_array().map(Vec::len);
    assert_eq!((code, containers), (200, Some(1)), "{third}");
}

#[tokio::test]
async fn dry_runs_store_nothing() {
    let api = server().await;
    let maps = format!("{CORE}/configmaps");
    let (code, made) = call(&api, "POST", &format!("{maps}?dryRun=All"), config_map("a", json!({"k": "1"}))).await;
    assert_eq!((code, &made["data"]["k"]), (201, &json!("1")));
    assert_eq!(call(&api, "GET", &format!("{maps}/a"), Value::Null).await.0, 404);
    call(&api, "POST", &maps, config_map("a", json!({"k": "1"}))).await;
    let (_, patched) = call(&api, "PATCH", &format!("{maps}/a?dryRun=All"), json!({"data": {"k": "2"}})).await;
    assert_eq!(patched["data"]["k"], "2");
    assert_eq!(call(&api, "DELETE", &format!("{maps}/a?dryRun=All"), Value::Null).await.0, 200);
    let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["Al"]});
    for (path, body) in [(format!("{maps}/a?dryRun=al"), Value::Null), (format!("{maps}/a"), options)] {
        let (code, refused) = call(&api, "DELETE", &path, body).await;
        assert_eq!((code, &refused["reason"]), (422, &json!("Invalid")), "{refused}");
    }
    assert_eq!(call(&api, "GET", &format!("{maps}/a"), Value::Null).await.1["data"]["k"], "1");
}

#[tokio::test]
async fn secrets_are_folded_and_names_are_generated() {
    let api = server().await;
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"generateName": "s-"}, "stringData": {"k": "v"}});
    let (code, made) = call(&api, "POST", &format!("{CORE}/secrets"), secret).await;
    assert_eq!((code, &made["data"]["k"], &made["type"]), (201, &json!("dg=="), &json!("Opaque")), "{made}");
    assert!(made.get("stringData").is_none());
    assert!(made["metadata"]["name"].as_str().unwrap().starts_with("s-"));
}

#[tokio::test]
async fn finalizers_hold_until_they_are_taken_off() {
    let api = server().await;
    let mut map = config_map("a", json!({}));
    map["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let path = format!("{CORE}/configmaps/a");
    call(&api, "POST", &format!("{CORE}/configmaps"), map).await;
    let (code, held) = call(&api, "DELETE", &path, Value::Null).await;
    assert!(code == 200 && held["metadata"]["deletionTimestamp"].is_string(), "{held}");
    let add = json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}});
    let (_, after) = call(&api, "PATCH", &path, add).await;
    assert_eq!(after["metadata"]["finalizers"], json!(["example.com/hold"]), "none may be added now");
    call(&api, "PATCH", &path, json!({"metadata": {"finalizers": null}})).await;
    assert_eq!(call(&api, "GET", &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn racing_patches_all_count() {
    let api = server().await;
    call(&api, "POST", &format!("{CORE}/configmaps"), config_map("a", json!({}))).await;
    let path = format!("{CORE}/configmaps/a");
    let patches = (0..8).map(|index| {
        let (api, path) = (&api, &path);
        async move { typed(api, "PATCH", path, (MERGE, json!({"data": {format!("k{index}"): "v"}}))).await.0 }
    });
    assert!(futures::future::join_all(patches).await.iter().all(|code| *code == 200));
    let (_, object) = call(&api, "GET", &path, Value::Null).await;
    assert_eq!(object["data"].as_object().unwrap().len(), 8);
}

#[tokio::test]
async fn collections_are_deleted_by_selector() {
    let api = server().await;
    for (name, label) in [("a", "x"), ("b", "y")] {
        let mut map = config_map(name, json!({}));
        map["metadata"]["labels"] = json!({"l": label});
        call(&api, "POST", &format!("{CORE}/configmaps"), map).await;
    }
    assert_eq!(call(&api, "DELETE", &format!("{CORE}/configmaps?labelSelector=l%3Dx"), Value::Null).await.0, 200);
    assert_eq!(call(&api, "GET", &format!("{CORE}/configmaps/a"), Value::Null).await.0, 404);
    assert_eq!(call(&api, "GET", &format!("{CORE}/configmaps/b"), Value::Null).await.0, 200);
}

#[tokio::test]
async fn namespaces_go_one_by_one_and_the_default_stays() {
    let api = server().await;
    let namespaces = "/api/v1/namespaces";
    let other = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}});
    call(&api, "POST", namespaces, other).await;
    for (path, status, fragment) in [
        (namespaces, 405, "does not allow this method"),
        ("/api/v1/namespaces/", 405, "does not allow this method"),
        ("/api/v1/namespaces/default", 403, "this namespace may not be deleted"),
        ("/api/v1/namespaces/other", 200, ""),
    ] {
        let (code, answer) = call(&api, "DELETE", path, Value::Null).await;
        assert_eq!(code, status, "{path}: {answer}");
        assert!(answer.to_string().contains(fragment), "{path}: {answer}");
    }
    let (_, list) = call(&api, "GET", namespaces, Value::Null).await;
    let names: Vec<_> = list["items"].as_array().into_iter().flatten().map(|item| &item["metadata"]["name"]).collect();
    assert_eq!(names, ["default"]);
    let label = |namespace: &Value| namespace["metadata"]["labels"]["kubernetes.io/metadata.name"].clone();
    let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "made"}});
    let (_, posted) = call(&api, "POST", namespaces, made.clone()).await;
    let (_, replaced) = call(&api, "PUT", "/api/v1/namespaces/made", made).await;
    assert_eq!([label(&posted), label(&replaced)], ["made", "made"], "selectors choose it by its name");
    let (_, core) = call(&api, "GET", "/api/v1", Value::Null).await;
    let verbs = |plural: &str| {
        core["resources"].as_array().unwrap().iter().find(|r| r["name"] == plural).unwrap()["verbs"].to_string()
    };
    assert!(!verbs("namespaces").contains("deletecollection") && verbs("configmaps").contains("deletecollection"));
}

#[tokio::test]
async fn only_the_node_writes_pods() {
    let api = server().await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let pods = format!("{CORE}/pods");
    for (method, path, media) in
        [("POST", pods.clone(), "application/json"), ("PATCH", format!("{pods}/p?fieldManager=m"), APPLY)]
    {
        let request = Request::builder().method(method).uri(path).header("content-type", media);
        let request = request.extension(Identity::Admin).body(Body::from(pod.to_string())).unwrap();
        let response = api.router().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 403, "{method}");
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("make a Service"), "{method}");
    }
    assert_eq!(call(&api, "POST", &pods, pod).await.0, 201, "the node itself");
}

/// The warnings of an answer, as their header writes them.
async fn warned(api: &ApiServer, method: &str, path: &str, (content_type, body): (&str, &Value)) -> Vec<String> {
    let request = Request::builder().method(method).uri(path).header("content-type", content_type);
    let request = request.extension(Identity::Node).body(Body::from(body.to_string())).unwrap();
    let response = api.router().oneshot(request).await.unwrap();
    assert!(response.status().is_success(), "{method} {path}: {}", response.status());
    response.headers().get_all("warning").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_has_no_effect_is_warned_of_with_each_way_to_write_it() {
    let api = server().await;
    let command = |name: &str, word: &str| {
        let mut object = service(name, "example.com/a:1");
        object["spec"]["template"]["spec"]["containers"][0]["command"] = json!([word]);
        object
    };
    let begin = r#"299 - "spec.template.spec.containers[0].command: has no effect: "#;
    let applied = format!("{SERVICES}/b?fieldManager=m");
    let patched = json!({"spec": {"template": {"spec": {"timeoutSeconds": 5}}}});
    for (method, path, content_type, body) in [
        ("POST", SERVICES, "application/json", &command("a", "one")),
        ("POST", &format!("{SERVICES}?dryRun=All"), "application/json", &command("c", "one")),
        ("PATCH", &applied, APPLY, &command("b", "one")),
        ("PATCH", &applied, APPLY, &command("b", "two")),
        ("PATCH", &format!("{SERVICES}/a"), MERGE, &patched),
    ] {
        let found = warned(&api, method, path, (content_type, body)).await;
        assert!(found.len() == 1 && found[0].starts_with(begin), "{method} {path}: {found:?}");
    }
    for (path, content_type, body) in [
        (&applied, APPLY, &command("b", "two")),
        (&format!("{SERVICES}/a"), MERGE, &json!({"metadata": {"labels": {"a": "b"}}})),
        (&format!("{SERVICES}/a/status"), MERGE, &json!({"status": {"url": "http://a"}})),
    ] {
        assert_eq!(warned(&api, "PATCH", path, (content_type, body)).await, [""; 0], "{path}");
    }
    let mut unknown = command("d", "one");
    unknown["spec"]["template"]["spec"]["containers"][0]["envv"] = json!([]);
    let both = warned(&api, "POST", SERVICES, ("application/json", &unknown)).await;
    assert!(both.len() == 2 && both[0].contains("unknown field") && both[1].starts_with(begin), "{both:?}");
}
