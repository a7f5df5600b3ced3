//! The node's own messages: to stderr, so that stdout stays data.

use crate::failure::{Failure, code};
use std::io::{self, IsTerminal as _};
use tracing_subscriber::EnvFilter;

/// Prints messages that pass the filter: a level, or `tracing`'s directives (`warn,fnctl_broker=debug`).
pub(crate) fn init(filter: &str) -> Result<(), Failure> {
    // A wrong signature is the stranger's fault, answered with 403; two error lines for each would be a flood.
    let parsed = EnvFilter::try_new(format!("s3s=off,{filter}"))
        .map_err(|e| Failure::invalid(code::INPUT, format!("--log {filter:?} is no filter of messages")).because(&e))?;
    let printer = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(io::stderr);
    let printer = printer.with_ansi(io::stderr().is_terminal()).with_target(false);
    printer.try_init().map_err(|e| Failure::failed(code::OTHER, "messages cannot be printed").because(&*e))
}
