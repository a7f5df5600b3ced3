use super::{Serving, observe};
use crate::reconcile::Rejected;
use fnctl_config::snapshot::{Change, ObjectKey, Route};
use std::sync::Arc;

fn route(uid: &str) -> Change {
    let key = ObjectKey::new("default", "hello");
    Change::Route(Arc::new(Route { key, uid: uid.to_owned(), hosts: Vec::new(), targets: Vec::new() }))
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_is_served_and_nothing_else() {
    let (observer, observed) = observe();
    assert_eq!(observed.serving(&route("one")).await, Serving::NotYet);
    observer.note(route("one"), Ok(()));
    assert_eq!(observed.serving(&route("one")).await, Serving::Yes);
    assert_eq!(observed.serving(&route("two")).await, Serving::NotYet, "another object of that name");
    let full = Rejected::new("NotServed", "the disk is full");
    observer.note(route("two"), Err(full.clone()));
    assert_eq!(observed.serving(&route("two")).await, Serving::No(full));
    observer.note(Change::RouteGone(ObjectKey::new("default", "hello")), Ok(()));
    assert_eq!(observed.serving(&route("two")).await, Serving::NotYet);
}

#[tokio::test(start_paused = true)]
async fn who_looks_waits_for_what_is_under_way_and_not_for_the_dead() {
    let (observer, observed) = observe();
    let wanted = route("one");
    let (serving, ()) = tokio::join!(observed.serving(&wanted), async { observer.note(route("one"), Ok(())) });
    assert_eq!(serving, Serving::Yes);
    let begun = tokio::time::Instant::now();
    let two = route("two");
    let (serving, ()) = tokio::join!(observed.serving(&two), async { drop(observer) });
    assert_eq!((serving, begun.elapsed()), (Serving::NotYet, std::time::Duration::ZERO));
    observed.synced().await;
}
