//! What the demo shows while it runs, and what it waits for.

use super::progress::Progress;
use crate::compose::Parts;
use crate::failure::{Failure, code};
use fnctl_activator::admit::State;
use fnctl_broker::broker::{End, EventQuery};
use fnctl_config::snapshot::ObjectKey;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, interval};

/// How often the numbers are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Without a new result for this long the demo gives up.
pub(in crate::command) const STUCK: Duration = Duration::from_secs(120);
/// Type of the function's results.
pub(in crate::command) const RESULT: &str = "dev.fnctl.xray.result";
/// Type of the event that a picture in the bucket becomes.
pub(super) const PICTURE: &str = "com.amazonaws.s3.ObjectCreated:Put";

/// The broker of the demo.
pub(super) fn broker() -> ObjectKey {
    ObjectKey::new("default", "xray")
}

/// All results there are, oldest first.
pub(super) async fn results(parts: &Parts) -> Result<Vec<Value>, Failure> {
    let mut query = EventQuery { kind: Some(RESULT.to_owned()), ..EventQuery::default() };
    let mut all = Vec::new();
    loop {
        let page = parts.brokers.events(&broker(), &query).await;
        let page = page.map_err(|e| Failure::failed(code::OTHER, "the results cannot be read").because(&e))?;
        all.extend(page.events.iter().filter_map(|event| serde_json::from_str(event.get()).ok()));
        if page.end == End::OfLog {
            return Ok(all);
        }
        query.from = Some(page.next);
    }
}

/// Shows numbers until there are as many results as pictures.
pub(super) async fn until_done(parts: &Parts, pictures: usize) -> Result<(), Failure> {
    let bar = ProgressBar::new(pictures as u64);
    if let Ok(style) = ProgressStyle::with_template("     {bar:30} {pos}/{len} results  {msg}") {
        bar.set_style(style);
    }
    let mut look = interval(LOOK);
    let mut progress = Progress::default();
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        look.tick().await;
        progress.look(parts).await?;
        let results = progress.results();
        bar.set_position(results as u64);
        bar.set_message(format!("{}  {}", numbers(parts).await?, progress.times()));
        if results >= pictures {
            bar.finish();
            return Ok(());
        }
        if results > seen {
            (seen, since) = (results, Instant::now());
        }
        if since.elapsed() > STUCK {
            bar.abandon();
            return Err(Failure::failed(
                code::TIMED_OUT,
                format!("no new result for {STUCK:?}: {results} of {pictures}"),
            ));
        }
    }
}

async fn numbers(parts: &Parts) -> Result<String, Failure> {
    let buckets = parts.buckets.buckets().buckets().await;
    let buckets = buckets.map_err(|e| Failure::failed(code::OTHER, "the buckets cannot be read").because(&e))?;
    let counts = buckets.iter().map(|bucket| format!("{} {}", bucket.name.trim_start_matches("xray-"), bucket.objects));
    let revisions = parts.activator.revisions();
    let xray = revisions.iter().find(|view| view.revision.service == "xray");
    let instances = xray.map_or(0, |view| parts.scaling.instances(view));
    let cold_starts: u64 = revisions.iter().map(|view| view.totals.cold_starts).sum();
    Ok(format!("{}  instances {instances}  cold starts {cold_starts}", counts.collect::<Vec<_>>().join("  ")))
}

/// Waits until no function of the demo is loaded.
pub(super) async fn until_zero(parts: &Parts) {
    let mut look = interval(LOOK);
    while !parts.activator.revisions().iter().all(|view| view.state == State::Zero) {
        look.tick().await;
    }
}
