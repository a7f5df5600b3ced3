use super::*;
use crate::api::kind::by_name;
use proptest::prelude::*;
use serde_json::json;

mod edges;
mod warn;

/// An object of that kind, admitted or not: the object, or all sentences.
fn admitted(name: &str, fields: Value, old: Option<&Value>) -> Result<Value, Vec<String>> {
    let kind = by_name(name).unwrap();
    let mut object = fields;
    (object["apiVersion"], object["kind"]) = (json!(kind.api_version()), json!(kind.kind));
    let mut metadata = json!({"name": "n", "namespace": "ns"});
    metadata.as_object_mut().unwrap().extend(object["metadata"].as_object().cloned().unwrap_or_default());
    object["metadata"] = metadata;
    let errors = admit(kind, &mut object, old, "me").err().unwrap_or_default();
    if errors.is_empty() { Ok(object) } else { Err(errors.iter().map(ToString::to_string).collect()) }
}

/// Each row is admitted or refused; a sentence with `...` at its end says only how it begins.
fn check(rows: impl IntoIterator<Item = (&'static str, Value, &'static str)>) {
    for (name, fields, expected) in rows {
        let text = admitted(name, fields.clone(), None).err().unwrap_or_default().join("; ");
        match expected.strip_suffix("...") {
            Some(begin) => assert!(text.starts_with(begin), "{fields}\n{text}"),
            None => assert_eq!(text, expected, "{fields}"),
        }
    }
}

fn service(spec: Value) -> Value {
    let mut service = json!({"spec": {"template": {}}});
    service["spec"]["template"]["spec"] = spec;
    service
}

fn container(mut fields: Value) -> Value {
    if fields["image"].is_null() {
        fields["image"] = json!("x");
    }
    let mut spec = json!({"containers": [null]});
    spec["containers"][0] = fields;
    service(spec)
}

#[test]
fn what_kn_writes_is_taken() {
    let written = json!({
        "metadata": {"name": "hello", "namespace": "ns", "creationTimestamp": null},
        "spec": {"template": {
            "metadata": {"creationTimestamp": null, "annotations": {
                "client.knative.dev/updateTimestamp": "2026-01-01T00:00:00Z", "client.knative.dev/user-image": "x"}},
            "spec": {"containers": [{"name": "", "image": "x", "resources": {}, "ports": [{"containerPort": 8080, "name": "h2c"}]}]},
        }},
        "status": {},
    });
    let taken = admitted("ksvc", written, None).unwrap();
    let spec = &taken["spec"]["template"]["spec"];
    assert_eq!(spec["containers"][0]["name"], "", "a list stays as it was written");
    assert_eq!([&spec["timeoutSeconds"], &spec["containerConcurrency"]], [300, 0]);
    assert_eq!(taken["spec"]["traffic"], json!([{"latestRevision": true, "percent": 100}]));
    let zero =
        admitted("revision", json!({"spec": {"timeoutSeconds": 0, "containers": [{"image": "x"}]}}), None).unwrap();
    assert_eq!(zero["spec"]["timeoutSeconds"], 300);
    assert_eq!(zero["spec"]["containers"][0]["name"], "user-container");
    let annotations = &taken["metadata"]["annotations"];
    assert_eq!(annotations["serving.knative.dev/creator"], "me");
    assert_eq!(annotations["serving.knative.dev/lastModifier"], "me");
}

