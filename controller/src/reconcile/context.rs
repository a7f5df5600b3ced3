//! What every reconciler has: the client, the node's ports, and the writes that happen only where something changed.

use super::activity::Instances;
use super::artifacts::{Artifacts, Buckets, Rejected};
use super::labels;
use crate::project::{Observed, Serving};
use fnctl_config::address;
use fnctl_config::api::condition::{Cause, Status};
use fnctl_config::api::error::FieldError;
use fnctl_config::resolve::Home;
use fnctl_config::snapshot::{Change, ObjectKey};
use kube::api::PostParams;
use kube::core::NamespaceResourceScope;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;

/// Who writes, in `managedFields` and in events.
pub(super) const MANAGER: &str = "fnctl-controller";

/// What URLs in statuses are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Functions are hosts under it.
    pub domain: String,
    /// The data plane's port, as clients reach it.
    pub http_port: u16,
}

impl Settings {
    /// Where a function answers.
    pub fn function_url(&self, function: &ObjectKey) -> String {
        format!("http://{}{}", address::function_host(function, &self.domain), self.port())
    }

    /// Where a broker takes events.
    pub fn broker_url(&self, broker: &ObjectKey) -> String {
        format!("http://127.0.0.1{}{}", self.port(), address::broker_path(broker))
    }

    /// What tells addresses of this home from those of others.
    pub fn home(&self) -> Home {
        Home { domain: self.domain.clone(), http_port: self.http_port }
    }

    fn port(&self) -> String {
        if self.http_port == 80 { String::new() } else { format!(":{}", self.http_port) }
    }
}

/// Why a reconciliation did not come to its end. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API refused or was not reached.
    #[error("the api did not take it")]
    Api(#[from] kube::Error),
    /// A dependent of that name belongs to somebody else.
    #[error("{kind} {name} exists and is not owned by this object: delete or rename one of them")]
    NotOwned {
        /// Kind of the dependent.
        kind: String,
        /// Its name.
        name: String,
    },
}

/// A kind that reconcilers read and write.
pub(super) trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + fmt::Debug
    + PartialEq
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> Object for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + fmt::Debug
        + PartialEq
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// What every reconciler has.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) settings: Settings,
    pub(super) artifacts: Arc<dyn Artifacts>,
    pub(super) buckets: Arc<dyn Buckets>,
    pub(super) instances: Arc<dyn Instances>,
    pub(super) observed: Observed,
    recorder: Recorder,
}

impl Context {
    /// `ports` is the node.
    pub(super) fn new<P: Artifacts + Buckets + Instances + 'static>(
        client: Client,
        settings: Settings,
        ports: Arc<P>,
        observed: Observed,
    ) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(MANAGER.to_owned()) };
        let recorder = Recorder::new(client.clone(), reporter);
        Self {
            client,
            settings,
            artifacts: ports.clone(),
            buckets: ports.clone(),
            instances: ports,
            observed,
            recorder,
        }
    }

    pub(super) fn api<K: Object>(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The object as it is stored now; none where it is gone or going.
    pub(super) async fn get<K: Object>(&self, key: &ObjectKey) -> Result<Option<K>, Error> {
        let object = self.api::<K>(&key.namespace).get_opt(&key.name).await?;
        Ok(object.filter(|object| object.meta().deletion_timestamp.is_none()))
    }

    /// Whether the data plane serves what an object means; waits for it for a while.
    pub(super) async fn serving(&self, meant: Result<Change, Vec<FieldError>>) -> Serving {
        match meant {
            Ok(wanted) => self.observed.serving(&wanted).await,
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                Serving::No(Rejected::new("InvalidSettings", errors.join("; ")))
            }
        }
    }

    /// Writes the status of `after` where it differs from `before`. Answers what is stored then.
    pub(super) async fn put_status<K: Object>(&self, before: &K, after: &K) -> Result<K, Error> {
        if before == after {
            return Ok(before.clone());
        }
        let namespace = after.namespace().unwrap_or_default();
        Ok(self.api::<K>(&namespace).replace_status(&after.name_any(), &parameters(), after).await?)
    }

    pub(super) async fn create<K: Object>(&self, object: &K) -> Result<K, Error> {
        let namespace = object.namespace().unwrap_or_default();
        Ok(self.api::<K>(&namespace).create(&parameters(), object).await?)
    }

    /// Makes a dependent as `wanted`: creates it, or gives the stored one the wanted metadata and what `take` copies.
    pub(super) async fn ensure<K: Object, O: Object>(
        &self,
        owner: &O,
        wanted: K,
        take: impl Fn(&K, &mut K),
    ) -> Result<K, Error> {
        let name = wanted.name_any();
        let key = ObjectKey::new(wanted.namespace().unwrap_or_default(), &name);
        let Some(stored) = self.get::<K>(&key).await? else {
            let created = self.create(&wanted).await?;
            let kind = K::kind(&());
            self.normal(owner, "Created", format!("created {kind} {name:?}")).await;
            return Ok(created);
        };
        if !labels::is_owned(&stored, owner) {
            return Err(Error::NotOwned { kind: K::kind(&()).into_owned(), name });
        }
        let mut changed = stored.clone();
        take(&wanted, &mut changed);
        if !labels::is_same(wanted.meta(), stored.meta()) {
            changed.meta_mut().labels.clone_from(&wanted.meta().labels);
            changed.meta_mut().annotations.clone_from(&wanted.meta().annotations);
            for kept in [labels::CREATOR, labels::LAST_MODIFIER] {
                if let Some(value) = stored.annotations().get(kept) {
                    changed.annotations_mut().insert(kept.to_owned(), value.clone());
                }
            }
        }
        if changed == stored {
            return Ok(stored);
        }
        Ok(self.api::<K>(&key.namespace).replace(&name, &parameters(), &changed).await?)
    }

    pub(super) async fn normal<K: Object>(&self, object: &K, reason: &str, note: String) {
        self.publish(object, EventType::Normal, reason, note).await;
    }

    pub(super) async fn warning<K: Object>(&self, object: &K, reason: &str, note: String) {
        self.publish(object, EventType::Warning, reason, note).await;
    }

    /// Events are for people to read; one that was not taken does not stop the work.
    async fn publish<K: Object>(&self, object: &K, type_: EventType, reason: &str, note: String) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &object.object_ref(&())).await {
            tracing::debug!(%error, reason, "an event was not taken");
        }
    }
}

/// The key of an object that was read.
pub(super) fn key_of<K: Resource>(object: &K) -> ObjectKey {
    ObjectKey::new(object.namespace().unwrap_or_default(), object.name_any())
}

/// What a condition says of something that the data plane serves, or does not.
pub(super) fn serving_condition(serving: &Serving) -> (Status, Cause) {
    match serving {
        Serving::Yes => (Status::True, Cause::default()),
        Serving::NotYet => (Status::Unknown, Cause::new("NotServedYet", "the data plane has not taken it over yet")),
        Serving::No(rejected) => (Status::False, rejected.clone().into()),
    }
}

fn parameters() -> PostParams {
    PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() }
}
