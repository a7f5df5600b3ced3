//! The story by hand: apply, put, list, compare.

use super::{Film, Hospital, contents, created, files, instances, results, stems, text};
use crate::buckets::{self, Objects};
use crate::harness::{Data, Node, shown, until};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A second consumer of everything that happens.
const DISPLAY: &str = "
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: display}
spec: {template: {spec: {containers: [{image: fnctl.local/examples/hello}]}}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: display}
spec:
  broker: xray
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: display}}
";

/// Somebody who hears of what the function writes.
const WRITTEN: &str = "
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: written}
---
apiVersion: sources.fnctl.dev/v1alpha1
kind: BucketSource
metadata: {name: written}
spec:
  bucket: xray-processed
  sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: written}}
";

/// From the put to the processed copy, by one question.
#[test]
fn the_way_of_one_picture_is_told_by_one_why() {
    let Some(hospital) = Hospital::open("") else { return };
    let folder = Data::fresh();
    let films = hospital.films(20_009..=20_009, folder.path());
    until_zero(&hospital);
    hospital.put(folder.path());
    let events = hospital.results(1);
    let notice = created(&events).next().expect("a notice");
    let id = text(&notice["id"]);
    hospital.outcomes(id, "xray");
    let why = hospital.node.json(&["event", "why", id, "--broker", "xray", "--trigger", "xray"]);

    let (event, row) = (&why["event"], &why["triggers"][0]);
    assert_eq!(event["subject"], films[0].key, "the put");
    assert_eq!(event["data"]["s3"]["bucket"]["name"], "xray-in");
    assert!(event["data"]["eventTime"].is_string() && event["acceptedAt"].is_string(), "put and notice: {event}");
    assert_eq!(event["data"]["s3"]["configurationId"], "default/xray-in", "the source: {event}");
    let attempt = &row["attempts"][0];
    assert!(attempt["waitedMs"].is_u64() && attempt["durationMs"].is_u64(), "the wait for an instance: {row}");
    assert_eq!(attempt["instance"], "xray-00001", "the function: {row}");
    for (bucket, copy) in [("xray-processed", "processed"), ("xray-research", "research"), ("xray-archive", "archive")]
    {
        let place = &row["reply"]["data"][copy];
        assert_eq!(place["bucket"], bucket, "what it wrote: {row}");
        assert!(hospital.list(bucket).contains_key(text(&place["key"])), "{place}");
    }
    let said = hospital.node.text(&["event", "why", id, "--broker", "xray", "--trigger", "xray"]);
    assert!(
        said.contains("from xray-00001") && said.contains(text(&row["reply"]["data"]["processed"]["key"])),
        "{said}"
    );
}

#[test]
fn every_picture_has_one_result_and_nobody_is_named() {
    let Some(hospital) = Hospital::open("") else { return };
    let node = &hospital.node;
    node.apply(DISPLAY);
    node.apply(WRITTEN);
    for object in ["trigger/display", "broker/written", "bucketsource/written"] {
        node.text(&["wait", object, "--for", "condition=Ready"]);
    }
    until_zero(&hospital);

    let folder = Data::fresh();
    let films = hospital.films(20_000..=20_099, folder.path());
    let put = hospital.put(folder.path());
    assert_eq!(put.len(), films.len());
    let events = hospital.results(films.len());
    assert!(most_desired(node) > 1, "instances grow with the pictures: {}", node.text(&["describe", "ksvc", "xray"]));

    let rejected: Vec<_> = results(&events).filter(|result| result["verdict"] == "rejected").collect();
    assert!(rejected.is_empty(), "{rejected:?}");

    assert_eq!(hospital.list("xray-in"), put, "the input is untouched");
    let (archive, processed) = (hospital.list("xray-archive"), hospital.list("xray-processed"));
    assert_eq!(contents(&archive), contents(&put), "the originals, byte by byte");
    assert_eq!(stems(&processed), stems(&archive), "one processed picture for each");
    assert_eq!(processed.keys().filter(|key| key.ends_with(".png")).count(), films.len());

    // The archive's bytes say which input a result is about: its keys do not.
    let keys: BTreeMap<_, _> = put.iter().map(|(key, sum)| (sum, key)).collect();
    let mut research = BTreeSet::new();
    for result in results(&events) {
        let input = keys[&archive[text(&result["data"]["archive"]["key"])]];
        let film = films.iter().find(|film| film.key == *input).expect("a film of this key");
        assert_eq!(result["verdict"], film.verdict(), "{input}: {result}");
        assert!(processed.contains_key(text(&result["data"]["processed"]["key"])), "{result}");
        assert_eq!(result["data"]["research"].is_null(), film.verdict() != "unsure", "{input}: {result}");
        research.extend(result["data"]["research"]["key"].as_str().map(str::to_owned));
    }
    let copies = Data::fresh();
    let stored = hospital.client.get(node, "xray-research", copies.path());
    assert_eq!(stored.keys().cloned().collect::<BTreeSet<_>>(), research, "exactly the unsure ones");
    assert_eq!(research.len(), films.iter().filter(|film| film.verdict() == "unsure").count());

    nobody_is_named(&hospital, &films, (folder.path(), copies.path()), &events);
    notices_come_before_results(&hospital, &events);
    everybody_saw_every_event(&hospital, &events);
    until_zero(&hospital);
    results_are_written_once(&hospital, &processed);
}

/// The most instances that the decisions on the function asked for, as people are shown them.
fn most_desired(node: &Node) -> u64 {
    let described = node.text(&["describe", "ksvc", "xray"]);
    let desired = |row: &str| row.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    let decisions = described.lines().skip_while(|line| !line.contains("DESIRED")).skip(1).map_while(desired);
    decisions.max().expect("decisions")
}

