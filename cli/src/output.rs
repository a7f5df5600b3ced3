//! Data to stdout, people's words to stderr. Nothing else in the program prints.

use crate::failure::{Failure, code};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write as _};

/// The form in which a command's data is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For people, with more columns.
    Wide,
    /// One JSON document, or one a line where a command streams.
    Json,
    /// YAML.
    Yaml,
    /// `kind.group/name`, one a line.
    Name,
    /// A kubectl-style JSONPath template.
    JsonPath(String),
}

impl Form {
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Failure> {
        Ok(match text {
            None => Self::Text,
            Some("wide") => Self::Wide,
            Some("json") => Self::Json,
            Some("yaml") => Self::Yaml,
            Some("name") => Self::Name,
            Some(other) => match other.strip_prefix("jsonpath=") {
                Some(template) => Self::JsonPath(template.to_owned()),
                None => {
                    let message = format!("{other:?} is no form of output");
                    return Err(
                        Failure::invalid(code::INPUT, message).detail("json, yaml, name, wide or jsonpath=TEMPLATE")
                    );
                }
            },
        })
    }

    pub(crate) fn is_json(&self) -> bool {
        *self == Self::Json
    }
}

/// One line of data. A reader that went away (`| head`) ends the program's output quietly.
pub(crate) fn data(line: impl AsRef<str>) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{}", line.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// One JSON document, on one line.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let line =
        serde_json::to_string(value).map_err(|e| Failure::failed(code::OTHER, "cannot write JSON").because(&e))?;
    data(line)
}

/// What became of one object: `kind.group/name deleted`.
pub(crate) fn outcome(form: &Form, object: &str, result: &str) -> Result<(), Failure> {
    match form.is_json() {
        true => json(&json!({"object": object, "result": result})),
        false => data(format!("{object} {result}")),
    }
}

/// One line for people. It is lost where stderr is closed: there is nobody to tell.
pub(crate) fn say(line: impl AsRef<str>) {
    let _ = writeln!(anstream::stderr(), "{}", line.as_ref());
}

/// What the API warns of, on stderr.
pub(crate) fn warn(form: &Form, warning: &str) {
    match form.is_json() {
        true => say(json!({"warning": warning}).to_string()),
        false => say(format!("Warning: {warning}")),
    }
}

/// A table for people: no lines, two spaces between columns, as kubectl.
pub(crate) fn table<R, C>(header: &[&str], rows: R) -> String
where
    R: IntoIterator<Item = Vec<C>>,
    C: ToString,
{
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if !header.is_empty() {
        table.set_header(header);
    }
    for row in rows {
        table.add_row(row.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
