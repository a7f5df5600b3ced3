use super::*;
use flow::{Outcome, Rejected, Research, Scored};
use std::cell::RefCell;
use std::collections::BTreeMap;
use store::Failure;
use xray_picture::anonymise::Label;
use xray_picture::decode::{Format, PIXELS_MAX, decode};
use xray_picture::phantom::{Kind, Patient, Phantom};
use xray_picture::verdict::Verdict;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const RULES: &str = r#"[{"format":"dicom","manufacturer":"fnctl phantom","rectangles":[[0,0.875,0.44,1]]}]"#;

/// Buckets in memory.
#[derive(Default)]
struct Memory {
    objects: RefCell<BTreeMap<(String, String), Vec<u8>>>,
    /// What it says of every object's size, where that is not what it has.
    size: Option<u64>,
    down: bool,
}

impl Memory {
    fn with(key: &str, bytes: &[u8]) -> Self {
        let memory = Self::default();
        memory.put("xray-in", key, bytes).unwrap();
        memory
    }

    fn keys(&self, bucket: &str) -> Vec<String> {
        self.objects.borrow().keys().filter(|(other, _)| other == bucket).map(|(_, key)| key.clone()).collect()
    }

    fn check(&self, bucket: &str, key: &str) -> Result<(String, String), Failure> {
        let cause = format!("{bucket}/{key} is not reachable");
        let failure = Failure { what: "reach an object", bucket: bucket.into(), cause };
        if self.down { Err(failure) } else { Ok((bucket.to_owned(), key.to_owned())) }
    }
}

impl Store for Memory {
    fn size(&self, bucket: &str, key: &str) -> Result<Option<u64>, Failure> {
        let at = self.check(bucket, key)?;
        Ok(self.objects.borrow().get(&at).map(|bytes| self.size.unwrap_or(bytes.len() as u64)))
    }

    fn get(&self, bucket: &str, key: &str) -> Result<Vec<u8>, Failure> {
        let at = self.check(bucket, key)?;
        Ok(self.objects.borrow()[&at].clone())
    }

    fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<(), Failure> {
        let at = self.check(bucket, key)?;
        self.objects.borrow_mut().insert(at, bytes.to_vec());
        Ok(())
    }
}

fn setting(name: &str) -> Option<String> {
    match name {
        "XRAY_HMAC_KEY" => Some(KEY.into()),
        "XRAY_REGIONS" => Some(RULES.into()),
        _ => None,
    }
}

