//! All controllers of a node, and when an object is looked at again.

use super::activity::{self, Instances};
use super::artifacts::{Artifacts, Buckets};
use super::context::{Context, Error, Object, Settings, key_of};
use super::{broker, bucket_source, configuration, revision, route, service, trigger};
use crate::informer;
use crate::project::Observed;
use fnctl_config::api::condition::{self, Condition, Status};
use fnctl_config::api::destination::Destination;
use fnctl_config::api::{Broker, BucketSource, Configuration, Revision, Route, Service, Trigger};
use fnctl_config::limits::{RECONCILE_RETRY_DELAY, RECONCILES_AT_ONCE_MAX};
use fnctl_config::snapshot::ObjectKey;
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt as _, Stream, StreamExt as _};
use kube::api::PartialObjectMeta;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store, reflector};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// When something that is no object may have come (an artifact, a bucket), or an error may have passed.
pub(super) const RETRY_DELAY: Duration = RECONCILE_RETRY_DELAY;

type Shutdown = Shared<BoxFuture<'static, ()>>;
type Step = for<'a> fn(&'a ObjectKey, &'a Context) -> BoxFuture<'a, Result<Action, Error>>;

/// The reconcilers of all kinds.
#[derive(Debug)]
pub struct Controllers;

impl Controllers {
    /// Runs them over `client` until `shutdown` is done; what is being reconciled then is finished. They begin when the
    /// data plane has taken over what was stored: until then they could only say that it is not served yet.
    pub async fn run<P: Artifacts + Buckets + Instances + 'static>(
        client: Client,
        settings: Settings,
        ports: Arc<P>,
        observed: Observed,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) {
        let shutdown = shutdown.boxed().shared();
        tokio::select! {
            () = shutdown.clone() => return,
            () = observed.synced() => {}
        }
        let context = Arc::new(Context::new(client, settings, ports.clone(), observed));
        let mut running = JoinSet::new();
        let (of, until) = (|| context.clone(), || shutdown.clone());
        running.spawn(drive(services(&context), Service::reconcile, of(), until()));
        running.spawn(drive(configurations(&context), Configuration::reconcile, of(), until()));
        running.spawn(drive(named::<Revision>(&context), Revision::reconcile, of(), until()));
        running.spawn(drive(routes(&context), Route::reconcile, of(), until()));
        running.spawn(drive(named::<Broker>(&context), Broker::reconcile, of(), until()));
        running.spawn(drive(triggers(&context), Trigger::reconcile, of(), until()));
        running.spawn(drive(sources(&context), BucketSource::reconcile, of(), until()));
        running.spawn(activity::run(of(), ports, until()));
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a controller failed");
            }
        }
    }
}

/// A kind that has a reconciler.
pub(super) trait Reconcile: Object {
    fn reconcile<'a>(key: &'a ObjectKey, context: &'a Context) -> BoxFuture<'a, Result<Action, Error>>;
    fn conditions(&self) -> &[Condition];
    /// Lets go of what no other object is found by.
    fn keep_spec(&mut self);
}

macro_rules! reconciled {
    ($($kind:ty => $module:ident),* $(,)?) => {$(
        impl Reconcile for $kind {
            fn reconcile<'a>(key: &'a ObjectKey, context: &'a Context) -> BoxFuture<'a, Result<Action, Error>> {
                $module::reconcile(key, context).boxed()
            }

            fn conditions(&self) -> &[Condition] {
                self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
            }

            fn keep_spec(&mut self) {
                informer::keep_name(&mut self.metadata);
                self.status = None;
            }
        }
    )*};
}

reconciled! {
    Service => service,
    Configuration => configuration,
    Revision => revision,
    Route => route,
    Broker => broker,
    Trigger => trigger,
    BucketSource => bucket_source,
}

/// Tells people when `Ready` changed: `<Kind>Ready`, or the reason why not.
pub(super) async fn announce<K: Reconcile>(context: &Context, before: &K, after: &K) {
    let ready = |object: &K| condition::find(object.conditions(), condition::READY).map(|ready| ready.status);
    let is_news = ready(before) != ready(after);
    match condition::find(after.conditions(), condition::READY) {
        Some(now) if is_news && now.status == Status::True => {
            let kind = K::kind(&());
            context.normal(after, &format!("{kind}Ready"), format!("{kind} {:?} is ready", after.name_any())).await;
        }
        Some(now) if is_news && now.status == Status::False => {
            let reason = now.reason.clone().unwrap_or_else(|| "NotReady".to_owned());
            context.warning(after, &reason, now.message.clone().unwrap_or_default()).await;
        }
        _ => {}
    }
}

/// A controller that keeps only the names of its objects: its reconciler reads afresh what it works on.
fn named<K: Reconcile>(context: &Context) -> Controller<PartialObjectMeta<K>> {
    let (reader, writer) = reflector::store();
    let stream = reflector(writer, informer::names::<K>(&context.client)).default_backoff().applied_objects();
    Controller::for_stream(stream, reader)
}

