//! The X-ray example on a real node, watched from outside: a stock S3 client puts pictures and lists the buckets, and sets
//! of keys and hashes are compared.

mod demo;
mod kill;
mod pipeline;
mod real;
mod refused;

use crate::buckets::{Client, Objects, events, lines};
use crate::harness::{Data, Node, shown, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

const KEY: &str = "
apiVersion: v1
kind: Secret
metadata: {name: xray-key}
stringData: {key: 0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0}
";

/// Type of the function's results.
const RESULT: &str = "dev.fnctl.xray.result";

/// A node that runs the example as its README says.
struct Hospital {
    node: Node,
    client: Client,
}

impl Hospital {
    /// None where there is no S3 client.
    fn open(settings: &str) -> Option<Self> {
        let client = Client::installed()?;
        let data = Data::fresh();
        std::fs::write(data.path().join("node.yaml"), settings).expect("the settings are written");
        let node = Node::start_in(data);
        node.apply(KEY);
        node.text(&["apply", "-f", "examples/xray"]);
        for object in
            ["ksvc/xray", "ksvc/xray-alert", "ksvc/xray-phantom", "broker/xray", "trigger/xray", "trigger/xray-alert"]
        {
            node.text(&["wait", object, "--for", "condition=Ready"]);
        }
        node.text(&["wait", "bucketsource/xray-in", "--for", "condition=Ready"]);
        Some(Self { node, client })
    }

    fn put(&self, folder: &Path) -> Objects {
        self.client.put(&self.node, "xray-in", folder)
    }

    fn list(&self, bucket: &str) -> Objects {
        self.client.list(&self.node, bucket)
    }

    /// Waits until there are results of so many pictures, and answers all events, oldest first.
    fn results(&self, pictures: usize) -> Vec<Value> {
        until(&format!("results of {pictures} pictures"), || {
            let events = events(&self.node, "xray");
            let subjects: BTreeSet<_> = results(&events).map(|result| result["subject"].to_string()).collect();
            (subjects.len() >= pictures).then_some(events)
        })
    }

    /// What a trigger made of an event, when that is final: one row for each event of that id.
    fn outcomes(&self, id: &str, trigger: &str) -> Vec<Value> {
        until(&format!("the outcome of {id} for {trigger}"), || {
            let said = self.node.text(&["event", "why", id, "--broker", "xray", "--trigger", trigger, "-o", "json"]);
            let rows: Vec<Value> = lines(&said).iter().map(|why| why["triggers"][0].clone()).collect();
            assert!(rows.iter().all(|row| row["outcome"].is_string()), "{trigger} is not in {said}");
            let is_open = |row: &Value| row["outcome"] == "pending" || row["outcome"] == "retrying";
            (!rows.iter().any(is_open)).then_some(rows)
        })
    }

    /// Draws films of 512 pixels into a folder, one for each seed, under keys that name the patients. Of ten seeds the last
    /// is borderline and the two before are sick.
    fn films(&self, seeds: RangeInclusive<u32>, folder: &Path) -> Vec<Film> {
        let host = self.node.address();
        let range = format!("[{}-{}]", seeds.start(), seeds.end());
        let url = format!("http://{host}/-/function/default/xray-phantom/phantom?size=512&seed={range}");
        let drawn = Data::fresh();
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--fail-early", "--output", "#1", &url])
            .current_dir(drawn.path());
        let output = curl.output().expect("curl runs");
        assert!(output.status.success(), "{}", shown(&output));
        std::fs::create_dir_all(folder.join("ward 1")).expect("a folder");
        let film = |seed: u32| {
            let bytes = std::fs::read(drawn.path().join(seed.to_string())).expect("a film of this seed");
            let patient = element(&bytes, [0x10, 0, 0x10, 0]);
            let film = Film {
                seed,
                key: format!("ward 1/{patient} {seed}.dcm"),
                number: element(&bytes, [0x10, 0, 0x20, 0]),
                patient,
            };
            std::fs::write(folder.join(&film.key), bytes).expect("the film is written");
            film
        };
        seeds.map(film).collect()
    }
}

/// A phantom's film.
struct Film {
    seed: u32,
    key: String,
    /// `FAMILY^GIVEN`.
    patient: String,
    /// The patient's number in this hospital.
    number: String,
}

impl Film {
    /// What its seed says of it.
    fn verdict(&self) -> &'static str {
        match self.seed % 10 {
            // One of thirty borderline films is normal to the scorer.
            9 if self.seed == 20_039 => "normal",
            9 => "unsure",
            7 | 8 => "pneumonia",
            _ => "normal",
        }
    }
}

/// The text of the first DICOM element with this tag, explicit and little-endian.
fn element(file: &[u8], tag: [u8; 4]) -> String {
    let at = file.windows(4).position(|bytes| bytes == tag).expect("the film has this element");
    let length = usize::from(u16::from_le_bytes([file[at + 6], file[at + 7]]));
    String::from_utf8_lossy(&file[at + 8..at + 8 + length]).trim_end().to_owned()
}

fn results(events: &[Value]) -> impl Iterator<Item = &Value> {
    events.iter().filter(|event| event["type"] == RESULT)
}

/// Notices of new objects.
fn created(events: &[Value]) -> impl Iterator<Item = &Value> {
    events
        .iter()
        .filter(|event| event["type"].as_str().is_some_and(|kind| kind.starts_with("com.amazonaws.s3.ObjectCreated")))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A key without what follows the last dot: the processed picture and the archived original share it.
fn stems(objects: &Objects) -> Vec<&str> {
    objects.keys().map(|key| key.rsplit_once('.').expect("a key with an ending").0).collect()
}

/// All contents, each as often as it is there.
fn contents(objects: &Objects) -> Vec<&str> {
    let mut contents: Vec<_> = objects.values().map(String::as_str).collect();
    contents.sort_unstable();
    contents
}

/// Whether a function runs, by what `fnctl describe` says.
fn instances(node: &Node, service: &str) -> u64 {
    let described = node.text(&["describe", "ksvc", service]);
    let line = described.lines().find(|line| line.starts_with("Scaling of ")).expect("a line on scaling");
    line.split(' ').find_map(|word| word.parse().ok()).expect("the number of instances")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}
