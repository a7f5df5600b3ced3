//! `fnctl demo xray`: the showcase from an empty directory to a table, on a node of its own, through the same doors that
//! users have: its manifests, its functions' URLs, its buckets, its events.

pub(super) mod pictures;
mod progress;
mod report;
pub(super) mod watch;

use super::apply::{self, Conflicts, Mode};
use super::wait;
use crate::args::{Demo, Scope};
use crate::compose::Parts;
use crate::failure::{Failure, code};
use crate::manifest::{self, kind_by_word};
use crate::node::{self, Signals};
use crate::output::{self, Form};
use crate::target::Target;
use fnctl_config::node::{Flags, Node as Settings};
use pictures::Pictures;
use report::Report;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The example's manifests, as they ship with the binary.
const MANIFESTS: &[(&str, &str)] = &[
    ("settings.yaml", include_str!("../../../examples/xray/settings.yaml")),
    ("xray.yaml", include_str!("../../../examples/xray/xray.yaml")),
    ("alert.yaml", include_str!("../../../examples/xray/alert.yaml")),
    ("phantom.yaml", include_str!("../../../examples/xray/phantom.yaml")),
    ("events.yaml", include_str!("../../../examples/xray/events.yaml")),
];
/// Namespace of the demo.
const NAMESPACE: &str = "default";
/// How long an object may take to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) async fn run(arguments: Demo, scope: &Scope) -> Result<(), Failure> {
    let form = Form::parse(scope.output.as_deref())?;
    let pictures = Pictures::find(arguments.pictures.as_deref())?;
    let folder = folder(scope)?;
    let settings = settings(&folder.0)?;
    let mut signals = Signals::listen()?;
    let Some(node) = node::open(settings, &mut signals).await? else { return Ok(()) };
    let (parts, kubeconfig) = (node.parts.clone(), node.kubeconfig.clone());
    let (tell_ready, ready) = oneshot::channel();
    let (tell_stop, stop) = oneshot::channel::<()>();
    // Held until the node has ended: its drop stops the node.
    let mut tell_stop = Some(tell_stop);
    let mut tell_ready = Some(tell_ready);
    let mut on_ready = |line: &Value| {
        // Nobody waits any more where the demo failed before.
        let _ = tell_ready.take().map(|tell| tell.send(line.clone()));
        Ok(())
    };
    let stopped = async {
        // A dropped sender stops the node too.
        let _ = stop.await;
    };
    // The node has its own ear for signals; the story ends by one, too.
    let mut interrupted = Signals::listen()?;
    let story = async {
        let Ok(ready) = ready.await else { return Err(Failure::failed(code::NODE, "the node did not start")) };
        if arguments.keep && form.is_json() {
            output::json(&ready)?;
        }
        let target = Target::find(&Scope { kubeconfig: Some(kubeconfig), ..scope.clone() }).await?;
        let report = tokio::select! {
            biased;
            () = interrupted.next() => return Err(broken_off()),
            told = Box::pin(story(&pictures, &target, &parts, &ready)) => told?,
        };
        match form.is_json() {
            true => output::json(&report.summary())?,
            false if arguments.keep => stay(&ready, &folder.1),
            false => {}
        }
        Ok(report)
    };
    let (mut running, mut story) = (Box::pin(node::run(node, &mut on_ready, signals, stopped)), Box::pin(story));
    let (ran, told) = tokio::select! {
        biased;
        told = &mut story => {
            if !arguments.keep || told.is_err() {
                drop(tell_stop.take());
            }
            (running.await, told)
        }
        ran = &mut running => (ran, Err(broken_off())),
    };
    ran?;
    told?.verdict()
}

fn broken_off() -> Failure {
    Failure::failed(code::STOPPED, "the demo was stopped before its end")
}