fn created(raw_key: &str) -> Request {
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1.2"),
        ("ce-source", "aws:s3.local.xray-in"),
        ("ce-type", "com.amazonaws.s3.ObjectCreated:Put"),
        ("content-type", "application/json"),
    ];
    let record = serde_json::json!({
        "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "2026-01-02T03:04:05.678Z",
        "s3": {"bucket": {"name": "xray-in"}, "object": {"key": raw_key, "size": "5", "sequencer": "0055"}},
    });
    Request {
        method: "POST".into(),
        target: "/".into(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: record.to_string().into_bytes(),
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers.iter().find(|(other, _)| *other == name).map_or("", |(_, value)| value)
}

fn film(seed: u64, kind: Kind) -> (Vec<u8>, Patient) {
    let patient = Patient { name: "HOLLOWAY-TEST^GRETA".into(), ..Patient::of_seed(seed) };
    (Phantom::draw(seed, kind, 512).with_text(&patient).to_dicom(&patient), patient)
}

#[test]
fn a_picture_becomes_its_results() {
    for (seed, kind, verdict, copies) in [
        (20_000, Kind::Healthy, "normal", 0),
        (20_009, Kind::Borderline, "unsure", 1),
        (20_007, Kind::Sick, "pneumonia", 0),
    ] {
        let (file, _) = film(seed, kind);
        let memory = Memory::with("film 1.dcm", &file);
        let response = handle(&created("film+1.dcm"), setting, &memory);
        assert_eq!(response.status, 200);
        assert_eq!(header(&response, "ce-type"), "dev.fnctl.xray.result");
        assert_eq!(header(&response, "ce-verdict"), verdict);
        assert_eq!(header(&response, "ce-time"), "2026-01-02T03:04:05.678Z");
        let data: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(data["notice"], "demonstration, not for clinical use");
        assert_eq!(data["verdict"], verdict);
        assert_eq!(data["features"].as_array().unwrap().len(), 5);
        let [processed] = memory.keys("xray-processed").try_into().unwrap();
        assert_eq!(data["processed"]["key"], processed);
        let drawn = decode(&memory.get("xray-processed", &processed).unwrap(), PIXELS_MAX).unwrap().picture;
        assert_eq!((drawn.width(), drawn.height()), (1024, 1256));
        let [archived] = memory.keys("xray-archive").try_into().unwrap();
        assert_eq!(memory.get("xray-archive", &archived).unwrap(), file);
        assert_eq!(memory.get("xray-in", "film 1.dcm").unwrap(), file, "the input is untouched");
        assert_eq!(memory.keys("xray-research").len(), copies);

        // Twice is once.
        let before = memory.objects.borrow().clone();
        assert_eq!(handle(&created("film+1.dcm"), setting, &memory), response);
        assert_eq!(*memory.objects.borrow(), before);
    }
}

#[test]
fn the_research_side_and_the_event_do_not_know_the_patient() {
    let (file, patient) = film(20_009, Kind::Borderline);
    let memory = Memory::with("ward/HOLLOWAY-TEST GRETA 1930.dcm", &file);
    let response = handle(&created("ward/HOLLOWAY-TEST+GRETA%201930.dcm"), setting, &memory);
    let mut outside = response.body.clone();
    outside.extend(response.headers.iter().flat_map(|(_, value)| value.bytes()));
    for bucket in ["xray-research", "xray-processed", "xray-archive"] {
        outside.extend(memory.keys(bucket).concat().bytes());
    }
    let [research] = memory.keys("xray-research").try_into().unwrap();
    outside.extend(memory.get("xray-research", &research).unwrap());
    for word in ["HOLLOWAY", "GRETA", patient.id.as_str(), &patient.birth.replace('-', ""), "1930", "ward", "film"] {
        assert!(!outside.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
}

#[test]
fn the_rule_and_the_limits_are_settings() {
    let (file, _) = film(20_007, Kind::Sick);
    let run = |name: &'static str, value: &'static str| {
        let memory = Memory::with("a", &file);
        let with = |asked: &str| if asked == name { Some(value.to_owned()) } else { setting(asked) };
        let response = handle(&created("a"), with, &memory);
        (header(&response, "ce-verdict").to_owned(), memory.keys("xray-research").len(), response)
    };
    assert_eq!(run("XRAY_RESEARCH", "pneumonia").1, 1);
    assert_eq!(run("XRAY_RESEARCH", "none").1, 0);
    assert_eq!(run("XRAY_PNEUMONIA_ABOVE", "0.99").0, "unsure");
    let refused = run("XRAY_PNEUMONIA_ABOVE", "0.99").2;
    assert!(String::from_utf8_lossy(&refused.body).contains("\"research\":{"));
    for (name, bad) in [
        ("XRAY_RESEARCH", "all"),
        ("XRAY_PNEUMONIA_ABOVE", "0.2"),
        ("XRAY_NORMAL_BELOW", "x"),
        ("XRAY_REGIONS", "[{}]"),
        ("XRAY_REGIONS", r#"[{"format":"png","rectangles":[[0,0,2,1]]}]"#),
        ("XRAY_LABEL", "name"),
        ("XRAY_MEGAPIXELS_MAX", "100"),
        ("XRAY_HMAC_KEY", "secret"),
        ("XRAY_HMAC_KEY", ""),
    ] {
        let (_, _, response) = run(name, bad);
        let words = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, 500, "{name}");
        assert!(words.contains(name) && !words.contains("secret "), "{words}");
    }
}

#[test]
fn a_copy_without_a_rule_is_refused_and_said() {
    let (file, _) = film(20_009, Kind::Borderline);
    let memory = Memory::with("a", &file);
    let response = handle(&created("a"), |name| setting(name).filter(|_| name != "XRAY_REGIONS"), &memory);
    let data: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert!(data["researchRefused"].as_str().unwrap().contains("no rule"));
    assert_eq!(memory.keys("xray-research"), Vec::<String>::new());
    assert_eq!(memory.keys("xray-processed").len(), 1);
}

#[test]
fn what_is_not_a_picture_is_rejected_with_its_reason() {
    let (film, _) = film(20_000, Kind::Healthy);
    let table: [(&[u8], &str); 3] =
        [(b"hello", "neither"), (&film[..film.len() / 2], "the file ends"), (b"", "neither")];
    for (bytes, reason) in table {
        let memory = Memory::with("a", bytes);
        let response = handle(&created("a"), setting, &memory);
        assert_eq!((response.status, header(&response, "ce-verdict")), (200, "rejected"));
        assert!(String::from_utf8_lossy(&response.body).contains(reason));
        assert_eq!(memory.objects.borrow().len(), 1, "nothing is written");
    }
    let gone = handle(&created("gone"), setting, &Memory::default());
    assert!(String::from_utf8_lossy(&gone.body).contains("gone"));
    let own = |name: &str| if name == "XRAY_BUCKET_ARCHIVE" { Some("xray-in".into()) } else { setting(name) };
    let own = handle(&created("a"), own, &Memory::with("a", &film));
    assert!(String::from_utf8_lossy(&own.body).contains("bucket for results"));
}

#[test]
fn a_store_that_fails_is_tried_again_and_names_nobody() {
    let memory = Memory { down: true, ..Memory::default() };
    let response = handle(&created("GRETA.dcm"), setting, &memory);
    assert_eq!((response.status, header(&response, "retry-after")), (503, "1"));
    let words = String::from_utf8_lossy(&response.body).into_owned();
    assert!(words.contains("xray-in") && !words.contains("GRETA"), "{words}");
}

#[test]
fn other_events_are_ignored_and_no_events_refused() {
    let with = |name: &str, value: &str| {
        let mut request = created("a");
        request.headers.retain(|(other, _)| other != name);
        request.headers.push((name.into(), value.into()));
        request
    };
    let status = |request: &Request| handle(request, setting, &Memory::default()).status;
    assert_eq!(status(&with("ce-type", "com.amazonaws.s3.ObjectRemoved:Delete")), 204);
    assert_eq!(status(&with("ce-type", "dev.fnctl.xray.result")), 204);
    assert_eq!(status(&with("ce-type", "com.amazonaws.s3.ObjectCreated:CompleteMultipartUpload")), 200);
    for (name, value) in [("ce-id", ""), ("ce-type", ""), ("ce-source", ""), ("ce-specversion", "0.3")] {
        assert_eq!(status(&with(name, value)), 400, "{name}");
    }
    assert_eq!(status(&Request { method: "GET".into(), ..created("a") }), 400);
    for body in ["", "{}", "[]", r#"{"Records":[]}"#, r#"{"s3":{"bucket":{"name":"a"}}}"#] {
        assert_eq!(status(&Request { body: body.into(), ..created("a") }), 400, "{body}");
    }
}

#[test]
fn keys_are_decoded_once() {
    for (raw, source, key) in [
        ("a+b%2Bc%20d.dcm", "aws:s3", "a b+c d.dcm"),
        ("100%25+%C3%A5.dcm", "minio:s3", "100% å.dcm"),
        ("50%+%2", "aws:s3", "50% %2"),
        ("a+b%2B.dcm", "ceph:s3", "a+b%2B.dcm"),
    ] {
        let mut request = created(raw);
        let body = String::from_utf8(request.body).unwrap().replace("aws:s3", source);
        request.body = format!(r#"{{"Records":[{body}]}}"#).into_bytes();
        let Ok(Notice::Created(notification)) = notification::read(&request) else { panic!("{raw}") };
        assert_eq!((notification.object.key.as_str(), notification.object.sequencer.as_str()), (key, "0055"));
    }
}

#[test]
fn an_object_beyond_the_limit_is_not_read() {
    let reason = |size: u64| {
        let memory = Memory { size: Some(size), ..Memory::with("a", b"hello") };
        let response = handle(&created("a"), setting, &memory);
        let data: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        data["reason"].as_str().unwrap().to_owned()
    };
    let most = flow::OBJECT_BYTES_MAX;
    assert_eq!(most, 48 * 1024 * 1024);
    assert!(reason(most).contains("neither"), "it was read");
    assert_eq!(reason(most + 1), format!("the object has {} bytes, the limit is {most} bytes", most + 1));
}

#[test]
fn nothing_is_made_of_what_was_made_here() {
    for (name, bucket) in [
        ("XRAY_BUCKET_PROCESSED", "xray-processed"),
        ("XRAY_BUCKET_RESEARCH", "xray-research"),
        ("XRAY_BUCKET_ARCHIVE", "xray-archive"),
    ] {
        let settings = Settings::read(setting).unwrap();
        assert!(settings.is_output(bucket), "the default");
        let settings =
            Settings::read(|asked| if asked == name { Some("other".into()) } else { setting(asked) }).unwrap();
        assert!(settings.is_output("other") && !settings.is_output(bucket) && !settings.is_output("xray-in"), "{name}");
    }
}

#[test]
fn settings_that_are_not_given_have_their_defaults() {
    let with = |name: &'static str, value: &'static str| {
        Settings::read(move |asked| if asked == name { Some(value.into()) } else { setting(asked) })
    };
    let default = with("", "").unwrap();
    assert_eq!((default.pixels_max, default.service.as_str()), (10_000_000, "xray"));
    assert_eq!((default.chosen, default.copies.label), (Some(Verdict::Unsure), Label::Number));
    assert_eq!((default.limits.normal_below(), default.limits.pneumonia_above()), (0.60, 0.80));
    assert_eq!(with("XRAY_RESEARCH", " ").unwrap().chosen, Some(Verdict::Unsure), "blank is not given");
    assert_eq!(with("XRAY_RESEARCH", " none ").unwrap().chosen, None);
    assert_eq!(with("XRAY_RESEARCH", "unsure").unwrap().chosen, Some(Verdict::Unsure));
    assert_eq!(with("XRAY_LABEL", "none").unwrap().copies.label, Label::None);
    assert_eq!(with("XRAY_LABEL", " number ").unwrap().copies.label, Label::Number);
    assert_eq!(with("XRAY_NORMAL_BELOW", " 0.7 ").unwrap().limits.normal_below(), 0.7);
    assert_eq!(with("K_SERVICE", "other").unwrap().service, "other");
    for (megapixels, pixels) in
        [("1", Some(1_000_000)), (" 99 ", Some(99_000_000)), ("0", None), ("100", None), ("x", None)]
    {
        let found = with("XRAY_MEGAPIXELS_MAX", megapixels).map(|settings| settings.pixels_max);
        assert_eq!(found.as_ref().ok(), pixels.as_ref(), "{megapixels}");
        assert!(found.err().is_none_or(|wrong| wrong.to_string().ends_with("must be a whole number from 1 to 99")));
    }
}

#[test]
fn a_notification_is_read_as_stores_write_it() {
    let noticed = |kind: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut request = created("a");
        request.headers.iter_mut().filter(|(name, _)| name == "ce-type").for_each(|(_, value)| *value = kind.into());
        let mut record: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        change(&mut record);
        request.body = record.to_string().into_bytes();
        notification::read(&request).unwrap()
    };
    let same = |_: &mut serde_json::Value| {};
    for (kind, is_created) in [
        ("com.amazonaws.s3.ObjectCreated:Put", true),
        ("com.amazonaws.ObjectCreated:Put", true),
        ("com.amazonaws.s3:ObjectCreated:Copy", true),
        ("com.amazonaws.s3.ObjectRemoved:Delete", false),
        ("s3.ObjectCreated:Put", false),
    ] {
        assert_eq!(matches!(noticed(kind, &same), Notice::Created(_)), is_created, "{kind}");
    }
    let read = |change: &dyn Fn(&mut serde_json::Value)| match noticed("com.amazonaws.s3.ObjectCreated:Put", change) {
        Notice::Created(notification) => notification,
        Notice::Ignored => panic!("an object was created"),
    };
    let version = |sequencer, version, etag| {
        let object = serde_json::json!({"key": "a", "sequencer": sequencer, "versionId": version, "eTag": etag});
        read(&move |record| record["s3"]["object"] = object.clone()).object.sequencer
    };
    assert_eq!(version(Some("s"), Some("v"), Some("e")), "s");
    assert_eq!(version(None, Some("v"), Some("e")), "v");
    assert_eq!(version(None, None, Some("e")), "e");
    assert_eq!(version(None, None, None), "");
    for (time, is_time) in [
        ("2026-01-02T03:04:05Z", true),
        ("2026-01-02T03:04:05.123456789+01:00", true),
        ("2026-01-02T03:04:05", false),
        ("2026-01-02T03:04:05.1234567890+01:00", false),
        ("2026-01-02T03:04:05 Greta", false),
    ] {
        let found = read(&|record| record["eventTime"] = time.into()).time;
        assert_eq!(found.as_deref(), Some(time).filter(|_| is_time), "{time}");
    }
}

#[test]
fn the_log_says_what_came_out() {
    let line = |change: &dyn Fn(&mut Scored)| {
        let score = Err(xray_picture::scorer::Degenerate::NoLungs);
        let mut scored = Scored {
            verdict: Verdict::Unsure,
            score,
            format: Format::Png,
            size: (30, 20),
            processed: "p".into(),
            archived: "a".into(),
            research: Research::NotChosen,
        };
        change(&mut scored);
        Outcome::Scored(Box::new(scored)).to_string()
    };
    let reason = xray_picture::scorer::Degenerate::NoLungs.to_string();
    assert_eq!(line(&|_| {}), format!("unsure, no risk: {reason}, png 30 x 20"));
    let stored = line(&|scored| scored.research = Research::Stored("key".into()));
    assert_eq!(stored, format!("unsure, no risk: {reason}, png 30 x 20, copied for research"));
    let refused = line(&|scored| scored.research = Research::Refused("why".into()));
    assert_eq!(refused, format!("unsure, no risk: {reason}, png 30 x 20, not copied for research: why"));
    assert_eq!(Outcome::Rejected(Rejected::Gone).to_string(), "rejected: the object is gone");
}

#[test]
fn an_event_with_several_records_says_how_many() {
    for (count, words) in [(0, "found 0 of them"), (2, "found 2 of them"), (3, "found 3 of them")] {
        let mut request = created("a");
        let record: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        request.body = serde_json::json!({ "Records": vec![record; count] }).to_string().into_bytes();
        let problem = notification::read(&request).unwrap_err().to_string();
        assert_eq!(problem, format!("the data are not one S3 event record: {words}"));
    }
}
