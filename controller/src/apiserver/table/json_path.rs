//! The subset of JSONPath that printer columns use: `.a.b`, `['a.b']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`, and at the
//! end `.length()`.

use serde_json::{Value, json};

/// The first value that a path leads to. A path that cannot be read leads nowhere.
pub(crate) fn evaluate(path: &str, object: &Value) -> Option<Value> {
    let path = path.strip_prefix('$').unwrap_or(path);
    let mut found = vec![object];
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = closing(inner)?;
            found = bracket(&inner[..end], &found)?;
            rest = &inner[end + 1..];
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if rest == "length()" {
            return found.first().map(|value| json!(length(value)));
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        if name.is_empty() && !tail.is_empty() {
            return None;
        }
        found = found.into_iter().filter_map(|value| value.get(name)).collect();
        rest = tail;
    }
    found.into_iter().find(|value| !value.is_null()).cloned()
}

fn bracket<'v>(inside: &str, values: &[&'v Value]) -> Option<Vec<&'v Value>> {
    if inside == "*" {
        return Some(values.iter().flat_map(|value| value.as_array().into_iter().flatten()).collect());
    }
    if let Some(name) = unquote(inside) {
        // Kubernetes writes dots in names with a backslash.
        let name = name.replace("\\.", ".");
        return Some(values.iter().filter_map(|value| value.get(&name)).collect());
    }
    if let Some(filter) = inside.strip_prefix("?(@.").and_then(|filter| filter.strip_suffix(')')) {
        let (field, wanted) = filter.split_once("==")?;
        let wanted = unquote(wanted.trim())?;
        let items = values.iter().flat_map(|value| value.as_array().into_iter().flatten());
        return Some(items.filter(|item| item[field.trim()] == wanted).collect());
    }
    let index: usize = inside.parse().ok()?;
    Some(values.iter().filter_map(|value| value.get(index)).collect())
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
