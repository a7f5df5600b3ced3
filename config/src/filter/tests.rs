use super::*;
use proptest::prelude::*;
use serde_json::json;

fn exact(attribute: &str, value: &str) -> Filter {
    Filter::Exact { attribute: attribute.to_owned(), value: value.to_owned() }
}

#[test]
fn valid_filters() {
    let rows = [
        (json!({}), Filter::All(vec![])),
        (json!({"filters": []}), Filter::All(vec![])),
        (
            json!({"filter": {"attributes": {"type": "a", "source": ""}}}),
            Filter::All(vec![Filter::Present { attribute: "source".to_owned() }, exact("type", "a")]),
        ),
        (json!({"filter": {"attributes": {"type": "a"}}, "filters": [{"exact": {"type": "b"}}]}), exact("type", "b")),
        (json!({"filters": [{"not": {"any": [{"exact": {"type": "b"}}]}}]}), Filter::Not(Box::new(exact("type", "b")))),
        (
            json!({"filters": [{"exact": {"id": "1", "type": "b"}}]}),
            Filter::All(vec![exact("id", "1"), exact("type", "b")]),
        ),
        (
            json!({"filters": [{"prefix": {"type": "b"}}, {"suffix": {"type": "c"}}]}),
            Filter::All(vec![
                Filter::Prefix { attribute: "type".to_owned(), value: "b".to_owned() },
                Filter::Suffix { attribute: "type".to_owned(), value: "c".to_owned() },
            ]),
        ),
    ];
    for (spec, expected) in rows {
        assert_eq!(of_trigger_spec(&spec), Ok(expected), "{spec}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let rows = [
        (json!([{}]), "expected exactly one, got neither: filters[0].all, filters[0].any"),
        (json!([{"exact": {"type": "a"}, "prefix": {"type": "a"}}]), "got both: filters[0].exact, filters[0].prefix"),
        (json!([{"exact": {"Type": "a"}}]), "invalid key name \"Type\": filters[0].exact"),
        (json!([{"exact": {"type": ""}}]), "invalid value: \"\": filters[0].exact[type]"),
        (json!([{"exact": {"type": 1}}]), "filters[0].exact[type]"),
        (json!([{"all": [{"any": []}]}]), "filters[0].all[0].any"),
        (json!([{"cesql": "type = 'a'"}]), "cesql is not supported yet"),
        (json!([{"exat": {"type": "a"}}]), "did you mean \"exact\"?: filters[0].exat"),
        (json!([{"not": []}]), "invalid value: []: filters[0].not"),
        (json!(["a"]), "filters[0]"),
    ];
    for (filters, expected) in rows {
        let errors = of_trigger_spec(&json!({"filters": filters})).unwrap_err();
        assert!(errors[0].to_string().contains(expected), "{filters}: {errors:?}");
    }
}

/// Only the size is wrong.
fn is_too_large(filters: &[Value]) -> bool {
    match parse(filters, "filters") {
        Ok(_) => false,
        Err(errors) => {
            assert!(errors.iter().all(|error| error.kind == FieldErrorKind::TooLong), "{errors:?}");
            true
        }
    }
}

#[test]
fn nesting_is_bounded() {
    let wraps: [fn(Value) -> Value; 3] =
        [|inner| json!({"not": inner}), |inner| json!({"all": [inner]}), |inner| json!({"any": [inner]})];
    for wrap in wraps {
        let nested = |depth| (1..depth).fold(json!({"exact": {"type": "a"}}), |inner, _| wrap(inner));
        assert!(!is_too_large(&[nested(FILTER_DEPTH_MAX)]));
        assert!(is_too_large(&[nested(FILTER_DEPTH_MAX + 1)]));
    }
}

#[test]
fn terms_are_bounded() {
    let attributes =
        |count: usize| -> Map<String, Value> { (0..count).map(|n| (format!("a{n}"), json!("x"))).collect() };
    let of = |dialect: &str, count: usize| json!({dialect: attributes(count)});
    // A filter is a term, and so is each of its attributes.
    for dialect in ["exact", "prefix", "suffix"] {
        assert!(!is_too_large(&[of(dialect, FILTER_TERMS_MAX - 1)]));
        assert!(is_too_large(&[of(dialect, FILTER_TERMS_MAX)]));
    }
    let mut filters = vec![of("exact", 1); FILTER_TERMS_MAX / 2];
    assert!(!is_too_large(&filters));
    filters.push(json!({"all": []}));
    assert!(is_too_large(&filters));
    let bare = |count: usize| vec![json!({"all": []}); count];
    assert!(!is_too_large(&bare(FILTER_TERMS_MAX)));
    assert!(is_too_large(&bare(FILTER_TERMS_MAX + 1)));
    let older = |count: usize| legacy(Some(&Value::Object(attributes(count))), "a").map_err(|errors| errors[0].kind);
    assert!(older(FILTER_TERMS_MAX).is_ok());
    assert_eq!(older(FILTER_TERMS_MAX + 1), Err(FieldErrorKind::TooLong));
}

#[test]
fn names_of_attributes() {
    for (name, legal) in [("a", true), ("z9", true), ("", false), ("9z", false), ("aB", false), ("a-b", false)] {
        assert_eq!(is_attribute_name(name), legal, "{name}");
    }
}

#[test]
fn forms_that_are_no_filters() {
    let rows = [
        (json!({"filters": "all"}), "expected an array of filters: filters"),
        (json!({"filter": {"attributes": {"type": 1}}}), "invalid value: 1: filter.attributes[type]"),
        (json!({"filter": {"attributes": {"Type": "a"}}}), "invalid key name \"Type\": filter.attributes"),
        (json!({"filters": [{"exact": {}}]}), "expected at least one attribute: filters[0].exact"),
        (
            json!({"filters": [{"wholly-other": {}}]}),
            "unknown filter dialect \"wholly-other\": filters[0].wholly-other",
        ),
    ];
    for (spec, expected) in rows {
        let errors = of_trigger_spec(&spec).unwrap_err();
        assert_eq!(errors[0].to_string().lines().next(), Some(expected), "{spec}");
    }
    let empty = json!({"filters": null, "filter": {"attributes": {"type": "a"}}});
    assert_eq!(of_trigger_spec(&empty), Ok(exact("type", "a")), "null is not given");
    let given = json!({"filters": [{"exact": {"type": "a"}, "prefix": null}]});
    assert_eq!(of_trigger_spec(&given), Ok(exact("type", "a")));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(null)), any::<bool>().prop_map(Value::from), ".{0,5}".prop_map(Value::from)];
    leaf.prop_recursive(6, 40, 4, |inner| {
        let key = prop_oneof![Just("all".to_owned()), Just("not".to_owned()), Just("exact".to_owned()), "[a-z]{0,5}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused(spec in any_json()) {
        let _ = of_trigger_spec(&json!({"filters": spec}));
        let _ = of_trigger_spec(&json!({"filter": {"attributes": spec}}));
    }
}
