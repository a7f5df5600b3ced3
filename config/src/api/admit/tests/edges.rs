//! What lies at the edge of what is taken.

use super::*;
use crate::limits::MAP_BYTES_MAX;

fn refused(name: &str, fields: Value, old: Option<&Value>) -> Vec<String> {
    let sentence = |text: &String| text.lines().next().unwrap_or_default().to_owned();
    admitted(name, fields, old).err().unwrap_or_default().iter().map(sentence).collect()
}

/// The stored object with one value changed, admitted or refused.
fn changed(name: &str, stored: &Value, pointer: &str, value: Value) -> Vec<String> {
    let mut object = stored.clone();
    *object.pointer_mut(pointer).unwrap() = value;
    refused(name, object, Some(stored))
}

#[test]
fn names_of_buckets() {
    let source = |bucket: &str| json!({"spec": {"bucket": bucket, "sink": {"uri": "http://x/"}}});
    let longest = "a".repeat(63);
    for legal in ["abc", "a-b.c-9", "0ab", "1.2.3.4.5", "10.0.0.256", &longest] {
        assert_eq!(refused("bucketsource", source(legal), None), [""; 0], "{legal}");
    }
    let longer = "a".repeat(64);
    let illegal = ["ab", &longer, "-ab", "ab-", ".ab", "ab.", "a..b", "a_b", "aBc", "xn--a", "sthree-a", "a-s3alias"];
    for illegal in illegal {
        assert_eq!(
            refused("bucketsource", source(illegal), None),
            [format!("invalid value: {illegal}: spec.bucket")],
            "{illegal}"
        );
    }
    let mut events = source("abc");
    events["spec"]["eventTypes"] = json!(["s3:ObjectCreated:Put", "zzzzzzzzzzzzzzzzzz", 1]);
    assert_eq!(
        refused("bucketsource", events, None)[..1],
        ["invalid value: zzzzzzzzzzzzzzzzzz: spec.eventTypes[1]"],
        "the second one is wrong"
    );
}

#[test]
fn keys_and_sizes_of_maps() {
    let data = |key: &str| json!({"data": {key: "x"}});
    let longest = "a".repeat(253);
    for legal in ["a", ".a", "-", "_", longest.as_str()] {
        assert_eq!(refused("cm", data(legal), None), [""; 0], "{legal}");
    }
    let longer = "a".repeat(254);
    let rows = [
        (".", "must not be '.'"),
        ("..", "must not start with '..'"),
        (longer.as_str(), "must be no more than 253 characters"),
        ("", "a valid config key must"),
        ("ä", "a valid config key must"),
    ];
    for (illegal, why) in rows {
        let [error] = refused("cm", data(illegal), None).try_into().unwrap();
        assert!(error.starts_with(&format!("data[{illegal}]: Invalid value: {illegal:?}: {why}")), "{error}");
    }
    let half = "x".repeat(MAP_BYTES_MAX / 2);
    let filled = |more: &str| json!({"data": {"a": half}, "binaryData": {"b": format!("{half}{more}")}});
    assert_eq!(refused("cm", filled(""), None), [""; 0], "exactly full is taken");
    assert_eq!(refused("cm", filled("x"), None), ["data: Too long: may not be more than 1048576 bytes"]);
    let two = json!({"data": {"a": "x"}, "binaryData": {"b": "eA=="}});
    assert_eq!(refused("secret", two, None), [""; 0]);
}

