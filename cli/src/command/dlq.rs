//! `fnctl dlq`: events that no subscriber took; those that are parked can be sent again or removed.

use crate::args::{DlqCommand, DlqDrop, DlqEntry, DlqFilter, Scope};
use crate::failure::{Failure, code};
use crate::output;
use crate::target::{Target, segment};
use futures::StreamExt as _;
use serde_json::Value;

pub(crate) async fn run(command: DlqCommand, scope: &Scope) -> Result<(), Failure> {
    let target = Target::find(scope).await?;
    match command {
        DlqCommand::List(filter) => list(&target, &filter).await,
        DlqCommand::Show(entry) => show(&target, &entry).await,
        DlqCommand::Redrive(filter) => redrive(&target, &filter).await,
        DlqCommand::Drop(dropped) => remove(&target, &dropped).await,
    }
}

fn entry_path(target: &Target, entry: &DlqEntry) -> String {
    let (namespace, broker) = (segment(&target.namespace), segment(&entry.broker));
    format!("/fnctl/v1/namespaces/{namespace}/brokers/{broker}/dlq/{}", segment(&entry.id))
}

fn path(target: &Target, filter: &DlqFilter, rest: &str) -> String {
    let mut query = Vec::new();
    query.extend(filter.trigger.as_deref().map(|trigger| format!("trigger={}", segment(trigger))));
    query.extend(filter.reason.as_deref().map(|reason| format!("reason={}", segment(reason))));
    let (namespace, broker) = (segment(&target.namespace), segment(&filter.broker));
    format!("/fnctl/v1/namespaces/{namespace}/brokers/{broker}/dlq{rest}?{}", query.join("&"))
}

async fn list(target: &Target, filter: &DlqFilter) -> Result<(), Failure> {
    let entries = target.lines(&path(target, filter, "")).await?.collect::<Vec<_>>().await;
    let entries: Vec<Value> = entries.into_iter().collect::<Result<_, _>>()?;
    if target.form.is_json() {
        return entries.iter().try_for_each(output::json);
    }
    if entries.is_empty() {
        output::say(format!("broker {:?} has no parked or dead-lettered events", filter.broker));
        return Ok(());
    }
    let row = |entry: &Value| {
        let id = entry["id"].as_str().unwrap_or("-").to_owned();
        let rest = ["trigger", "reason", "attempts", "position", "error"].map(|field| text(&entry[field]));
        std::iter::once(id).chain(rest).collect::<Vec<_>>()
    };
    let header = ["ID", "TRIGGER", "REASON", "ATTEMPTS", "POSITION", "LAST ERROR"];
    output::data(output::table(&header, entries.iter().map(row)))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "not kept".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

async fn show(target: &Target, entry: &DlqEntry) -> Result<(), Failure> {
    let parked = target.get(&entry_path(target, entry)).await?;
    if target.form.is_json() {
        return output::json(&parked);
    }
    let [id, trigger, reason, attempts, error, at] =
        ["id", "trigger", "reason", "attempts", "error", "parkedAt"].map(|field| text(&parked[field]));
    output::data(format!("{id} of trigger {trigger}: {reason} after {attempts} attempts, parked {at}"))?;
    output::data(format!("  {error}"))?;
    output::data(serde_json::to_string_pretty(&parked["event"]).unwrap_or_default())
}

async fn remove(target: &Target, dropped: &DlqDrop) -> Result<(), Failure> {
    let DlqEntry { id, broker } = &dropped.entry;
    if !dropped.yes {
        return Err(Failure::invalid(code::INPUT, format!("{id} would be removed for good: say --yes"))
            .try_this(format!("fnctl dlq show {id} --broker {broker}")));
    }
    target.announce();
    let path = entry_path(target, &dropped.entry);
    let answer = target.send("DELETE", &path, "application/json", Vec::new()).await?;
    if target.form.is_json() {
        return output::json(&answer);
    }
    output::data(format!("{id} dropped"))
}

async fn redrive(target: &Target, filter: &DlqFilter) -> Result<(), Failure> {
    target.announce();
    let answer = target.send("POST", &path(target, filter, "/redrive"), "application/json", Vec::new()).await?;
    if target.form.is_json() {
        output::json(&answer)?;
    } else {
        output::data(format!("{} events are delivered again", answer["redriven"]))?;
    }
    let remaining = answer["remaining"].as_array().map(Vec::as_slice).unwrap_or_default();
    if remaining.is_empty() {
        return Ok(());
    }
    let failure = Failure::failed(code::REFUSED, format!("{} events stay parked", remaining.len()));
    Err(remaining.iter().filter_map(Value::as_str).fold(failure, Failure::detail))
}
