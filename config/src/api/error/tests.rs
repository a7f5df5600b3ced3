use super::*;

#[test]
fn sentences_of_kubernetes() {
    use FieldErrorKind::*;
    for (kind, value, detail, sentence, reason) in [
        (Invalid, Some("x"), "why", "a.b: Invalid value: \"x\": why", "FieldValueInvalid"),
        (Required, None, "", "a.b: Required value", "FieldValueRequired"),
        (Forbidden, None, "why", "a.b: Forbidden: why", "FieldValueForbidden"),
        (NotSupported, Some("x"), "", "a.b: Unsupported value: \"x\"", "FieldValueNotSupported"),
        (Duplicate, Some("x"), "", "a.b: Duplicate value: \"x\"", "FieldValueDuplicate"),
        (TooLong, None, "why", "a.b: Too long: why", "FieldValueTooLong"),
    ] {
        let error = FieldError::kubernetes(kind, "a.b", value, detail);
        assert_eq!((error.to_string().as_str(), error.path.as_str(), error.kind), (sentence, "a.b", kind));
        assert_eq!(kind.reason(), reason);
    }
}

#[test]
fn sentences_of_knative() {
    for (error, sentence) in [
        (FieldError::missing("a.b"), "missing field(s): a.b"),
        (FieldError::missing_one_of("a", &["b", "c"]), "expected exactly one, got neither: a.b, a.c"),
        (FieldError::multiple_one_of("", &["b", "c"]), "expected exactly one, got both: b, c"),
        (FieldError::disallowed("a.b"), "must not set the field(s): a.b"),
        (FieldError::disallowed_update("a.b"), "must not update the field(s): a.b"),
        (FieldError::invalid("x", "a.b"), "invalid value: x: a.b"),
        (FieldError::invalid_because("x", "a.b", "why"), "invalid value: x: a.b\nwhy"),
        (FieldError::out_of_bounds(9, 1, 5, "a.b"), "expected 1 <= 9 <= 5: a.b"),
        (FieldError::invalid_key("k", "a.b", "why"), "invalid key name \"k\": a.b\nwhy"),
        (FieldError::general(FieldErrorKind::Invalid, "a.b", "sentence"), "sentence: a.b"),
        (FieldError::general(FieldErrorKind::Invalid, "", "sentence"), "sentence"),
    ] {
        assert_eq!(error.to_string(), sentence);
    }
    assert_eq!((at("a", 0).as_str(), keyed("a", "k").as_str()), ("a[0]", "a[k]"));
}
