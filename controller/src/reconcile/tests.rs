//! Whole stories over the embedded API: apply objects, wait for what follows.

use super::activity::Replicas;
use super::artifacts::Memory;
use super::{Controllers, Settings};
use crate::apiserver::logs::{LogOptions, LogStream, PodLogs};
use crate::apiserver::store::Place;
use crate::apiserver::{ApiServer, Token};
use crate::project::{self, Update, observe};
use fnctl_config::api::{Broker, BucketSource, Revision, Service, Trigger};
use fnctl_config::snapshot::{Change, ObjectKey};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

struct NoLogs;

impl PodLogs for NoLogs {
    fn read(&self, _: ObjectKey, _: LogOptions) -> BoxFuture<'_, Option<LogStream>> {
        Box::pin(async { None })
    }
}

/// An API, its controllers and its projection, in one process.
struct Home {
    client: Client,
    updates: mpsc::Receiver<Update>,
    _running: JoinSet<()>,
    _directory: tempfile::TempDir,
}

impl Home {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let token = Token::load_or_create(&directory.path().join("token")).expect("a token");
        let place = Place::File(directory.path().join("api.redb"));
        let api = ApiServer::open(place, token, Arc::new(NoLogs)).await.expect("an API");
        let client = api.client();
        let images = [("hello:1", "a"), ("hello:2", "b")].map(|(image, digit)| (image.to_owned(), digit.repeat(64)));
        let ports = Arc::new(Memory {
            images: BTreeMap::from(images),
            refused_buckets: BTreeSet::from(["refused".to_owned()]),
            instances: Some(Replicas { actual: 1, desired: 1 }),
            ..Memory::default()
        });
        let settings = Settings { domain: "localhost".to_owned(), http_port: 8080 };
        let (tell, updates) = mpsc::channel(256);
        let mut running = JoinSet::new();
        let (observer, observed) = observe();
        let home = settings.home();
        running.spawn(Controllers::run(client.clone(), settings, ports, observed, std::future::pending()));
        let projected = client.clone();
        running.spawn(async move {
            let sink = move |update| {
                let tell = tell.clone();
                Box::pin(async move {
                    tell.send(update).await.expect("the test listens");
                    Ok(())
                }) as futures::future::BoxFuture<_>
            };
            project::run(projected, home, observer, sink, std::future::pending()).await;
        });
        Self { client, updates, _running: running, _directory: directory }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), "default")
    }

    async fn create<K>(&self, object: Value)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Serialize + DeserializeOwned + Debug,
    {
        let object: K = serde_json::from_value(object).expect("an object");
        self.api::<K>().create(&PostParams::default(), &object).await.expect("created");
    }

    /// The object once `is_so`.
    async fn when<K>(&self, name: &str, is_so: impl Fn(Option<&K>) -> bool) -> Option<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + 'static,
    {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut events = pin!(watcher(self.api::<K>(), config).default_backoff());
        let mut object = None;
        let story = async {
            loop {
                match events.next().await.expect("a watch goes on") {
                    Ok(watcher::Event::Apply(found) | watcher::Event::InitApply(found)) => object = Some(found),
                    Ok(watcher::Event::Delete(_)) => object = None,
                    Ok(watcher::Event::Init) => continue,
                    Ok(watcher::Event::InitDone) | Err(_) => {}
                }
                if is_so(object.as_ref()) {
                    return object.clone();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), story).await.expect("it becomes so")
    }

    /// The updates up to the first that `is_so`.
    async fn until(&mut self, is_so: impl Fn(&Update) -> bool) -> Update {
        let story = async {
            loop {
                let update = self.updates.recv().await.expect("the projection runs");
                if is_so(&update) {
                    return update;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), story).await.expect("it is told")
    }
}

fn service(image: &str) -> Value {
    json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "hello"},
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
    })
}

fn is_ready(object: &Value, name: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == name && condition["status"] == "True")
}

fn value<K: Serialize>(object: Option<&K>) -> Value {
    object.map(|object| json!(object)).unwrap_or_default()
}

