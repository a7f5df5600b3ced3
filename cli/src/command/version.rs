//! `fnctl version`.

use crate::args::Scope;
use crate::failure::Failure;
use crate::output::{self, Form};
use serde_json::json;

pub(crate) fn run(scope: &Scope) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if Form::parse(scope.output.as_deref())?.is_json() {
        return output::json(
            &json!({"version": version, "knativeServing": "serving.knative.dev/v1", "knativeEventing": "eventing.knative.dev/v1"}),
        );
    }
    output::data(format!("fnctl {version}"))
}