/// The node's data directory: the one that was asked for, else a fresh one that goes with the demo.
fn folder(scope: &Scope) -> Result<Folder, Failure> {
    if let Some(given) = &scope.data_dir {
        return Ok(Folder(given.clone(), Ends::Kept));
    }
    let path = std::env::temp_dir().join(format!("fnctl-demo-{}", uuid::Uuid::new_v4().simple()));
    Ok(Folder(path, Ends::Removed))
}

struct Folder(PathBuf, Ends);

/// What becomes of the data directory.
#[derive(PartialEq, Eq)]
enum Ends {
    Kept,
    Removed,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.1 == Ends::Removed {
            // What cannot be removed lies in the system's folder for such things.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn settings(folder: &Path) -> Result<Settings, Failure> {
    let free = || Some("127.0.0.1:0".to_owned());
    let flags = Flags { data_dir: Some(folder.to_owned()), http: free(), control: free(), s3: free(), config: None };
    Settings::resolve(flags, &fnctl_config::node::environment()).map_err(|errors| {
        let failure = Failure::invalid(code::INPUT, "the node's settings are not valid");
        errors.iter().fold(failure, |failure, error| failure.detail(error.to_string()))
    })
}

async fn story(pictures: &Pictures, target: &Target, parts: &Parts, ready: &Value) -> Result<Report, Failure> {
    let begun = Instant::now();
    output::say("1/5  a node in a fresh data directory, and the manifests of examples/xray through its API");
    install(target).await?;
    output::say(format!("     everything is ready after {:.1} s", begun.elapsed().as_secs_f64()));
    let url = ready["http"].as_str().unwrap_or_default();
    output::say(format!("2/5  {pictures} are put into the bucket xray-in; each notification wakes the function"));
    let put = Instant::now();
    let putting = pictures::put_all(pictures, url, parts.buckets.buckets());
    let watching = watch::until_done(parts, pictures.count());
    let (put_all, watched) = tokio::join!(Box::pin(putting), Box::pin(watching));
    put_all?;
    watched?;
    let seconds = put.elapsed().as_secs_f64();
    output::say(format!(
        "3/5  all pictures have a result after {seconds:.1} s; waiting until the function is back at zero"
    ));
    let idle = Instant::now();
    watch::until_zero(parts).await;
    let report = Report::collect(parts, pictures, seconds, idle.elapsed().as_secs_f64()).await?;
    output::say(format!("4/5  back at zero after {:.1} s without a request\n", report.to_zero_seconds()));
    output::say(report.table());
    output::say("\n5/5  one picture on its way:");
    output::say(report.path());
    Ok(report)
}

/// Applies the example, with a key that only this node knows, and waits until all of it is ready.
pub(super) async fn install(target: &Target) -> Result<(), Failure> {
    let key: String = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].iter().map(|id| id.simple().to_string()).collect();
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "xray-key"}, "stringData": {"key": key}});
    let mut documents = manifest::parse(&secret.to_string(), "the demo's key", Path::new("."))?;
    for (name, text) in MANIFESTS {
        documents.extend(manifest::parse(text, name, Path::new("."))?);
    }
    for document in &mut documents {
        apply::one(target, document, Mode::Store, Conflicts::Force).await?;
    }
    for document in documents.iter().filter(|document| document.kind.has_status && document.kind.kind != "Namespace") {
        let kind = kind_by_word(&document.kind.resource())?;
        wait::ready(target, kind, NAMESPACE, document.name(), READY_TIMEOUT).await?;
    }
    Ok(())
}

fn stay(ready: &Value, ends: &Ends) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let data = if *ends == Ends::Removed { " and removes its data" } else { "" };
    output::say(format!("\nthe node stays; Ctrl-C stops it{data}"));
    output::say(format!("  export FNCTL_KUBECONFIG={}", text(&ready["kubeconfig"])));
    output::say("  fnctl get ksvc,broker,trigger,bucketsource");
    output::say("  fnctl event list --broker xray");
    output::say(format!(
        "  S3 {} key {} secret {}",
        text(&ready["s3"]["endpoint"]),
        text(&ready["s3"]["accessKey"]),
        text(&ready["s3"]["secretKey"])
    ));
}
