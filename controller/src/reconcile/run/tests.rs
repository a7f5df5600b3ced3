use super::{Controllers, Reconcile as _};
use crate::apiserver::tests::server;
use crate::project::observe;
use crate::reconcile::activity::{Instances, Replicas};
use crate::reconcile::{Artifacts, Buckets, Rejected, Settings};
use fnctl_config::api::{Revision, Service, Trigger};
use fnctl_config::limits::RECONCILES_AT_ONCE_MAX;
use fnctl_config::snapshot::{self, ObjectKey};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use kube::Api;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// A node that looks at images for as long as the test wants.
#[derive(Debug)]
struct Busy {
    /// How many images are looked at now, and the most so far.
    looked_at: watch::Sender<(usize, usize)>,
    may_go_on: Semaphore,
}

impl Artifacts for Busy {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<String, Rejected>> {
        Box::pin(async {
            self.looked_at.send_modify(|(now, most)| {
                *now += 1;
                *most = (*most).max(*now);
            });
            drop(self.may_go_on.acquire().await);
            self.looked_at.send_modify(|(now, _)| *now -= 1);
            Ok("a".repeat(64))
        })
    }

    fn prepare<'a>(&'a self, _: &'a snapshot::Revision) -> BoxFuture<'a, Result<(), Rejected>> {
        Box::pin(async { Ok(()) })
    }
}

impl Buckets for Busy {
    fn ensure<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), Rejected>> {
        Box::pin(async { Ok(()) })
    }
}

impl Instances for Busy {
    fn changed(&self) -> BoxFuture<'_, BTreeSet<ObjectKey>> {
        Box::pin(std::future::pending())
    }

    fn replicas(&self, _: &ObjectKey) -> Option<Replicas> {
        None
    }

    fn begun<'a>(&'a self, revision: &'a ObjectKey) -> BoxFuture<'a, Option<Replicas>> {
        Box::pin(async move { self.replicas(revision) })
    }
}

#[tokio::test]
async fn few_objects_of_a_kind_are_reconciled_at_once_and_all_in_the_end() {
    let at_once = usize::from(RECONCILES_AT_ONCE_MAX);
    let count = at_once * 2;
    let api = server().await;
    let services: Api<Service> = Api::namespaced(api.client(), "default");
    for number in 0..count {
        let service = json!({"metadata": {"name": format!("s{number}")},
            "spec": {"template": {"spec": {"containers": [{"image": "hello"}]}}}});
        let service = serde_json::from_value(service).expect("a service");
        services.create(&PostParams::default(), &service).await.expect("created");
    }
    let busy = Arc::new(Busy { looked_at: watch::channel((0, 0)).0, may_go_on: Semaphore::new(0) });
    // Nobody projects here, so nobody waits for it.
    let (_, observed) = observe();
    let settings = Settings { domain: "localhost".to_owned(), http_port: 8080 };
    let controllers = Controllers::run(api.client(), settings, busy.clone(), observed, std::future::pending());
    let story = async {
        let mut revisions =
            pin!(watcher(Api::<Revision>::all(api.client()), super::informer::config()).applied_objects());
        let mut made = 0;
        while made < count {
            // Each is told of when it is made; nothing else happens to it before its image is known.
            revisions.next().await.expect("a watch goes on").expect("a revision");
            made += 1;
        }
        let mut looked_at = busy.looked_at.subscribe();
        looked_at.wait_for(|(now, _)| *now >= at_once).await.expect("it lives");
        busy.may_go_on.close();
        let mut ready = BTreeSet::new();
        while ready.len() < count {
            let revision = revisions.next().await.expect("a watch goes on").expect("a revision");
            let conditions = revision.conditions();
            if fnctl_config::api::condition::is_ready(conditions) {
                ready.insert(revision.metadata.name);
            }
        }
        looked_at.borrow().1
    };
    let most = tokio::select! {
        () = controllers => panic!("controllers go on"),
        most = tokio::time::timeout(Duration::from_secs(20), story) => most.expect("all become ready"),
    };
    assert_eq!(most, at_once);
}

#[test]
fn what_says_whom_a_change_concerns_is_kept() {
    let full = json!({"metadata": {"name": "a", "namespace": "n", "labels": {"x": "y"}, "managedFields": [{}]},
        "spec": {"broker": "b", "subscriber": {"uri": "http://example.com/"}}, "status": {"observedGeneration": 3}});
    let mut trigger: Trigger = serde_json::from_value(full.clone()).expect("a trigger");
    trigger.keep_spec();
    let kept = json!({"metadata": {"name": "a", "namespace": "n"}, "spec": full["spec"]});
    assert_eq!(trigger, serde_json::from_value(kept).expect("a trigger"));
}
