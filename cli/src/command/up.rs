//! `fnctl up`: a node in this process.

use crate::args::{Scope, Up};
use crate::compose::S3_CREDENTIALS;
use crate::failure::{Failure, code};
use crate::node::{self, Signals};
use crate::output::{self, Form};
use crate::telemetry;
use fnctl_config::node::{Flags, Node};
use serde_json::Value;
use std::path::Path;

pub(crate) async fn run(arguments: Up, scope: &Scope) -> Result<(), Failure> {
    let form = Form::parse(scope.output.as_deref())?;
    telemetry::init(&arguments.log)?;
    let settings = settings(arguments, scope)?;
    let mut signals = Signals::listen()?;
    let Some(node) = node::open(settings, &mut signals).await? else { return Ok(()) };
    let mut on_ready = |ready: &Value| match form.is_json() {
        true => output::json(ready),
        false => {
            welcome(ready);
            Ok(())
        }
    };
    node::run(node, &mut on_ready, signals, std::future::pending()).await
}

fn settings(arguments: Up, scope: &Scope) -> Result<Node, Failure> {
    let flags = Flags {
        data_dir: scope.data_dir.clone(),
        http: arguments.http,
        control: arguments.control,
        s3: arguments.s3,
        config: arguments.config,
    };
    Node::resolve(flags, &fnctl_config::node::environment()).map_err(|errors| {
        let failure = Failure::invalid(code::INPUT, "the node's settings are not valid");
        errors.iter().fold(failure, |failure, error| failure.detail(error.to_string()))
    })
}

fn welcome(ready: &Value) {
    let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
    output::say(format!("functions and brokers  {}", text("http")));
    output::say(format!("API                    {}", text("control")));
    let endpoint = ready["s3"]["endpoint"].as_str().unwrap_or_default();
    let keys = Path::new(&text("kubeconfig")).with_file_name(S3_CREDENTIALS);
    output::say(format!("buckets (S3)           {endpoint}, keys in {}", keys.display()));
    output::say(format!("kubectl and kn         export KUBECONFIG={}", text("kubeconfig")));
    output::say("ready; next: fnctl deploy examples/hello (Ctrl-C stops)");
}
