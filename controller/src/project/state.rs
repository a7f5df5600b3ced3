//! What was seen of the objects, and what of it the data plane was told. Pure.

use super::references::{Names, config_map_text, resolve_revision, secret_text};
use fnctl_config::api::condition::is_ready;
use fnctl_config::api::{Broker, BucketSource, Revision, Route, Trigger};
use fnctl_config::resolve::{self, Home, Lookup};
use fnctl_config::snapshot::{Change, ObjectKey};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Resource, ResourceExt as _};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;

/// The kinds that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Values of environments.
    ConfigMap,
    /// Values of environments.
    Secret,
    /// Functions' code and settings.
    Revision,
    /// Hosts.
    Route,
    /// Logs of events.
    Broker,
    /// Who gets which events.
    Trigger,
    /// Buckets' notifications.
    BucketSource,
}

impl Family {
    /// The kind of the object that a change is about.
    pub(super) fn of(change: &Change) -> Self {
        match change {
            Change::Revision(_) | Change::RevisionGone(_) => Self::Revision,
            Change::Route(_) | Change::RouteGone(_) => Self::Route,
            Change::Broker(_) | Change::BrokerGone(_) => Self::Broker,
            Change::Trigger(_) | Change::TriggerGone(_) => Self::Trigger,
            Change::BucketSource(_) | Change::BucketSourceGone(_) => Self::BucketSource,
        }
    }
}

const FAMILIES: usize = 7;

/// An object of one of the kinds.
#[derive(Clone, Debug)]
pub enum Object {
    /// See [`Family`].
    ConfigMap(Box<ConfigMap>),
    /// See [`Family`].
    Secret(Box<Secret>),
    /// See [`Family`].
    Revision(Box<Revision>),
    /// See [`Family`].
    Route(Box<Route>),
    /// See [`Family`].
    Broker(Box<Broker>),
    /// See [`Family`].
    Trigger(Box<Trigger>),
    /// See [`Family`].
    BucketSource(Box<BucketSource>),
}

/// What an informer saw.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A list begins: what it does not name is gone.
    Restarted(Family),
    /// The list is over.
    Listed(Family),
    /// An object is there.
    Object(Object),
    /// An object is gone.
    Gone(Family, ObjectKey),
}

/// What was seen and told.
#[derive(Debug)]
pub struct State {
    home: Home,
    told: HashMap<(Family, ObjectKey), Change>,
    /// Uids of the brokers that are stored, told or not.
    brokers: HashMap<ObjectKey, String>,
    /// Keys that the list in progress has not named yet.
    unnamed: HashMap<Family, HashSet<ObjectKey>>,
    listed: HashSet<Family>,
    /// Values of environments, by namespace.
    lookups: HashMap<String, Lookup>,
    /// Ready revisions whose environment names ConfigMaps or Secrets: resolved again when those change.
    referring: HashMap<ObjectKey, Box<Revision>>,
}

impl State {
    /// Nothing seen yet.
    pub fn new(home: Home) -> Self {
        Self {
            home,
            told: HashMap::new(),
            brokers: HashMap::new(),
            unnamed: HashMap::new(),
            listed: HashSet::new(),
            lookups: HashMap::new(),
            referring: HashMap::new(),
        }
    }

    /// Whether every kind was listed once.
    pub fn is_synced(&self) -> bool {
        self.listed.len() == FAMILIES
    }

    /// Uids of the brokers that are stored, also of those that do not resolve.
    pub fn brokers(&self) -> BTreeSet<String> {
        self.brokers.values().cloned().collect()
    }

    /// What the data plane should hear of it.
    pub fn take(&mut self, seen: Seen) -> Vec<Change> {
        match seen {
            Seen::Restarted(family) => {
                let known = self.told.keys().filter(|(of, _)| *of == family).map(|(_, key)| key.clone()).collect();
                self.unnamed.insert(family, known);
                Vec::new()
            }
            Seen::Listed(family) => {
                self.listed.insert(family);
                let unnamed = self.unnamed.remove(&family).unwrap_or_default();
                unnamed.into_iter().filter_map(|key| self.gone(family, key)).collect()
            }
            Seen::Gone(family, key) => self.gone_with_values(family, key),
            Seen::Object(object) => self.object(object),
        }
    }

    fn object(&mut self, object: Object) -> Vec<Change> {
        let change = match object {
            Object::ConfigMap(object) => return self.config_map(*object),
            Object::Secret(object) => return self.secret(*object),
            Object::Revision(object) => self.revision(object),
            Object::Route(object) => {
                let key = self.named(Family::Route, object.as_ref());
                resolve::route(&object, &self.home.domain)
                    .map(|route| (Family::Route, key, Change::Route(Arc::new(route))))
            }
            Object::Broker(object) => {
                let key = self.named(Family::Broker, object.as_ref());
                self.brokers.insert(key.clone(), object.uid().unwrap_or_default());
                let broker = valid(&key, resolve::broker(&object, &self.home));
                broker.map(|broker| (Family::Broker, key, Change::Broker(Arc::new(broker))))
            }
            Object::Trigger(object) => {
                let key = self.named(Family::Trigger, object.as_ref());
                let trigger = valid(&key, resolve::trigger(&object, &self.home));
                trigger.map(|trigger| (Family::Trigger, key, Change::Trigger(Arc::new(trigger))))
            }
            Object::BucketSource(object) => {
                let key = self.named(Family::BucketSource, object.as_ref());
                let source = valid(&key, resolve::bucket_source(&object, &self.home));
                source.map(|source| (Family::BucketSource, key, Change::BucketSource(Arc::new(source))))
            }
        };
        change.and_then(|(family, key, change)| self.tell(family, key, change)).into_iter().collect()
    }