/// By what the buckets themselves tell, when all functions rest: a function's write is told of as any other, and each result
/// was written once.
fn results_are_written_once(hospital: &Hospital, processed: &Objects) {
    // A source tells of changes in their order: with the last one here, all are.
    let folder = Data::fresh();
    std::fs::write(folder.path().join("the last one"), "").expect("a file");
    hospital.client.put(&hospital.node, "xray-processed", folder.path());
    let written = until("the notice of the last write", || {
        let mut written = buckets::events(&hospital.node, "written");
        written.pop_if(|event| event["subject"] == "the last one").map(|_| written)
    });
    let mut keys: Vec<_> = written.iter().map(|event| text(&event["subject"])).collect();
    keys.sort_unstable();
    assert_eq!(keys, processed.keys().collect::<Vec<_>>());
    for event in &written {
        assert_eq!(event["type"], "com.amazonaws.s3.ObjectCreated:Put", "{event}");
        assert_eq!(event["data"]["userIdentity"]["principalId"], "function", "{event}");
    }
}

/// At rest nothing runs, and everything is ready.
fn until_zero(hospital: &Hospital) {
    let services = ["xray", "xray-alert", "xray-phantom"];
    until("all functions at zero", || {
        services.iter().all(|service| instances(&hospital.node, service) == 0).then_some(())
    });
    until("zero in the table", || {
        hospital.node.text(&["get", "ksvc", "xray"]).contains(" 0 (scaled to zero)").then_some(())
    });
    let table = hospital.node.text(&["get", "ksvc"]);
    assert!(table.lines().skip(1).all(|row| row.contains("True")), "{table}");
}

/// What a stock client sees of the objects of a bucket, apart from their bytes.
fn listed(hospital: &Hospital, bucket: &str) -> Vec<u8> {
    let output = hospital.client.command(&hospital.node, &["list", bucket]).output().expect("python starts");
    assert!(output.status.success() && output.stdout.windows(8).any(|part| part == b"metadata"), "{}", shown(&output));
    output.stdout
}

fn nobody_is_named(hospital: &Hospital, films: &[Film], (inputs, copies): (&Path, &Path), events: &[Value]) {
    let mut told: Vec<(String, Vec<u8>)> = files(copies)
        .iter()
        .map(|file| ("a copy for research".to_owned(), std::fs::read(file).expect("a copy")))
        .collect();
    for bucket in ["xray-research", "xray-processed", "xray-archive"] {
        told.push((format!("a key or the metadata of {bucket}"), listed(hospital, bucket)));
    }
    for broker in files(&hospital.node.data.path().join("broker")) {
        let ledger = broker.join("ledger");
        let outcomes = if ledger.is_dir() { files(&ledger) } else { Vec::new() };
        told.extend(outcomes.iter().map(|file| ("the ledger".to_owned(), std::fs::read(file).expect("a file"))));
    }
    assert!(told.iter().any(|(what, _)| what == "the ledger"));
    told.extend(results(events).map(|result| ("a result".to_owned(), result.to_string().into_bytes())));
    for service in ["xray", "xray-alert"] {
        told.push((format!("the log of {service}"), hospital.node.text(&["logs", service]).into_bytes()));
    }
    let has =
        |bytes: &[u8], word: &str| bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    let put = listed(hospital, "xray-in");
    for film in films {
        let family = film.patient.split('^').next().expect("a family name");
        let input = std::fs::read(inputs.join(&film.key)).expect("the film");
        assert!(has(&input, family) && has(&input, &film.number), "the search finds what is there");
        assert!(has(&put, family), "also in keys and metadata");
        for (what, bytes) in &told {
            for word in [family, &film.patient, &film.number] {
                assert!(!has(bytes, word), "{what} names {word}");
            }
        }
    }
}

/// A result follows the notice that it answers, and its trigger delivered it at the first attempt.
fn notices_come_before_results(hospital: &Hospital, events: &[Value]) {
    let place = |id: &Value| events.iter().position(|event| event["id"] == *id);
    for notice in created(events) {
        let rows = hospital.outcomes(text(&notice["id"]), "xray");
        assert_eq!(rows.len(), 1, "one notice for each picture: {notice}");
        assert_eq!(rows[0]["outcome"], "delivered", "{notice}: {}", rows[0]);
        assert_eq!(rows[0]["attempts"].as_array().map(Vec::len), Some(1), "{}", rows[0]);
        let reply = place(&rows[0]["reply"]["id"]);
        assert!(reply > place(&notice["id"]), "the result comes after its notice: {}", rows[0]);
    }
}

fn everybody_saw_every_event(hospital: &Hospital, events: &[Value]) {
    for event in events {
        let rows = hospital.outcomes(text(&event["id"]), "display");
        assert!(rows.iter().all(|row| row["outcome"] == "delivered"), "{event}: {rows:?}");
        // The alert's log is read when it has had its events.
        if event["verdict"] == "pneumonia" {
            hospital.outcomes(text(&event["id"]), "xray-alert");
        }
    }
    let (seen, alerts) = (hospital.node.text(&["logs", "display"]), hospital.node.text(&["logs", "xray-alert"]));
    for event in events {
        assert!(seen.contains(&format!("event {} of type", text(&event["id"]))), "the second consumer missed {event}");
        let alerted = event["verdict"] == "pneumonia";
        assert_eq!(alerts.contains(&format!("(event {})", text(&event["id"]))), alerted, "{event}\n{alerts}");
    }
}
