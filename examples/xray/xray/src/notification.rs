//! A CloudEvent in binary mode that carries one S3 notification → the object it is about.

use serde::Deserialize;
use xray_guest::Request;
use xray_picture::names::Object;

/// What an event asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An object is there.
    Created(Notification),
    /// Nothing: an object is gone, or the event is about something else.
    Ignored,
}

/// An object is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Which.
    pub object: Object,
    /// When, as the notification says it.
    pub time: Option<String>,
}

/// The request is no such event. Sending it again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not a POST.
    #[error("events are sent by POST")]
    Method,
    /// A required attribute is missing.
    #[error("the header {0} is missing: events are taken in binary mode")]
    Header(&'static str),
    /// Another version of CloudEvents.
    #[error("the header ce-specversion must be 1.0")]
    Version,
    /// The data are no S3 record.
    #[error("the data are not one S3 event record: {0}")]
    Record(String),
}

/// An S3 event record, as far as it matters here. Stores differ in all else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    event_source: String,
    #[serde(default)]
    event_time: Option<String>,
    s3: S3,
}

#[derive(Deserialize)]
struct S3 {
    bucket: Bucket,
    object: Named,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    key: String,
    sequencer: Option<String>,
    version_id: Option<String>,
    e_tag: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Data {
    Envelope {
        #[serde(rename = "Records")]
        records: Vec<Record>,
    },
    Bare(Record),
}

/// Reads what an event is about.
///
/// # Errors
/// When the request is no CloudEvent in binary mode, or its data are not exactly one record.
pub fn read(request: &Request) -> Result<Notice, Malformed> {
    if request.method != "POST" {
        return Err(Malformed::Method);
    }
    for name in ["ce-specversion", "ce-id", "ce-source", "ce-type"] {
        if request.header(name).is_none_or(str::is_empty) {
            return Err(Malformed::Header(name));
        }
    }
    if request.header("ce-specversion") != Some("1.0") {
        return Err(Malformed::Version);
    }
    // `com.amazonaws.s3.ObjectCreated:Put` by the published mapping; some stores leave out `s3.`.
    let event_type = request.header("ce-type").unwrap_or_default();
    let name = event_type.strip_prefix("com.amazonaws.").unwrap_or_default();
    if !name.trim_start_matches("s3.").trim_start_matches("s3:").starts_with("ObjectCreated") {
        return Ok(Notice::Ignored);
    }
    let record = record(&request.body)?;
    let key = match record.event_source.as_str() {
        // These two write keys into their records as they are; all others encode them as a form does.
        "ceph:s3" | "noobaa:s3" => record.s3.object.key,
        _ => decode(&record.s3.object.key),
    };
    let Named { sequencer, version_id, e_tag, .. } = record.s3.object;
    let sequencer = sequencer.or(version_id).or(e_tag).unwrap_or_default();
    let object = Object { bucket: record.s3.bucket.name, key, sequencer };
    Ok(Notice::Created(Notification { object, time: record.event_time.filter(|time| is_time(time)) }))
}

fn record(body: &[u8]) -> Result<Record, Malformed> {
    // The parser's own words could repeat the key.
    let problem = |_| Malformed::Record("s3.bucket.name and s3.object.key must be there".into());
    match serde_json::from_slice(body).map_err(problem)? {
        Data::Bare(record) => Ok(record),
        Data::Envelope { mut records } => match (records.len(), records.pop()) {
            (1, Some(record)) => Ok(record),
            (count, _) => Err(Malformed::Record(format!("found {count} of them"))),
        },
    }
}

/// `+` is a space, `%` and two digits a byte; what is no such thing stands for itself.
fn decode(key: &str) -> String {
    let bytes = key.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Looks like RFC 3339; anything else has no place in an attribute of an event.
fn is_time(time: &str) -> bool {
    (20..=35).contains(&time.len()) && time.bytes().all(|byte| byte.is_ascii_digit() || b"-:.+TZ".contains(&byte))
}
