use super::*;
use crate::api;
use crate::snapshot::{Backoff, Destination, Filter, ObjectKey, Reuse};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn destinations() {
    let function = |path: &str| Ok(Destination::Function { key: ObjectKey::new("ns", "f"), path: path.to_owned() });
    let uri = |text: &str| Ok(Destination::Uri { uri: text.to_owned(), ca_certs: None });
    let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    let trusting = Ok(Destination::Uri { uri: "https://x/".to_owned(), ca_certs: Some(pem.to_owned()) });
    let broker = Ok(Destination::Broker { key: ObjectKey::new("ns", "b") });
    let ksvc = json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "f"});
    let rows = [
        (json!({"ref": ksvc}), function("/")),
        (json!({"ref": ksvc, "uri": "/a?b=c"}), function("/a?b=c")),
        (json!({"ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "b"}}), broker.clone()),
        (json!({"uri": "http://f.ns.svc.cluster.local"}), function("/")),
        (json!({"uri": "http://f.ns.localhost:8080/x?y"}), function("/x?y")),
        (json!({"uri": "http://127.0.0.1:8080/-/broker/ns/b"}), broker.clone()),
        (json!({"uri": "https://example.com/x"}), uri("https://example.com/x")),
        (json!({"ref": ksvc, "uri": "a/../b/./c/.."}), function("/b/")),
        (json!({"ref": ksvc, "uri": "../../x?u=http://y/..#part"}), function("/x?u=http://y/..")),
        (json!({"ref": ksvc, "uri": "?a"}), function("/?a")),
        (json!({"ref": ksvc, "uri": "http://x/"}), Err("invalid value: http://x/: s.uri")),
        (json!({"ref": ksvc, "uri": "//x/"}), Err("invalid value: //x/: s.uri")),
        (json!({"ref": ksvc, "uri": "a b"}), Err("invalid value: a b: s.uri")),
        (
            json!({"ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "b"}, "uri": "/x"}),
            Err("invalid value: /x: s.uri"),
        ),
        (json!({"uri": "https://127.0.0.1:8080/-/broker/ns/b"}), uri("https://127.0.0.1:8080/-/broker/ns/b")),
        (json!({"uri": "https://f.ns.localhost/"}), uri("https://f.ns.localhost/")),
        (json!({"uri": "http://[::1]:8080/-/broker/ns/b"}), broker),
        (json!({"uri": "http://127.0.0.1:8081/-/broker/ns/b"}), uri("http://127.0.0.1:8081/-/broker/ns/b")),
        (json!({"uri": "http://[::1]/x"}), uri("http://[::1]/x")),
        (json!({"uri": "http://x:y/"}), Err("invalid value: http://x:y/: s.uri")),
        (json!({"uri": "https://x/", "CACerts": pem}), trusting),
        (json!({"uri": "https://x/", "CACerts": "x"}), Err("invalid value: x: s.CACerts")),
        (json!({"uri": "http://x/", "CACerts": pem}), Err("invalid value: -----BEGIN CERTIFICATE-----: s.CACerts")),
        (json!({"ref": ksvc, "CACerts": pem}), Err("invalid value: -----BEGIN CERTIFICATE-----: s.CACerts")),
        (json!({"uri": "http://x/", "audience": "a"}), Err("not supported yet: s.audience")),
        (json!({"uri": "http://tag.f.ns.localhost/"}), uri("http://tag.f.ns.localhost/")),
        (json!({"uri": "/x"}), Err("invalid value: /x: s.uri")),
        (json!({"uri": "http:///x"}), Err("invalid value: http:///x: s.uri")),
        (json!({}), Err("expected exactly one, got neither: s.ref, s.uri")),
        (json!({"ref": {"kind": "Pod", "apiVersion": "v1", "name": "p"}}), Err("v1 Pod cannot be addressed")),
    ];
    for (written, expected) in rows {
        let parsed = serde_json::from_value(written.clone()).unwrap();
        match (destination(&parsed, ("ns", &Home::default()), "s"), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{written}"),
            (Err(error), Err(expected)) => assert!(error.to_string().starts_with(expected), "{error}"),
            (found, _) => panic!("{written}: {found:?}"),
        }
    }
}

#[test]
fn what_is_of_this_home_depends_on_the_home() {
    let home = Home { domain: "fn.example.com".to_owned(), http_port: 8080 };
    let of = |uri: &str| {
        let written = serde_json::from_value(json!({"uri": uri})).unwrap();
        !matches!(destination(&written, ("ns", &home), "").unwrap(), Destination::Uri { .. })
    };
    let rows = [
        ("http://f.ns.fn.example.com:8080/", true),
        ("http://f.ns.fn.example.com/", false),
        ("http://f.nsfn.example.com:8080/", false),
        ("http://f.ns.localhost:8080/", false),
        ("http://f.ns.svc.cluster.local/", true),
        ("http://127.0.0.1:8080/-/broker/ns/b", true),
        ("http://127.0.0.1:8081/-/broker/ns/b", false),
        ("http://127.0.0.1:8080/-/broker/ns/b/c", false),
    ];
    for (uri, expected) in rows {
        assert_eq!(of(uri), expected, "{uri}");
    }
}

#[test]
fn variables_are_expanded_as_in_kubernetes() {
    let env = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())];
    let rows = [
        ("", ""),
        ("$(A)", "1"),
        ("x$(A)y$(A)", "x1y1"),
        ("$(B)", "$(A)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(C)", "$(C)"),
        ("$(A", "$(A"),
        ("$A $", "$A $"),
        ("$($(A))", "$($(A))"),
    ];
    for (text, expected) in rows {
        assert_eq!(expand::expand(text, &env), expected, "{text}");
    }
    let container = json!({"image": "x", "args": ["$(A)-$(K_SERVICE)"],
        "env": [{"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"}, {"name": "C", "value": "$(A)2"}]});
    let found = revision(&revision_of(&json!({}), &container), "d", &Lookup::default()).unwrap();
    let value = |name: &str| found.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!([value("B"), value("C")], [Some("$(A)"), Some("12")]);
    assert_eq!(found.args, ["1-f"]);
}

fn revision_of(annotations: &Value, container: &Value) -> api::Revision {
    serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Revision",
        "metadata": {"name": "f-00001", "namespace": "ns", "uid": "u", "annotations": annotations,
            "labels": {"serving.knative.dev/service": "f", "serving.knative.dev/configuration": "f"}},
        "spec": {"containerConcurrency": 4, "containers": [container]},
    }))
    .unwrap()
}

