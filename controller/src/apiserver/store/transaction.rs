//! One operation inside the write transaction. Everything is refused before anything is written, so that a refused
//! operation leaves no trace in the batch that it shares.

use super::cascade::Step;
use super::metadata::{deleting, disown, finalizers, owners, uid};
use super::ring::{Change, Event};
use super::snapshot::split;
use super::{Cascade, Key, Operation, Outcome, Preconditions, Refused, Version};
use crate::apiserver::resource::Resource;
use bytes::Bytes;
use redb::{ReadableTable, StorageError, Table};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// The tables of the transaction.
pub(super) struct Tables<'t> {
    pub(super) objects: Table<'t, &'static [u8], &'static [u8]>,
    pub(super) owners: Table<'t, &'static [u8], ()>,
    pub(super) pending: Table<'t, &'static [u8], ()>,
}

/// Why an operation was not performed.
pub(super) enum Failure {
    /// The caller's fault; the transaction goes on.
    Refused(Refused),
    /// The disk's fault; the transaction is lost.
    Storage(StorageError),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Work on one transaction.
pub(super) struct Transaction<'t> {
    pub(super) tables: Tables<'t>,
    version: Version,
    events: Vec<Event>,
    /// What the deletions so far still have to take along.
    pub(super) steps: VecDeque<Step>,
    /// Writes that cascades may still make in this transaction.
    pub(super) budget: usize,
}

impl<'t> Transaction<'t> {
    pub(super) fn new(tables: Tables<'t>, version: Version) -> Self {
        let budget = fnctl_config::limits::API_CASCADE_WRITES_MAX;
        Self { tables, version, events: Vec::new(), steps: VecDeque::new(), budget }
    }

    /// Writes down what is left of cascades, and answers the last version, the events and whether something is left.
    pub(super) fn finish(mut self) -> Result<(Version, Vec<Event>, bool), StorageError> {
        let unfinished = !self.steps.is_empty();
        self.suspend()?;
        Ok((self.version, self.events, unfinished))
    }

    pub(super) fn perform(&mut self, operation: Operation) -> Result<Outcome, Failure> {
        let outcome = match operation {
            Operation::Create(key, object) => self.create(&key, object)?,
            Operation::Update(key, version, object) => self.update(&key, version, object)?,
            Operation::Delete { key, preconditions, cascade } => {
                let (now, object) = self.get(&key)?.ok_or(Failure::Refused(Refused::Missing))?;
                check(&preconditions, now, &object)?;
                self.delete(&key, cascade)?;
                self.cascade()?;
                return Ok(match self.get(&key)? {
                    Some((_, object)) => Outcome::Stored(json_bytes(&object)),
                    None => Outcome::Gone(json_bytes(&object)),
                });
            }
        };
        self.cascade()?;
        Ok(outcome)
    }

    fn create(&mut self, key: &Key, object: Value) -> Result<Outcome, Failure> {
        if self.tables.objects.get(key.bytes().as_slice())?.is_some() {
            return Err(Failure::Refused(Refused::Exists));
        }
        if key.resource.kind().namespaced {
            match self.get(&namespace_key(&key.namespace))? {
                None => return Err(Failure::Refused(Refused::NoNamespace)),
                Some((_, namespace)) if deleting(&namespace) => return Err(Failure::Refused(Refused::Terminating)),
                Some(_) => {}
            }
        }
        if !owners(&object).is_empty() {
            // Born after its last owner went: it goes too.
            self.steps.push_back(Step::Collect(key.bytes()));
        }
        Ok(Outcome::Stored(self.write(key, object)?))
    }

    fn update(&mut self, key: &Key, version: Version, object: Value) -> Result<Outcome, Failure> {
        let (now, _) = self.get(key)?.ok_or(Failure::Refused(Refused::Missing))?;
        if now != version {
            return Err(Failure::Refused(Refused::Conflict));
        }
        if deleting(&object) && finalizers(&object).is_empty() && self.is_free(key, &object)? {
            return Ok(Outcome::Gone(self.remove(key, object)?));
        }
        Ok(Outcome::Stored(self.write(key, object)?))
    }

    /// One object, as this transaction sees it.
    pub(super) fn get(&self, key: &Key) -> Result<Option<(Version, Value)>, StorageError> {
        let Some(value) = self.tables.objects.get(key.bytes().as_slice())? else { return Ok(None) };
        let (version, json) = split(value.value()).ok_or_else(|| damaged(key))?;
        let object = serde_json::from_slice(json).map_err(|_| damaged(key))?;
        Ok(Some((version, object)))
    }

