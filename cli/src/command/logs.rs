//! `fnctl logs`: what a function printed, also of instances that ended.

use crate::args::{Logs, Scope};
use crate::failure::Failure;
use crate::output;
use crate::target::{Target, segment};
use futures::StreamExt as _;
use serde_json::Value;

pub(crate) async fn run(arguments: Logs, scope: &Scope) -> Result<(), Failure> {
    let target = Target::find(scope).await?;
    let mut query = vec![format!("follow={}", arguments.follow)];
    query.extend(arguments.since.map(|since| format!("sinceSeconds={}", since.as_secs_f64())));
    query.extend(arguments.event.map(|event| format!("event={}", segment(&event))));
    query.extend(arguments.revision.map(|revision| format!("revision={}", segment(&revision))));
    let (namespace, name) = (segment(&target.namespace), segment(&arguments.name));
    let path = format!("/fnctl/v1/namespaces/{namespace}/functions/{name}/logs?{}", query.join("&"));
    let mut lines = std::pin::pin!(target.lines(&path).await?);
    while let Some(line) = lines.next().await {
        let line = line?;
        match target.form.is_json() {
            true => output::json(&line)?,
            false => output::data(readable(&line))?,
        }
    }
    Ok(())
}

fn readable(line: &Value) -> String {
    let text = |field: &str| line[field].as_str().unwrap_or_default();
    format!("{} {} {}", text("at"), text("revision"), text("text"))
}
