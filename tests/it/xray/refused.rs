//! What is not a picture that can be scored: said once, not tried again, and nothing stored for it.

use super::{Hospital, created, results, text};
use crate::harness::Data;
use std::collections::BTreeMap;

#[test]
fn what_is_no_picture_is_rejected_with_its_reason() {
    let Some(hospital) = Hospital::open("") else { return };
    let folder = Data::fresh();
    let film = hospital.films(20_000..=20_000, folder.path()).remove(0);
    let whole = std::fs::read(folder.path().join(&film.key)).expect("the film");
    std::fs::remove_file(folder.path().join(&film.key)).expect("the whole film is not put");
    // 10,000 lines of 10,000 pixels, and the tag of the lines hidden.
    let huge = with_number(&with_number(&whole, ROWS, 10_000), COLUMNS, 10_000);
    let table: [(&str, Vec<u8>, &str); 8] = [
        ("empty.dcm", Vec::new(), "neither"),
        ("letter.txt", b"Dear colleague,\nthe film follows.\n".to_vec(), "neither"),
        ("no image.png", b"\x89PNG\r\n\x1a\n and no more".to_vec(), "png data"),
        ("half a film.dcm", whole[..whole.len() / 2].to_vec(), "ends inside"),
        ("only a head.dcm", whole[..200].to_vec(), "ends inside"),
        ("no rows.dcm", with_tag(&whole, ROWS, [0x28, 0, 0x09, 0]), "rows (0028,0010) is missing"),
        ("no pixels.dcm", with_tag(&whole, PIXELS, [0xe1, 0x7f, 0x10, 0]), "pixeldata (7fe0,0010) is missing"),
        ("huge.dcm", huge, "limit is 10000000 pixels"),
    ];
    for (name, bytes, _) in &table {
        std::fs::write(folder.path().join(name), bytes).expect("a file");
    }
    let put = hospital.put(folder.path());
    assert_eq!(put.len(), table.len());
    let events = hospital.results(table.len());
    let mut reasons = BTreeMap::new();
    for notice in created(&events) {
        let rows = hospital.outcomes(text(&notice["id"]), "xray");
        assert_eq!(rows[0]["outcome"], "delivered", "{}", rows[0]);
        let attempts = rows[0]["attempts"].as_array().expect("attempts");
        assert_eq!(attempts.len(), 1, "trying again does not help: {}", rows[0]);
        assert_eq!(attempts[0]["status"], 200, "{}", rows[0]);
        let reply = &rows[0]["reply"]["id"];
        let result = results(&events).find(|result| result["id"] == *reply).expect("the result is an event");
        assert_eq!(result["verdict"], "rejected", "{notice}: {result}");
        assert!(!result.to_string().contains(text(&notice["subject"])), "the key is not told: {result}");
        reasons.insert(text(&notice["subject"]).to_owned(), text(&result["data"]["reason"]).to_owned());
    }
    for (name, _, word) in &table {
        assert!(reasons[*name].to_lowercase().contains(word), "{name} does not say {word:?}: {reasons:#?}");
    }
    for bucket in ["xray-processed", "xray-research", "xray-archive"] {
        assert!(hospital.list(bucket).is_empty(), "{bucket} is empty");
    }
}

const ROWS: [u8; 4] = [0x28, 0, 0x10, 0];
const COLUMNS: [u8; 4] = [0x28, 0, 0x11, 0];
const PIXELS: [u8; 4] = [0xe0, 0x7f, 0x10, 0];

fn at(file: &[u8], tag: [u8; 4]) -> usize {
    file.windows(4).position(|bytes| bytes == tag).expect("the film has this element")
}

fn with_tag(file: &[u8], tag: [u8; 4], other: [u8; 4]) -> Vec<u8> {
    let (mut file, at) = (file.to_vec(), at(file, tag));
    file[at..at + 4].copy_from_slice(&other);
    file
}

fn with_number(file: &[u8], tag: [u8; 4], number: u16) -> Vec<u8> {
    let (mut file, at) = (file.to_vec(), at(file, tag));
    file[at + 8..at + 10].copy_from_slice(&number.to_le_bytes());
    file
}