    /// Stores an object under the next version, and keeps the index of owners.
    pub(super) fn write(&mut self, key: &Key, mut object: Value) -> Result<Bytes, StorageError> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let body = json_bytes(&object);
        let path = key.bytes();
        let value = [&self.version.to_be_bytes(), body.as_ref()].concat();
        let old = self.tables.objects.insert(path.as_slice(), value.as_slice())?;
        let old = old.and_then(|old| Some(Bytes::copy_from_slice(split(old.value())?.1)));
        if let Some(old) = &old {
            let old: Value = serde_json::from_slice(old).map_err(|_| damaged(key))?;
            for owner in owners(&old) {
                self.tables.owners.remove(owner_entry(owner, &path).as_slice())?;
            }
        }
        for owner in owners(&object) {
            self.tables.owners.insert(owner_entry(owner, &path).as_slice(), ())?;
        }
        let change = if old.is_some() { Change::Modified } else { Change::Added };
        let event = Event { version: self.version, change, key: key.clone(), object: body.clone(), old };
        self.events.push(event);
        Ok(body)
    }

    /// Takes an object away, and notes what follows: its dependents, and owners or a namespace that waited for it.
    pub(super) fn remove(&mut self, key: &Key, mut object: Value) -> Result<Bytes, StorageError> {
        let path = key.bytes();
        self.tables.objects.remove(path.as_slice())?;
        for owner in owners(&object) {
            self.tables.owners.remove(owner_entry(owner, &path).as_slice())?;
            if let Some(owner) = owner_key(&key.namespace, owner) {
                self.steps.push_back(Step::Settle(owner.bytes()));
            }
        }
        if !key.namespace.is_empty() {
            self.steps.push_back(Step::Settle(namespace_key(&key.namespace).bytes()));
        }
        self.steps.push_back(Step::Orphans { uid: uid(&object).to_owned(), after: Vec::new() });
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let body = json_bytes(&object);
        let event = Event {
            version: self.version,
            change: Change::Deleted,
            key: key.clone(),
            object: body.clone(),
            old: Some(body.clone()),
        };
        self.events.push(event);
        Ok(body)
    }

    /// Begins the deletion of an object: it is gone at once unless finalizers, dependents or content hold it.
    pub(super) fn delete(&mut self, key: &Key, cascade: Cascade) -> Result<(), StorageError> {
        let Some((_, mut object)) = self.get(key)? else { return Ok(()) };
        let own = uid(&object).to_owned();
        if cascade == Cascade::Orphan {
            self.let_go(&own)?;
        }
        let held = cascade == Cascade::Foreground && self.has_dependents(&own)?;
        let mut holders = finalizers(&object);
        if held && !holders.iter().any(|holder| holder == super::metadata::FOREGROUND) {
            holders.push(super::metadata::FOREGROUND.to_owned());
            object["metadata"]["finalizers"] = json!(holders);
        }
        if !key.resource.is_namespace() && holders.is_empty() {
            self.remove(key, object)?;
            return Ok(());
        }
        if !deleting(&object) {
            mark_deleting(&mut object, key);
            self.write(key, object)?;
        }
        if held {
            self.steps.push_back(Step::Foreground { uid: own, after: Vec::new() });
        }
        if key.resource.is_namespace() {
            self.steps.push_back(Step::Namespace(key.name.clone()));
        }
        self.steps.push_back(Step::Settle(key.bytes()));
        Ok(())
    }

    /// Deletion with `Orphan`: the dependents forget their owner and stay.
    fn let_go(&mut self, own: &str) -> Result<(), StorageError> {
        for dependent in self.dependents(own, &[], usize::MAX)? {
            if let Some(key) = Key::parse(&dependent)
                && let Some((_, mut object)) = self.get(&key)?
                && disown(&mut object, |owner| owner["uid"] == own)
            {
                self.write(&key, object)?;
            }
        }
        Ok(())
    }
}

fn check(preconditions: &Preconditions, now: Version, object: &Value) -> Result<(), Failure> {
    let other_uid = preconditions.uid.as_deref().is_some_and(|wanted| wanted != uid(object));
    let other_version = preconditions.version.as_deref().is_some_and(|wanted| wanted != now.to_string());
    if other_uid || other_version { Err(Failure::Refused(Refused::Conflict)) } else { Ok(()) }
}

/// As Kubernetes marks it: the time, no grace period, a new generation.
fn mark_deleting(object: &mut Value, key: &Key) {
    object["metadata"]["deletionTimestamp"] = json!(crate::apiserver::time::now());
    object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
    if let Some(generation) = object["metadata"]["generation"].as_i64() {
        object["metadata"]["generation"] = json!(generation + 1);
    }
    if key.resource.is_namespace() {
        object["status"]["phase"] = json!("Terminating");
    }
}

/// The object that an owner reference names, wherever it is.
pub(super) fn owner_key(namespace: &str, owner: &Value) -> Option<Key> {
    let resource = Resource::by_kind(owner["apiVersion"].as_str()?, owner["kind"].as_str()?)?;
    let namespace = if resource.kind().namespaced { namespace } else { "" };
    Some(Key::new(resource, namespace, owner["name"].as_str()?))
}

/// The namespace object of a name.
pub(super) fn namespace_key(name: &str) -> Key {
    let resource = Resource::all().find(|resource| resource.is_namespace());
    // The table of kinds always has namespaces; the first kind stands in where it would not.
    Key::new(resource.or_else(|| Resource::all().next()).unwrap_or_else(|| unreachable!("kinds")), "", name)
}

fn owner_entry(owner: &Value, dependent: &[u8]) -> Vec<u8> {
    [owner["uid"].as_str().unwrap_or("").as_bytes(), &[0], dependent].concat()
}

pub(super) fn json_bytes(object: &Value) -> Bytes {
    Bytes::from(object.to_string())
}

fn damaged(key: &Key) -> StorageError {
    StorageError::Corrupted(format!("{:?} {}/{} is no JSON object", key.resource, key.namespace, key.name))
}