#[test]
fn a_revision_with_everything() {
    let annotations = json!({"fnctl.dev/reuse": "50", "fnctl.dev/cpu": "500ms", "fnctl.dev/buckets": "films=read, results=write",
        "autoscaling.knative.dev/max-scale": "3", "autoscaling.knative.dev/window": "12s"});
    let container = json!({"name": "", "image": "x", "resources": {"limits": {"memory": "256Mi"}},
        "envFrom": [{"configMapRef": {"name": "c"}, "prefix": "P_"}],
        "env": [{"name": "A", "value": "1"}, {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]});
    let map =
        |name: &str, key: &str, value: &str| [(name.to_owned(), [(key.to_owned(), value.to_owned())].into())].into();
    let lookup = Lookup { config_maps: map("c", "x", "from-map"), secrets: map("s", "k", "from-secret") };
    let found = revision(&revision_of(&annotations, &container), "d", &lookup).unwrap();
    let env: Vec<String> = found.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        env.join(" "),
        "P_x=from-map A=1 S=from-secret K_SERVICE=f K_CONFIGURATION=f K_REVISION=f-00001 PORT=8080"
    );
    assert_eq!(found.limits.memory_bytes, 256 << 20);
    assert_eq!((found.limits.cpu, found.limits.timeout), (Duration::from_millis(500), Duration::from_secs(300)));
    assert_eq!(found.reuse, Reuse::Serial { requests: 50 });
    assert_eq!((found.scale.max, found.scale.total, found.scale.panic_window), (3, 4.0, Duration::from_secs(1)));
    assert_eq!(found.grants.buckets.len(), 2);
}