#[tokio::test]
async fn a_service_becomes_ready_is_updated_and_goes() {
    let mut home = Home::new().await;
    home.until(|update| matches!(update, Update::Synced { .. })).await;
    home.create::<Service>(service("hello:1")).await;
    let ready = |revision: &'static str| {
        move |found: Option<&Service>| {
            let found = value(found);
            is_ready(&found, "Ready") && found["status"]["latestReadyRevisionName"] == revision
        }
    };
    let first = value(home.when("hello", ready("hello-00001")).await.as_ref());
    assert_eq!(first["status"]["url"], "http://hello.default.localhost:8080");
    assert_eq!(first["status"]["observedGeneration"], first["metadata"]["generation"]);
    assert_eq!(first["status"]["traffic"][0]["revisionName"], "hello-00001");
    let revision = home.api::<Revision>().get("hello-00001").await.expect("a revision").status.expect("a status");
    assert_eq!((revision.actual_replicas, revision.desired_replicas), (Some(1), Some(1)), "known when it is ready");
    home.when::<Pod>("hello-00001-wasm", |pod| value(pod)["status"]["phase"] == "Running").await;
    home.until(|update| matches!(update, Update::Change(Change::Revision(told)) if told.artifact == "a".repeat(64)))
        .await;
    let is_routed = |name: &'static str| {
        move |update: &Update| match update {
            Update::Change(Change::Route(route)) => route.targets[0].revision.name == name,
            _ => false,
        }
    };
    home.until(is_routed("hello-00001")).await;

    // A change of metadata makes no revision; a change of the template makes one.
    let api = home.api::<Service>();
    let label = Patch::Merge(json!({"metadata": {"labels": {"team": "a"}}}));
    api.patch("hello", &PatchParams::default(), &label).await.expect("patched");
    let image = Patch::Merge(json!({"spec": {"template": {"spec": {"containers": [{"image": "hello:2"}]}}}}));
    api.patch("hello", &PatchParams::default(), &image).await.expect("patched");
    home.when("hello", ready("hello-00002")).await;
    home.until(is_routed("hello-00002")).await;
    let revisions = home.api::<Revision>().list(&ListParams::default()).await.expect("a list");
    let names: Vec<String> = revisions.iter().map(|revision| revision.name_any()).collect();
    assert_eq!(names, ["hello-00001", "hello-00002"]);
    let states: Vec<_> = revisions.iter().map(|r| r.labels()["serving.knative.dev/routingState"].as_str()).collect();
    assert_eq!(states, ["reserve", "active"]);
    let digest = &revisions.items[1].status.as_ref().expect("a status").container_statuses[0].image_digest;
    assert_eq!(digest.as_deref(), Some(format!("hello@sha256:{}", "b".repeat(64)).as_str()));

    api.delete("hello", &DeleteParams::default()).await.expect("deleted");
    home.when::<Revision>("hello-00002", |found| found.is_none()).await;
    home.until(|update| matches!(update, Update::Change(Change::RouteGone(_)))).await;
}

#[tokio::test]
async fn what_is_missing_is_named_and_the_one_before_keeps_serving() {
    let home = Home::new().await;
    home.create::<Service>(service("hello:1")).await;
    home.when::<Service>("hello", |found| is_ready(&value(found), "Ready")).await;
    let image = Patch::Merge(json!({"spec": {"template": {"spec": {"containers": [{"image": "nowhere"}]}}}}));
    home.api::<Service>().patch("hello", &PatchParams::default(), &image).await.expect("patched");
    let failed = |found: Option<&Service>| {
        let conditions = value(found)["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| condition["reason"] == "RevisionFailed" && condition["status"] == "False")
    };
    let found = value(home.when("hello", failed).await.as_ref());
    assert_eq!(found["status"]["latestCreatedRevisionName"], "hello-00002");
    assert_eq!(found["status"]["traffic"][0]["revisionName"], "hello-00001");
}

fn has_reason(object: &Value, name: &str, reason: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == name && condition["reason"] == reason)
}

#[tokio::test]
async fn a_bucket_source_waits_for_its_bucket_and_its_sink() {
    let mut home = Home::new().await;
    home.until(|update| matches!(update, Update::Synced { .. })).await;
    home.create::<BucketSource>(json!({
        "apiVersion": "sources.fnctl.dev/v1alpha1", "kind": "BucketSource", "metadata": {"name": "films"},
        "spec": {"bucket": "refused", "sink": {"ref": {
            "apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "default",
        }}},
    }))
    .await;
    let waits = |found: Option<&BucketSource>| {
        let found = value(found);
        has_reason(&found, "BucketReady", "BucketRefused") && has_reason(&found, "SinkProvided", "NotFound")
    };
    home.when("films", waits).await;
    let bucket = Patch::Merge(json!({"spec": {"bucket": "films"}}));
    home.api::<BucketSource>().patch("films", &PatchParams::default(), &bucket).await.expect("patched");
    home.when::<BucketSource>("films", |found| is_ready(&value(found), "BucketReady")).await;
    home.create::<Broker>(json!({
        "apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": {"name": "default"}, "spec": {},
    }))
    .await;
    let found = value(home.when::<BucketSource>("films", |found| is_ready(&value(found), "Ready")).await.as_ref());
    assert_eq!(found["status"]["sinkUri"], "http://127.0.0.1:8080/-/broker/default/default");
    assert_eq!(found["status"]["observedGeneration"], found["metadata"]["generation"]);
    home.until(|update| matches!(update, Update::Change(Change::BucketSource(told)) if told.bucket == "films")).await;

    home.api::<BucketSource>().delete("films", &DeleteParams::default()).await.expect("deleted");
    home.until(|update| matches!(update, Update::Change(Change::BucketSourceGone(key)) if key.name == "films")).await;
}

#[tokio::test]
async fn a_trigger_may_come_before_its_broker_and_its_subscriber() {
    let home = Home::new().await;
    home.create::<Trigger>(json!({
        "apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": {"name": "t"},
        "spec": {"broker": "default", "subscriber": {"ref": {
            "apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "hello",
        }}},
    }))
    .await;
    let waits = |found: Option<&Trigger>| {
        let conditions = value(found)["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| condition["reason"] == "BrokerDoesNotExist")
    };
    home.when("t", waits).await;
    home.create::<Broker>(json!({
        "apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": {"name": "default"}, "spec": {},
    }))
    .await;
    home.create::<Service>(service("hello:1")).await;
    let found = value(home.when::<Trigger>("t", |found| is_ready(&value(found), "Ready")).await.as_ref());
    assert_eq!(found["status"]["subscriberUri"], "http://hello.default.localhost:8080");
    let broker = value(home.api::<Broker>().get_opt("default").await.expect("an answer").as_ref());
    assert_eq!(broker["status"]["address"]["url"], "http://127.0.0.1:8080/-/broker/default/default");
}