#[test]
fn what_says_that_it_is_immutable_is() {
    let maps = json!({"data": {"a": "x"}, "binaryData": {"b": "eA=="}, "immutable": true});
    let stored = admitted("cm", maps.clone(), None).unwrap();
    let forbidden = |field: &str| vec![format!("{field}: Forbidden: field is immutable when `immutable` is set")];
    assert_eq!(changed("cm", &stored, "/immutable", json!(false)), forbidden("immutable"));
    assert_eq!(changed("cm", &stored, "/data/a", json!("y")), forbidden("data"));
    assert_eq!(changed("cm", &stored, "/binaryData/b", json!("eQ==")), forbidden("binaryData"));
    assert_eq!(changed("cm", &stored, "/metadata", json!({"labels": {"a": "b"}})), [""; 0]);
    let mut open = maps;
    open["immutable"] = json!(false);
    let stored = admitted("cm", open, None).unwrap();
    assert_eq!(changed("cm", &stored, "/data/a", json!("y")), [""; 0]);
    assert_eq!(changed("cm", &stored, "/immutable", json!(true)), [""; 0]);
    let typed = admitted("secret", json!({"type": "Opaque", "data": {}}), None).unwrap();
    assert_eq!(changed("secret", &typed, "/data", json!({"a": "eA=="})), [""; 0], "its type stays");
}

#[test]
fn ports() {
    let port = |port: Value| refused("ksvc", container(json!({"ports": [port]})), None);
    let path = "spec.template.spec.containers[0].ports[0]";
    for legal in [
        json!({}),
        json!({"containerPort": 0}),
        json!({"containerPort": 1}),
        json!({"containerPort": 65_535, "name": "http1", "protocol": "TCP"}),
        json!({"name": "", "protocol": ""}),
    ] {
        assert_eq!(port(legal.clone()), [""; 0], "{legal}");
    }
    for (illegal, expected) in [
        (json!({"containerPort": -1}), vec![format!("expected 0 <= -1 <= 65535: {path}.containerPort")]),
        (json!({"containerPort": 65_536}), vec![format!("expected 0 <= 65536 <= 65535: {path}.containerPort")]),
        (json!({"hostIP": "1.2.3.4"}), vec![format!("must not set the field(s): {path}.hostIP")]),
        (json!({"protocol": "tcp"}), vec![format!("invalid value: tcp: {path}.protocol")]),
    ] {
        assert_eq!(port(illegal.clone()), expected, "{illegal}");
    }
}

#[test]
fn variables() {
    let path = "spec.template.spec.containers[0]";
    let env = |variable: Value| refused("ksvc", container(json!({"env": [variable]})), None);
    let from = |source: Value| env(json!({"name": "A", "value": "", "valueFrom": source}));
    let key = json!({"name": "n", "key": "k"});
    assert_eq!(env(json!({"name": " ~", "value": "x"})), [""; 0]);
    assert_eq!(from(json!({"configMapKeyRef": key})), [""; 0]);
    assert_eq!(from(json!({"secretKeyRef": key})), [""; 0]);
    for illegal in ["a=b", "ä", "\u{7f}", "a\n"] {
        let name = illegal.lines().next().unwrap();
        let errors = env(json!({"name": illegal}));
        assert!(errors[0].starts_with(&format!("invalid value: {name}")), "{errors:?}");
    }
    assert_eq!(
        env(json!({"name": "A", "value": "x", "valueFrom": {"secretKeyRef": key}})),
        [format!("may not be specified when `value` is not empty: {path}.env[0].valueFrom")]
    );
    let both = format!("{path}.env[0].valueFrom.configMapKeyRef, {path}.env[0].valueFrom.secretKeyRef");
    assert_eq!(
        from(json!({"configMapKeyRef": key, "secretKeyRef": key})),
        [format!("expected exactly one, got both: {both}")]
    );
    assert_eq!(
        from(json!({"resourceFieldRef": {"resource": "x"}, "secretKeyRef": key})),
        [format!("must not set the field(s): {path}.env[0].valueFrom.resourceFieldRef")]
    );
    assert_eq!(
        from(json!({"configMapKeyRef": {"name": "", "key": "k"}})),
        [format!("missing field(s): {path}.env[0].valueFrom.configMapKeyRef.name")]
    );
    let env_from = |source: Value| refused("ksvc", container(json!({"envFrom": [source]})), None);
    let (map, secret) = (json!({"name": "n"}), json!({"name": "s"}));
    assert_eq!(env_from(json!({"configMapRef": map, "prefix": "P_"})), [""; 0]);
    assert_eq!(env_from(json!({"secretRef": secret, "prefix": ""})), [""; 0]);
    assert_eq!(
        env_from(json!({"secretRef": secret, "prefix": "="})),
        [format!("invalid value: =: {path}.envFrom[0].prefix")]
    );
    let fields = format!("{path}.envFrom[0].configMapRef, {path}.envFrom[0].secretRef");
    assert_eq!(
        env_from(json!({"configMapRef": map, "secretRef": secret})),
        [format!("expected exactly one, got both: {fields}")]
    );
    assert_eq!(env_from(json!({})), [format!("expected exactly one, got neither: {fields}")]);
    assert_eq!(
        env_from(json!({"secretRef": {"name": ""}})),
        [format!("missing field(s): {path}.envFrom[0].secretRef.name")]
    );
}

