//! What a subscriber's answer means: pure. Knative's table with one change: a 2xx with a body that is no event is a
//! delivery, noted for `event why`, unless the trigger is strict.

use super::Outcome;
use crate::event::Event;
use crate::event::http::{self as binding, Message};
use crate::retry::Ended;
use ::http::HeaderMap;
use ::http::header::RETRY_AFTER;
use bytes::Bytes;
use fnctl_config::limits::ERROR_DATA_BYTES_MAX;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Status that stands for an answer which is a 2xx but not a valid one; Knative's.
const BAD_REPLY: u16 = 502;

/// What a 2xx with a body that is no event means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// A delivery.
    Lenient,
    /// A failure, as in Knative.
    Strict,
}

/// What is to be said of an attempt beside its status. It is what the ledger keeps of the words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remark {
    /// Nothing.
    #[default]
    None,
    /// The status is no success.
    Status,
    /// There was no answer.
    Unanswered,
    /// The destination must not be reached, or nobody here serves it.
    Forbidden,
    /// The reply is not a valid event.
    InvalidReply,
    /// The answer's body is no event.
    NoEvent,
    /// The body of a 202 was passed over.
    IgnoredBody,
}

impl Remark {
    /// The words as far as they follow from what is kept.
    pub fn words(self, status: Option<u16>) -> Option<String> {
        const GONE: &str = "the exact words are not kept over a restart";
        match self {
            Self::None => None,
            Self::Status => Some(format!("the subscriber answered {}", status.unwrap_or_default())),
            Self::Unanswered => Some(format!("there was no answer; {GONE}")),
            Self::Forbidden => Some(format!("the destination was not reached; {GONE}")),
            Self::InvalidReply => Some(format!("the reply is not a valid event; {GONE}")),
            Self::NoEvent => Some("the answer's body is no event".to_owned()),
            Self::IgnoredBody => Some(IGNORED_BODY.to_owned()),
        }
    }
}

const IGNORED_BODY: &str = "the body of a 202 is never a reply";

/// An outcome, understood.
#[derive(Clone, Debug)]
pub struct Meaning {
    /// For the retry policy.
    pub ended: Ended,
    /// HTTP status, as it came; none if there was no answer.
    pub status: Option<u16>,
    /// Events to publish.
    pub replies: Vec<Event>,
    /// What a person should know: the error, or a note about a success.
    pub note: Option<String>,
    /// The same for the ledger.
    pub remark: Remark,
    /// Begin of the body of an error, for `knativeerrordata`.
    pub error_data: Bytes,
    /// How long the attempt took.
    pub duration: Duration,
    /// The part of it that was spent waiting for room, or for the function to leave zero.
    pub waited: Duration,
    /// Which instance answered.
    pub instance: Option<String>,
}

/// Understands an outcome at the time `now`.
pub fn meaning(outcome: Outcome, strictness: Strictness, now: Timestamp) -> Meaning {
    let plain = |(ended, remark), note: String, duration| Meaning {
        ended,
        remark,
        status: None,
        replies: Vec::new(),
        error_data: Bytes::copy_from_slice(&note.as_bytes()[..note.len().min(ERROR_DATA_BYTES_MAX)]),
        note: Some(note),
        duration,
        waited: Duration::ZERO,
        instance: None,
    };
    let answered = match outcome {
        Outcome::NotAdmitted { reason } => return plain((Ended::NotAdmitted, Remark::None), reason, Duration::ZERO),
        Outcome::Failed { reason, duration } => {
            return plain((Ended::Unanswered, Remark::Unanswered), reason, duration);
        }
        Outcome::Forbidden { reason } => return plain((Ended::Hopeless, Remark::Forbidden), reason, Duration::ZERO),
        Outcome::Answered(answered) => answered,
    };
    let status = answered.status;
    let mut found = Meaning {
        ended: Ended::Accepted,
        status: Some(status),
        replies: Vec::new(),
        note: None,
        remark: Remark::None,
        error_data: Bytes::new(),
        duration: answered.duration,
        waited: answered.waited,
        instance: answered.instance,
    };
    let mut fail = |status, remark, note: String| {
        found.remark = remark;
        found.ended = Ended::Refused { status, retry_after: retry_after(&answered.headers, now) };
        found.note = Some(note);
        found.error_data = answered.body.slice(..answered.body.len().min(ERROR_DATA_BYTES_MAX));
    };
    if !(200..300).contains(&status) {
        fail(status, Remark::Status, format!("the subscriber answered {status}"));
    } else if status == 202 {
        if !answered.body.is_empty() {
            (found.note, found.remark) = (Some(IGNORED_BODY.to_owned()), Remark::IgnoredBody);
        }
    } else if binding::is_event(&answered.headers) {
        match binding::decode(&answered.headers, &answered.body).map(Message::into_events) {
            Ok(events) => found.replies = events,
            Err(error) => fail(BAD_REPLY, Remark::InvalidReply, format!("the reply is not a valid event: {error}")),
        }
    } else if !answered.body.is_empty() {
        let note = format!("the answer's body of {} bytes is no event", answered.body.len());
        match strictness {
            Strictness::Lenient => (found.note, found.remark) = (Some(note), Remark::NoEvent),
            Strictness::Strict => fail(BAD_REPLY, Remark::NoEvent, note),
        }
    }
    found
}

/// Seconds or an HTTP date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let wait: SignedDuration = at.duration_since(now);
    Some(wait.try_into().unwrap_or(Duration::ZERO))
}