#[test]
fn brokers_and_triggers_get_knatives_defaults() {
    let broker = admitted("broker", json!({}), None).unwrap();
    assert_eq!(broker["metadata"]["annotations"]["eventing.knative.dev/broker.class"], "MTChannelBasedBroker");
    assert_eq!(
        broker["spec"]["delivery"],
        json!({"retry": 10, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"})
    );
    let trigger = json!({"spec": {"broker": "b", "subscriber": {"uri": "http://x/"}}});
    let trigger = admitted("trigger", trigger, None).unwrap();
    assert_eq!(trigger["metadata"]["labels"]["eventing.knative.dev/broker"], "b");
    assert_eq!(trigger["metadata"]["annotations"]["eventing.knative.dev/creator"], "me");
}

#[test]
fn authors_are_the_gates_to_write() {
    let stored = admitted("ksvc", container(json!({})), None).unwrap();
    let kind = by_name("ksvc").unwrap();
    let authors = |object: &Value| {
        ["creator", "lastModifier"].map(|name| {
            object["metadata"]["annotations"][format!("serving.knative.dev/{name}")].as_str().unwrap_or("-").to_owned()
        })
    };
    let mut changed = stored.clone();
    changed["metadata"]["annotations"] = json!({"serving.knative.dev/creator": "forged"});
    admit(kind, &mut changed, Some(&stored), "you").unwrap();
    assert_eq!(authors(&changed), ["me", "me"]);
    changed["spec"]["template"]["spec"]["timeoutSeconds"] = json!(5);
    admit(kind, &mut changed, Some(&stored), "you").unwrap();
    assert_eq!(authors(&changed), ["me", "you"]);

    let mut older = container(json!({}));
    older["metadata"] = json!({"name": "n", "namespace": "ns"});
    older["spec"]["traffic"] = json!([{"percent": 100}]);
    let mut forged = older.clone();
    forged["metadata"]["annotations"] =
        json!({"serving.knative.dev/creator": "forged", "serving.knative.dev/lastModifier": "forged"});
    admit(kind, &mut forged, Some(&older), "you").unwrap();
    assert_eq!(authors(&forged), ["-", "-"], "nobody knows who made it");

    let owned = json!({"metadata": {"ownerReferences": [{"uid": "u"}], "annotations": {"serving.knative.dev/creator": "she"}},
        "spec": {"containers": [{"image": "x"}]}});
    assert_eq!(authors(&admitted("revision", owned, None).unwrap()), ["she", "-"]);
}

#[test]
fn a_stored_spec_is_left_alone() {
    let kind = by_name("ksvc").unwrap();
    let mut stored = container(json!({"tty": true}));
    stored["metadata"] = json!({"name": "n", "namespace": "ns", "finalizers": ["a"]});
    let mut edited = stored.clone();
    edited["metadata"]["finalizers"] = json!([]);
    admit(kind, &mut edited, Some(&stored), "me").unwrap();
    assert_eq!(edited["spec"], stored["spec"]);

    let mut older = container(json!({}));
    older["metadata"] = json!({"name": "n", "namespace": "ns"});
    older["spec"]["traffic"] = json!([{"percent": 100}]);
    let mut labelled = older.clone();
    labelled["metadata"]["labels"] = json!({"a": "b"});
    admit(kind, &mut labelled, Some(&older), "me").unwrap();
    assert_eq!(labelled["spec"], older["spec"]);
}

#[test]
fn names_labels_and_annotations() {
    let with = |metadata: Value| json!({"metadata": metadata, "data": {}});
    check([
        ("cm", with(json!({"name": "a.b-c"})), ""),
        ("cm", with(json!({"name": "A"})), "metadata.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain..."),
        ("ns", with(json!({"name": "a.b"})), "metadata.name: Invalid value: \"a.b\": a lowercase RFC 1123 label..."),
        ("cm", with(json!({"labels": {"a/b/c": "x"}})), "metadata.labels: Invalid value: \"a/b/c\": name part must..."),
        ("cm", with(json!({"labels": {"a": "-"}})), "metadata.labels: Invalid value: \"-\": a valid label must..."),
        ("cm", with(json!({"annotations": {"a_": "x"}})), "metadata.annotations: Invalid value: \"a_\": name part..."),
        ("cm", with(json!({"annotations": {"a": "x".repeat(300_000)}})), "metadata.annotations: Too long: may not..."),
        ("broker", with(json!({"name": "1.b"})), ""),
        (
            "broker",
            with(json!({"annotations": {"fnctl.dev/retenion": "delete"}})),
            "invalid key name \"fnctl.dev/retenion\": metadata.annotations\nthere is no such annotation: did you mean \"fnctl.dev/retention\"?",
        ),
    ]);
    let named = |name: &str, metadata: Value| {
        let mut service = container(json!({}));
        service["metadata"] = json!({"name": name, "annotations": metadata});
        service
    };
    check([
        ("ksvc", named("1a", json!({})), "not a DNS 1035 label: [a DNS-1035 label must consist..."),
        (
            "ksvc",
            named("a", json!({"autoscaling.knative.dev/min-scale": "1"})),
            "invalid key name \"autoscaling.knative.dev/min-scale\": metadata.annotations\nautoscaling annotations must be put under \"spec.template.metadata.annotations\" to work",
        ),
        (
            "ksvc",
            named("a", json!({"fnctl.dev/cpu": "1s"})),
            "invalid key name \"fnctl.dev/cpu\": metadata.annotations...",
        ),
    ]);
    let mut hidden = named("a", json!({}));
    hidden["metadata"]["labels"] = json!({"networking.knative.dev/visibility": "cluster-local"});
    let refused =
        "invalid value: cluster-local: metadata.labels[networking.knative.dev/visibility]\naddresses that only...";
    check([("ksvc", hidden, refused)]);
}

#[test]
fn specs_of_revisions() {
    let spec = "spec.template.spec";
    check([
        ("ksvc", json!({"spec": {}}), "missing field(s): spec.template.spec.containers"),
        ("ksvc", service(json!({"containers": [{}]})), "missing field(s): spec.template.spec.containers[0].image"),
        (
            "ksvc",
            service(json!({"containers": [{"image": "x", "tty": true}], "hostNetwork": true})),
            "must not set the field(s): spec.template.spec.hostNetwork; must not set the field(s): spec.template.spec.containers[0].tty",
        ),
        (
            "ksvc",
            service(json!({"containers": [{"image": "x"}], "containerConcurrency": 1001, "timeoutSeconds": 601,
                "responseStartTimeoutSeconds": 700})),
            "expected 0 <= 1001 <= 1000: spec.template.spec.containerConcurrency; \
             expected 0 <= 601 <= 600: spec.template.spec.timeoutSeconds; \
             expected 0 <= 700 <= 601: spec.template.spec.responseStartTimeoutSeconds",
        ),
        (
            "ksvc",
            service(json!({"containers": [{"image": "x"}, {"name": "side", "image": "y"}], "idleTimeoutSeconds": 1})),
            "an idle timeout is not supported yet...",
        ),
        ("revision", json!({"spec": {"containers": []}}), "missing field(s): spec.containers"),
    ]);
    let two = service(json!({"containers": [{"image": "x"}, {"name": "side", "image": "y"}]}));
    let errors = admitted("ksvc", two, None).unwrap_err();
    assert_eq!(
        errors,
        [format!("several containers are not supported yet: a function is one container: {spec}.containers")]
    );
}

#[test]
fn containers() {
    check([
        (
            "ksvc",
            container(json!({"image": "./x.wasm"})),
            "invalid value: ./x.wasm: spec.template.spec.containers[0].image\na file is no image...",
        ),
        ("ksvc", container(json!({"image": "a b"})), "invalid value: a b: spec.template.spec.containers[0].image..."),
        ("ksvc", container(json!({"image": "fnctl.local/ns/n@sha256:00"})), ""),
        (
            "ksvc",
            container(json!({"name": "queue-proxy"})),
            "\"queue-proxy\" is a reserved container name: spec.template...",
        ),
        ("ksvc", container(json!({"name": "A"})), "invalid value: A: spec.template.spec.containers[0].name..."),
        (
            "ksvc",
            container(json!({"ports": [{"containerPort": 8012}]})),
            "invalid value: 8012: spec.template.spec.containers[0].ports[0].containerPort...",
        ),
        (
            "ksvc",
            container(json!({"ports": [{"containerPort": 70_000}]})),
            "expected 0 <= 70000 <= 65535: spec.template...",
        ),
        ("ksvc", container(json!({"ports": [{"name": "grpc"}]})), "port name grpc is not allowed..."),
        ("ksvc", container(json!({"ports": [{"protocol": "UDP"}]})), "invalid value: UDP: spec.template..."),
        (
            "ksvc",
            container(json!({"ports": [{"hostPort": 1, "hostIP": ""}]})),
            "must not set the field(s): spec.template.spec.containers[0].ports[0].hostPort; must...",
        ),
        ("ksvc", container(json!({"ports": [{}, {}]})), "more than one container port is set..."),
    ]);
}

#[test]
fn environment_and_resources() {
    let from = |source: Value| container(json!({"env": [{"name": "A", "valueFrom": source}]}));
    check([
        (
            "ksvc",
            container(json!({"env": [{"name": "PORT"}]})),
            "\"PORT\" is a reserved environment variable: spec.template...",
        ),
        (
            "ksvc",
            container(json!({"env": [{"name": ""}]})),
            "missing field(s): spec.template.spec.containers[0].env[0].name",
        ),
        (
            "ksvc",
            container(json!({"env": [{"name": "a=b"}]})),
            "invalid value: a=b: spec.template.spec.containers[0].env[0].name...",
        ),
        (
            "ksvc",
            from(json!({"fieldRef": {"fieldPath": "x"}})),
            "must not set the field(s): spec.template.spec.containers[0].env[0].valueFrom.fieldRef",
        ),
        (
            "ksvc",
            from(json!({})),
            "expected exactly one, got neither: spec.template.spec.containers[0].env[0].valueFrom.configMapKeyRef...",
        ),
        (
            "ksvc",
            from(json!({"secretKeyRef": {"name": "s", "key": ""}})),
            "missing field(s): spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.key",
        ),
        (
            "ksvc",
            container(json!({"envFrom": [{"configMapRef": {"name": ""}}]})),
            "missing field(s): spec.template.spec.containers[0].envFrom[0].configMapRef.name",
        ),
        (
            "ksvc",
            container(json!({"resources": {"limits": {"cpu": "1x"}}})),
            "invalid value: 1x: spec.template.spec.containers[0].resources.limits[cpu]...",
        ),
        ("ksvc", container(json!({"resources": {"limits": {"gpu": "1"}}})), "invalid key name \"gpu\"..."),
        (
            "ksvc",
            container(json!({"resources": {"limits": {"cpu": 1}, "requests": {"cpu": "2000m"}}})),
            "invalid value: 2000m: spec.template.spec.containers[0].resources.requests[cpu]\nmust be less than or equal to cpu limit",
        ),
        (
            "ksvc",
            container(json!({"resources": {"limits": {"cpu": "-1"}}})),
            "invalid value: -1: spec.template.spec.containers[0].resources.limits[cpu]...",
        ),
        (
            "ksvc",
            container(json!({"volumeMounts": [{"name": "v", "mountPath": "/x"}]})),
            "volumes are not supported yet...",
        ),
    ]);
}

#[test]
fn traffic() {
    let split = |traffic: Value| {
        let mut service = container(json!({}));
        service["spec"]["traffic"] = traffic;
        service
    };
    let route = |traffic: Value| json!({"spec": {"traffic": traffic}});
    check([
        ("ksvc", split(json!([{"percent": 90}, {"revisionName": "n-1", "percent": 10, "tag": "old"}])), ""),
        ("ksvc", split(json!([{"percent": 90}])), "Traffic targets sum to 90, want 100: spec.traffic"),
        (
            "ksvc",
            split(json!([{"percent": i64::MAX}, {"percent": i64::MAX}])),
            "expected 0 <= 9223372036854775807 <= 100...",
        ),
        (
            "ksvc",
            split(json!([{"percent": 100, "configurationName": "n"}])),
            "must not set the field(s): spec.traffic[0].configurationName",
        ),
        ("ksvc", split(json!([{"percent": 100, "url": "x"}])), "must not set the field(s): spec.traffic[0].url"),
        ("ksvc", split(json!([{"percent": 100, "tag": "A"}])), "not a DNS 1035 label..."),
        (
            "ksvc",
            split(json!([{"percent": 100, "tag": "a"}, {"tag": "a"}])),
            "Multiple definitions for \"a\": spec.traffic[0].tag: spec.traffic[1].tag",
        ),
        (
            "ksvc",
            split(json!([{"percent": 100, "latestRevision": false}])),
            "invalid value: false: spec.traffic[0].latestRevision...",
        ),
        (
            "ksvc",
            split(json!([{"percent": 100, "latestRevision": true, "revisionName": "n-1"}])),
            "invalid value: true: spec.traffic[0].latestRevision...",
        ),
        ("route", route(json!([{"percent": 100, "configurationName": "n"}])), ""),
        (
            "route",
            route(json!([{"percent": 100}])),
            "expected exactly one, got neither: spec.traffic[0].configurationName...",
        ),
        ("route", json!({"spec": {}}), "Traffic targets sum to 0, want 100: spec.traffic"),
    ]);
}

#[test]
fn triggers() {
    let sink = json!({"uri": "http://x/"});
    let trigger = |field: &str, value: Value| {
        let mut trigger = json!({"spec": {"broker": "b", "subscriber": {"uri": "http://x/"}}});
        trigger["spec"][field] = value;
        trigger
    };
    let noted = |name: &str, value: &str| {
        let mut trigger = trigger("broker", json!("b"));
        trigger["metadata"] = json!({"annotations": {name: value}});
        trigger
    };
    check([
        ("trigger", json!({"spec": {"subscriber": sink}}), "missing field(s): spec.broker"),
        (
            "trigger",
            json!({"spec": {"broker": "b"}}),
            "expected exactly one, got neither: spec.subscriber.ref, spec.subscriber.uri",
        ),
        (
            "trigger",
            trigger("delivery", json!({"format": "json"})),
            "format json is not supported yet: events are sent as binary: spec.delivery.format",
        ),
        ("trigger", trigger("delivery", json!({"format": "binary"})), ""),
        (
            "trigger",
            trigger("subscriber", json!({"uri": "http://x/", "CACerts": "x"})),
            "invalid value: x: spec.subscriber.CACerts\nonly an https uri outside of this home has a certificate to check",
        ),
        (
            "trigger",
            trigger("subscriber", json!({"uri": "http://x/", "audience": "x"})),
            "not supported yet: spec.subscriber.audience",
        ),
        (
            "trigger",
            noted("fnctl.dev/strict-reply", "yes"),
            "invalid value: yes: metadata.annotations[fnctl.dev/strict-reply]\nexpected true or false",
        ),
        (
            "trigger",
            noted("kafka.eventing.knative.dev/delivery.order", "x"),
            "invalid value: x: metadata.annotations[kafka.eventing.knative.dev/delivery.order]...",
        ),
        (
            "trigger",
            noted("knative.dev/dependency", "{}"),
            "a trigger that waits for another object is not supported yet...",
        ),
    ]);
}

#[test]
fn brokers_and_bucket_sources() {
    let broker = |spec: Value, annotations: Value| {
        let mut broker = json!({"metadata": {}});
        (broker["spec"], broker["metadata"]["annotations"]) = (spec, annotations);
        broker
    };
    let source = |bucket: &str, types: Value| {
        let mut source = json!({"spec": {"bucket": bucket, "sink": {"uri": "http://x/"}}});
        source["spec"]["eventTypes"] = types;
        source
    };
    check([
        (
            "broker",
            broker(json!({"delivery": {"backoffPolicy": "slow"}}), json!({})),
            "invalid value: slow: spec.delivery.backoffPolicy",
        ),
        (
            "broker",
            broker(json!({"config": {"kind": "ConfigMap", "name": "c"}}), json!({})),
            "missing field(s): spec.config.apiVersion",
        ),
        (
            "broker",
            broker(json!({}), json!({"fnctl.dev/retention": "drop"})),
            "invalid value: drop: metadata.annotations[fnctl.dev/retention]\nexpected delete or keep",
        ),
        (
            "broker",
            broker(json!({}), json!({"eventing.knative.dev/broker.class": "Kafka"})),
            "broker class Kafka is not supported yet...",
        ),
        ("bucketsource", json!({"spec": {"sink": {"uri": "http://x/"}}}), "missing field(s): spec.bucket"),
        ("bucketsource", source("a-b.c", json!(["s3:ObjectCreated:Put", "ObjectRemoved:*"])), ""),
        ("bucketsource", source("ab", json!([])), "invalid value: ab: spec.bucket..."),
        ("bucketsource", source("10.0.0.1", json!([])), "invalid value: 10.0.0.1: spec.bucket..."),
        ("bucketsource", source("aBc", json!([])), "invalid value: aBc: spec.bucket..."),
        (
            "bucketsource",
            source("abc", json!(["ObjectCreate:*"])),
            "invalid value: ObjectCreate:*: spec.eventTypes[0]\ndid you mean \"ObjectCreated:*\"?",
        ),
    ]);
}

#[test]
fn maps() {
    check([
        ("cm", json!({"data": {"a.b-C_1": "x"}, "binaryData": {"b": "eA=="}}), ""),
        ("cm", json!({"data": {"a b": "x"}}), "data[a b]: Invalid value: \"a b\": a valid config key must consist..."),
        ("secret", json!({"data": {"..a": "x"}}), "data[..a]: Invalid value: \"..a\": must not start with '..'"),
        (
            "cm",
            json!({"data": {"a": "x"}, "binaryData": {"a": ""}}),
            "binaryData[a]: Invalid value: \"a\": duplicate of key present in data",
        ),
        ("cm", json!({"data": {"a": "x".repeat(1 << 21)}}), "data: Too long: may not be more than 1048576 bytes"),
    ]);
}

#[test]
fn what_never_changes() {
    let broker = json!({"spec": {"config": {"apiVersion": "v1", "kind": "ConfigMap", "name": "c"}}});
    let trigger = json!({"spec": {"broker": "b", "subscriber": {"uri": "http://x/"}}});
    let revision = json!({"spec": {"containers": [{"image": "x"}]}});
    let mut named = container(json!({}));
    named["spec"]["template"]["metadata"] = json!({"name": "n-a"});
    let rows = [
        ("broker", broker, "/spec/config/name", "Immutable fields changed (-old +new): a broker keeps its config..."),
        ("trigger", trigger, "/spec/broker", "Immutable fields changed (-old +new): a trigger keeps its broker..."),
        (
            "revision",
            revision,
            "/spec/containers/0/image",
            "Immutable fields changed (-old +new): containers; change the Service...",
        ),
        (
            "ksvc",
            named.clone(),
            "/spec/template/spec/containers/0/image",
            "Saw the following changes without a name change (-old +new)...",
        ),
        (
            "ksvc",
            named,
            "/spec/template/metadata/name",
            "invalid value: y: spec.template.metadata.name\nmust have prefix \"n-\"",
        ),
        ("secret", json!({"type": "Opaque"}), "/type", "type: Invalid value: \"y\": field is immutable"),
        (
            "cm",
            json!({"immutable": true, "data": {"a": "x"}}),
            "/data/a",
            "data: Forbidden: field is immutable when `immutable` is set",
        ),
    ];
    for (name, fields, pointer, expected) in rows {
        let stored = admitted(name, fields, None).unwrap();
        let mut changed = stored.clone();
        *changed.pointer_mut(pointer).unwrap() = json!("y");
        let text = admitted(name, changed, Some(&stored)).unwrap_err().join("; ");
        assert!(text.starts_with(expected.trim_end_matches("...")), "{name}: {text}");
    }
    let mut stored = container(json!({}));
    stored["spec"]["template"]["metadata"] = json!({"name": "n-a"});
    let mut renamed = container(json!({"image": "y"}));
    renamed["spec"]["template"]["metadata"] = json!({"name": "n-b"});
    assert!(admitted("ksvc", renamed, Some(&admitted("ksvc", stored, None).unwrap())).is_ok());
}

prop_compose! {
    fn any_service()(
        named in any::<bool>(),
        timeout in prop::option::of(0_i64..=600),
        concurrency in prop::option::of(0_i64..=1000),
        percents in prop::sample::select(vec![json!(null), json!([]), json!([{"percent": 100}]), json!([{"percent": 40, "revisionName": "n-1"}, {"percent": 60, "latestRevision": true}])]),
        annotations in prop::option::of(Just(json!({"a": "b"}))),
    ) -> Value {
        let mut service = container(if named { json!({"name": "c"}) } else { json!({}) });
        let spec = &mut service["spec"];
        (spec["template"]["spec"]["timeoutSeconds"], spec["template"]["spec"]["containerConcurrency"]) = (json!(timeout), json!(concurrency));
        spec["traffic"] = percents;
        service["metadata"] = json!({"annotations": annotations});
        service
    }
}

proptest! {
    #[test]
    fn admitted_again_nothing_changes(service in any_service()) {
        let kind = by_name("ksvc").unwrap();
        let once = admitted("ksvc", service, None).unwrap();
        let mut twice = once.clone();
        admit(kind, &mut twice, None, "me").unwrap();
        prop_assert_eq!(&twice, &once);
        admit(kind, &mut twice, Some(&once), "you").unwrap();
        prop_assert_eq!(&twice, &once);
        twice["metadata"]["labels"] = json!({"a": "b"});
        admit(kind, &mut twice, Some(&once), "you").unwrap();
        prop_assert_eq!(&twice["spec"], &once["spec"]);
    }

    #[test]
    fn any_values_are_admitted_or_refused(text in ".*", number in any::<i64>(), kind in 0..crate::api::KINDS.len()) {
        let kind = &crate::api::KINDS[kind];
        for value in [json!(null), json!(text), json!(number), json!([text]), json!({text.clone(): number})] {
            for pointer in ["/spec", "/spec/template", "/spec/template/spec", "/spec/traffic", "/data", "/metadata/labels", "/metadata/annotations"] {
                let mut object = json!({"metadata": {"name": text, "labels": {}, "annotations": {}}, "data": {}, "spec": {"template": {"spec": {}}, "traffic": []}});
                *object.pointer_mut(pointer).unwrap() = value.clone();
                let _ = admit(kind, &mut object, None, "me");
            }
        }
    }
}