#[test]
fn resources() {
    let path = "spec.template.spec.containers[0].resources";
    let of = |resources: Value| refused("ksvc", container(json!({"resources": resources})), None);
    for legal in [
        json!({"limits": {"cpu": "1", "memory": "1Mi"}, "requests": {"cpu": "1000m", "memory": "1Mi"}}),
        json!({"limits": {"cpu": "0"}, "requests": {"memory": "9Gi", "ephemeral-storage": "1"}}),
    ] {
        assert_eq!(of(legal.clone()), [""; 0], "{legal}");
    }
    for (illegal, expected) in [
        (json!({"limits": {"memory": "-1"}}), format!("expected 1Mi <= -1 <= 1024Mi: {path}.limits[memory]")),
        (json!({"limits": {"memory": "1x"}}), format!("invalid value: 1x: {path}.limits[memory]")),
        (json!({"limits": {"memory": "1023Ki"}}), format!("expected 1Mi <= 1023Ki <= 1024Mi: {path}.limits[memory]")),
        (json!({"requests": {"memory": "-1"}}), format!("invalid value: -1: {path}.requests[memory]")),
        (json!({"requests": {"memory": "1x"}}), format!("invalid value: 1x: {path}.requests[memory]")),
        (
            json!({"limits": {"cpu": "1"}, "requests": {"cpu": "1001m"}}),
            format!("invalid value: 1001m: {path}.requests[cpu]"),
        ),
        (json!({"claims": []}), format!("must not set the field(s): {path}.claims")),
    ] {
        assert_eq!(of(illegal.clone()), [expected], "{illegal}");
    }
}

#[test]
fn bounds_of_a_revision() {
    let of = |field: &str, value: i64| {
        let mut spec = json!({"containers": [{"image": "x"}]});
        spec[field] = json!(value);
        refused("ksvc", service(spec), None)
    };
    for (field, legal, illegal) in [
        ("containerConcurrency", [0, 1000], [-1, 1001]),
        ("timeoutSeconds", [0, 600], [-1, 601]),
        ("responseStartTimeoutSeconds", [0, 300], [-1, 301]),
        ("idleTimeoutSeconds", [0, 0], [-1, 1]),
    ] {
        for value in legal {
            assert_eq!(of(field, value), [""; 0], "{field} {value}");
        }
        for value in illegal {
            assert_eq!(of(field, value).len(), 1, "{field} {value}");
        }
    }
    let mut older =
        service(json!({"containers": [{"image": "x"}], "timeoutSeconds": 0, "responseStartTimeoutSeconds": 300}));
    older["spec"]["traffic"] = json!([{"percent": 100}]);
    let mut labelled = older.clone();
    labelled["metadata"] = json!({"labels": {"a": "b"}});
    assert_eq!(refused("ksvc", labelled, Some(&older)), [""; 0], "a time that was stored as zero is the default");
    let volumes = refused("ksvc", service(json!({"containers": [{"image": "x"}], "volumes": [{"name": "v"}]})), None);
    assert!(
        volumes[0].starts_with("volumes are not supported yet") && volumes[0].ends_with(": spec.template.spec.volumes")
    );
}

