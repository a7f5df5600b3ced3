//! `fnctl bench event`: durable ingest of a broker, beside what bounds it: the same server without storing, and the disk.
//!
//! A server that answers 202 and stores nothing is a node with the setting `log: memory`: all of the ingress runs, and
//! the log is in memory. That is more work than none, so the bound is a little lower than a sink's would be.

use super::child::Folder;
use super::figures::{Figures, median};
use super::goals::{self, Bench};
use super::line::written;
use super::load::{self, Load, Outcome, Requests, Until};
use super::subject::{Node, address_of, request};
use super::{Measured, Servers, machine};
use crate::args::{BenchEvent, Scope};
use crate::failure::{Failure, code};
use crate::output;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use serde_json::json;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const CONNECTIONS: usize = 256;
/// Data of one event.
const EVENT_BYTES: usize = 1_024;
/// Syncs that one round measures of the disk alone.
const SYNCS: usize = 200;
/// What each server does before it counts.
const WARM_UP: Duration = Duration::from_secs(1);
/// Counters of the log in `/metrics`.
const RECORDS: &str = "fnctl_broker_log_records_total";
const COMMITS: &str = "fnctl_broker_log_commits_total";

pub(super) async fn run(arguments: &BenchEvent, scope: &Scope) -> Result<Measured, Failure> {
    let connections = arguments.load.connections.map_or(CONNECTIONS, usize::from);
    let mut settings = json!({"connections": connections, "eventBytes": EVENT_BYTES, "rounds": arguments.load.rounds,
        "secondsPerRound": arguments.load.seconds.as_secs_f64(), "client": "one thread, HTTP/1.1 keep-alive, closed loop",
        "notStored": "the same binary with `log: memory`", "syncsPerRound": SYNCS});
    let mut figures = Figures::default();
    if let Some(url) = &arguments.url {
        settings["url"] = json!(url);
        for _ in 0..arguments.load.rounds {
            let outcome = load::run(ingest(arguments, url, arguments.load.seconds)?).await?;
            add(&mut figures, "url", &outcome);
        }
        return Ok(Measured { bench: Bench::Event, servers: Servers::Named, settings, figures });
    }
    let program = std::env::current_exe()?;
    settings["fnctl"] =
        json!({"version": env!("CARGO_PKG_VERSION"), "sha256": machine::sha256(&program)?, "mode": "up"});
    let folder = Folder::fresh(scope.data_dir.as_deref())?;
    let (stored, forgotten) = (folder.path().join("stored"), folder.path().join("forgotten"));
    std::fs::create_dir_all(&forgotten)?;
    std::fs::write(forgotten.join("node.yaml"), "log: memory\n")?;
    let (durable, memory) = (Node::start(&stored).await?, Node::start(&forgotten).await?);
    let (durable_url, memory_url) = (durable.broker("bench").await?, memory.broker("bench").await?);
    for url in [&durable_url, &memory_url] {
        load::run(ingest(arguments, url, WARM_UP)?).await?;
    }
    for round in 0..arguments.load.rounds {
        output::say(format!("round {} of {}: the disk, stored, not stored", round + 1, arguments.load.rounds));
        let sync_seconds = syncs(folder.path().join("syncs")).await?;
        let (records, commits) = (durable.counter(RECORDS).await?, durable.counter(COMMITS).await?);
        let before = durable.server.cpu_seconds()?;
        let kept = load::run(ingest(arguments, &durable_url, arguments.load.seconds)?).await?;
        let cpu = durable.server.cpu_seconds()? - before;
        let (records, commits) = (durable.counter(RECORDS).await? - records, durable.counter(COMMITS).await? - commits);
        let lost = load::run(ingest(arguments, &memory_url, arguments.load.seconds)?).await?;
        add(&mut figures, "durable", &kept);
        figures.add("durable: CPU per event", "us", cpu * 1e6 / kept.answered as f64);
        figures.add("durable: events per fsync", "", records / commits);
        add(&mut figures, "not stored", &lost);
        figures.add("fdatasync, p50", "ms", sync_seconds * 1e3);
        let by_disk = connections as f64 / sync_seconds;
        figures.add("connections per fdatasync", "1/s", by_disk);
        figures.add(goals::DURABLE_TO_BOUND, "x", kept.per_second() / by_disk.min(lost.per_second()));
    }
    Ok(Measured { bench: Bench::Event, servers: Servers::Own, settings, figures })
}

fn add(figures: &mut Figures, side: &str, outcome: &Outcome) {
    figures.add(format!("{side}: events"), "1/s", outcome.per_second());
    for (percentile, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        figures.add(format!("{side}: {percentile}"), "ms", outcome.latency.percentile(share));
    }
    figures.add(format!("{side}: client's share of a core"), "", outcome.client_busy);
    figures.add(goals::FAILED, "", outcome.failed as f64);
}

fn ingest(arguments: &BenchEvent, url: &str, duration: Duration) -> Result<Load, Failure> {
    let connections = arguments.load.connections.map_or(CONNECTIONS, usize::from);
    Ok(Load { address: address_of(url)?, connections, until: Until::Elapsed(duration), requests: events(url)? })
}

/// CloudEvents in binary mode, each with an id of its own.
fn events(url: &str) -> Result<Requests, Failure> {
    let mut event = request("POST", url, Bytes::from(vec![b'x'; EVENT_BYTES]))?;
    let attributes = [("ce-specversion", "1.0"), ("ce-type", "dev.fnctl.bench"), ("ce-source", "fnctl/bench")];
    for (name, value) in attributes {
        event.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    event.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    let run = uuid::Uuid::new_v4();
    Ok(Arc::new(move |number| {
        let mut event = event.clone();
        let id = HeaderValue::try_from(format!("{run}-{number}")).expect("ids are printable");
        event.headers_mut().insert(HeaderName::from_static("ce-id"), id);
        written(&event)
    }))
}

/// What the disk under the data directory does alone: the median of appends of one event's size, each synced, in seconds.
async fn syncs(path: impl AsRef<Path> + Send + 'static) -> Result<f64, Failure> {
    let measured = tokio::task::spawn_blocking(move || {
        let mut file = File::create(path)?;
        let mut taken = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            let begun = Instant::now();
            file.write_all(&[1; EVENT_BYTES])?;
            file.sync_data()?;
            taken.push(begun.elapsed().as_secs_f64());
        }
        Ok::<_, std::io::Error>(taken)
    });
    let taken =
        measured.await.map_err(|e| Failure::failed(code::OTHER, "the disk cannot be measured").because(&e))??;
    median(&taken).ok_or_else(|| Failure::failed(code::OTHER, "the disk was not measured"))
}
