//! `fnctl trigger test`: would this event match, and which clause decides?

use crate::args::{Scope, TriggerCommand};
use crate::failure::{Exit, Failure, code};
use crate::manifest::{self, kind_by_word};
use crate::output;
use crate::target::Target;
use fnctl_broker::event::json as event_json;
use serde_json::{Value, json};
use std::io::BufRead as _;
use std::path::Path;

pub(crate) async fn run(command: TriggerCommand, scope: &Scope) -> Result<(), Failure> {
    let TriggerCommand::Test(arguments) = command;
    if arguments.lines {
        return lines();
    }
    let event = json_file(arguments.event.as_deref())?;
    let filters = match (&arguments.trigger, &arguments.filters) {
        (Some(trigger), _) => of_trigger(trigger, scope).await?,
        (None, file) => json!({"filters": json_file(file.as_deref())?}),
    };
    let answer = matches(&filters, &event)?;
    output::json(&answer)?;
    if answer["matched"] == true { Ok(()) } else { Err(Failure::quiet(Exit::Failed)) }
}

async fn of_trigger(name: &str, scope: &Scope) -> Result<Value, Failure> {
    let target = Target::find(scope).await?;
    let trigger = target.get(&manifest::object(kind_by_word("trigger")?, Some(&target.namespace), name)).await?;
    Ok(trigger["spec"].clone())
}

fn json_file(file: Option<&Path>) -> Result<Value, Failure> {
    let file = file.ok_or_else(|| Failure::invalid(code::INPUT, "name --trigger or --filters, and --event"))?;
    let invalid = |e: &dyn std::error::Error| {
        Failure::invalid(code::INPUT, format!("cannot read JSON from {}", file.display())).because(e)
    };
    let bytes = std::fs::read(file).map_err(|e| invalid(&e))?;
    serde_json::from_slice(&bytes).map_err(|e| invalid(&e))
}

fn matches(spec: &Value, event: &Value) -> Result<Value, Failure> {
    let filter = fnctl_config::filter::of_trigger_spec(spec).map_err(|errors| {
        let failure = Failure::invalid(code::INPUT, "the filter is not valid");
        errors.iter().fold(failure, |failure, error| failure.detail(error.to_string()))
    })?;
    let event = event_json::decode(&event.to_string().into_bytes().into())
        .map_err(|e| Failure::invalid(code::INPUT, "the event is not valid").because(&e))?;
    let explained = fnctl_broker::filter::explain(&filter, &event);
    Ok(json!({"matched": explained.matched, "reason": explained.reason}))
}

/// One question a line in, one answer a line out; a bad line is answered by its error.
fn lines() -> Result<(), Failure> {
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let question: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
        let answer = matches(&question, &question["event"]);
        output::json(
            &answer.unwrap_or_else(|failure| serde_json::from_str(&failure.to_json()).unwrap_or(Value::Null)),
        )?;
    }
    Ok(())
}
