use super::answer::{Remark, Strictness, meaning};
use super::{Answered, Outcome};
use crate::retry::Ended;
use ::http::{HeaderMap, HeaderName, HeaderValue};
use fnctl_config::limits::ERROR_DATA_BYTES_MAX;
use jiff::Timestamp;
use std::time::Duration;

const EVENT: &[(&str, &str)] = &[("ce-specversion", "1.0"), ("ce-id", "r"), ("ce-source", "/s"), ("ce-type", "reply")];

fn answered(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Outcome {
    let header =
        |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    let headers: HeaderMap = headers.iter().map(header).collect();
    Outcome::Answered(Answered {
        status,
        headers,
        body: body.into(),
        duration: Duration::ZERO,
        waited: Duration::ZERO,
        instance: None,
    })
}

#[test]
fn what_answers_mean() {
    let refused = |status| Ended::Refused { status, retry_after: None };
    let broken: &[_] = &[("ce-specversion", "1.0"), ("ce-id", "r")];
    let json: &[_] = &[("content-type", "application/cloudevents+json")];
    // Outcome, meaning when lenient, when strict, number of replies.
    let table = [
        (answered(200, &[], ""), Ended::Accepted, Ended::Accepted, 0),
        (answered(204, &[], ""), Ended::Accepted, Ended::Accepted, 0),
        (answered(200, EVENT, "data"), Ended::Accepted, Ended::Accepted, 1),
        (answered(200, EVENT, ""), Ended::Accepted, Ended::Accepted, 1),
        (answered(202, EVENT, "data"), Ended::Accepted, Ended::Accepted, 0),
        (answered(200, &[], "hello"), Ended::Accepted, refused(502), 0),
        (answered(200, broken, ""), refused(502), refused(502), 0),
        (answered(200, json, "{"), refused(502), refused(502), 0),
        (answered(301, &[], ""), refused(301), refused(301), 0),
        (answered(500, EVENT, "data"), refused(500), refused(500), 0),
        (Outcome::NotAdmitted { reason: "full".to_owned() }, Ended::NotAdmitted, Ended::NotAdmitted, 0),
        (
            Outcome::Failed { reason: "reset".to_owned(), duration: Duration::ZERO },
            Ended::Unanswered,
            Ended::Unanswered,
            0,
        ),
        (Outcome::Forbidden { reason: "no".to_owned() }, Ended::Hopeless, Ended::Hopeless, 0),
    ];
    for (outcome, lenient, strict, replies) in table {
        let found = meaning(outcome.clone(), Strictness::Lenient, Timestamp::UNIX_EPOCH);
        assert_eq!((found.ended, found.replies.len()), (lenient, replies), "{outcome:?}");
        assert_eq!(meaning(outcome.clone(), Strictness::Strict, Timestamp::UNIX_EPOCH).ended, strict, "{outcome:?}");
    }
    let noted = meaning(answered(200, &[], "hello"), Strictness::Lenient, Timestamp::UNIX_EPOCH);
    assert_eq!(noted.note.as_deref(), Some("the answer's body of 5 bytes is no event"));
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let table = [("120", Some(120)), ("Thu, 01 Jan 1970 00:00:30 GMT", Some(30)), ("soon", None), ("-1", None)];
    for (text, seconds) in table {
        let found = meaning(answered(503, &[("retry-after", text)], ""), Strictness::Lenient, Timestamp::UNIX_EPOCH);
        let Ended::Refused { retry_after, .. } = found.ended else { panic!("{found:?}") };
        assert_eq!(retry_after, seconds.map(Duration::from_secs), "{text}");
    }
}

#[test]
fn what_is_kept_of_an_answer_is_bounded_and_named() {
    let understood = |outcome| meaning(outcome, Strictness::Lenient, Timestamp::UNIX_EPOCH);
    let failed = |reason: &str| Outcome::Failed { reason: reason.to_owned(), duration: Duration::from_millis(7) };
    let broken: &[_] = &[("ce-specversion", "1.0"), ("ce-id", "r")];
    // Outcome, status, remark, note and what a dead-letter sink is told.
    for (outcome, status, remark, note, data) in [
        (answered(200, &[], ""), Some(200), Remark::None, None, ""),
        (answered(200, EVENT, "data"), Some(200), Remark::None, None, ""),
        (answered(202, &[], ""), Some(202), Remark::None, None, ""),
        (answered(202, &[], "x"), Some(202), Remark::IgnoredBody, Some("the body of a 202 is never a reply"), ""),
        (answered(200, &[], "x"), Some(200), Remark::NoEvent, Some("the answer's body of 1 bytes is no event"), ""),
        (answered(200, broken, "x"), Some(200), Remark::InvalidReply, Some("the reply is not a valid event: "), "x"),
        (answered(199, &[], "x"), Some(199), Remark::Status, Some("the subscriber answered 199"), "x"),
        (answered(300, &[], "x"), Some(300), Remark::Status, Some("the subscriber answered 300"), "x"),
        (failed("reset"), None, Remark::Unanswered, Some("reset"), "reset"),
        (Outcome::Forbidden { reason: "no".to_owned() }, None, Remark::Forbidden, Some("no"), "no"),
        (Outcome::NotAdmitted { reason: "full".to_owned() }, None, Remark::None, Some("full"), "full"),
    ] {
        let found = understood(outcome.clone());
        assert_eq!(
            (found.status, found.remark, &found.error_data[..]),
            (status, remark, data.as_bytes()),
            "{outcome:?}"
        );
        let begins = found.note.as_deref().zip(note).is_some_and(|(found, note)| found.starts_with(note));
        assert!(begins || (found.note.is_none() && note.is_none()), "{outcome:?}: {:?}", found.note);
    }
    assert_eq!(understood(failed("x")).duration, Duration::from_millis(7));
    let long = |length: usize| understood(failed(&"x".repeat(length))).error_data.len();
    let most = ERROR_DATA_BYTES_MAX;
    assert_eq!([long(most - 1), long(most), long(most + 1)], [most - 1, most, most]);
    let body = |length: usize| {
        let Outcome::Answered(answered) = answered(500, &[], "") else { unreachable!() };
        understood(Outcome::Answered(Answered { body: vec![b'x'; length].into(), ..answered })).error_data.len()
    };
    assert_eq!([body(most - 1), body(most), body(most + 1)], [most - 1, most, most]);
}

#[test]
fn what_is_said_of_an_attempt_after_a_restart() {
    let kept = |words: &str| Some(format!("{words}; the exact words are not kept over a restart"));
    for (remark, words) in [
        (Remark::None, None),
        (Remark::Status, Some("the subscriber answered 503".to_owned())),
        (Remark::Unanswered, kept("there was no answer")),
        (Remark::Forbidden, kept("the destination was not reached")),
        (Remark::InvalidReply, kept("the reply is not a valid event")),
        (Remark::NoEvent, Some("the answer's body is no event".to_owned())),
        (Remark::IgnoredBody, Some("the body of a 202 is never a reply".to_owned())),
    ] {
        assert_eq!(remark.words(Some(503)), words, "{remark:?}");
    }
}
