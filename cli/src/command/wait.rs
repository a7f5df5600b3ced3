//! `fnctl wait`: until a condition holds, or an object is gone.

use crate::args::{Scope, Wait};
use crate::failure::{Exit, Failure, code};
use crate::manifest::{self, kind_by_word};
use crate::output;
use crate::target::{Target, segment};
use fnctl_config::api::kind::Kind;
use futures::StreamExt as _;
use serde_json::Value;
use std::time::Duration;

pub(crate) async fn run(arguments: Wait, scope: &Scope) -> Result<(), Failure> {
    let (word, name) = match arguments.object.as_slice() {
        [one] => {
            one.split_once('/').ok_or_else(|| Failure::invalid(code::INPUT, format!("{one:?} is no KIND/NAME")))?
        }
        [kind, name] => (kind.as_str(), name.as_str()),
        _ => return Err(Failure::invalid(code::INPUT, "wait takes KIND/NAME, or KIND NAME")),
    };
    let kind = kind_by_word(word)?;
    let until = Until::parse(&arguments.what)?;
    let target = Target::find(scope).await?;
    let subject = Subject { kind, namespace: &target.namespace, name };
    let object = wait(&target, subject, &until, arguments.timeout).await?;
    let name = super::get::resource_name(kind, &object);
    output::data(if until == Until::Gone { format!("{name} deleted") } else { format!("{name} condition met") })
}

#[derive(Debug, PartialEq, Eq)]
enum Until {
    Gone,
    Condition { name: String, status: String },
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
        let Self::Condition { name, status } = self else { return false };
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

/// Waits until an object is Ready, and says why it is not when time is up.
pub(crate) async fn ready(
    target: &Target,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    timeout: Duration,
) -> Result<Value, Failure> {
    let until = Until::Condition { name: "Ready".to_owned(), status: "True".to_owned() };
    wait(target, Subject { kind, namespace, name }, &until, timeout).await
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
        Err(_) => Err(late(subject, last.as_ref(), timeout)),
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
    let waits_for_ready = matches!(until, Until::Condition { name, status } if name == "Ready" && status == "True");
    let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    let ready = condition(object, "Ready")?;
    (waits_for_ready && current && ready["status"] == "False").then(|| not_ready(subject, ready))
}

fn not_ready(subject: Subject<'_>, ready: &Value) -> Failure {
    let Subject { kind, name, .. } = subject;
    let (reason, message) =
        (ready["reason"].as_str().unwrap_or_default(), ready["message"].as_str().unwrap_or_default());
    Failure::failed(code::NOT_READY, format!("{} {name:?} is not ready: {reason}", kind.singular))
        .detail(message.to_owned())
        .try_this(format!("fnctl describe {} {name}", kind.singular))
}

fn late(subject: Subject<'_>, last: Option<&Value>, timeout: Duration) -> Failure {
    let Subject { kind, name, .. } = subject;
    let failure = Failure::new(
        Exit::TimedOut,
        code::TIMED_OUT,
        format!("{} {name:?} did not get there within {timeout:?}", kind.singular),
    );
    match last.and_then(|object| condition(object, "Ready")) {
        Some(ready) => failure.detail(format!(
            "Ready={} {} {}",
            ready["status"].as_str().unwrap_or_default(),
            ready["reason"].as_str().unwrap_or_default(),
            ready["message"].as_str().unwrap_or_default()
        )),
        None => failure,
    }
}
