//! Reads a trigger's filters into a [`Filter`], or says by field path what is wrong. It evaluates nothing.
//!
//! Where Knative's webhook takes an empty value and its data plane then skips the filter, letting every event through, we
//! refuse the value: a filter either works as written or is not taken.

use crate::api::error::{FieldError, FieldErrorKind, at, join, keyed};
use crate::limits::{FILTER_DEPTH_MAX, FILTER_TERMS_MAX};
use crate::snapshot::Filter;
use serde_json::{Map, Value};

const DIALECTS: [&str; 7] = ["all", "any", "cesql", "exact", "not", "prefix", "suffix"];

/// The filter of a trigger's spec: `filters` where it is given, otherwise `filter.attributes`, otherwise all events.
pub fn of_trigger_spec(spec: &Value) -> Result<Filter, Vec<FieldError>> {
    match spec.get("filters") {
        Some(Value::Array(filters)) => parse(filters, "filters"),
        Some(Value::Null) | None => {
            legacy(spec.get("filter").and_then(|filter| filter.get("attributes")), "filter.attributes")
        }
        Some(_) => Err(vec![FieldError::general(FieldErrorKind::Invalid, "filters", "expected an array of filters")]),
    }
}

/// The filter that a list of filters means: all of them. `path` is where the list stands.
pub fn parse(filters: &[Value], path: &str) -> Result<Filter, Vec<FieldError>> {
    let mut reader = Reader { errors: Vec::new(), terms: 0 };
    let filter = reader.list(filters, path, 0);
    if reader.errors.is_empty() { Ok(collapse(filter, Filter::All)) } else { Err(reader.errors) }
}

/// The older form: attributes with the values they must equal; an empty value asks that the attribute is there.
pub fn legacy(attributes: Option<&Value>, path: &str) -> Result<Filter, Vec<FieldError>> {
    let Some(Value::Object(attributes)) = attributes else { return Ok(Filter::All(Vec::new())) };
    if attributes.len() > FILTER_TERMS_MAX {
        return Err(vec![too_large(path)]);
    }
    let mut reader = Reader { errors: Vec::new(), terms: 0 };
    let mut all = Vec::new();
    for (attribute, value) in attributes {
        reader.attribute_name(attribute, path);
        let attribute = attribute.clone();
        match value.as_str() {
            Some("") => all.push(Filter::Present { attribute }),
            Some(value) => all.push(Filter::Exact { attribute, value: value.to_owned() }),
            None => reader.errors.push(FieldError::invalid(value, &keyed(path, &attribute))),
        }
    }
    if reader.errors.is_empty() { Ok(collapse(all, Filter::All)) } else { Err(reader.errors) }
}

/// Whether a name is a CloudEvents attribute's, by Knative's stricter rule: `^[a-z][a-z0-9]*$`.
pub fn is_attribute_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// One filter stands for itself; none or several for the whole.
fn collapse(mut filters: Vec<Filter>, whole: fn(Vec<Filter>) -> Filter) -> Filter {
    match filters.pop() {
        Some(only) if filters.is_empty() => only,
        Some(last) => {
            filters.push(last);
            whole(filters)
        }
        None => whole(filters),
    }
}

fn too_large(path: &str) -> FieldError {
    let sentence = format!("filters nest at most {FILTER_DEPTH_MAX} deep and hold at most {FILTER_TERMS_MAX} terms");
    FieldError::general(FieldErrorKind::TooLong, path, sentence)
}

struct Reader {
    errors: Vec<FieldError>,
    terms: usize,
}

impl Reader {
    fn list(&mut self, filters: &[Value], path: &str, depth: usize) -> Vec<Filter> {
        filters.iter().enumerate().filter_map(|(index, filter)| self.one(filter, &at(path, index), depth)).collect()
    }

