//! `fnctl dlq`: events that no subscriber took, and how to send those again that are parked.

use crate::args::{DlqCommand, DlqFilter, Scope};
use crate::failure::Failure;
use crate::output;
use crate::target::{Target, segment};
use futures::StreamExt as _;
use serde_json::Value;

pub(crate) async fn run(command: DlqCommand, scope: &Scope) -> Result<(), Failure> {
    let target = Target::find(scope).await?;
    match command {
        DlqCommand::List(filter) => list(&target, &filter).await,
        DlqCommand::Redrive(filter) => redrive(&target, &filter).await,
    }
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
    let text = |value: &Value| match value {
        Value::Null => "not kept".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |entry: &Value| {
        ["trigger", "reason", "attempts", "position", "error"].map(|field| text(&entry[field])).to_vec()
    };
    output::data(output::table(&["TRIGGER", "REASON", "ATTEMPTS", "POSITION", "LAST ERROR"], entries.iter().map(row)))
}

async fn redrive(target: &Target, filter: &DlqFilter) -> Result<(), Failure> {
    target.announce();
    let answer = target.send("POST", &path(target, filter, "/redrive"), "application/json", Vec::new()).await?;
    if target.form.is_json() {
        return output::json(&answer);
    }
    output::data(format!("{} events are being delivered again", answer["redriven"]))
}
