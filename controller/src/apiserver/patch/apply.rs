//! Field ownership and server-side apply.
//!
//! An object's `managedFields` says which manager owns which fields. An apply states all that a manager wants: fields it
//! names are set and owned, fields it owned and no longer names go unless another owns them, and a field that another
//! manager owns with another value is a conflict. Any other write takes what it changes away from all others.

use super::fields::{Fields, Path, erase, find};
use super::merge_keys::{ListKind, list_kind, step};
use serde_json::{Value, json};
use std::fmt;

/// Who writes, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manager<'a> {
    /// The field manager's name.
    pub(crate) name: &'a str,
    /// `Apply` or `Update`.
    pub(crate) operation: &'static str,
    /// The subresource written through; empty for the object itself.
    pub(crate) subresource: &'a str,
    /// The object's apiVersion.
    pub(crate) api_version: &'a str,
    /// The time to write down.
    pub(crate) now: &'a str,
}

/// A field that another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The owner.
    pub manager: String,
    /// How the owner got it: `Apply` or `Update`.
    pub operation: String,
    /// The field, as `kubectl` prints it: `.data.key`.
    pub field: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conflict with {:?}: {}", self.manager, self.field)
    }
}

struct Entry {
    head: Value,
    fields: Fields,
}

impl Manager<'_> {
    /// After a write that is no apply: who changed a field owns it, alone.
    pub(crate) fn updated(&self, old: &Value, new: &mut Value) {
        let given = &new["metadata"]["managedFields"];
        if !given.is_null() && *given != old["metadata"]["managedFields"] {
            // The client rewrote ownership itself, as kubectl does when it migrates to server-side apply.
            return;
        }
        let (was, is, mut entries) = (Fields::of_object(old), Fields::of_object(new), read(old));
        let changed: Vec<Path> = is.paths().into_iter().filter(|path| changes(old, new, &was, path)).collect();
        let gone = was.paths().into_iter().filter(|path| find(new, path).is_none());
        for path in changed.iter().cloned().chain(gone) {
            entries.iter_mut().for_each(|entry| entry.fields.remove(&path));
        }
        if !changed.is_empty() {
            let entry = self.entry(&mut entries);
            changed.iter().for_each(|path| entry.fields.insert(path));
            self.sign(entry);
        }
        write(new, entries);
    }

    /// Server-side apply: the object with `config` applied to it. With `force`, conflicts are won.
    pub(crate) fn applied(&self, live: &Value, config: &Value, force: Force) -> Result<Value, Vec<Conflict>> {
        let (mut entries, fields) = (read(live), Fields::of_object(config));
        let before = std::mem::take(&mut self.entry(&mut entries).fields);
        let conflicts = contest(live, config, &fields, &mut entries, force);
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        let mut new = live.clone();
        overlay(&mut new, config, "");
        let mut dropped = before.paths();
        // A list element goes before its key fields: without its key it would not be found again.
        dropped.sort_by_key(Vec::len);
        for path in &dropped {
            let kept = fields.has(path) || entries.iter().any(|entry| entry.fields.has(path));
            let shared =
                is_element(path) && (fields.reaches(path) || entries.iter().any(|entry| entry.fields.reaches(path)));
            if !kept && !shared && !is_key_field(path) {
                erase(&mut new, path, "");
            }
        }
        let entry = self.entry(&mut entries);
        entry.fields = fields;
        if before != entry.fields || entry.head["time"].is_null() {
            self.sign(entry);
        }
        write(&mut new, entries);
        Ok(new)
    }

    fn entry<'e>(&self, entries: &'e mut Vec<Entry>) -> &'e mut Entry {
        let ours = |entry: &Entry| {
            entry.head["manager"] == self.name
                && entry.head["operation"] == self.operation
                && entry.head["subresource"].as_str().unwrap_or("") == self.subresource
        };
        let index = entries.iter().position(ours).unwrap_or_else(|| {
            let mut head = json!({"manager": self.name, "operation": self.operation, "fieldsType": "FieldsV1"});
            if !self.subresource.is_empty() {
                head["subresource"] = json!(self.subresource);
            }
            entries.push(Entry { head, fields: Fields::default() });
            entries.len() - 1
        });
        &mut entries[index]
    }

    fn sign(&self, entry: &mut Entry) {
        entry.head["time"] = json!(self.now);
        entry.head["apiVersion"] = json!(self.api_version);
    }
}

