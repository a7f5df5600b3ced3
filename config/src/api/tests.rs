use super::*;
use serde_json::json;

#[test]
fn what_is_wrong_is_refused() {
    let service = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    let sink = json!({"uri": "http://x/"});
    let rows = [
        ("ksvc", service(json!({"containers": [{"image": "x", "name": "", "resources": {}}]})), ""),
        ("ksvc", json!({"spec": {}}), "missing field(s): spec.template.spec.containers"),
        ("ksvc", service(json!({"containers": [{}]})), "missing field(s): spec.template.spec.containers[0].image"),
        (
            "ksvc",
            service(json!({"containers": [{"image": "x", "tty": true}], "hostNetwork": true})),
            "must not set the field(s): spec.template.spec.hostNetwork; must not set the field(s): spec.template.spec.containers[0].tty",
        ),
        (
            "ksvc",
            service(json!({"containers": [{"image": "x"}], "containerConcurrency": 1001})),
            "expected 0 <= 1001 <= 1000: spec.template.spec.containerConcurrency",
        ),
        ("trigger", json!({"spec": {"subscriber": sink}}), "missing field(s): spec.broker"),
        (
            "trigger",
            json!({"spec": {"broker": "b"}}),
            "expected exactly one, got neither: spec.subscriber.ref, spec.subscriber.uri",
        ),
        (
            "broker",
            json!({"spec": {"delivery": {"backoffPolicy": "slow"}}}),
            "invalid value: slow: spec.delivery.backoffPolicy",
        ),
        ("bucketsource", json!({"spec": {"sink": sink}}), "missing field(s): spec.bucket"),
    ];
    for (name, mut object, expected) in rows {
        let kind = kind::by_name(name).unwrap();
        (object["apiVersion"], object["kind"]) = (json!(kind.api_version()), json!(kind.kind));
        object["metadata"] = json!({"name": "n", "namespace": "ns"});
        let errors = admit(kind, &mut object, None, "me").err().unwrap_or_default();
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(text.join("; "), expected);
    }
}
