//! The demo's last word: counted from the buckets, the change log and the broker's log.

use super::pictures::Pictures;
use super::watch::{PICTURE, broker, results};
use crate::compose::Parts;
use crate::failure::{Exit, Failure, code};
use crate::output;
use fnctl_broker::broker::EventQuery;
use fnctl_broker::bucket::{Action, Change};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What the demo found.
pub(super) struct Report {
    pictures: usize,
    processed: u64,
    anonymized: u64,
    verdicts: BTreeMap<String, usize>,
    duplicates: usize,
    lost: usize,
    seconds: f64,
    to_zero_seconds: f64,
    path: Vec<String>,
    /// What is to be said of where the pictures are from.
    origin: &'static str,
}

impl Report {
    pub(super) async fn collect(
        parts: &Parts,
        pictures: &Pictures,
        seconds: f64,
        to_zero_seconds: f64,
    ) -> Result<Self, Failure> {
        let origin = match pictures {
            Pictures::Phantoms(_) => "; the films are synthetic, the names on them invented",
            Pictures::Files(_) => "",
        };
        let pictures = pictures.count();
        let results = results(parts).await?;
        let mut verdicts = BTreeMap::<String, usize>::new();
        let mut subjects = BTreeSet::new();
        for result in &results {
            if subjects.insert(result["subject"].to_string()) {
                *verdicts.entry(result["verdict"].as_str().unwrap_or("none").to_owned()).or_default() += 1;
            }
        }
        let changes = changes(parts).await?;
        let mut written = BTreeMap::<&str, usize>::new();
        for change in changes.iter().filter(|c| c.bucket == "xray-processed" && c.action != Action::Delete) {
            *written.entry(&change.key).or_default() += 1;
        }
        let duplicates = written.values().filter(|times| **times > 1).count();
        let told = results.iter().find(|result| !result["data"]["research"].is_null());
        let told = told.or_else(|| results.iter().find(|result| result["verdict"] != "rejected"));
        let path = match told.or(results.first()) {
            Some(result) => path(parts, result).await,
            None => Vec::new(),
        };
        Ok(Self {
            pictures,
            processed: objects(parts, "xray-processed").await?,
            anonymized: objects(parts, "xray-research").await?,
            verdicts,
            duplicates,
            lost: pictures.saturating_sub(subjects.len()),
            seconds,
            to_zero_seconds,
            path,
            origin,
        })
    }

    fn count(&self, verdict: &str) -> usize {
        self.verdicts.get(verdict).copied().unwrap_or(0)
    }

    pub(super) fn to_zero_seconds(&self) -> f64 {
        self.to_zero_seconds
    }

    /// The contract's last line.
    pub(super) fn summary(&self) -> Value {
        let rounded = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
        json!({"pictures": self.pictures, "processed": self.processed, "pneumonia": self.count("pneumonia"),
            "unsure": self.count("unsure"), "normal": self.count("normal"), "rejected": self.count("rejected"),
            "anonymized": self.anonymized, "duplicates": self.duplicates, "lost": self.lost,
            "seconds": rounded(self.seconds), "toZeroSeconds": rounded(self.to_zero_seconds)})
    }

    pub(super) fn table(&self) -> String {
        let rows = [
            ("pictures put into xray-in", self.pictures.to_string()),
            ("processed, with the result drawn", self.processed.to_string()),
            (
                "  pneumonia / unsure / normal",
                format!("{} / {} / {}", self.count("pneumonia"), self.count("unsure"), self.count("normal")),
            ),
            ("  rejected (no picture)", self.count("rejected").to_string()),
            ("anonymised copies for research", self.anonymized.to_string()),
            ("results written more than once", self.duplicates.to_string()),
            ("lost", self.lost.to_string()),
            ("seconds until the last result", format!("{:.1}", self.seconds)),
            ("seconds from idle to zero", format!("{:.1}", self.to_zero_seconds)),
        ];
        let table = output::table(&[], rows.map(|(name, value)| vec![name.to_owned(), value]));
        format!("{table}\ndemonstration, not for clinical use{}", self.origin)
    }

