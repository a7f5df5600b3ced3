//! The X-ray example on a node that is measured: what `fnctl demo xray` does, from outside of the node's process.

use super::super::demo::{self, pictures, watch};
use super::http::guest;
use super::subject::Node;
use crate::failure::{Failure, code};
use crate::output;
use crate::public;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use http::Request;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;

/// The function that stores what it is sent.
const WRITER: &str = "writer";

/// Installs the example, puts the demo's pictures into its bucket, and waits until each of them has a result.
pub(super) async fn run(node: &Node, guests: &Path) -> Result<(), Failure> {
    output::say(format!("the X-ray example with {} pictures", pictures::COUNT));
    demo::install(&node.target).await?;
    // The component imports key-value stores too, and is refused without; it uses none here.
    let grants = json!({"fnctl.dev/buckets": format!("{}=write", pictures::BUCKET), "fnctl.dev/key-value": WRITER});
    let writer = node.deploy(WRITER, &guest(guests, "storage.wasm")?, &grants).await?;
    let path = format!("/fnctl/v1/namespaces/default/brokers/xray/events?follow=true&type={}", watch::RESULT);
    let results = node.target.lines(&path).await?;
    let numbers = stream::iter((0..pictures::COUNT).map(Ok));
    let putting = numbers.try_for_each_concurrent(pictures::AT_ONCE, |number| put(node, &writer, number));
    let (put, seen) = tokio::join!(Box::pin(putting), Box::pin(each_has_a_result(results)));
    put.and(seen)
}

async fn put(node: &Node, writer: &str, number: usize) -> Result<(), Failure> {
    let film = pictures::phantom(&format!("http://{}", node.address), number).await?;
    let url = format!("{}/blob/{}/film-{number:04}.dcm", writer.trim_end_matches('/'), pictures::BUCKET);
    let failed = |what: &str| Failure::failed(code::OTHER, format!("a picture could not be stored: {what}"));
    let request = Request::put(&url).body(film).map_err(|e| failed("its URL is none").because(&e))?;
    let response = public::send(request).await?;
    if response.status().is_success() { Ok(()) } else { Err(failed(response.status().as_str())) }
}

/// Ends when as many pictures have a result as there are; fails when no new one comes for long.
async fn each_has_a_result(results: impl Stream<Item = Result<Value, Failure>>) -> Result<(), Failure> {
    let mut results = pin!(results);
    let mut pictures = BTreeSet::new();
    while pictures.len() < pictures::COUNT {
        let next = tokio::time::timeout(watch::STUCK, results.next()).await;
        let stuck = || {
            let message = format!("{} of {} pictures have a result", pictures.len(), pictures::COUNT);
            Failure::failed(code::TIMED_OUT, message)
        };
        let result = next.map_err(|_| stuck())?.ok_or_else(stuck)??;
        pictures.insert(result["subject"].to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
