use super::*;
use serde_json::json;

#[test]
fn who_waited_in_vain_is_told_how_far_it_came() {
    let kind = manifest::kind_by_word("ksvc").unwrap();
    let subject = Subject { kind, namespace: "default", name: "a" };
    let held = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x/y", "z"]}});
    let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    let object = json!({"metadata": {}, "status": {"conditions": [
        {"type": "Ready", "status": "Unknown", "reason": "Building", "message": "not yet"}]}});
    for (what, last, said) in [
        ("condition=Ready", &object, "Ready=Unknown Building not yet"),
        ("condition=Nonsense", &object, "it has no condition Nonsense"),
        ("delete", &object, "nobody deleted it"),
        ("delete", &going, "its deletion has begun"),
        ("delete", &held, "its deletion waits for finalizers: x/y, z"),
    ] {
        let failure = late(subject, &Until::parse(what).unwrap(), Some(last), Duration::from_secs(1)).to_string();
        assert!(failure.contains(&format!("did not get there within 1s\n  {said}\n")), "{what}: {failure}");
        assert!(failure.ends_with("try: fnctl describe service a"), "{failure}");
    }
}
