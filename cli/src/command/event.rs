//! `fnctl event`: send events, look at what a broker keeps, and ask what happened to one.

use crate::args::{CheckMode, EventCheck, EventCommand, EventList, EventSend, EventShow, EventTail, EventWhy, Scope};
use crate::failure::{Exit, Failure, code};
use crate::manifest::{self, kind_by_word};
use crate::output;
use crate::public;
use crate::target::{Target, segment};
use cloudevents::{EventBuilder as _, EventBuilderV10};
use futures::StreamExt as _;
use http::{Request, Response, header};
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::Path;

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// What an event has beside extensions, in its JSON format (CloudEvents 1.0).
const ATTRIBUTES: [&str; 10] =
    ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"];

pub(crate) async fn run(command: EventCommand, scope: &Scope) -> Result<(), Failure> {
    match command {
        EventCommand::Send(arguments) => send(arguments, scope).await,
        EventCommand::List(arguments) => list(arguments, scope).await,
        EventCommand::Show(arguments) => show(arguments, scope).await,
        EventCommand::Tail(arguments) => tail(arguments, scope).await,
        EventCommand::Why(arguments) => why(arguments, scope).await,
        EventCommand::Check(arguments) => check(&arguments),
    }
}

fn broker_path(target: &Target, broker: &str, rest: &str) -> String {
    format!("/fnctl/v1/namespaces/{}/brokers/{}/{rest}", segment(&target.namespace), segment(broker))
}

async fn send(arguments: EventSend, scope: &Scope) -> Result<(), Failure> {
    let events = events(&arguments)?;
    let target = Target::find(scope).await?;
    target.announce();
    let broker =
        target.get(&manifest::object(kind_by_word("broker")?, Some(&target.namespace), &arguments.broker)).await?;
    let Some(url) = broker["status"]["address"]["url"].as_str() else {
        return Err(Failure::failed(code::NOT_READY, format!("broker {:?} has no address yet", arguments.broker))
            .try_this(format!("fnctl describe broker {}", arguments.broker)));
    };
    let (media_type, body) = match events.as_slice() {
        [one] => (STRUCTURED, one.to_string()),
        many => (BATCH, json!(many).to_string()),
    };
    let request = Request::post(url)
        .header(header::CONTENT_TYPE, media_type)
        .header(header::ACCEPT, "application/json")
        .body(body.into_bytes())
        .map_err(|e| Failure::invalid(code::INPUT, format!("{url:?} is no URL")).because(&e))?;
    let response = public::send(request).await?;
    let answer: Value = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
    if !response.status().is_success() {
        return Err(refused(&arguments.broker, &response, &answer));
    }
    if target.form.is_json() {
        return output::json(&answer);
    }
    let sent = answer["events"].as_array().map_or(&[][..], Vec::as_slice);
    for event in sent {
        output::data(format!("accepted {} at {}", text(&event["id"]), text(&event["position"])))?;
    }
    if let Some(first) = sent.first() {
        output::say(format!(
            "see what happens to it: fnctl event why {} --broker {}",
            text(&first["id"]),
            arguments.broker
        ));
    }
    Ok(())
}

fn refused(broker: &str, response: &Response<Vec<u8>>, answer: &Value) -> Failure {
    let said = String::from_utf8_lossy(response.body()).trim().to_owned();
    let reason = answer["error"].as_str().map_or(said, str::to_owned);
    let exit = if response.status().is_client_error() { Exit::Invalid } else { Exit::Failed };
    let message = format!("broker {broker:?} did not accept the event: {}", response.status());
    Failure::new(exit, code::REFUSED, message).detail(reason)
}

