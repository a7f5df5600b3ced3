//! What a deletion takes along: dependents by owner reference, the content of a namespace, owners that waited.
//!
//! A cascade is a queue of steps and not a recursion, and it may write only so much in one transaction. What is left is
//! written down in the same transaction and goes on in the next, also after a crash.

use super::metadata::{FOREGROUND, deleting, disown, finalizers, owners, uid};
use super::transaction::{Transaction, owner_key};
use super::{Cascade, Key};
use crate::apiserver::resource::Resource;
use redb::{ReadableTable, StorageError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Dependents looked at in one go.
const CHUNK: usize = 64;

/// One step of a cascade. Keys are in the form of the file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Step {
    /// An owner is gone: its dependents follow, unless they have another.
    Orphans { uid: String, after: Vec<u8> },
    /// An owner waits: its dependents go first.
    Foreground { uid: String, after: Vec<u8> },
    /// A namespace is being deleted: its content goes.
    Namespace(String),
    /// An object whose owners may all be gone.
    Collect(Vec<u8>),
    /// An object whose deletion may have waited for what just went.
    Settle(Vec<u8>),
}

impl Transaction<'_> {
    /// Takes up what earlier transactions left, as far as this one's share goes.
    pub(super) fn resume(&mut self) -> Result<(), StorageError> {
        while let Some((entry, ())) = self.tables.pending.pop_first()?.map(|(key, _)| (key.value().to_vec(), ())) {
            match serde_json::from_slice(&entry) {
                Ok(step) => self.steps.push_back(step),
                Err(error) => tracing::error!(%error, "a step of a cascade cannot be read and is left out"),
            }
        }
        self.cascade()
    }

    /// Notes the steps that are left for the next transaction.
    pub(super) fn suspend(&mut self) -> Result<(), StorageError> {
        for step in std::mem::take(&mut self.steps) {
            let entry = serde_json::to_vec(&step).map_err(|error| StorageError::Corrupted(error.to_string()))?;
            self.tables.pending.insert(entry.as_slice(), ())?;
        }
        Ok(())
    }

    /// Runs steps until none is left or this transaction's share is used up.
    pub(super) fn cascade(&mut self) -> Result<(), StorageError> {
        while self.budget > 0 {
            let Some(step) = self.steps.pop_front() else { break };
            match step {
                Step::Orphans { uid, after } => {
                    let dependents = self.dependents(&uid, &after, CHUNK)?;
                    for dependent in &dependents {
                        self.collect(dependent)?;
                    }
                    if let (CHUNK, Some(last)) = (dependents.len(), dependents.last()) {
                        self.steps.push_front(Step::Orphans { uid, after: last.clone() });
                    }
                }
                Step::Foreground { uid, after } => {
                    let dependents = self.dependents(&uid, &after, CHUNK)?;
                    for dependent in &dependents {
                        self.delete_once(dependent, Cascade::Foreground)?;
                    }
                    if let (CHUNK, Some(last)) = (dependents.len(), dependents.last()) {
                        self.steps.push_front(Step::Foreground { uid, after: last.clone() });
                    }
                }
                Step::Namespace(name) => self.empty(name)?,
                Step::Collect(key) => self.collect(&key)?,
                Step::Settle(key) => self.settle(&key)?,
            }
        }
        Ok(())
    }

    /// Deletes an object whose owners are all gone; forgets the gone ones where another is left.
    fn collect(&mut self, key: &[u8]) -> Result<(), StorageError> {
        let Some(key) = Key::parse(key) else { return Ok(()) };
        let Some((_, mut object)) = self.get(&key)? else { return Ok(()) };
        let mut gone = Vec::new();
        for owner in owners(&object) {
            if !self.is_there(&key.namespace, owner)? {
                gone.push(owner["uid"].clone());
            }
        }
        if gone.is_empty() || deleting(&object) {
            return Ok(());
        }
        self.budget = self.budget.saturating_sub(1);
        if gone.len() == owners(&object).len() {
            return self.delete(&key, Cascade::Background);
        }
        disown(&mut object, |owner| gone.contains(&owner["uid"]));
        self.write(&key, object).map(drop)
    }

    fn delete_once(&mut self, key: &[u8], cascade: Cascade) -> Result<(), StorageError> {
        let Some(key) = Key::parse(key) else { return Ok(()) };
        if self.get(&key)?.is_some_and(|(_, object)| !deleting(&object)) {
            self.budget = self.budget.saturating_sub(1);
            self.delete(&key, cascade)?;
        }
        Ok(())
    }

    /// Deletes the content of a namespace, kind by kind.
    fn empty(&mut self, name: String) -> Result<(), StorageError> {
        for resource in Resource::all().filter(|resource| resource.kind().namespaced) {
            let prefix = Key::prefix(resource, Some(&name));
            let mut start = prefix.clone();
            loop {
                let keys = self.keys_after(&start, &prefix, CHUNK)?;
                for key in &keys {
                    self.delete_once(key, Cascade::Background)?;
                }
                if self.budget == 0 {
                    self.steps.push_back(Step::Namespace(name));
                    return Ok(());
                }
                let (CHUNK, Some(last)) = (keys.len(), keys.last()) else { break };
                start = [last.as_slice(), &[0]].concat();
            }
        }
        Ok(())
    }

    /// Finishes a deletion that waited for dependents or for a namespace's content.
    fn settle(&mut self, key: &[u8]) -> Result<(), StorageError> {
        let Some(key) = Key::parse(key) else { return Ok(()) };
        let Some((_, mut object)) = self.get(&key)? else { return Ok(()) };
        if !deleting(&object) || !self.is_free(&key, &object)? {
            return Ok(());
        }
        let holders = finalizers(&object);
        let left: Vec<_> = holders.iter().filter(|holder| *holder != FOREGROUND).collect();
        if left.is_empty() {
            self.remove(&key, object)?;
        } else if left.len() < holders.len() {
            object["metadata"]["finalizers"] = json!(left);
            self.write(&key, object)?;
        }
        Ok(())
    }

    /// Whether nothing but finalizers of others holds an object that is being deleted.
    pub(super) fn is_free(&self, key: &Key, object: &Value) -> Result<bool, StorageError> {
        if key.resource.is_namespace() {
            for resource in Resource::all().filter(|resource| resource.kind().namespaced) {
                let prefix = Key::prefix(resource, Some(&key.name));
                if !self.keys_after(&prefix, &prefix, 1)?.is_empty() {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        if !finalizers(object).iter().any(|finalizer| finalizer == FOREGROUND) {
            return Ok(true);
        }
        let own = uid(object);
        for dependent in self.dependents(own, &[], usize::MAX)? {
            let Some(key) = Key::parse(&dependent) else { continue };
            let Some((_, dependent)) = self.get(&key)? else { continue };
            if owners(&dependent).iter().any(|owner| owner["uid"] == own && owner["blockOwnerDeletion"] == true) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn has_dependents(&self, uid: &str) -> Result<bool, StorageError> {
        Ok(!self.dependents(uid, &[], 1)?.is_empty())
    }

    /// Keys of at most `most` dependents of an owner, after a key.
    pub(super) fn dependents(&self, uid: &str, after: &[u8], most: usize) -> Result<Vec<Vec<u8>>, StorageError> {
        let prefix = format!("{uid}\0").into_bytes();
        let mut start = [prefix.as_slice(), after].concat();
        if !after.is_empty() {
            start.push(0);
        }
        let mut found = Vec::new();
        for item in self.tables.owners.range(start.as_slice()..)? {
            let (key, _) = item?;
            let Some(dependent) = key.value().strip_prefix(prefix.as_slice()) else { break };
            if found.len() == most {
                break;
            }
            found.push(dependent.to_vec());
        }
        Ok(found)
    }

    fn keys_after(&self, start: &[u8], prefix: &[u8], most: usize) -> Result<Vec<Vec<u8>>, StorageError> {
        let mut found = Vec::new();
        for item in self.tables.objects.range(start..)? {
            let (key, _) = item?;
            if found.len() == most || !key.value().starts_with(prefix) {
                break;
            }
            found.push(key.value().to_vec());
        }
        Ok(found)
    }

    fn is_there(&self, namespace: &str, owner: &Value) -> Result<bool, StorageError> {
        // A kind that is not served here is somebody else's to collect.
        let Some(key) = owner_key(namespace, owner) else { return Ok(true) };
        Ok(self.get(&key)?.is_some_and(|(_, object)| owner["uid"] == uid(&object)))
    }
}
