//! The `fnctl` binary: a node, and the commands that people and scripts use.

mod admin;
mod args;
mod command;
mod compose;
mod failure;
mod jsonpath;
mod manifest;
mod node;
mod output;
mod public;
mod push;
mod since;
mod target;
mod telemetry;
mod usage;

use args::{Arguments, Command};
use clap::Parser as _;
use failure::{Exit, Failure, code};
use fnctl_config::limits::EXIT_WAIT_MAX;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && usage::asks_for_json(words()) => {
            output::say(usage::failure(&error).to_json());
            return ExitCode::from(Exit::Invalid as u8);
        }
        Err(error) => error.exit(),
    };
    if let Command::CompileComponent { arguments } = &arguments.command {
        // A process of its own with tight limits: no runtime, no threads, no connection.
        let status = fnctl_runtime_wasm::compile::run_child(arguments);
        return ExitCode::from(u8::try_from(status).unwrap_or(1));
    }
    let json = arguments.scope.output.as_deref() == Some("json");
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_quiet() {
                output::say(if json { failure.to_json() } else { failure.to_string() });
            }
            ExitCode::from(failure.exit() as u8)
        }
    }
}

/// The command line, in words that can be printed.
fn words() -> impl Iterator<Item = String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned())
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    // A process has one provider of cryptography; a second call finds the first, which is the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::failed(code::OTHER, "cannot start threads").because(&e))?;
    let outcome = runtime.block_on(command::run(arguments));
    // What blocks on a file and cannot be broken off must not keep the process: it ends as by a crash, which all files
    // here are made for.
    runtime.shutdown_timeout(EXIT_WAIT_MAX);
    outcome
}
