//! Label and field selectors: parsed once per request, then asked for each object.

use super::failure::Failure;
use super::resource::Resource;
use super::store::{Change, Event};
use serde_json::Value;

/// Which objects of a kind a list or a watch is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selector {
    /// `metadata.name=x`, which is answered without looking into objects.
    pub(crate) name: Option<String>,
    labels: Vec<LabelTerm>,
    fields: Vec<FieldTerm>,
}

#[derive(Clone, Debug, PartialEq)]
struct LabelTerm {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Present,
    Absent,
    In(Vec<String>),
    /// Also true where the label is absent, as in Kubernetes.
    NotIn(Vec<String>),
}

#[derive(Clone, Debug, PartialEq)]
struct FieldTerm {
    /// JSON pointer.
    pointer: String,
    equal: bool,
    value: String,
}

impl Selector {
    /// Reads both selectors of a request.
    pub(crate) fn parse(resource: Resource, labels: &str, fields: &str) -> Result<Self, Failure> {
        let mut selector = Self::default();
        for term in split(labels) {
            selector.labels.push(label_term(term)?);
        }
        for term in fields.split(',').map(str::trim).filter(|term| !term.is_empty()) {
            let (path, value, equal) = field_term(term)?;
            if !supported(resource, path) {
                return Err(Failure::bad_request(format!("field label not supported: {path}")));
            }
            if path == "metadata.name" && equal {
                selector.name = Some(value.to_owned());
            } else {
                let pointer = format!("/{}", path.replace('.', "/"));
                selector.fields.push(FieldTerm { pointer, equal, value: value.to_owned() });
            }
        }
        Ok(selector)
    }

    /// Whether every object matches.
    pub(crate) fn is_all(&self) -> bool {
        self.name.is_none() && self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether a stored object matches.
    pub(crate) fn matches(&self, name: &str, object: &[u8]) -> bool {
        if self.name.as_deref().is_some_and(|wanted| wanted != name) {
            return false;
        }
        if self.labels.is_empty() && self.fields.is_empty() {
            return true;
        }
        // Labels alone are found without building the whole object.
        if self.fields.is_empty() {
            return serde_json::from_slice::<Labelled>(object)
                .is_ok_and(|object| self.labels_match(&object.metadata.labels));
        }
        serde_json::from_slice::<Value>(object).is_ok_and(|object| {
            self.labels_match(&object["metadata"]["labels"]) && self.fields.iter().all(|term| term.matches(&object))
        })
    }

    /// What a watch with this selector says of an event: an object that begins or ceases to match is ADDED or DELETED.
    pub(crate) fn seen(&self, event: &Event) -> Option<Change> {
        let is = event.change != Change::Deleted && self.matches(&event.key.name, &event.object);
        let was = event.old.as_ref().is_some_and(|old| self.matches(&event.key.name, old));
        match (was, is) {
            (false, true) => Some(Change::Added),
            (true, true) => Some(Change::Modified),
            (true, false) => Some(Change::Deleted),
            (false, false) => None,
        }
    }

    fn labels_match(&self, labels: &Value) -> bool {
        self.labels.iter().all(|term| {
            let value = labels[term.key.as_str()].as_str();
            match &term.test {
                Test::Present => value.is_some(),
                Test::Absent => value.is_none(),
                Test::In(values) => value.is_some_and(|value| values.iter().any(|wanted| wanted == value)),
                Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|refused| refused != value)),
            }
        })
    }
}

#[derive(serde::Deserialize)]
struct Labelled {
    metadata: LabelledMetadata,
}

#[derive(serde::Deserialize)]
struct LabelledMetadata {
    #[serde(default)]
    labels: Value,
}

impl FieldTerm {
    fn matches(&self, object: &Value) -> bool {
        let value = object.pointer(&self.pointer).and_then(Value::as_str).unwrap_or("");
        (value == self.value) == self.equal
    }
}

/// Splits at the commas that are not inside parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                terms.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(text[start..].trim());
    terms.retain(|term| !term.is_empty());
    terms
}

fn label_term(term: &str) -> Result<LabelTerm, Failure> {
    let (key, test) = if let Some((key, values)) = term.split_once(" notin ") {
        (key, Test::NotIn(set(term, values)?))
    } else if let Some((key, values)) = term.split_once(" in ") {
        (key, Test::In(set(term, values)?))
    } else if let Some((key, value)) = term.split_once("!=") {
        (key, Test::NotIn(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (key, Test::In(vec![value.trim().to_owned()]))
    } else if let Some(key) = term.strip_prefix('!') {
        (key, Test::Absent)
    } else {
        (term, Test::Present)
    };
    let key = key.trim();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if key.is_empty() || !key.chars().all(legal) {
        return Err(Failure::bad_request(format!("unable to parse requirement: {term:?} is no label selector")));
    }
    Ok(LabelTerm { key: key.to_owned(), test })
}

fn set(term: &str, values: &str) -> Result<Vec<String>, Failure> {
    let inner = values.trim().strip_prefix('(').and_then(|values| values.strip_suffix(')'));
    let inner =
        inner.ok_or_else(|| Failure::bad_request(format!("unable to parse requirement: {term:?} needs (a,b)")))?;
    Ok(inner.split(',').map(|value| value.trim().to_owned()).collect())
}

fn field_term(term: &str) -> Result<(&str, &str, bool), Failure> {
    if let Some((path, value)) = term.split_once("!=") {
        return Ok((path, value, false));
    }
    let found = term.split_once("==").or_else(|| term.split_once('='));
    let (path, value) = found.ok_or_else(|| Failure::bad_request(format!("invalid field selector {term:?}")))?;
    Ok((path, value, true))
}

/// The fields that Kubernetes selects by: names everywhere, and a few of its own kinds.
fn supported(resource: Resource, path: &str) -> bool {
    if matches!(path, "metadata.name" | "metadata.namespace") {
        return true;
    }
    match (resource.is_built_in(), resource.kind().kind) {
        (true, "Event") => {
            path.starts_with("involvedObject.")
                || matches!(path, "reason" | "type" | "reportingComponent" | "source" | "action")
        }
        (true, "Secret") => path == "type",
        (true, "Namespace") => path == "status.phase",
        _ => false,
    }
}
