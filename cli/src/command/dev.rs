//! `fnctl dev`: deploys a folder, and again at each change of its component. A build that the node refuses leaves the
//! revision before it serving.

use super::deploy;
use crate::args::{Deploy, Dev, Scope};
use crate::failure::{Failure, code};
use crate::output;
use crate::target::Target;
use notify::{RecursiveMode, Watcher as _};
use std::ffi::OsStr;
use std::time::Duration;
use tokio::sync::mpsc;

/// A build writes its file in several steps: changes that come within this time are one.
const SETTLE: Duration = Duration::from_millis(100);
/// Changes that wait to be looked at; more say nothing new.
const CHANGES_MAX: usize = 16;
/// How long one deployment may take.
const DEPLOY_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) async fn run(arguments: Dev, scope: &Scope) -> Result<(), Failure> {
    if !arguments.folder.is_dir() {
        return Err(Failure::invalid(code::FILE, format!("{} is no folder", arguments.folder.display())));
    }
    let target = Target::find(scope).await?;
    target.announce();
    let (changed, mut changes) = mpsc::channel(CHANGES_MAX);
    let on_change = move |event: notify::Result<notify::Event>| {
        let matters = |path: &std::path::PathBuf| {
            [Some(OsStr::new("wasm")), Some(OsStr::new("yaml"))].contains(&path.extension())
        };
        if event.is_ok_and(|event| !event.kind.is_access() && event.paths.iter().any(matters)) {
            // A full channel already holds the news.
            let _ = changed.try_send(());
        }
    };
    let unwatched = |e: notify::Error| {
        Failure::failed(code::FILE, format!("cannot watch {}", arguments.folder.display())).because(&e)
    };
    let mut watcher = notify::recommended_watcher(on_change).map_err(unwatched)?;
    watcher.watch(&arguments.folder, RecursiveMode::NonRecursive).map_err(unwatched)?;
    loop {
        match deploy::deploy(&target, &deployment(&arguments)).await {
            Ok(deployed) if target.form.is_json() => output::json(&deployed)?,
            Ok(deployed) => {
                let text = |field: &str| deployed[field].as_str().unwrap_or_default();
                let (revision, seconds) = (text("revision"), &deployed["seconds"]);
                output::say(format!("{revision} serves after {seconds} s; waiting for changes"));
                output::data(text("url"))?;
            }
            Err(failure) if target.form.is_json() => output::say(failure.to_json()),
            Err(failure) => {
                output::say(format!("{failure}\n  what served before goes on serving; waiting for changes"))
            }
        }
        tokio::select! {
            change = changes.recv() => if change.is_none() { return Ok(()) },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        tokio::time::sleep(SETTLE).await;
        while changes.try_recv().is_ok() {}
    }
}

fn deployment(arguments: &Dev) -> Deploy {
    Deploy {
        path: arguments.folder.display().to_string(),
        name: None,
        no_wait: false,
        timeout: DEPLOY_TIMEOUT,
        env: Vec::new(),
    }
}
