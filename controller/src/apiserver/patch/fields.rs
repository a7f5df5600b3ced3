//! Sets of fields of an object, as `managedFields` writes them down (FieldsV1): a tree whose steps are `f:name` for a
//! field, `k:{...}` for an element of a keyed list, `v:...` for an element of a set.

use super::merge_keys::{ListKind, list_kind, step};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Metadata that the server keeps; nobody owns it.
const SERVER_METADATA: [&str; 10] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];
/// A tree deeper than this is cut off: it comes from outside, and each level is a level of the stack.
const DEPTH_MAX: usize = 64;

/// A set of field paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// Whether this very field is in the set, apart from what is below it.
    pub(super) own: bool,
    pub(super) below: BTreeMap<String, Fields>,
}

/// The steps to a field.
pub(super) type Path = Vec<String>;

impl Fields {
    fn leaf() -> Self {
        Self { own: true, below: BTreeMap::new() }
    }

    /// The fields of an object that managers can own.
    pub(super) fn of_object(object: &Value) -> Self {
        let mut below = BTreeMap::new();
        for (name, value) in object.as_object().into_iter().flatten() {
            match name.as_str() {
                "apiVersion" | "kind" => {}
                "metadata" => {
                    let own = value.as_object().into_iter().flatten();
                    let own = own.filter(|(name, _)| !SERVER_METADATA.contains(&name.as_str()));
                    let own: BTreeMap<_, _> = own.map(|(name, value)| (f(name), Self::of(value, name))).collect();
                    if !own.is_empty() {
                        below.insert(f(name), Self { own: false, below: own });
                    }
                }
                _ => drop(below.insert(f(name), Self::of(value, name))),
            }
        }
        Self { own: false, below }
    }

    /// The fields of a value in a field of this name.
    fn of(value: &Value, field: &str) -> Self {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                let below = fields.iter().map(|(name, value)| (f(name), Self::of(value, name)));
                Self { own: false, below: below.collect() }
            }
            Value::Array(items) if !items.is_empty() => match list_kind(field) {
                ListKind::Atomic => Self::leaf(),
                kind => {
                    let elements = items.iter().filter_map(|item| {
                        let below = if kind == ListKind::Set { BTreeMap::new() } else { Self::of(item, "").below };
                        Some((step(kind, item)?, Self { own: true, below }))
                    });
                    Self { own: false, below: elements.collect() }
                }
            },
            _ => Self::leaf(),
        }
    }

    /// Reads FieldsV1.
    pub(super) fn from_json(json: &Value) -> Self {
        Self::read(json, 0)
    }

    fn read(json: &Value, depth: usize) -> Self {
        let Some(entries) = json.as_object().filter(|_| depth < DEPTH_MAX) else { return Self::leaf() };
        let below = entries.iter().filter(|(name, _)| *name != ".");
        Self {
            own: entries.is_empty() || entries.contains_key("."),
            below: below.map(|(name, value)| (name.clone(), Self::read(value, depth + 1))).collect(),
        }
    }

    /// Writes FieldsV1.
    pub(super) fn json(&self) -> Value {
        let mut entries: Map<_, _> = self.below.iter().map(|(step, fields)| (step.clone(), fields.json())).collect();
        if self.own && !entries.is_empty() {
            entries.insert(".".to_owned(), json!({}));
        }
        Value::Object(entries)
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.own && self.below.is_empty()
    }

    pub(super) fn has(&self, path: &[String]) -> bool {
        match path {
            [] => self.own,
            [step, rest @ ..] => self.below.get(step).is_some_and(|fields| fields.has(rest)),
        }
    }

    /// Whether the set has the path or anything below it.
    pub(super) fn reaches(&self, path: &[String]) -> bool {
        match path {
            [] => !self.is_empty(),
            [step, rest @ ..] => self.below.get(step).is_some_and(|fields| fields.reaches(rest)),
        }
    }

    pub(super) fn insert(&mut self, path: &[String]) {
        match path {
            [] => self.own = true,
            [step, rest @ ..] => self.below.entry(step.clone()).or_default().insert(rest),
        }
    }

    pub(super) fn remove(&mut self, path: &[String]) {
        match path {
            [] => self.own = false,
            [step, rest @ ..] => {
                if let Some(fields) = self.below.get_mut(step) {
                    fields.remove(rest);
                    if fields.is_empty() {
                        self.below.remove(step);
                    }
                }
            }
        }
    }

    /// Every path of the set.
    pub(super) fn paths(&self) -> Vec<Path> {
        let (mut paths, mut prefix) = (Vec::new(), Vec::new());
        self.collect(&mut prefix, &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut Path, paths: &mut Vec<Path>) {
        if self.own {
            paths.push(prefix.clone());
        }
        for (step, fields) in &self.below {
            prefix.push(step.clone());
            fields.collect(prefix, paths);
            prefix.pop();
        }
    }
}

/// The value at a path.
pub(super) fn find<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    let (mut value, mut field) = (value, "");
    for step in path {
        match step.strip_prefix("f:") {
            Some(name) => (value, field) = (value.get(name)?, name),
            None => (value, field) = (&value[position(value, field, step)?], ""),
        }
    }
    Some(value)
}

/// Takes the value at a path away, with the objects and lists that it leaves empty.
pub(super) fn erase(value: &mut Value, path: &[String], field: &str) {
    let [step, rest @ ..] = path else { return };
    let name = step.strip_prefix("f:");
    if rest.is_empty() {
        match name {
            Some(name) => drop(value.as_object_mut().and_then(|fields| fields.remove(name))),
            None => {
                if let (Some(index), Some(items)) = (position(value, field, step), value.as_array_mut()) {
                    items.remove(index);
                }
            }
        }
        return;
    }
    let below = match name {
        Some(name) => value.get_mut(name),
        None => position(value, field, step).and_then(|index| value.get_mut(index)),
    };
    let Some(below) = below else { return };
    erase(below, rest, name.unwrap_or(""));
    let hollow = below.as_object().is_some_and(Map::is_empty) || below.as_array().is_some_and(Vec::is_empty);
    if hollow && name.is_some() {
        erase(value, &path[..1], field);
    }
}

fn position(value: &Value, field: &str, wanted: &str) -> Option<usize> {
    let kind = list_kind(field);
    value.as_array()?.iter().position(|item| step(kind, item).as_deref() == Some(wanted))
}

fn f(name: &str) -> String {
    format!("f:{name}")
}
