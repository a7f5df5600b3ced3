//! `fnctl bench`: measures the shipped program from outside, as its users meet it: child processes of this binary with
//! default settings, functions that `fnctl deploy` deployed, requests to the public port. The server knows nothing of it.

mod child;
mod cold;
mod event;
mod figures;
mod goals;
mod histogram;
mod http;
mod line;
mod load;
mod machine;
mod showcase;
mod subject;

use crate::args::{BenchCommand, Scope};
use crate::failure::{Failure, code};
use crate::output::{self, Form};
use figures::Figures;
use goals::{Bench, Verdict};
use machine::Machine;
use serde_json::{Value, json};

/// Whose servers were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Servers {
    /// The run's own, as the goals mean it.
    Own,
    /// One that the user named: there is nothing to compare it with.
    Named,
}

/// What one run measured.
struct Measured {
    bench: Bench,
    servers: Servers,
    /// What was asked for, and the settings and versions of everything that was measured.
    settings: Value,
    figures: Figures,
}

pub(crate) async fn run(command: BenchCommand, scope: &Scope) -> Result<(), Failure> {
    let form = Form::parse(scope.output.as_deref())?;
    let before = Machine::look();
    let (measured, check) = match command {
        BenchCommand::Http(arguments) => (Box::pin(http::run(&arguments, scope)).await?, arguments.load.check),
        BenchCommand::Cold(arguments) => (Box::pin(cold::run(&arguments, scope)).await?, arguments.check),
        BenchCommand::Event(arguments) => (Box::pin(event::run(&arguments, scope)).await?, arguments.load.check),
    };
    let machine = before.and_load_after(&Machine::look());
    let verdicts = match measured.servers {
        Servers::Own => goals::compare(measured.bench, &measured.figures),
        Servers::Named => Vec::new(),
    };
    if form.is_json() {
        output::json(
            &json!({"bench": measured.bench.name(), "settings": measured.settings, "machine": machine.to_json(),
            "figures": measured.figures.to_json(), "goals": verdicts.iter().map(Verdict::to_json).collect::<Vec<_>>()}),
        )?;
    } else {
        print(&measured, &machine, &verdicts)?;
    }
    if check { missed(&verdicts) } else { Ok(()) }
}

fn print(measured: &Measured, machine: &Machine, verdicts: &[Verdict]) -> Result<(), Failure> {
    output::data(format!("bench {}\n", measured.bench.name()))?;
    let (mut lines, machine) = (Vec::new(), machine.to_json());
    flatten("", &measured.settings, &mut lines);
    flatten("", &machine, &mut lines);
    output::data(output::table(&[], lines))?;
    output::data("")?;
    output::data(measured.figures.table())?;
    if verdicts.is_empty() {
        return Ok(());
    }
    output::data("")?;
    output::data(output::table(&["GOAL", "BOUND", "MEASURED", "MET"], verdicts.iter().map(Verdict::row)))
}

/// One line per value, named by its path.
fn flatten(path: &str, value: &Value, lines: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{path}{}{name}", if path.is_empty() { "" } else { ", " }), value, lines);
            }
        }
        Value::String(text) => lines.push(vec![path.to_owned(), text.clone()]),
        other => lines.push(vec![path.to_owned(), other.to_string()]),
    }
}

/// The failure that names every goal that was not reached or not measured; none where all were.
fn missed(verdicts: &[Verdict]) -> Result<(), Failure> {
    let missed: Vec<_> = verdicts.iter().filter(|verdict| !verdict.is_met()).collect();
    if missed.is_empty() {
        return Ok(());
    }
    let failure = Failure::failed(code::GOAL, format!("{} of {} goals missed", missed.len(), verdicts.len()));
    Err(missed.iter().fold(failure, |failure, verdict| failure.detail(verdict.to_string())))
}
