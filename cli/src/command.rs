//! One file per command; here only which words lead where.

pub(crate) mod apply;
mod autoscaler;
mod bench;
mod delete;
mod demo;
mod deploy;
mod describe;
mod dev;
mod dlq;
mod event;
mod get;
mod invoke;
mod logs;
mod trigger;
mod up;
mod version;
mod wait;

use crate::args::{Arguments, Command, DemoCommand};
use crate::failure::Failure;
use crate::output;
use clap::CommandFactory as _;

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let scope = &arguments.scope;
    match arguments.command {
        Command::Up(up) => up::run(up, scope).await,
        Command::Dev(dev) => dev::run(dev, scope).await,
        Command::Deploy(deploy) => deploy::run(deploy, scope).await,
        Command::Apply(apply) => apply::run(apply, scope).await,
        Command::Diff(diff) => apply::diff(diff, scope).await,
        Command::Get(get) => get::run(get, scope).await,
        Command::Describe(describe) => describe::run(describe, scope).await,
        Command::Delete(delete) => delete::run(delete, scope).await,
        Command::Wait(wait) => wait::run(wait, scope).await,
        Command::Invoke(invoke) => invoke::run(invoke, scope).await,
        Command::Logs(logs) => logs::run(logs, scope).await,
        Command::Event(event) => event::run(event, scope).await,
        Command::Dlq(dlq) => dlq::run(dlq, scope).await,
        Command::Trigger(trigger) => trigger::run(trigger, scope).await,
        Command::Autoscaler(autoscaler) => autoscaler::run(autoscaler),
        Command::Demo(DemoCommand::Xray(demo)) => demo::run(demo, scope).await,
        Command::Bench(bench) => bench::run(bench, scope).await,
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "fnctl", &mut script);
            output::data(String::from_utf8_lossy(&script).trim_end())
        }
        Command::Version => version::run(scope),
        // It runs before the runtime starts: see `main`.
        Command::CompileComponent { .. } => Ok(()),
    }
}
