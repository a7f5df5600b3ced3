use super::{Progress, REMEMBERED, Steps};
use serde_json::json;

#[test]
fn results_are_counted_and_pictures_wait_for_their_delivery() {
    let mut progress = Progress::default();
    let picture = json!({"type": "com.amazonaws.s3.ObjectCreated:Put", "id": "a", "time": "2026-01-01T00:00:00.001Z",
        "acceptedAt": "2026-01-01T00:00:00.004Z"});
    for event in [&picture, &json!({"type": "dev.fnctl.xray.result"}), &json!({"type": "another"}), &json!({})] {
        progress.take(event);
    }
    assert_eq!((progress.results(), &progress.waiting), (1, &[("a".to_owned(), 3)].into()));
}

#[test]
fn times_are_medians_of_the_last_pictures() {
    let mut progress = Progress::default();
    assert_eq!(progress.times(), "");
    for _ in 0..REMEMBERED {
        progress.remember(Steps { notice: 9_999, wait: 9_999, run: 9_999 });
    }
    for number in 0..REMEMBERED as u64 {
        progress.remember(Steps { notice: 7, wait: number % 3, run: 400 + number });
    }
    assert_eq!(progress.steps.len(), REMEMBERED);
    assert_eq!(progress.times(), "ms: notice 7, wait 1, run 416");
}