#[test]
fn a_template_with_a_name_stands_for_one_content() {
    let mut named = container(json!({}));
    named["spec"]["template"]["metadata"] =
        json!({"name": "n-a", "annotations": {"client.knative.dev/user-image": "x", "a": "b"}, "labels": {"c": "d"}});
    let stored = admitted("ksvc", named, None).unwrap();
    let metadata = "/spec/template/metadata";
    let differs = |found: Vec<String>| found.len() == 1 && found[0].starts_with("Saw the following changes");
    for (field, value) in [("annotations", json!({"a": "c"})), ("labels", json!({})), ("annotations", json!({}))] {
        assert!(differs(changed("ksvc", &stored, &format!("{metadata}/{field}"), value.clone())), "{field} {value}");
    }
    // What tools note runs nothing, and an empty map is none.
    for value in [json!({"a": "b"}), json!({"client.knative.dev/updateTimestamp": "now", "a": "b"})] {
        assert_eq!(changed("ksvc", &stored, &format!("{metadata}/annotations"), value.clone()), [""; 0], "{value}");
    }
    let mut bare = stored;
    bare["spec"]["template"]["metadata"] = json!({"name": "n-a"});
    assert_eq!(changed("ksvc", &bare, metadata, json!({"name": "n-a", "labels": {}})), [""; 0]);
    let generated = |name: &str| changed("ksvc", &bare, metadata, json!({"name": "n-a", "generateName": name}));
    assert_eq!(generated("n-"), ["must not set the field(s): spec.template.metadata.generateName"]);
    assert_eq!(generated(""), [""; 0]);
    assert_eq!(changed("ksvc", &bare, metadata, json!({"name": ""})), [""; 0], "no name is no name");
    let wrong = changed("ksvc", &bare, metadata, json!({"name": "n-A"}));
    assert!(wrong[0].starts_with("not a DNS 1035 label") && wrong.len() == 1, "{wrong:?}");
}

#[test]
fn what_a_revision_changed_is_named() {
    let stored = json!({"spec": {"containers": [{"image": "x"}], "serviceAccountName": "a"}});
    let stored = admitted("revision", stored, None).unwrap();
    let mut object = stored.clone();
    object["spec"] = json!({"containers": stored["spec"]["containers"], "containerConcurrency": 0,
        "enableServiceLinks": false, "timeoutSeconds": 5, "responseStartTimeoutSeconds": 1});
    let [error] = refused("revision", object, Some(&stored)).try_into().unwrap();
    let fields = "serviceAccountName, timeoutSeconds, responseStartTimeoutSeconds";
    assert!(error.contains(&format!("(-old +new): {fields}; change the Service")), "{error}");
    assert_eq!(changed("revision", &stored, "/metadata", json!({"labels": {"a": "b"}})), [""; 0]);
}

#[test]
fn targets_of_traffic() {
    let split = |kind: &str, traffic: Value| match kind {
        "route" => refused("route", json!({"spec": {"traffic": traffic}}), None),
        _ => {
            let mut service = container(json!({}));
            service["spec"]["traffic"] = traffic;
            refused("ksvc", service, None)
        }
    };
    for (kind, traffic, expected) in [
        ("ksvc", json!([{"percent": 0, "tag": "a"}, {"percent": 100, "tag": "b"}]), vec![]),
        ("ksvc", json!([{"percent": 100, "tag": ""}, {"tag": ""}]), vec![]),
        (
            "ksvc",
            json!([{"percent": -1}, {"percent": 101}]),
            vec![
                "expected 0 <= -1 <= 100: spec.traffic[0].percent",
                "expected 0 <= 101 <= 100: spec.traffic[1].percent",
            ],
        ),
        (
            "ksvc",
            json!([{"percent": 100, "tag": "a"}, {"tag": "b"}, {"tag": "b"}]),
            vec!["Multiple definitions for \"b\": spec.traffic[1].tag: spec.traffic[2].tag"],
        ),
        ("ksvc", json!([{"percent": 100, "configurationName": "", "revisionName": ""}]), vec![]),
        ("route", json!([{"percent": 100, "revisionName": "r"}]), vec![]),
        ("route", json!([{"percent": 100, "revisionName": "r", "latestRevision": false}]), vec![]),
        ("route", json!([{"percent": 100, "configurationName": "c", "latestRevision": true}]), vec![]),
        (
            "route",
            json!([{"percent": 100, "revisionName": "r", "configurationName": "c"}]),
            vec!["expected exactly one, got both: spec.traffic[0].configurationName, spec.traffic[0].revisionName"],
        ),
    ] {
        assert_eq!(split(kind, traffic.clone()), expected, "{traffic}");
    }
}

