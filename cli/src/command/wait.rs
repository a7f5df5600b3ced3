//! `fnctl wait`: until a condition holds, or objects are gone.

use crate::args::{Scope, Wait};
use crate::failure::{Exit, Failure, code};
use crate::manifest;
use crate::output;
use crate::target::{Target, segment};
use fnctl_config::api::kind::Kind;
use futures::StreamExt as _;
use serde_json::Value;
use std::time::Duration;

pub(crate) async fn run(arguments: Wait, scope: &Scope) -> Result<(), Failure> {
    let objects = manifest::objects(&arguments.objects)?;
    let until = Until::parse(&arguments.what)?;
    let target = Target::find(scope).await?;
    for (kind, name) in objects {
        let subject = Subject { kind, namespace: &target.namespace, name: &name };
        let object = wait(&target, subject, &until, arguments.timeout).await?;
        let name = super::get::resource_name(kind, &object);
        output::outcome(&target.form, &name, if until == Until::Gone { "deleted" } else { "condition met" })?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Until {
    Gone,
    Condition {
        name: String,
        status: String,
    },
    /// `Ready` is true. Given up where it is false: for who has made everything that the object needs.
    ReadyOrNever,
}

impl Until {
    fn parse(text: &str) -> Result<Self, Failure> {
        if text == "delete" {
            return Ok(Self::Gone);
        }
        let Some(condition) = text.strip_prefix("condition=") else {
            return Err(Failure::invalid(
                code::INPUT,
                format!("--for {text:?} is not known: condition=TYPE[=STATUS] or delete"),
            ));
        };
        let (name, status) = condition.split_once('=').unwrap_or((condition, "True"));
        Ok(Self::Condition { name: name.to_owned(), status: status.to_owned() })
    }

    fn holds(&self, object: &Value) -> bool {
        let (name, status) = match self {
            Self::Gone => return false,
            Self::Condition { name, status } => (name.as_str(), status.as_str()),
            Self::ReadyOrNever => ("Ready", "True"),
        };
        // A status that belongs to an older spec says nothing about the present one.
        let observed = object["status"]["observedGeneration"].as_i64();
        let current = observed.is_none() || observed == object["metadata"]["generation"].as_i64();
        current
            && condition(object, name)
                .is_some_and(|c| c["status"].as_str().is_some_and(|s| s.eq_ignore_ascii_case(status)))
    }
}

/// The condition of this type.
pub(crate) fn condition<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    let same = |c: &&Value| c["type"].as_str().is_some_and(|t| t.eq_ignore_ascii_case(name));
    object["status"]["conditions"].as_array()?.iter().find(same)
}

/// Waits until an object is Ready, and says why it is not when it fails or time is up.
pub(crate) async fn ready(
    target: &Target,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    timeout: Duration,
) -> Result<Value, Failure> {
    wait(target, Subject { kind, namespace, name }, &Until::ReadyOrNever, timeout).await
}

/// The object that is waited for.
#[derive(Clone, Copy)]
struct Subject<'a> {
    kind: &'static Kind,
    namespace: &'a str,
    name: &'a str,
}

async fn wait(target: &Target, subject: Subject<'_>, until: &Until, timeout: Duration) -> Result<Value, Failure> {
    let mut last = None;
    match tokio::time::timeout(timeout, follow(target, subject, until, &mut last)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(late(subject, until, last.as_ref(), timeout)),
    }
}

async fn follow(
    target: &Target,
    subject: Subject<'_>,
    until: &Until,
    last: &mut Option<Value>,
) -> Result<Value, Failure> {
    let Subject { kind, namespace, name } = subject;
    let path = manifest::object(kind, Some(namespace), name);
    loop {
        let object = match target.get(&path).await {
            Err(failure) if failure.code() == code::NOT_FOUND && *until == Until::Gone => {
                return Ok(serde_json::json!({"metadata": {"name": name}}));
            }
            other => other?,
        };
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        if until.holds(&object) {
            return Ok(object);
        }
        if let Some(failure) = hopeless(until, &object, subject) {
            return Err(failure);
        }
        *last = Some(object);
        let collection = manifest::collection(kind, Some(namespace));
        let query = format!("watch=true&resourceVersion={version}&fieldSelector=metadata.name%3D{}", segment(name));
        let mut events = std::pin::pin!(target.lines(&format!("{collection}?{query}")).await?);
        while let Some(event) = events.next().await {
            let event = event?;
            match event["type"].as_str() {
                Some("ERROR") => break, // the version is too old: begin again with a get
                Some("DELETED") if *until == Until::Gone => return Ok(event["object"].clone()),
                _ if until.holds(&event["object"]) => return Ok(event["object"].clone()),
                _ => {}
            }
            if let Some(failure) = hopeless(until, &event["object"], subject) {
                return Err(failure);
            }
            *last = Some(event["object"].clone());
        }
    }
}

/// Ready=False of the present generation will not turn by waiting: say why at once.
fn hopeless(until: &Until, object: &Value, subject: Subject<'_>) -> Option<Failure> {
    let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    let ready = condition(object, "Ready")?;
    (*until == Until::ReadyOrNever && current && ready["status"] == "False").then(|| not_ready(subject, ready))
}

fn not_ready(subject: Subject<'_>, ready: &Value) -> Failure {
    let Subject { kind, name, .. } = subject;
    let (reason, message) =
        (ready["reason"].as_str().unwrap_or_default(), ready["message"].as_str().unwrap_or_default());
    Failure::failed(code::NOT_READY, format!("{} {name:?} is not ready: {reason}", kind.singular))
        .detail(message.to_owned())
        .try_this(format!("fnctl describe {} {name}", kind.singular))
}

fn late(subject: Subject<'_>, until: &Until, last: Option<&Value>, timeout: Duration) -> Failure {
    let Subject { kind, name, .. } = subject;
    let failure = Failure::new(
        Exit::TimedOut,
        code::TIMED_OUT,
        format!("{} {name:?} did not get there within {timeout:?}", kind.singular),
    );
    let Some(last) = last else { return failure };
    let so_far = match until {
        Until::Condition { name, .. } => as_it_was(last, name),
        Until::ReadyOrNever => as_it_was(last, "Ready"),
        Until::Gone => still_there(last),
    };
    failure.detail(so_far).try_this(format!("fnctl describe {} {name}", kind.singular))
}

/// What the condition said at last.
fn as_it_was(object: &Value, waited: &str) -> String {
    let Some(found) = condition(object, waited) else { return format!("it has no condition {waited}") };
    let text = |field: &str| found[field].as_str().unwrap_or_default();
    format!("{waited}={} {} {}", text("status"), text("reason"), text("message")).trim_end().to_owned()
}

/// Why an object that is waited for to go is not gone.
fn still_there(object: &Value) -> String {
    let finalizers = object["metadata"]["finalizers"].as_array().into_iter().flatten();
    let finalizers: Vec<_> = finalizers.filter_map(Value::as_str).collect();
    match (object["metadata"]["deletionTimestamp"].is_null(), finalizers.is_empty()) {
        (true, _) => "nobody deleted it".to_owned(),
        (false, true) => "its deletion has begun".to_owned(),
        (false, false) => format!("its deletion waits for finalizers: {}", finalizers.join(", ")),
    }
}

#[cfg(test)]
mod tests;