    pub(super) fn path(&self) -> String {
        self.path.iter().map(|line| format!("     {line}")).collect::<Vec<_>>().join("\n")
    }

    /// Every picture has exactly one result.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let complete = self.lost == 0 && self.duplicates == 0;
        let counted = self.processed + self.count("rejected") as u64 == self.pictures as u64;
        if complete && counted {
            return Ok(());
        }
        let message = format!(
            "{} lost, {} duplicates, {} processed of {}",
            self.lost, self.duplicates, self.processed, self.pictures
        );
        Err(Failure::new(Exit::Failed, code::OTHER, "not every picture has exactly one result").detail(message))
    }
}

async fn objects(parts: &Parts, bucket: &str) -> Result<u64, Failure> {
    let bucket = parts.buckets.buckets().bucket(bucket).await;
    Ok(bucket.map_err(|e| Failure::failed(code::OTHER, "a bucket cannot be read").because(&e))?.objects)
}

/// Everything that happened in the buckets.
async fn changes(parts: &Parts) -> Result<Vec<Change>, Failure> {
    let unreadable =
        |e: &dyn std::error::Error| Failure::failed(code::OTHER, "the change log cannot be read").because(e);
    let log = parts.buckets.buckets().changes();
    let mut changes = Vec::new();
    for mut position in log.start() {
        loop {
            let records = log.read(position, 1_000, 4 << 20).await.map_err(|e| unreadable(&e))?;
            let Some(last) = records.last() else { break };
            position = log.after(last.position);
            for record in &records {
                changes.push(Change::decode(&record.record).map_err(|e| unreadable(&e))?);
            }
        }
    }
    Ok(changes)
}

/// One input, the event it became, and what came of it.
async fn path(parts: &Parts, result: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = |value: &Value| format!("{}/{}", text(&value["bucket"]), text(&value["key"]));
    let data = &result["data"];
    let mut lines = origin(parts, &text(&result["id"])).await;
    let risk = data["risk"].as_f64().map_or_else(|| "none".to_owned(), |risk| format!("{risk:.2}"));
    lines.push(format!("result    {}, risk {risk}", text(&result["verdict"])));
    for (name, field) in [("processed", "processed"), ("research", "research"), ("archive", "archive")] {
        if data[field].is_object() {
            lines.push(format!("{name:9} {}", place(&data[field])));
        }
    }
    lines.push(
        "try next  fnctl demo xray --keep, then: fnctl event list --broker xray, and fnctl event why ID --broker xray"
            .to_owned(),
    );
    lines
}

fn is_event(line: &RawValue, id: &str) -> bool {
    serde_json::from_str::<Value>(line.get()).is_ok_and(|event| event["id"] == id)
}

/// The picture's event whose delivery was answered with this result: where it began, and what each step took.
async fn origin(parts: &Parts, result_id: &str) -> Vec<String> {
    let query = EventQuery { kind: Some(PICTURE.to_owned()), ..EventQuery::default() };
    let Ok(page) = parts.brokers.events(&broker(), &query).await else { return Vec::new() };
    for event in page.events.iter().filter_map(|event| serde_json::from_str::<Value>(event.get()).ok()) {
        let id = event["id"].as_str().unwrap_or_default();
        let Ok(Ok(answers)) = parts.brokers.why(&broker(), id, None).await else { continue };
        let rows = answers.iter().flat_map(|why| &why.triggers);
        let Some(row) = rows.into_iter().find(|row| row.reply.as_ref().is_some_and(|reply| is_event(reply, result_id)))
        else {
            continue;
        };
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let mut lines = vec![
            format!("put       xray-in/{}", text("subject")),
            format!("event     {id}"),
            format!("          accepted {} at position {}", text("acceptedAt"), text("position")),
        ];
        for attempt in &row.attempts {
            let status = attempt.status.map_or_else(|| "no status".to_owned(), |status| status.to_string());
            let instance = attempt.instance.as_deref().unwrap_or("the function");
            lines
                .push(format!("trigger   {}: {instance} answered {status} after {} ms", row.name, attempt.duration_ms));
        }
        return lines;
    }
    Vec::new()
}
