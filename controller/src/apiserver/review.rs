//! `SelfSubjectAccessReview`: `kubectl auth can-i` asks whether a request would be allowed, and gets the answer of the gate
//! itself. Nothing is looked up: whether there is such an object is another question.

use super::answer::json_bytes;
use super::authorize::{Identity, Target, Verb, authorize};
use super::failure::Failure;
use super::protobuf;
use super::resource::Resource;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

pub(crate) fn answer(identity: Identity, body: &[u8], content_type: &str) -> Result<Response, Failure> {
    let review = if content_type == protobuf::MEDIA_TYPE {
        protobuf::decode(body).ok_or_else(|| Failure::unsupported("application/json"))?
    } else {
        serde_json::from_slice(body).map_err(|error| Failure::bad_request(error.to_string()))?
    };
    let status = match decide(identity, &review["spec"]) {
        Ok(()) => json!({"allowed": true, "reason": "the node's token may do this"}),
        Err(failure) => json!({"allowed": false, "reason": failure.message}),
    };
    let answer = json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
        "spec": review["spec"], "status": status,
    });
    Ok(json_bytes(StatusCode::CREATED, answer.to_string()))
}

/// What is not known here, such as a verb `*` or a kind of another API, is asked of as a path: there is nothing that could
/// refuse it but the lack of a token.
fn decide(identity: Identity, spec: &Value) -> Result<(), Failure> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (wanted, path) = (&spec["resourceAttributes"], text(&spec["nonResourceAttributes"]["path"]));
    let verb =
        Verb::by_name(&text(if wanted.is_null() { &spec["nonResourceAttributes"]["verb"] } else { &wanted["verb"] }));
    let target = match Resource::by_plural(&text(&wanted["group"]), &text(&wanted["resource"])) {
        Some(resource) => Target::Objects(resource),
        None => Target::Path(&path),
    };
    authorize(identity, verb.unwrap_or(Verb::Get), target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(verb: &str, group: &str, resource: &str) -> Value {
        json!({"resourceAttributes": {"namespace": "default", "verb": verb, "group": group, "resource": resource}})
    }

    #[test]
    fn a_review_says_what_the_gate_says() {
        let paths = json!({"nonResourceAttributes": {"path": "/metrics", "verb": "get"}});
        let rows = [
            (asked("create", "serving.knative.dev", "services"), Identity::Admin, true),
            (asked("get", "", "pods"), Identity::Admin, true),
            (asked("delete", "", "pods"), Identity::Admin, true),
            (asked("create", "", "pods"), Identity::Admin, false),
            (asked("update", "", "pods"), Identity::Admin, false),
            (asked("patch", "", "pods"), Identity::Admin, false),
            (asked("create", "", "pods"), Identity::Node, true),
            (asked("*", "*", "*"), Identity::Admin, true),
            (asked("create", "apps", "deployments"), Identity::Admin, true),
            (paths, Identity::Admin, true),
            (json!({}), Identity::Admin, true),
        ];
        for (spec, identity, expected) in rows {
            assert_eq!(decide(identity, &spec).is_ok(), expected, "{identity:?}: {spec}");
        }
    }
}
