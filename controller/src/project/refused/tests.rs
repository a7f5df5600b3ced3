use super::Refused;
use crate::reconcile::Rejected;
use fnctl_config::snapshot::{Change, ObjectKey, Route};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

fn route(name: &str, uid: &str) -> Change {
    let key = ObjectKey::new("default", name);
    Change::Route(Arc::new(Route { key, uid: uid.to_owned(), hosts: Vec::new(), targets: Vec::new() }))
}

fn no() -> Result<(), Rejected> {
    Err(Rejected::new("NotServed", "the disk is full"))
}

#[test]
fn each_refusal_doubles_the_wait_up_to_a_minute() {
    let mut refused = Refused::default();
    let mut now = Instant::now().into_std();
    let change = route("hello", "one");
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        refused.note(&change, &no(), now);
        let due = refused.due().expect("it waits");
        assert_eq!(due - now, Duration::from_secs(seconds));
        assert_eq!(refused.next(due - Duration::from_millis(1)), None);
        assert_eq!(refused.next(due), Some(change.clone()));
        now = due;
    }
    refused.note(&change, &Ok(()), now);
    assert_eq!((refused.due(), refused.next(now)), (None, None));
}

#[test]
fn only_the_last_change_of_an_object_is_told_again() {
    let mut refused = Refused::default();
    let begun = Instant::now().into_std();
    refused.note(&route("hello", "one"), &no(), begun);
    let later = begun + Duration::from_secs(1);
    refused.note(&route("hello", "one"), &no(), later);
    refused.note(&route("hello", "two"), &no(), later);
    assert_eq!(refused.due(), Some(later + Duration::from_secs(1)), "another change begins anew");
    refused.note(&route("other", "three"), &no(), later + Duration::from_millis(1));
    let end = later + Duration::from_secs(9);
    assert_eq!(refused.next(end), Some(route("hello", "two")), "the oldest comes first");
    let gone = Change::RouteGone(ObjectKey::new("default", "hello"));
    refused.note(&gone, &no(), end);
    refused.note(&route("other", "three"), &Ok(()), end);
    assert_eq!(refused.next(end + Duration::from_secs(1)), Some(gone), "an end is told again too");
}
