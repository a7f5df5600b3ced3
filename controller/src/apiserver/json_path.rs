//! Kubernetes' JSONPath, the part that printer columns and scripts use: `.a.b`, `.a\.b`, `['a.b']`, `[0]`, `[-1]`, `[*]`, `.*`,
//! `[?(@.type=="Ready")]`, and in columns at the end `.length()`. No `..`, no slices.

use serde_json::{Value, json};

/// The text is no path of this part of the language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is no JSONPath: {reason}")]
pub struct InvalidPath {
    /// The path.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The values that a path leads to; none where it leads nowhere.
pub fn select<'v>(path: &str, from: &'v Value) -> Result<Vec<&'v Value>, InvalidPath> {
    let invalid = |reason| InvalidPath { path: path.to_owned(), reason };
    let mut found = vec![from];
    let mut rest = path.trim_start_matches(['$', '@']);
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = closing(inner).ok_or_else(|| invalid("a [ is not closed"))?;
            found = bracket(&inner[..end], &found).ok_or_else(|| invalid("what stands in [ ] is not known here"))?;
            rest = &inner[end + 1..];
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let (name, more) = field(rest);
        found = match name.as_str() {
            "" if more.starts_with('.') => return Err(invalid(".. is not known here")),
            "" => found,
            "*" => found.into_iter().flat_map(children).collect(),
            name => found.into_iter().filter_map(|value| value.get(name)).collect(),
        };
        rest = more;
    }
    Ok(found)
}

/// What a printer column shows: the first value that its path leads to. A path that cannot be read leads nowhere.
pub(crate) fn evaluate(path: &str, object: &Value) -> Option<Value> {
    match path.strip_suffix(".length()") {
        Some(path) => select(path, object).ok()?.first().map(|value| json!(length(value))),
        None => select(path, object).ok()?.into_iter().find(|value| !value.is_null()).cloned(),
    }
}

/// A value as text: of a string its characters, of null nothing, else its JSON.
pub fn print(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn bracket<'v>(inside: &str, from: &[&'v Value]) -> Option<Vec<&'v Value>> {
    let all = || from.iter().flat_map(|value| children(value));
    if inside == "*" {
        return Some(all().collect());
    }
    if let Some(name) = unquote(inside) {
        // Kubernetes writes dots in names with a backslash.
        let name = name.replace("\\.", ".");
        return Some(from.iter().filter_map(|value| value.get(&name)).collect());
    }
    if let Some(test) = inside.strip_prefix("?(@.").and_then(|test| test.strip_suffix(')')) {
        let (name, wanted) = test.split_once("==")?;
        let (name, wanted) = (name.trim(), wanted.trim());
        let wanted = unquote(wanted).unwrap_or(wanted);
        return Some(all().filter(|item| item.get(name).is_some_and(|value| print(value) == wanted)).collect());
    }
    let number: i64 = inside.parse().ok()?;
    let pick = |value: &&'v Value| {
        let items = value.as_array()?;
        let position = if number < 0 { items.len() as i64 + number } else { number };
        items.get(usize::try_from(position).ok()?)
    };
    Some(from.iter().filter_map(pick).collect())
}

/// One field name, where `\.` stands for a dot, and what follows it.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => name.extend(characters.next().map(|(_, character)| character)),
            '.' | '[' => return (name, &text[index..]),
            character => name.push(character),
        }
    }
    (name, "")
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn unquote(text: &str) -> Option<&str> {
    ['\'', '"'].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
}

/// Where a bracket ends, quotes respected.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, ']') => return Some(at),
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
    }
    None
}

fn length(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        Value::String(text) => text.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests;
