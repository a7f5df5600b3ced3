use super::{Update, follow};
use crate::project::state::{Object, Seen, State};
use crate::project::{Serving, observe};
use crate::reconcile::Rejected;
use fnctl_config::limits::PROJECTION_RETRY_DELAY_MAX;
use fnctl_config::resolve::{self, Home};
use fnctl_config::snapshot::Change;
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn what_could_not_be_taken_is_told_again_until_it_is() {
    let broker: fnctl_config::api::Broker = serde_json::from_value(json!({
        "apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
        "metadata": {"name": "default", "namespace": "default", "uid": "b-1"}, "spec": {},
    }))
    .expect("a broker");
    let meant = resolve::broker(&broker, &Home::default()).expect("a broker that may exist");
    let wanted = Change::Broker(Arc::new(meant));
    let full = Rejected::new("NotServed", "the disk is full");
    let told = Arc::new(Mutex::new(Vec::new()));
    let (begun, at, why) = (Instant::now(), Arc::clone(&told), full.clone());
    let sink = move |update| {
        assert!(matches!(update, Update::Change(Change::Broker(_))), "{update:?}");
        let mut told = at.lock().expect("the times");
        told.push(begun.elapsed().as_secs());
        let outcome = if told.len() < 4 { Err(why.clone()) } else { Ok(()) };
        async { outcome }.boxed()
    };
    let (observer, observed) = observe();
    let seen = stream::iter([Seen::Object(Object::Broker(Box::new(broker)))]).chain(stream::pending());
    let looking = async {
        assert_eq!(observed.serving(&wanted).await, Serving::No(full));
        sleep(PROJECTION_RETRY_DELAY_MAX).await;
        assert_eq!(observed.serving(&wanted).await, Serving::Yes);
    };
    tokio::select! {
        () = looking => {}
        () = follow(seen, State::new(Home::default()), observer, sink) => unreachable!("the stream goes on"),
    }
    assert_eq!(*told.lock().expect("the times"), [0, 1, 3, 7]);
}