/// The events to send: one from the flags, or those of a file.
fn events(arguments: &EventSend) -> Result<Vec<Value>, Failure> {
    let Some(file) = &arguments.file else { return Ok(vec![from_flags(arguments)?]) };
    let bytes = read(file)?;
    let invalid =
        |e: serde_json::Error| Failure::invalid(code::INPUT, format!("{} holds no events", file.display())).because(&e);
    let events = match serde_json::from_slice::<Value>(&bytes) {
        Ok(Value::Array(batch)) => batch,
        Ok(one) => vec![one],
        Err(_) => {
            serde_json::Deserializer::from_slice(&bytes).into_iter().collect::<Result<_, _>>().map_err(invalid)?
        }
    };
    if events.is_empty() {
        return Err(Failure::invalid(code::INPUT, format!("{} holds no event", file.display())));
    }
    Ok(events)
}

fn from_flags(arguments: &EventSend) -> Result<Value, Failure> {
    let mut event = EventBuilderV10::new()
        .id(arguments.id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string()))
        .source(&arguments.source)
        .ty(arguments.event_type.as_deref().unwrap_or_default())
        .time(jiff::Timestamp::now().to_string());
    if let Some(subject) = &arguments.subject {
        event = event.subject(subject);
    }
    for extension in &arguments.extension {
        let (name, value) = extension.split_once('=').ok_or_else(|| {
            Failure::invalid(code::INPUT, format!("--extension {extension:?} has no value: write NAME=VALUE"))
        })?;
        if ATTRIBUTES.contains(&name) {
            return Err(Failure::invalid(code::INPUT, format!("--extension {extension:?}: {name} is no extension")));
        }
        event = event.extension(name, value);
    }
    if let Some(data) = &arguments.data {
        event = match serde_json::from_str::<Value>(data) {
            Ok(value) => event.data("application/json", value),
            Err(_) => event.data("text/plain", data.as_str()),
        };
    }
    let invalid =
        |error: &dyn std::error::Error| Failure::invalid(code::INPUT, "the event is not valid").because(error);
    let event = event.build().map_err(|e| invalid(&e))?;
    serde_json::to_value(event).map_err(|e| invalid(&e))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(file).map_err(|e| Failure::invalid(code::FILE, format!("cannot read {}", file.display())).because(&e))
}

async fn list(arguments: EventList, scope: &Scope) -> Result<(), Failure> {
    let target = Target::find(scope).await?;
    let mut query = vec![format!("limit={}", arguments.limit)];
    query.extend(arguments.since.map(|since| format!("sinceSeconds={}", since.as_secs_f64())));
    query.extend(arguments.event_type.as_deref().map(|t| format!("type={}", segment(t))));
    let path = broker_path(&target, &arguments.broker, &format!("events?{}", query.join("&")));
    let events: Vec<Value> =
        target.lines(&path).await?.collect::<Vec<_>>().await.into_iter().collect::<Result<_, _>>()?;
    if target.form.is_json() {
        return events.iter().try_for_each(output::json);
    }
    if events.is_empty() {
        output::say(format!("broker {:?} keeps no such event", arguments.broker));
        return Ok(());
    }
    output::data(output::table(&["POSITION", "ACCEPTED", "TYPE", "SUBJECT", "ID"], events.iter().map(row)))
}

