//! kubectl's JSONPath templates, the part that scripts use: paths as `{.a.b}`, `{range .items[*]}...{end}`, literal text and
//! `{"\n"}`. What a path may be is told in the API server's `json_path`, whose columns are made of the same.

use crate::failure::{Failure, code};
use fnctl_controller::apiserver::json_path::{print, select};
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

fn values<'v>(path: &str, from: &'v Value) -> Result<Vec<&'v Value>, Failure> {
    select(path, from).map_err(|error| Failure::invalid(code::INPUT, error.to_string()))
}

/// Writes the parts up to the `{end}` of the surrounding range; answers what follows it.
fn write<'p, 't>(mut parts: &'p [Part<'t>], at: &Value, out: &mut String) -> Result<&'p [Part<'t>], Failure> {
    while let Some((part, rest)) = parts.split_first() {
        parts = rest;
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(path) => {
                let found: Vec<String> = values(path, at)?.into_iter().map(print).collect();
                out.push_str(&found.join(" "));
            }
            Part::Range(path) => {
                let body = parts;
                let items = values(path, at)?;
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
