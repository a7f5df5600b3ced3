//! The `fnctl` binary: a node, and the commands that people and scripts use.

mod args;
mod command;
mod failure;
mod jsonpath;
mod manifest;
mod output;
mod public;
mod push;
mod target;

use args::{Arguments, Command};
use clap::Parser as _;
use failure::{Exit, Failure, code};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Command::CompileComponent { arguments } = &arguments.command {
        // A process of its own with tight limits: no runtime, no threads, no connection.
        return ExitCode::from(fnctl_runtime_wasm::artifact::compile_child(arguments));
    }
    let json = arguments.scope.output.as_deref() == Some("json");
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure, json),
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    // A process has one provider of cryptography; a second call finds the first, which is the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::failed(code::OTHER, "cannot start threads").because(&e))?;
    runtime.block_on(command::run(arguments))
}

fn report(failure: &Failure, json: bool) -> ExitCode {
    if !failure.is_quiet() {
        output::say(if json { failure.to_json() } else { failure.to_string() });
    }
    ExitCode::from(match failure.exit() {
        Exit::Failed => 1,
        Exit::Invalid => 2,
        Exit::Unreachable => 3,
        Exit::TimedOut => 4,
    })
}
