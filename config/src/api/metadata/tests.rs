use super::*;
use crate::api::kind::by_name;
use serde_json::json;

#[test]
fn labels_and_subdomains() {
    // Whether it is a label, and whether it is a subdomain.
    for (text, label, subdomain) in [
        ("a", true, true),
        ("9", true, true),
        ("a-9", true, true),
        ("a.b-c.9", false, true),
        ("", false, false),
        ("-a", false, false),
        ("a-", false, false),
        ("a..b", false, false),
        (".a", false, false),
        ("a.", false, false),
        ("a.-b", false, false),
        ("A", false, false),
        ("a_b", false, false),
        ("ä", false, false),
    ] {
        assert_eq!((is_dns_label(text), is_dns_subdomain(text)), (label, subdomain), "{text:?}");
    }
    let long = |length: usize| "a".repeat(length);
    assert_eq!([63, 64].map(|length| is_dns_label(&long(length))), [true, false]);
    assert_eq!([64, 253, 254].map(|length| is_dns_subdomain(&long(length))), [true, true, false]);
}

#[test]
fn keys_and_values_of_labels() {
    for (key, legal) in [
        ("a", true),
        ("A.b_c-9", true),
        ("example.com/A", true),
        ("", false),
        ("-a", false),
        ("a-", false),
        ("_a", false),
        ("a.", false),
        ("a b", false),
        ("/a", false),
        ("a/", false),
        ("A.com/a", false),
        ("a/b/c", false),
    ] {
        assert_eq!(is_qualified_name(key), legal, "{key:?}");
    }
    assert_eq!([63, 64].map(|length| is_name_part(&"a".repeat(length))), [true, false]);
    let labels = |value: &str| labels_and_annotations(&json!({"labels": {"a": value}}), "m").len();
    assert_eq!(["", "a", "a b"].map(labels), [0, 0, 1]);
}

#[test]
fn names_of_functions_begin_with_a_letter() {
    for (name, legal) in [("a", true), ("a9-b", true), ("9a", false), ("-a", false), ("a.b", false), ("", false)] {
        assert_eq!(dns_1035(name, "p").is_none(), legal, "{name:?}");
    }
    let why = |length: usize| dns_1035(&"a".repeat(length), "p").map(|error| error.message);
    assert_eq!(why(63), None);
    assert_eq!(why(64).as_deref(), Some("not a DNS 1035 label: [must be no more than 63 characters]: p"));
    for name in ["9".to_owned(), format!("9{}", "a".repeat(62))] {
        let why = dns_1035(&name, "p").expect("an error").message;
        assert!(why.contains("start with an alphabetic character"), "{why}");
    }
}

#[test]
fn annotations_are_bounded_in_bytes() {
    let annotated = |length: usize| {
        let metadata = json!({"annotations": {"key": "x".repeat(length), "other": "y"}});
        labels_and_annotations(&metadata, "m").into_iter().map(|error| error.kind).collect::<Vec<_>>()
    };
    let room = ANNOTATIONS_BYTES_MAX - "key".len() - "other".len() - "y".len();
    assert_eq!(annotated(room), []);
    assert_eq!(annotated(room + 1), [FieldErrorKind::TooLong]);
}

#[test]
fn annotations_of_revisions_are_refused_elsewhere() {
    let metadata = json!({"annotations": {
        "autoscaling.knative.dev/min-scale": "1", "fnctl.dev/reuse": "2", "fnctl.dev/retention": "keep", "a": "b"}});
    let errors: Vec<String> = misplaced_annotations(&metadata).iter().map(ToString::to_string).collect();
    let place = "\"spec.template.metadata.annotations\" to work";
    assert_eq!(
        errors,
        [
            format!(
                "invalid key name \"autoscaling.knative.dev/min-scale\": metadata.annotations\nautoscaling annotations must be put under {place}"
            ),
            format!(
                "invalid key name \"fnctl.dev/reuse\": metadata.annotations\nthis annotation must be put under {place}"
            ),
        ]
    );
    let unknown = |key: &str| {
        let object = json!({"metadata": {"name": "a", "annotations": {key: "x"}}});
        validate(by_name("broker").unwrap(), &object).iter().map(ToString::to_string).collect::<String>()
    };
    assert_eq!(unknown("fnctl.dev.example/x"), "");
    assert!(
        unknown("fnctl.dev/zzzzzzzzzzzzzzzzzzzzzz")
            .ends_with(&format!("expected one of {}", annotation::OURS.join(", ")))
    );
}
