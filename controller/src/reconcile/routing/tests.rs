use super::{Share, marks};
use fnctl_config::api::Revision;
use serde_json::{Value, json};

#[test]
fn a_revision_is_active_while_any_route_leads_to_it() {
    let (active, reserve) = (json!("active"), json!("reserve"));
    let table = [
        ((None, None), Share::Some, Some((&active, json!("hello")))),
        ((Some("active"), Some("hello")), Share::Some, None),
        ((Some("active"), Some("other")), Share::Some, Some((&active, json!("hello,other")))),
        ((Some("reserve"), None), Share::Some, Some((&active, json!("hello")))),
        ((Some("active"), Some("hello,other")), Share::NoMore, Some((&active, json!("other")))),
        ((Some("active"), Some("hello")), Share::NoMore, Some((&reserve, Value::Null))),
        ((Some("reserve"), None), Share::NoMore, None),
        ((None, None), Share::NoMore, Some((&reserve, Value::Null))),
        // Somebody took the label away.
        ((None, Some("hello")), Share::Some, Some((&active, json!("hello")))),
    ];
    for ((state, routes), share, wanted) in table {
        let revision: Revision = serde_json::from_value(json!({
            "apiVersion": "serving.knative.dev/v1", "kind": "Revision", "spec": {},
            "metadata": {"name": "hello-00001",
                "labels": state.map(|state| json!({"serving.knative.dev/routingState": state})),
                "annotations": routes.map(|routes| json!({"serving.knative.dev/routes": routes}))},
        }))
        .expect("a revision");
        let wanted = wanted.map(|(state, routes)| {
            json!({"metadata": {"labels": {"serving.knative.dev/routingState": state},
                "annotations": {"serving.knative.dev/routes": routes}}})
        });
        assert_eq!(marks(&revision, "hello", share), wanted, "{state:?} {routes:?} {share:?}");
    }
}
