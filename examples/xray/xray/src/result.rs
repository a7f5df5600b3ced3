//! The result event: what was found, and where the results are. It carries no personal data: every key in it is keyed.

use crate::flow::{Outcome, Rejected, Research, Scored};
use crate::notification::Notification;
use crate::settings::Settings;
use serde_json::{Value, json};
use xray_guest::Response;
use xray_picture::NOTICE;
use xray_picture::scorer::MODEL;

/// Type of every result event; the verdict is the extension attribute `verdict`, for triggers to filter on.
pub const TYPE: &str = "dev.fnctl.xray.result";
/// The value of `verdict` where there is none.
pub const REJECTED: &str = "rejected";

/// The answer that carries the result event, in binary mode.
pub fn event(settings: &Settings, notification: &Notification, outcome: &Outcome) -> Response {
    let object = &notification.object;
    let secret = &settings.copies.key;
    let (verdict, data) = match outcome {
        Outcome::Scored(scored) => (scored.verdict.word(), of_scored(settings, scored)),
        Outcome::Rejected(reason) => (REJECTED, of_rejected(reason)),
    };
    let mut headers = vec![
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", object.event_id(secret)),
        ("ce-source", format!("/functions/{}", settings.service)),
        ("ce-type", TYPE.to_owned()),
        ("ce-subject", object.digest(secret)),
        ("ce-verdict", verdict.to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    headers.extend(notification.time.clone().map(|time| ("ce-time", time)));
    Response { status: 200, headers, body: data.to_string().into_bytes() }
}

fn of_rejected(reason: &Rejected) -> Value {
    json!({ "notice": NOTICE, "model": MODEL, "verdict": REJECTED, "reason": reason.to_string() })
}

fn of_scored(settings: &Settings, scored: &Scored) -> Value {
    let stored = |bucket: &str, key: &str| json!({ "bucket": bucket, "key": key });
    let mut data = json!({
        "notice": NOTICE,
        "model": MODEL,
        "verdict": scored.verdict,
        "risk": null,
        "picture": { "format": scored.format, "width": scored.size.0, "height": scored.size.1 },
        "processed": stored(&settings.processed, &scored.processed),
        "archive": stored(&settings.archive, &scored.archived),
        "research": null,
    });
    match &scored.score {
        Ok(reading) => {
            data["risk"] = json!(reading.risk);
            data["note"] = json!(reading.note);
            data["features"] = json!(reading.measures);
            data["patch"] = json!(reading.patch.map(|(area, zone)| json!({ "area": area, "zone": zone.to_string() })));
        }
        Err(reason) => data["reason"] = json!(reason.to_string()),
    }
    match &scored.research {
        Research::NotChosen => {}
        Research::Stored(key) => data["research"] = stored(&settings.research, key),
        Research::Refused(why) => data["researchRefused"] = json!(why),
    }
    data
}
