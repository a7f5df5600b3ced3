use super::data::held;
use super::decisions;
use fnctl_config::api::kind::by_name;
use fnctl_config::limits::SCALE_DECISIONS_KEPT;
use serde_json::json;

#[test]
fn every_decision_that_is_kept_is_shown_with_its_reason() {
    let decision = |n: usize| json!({"at": format!("at {n}"), "desired": n, "reason": format!("reason {n}")});
    let kept: Vec<_> = (0..SCALE_DECISIONS_KEPT).map(decision).collect();
    let shown = decisions(&json!({"decisions": kept}));
    assert_eq!(shown.len(), SCALE_DECISIONS_KEPT);
    assert_eq!(shown[0], ["at 19", "19", "reason 19"], "the newest first");
    assert_eq!(shown[19][2], "reason 0");
    assert!(decisions(&json!({})).is_empty());
}

#[test]
fn what_a_map_holds_is_shown_and_of_a_secret_only_how_large_it_is() {
    let map = json!({"data": {"a": "b", "app.conf": "x=1\ny=2\n", "empty": ""}, "binaryData": {"logo": "AAEC"}});
    let secret = json!({"data": {"password": "aHVudGVyMjI=", "token": ""}});
    for (kind, object, shown) in [
        ("cm", &map, Some("a: b\napp.conf:\n  x=1\n  y=2\nempty: \nlogo: 3 bytes")),
        ("cm", &json!({}), Some("")),
        ("secret", &secret, Some("password: 8 bytes\ntoken: 0 bytes")),
        ("ksvc", &map, None),
    ] {
        assert_eq!(held(by_name(kind).unwrap(), object).as_deref(), shown, "{kind}");
    }
}
