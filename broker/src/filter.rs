//! Does this event match? Pure recursion over the filter's tree; the rules are those of Knative's trigger filters.
//!
//! - An attribute that is absent matches nothing, so `not` of it matches.
//! - Values of every type are compared as the text that CloudEvents prints: `true`, `5`.
//! - `time` is text too: two spellings of the same instant differ.
//! - `schemaurl` and `datamediatype` are read as Knative does: `dataschema`, and the content type without parameters.

use crate::event::Event;
use fnctl_config::snapshot::Filter;
use std::borrow::Cow;

/// Whether the event matches.
pub fn matches(filter: &Filter, event: &Event) -> bool {
    match filter {
        Filter::All(filters) => filters.iter().all(|filter| matches(filter, event)),
        Filter::Any(filters) => filters.iter().any(|filter| matches(filter, event)),
        Filter::Not(filter) => !matches(filter, event),
        Filter::Exact { attribute, value } => lookup(event, attribute).is_some_and(|text| text == *value),
        Filter::Prefix { attribute, value } => lookup(event, attribute).is_some_and(|text| text.starts_with(value)),
        Filter::Suffix { attribute, value } => lookup(event, attribute).is_some_and(|text| text.ends_with(value)),
        Filter::Present { attribute } => lookup(event, attribute).is_some_and(|text| !text.is_empty()),
    }
}

/// The value that a filter sees under this name.
pub(crate) fn lookup<'a>(event: &'a Event, attribute: &str) -> Option<Cow<'a, str>> {
    let found = event.attribute(attribute);
    match attribute {
        "schemaurl" if found.is_none() => event.attribute("dataschema"),
        "datamediatype" if found.is_none() => {
            event.content_type().map(|text| Cow::Borrowed(text.split(';').next().unwrap_or_default().trim()))
        }
        _ => found,
    }
}

/// The verdict and the clause that decided, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// As [`matches()`] says.
    pub matched: bool,
    /// One sentence without a full stop: `type is "a", not "b"`.
    pub reason: String,
}

/// Whether the event matches, and which clause decided.
pub fn explain(filter: &Filter, event: &Event) -> Explained {
    match filter {
        Filter::All(filters) if filters.is_empty() => yes("there is no filter: every event matches"),
        Filter::All(filters) => explain_all(filters, event),
        Filter::Any(filters) => explain_any(filters, event),
        Filter::Not(filter) => {
            let inner = explain(filter, event);
            Explained { matched: !inner.matched, reason: format!("not ({})", inner.reason) }
        }
        Filter::Exact { attribute, value } => clause(event, attribute, |text| match text == value {
            true => yes(format!("{attribute} is {value:?}")),
            false => no(format!("{attribute} is {text:?}, not {value:?}")),
        }),
        Filter::Prefix { attribute, value } => clause(event, attribute, |text| match text.starts_with(value) {
            true => yes(format!("{attribute} {text:?} begins with {value:?}")),
            false => no(format!("{attribute} {text:?} does not begin with {value:?}")),
        }),
        Filter::Suffix { attribute, value } => clause(event, attribute, |text| match text.ends_with(value) {
            true => yes(format!("{attribute} {text:?} ends with {value:?}")),
            false => no(format!("{attribute} {text:?} does not end with {value:?}")),
        }),
        Filter::Present { attribute } => clause(event, attribute, |text| match text.is_empty() {
            true => no(format!("{attribute} is empty")),
            false => yes(format!("{attribute} is present")),
        }),
    }
}

fn explain_all(filters: &[Filter], event: &Event) -> Explained {
    let mut reasons = Vec::with_capacity(filters.len());
    for filter in filters {
        let explained = explain(filter, event);
        if !explained.matched {
            return explained;
        }
        reasons.push(explained.reason);
    }
    yes(reasons.join(" and "))
}

fn explain_any(filters: &[Filter], event: &Event) -> Explained {
    let mut reasons = Vec::with_capacity(filters.len());
    for filter in filters {
        let explained = explain(filter, event);
        if explained.matched {
            return explained;
        }
        reasons.push(explained.reason);
    }
    match reasons.is_empty() {
        true => no("there is no alternative to match"),
        false => no(format!("none of the alternatives matches: {}", reasons.join("; "))),
    }
}

fn clause(event: &Event, attribute: &str, decide: impl FnOnce(&str) -> Explained) -> Explained {
    match lookup(event, attribute) {
        Some(text) => decide(&text),
        None => no(format!("{attribute} is absent")),
    }
}

fn yes(reason: impl Into<String>) -> Explained {
    Explained { matched: true, reason: reason.into() }
}

fn no(reason: impl Into<String>) -> Explained {
    Explained { matched: false, reason: reason.into() }
}

#[cfg(test)]
mod tests;
