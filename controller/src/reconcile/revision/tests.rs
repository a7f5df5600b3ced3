use super::{Progress, is_settled, pin, step};
use crate::reconcile::Rejected;
use fnctl_config::api::Revision;
use fnctl_config::api::condition::{Status, find};
use jiff::Timestamp;
use serde_json::json;

fn revision() -> Revision {
    serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Revision",
        "metadata": {"name": "hello-00001", "namespace": "default", "generation": 1},
        "spec": {"containers": [{"name": "user-container", "image": "hello:1"}]},
    }))
    .expect("a revision")
}

#[test]
fn images_are_pinned() {
    for (image, expected) in [
        ("hello", "hello@sha256:ab"),
        ("hello:1", "hello@sha256:ab"),
        ("localhost:5000/team/hello", "localhost:5000/team/hello@sha256:ab"),
        ("localhost:5000/team/hello:1", "localhost:5000/team/hello@sha256:ab"),
        ("hello@sha256:cd", "hello@sha256:ab"),
        ("hello:1@sha256:cd", "hello@sha256:ab"),
    ] {
        assert_eq!(pin(image, "ab"), expected);
    }
}

#[test]
fn conditions_say_how_far_it_came() {
    let digest = || "hello@sha256:ab".to_owned();
    let rejected = || Rejected::new("Why", "because");
    let rows = [
        (Progress::NoResources(rejected()), [Status::False, Status::False, Status::False], Some("Why"), false),
        (
            Progress::Unhealthy { image_digest: digest(), rejected: rejected() },
            [Status::True, Status::False, Status::False],
            Some("Why"),
            false,
        ),
        (Progress::Fit { image_digest: digest() }, [Status::True, Status::True, Status::True], None, true),
    ];
    for (progress, expected, reason, settled) in rows {
        let after = step(&revision(), progress, Timestamp::UNIX_EPOCH);
        let conditions = after.status.clone().expect("a status").conditions;
        let of = |type_| find(&conditions, type_).expect("a condition");
        assert_eq!(["ResourcesAvailable", "ContainerHealthy", "Ready"].map(|type_| of(type_).status), expected);
        assert_eq!(of("Ready").reason.as_deref(), reason);
        assert_eq!(of("Active").severity, "Info");
        assert_eq!(is_settled(&after), settled);
        let mut edited = after.clone();
        edited.metadata.generation = Some(2);
        assert!(!is_settled(&edited));
    }
}