    /// Only revisions that are fit to run are told of. One that was stays: its code and settings do not change.
    fn revision(&mut self, object: Box<Revision>) -> Option<(Family, ObjectKey, Change)> {
        let key = self.named(Family::Revision, object.as_ref());
        if !object.status.as_ref().is_some_and(|status| is_ready(&status.conditions)) {
            return None;
        }
        let change = self.resolved(&key, &object);
        if !Names::of(&object).is_empty() {
            self.referring.insert(key.clone(), object);
        }
        Some((Family::Revision, key, change?))
    }

    fn resolved(&self, key: &ObjectKey, object: &Revision) -> Option<Change> {
        let image_digest = object.status.as_ref()?.container_statuses.first()?.image_digest.as_deref()?;
        let nothing = Lookup::default();
        let lookup = self.lookups.get(&key.namespace).unwrap_or(&nothing);
        let revision = valid(key, resolve_revision(object, image_digest, lookup).map_err(|rejected| vec![rejected]));
        revision.map(|revision| Change::Revision(Arc::new(revision)))
    }

    fn config_map(&mut self, object: ConfigMap) -> Vec<Change> {
        let key = key_of(&object);
        let lookup = self.lookups.entry(key.namespace.clone()).or_default();
        lookup.config_maps.insert(key.name.clone(), config_map_text(object));
        self.refer(&key.namespace, |names| names.config_maps.contains(&key.name))
    }

    fn secret(&mut self, object: Secret) -> Vec<Change> {
        let key = key_of(&object);
        let lookup = self.lookups.entry(key.namespace.clone()).or_default();
        lookup.secrets.insert(key.name.clone(), secret_text(object));
        self.refer(&key.namespace, |names| names.secrets.contains(&key.name))
    }

    /// Resolves again what refers to a value that changed.
    fn refer(&mut self, namespace: &str, refers: impl Fn(&Names) -> bool) -> Vec<Change> {
        let concerned =
            self.referring.iter().filter(|(key, object)| key.namespace == namespace && refers(&Names::of(object)));
        let changes: Vec<_> =
            concerned.filter_map(|(key, object)| Some((key.clone(), self.resolved(key, object)?))).collect();
        changes.into_iter().filter_map(|(key, change)| self.tell(Family::Revision, key, change)).collect()
    }

    /// A value that is gone changes no environment: what runs keeps what it was given.
    fn gone_with_values(&mut self, family: Family, key: ObjectKey) -> Vec<Change> {
        if let Some(lookup) = self.lookups.get_mut(&key.namespace) {
            match family {
                Family::ConfigMap => drop(lookup.config_maps.remove(&key.name)),
                Family::Secret => drop(lookup.secrets.remove(&key.name)),
                Family::Revision | Family::Route | Family::Broker | Family::Trigger | Family::BucketSource => {}
            }
        }
        self.gone(family, key).into_iter().collect()
    }

    fn gone(&mut self, family: Family, key: ObjectKey) -> Option<Change> {
        match family {
            Family::Revision => drop(self.referring.remove(&key)),
            Family::Broker => drop(self.brokers.remove(&key)),
            Family::ConfigMap | Family::Secret | Family::Route | Family::Trigger | Family::BucketSource => {}
        }
        let named = (family, key);
        self.told.remove(&named)?;
        let key = named.1;
        match family {
            Family::ConfigMap | Family::Secret => None,
            Family::Revision => Some(Change::RevisionGone(key)),
            Family::Route => Some(Change::RouteGone(key)),
            Family::Broker => Some(Change::BrokerGone(key)),
            Family::Trigger => Some(Change::TriggerGone(key)),
            Family::BucketSource => Some(Change::BucketSourceGone(key)),
        }
    }

    /// The change, unless it was told already.
    fn tell(&mut self, family: Family, key: ObjectKey, change: Change) -> Option<Change> {
        let before = self.told.insert((family, key), change.clone());
        (before.as_ref() != Some(&change)).then_some(change)
    }

    fn named<K: Resource>(&mut self, family: Family, object: &K) -> ObjectKey {
        let key = key_of(object);
        if let Some(unnamed) = self.unnamed.get_mut(&family) {
            unnamed.remove(&key);
        }
        key
    }
}

fn key_of<K: Resource>(object: &K) -> ObjectKey {
    ObjectKey::new(object.namespace().unwrap_or_default(), object.name_any())
}

/// An object that does not resolve was stored by an older version, or waits for a value: it is left as it was told.
fn valid<T, E: Display>(key: &ObjectKey, resolved: Result<T, Vec<E>>) -> Option<T> {
    match resolved {
        Ok(resolved) => Some(resolved),
        Err(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            tracing::debug!(object = %key, errors = errors.join("; "), "not projected");
            None
        }
    }
}

#[cfg(test)]
mod tests;
