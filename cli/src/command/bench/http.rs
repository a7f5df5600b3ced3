//! `fnctl bench http`: the smallest function, fresh per request and reused, in rounds that take turns with the peer; and
//! what a function feels of neighbours that spin.

use super::child::{Folder, Says, Server};
use super::figures::Figures;
use super::goals::{self, Bench};
use super::load::{self, Load, Requests, Until};
use super::subject::{Node, address_of, gets};
use super::{Measured, Servers, machine};
use crate::args::{BenchHttp, Scope};
use crate::failure::{Failure, code};
use crate::output;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

const CONNECTIONS: usize = 32;
/// Requests that one reused instance serves, on both sides.
const REUSE: &str = "128";
/// How the peer runs: with its defaults, with the flags that make fresh instances cheapest, and with reuse.
const PEER_MODES: [(&str, &[&str]); 3] = [
    ("peer default", &[]),
    (
        "peer tuned",
        &["-O", "pooling-memory-keep-resident=2097152,pooling-table-keep-resident=65536,pooling-pagemap-scan=auto"],
    ),
    ("peer reuse", &["--max-instance-reuse-count", REUSE]),
];
/// CPU time after which a spinning guest is stopped: several times in one round.
const SPIN_CPU: &str = "500ms";
/// Guests that spin.
const SPINNING: usize = 2;
/// What each side does before it counts.
const WARM_UP: Duration = Duration::from_secs(1);

/// One server in one mode.
struct Side<'a> {
    name: &'static str,
    /// None where it is a stranger, whose process cannot be looked at.
    server: Option<&'a Server>,
    address: SocketAddr,
    requests: Requests,
}

pub(super) async fn run(arguments: &BenchHttp, scope: &Scope) -> Result<Measured, Failure> {
    let connections = arguments.load.connections.map_or(CONNECTIONS, usize::from);
    let mut settings = json!({"connections": connections, "rounds": arguments.load.rounds,
        "secondsPerRound": arguments.load.seconds.as_secs_f64(), "client": "one thread, HTTP/1.1 keep-alive, closed loop"});
    let mut figures = Figures::default();
    if let Some(url) = &arguments.url {
        settings["url"] = json!(url);
        let side =
            Side { name: "url", server: None, address: address_of(url)?, requests: gets(std::slice::from_ref(url))? };
        rounds(arguments, &[side], &mut figures).await?;
        return Ok(Measured { bench: Bench::Http, servers: Servers::Named, settings, figures });
    }
    let hello = guest(&arguments.guests, "hello-bench.wasm")?;
    let spin = guest(&arguments.guests, "spin.wasm")?;
    let folder = Folder::fresh(scope.data_dir.as_deref())?;
    output::say("starting the node and the peer");
    let node = Node::start(&folder.path().join("node")).await?;
    let fresh = node.deploy("fresh", &hello, &json!({})).await?;
    let reuse = node.deploy("reuse", &hello, &json!({"fnctl.dev/reuse": REUSE})).await?;
    let spin = node.deploy("spin", &spin, &json!({"fnctl.dev/cpu": SPIN_CPU})).await?;
    let own = |name, url: &str| {
        Ok::<_, Failure>(Side {
            name,
            server: Some(&node.server),
            address: node.address,
            requests: gets(&[url.to_owned()])?,
        })
    };
    let peers = match &arguments.peer {
        Some(peer) => start_peers(peer, &hello, folder.path()).await?,
        None => Vec::new(),
    };
    let mut sides = vec![own("fresh", &fresh)?, own("reuse", &reuse)?];
    for (name, server, url) in &peers {
        sides.push(Side {
            name,
            server: Some(server),
            address: address_of(url)?,
            requests: gets(std::slice::from_ref(url))?,
        });
    }
    settings["fnctl"] = described(&std::env::current_exe()?, "up, with defaults").await?;
    if let Some(peer) = &arguments.peer {
        settings["peer"] = described(peer, "serve -S cli").await?;
        settings["peerModes"] = PEER_MODES.iter().map(|(name, flags)| (*name, flags.join(" "))).collect::<Value>();
    }
    rounds(arguments, &sides, &mut figures).await?;
    neighbours(arguments, &own("neighbour", &fresh)?, &own("spin", &spin)?, &mut figures).await?;
    Ok(Measured { bench: Bench::Http, servers: Servers::Own, settings, figures })
}

/// A component of the repository.
pub(super) fn guest(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let path = folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::invalid(code::FILE, format!("there is no component {}", path.display()))
        .detail("--guests names the folder examples/guests of the repository"))
}

