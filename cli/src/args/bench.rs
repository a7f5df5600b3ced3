//! The words of `fnctl bench`.

use super::duration;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Requests per second, latency and CPU time, in turns with a peer; and neighbours of guests that spin
    Http(BenchHttp),
    /// First requests, a burst at zero, start time, memory and size of the binary
    Cold(BenchCold),
    /// Durable events per second, beside the same server without storing and beside the disk alone
    Event(BenchEvent),
}

#[derive(Args, Debug)]
pub(crate) struct BenchHttp {
    /// Measure only this URL, in place of a node and a peer of its own
    #[arg(long, conflicts_with_all = ["peer", "check"], value_hint = ValueHint::Url)]
    pub(crate) url: Option<String>,
    /// The peer: a wasmtime whose `serve` runs the same component
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) peer: Option<PathBuf>,
    /// Folder of the components that are measured
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = "examples/guests")]
    pub(crate) guests: PathBuf,
    #[command(flatten)]
    pub(crate) load: BenchLoad,
}

#[derive(Args, Debug)]
pub(crate) struct BenchCold {
    /// Functions that get their first request
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=999))]
    pub(crate) functions: u16,
    /// Connections of the burst
    #[arg(long, default_value_t = 500)]
    pub(crate) burst: u16,
    /// How long after the burst and the pictures the memory is looked at
    #[arg(long, value_parser = duration, default_value = "60s")]
    pub(crate) settle: Duration,
    /// Folder of the components that are measured
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = "examples/guests")]
    pub(crate) guests: PathBuf,
    /// How often the node is started on the same data directory
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// Compare with the goals; exit code 1 where one is missed
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchEvent {
    /// Measure only the broker at this URL, in place of nodes of its own
    #[arg(long, conflicts_with = "check", value_hint = ValueHint::Url)]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) load: BenchLoad,
}

/// How a benchmark loads a server.
#[derive(Args, Debug)]
pub(crate) struct BenchLoad {
    /// Connections, each with one request at a time [default: 32, for events 256]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) connections: Option<u16>,
    /// Rounds, in which everything that is compared takes turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// Length of one turn
    #[arg(long, value_parser = duration, default_value = "3s")]
    pub(crate) seconds: Duration,
    /// Compare with the goals; exit code 1 where one is missed
    #[arg(long)]
    pub(crate) check: bool,
}
