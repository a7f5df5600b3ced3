//! kubectl's JSONPath templates, the part that scripts use: `{.a.b}`, `{.a[0].b}`, `{.items[*].metadata.name}`,
//! `{.status.conditions[?(@.type=="Ready")].status}`, `{range .items[*]}...{end}`, literal text and `{"\n"}`.

use crate::failure::{Failure, code};
use serde_json::Value;

/// Renders a template over a document. A path that leads nowhere prints nothing, as kubectl.
pub(crate) fn render(template: &str, document: &Value) -> Result<String, Failure> {
    let parts = parse(template)?;
    let mut out = String::new();
    write(&parts, document, &mut out)?;
    Ok(out)
}

enum Part<'a> {
    Text(String),
    Path(&'a str),
    Range(&'a str),
    End,
}

fn invalid(template: &str, why: &str) -> Failure {
    Failure::invalid(code::INPUT, format!("{template:?} is no JSONPath template: {why}"))
}

fn parse(template: &str) -> Result<Vec<Part<'_>>, Failure> {
    let mut parts = Vec::new();
    let mut open_ranges = 0_usize;
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            parts.push(Part::Text(rest[..open].to_owned()));
        }
        let close = close(&rest[open..]).ok_or_else(|| invalid(template, "a { is not closed"))? + open;
        let inner = rest[open + 1..close].trim();
        parts.push(match inner {
            "end" => Part::End,
            _ if inner.starts_with("range ") => Part::Range(inner[6..].trim()),
            _ if inner.starts_with('"') => {
                Part::Text(serde_json::from_str(inner).map_err(|e| invalid(template, &e.to_string()))?)
            }
            _ => Part::Path(inner),
        });
        match parts.last() {
            Some(Part::Range(_)) => open_ranges += 1,
            Some(Part::End) => {
                open_ranges = open_ranges.checked_sub(1).ok_or_else(|| invalid(template, "{end} without {range}"))?;
            }
            _ => {}
        }
        rest = &rest[close + 1..];
    }
    if open_ranges > 0 {
        return Err(invalid(template, "{range} without {end}"));
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

/// Where the brace that opens the text is closed, quotes respected.
fn close(text: &str) -> Option<usize> {
    let mut quote = None;
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '}') => return Some(index),
            _ => {}
        }
    }
    None
}

/// Writes the parts up to the `{end}` of the surrounding range; answers what follows it.
fn write<'p, 't>(mut parts: &'p [Part<'t>], at: &Value, out: &mut String) -> Result<&'p [Part<'t>], Failure> {
    while let Some((part, rest)) = parts.split_first() {
        parts = rest;
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(path) => {
                let found: Vec<String> = select(path, at)?.into_iter().map(print).collect();
                out.push_str(&found.join(" "));
            }
            Part::Range(path) => {
                let body = parts;
                let items = select(path, at)?;
                parts = write(body, &Value::Null, &mut String::new())?;
                for item in items {
                    write(body, item, out)?;
                }
            }
            Part::End => return Ok(parts),
        }
    }
    Ok(parts)
}

fn print(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The values that a path leads to.
fn select<'v>(path: &str, from: &'v Value) -> Result<Vec<&'v Value>, Failure> {
    let mut found = vec![from];
    let mut rest = path.trim_start_matches(['$', '@']);
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').ok_or_else(|| invalid(path, "a [ is not closed"))?;
            found =
                index(&inner[..end], &found).ok_or_else(|| invalid(path, "what stands in [ ] is not known here"))?;
            rest = &inner[end + 1..];
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let (name, more) = field(rest);
        found = match name.as_str() {
            "" => found,
            "*" => found.into_iter().flat_map(children).collect(),
            name => found.into_iter().filter_map(|value| value.get(name)).collect(),
        };
        rest = more;
    }
    Ok(found)
}

/// One field name, where `\.` stands for a dot.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((index, c)) = characters.next() {
        match c {
            '\\' => name.extend(characters.next().map(|(_, c)| c)),
            '.' | '[' => return (name, &text[index..]),
            c => name.push(c),
        }
    }
    (name, "")
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn index<'v>(inside: &str, from: &[&'v Value]) -> Option<Vec<&'v Value>> {
    if inside == "*" {
        return Some(from.iter().flat_map(|value| children(value)).collect());
    }
    if let Some(name) = inside.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        return Some(from.iter().filter_map(|value| value.get(name)).collect());
    }
    if let Some(test) = inside.strip_prefix("?(@.").and_then(|text| text.strip_suffix(')')) {
        let (name, want) = test.split_once("==")?;
        let want = want.trim().trim_matches(['"', '\'']);
        let fits = |item: &&Value| item.get(name.trim()).is_some_and(|value| print(value) == want);
        return Some(from.iter().flat_map(|value| children(value)).filter(fits).collect());
    }
    let number: i64 = inside.parse().ok()?;
    let pick = |value: &&'v Value| {
        let items = value.as_array()?;
        let position = if number < 0 { items.len() as i64 + number } else { number };
        items.get(usize::try_from(position).ok()?)
    };
    Some(from.iter().filter_map(pick).collect())
}

#[cfg(test)]
mod tests {
    use super::render;
    use serde_json::json;

    #[test]
    fn templates_render_as_in_kubectl() {
        let document = json!({"metadata": {"name": "hello", "annotations": {"a.b/c": "x"}}, "status": {"conditions": [
            {"type": "Active", "status": "False"}, {"type": "Ready", "status": "True"}]}, "items": [{"n": 1}, {"n": 2}]});
        let table = [
            ("{.metadata.name}", "hello"),
            (r#"{.status.conditions[?(@.type=="Ready")].status}"#, "True"),
            ("{.items[*].n}", "1 2"),
            ("{.items[0].n}-{.items[-1].n}", "1-2"),
            (r#"{range .items[*]}{.n}{"\n"}{end}."#, "1\n2\n."),
            (r"{.metadata.annotations.a\.b/c}", "x"),
            ("{.metadata.annotations['a.b/c']}", "x"),
            ("{.missing.path}", ""),
            ("plain", "plain"),
        ];
        for (template, want) in table {
            assert_eq!(render(template, &document).unwrap(), want, "{template}");
        }
        for bad in ["{.a", "{.a[}", "{end}", "{range .items[*]}{.n}", "{.items[x]}"] {
            assert!(render(bad, &document).is_err(), "{bad}");
        }
    }
}
