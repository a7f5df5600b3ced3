//! The shell: seven informers, one state, one callback, and what it could not take.

use super::observed::Observer;
use super::refused::Refused;
use super::state::{Family, Object, Seen, State};
use crate::informer;
use crate::reconcile::Rejected;
use fnctl_config::api::{Broker, BucketSource, Revision, Route, Trigger};
use fnctl_config::resolve::Home;
use fnctl_config::snapshot::{Change, ObjectKey};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, select_all};
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::NamespaceResourceScope;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::Future;
use tokio::time::{Instant, sleep_until};

/// What the data plane hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// Something is there, is there differently, or is gone.
    Change(Change),
    /// All that was stored when the projection began has been told. Comes once.
    Synced {
        /// Uids of the brokers that are stored, also of those that do not resolve and were not told: what belongs to
        /// another one belongs to none.
        brokers: BTreeSet<String>,
    },
}

/// Tells `sink` what the objects behind `client` mean for the data plane, until `shutdown` is done; what is being taken
/// then is given up, as in a crash. `sink` is called by one task, in order, and answers whether the data plane could take
/// it, which `observer` notes; while it is busy the informers wait. What could not be taken is told again by and by: taking
/// a change a second time must do no harm.
pub async fn run(
    client: Client,
    home: Home,
    observer: Observer,
    sink: impl FnMut(Update) -> BoxFuture<'static, Result<(), Rejected>> + Send,
    shutdown: impl Future<Output = ()>,
) {
    tokio::select! {
        () = shutdown => {}
        () = follow(everything(&client), State::new(home), observer, sink) => {}
    }
}

async fn follow(
    mut seen: impl Stream<Item = Seen> + Unpin,
    mut state: State,
    observer: Observer,
    mut sink: impl FnMut(Update) -> BoxFuture<'static, Result<(), Rejected>> + Send,
) {
    let mut is_synced = false;
    let mut refused = Refused::default();
    loop {
        let changes = tokio::select! {
            next = seen.next() => match next {
                Some(next) => state.take(next),
                None => return,
            },
            () = reached(refused.due()) => Vec::from_iter(refused.next(Instant::now().into_std())),
        };
        for change in changes {
            let outcome = sink(Update::Change(change.clone())).await;
            refused.note(&change, &outcome, Instant::now().into_std());
            observer.note(change, outcome);
        }
        if !is_synced && state.is_synced() {
            is_synced = true;
            // It changes nothing that an object's status speaks of.
            let _ = sink(Update::Synced { brokers: state.brokers() }).await;
            observer.synced();
        }
    }
}

/// Waits until that time; for ever where there is none.
async fn reached(due: Option<std::time::Instant>) {
    match due {
        Some(due) => sleep_until(Instant::from_std(due)).await,
        None => std::future::pending().await,
    }
}

fn everything(client: &Client) -> impl Stream<Item = Seen> + Unpin + use<> {
    select_all([
        informer(client, Family::ConfigMap, |object: ConfigMap| Object::ConfigMap(Box::new(object))),
        informer(client, Family::Secret, |object: Secret| Object::Secret(Box::new(object))),
        informer(client, Family::Revision, |object: Revision| Object::Revision(Box::new(object))),
        informer(client, Family::Route, |object: Route| Object::Route(Box::new(object))),
        informer(client, Family::Broker, |object: Broker| Object::Broker(Box::new(object))),
        informer(client, Family::Trigger, |object: Trigger| Object::Trigger(Box::new(object))),
        informer(client, Family::BucketSource, |object: BucketSource| Object::BucketSource(Box::new(object))),
    ])
}

/// Objects of a kind as they come; an error is waited out and the list begins again.
fn informer<K>(client: &Client, family: Family, wrap: fn(K) -> Object) -> BoxStream<'static, Seen>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let events = watcher(Api::<K>::all(client.clone()), informer::config()).default_backoff();
    let seen = events.filter_map(move |event| {
        let seen = match event {
            Ok(watcher::Event::Init) => Some(Seen::Restarted(family)),
            Ok(watcher::Event::InitDone) => Some(Seen::Listed(family)),
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => Some(Seen::Object(wrap(object))),
            Ok(watcher::Event::Delete(object)) => {
                Some(Seen::Gone(family, ObjectKey::new(object.namespace().unwrap_or_default(), object.name_any())))
            }
            Err(error) => {
                tracing::warn!(?family, %error, "objects cannot be watched; will be tried again");
                None
            }
        };
        std::future::ready(seen)
    });
    seen.boxed()
}

#[cfg(test)]
mod tests;