#[test]
fn defaults_fill_what_is_missing_only() {
    let spec = |kind: &str, spec: Value| admitted(kind, json!({"spec": spec}), None).unwrap()["spec"].clone();
    let traffic = spec(
        "route",
        json!({"traffic": [{"percent": 40, "revisionName": "r"}, {"percent": 60, "configurationName": "c", "revisionName": ""}]}),
    );
    assert_eq!([&traffic["traffic"][0]["latestRevision"], &traffic["traffic"][1]["latestRevision"]], [false, true]);
    let containers = spec("revision", json!({"containers": [{"image": "x", "name": null}], "timeoutSeconds": null}));
    assert_eq!(containers["containers"][0]["name"], "user-container");
    assert_eq!(containers["timeoutSeconds"], 300);
    let kept = spec(
        "revision",
        json!({"containers": [{"image": "x", "name": "c"}], "timeoutSeconds": 5, "containerConcurrency": 7, "enableServiceLinks": true}),
    );
    let values = [&kept["timeoutSeconds"], &kept["containerConcurrency"], &kept["enableServiceLinks"]];
    assert_eq!(values, [&json!(5), &json!(7), &json!(true)]);
    assert_eq!(kept["containers"][0]["name"], "c");
    let configuration = spec("configuration", json!({"template": {"spec": {"containers": [{"image": "x"}]}}}));
    assert_eq!(configuration["template"]["spec"]["enableServiceLinks"], false);
    assert!(configuration["traffic"].is_null(), "only a Service has traffic");
    let delivery = json!({"delivery": {"retry": 1}});
    assert_eq!(spec("broker", delivery.clone()), delivery);

    let trigger = |broker: &str| json!({"spec": {"broker": broker, "subscriber": {"uri": "http://x/"}}});
    let mut labelled = trigger("b");
    labelled["metadata"] = json!({"labels": {"eventing.knative.dev/broker": "other", "a": "b"}});
    let labels = admitted("trigger", labelled, None).unwrap()["metadata"]["labels"].clone();
    assert_eq!(labels, json!({"eventing.knative.dev/broker": "b", "a": "b"}), "the label says what the spec says");
    assert_eq!(refused("trigger", trigger(""), None), ["missing field(s): spec.broker"]);
    let classed = json!({"metadata": {"annotations": {"eventing.knative.dev/broker.class": "MTChannelBasedBroker"}}});
    assert!(admitted("broker", classed, None).is_ok());
}

#[test]
fn a_change_that_touches_nothing_of_the_content_is_not_judged() {
    let kind = by_name("cm").unwrap();
    let mut stored = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}, "data": {"a b": "x"}});
    let judged = |change: &dyn Fn(&mut Value)| {
        let mut object = stored.clone();
        change(&mut object);
        admit(kind, &mut object, Some(&stored), "me").is_err()
    };
    assert!(!judged(&|object| object["metadata"]["finalizers"] = json!(["f"])));
    assert!(!judged(&|object| object["status"] = json!({"x": 1})));
    assert!(judged(&|object| object["metadata"]["labels"] = json!({"a": "b"})));
    assert!(judged(&|object| object["metadata"]["annotations"] = json!({"a": "b"})));
    assert!(judged(&|object| object["binaryData"] = json!({"c": "eA=="})));
    stored["data"] = json!({});
    assert!(admit(kind, &mut stored, None, "me").is_ok());
}
