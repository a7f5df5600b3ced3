use super::*;

/// Conditions, what they add up to, and the reason.
type Row = (&'static [(&'static str, Status)], Status, Option<&'static str>);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn ready_is_the_worst_of_its_dependents() {
    use Status::{False, True, Unknown};
    let rows: [Row; 6] = [
        (&[("A", True), ("B", True)], True, None),
        (&[("A", Unknown), ("B", True)], Unknown, Some("A-reason")),
        (&[("A", Unknown), ("B", False)], False, Some("B-reason")),
        (&[("A", False), ("B", False)], False, Some("A-reason")),
        (&[("B", True)], Unknown, None),
        (&[("A", True), ("B", True), ("Other", False)], True, None),
    ];
    for (given, expected, reason) in rows {
        let mut conditions = Vec::new();
        for (type_, status) in given {
            set(&mut conditions, type_, *status, Cause::new(format!("{type_}-reason"), "words"), at(1));
        }
        roll_up(&mut conditions, &["A", "B"], at(2));
        let ready = find(&conditions, READY).unwrap();
        assert_eq!((ready.status, ready.reason.as_deref()), (expected, reason), "{given:?}");
        assert_eq!(is_ready(&conditions), expected == True);
    }
}

#[test]
fn the_transition_time_moves_only_with_the_status() {
    let mut conditions = Vec::new();
    set(&mut conditions, "A", Status::Unknown, Cause::default(), at(1));
    set(&mut conditions, "A", Status::Unknown, Cause::new("Waiting", "for it"), at(2));
    let time = |conditions: &[Condition]| find(conditions, "A").unwrap().last_transition_time.clone().unwrap().0;
    assert_eq!(time(&conditions), at(1));
    set(&mut conditions, "A", Status::True, Cause::default(), at(3));
    assert_eq!(time(&conditions), at(3));
    assert_eq!(conditions.len(), 1);
    set_info(&mut conditions, "B", Status::False, Cause::default(), at(3));
    assert_eq!(find(&conditions, "B").unwrap().severity, "Info");
}

#[test]
fn nothing_empty_is_written() {
    let text = serde_json::to_string(&Condition { type_: "Ready".to_owned(), ..Condition::default() }).unwrap();
    assert_eq!(text, r#"{"type":"Ready","status":"Unknown"}"#);
}