/// What happens to fields that others own with another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Force {
    /// The apply is refused.
    No,
    /// They are taken from their owners.
    Yes,
}

/// Whether two states of an object differ in nothing but the times in `managedFields`. Such a write is left out:
/// controllers that write what is there would otherwise wake themselves for ever.
pub(crate) fn same_but_for_time(a: &Value, b: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
            entry["time"].take();
        }
        object
    };
    a == b || bare(a) == bare(b)
}

fn changes(old: &Value, new: &Value, was: &Fields, path: &Path) -> bool {
    // An element that was there before is not changed by a change inside it.
    if is_element(path) && find(old, path).is_some() {
        return false;
    }
    !was.has(path) || find(old, path) != find(new, path)
}

fn contest(live: &Value, config: &Value, fields: &Fields, entries: &mut [Entry], force: Force) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for path in fields.paths().iter().filter(|path| !is_element(path)) {
        if find(live, path).is_none_or(|value| Some(value) == find(config, path)) {
            continue;
        }
        for entry in entries.iter_mut().filter(|entry| entry.fields.has(path)) {
            match force {
                Force::Yes => entry.fields.remove(path),
                Force::No => conflicts.push(Conflict {
                    manager: entry.head["manager"].as_str().unwrap_or("").to_owned(),
                    operation: entry.head["operation"].as_str().unwrap_or("").to_owned(),
                    field: printed(path),
                }),
            }
        }
    }
    conflicts
}

/// Puts what is applied over what is there.
fn overlay(live: &mut Value, applied: &Value, field: &str) {
    match (live, applied) {
        (Value::Object(live), Value::Object(applied)) => {
            for (name, value) in applied {
                overlay(live.entry(name.clone()).or_insert(Value::Null), value, name);
            }
        }
        (Value::Array(live), Value::Array(applied)) if list_kind(field) != ListKind::Atomic => {
            let kind = list_kind(field);
            for item in applied {
                match live.iter_mut().find(|there| step(kind, there) == step(kind, item)) {
                    Some(there) => overlay(there, item, ""),
                    None => live.push(item.clone()),
                }
            }
        }
        (live, applied) => *live = applied.clone(),
    }
}

fn read(object: &Value) -> Vec<Entry> {
    let list = object["metadata"]["managedFields"].as_array();
    let list = list.into_iter().flatten().filter(|entry| entry["manager"].is_string());
    list.map(|entry| {
        let mut head = entry.clone();
        let fields = Fields::from_json(&head["fieldsV1"].take());
        Entry { head, fields }
    })
    .collect()
}

fn write(object: &mut Value, entries: Vec<Entry>) {
    let list = entries.into_iter().filter(|entry| !entry.fields.is_empty()).map(|entry| {
        let mut head = entry.head;
        head["fieldsV1"] = entry.fields.json();
        head
    });
    object["metadata"]["managedFields"] = list.collect();
}

fn is_element(path: &[String]) -> bool {
    path.last().is_some_and(|step| step.starts_with("k:"))
}

/// Whether the path is a field that names its list element.
fn is_key_field(path: &[String]) -> bool {
    let [.., element, field] = path else { return false };
    let (Some(keys), Some(field)) = (element.strip_prefix("k:"), field.strip_prefix("f:")) else { return false };
    serde_json::from_str::<Value>(keys).is_ok_and(|keys| keys.get(field).is_some())
}

/// A path as `kubectl` prints it: `.spec.containers[name="a"].image`.
fn printed(path: &[String]) -> String {
    path.iter()
        .map(|step| match step.split_once(':') {
            Some(("f", name)) => format!(".{name}"),
            Some(("k", keys)) => match serde_json::from_str::<Value>(keys) {
                Ok(Value::Object(keys)) => {
                    let keys: Vec<_> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    format!("[{}]", keys.join(","))
                }
                _ => format!("[{keys}]"),
            },
            Some((_, value)) => format!("[={value}]"),
            None => step.clone(),
        })
        .collect()
}