#[test]
fn everything_wrong_is_named_at_once() {
    let annotations =
        json!({"fnctl.dev/cpu": "1d", "fnctl.dev/engine": "process", "autoscaling.knative.dev/window": "1s"});
    let container = json!({"resources": {"limits": {"memory": "4Gi"}},
        "env": [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]});
    let errors = revision(&revision_of(&annotations, &container), "d", &Lookup::default()).unwrap_err();
    let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 5, "{text:#?}");
    assert_eq!(text[0], "expected 6s <= 1s <= 3600s: metadata.annotations[autoscaling.knative.dev/window]");
    assert!(text[3].starts_with("expected 1Mi <= 4Gi <= 1024Mi: spec.containers[0].resources.limits[memory]"));
    assert!(text[4].contains("not found: spec.containers[0].env[0].valueFrom.secretKeyRef"), "{}", text[4]);
}

#[test]
fn a_broker_without_delivery_gets_knatives() {
    let object = serde_json::from_value(json!({"apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
        "metadata": {"name": "b", "namespace": "ns"}, "spec": {}}))
    .unwrap();
    let found = broker(&object, &Home::default()).unwrap();
    assert_eq!((found.delivery.retry, found.delivery.backoff_delay), (10, Duration::from_millis(200)));
}

fn trigger_of(spec: &Value, annotations: &Value) -> Result<crate::snapshot::Trigger, Vec<String>> {
    let object = json!({"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "spec": spec,
        "metadata": {"name": "t", "namespace": "ns", "uid": "u", "generation": 3, "annotations": annotations}});
    let found = trigger(&serde_json::from_value(object).unwrap(), &Home::default());
    found.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[test]
fn a_trigger_with_everything() {
    let subscriber = json!({"uri": "http://x/"});
    let older = json!({"broker": "b", "subscriber": subscriber, "filter": {"attributes": {"type": "a"}},
        "delivery": {"retry": 2, "backoffPolicy": "linear", "timeout": "PT5S", "retryAfterMax": "PT7S"}});
    let settings = json!({"kafka.eventing.knative.dev/delivery.order": "ordered", "fnctl.dev/strict-reply": "true"});
    let found = trigger_of(&older, &settings).unwrap();
    assert_eq!((&found.broker, found.generation), (&ObjectKey::new("ns", "b"), 3));
    assert_eq!(found.filter, Filter::Exact { attribute: "type".to_owned(), value: "a".to_owned() });
    assert_eq!((found.ordered, found.strict_reply), (true, true));
    let delivery = found.delivery.unwrap();
    assert_eq!((delivery.retry, delivery.backoff), (2, Backoff::Linear));
    assert_eq!([delivery.timeout, delivery.retry_after_max], [5, 7].map(|seconds| Some(Duration::from_secs(seconds))));

    let plain = json!({"broker": "b", "subscriber": subscriber, "delivery": {"retryAfterMax": "PT0S"}});
    let unset = json!({"kafka.eventing.knative.dev/delivery.order": "unordered", "fnctl.dev/strict-reply": "false"});
    let found = trigger_of(&plain, &unset).unwrap();
    assert_eq!((found.ordered, found.strict_reply, found.filter), (false, false, Filter::All(Vec::new())));
    assert_eq!(found.delivery.unwrap().retry_after_max, None, "zero is none");

    let wrong =
        json!({"broker": "b", "subscriber": {}, "filters": [{"exact": {"type": ""}}], "delivery": {"timeout": "PT0S"}});
    assert_eq!(trigger_of(&wrong, &json!({})).unwrap_err().len(), 3, "all of it at once");
    let filter = json!({"broker": "b", "subscriber": subscriber, "filters": [{"exact": {"type": ""}}]});
    assert_eq!(trigger_of(&filter, &json!({})).unwrap_err().len(), 1);
}

#[test]
fn pending_events_are_dropped_only_where_the_broker_says_so() {
    for (annotations, drop_pending) in [
        (json!({}), false),
        (json!({"fnctl.dev/retention": "keep"}), false),
        (json!({"fnctl.dev/retention": "delete"}), true),
    ] {
        let object = json!({"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "spec": {},
            "metadata": {"name": "b", "namespace": "ns", "annotations": annotations}});
        let found = broker(&serde_json::from_value(object).unwrap(), &Home::default()).unwrap();
        assert_eq!(found.retention.drop_pending, drop_pending, "{annotations}");
    }
}

#[test]
fn urls_that_are_no_destination() {
    for uri in ["ftp://x/", "http://user@x/", "https://", "http://x y/", "http://x/\u{e9}", "x"] {
        let written = serde_json::from_value(json!({"uri": uri})).unwrap();
        assert!(destination(&written, ("ns", &Home::default()), "s").is_err(), "{uri}");
    }
}

#[test]
fn times_of_a_revision_that_are_zero_are_not_set() {
    for (timeout, start, expected) in [
        (json!(0), json!(0), (300, None)),
        (json!(null), json!(null), (300, None)),
        (json!(5), json!(1), (5, Some(1))),
        (json!(-5), json!(-1), (300, None)),
    ] {
        let mut object = revision_of(&json!({}), &json!({"image": "x"}));
        object.spec.timeout_seconds = timeout.as_i64();
        object.spec.response_start_timeout_seconds = start.as_i64();
        let found = revision(&object, "d", &Lookup::default()).unwrap().limits;
        let seconds = (found.timeout.as_secs(), found.response_start.map(|start| start.as_secs()));
        assert_eq!(seconds, expected, "{timeout} {start}");
    }
}

#[test]
fn only_what_is_optional_may_be_missing() {
    let missing = |optional: &Value| {
        let container = json!({"image": "x",
            "envFrom": [{"configMapRef": {"name": "c", "optional": optional}}, {"secretRef": {"name": "s", "optional": optional}}],
            "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": optional}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": optional}}}]});
        revision(&revision_of(&json!({}), &container), "d", &Lookup::default())
    };
    let found = missing(&json!(true)).unwrap();
    assert!(found.env.iter().all(|(name, _)| name.starts_with("K_") || name == "PORT"), "{:?}", found.env);
    for optional in [json!(false), json!(null)] {
        let errors: Vec<String> = missing(&optional).unwrap_err().iter().map(ToString::to_string).collect();
        let path = "spec.containers[0]";
        assert_eq!(
            errors,
            [
                format!("\"c\" not found: {path}.envFrom[0].configMapRef"),
                format!("\"s\" not found: {path}.envFrom[1].secretRef"),
                format!("\"c\" with key \"k\" not found: {path}.env[0].valueFrom.configMapKeyRef"),
                format!("\"s\" with key \"k\" not found: {path}.env[1].valueFrom.secretKeyRef"),
            ]
        );
    }
}

#[test]
fn a_route_is_its_hosts_and_the_targets_that_get_requests() {
    let of = |traffic: Value| {
        let object = json!({"apiVersion": "serving.knative.dev/v1", "kind": "Route", "spec": {},
            "metadata": {"name": "f", "namespace": "ns", "uid": "u"}, "status": {"traffic": traffic}});
        route(&serde_json::from_value(object).unwrap(), "d.example")
    };
    let found = of(json!([
        {"revisionName": "one", "percent": 1},
        {"revisionName": "two", "percent": 100},
        {"revisionName": "none", "percent": 0},
        {"revisionName": "more", "percent": 101},
        {"revisionName": "unsaid"},
        {"percent": 5},
    ]))
    .unwrap();
    let targets: Vec<_> = found.targets.iter().map(|target| (target.revision.name.as_str(), target.percent)).collect();
    assert_eq!(targets, [("one", 1), ("two", 100)]);
    assert_eq!(found.hosts, ["f.ns.d.example", "f.ns.svc.cluster.local", "f.ns.svc", "f.ns"]);
    assert_eq!((found.key, found.uid.as_str()), (ObjectKey::new("ns", "f"), "u"));
    assert!(of(json!([])).is_none() && of(json!([{"revisionName": "none", "percent": 0}])).is_none());
}
