//! `fnctl bench cold`: a node on a data directory that holds many functions: how soon it is ready, what it takes, how long
//! first requests take above warm ones, what a burst on a function at zero does, and what is left of it all a minute later.

use super::super::demo::pictures;
use super::child::Folder;
use super::figures::Figures;
use super::goals::{self, Bench};
use super::http::guest;
use super::load::{self, Load, Outcome, Until};
use super::subject::{Node, gets};
use super::{Measured, Servers, machine, showcase};
use crate::args::{BenchCold, Scope};
use crate::failure::Failure;
use crate::output;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Functions that are deployed at the same time.
const DEPLOYED_AT_ONCE: usize = 4;
/// Between the ready line and the look at the memory of a node that nobody calls.
const IDLE: Duration = Duration::from_secs(2);
/// How often each function is called again once it is warm.
const WARM_CALLS: u64 = 5;
/// What the names of the functions begin with that get their first request.
const PREFIX: &str = "cold-";

pub(super) async fn run(arguments: &BenchCold, scope: &Scope) -> Result<Measured, Failure> {
    let program = std::env::current_exe()?;
    let settings = json!({"functions": arguments.functions, "burstConnections": arguments.burst, "starts": arguments.rounds,
        "pictures": pictures::COUNT,
        "secondsAfterPictures": arguments.settle.as_secs_f64(), "warmCalls": WARM_CALLS,
        "client": "one thread, HTTP/1.1 keep-alive, closed loop; first requests one after the other on one connection",
        "fnctl": {"version": env!("CARGO_PKG_VERSION"), "sha256": machine::sha256(&program)?, "mode": "up, with defaults"}});
    let hello = guest(&arguments.guests, "hello-bench.wasm")?;
    let folder = Folder::fresh(scope.data_dir.as_deref())?;
    let data = folder.path().join("node");
    let mut figures = Figures::default();
    figures.add(goals::BINARY, "MB", std::fs::metadata(&program)?.len() as f64 / 1e6);

    output::say(format!("deploying {} functions, each a component of its own", usize::from(arguments.functions) + 1));
    let node = Node::start(&data).await?;
    let urls = deploy_all(&node, &hello, folder.path(), arguments.functions.into()).await?;
    let burst = node.deploy("burst", &copy(&hello, folder.path(), "burst")?, &json!({})).await?;

    let node = restarted(node, &data, arguments.rounds, &mut figures).await?;
    first_requests(&node, &urls, &mut figures).await?;
    burst_at_zero(&node, &burst, arguments.burst.into(), &mut figures).await?;
    showcase::run(&node, &arguments.guests).await?;
    output::say(format!("waiting {} s", arguments.settle.as_secs()));
    tokio::time::sleep(arguments.settle).await;
    figures.add(goals::MEMORY_AFTER, "MiB", node.server.resident_mib()?);
    Ok(Measured { bench: Bench::Cold, servers: Servers::Own, settings, figures })
}

fn name(number: usize) -> String {
    format!("{PREFIX}{number:03}")
}

async fn deploy_all(node: &Node, component: &Path, folder: &Path, functions: usize) -> Result<Vec<String>, Failure> {
    let deployments = stream::iter(0..functions).map(|number| async move {
        let copy = copy(component, folder, &name(number))?;
        node.deploy(&name(number), &copy, &json!({})).await
    });
    // In the order of their numbers, so that a URL is found by its function's.
    deployments.buffered(DEPLOYED_AT_ONCE).try_collect().await
}

/// The same component with other bytes, and so another digest, another compilation and another load: a custom section
/// that says its name.
fn copy(component: &Path, folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let mut bytes = std::fs::read(component)?;
    bytes.extend(custom_section(name));
    let path = folder.join(format!("{name}.wasm"));
    std::fs::write(&path, bytes)?;
    Ok(path)
}

/// A custom section without contents. Names are short here, so each length is one byte.
fn custom_section(name: &str) -> Vec<u8> {
    let length = name.len() as u8;
    [&[0, length + 1, length], name.as_bytes()].concat()
}

/// Starts the node again and again at its old address, without a warning before, and answers the last one.
async fn restarted(mut node: Node, data: &Path, rounds: u16, figures: &mut Figures) -> Result<Node, Failure> {
    for round in 0..rounds.max(1) {
        output::say(format!("start {} of {rounds}", round + 1));
        node.server.kill().await?;
        node = Node::start_at(data, node.address).await?;
        figures.add(goals::START, "s", node.started_in.as_secs_f64());
        tokio::time::sleep(IDLE).await;
        figures.add(goals::MEMORY_IDLE, "MiB", node.server.resident_mib()?);
    }
    Ok(node)
}

/// One request to each function one after the other on one connection; then the same again, warm.
async fn first_requests(node: &Node, urls: &[String], figures: &mut Figures) -> Result<(), Failure> {
    output::say(format!("the first request to each of {} functions", urls.len()));
    let requests = gets(urls)?;
    let pass = async |calls: u64| {
        let until = Until::Requests(urls.len() as u64 * calls);
        load::run(Load { address: node.address, connections: 1, until, requests: requests.clone() }).await
    };
    let cold = pass(1).await?;
    let began_at_zero = node.cold_starts(PREFIX).await?;
    let warm = pass(WARM_CALLS).await?;
    let mut add = |outcome: &Outcome, what: &str| {
        for (percentile, share) in [("p50", 0.5), ("p99", 0.99)] {
            figures.add(format!("{what} request, {percentile}"), "ms", outcome.latency.percentile(share));
        }
    };
    add(&cold, "first");
    add(&warm, "warm");
    let above = |share| cold.latency.percentile(share) - warm.latency.percentile(share);
    figures.add(goals::COLD_P50, "ms", above(0.5));
    figures.add(goals::COLD_P99, "ms", above(0.99));
    figures.add(goals::COLD_SHARE, "", began_at_zero as f64 / urls.len() as f64);
    figures.add(goals::FAILED, "", (cold.failed + warm.failed) as f64);
    figures.add("memory, all functions loaded", "MiB", node.server.resident_mib()?);
    Ok(())
}

/// Very many connections with one request each, all at the same moment.
async fn burst_at_zero(node: &Node, url: &str, connections: usize, figures: &mut Figures) -> Result<(), Failure> {
    output::say(format!("{connections} connections at zero"));
    let load =
        Load { address: node.address, connections, until: Until::Requests(1), requests: gets(&[url.to_owned()])? };
    let burst = load::run(load).await?;
    figures.add("burst at zero: p50", "ms", burst.latency.percentile(0.5));
    figures.add("burst at zero: last answer", "ms", burst.latency.percentile(1.0));
    figures.add(goals::BURST_LOADS, "", node.cold_starts("burst").await? as f64);
    figures.add(goals::FAILED, "", burst.failed as f64);
    Ok(())
}