async fn start_peers(
    peer: &Path,
    component: &Path,
    folder: &Path,
) -> Result<Vec<(&'static str, Server, String)>, Failure> {
    let mut peers = Vec::new();
    for (name, flags) in PEER_MODES {
        let mut command = Command::new(peer);
        command.arg("serve").args(["-S", "cli", "--addr", "127.0.0.1:0"]).args(flags).arg(component);
        let (server, line) = Server::start(command, Says::Error, &folder.join("peer.log")).await?;
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url
            .ok_or_else(|| Failure::failed(code::NODE, format!("the peer does not say where it listens: {line:?}")))?;
        peers.push((name, server, url.to_owned()));
    }
    Ok(peers)
}

async fn described(program: &Path, mode: &str) -> Result<Value, Failure> {
    let version = Command::new(program).arg("--version").output().await?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    Ok(json!({"version": version, "sha256": machine::sha256(program)?, "mode": mode}))
}

async fn rounds(arguments: &BenchHttp, sides: &[Side<'_>], figures: &mut Figures) -> Result<(), Failure> {
    for side in sides {
        measure(side, arguments, WARM_UP).await?;
    }
    for round in 0..usize::from(arguments.load.rounds) {
        output::say(format!("round {} of {}: {}", round + 1, arguments.load.rounds, names(sides)));
        // Each round begins with another side, so that none is always first.
        for turn in 0..sides.len() {
            let side = &sides[(round + turn) % sides.len()];
            for (measure, unit, value) in measure(side, arguments, arguments.load.seconds).await? {
                match measure {
                    // The peer's own failures are beside its figures, and no goal of ours.
                    "failed" if !side.name.starts_with("peer") => figures.add(goals::FAILED, "", value),
                    _ => figures.add(format!("{}: {measure}", side.name), unit, value),
                }
            }
        }
        let ratios = [
            (goals::FRESH_TO_DEFAULT, "fresh", "peer default"),
            (goals::FRESH_TO_TUNED, "fresh", "peer tuned"),
            (goals::REUSE_TO_REUSE, "reuse", "peer reuse"),
        ];
        for (name, ours, theirs) in ratios {
            let of = |side: &str| figures.last(&format!("{side}: requests"));
            if let (Some(ours), Some(theirs)) = (of(ours), of(theirs)) {
                figures.add(name, "x", ours / theirs);
            }
        }
    }
    Ok(())
}

fn names(sides: &[Side<'_>]) -> String {
    sides.iter().map(|side| side.name).collect::<Vec<_>>().join(", ")
}

type Measures = Vec<(&'static str, &'static str, f64)>;

/// One turn of one side.
async fn measure(side: &Side<'_>, arguments: &BenchHttp, duration: Duration) -> Result<Measures, Failure> {
    let cpu = || side.server.map(Server::cpu_seconds).transpose();
    let before = cpu()?;
    let load = Load {
        address: side.address,
        connections: arguments.load.connections.map_or(CONNECTIONS, usize::from),
        until: Until::Elapsed(duration),
        requests: side.requests.clone(),
    };
    let outcome = load::run(load).await?;
    let mut measures = vec![
        ("requests", "1/s", outcome.per_second()),
        ("p50", "ms", outcome.latency.percentile(0.5)),
        ("p99", "ms", outcome.latency.percentile(0.99)),
        ("p99.9", "ms", outcome.latency.percentile(0.999)),
        ("client's share of a core", "", outcome.client_busy),
        ("failed", "", outcome.failed as f64),
    ];
    if let (Some(before), Some(after)) = (before, cpu()?) {
        measures.push(("CPU per request", "us", (after - before) * 1e6 / outcome.answered as f64));
    }
    Ok(measures)
}

/// A function's p99 alone and beside guests that spin until they are stopped, in turns.
async fn neighbours(
    arguments: &BenchHttp,
    side: &Side<'_>,
    spin: &Side<'_>,
    figures: &mut Figures,
) -> Result<(), Failure> {
    let load = |side: &Side<'_>, connections| Load {
        address: side.address,
        connections,
        until: Until::Elapsed(arguments.load.seconds),
        requests: side.requests.clone(),
    };
    let connections = arguments.load.connections.map_or(CONNECTIONS, usize::from);
    for round in 0..arguments.load.rounds {
        output::say(format!(
            "round {} of {}: beside 0 and {SPINNING} spinning guests",
            round + 1,
            arguments.load.rounds
        ));
        let alone = load::run(load(side, connections)).await?;
        let (beside, spun) = tokio::join!(load::run(load(side, connections)), load::run(load(spin, SPINNING)));
        let (beside, spun) = (beside?, spun?);
        let (alone_p99, beside_p99) = (alone.latency.percentile(0.99), beside.latency.percentile(0.99));
        figures.add("neighbours: p99 with 0 guests spinning", "ms", alone_p99);
        figures.add("neighbours: p99 with 2 guests spinning", "ms", beside_p99);
        figures.add(goals::NEIGHBOURS_WORSE, "ms", beside_p99 - alone_p99);
        figures.add(goals::NEIGHBOURS_STOPPED, "", spun.failed as f64);
        figures.add(goals::FAILED, "", (alone.failed + beside.failed) as f64);
    }
    Ok(())
}
