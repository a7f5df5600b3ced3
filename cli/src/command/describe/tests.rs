use super::decisions;
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
