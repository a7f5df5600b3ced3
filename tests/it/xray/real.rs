//! Real films through the whole pipeline. They are too few to say anything about medicine: what the scorer says of them is
//! printed, and only that each has a result is asserted, and that encodings of one film agree.

use super::{Hospital, contents, files, results, stems, text};
use crate::buckets::Client;
use crate::harness::{root, shown};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One radiograph in three encodings, and sixteen JPEGs.
const PICTURES: usize = 19;

/// Fetches the pictures once, into the tools' folder. None where that cannot be done, which is said; in CI it fails.
#[allow(clippy::disallowed_methods, reason = "whether this is CI is a setting of the tests, not of a node")]
fn pictures(client: &Client) -> Option<PathBuf> {
    let folder = client.tools().join("xray-pictures");
    if folder.is_dir() && files(&folder).len() == PICTURES {
        return Some(folder);
    }
    let output =
        Command::new("bash").arg(root().join("examples/xray/pictures.sh")).arg(&folder).output().expect("bash runs");
    if output.status.success() {
        assert_eq!(files(&folder).len(), PICTURES, "{}", shown(&output));
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "the pictures cannot be fetched: {}", shown(&output));
    say(&format!("skipped: the pictures cannot be fetched: {}", shown(&output)));
    None
}

/// Says it past the capture of the test harness, which would swallow the words of a test that passes.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

#[test]
fn real_films_have_one_result_each() {
    let Some(folder) = Client::installed().as_ref().and_then(pictures) else { return };
    let Some(hospital) = Hospital::open("") else { return };
    let put = hospital.put(&folder);
    let events = hospital.results(PICTURES);
    let (archive, processed) = (hospital.list("xray-archive"), hospital.list("xray-processed"));
    assert_eq!(contents(&archive), contents(&put), "the originals, byte by byte");
    assert_eq!(stems(&processed), stems(&archive), "one processed picture for each");
    let keys: BTreeMap<_, _> = put.iter().map(|(key, sum)| (sum, key.as_str())).collect();
    let by_key: BTreeMap<_, _> =
        results(&events).map(|result| (keys[&archive[text(&result["data"]["archive"]["key"])]], result)).collect();
    assert_eq!(by_key.len(), PICTURES);
    assert_eq!(results(&events).count(), PICTURES, "one result for each");
    report(&by_key);
    encodings_agree(&hospital, &folder, &by_key);
}

/// What the scorer said, and of which it was right.
fn report(by_key: &BTreeMap<&str, &Value>) {
    let (mut right, mut unsure, mut wrong) = (0, 0, 0);
    for (key, result) in by_key {
        let (verdict, data) = (text(&result["verdict"]), &result["data"]);
        let size = &data["picture"];
        say(&format!(
            "{key}: {verdict}, risk {:.3}, {} x {}",
            data["risk"].as_f64().unwrap_or(f64::NAN),
            size["width"],
            size["height"]
        ));
        match (verdict, key.starts_with("NORMAL")) {
            _ if key.ends_with(".dcm") => {}
            ("unsure", _) => unsure += 1,
            ("normal", true) | ("pneumonia", false) => right += 1,
            _ => wrong += 1,
        }
    }
    say(&format!("of 16 JPEGs {right} right, {unsure} unsure, {wrong} wrong; demonstration, not for clinical use"));
    assert_eq!(right + unsure + wrong, 16);
}

fn encodings_agree(hospital: &Hospital, folder: &Path, by_key: &BTreeMap<&str, &Value>) {
    let [plain, lossless, lossy] = ["RG1_UNCR.dcm", "RG1_J2KR.dcm", "RG1_J2KI.dcm"].map(|key| {
        assert!(folder.join(key).is_file());
        by_key[key]
    });
    let drawn = hospital.list("xray-processed");
    let drawing = |result: &Value| drawn[text(&result["data"]["processed"]["key"])].clone();
    assert_eq!(plain["data"]["risk"], lossless["data"]["risk"], "lossless is the same picture");
    assert_eq!(drawing(plain), drawing(lossless), "and drawn the same");
    assert_eq!(plain["verdict"], lossy["verdict"]);
    let risk = |result: &Value| result["data"]["risk"].as_f64().expect("a risk");
    assert!((risk(plain) - risk(lossy)).abs() < 0.01, "lossy agrees: {} and {}", risk(plain), risk(lossy));
    assert_ne!(drawing(plain), drawing(lossy), "what is compared is not always the same");
}
