//! `fnctl describe`: one object for people, with its conditions, the autoscaler's decisions that are kept, and its events; or
//! what a ConfigMap or a Secret holds.

mod data;

use crate::args::{Describe, Scope};
use crate::failure::{Failure, code};
use crate::manifest;
use crate::output::{self, Form};
use crate::target::{Target, segment};
use fnctl_config::api::kind::Kind;
use serde_json::Value;

pub(crate) async fn run(arguments: Describe, scope: &Scope) -> Result<(), Failure> {
    let (kind, name) = manifest::kind_and_name(&arguments.kind, arguments.name.as_deref())?;
    let name = name.ok_or_else(|| Failure::invalid(code::INPUT, "describe takes KIND/NAME, or KIND NAME"))?;
    let target = Target::find(scope).await?;
    let object = target.get(&manifest::object(kind, Some(&target.namespace), name)).await?;
    if target.form != Form::Text && target.form != Form::Wide {
        return super::get::print(&target.form, kind, &object);
    }
    head(kind, &object)?;
    conditions(&object)?;
    if let Some(held) = data::held(kind, &object) {
        let held = if held.is_empty() { "  none".to_owned() } else { format!("\n{}", indent(&held)) };
        output::data(format!("\nData:{held}"))?;
    }
    if kind.group == "serving.knative.dev" {
        scaling(&target, kind, &object).await?;
    }
    events(&target, kind, &object).await
}

fn head(kind: &Kind, object: &Value) -> Result<(), Failure> {
    let metadata = &object["metadata"];
    let mut rows = vec![
        vec!["Name:".to_owned(), text(&metadata["name"])],
        vec!["Namespace:".to_owned(), text(&metadata["namespace"])],
        vec!["Kind:".to_owned(), format!("{} ({})", kind.kind, text(&object["apiVersion"]))],
        vec!["Created:".to_owned(), text(&metadata["creationTimestamp"])],
    ];
    for (label, path) in [
        ("Type:", "/type"),
        ("URL:", "/status/url"),
        ("Address:", "/status/address/url"),
        ("Latest created:", "/status/latestCreatedRevisionName"),
        ("Latest ready:", "/status/latestReadyRevisionName"),
        ("Image:", "/spec/template/spec/containers/0/image"),
        ("Image:", "/spec/containers/0/image"),
        ("Broker:", "/spec/broker"),
        ("Subscriber:", "/status/subscriberUri"),
        ("Bucket:", "/spec/bucket"),
        ("Sink:", "/status/sinkUri"),
    ] {
        if let Some(value) = object.pointer(path) {
            rows.push(vec![label.to_owned(), text(value)]);
        }
    }
    for (label, field) in [("Labels:", "labels"), ("Annotations:", "annotations")] {
        let pairs = metadata[field].as_object().into_iter().flatten();
        let shown = pairs.filter(|(key, _)| !key.ends_with("last-applied-configuration"));
        for (index, (key, value)) in shown.enumerate() {
            rows.push(vec![
                if index == 0 { label.to_owned() } else { String::new() },
                format!("{key}={}", text(value)),
            ]);
        }
    }
    if let Some(filters) = object.pointer("/spec/filters").or_else(|| object.pointer("/spec/filter")) {
        rows.push(vec!["Filters:".to_owned(), filters.to_string()]);
    }
    output::data(output::table(&[], rows))
}

fn conditions(object: &Value) -> Result<(), Failure> {
    let conditions = object["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    if conditions.is_empty() {
        return Ok(());
    }
    let fields = ["type", "status", "reason", "message"];
    let rows = conditions.iter().map(|c| fields.iter().map(|field| text(&c[*field])).collect::<Vec<_>>());
    output::data(format!("\nConditions:\n{}", indent(&output::table(&["TYPE", "STATUS", "REASON", "MESSAGE"], rows))))
}

/// The decisions of the autoscaler on the revision that serves, newest first.
async fn scaling(target: &Target, kind: &Kind, object: &Value) -> Result<(), Failure> {
    let revision = match kind.kind {
        "Revision" => text(&object["metadata"]["name"]),
        _ => text(&object["status"]["latestReadyRevisionName"]),
    };
    if revision.is_empty() {
        return Ok(());
    }
    let path = format!("/fnctl/v1/namespaces/{}/revisions/{}/scaling", segment(&target.namespace), segment(&revision));
    // A cluster's API server does not know this path: then there is nothing to show.
    let Ok(answer) = target.get(&path).await else { return Ok(()) };
    output::data(format!(
        "\nScaling of {revision}:  {} instances, {} requests in flight, {} cold starts",
        answer["instances"], answer["inFlight"], answer["coldStarts"]
    ))?;
    output::data(indent(&output::table(&["AT", "DESIRED", "REASON"], decisions(&answer))))
}

/// All decisions that the node keeps, newest first.
fn decisions(answer: &Value) -> Vec<Vec<String>> {
    let kept = answer["decisions"].as_array().map_or(&[][..], Vec::as_slice);
    kept.iter().rev().map(|d| vec![text(&d["at"]), text(&d["desired"]), text(&d["reason"])]).collect()
}

async fn events(target: &Target, kind: &Kind, object: &Value) -> Result<(), Failure> {
    let uid = text(&object["metadata"]["uid"]);
    let selector = segment(&format!("involvedObject.kind={},involvedObject.uid={uid}", kind.kind));
    let namespace = if kind.namespaced { target.namespace.as_str() } else { "default" };
    let list =
        target.get(&format!("/api/v1/namespaces/{}/events?fieldSelector={selector}", segment(namespace))).await?;
    let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return output::data("\nEvents:  none");
    }
    let when = |event: &Value| {
        ["lastTimestamp", "eventTime", "firstTimestamp"]
            .iter()
            .map(|f| text(&event[*f]))
            .find(|t| !t.is_empty())
            .unwrap_or_default()
    };
    let mut items: Vec<_> = items.iter().collect();
    items.sort_by_key(|event| when(event));
    let rows = items.into_iter().map(|e| vec![text(&e["type"]), text(&e["reason"]), when(e), text(&e["message"])]);
    output::data(format!("\nEvents:\n{}", indent(&output::table(&["TYPE", "REASON", "LAST SEEN", "MESSAGE"], rows))))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn indent(block: &str) -> String {
    block.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