/// A controller that keeps the specs of its objects, since they say which changes of other objects concern them.
fn specified<K: Reconcile>(context: &Context) -> Controller<K> {
    let (reader, writer) = reflector::store();
    let lean = watcher(Api::all(context.client.clone()), informer::config()).modify(K::keep_spec);
    let stream = reflector(writer, lean).default_backoff().applied_objects();
    Controller::for_stream(stream, reader)
}

/// Every object of a kind that is there, changes or goes.
fn touched<K: Reconcile>(
    context: &Context,
) -> impl Stream<Item = Result<PartialObjectMeta<K>, watcher::Error>> + Send + use<K> {
    informer::names::<K>(&context.client).touched_objects()
}

fn services(context: &Context) -> Controller<PartialObjectMeta<Service>> {
    let client = &context.client;
    named::<Service>(context)
        .owns(Api::<Configuration>::all(client.clone()), informer::config())
        .owns(Api::<Route>::all(client.clone()), informer::config())
}

fn configurations(context: &Context) -> Controller<PartialObjectMeta<Configuration>> {
    named::<Configuration>(context).owns(Api::<Revision>::all(context.client.clone()), informer::config())
}

fn routes(context: &Context) -> Controller<Route> {
    let controller = specified::<Route>(context);
    let (by_configuration, by_revision) = (controller.store(), controller.store());
    controller
        .watches_stream(touched::<Configuration>(context), move |changed| {
            those(&by_configuration, &key_of(&changed), |route| route::names_configuration(route, &changed.name_any()))
        })
        .watches_stream(touched::<Revision>(context), move |changed| {
            those(&by_revision, &key_of(&changed), |route| route::names_revision(route, &changed.name_any()))
        })
}

fn triggers(context: &Context) -> Controller<Trigger> {
    let controller = specified::<Trigger>(context);
    let (by_broker, by_service) = (controller.store(), controller.store());
    controller
        .watches_stream(touched::<Broker>(context), move |changed| {
            those(&by_broker, &key_of(&changed), |trigger| trigger.spec.broker == changed.name_any())
        })
        .watches_stream(touched::<Service>(context), move |changed| {
            those(&by_service, &key_of(&changed), |trigger| leads_to(&trigger.spec.subscriber, &changed))
        })
}

fn sources(context: &Context) -> Controller<BucketSource> {
    let controller = specified::<BucketSource>(context);
    let (by_broker, by_service) = (controller.store(), controller.store());
    controller
        .watches_stream(touched::<Broker>(context), move |changed| {
            those(&by_broker, &key_of(&changed), |source| leads_to(&source.spec.sink, &changed))
        })
        .watches_stream(touched::<Service>(context), move |changed| {
            those(&by_service, &key_of(&changed), |source| leads_to(&source.spec.sink, &changed))
        })
}

/// The objects of the changed one's namespace that it concerns.
fn those<K: Reconcile>(store: &Store<K>, changed: &ObjectKey, concerns: impl Fn(&K) -> bool) -> Vec<ObjectRef<K>> {
    let is_near = |object: &Arc<K>| object.namespace().as_ref() == Some(&changed.namespace);
    let concerned = store.state().into_iter().filter(is_near).filter(|object| concerns(object));
    concerned.map(|object| ObjectRef::from_obj(object.as_ref())).collect()
}

fn leads_to<K: Resource<DynamicType = ()>>(destination: &Destination, object: &K) -> bool {
    let named = destination.reference.as_ref();
    named.is_some_and(|named| named.kind == K::kind(&()) && named.name == object.name_any())
}

/// Runs one controller. `reconcile` takes the key of the object that may need something. Told to end, it lets what is being
/// reconciled come to its end.
async fn drive<K>(controller: Controller<K>, reconcile: Step, context: Arc<Context>, shutdown: Shutdown)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let store = controller.store();
    let told = shutdown.clone();
    let running = controller
        .with_config(Config::default().concurrency(RECONCILES_AT_ONCE_MAX))
        .graceful_shutdown_on(shutdown)
        .run(
            |object: Arc<K>, context| async move { reconcile(&key_of(object.as_ref()), &context).await },
            |object: Arc<K>, error: &Error, _| {
                tracing::debug!(kind = %K::kind(&()), object = %key_of(object.as_ref()), %error, "will be tried again");
                Action::requeue(RETRY_DELAY)
            },
            context,
        )
        .for_each(|_| std::future::ready(()));
    // Before all objects are known nothing is reconciled, and a controller that is told to end then waits for them for ever.
    let not_begun = async {
        told.await;
        if store.wait_until_ready().now_or_never().is_some() {
            std::future::pending().await
        }
    };
    tokio::select! {
        () = running => {}
        () = not_begun => {}
    }
}

#[cfg(test)]
mod tests;