    fn one(&mut self, filter: &Value, path: &str, depth: usize) -> Option<Filter> {
        self.terms += 1;
        if depth >= FILTER_DEPTH_MAX || self.terms > FILTER_TERMS_MAX {
            return self.fail(too_large(path));
        }
        let Value::Object(dialects) = filter else {
            return self.fail(FieldError::general(
                FieldErrorKind::Invalid,
                path,
                "expected an object with one dialect",
            ));
        };
        let mut given = dialects.iter().filter(|(_, body)| !body.is_null());
        match (given.next(), given.next()) {
            (Some((dialect, body)), None) => self.dialect(dialect, body, &join(path, dialect), depth),
            (None, _) => self.fail(FieldError::missing_one_of(path, &DIALECTS)),
            (Some(_), Some(_)) => {
                let named: Vec<&str> = dialects.keys().map(String::as_str).collect();
                self.fail(FieldError::multiple_one_of(path, &named))
            }
        }
    }

    fn dialect(&mut self, dialect: &str, body: &Value, path: &str, depth: usize) -> Option<Filter> {
        match (dialect, body) {
            ("all", Value::Array(filters)) => Some(collapse(self.list(filters, path, depth + 1), Filter::All)),
            ("any", Value::Array(filters)) if filters.is_empty() => {
                self.fail(FieldError::general(FieldErrorKind::Invalid, path, "expected at least one filter"))
            }
            ("any", Value::Array(filters)) => Some(collapse(self.list(filters, path, depth + 1), Filter::Any)),
            ("not", body @ Value::Object(_)) => {
                self.one(body, path, depth + 1).map(|inner| Filter::Not(Box::new(inner)))
            }
            ("exact", Value::Object(map)) => {
                self.attributes(map, path, |attribute, value| Filter::Exact { attribute, value })
            }
            ("prefix", Value::Object(map)) => {
                self.attributes(map, path, |attribute, value| Filter::Prefix { attribute, value })
            }
            ("suffix", Value::Object(map)) => {
                self.attributes(map, path, |attribute, value| Filter::Suffix { attribute, value })
            }
            ("cesql", _) => self.fail(FieldError::general(
                FieldErrorKind::NotSupported,
                path,
                "cesql is not supported yet: use exact, prefix, suffix, all, any and not",
            )),
            ("all" | "any" | "not" | "exact" | "prefix" | "suffix", _) => self.fail(FieldError::invalid(body, path)),
            _ => {
                let nearest = crate::nearest(dialect, DIALECTS).map(|name| format!(", did you mean {name:?}?"));
                let sentence = format!("unknown filter dialect {dialect:?}{}", nearest.unwrap_or_default());
                self.fail(FieldError::general(FieldErrorKind::NotSupported, path, sentence))
            }
        }
    }

    fn attributes(
        &mut self,
        map: &Map<String, Value>,
        path: &str,
        make: fn(String, String) -> Filter,
    ) -> Option<Filter> {
        if map.is_empty() {
            return self.fail(FieldError::general(FieldErrorKind::Invalid, path, "expected at least one attribute"));
        }
        self.terms += map.len();
        if self.terms > FILTER_TERMS_MAX {
            return self.fail(too_large(path));
        }
        let mut all = Vec::with_capacity(map.len());
        for (attribute, value) in map {
            self.attribute_name(attribute, path);
            match value.as_str() {
                Some(value) if !value.is_empty() => all.push(make(attribute.clone(), value.to_owned())),
                _ => {
                    let why = "the value must be a string that is not empty";
                    self.errors.push(FieldError::invalid_because(value, &keyed(path, attribute), why));
                }
            }
        }
        Some(collapse(all, Filter::All))
    }

    fn attribute_name(&mut self, name: &str, path: &str) {
        if !is_attribute_name(name) {
            let why = "Attribute name must start with a letter and can only contain lowercase alphanumeric characters";
            self.errors.push(FieldError::invalid_key(name, path, why));
        }
    }

    fn fail(&mut self, error: FieldError) -> Option<Filter> {
        self.errors.push(error);
        None
    }
}

#[cfg(test)]
mod tests;