fn row(event: &Value) -> Vec<String> {
    ["position", "acceptedAt", "type", "subject", "id"].map(|field| text(&event[field]).to_owned()).to_vec()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

async fn show(arguments: EventShow, scope: &Scope) -> Result<(), Failure> {
    let target = Target::find(scope).await?;
    let event =
        target.get(&broker_path(&target, &arguments.broker, &format!("events/{}", segment(&arguments.event)))).await?;
    if target.form.is_json() {
        return output::json(&event);
    }
    output::data(serde_json::to_string_pretty(&event).unwrap_or_default())
}

async fn tail(arguments: EventTail, scope: &Scope) -> Result<(), Failure> {
    let target = Target::find(scope).await?;
    let mut query = vec!["follow=true".to_owned()];
    query.extend(arguments.since.map(|since| format!("sinceSeconds={}", since.as_secs_f64())));
    query.extend(arguments.event_type.as_deref().map(|t| format!("type={}", segment(t))));
    let path = broker_path(&target, &arguments.broker, &format!("events?{}", query.join("&")));
    let mut events = std::pin::pin!(target.lines(&path).await?);
    while let Some(event) = events.next().await {
        let event = event?;
        match target.form.is_json() {
            true => output::json(&event)?,
            false => output::data(row(&event).join("  "))?,
        }
    }
    Ok(())
}

async fn why(arguments: EventWhy, scope: &Scope) -> Result<(), Failure> {
    let target = Target::find(scope).await?;
    let mut query = Vec::new();
    query.extend(arguments.source.as_deref().map(|source| format!("source={}", segment(source))));
    query.extend(arguments.trigger.as_deref().map(|trigger| format!("trigger={}", segment(trigger))));
    let path =
        broker_path(&target, &arguments.broker, &format!("why/{}?{}", segment(&arguments.event), query.join("&")));
    let answers: Vec<Value> =
        target.lines(&path).await?.collect::<Vec<_>>().await.into_iter().collect::<Result<_, _>>()?;
    for answer in &answers {
        match target.form.is_json() {
            true => output::json(answer)?,
            false => explain(answer)?,
        }
    }
    Ok(())
}

fn explain(answer: &Value) -> Result<(), Failure> {
    let event = &answer["event"];
    let triggers = answer["triggers"].as_array().map_or(&[][..], Vec::as_slice);
    let about = event["subject"].as_str().map(|subject| format!(" about {subject}")).unwrap_or_default();
    let (id, source, kind) = (text(&event["id"]), text(&event["source"]), text(&event["type"]));
    output::data(format!("event {id} from {source} ({kind}){about}"))?;
    output::data(format!("  accepted {} at position {}", text(&event["acceptedAt"]), text(&event["position"])))?;
    if triggers.is_empty() {
        output::data("  no trigger reads this broker")?;
    }
    for trigger in triggers {
        output::data(format!("  trigger {}: {}", text(&trigger["name"]), text(&trigger["outcome"])))?;
        if let Some(reason) = trigger["reason"].as_str().filter(|reason| !reason.is_empty()) {
            output::data(format!("    {reason}"))?;
        }
        for attempt in trigger["attempts"].as_array().map_or(&[][..], Vec::as_slice) {
            output::data(format!("    {}", attempted(attempt)))?;
        }
        if trigger["reply"].is_object() {
            output::data(format!("    reply {}", trigger["reply"]))?;
        }
    }
    Ok(())
}

/// One attempt in one line.
fn attempted(attempt: &Value) -> String {
    let status = attempt["status"].as_u64().map_or_else(|| "no answer".to_owned(), |status| format!("status {status}"));
    let mut line = format!("{} {status} after {} ms", text(&attempt["at"]), attempt["durationMs"]);
    if let Some(instance) = attempt["instance"].as_str() {
        line.push_str(&format!(" from {instance}"));
    }
    if attempt["waitedMs"].as_u64().is_some_and(|waited| waited > 0) {
        line.push_str(&format!(", {} ms of it waiting for room or an instance", attempt["waitedMs"]));
    }
    if attempt["redelivered"] == true {
        line.push_str("; redelivered: the node had ended without order, an attempt before is not known");
    }
    if let Some(error) = attempt["error"].as_str() {
        line.push_str(&format!(": {error}"));
    }
    line
}

fn check(arguments: &EventCheck) -> Result<(), Failure> {
    use fnctl_broker::event::check::{Mode, check};
    use fnctl_broker::event::json as event_json;
    let mode = match arguments.mode {
        CheckMode::Structured => Mode::Structured,
        CheckMode::Batch => Mode::Batch,
        CheckMode::Http => Mode::Http,
    };
    match check(mode, &read(Path::new(&arguments.file))?.into()) {
        Ok(events) => {
            let events: Vec<Value> =
                events.iter().filter_map(|event| serde_json::from_slice(&event_json::encode(event)).ok()).collect();
            output::json(&json!({"valid": true, "events": events}))
        }
        Err(error) => {
            Err(Failure::failed(code::INPUT, format!("{} is no valid CloudEvent", arguments.file)).because(&error))
        }
    }
}
