use super::answer::{Strictness, meaning};
use super::{Answered, Outcome};
use crate::retry::Ended;
use ::http::{HeaderMap, HeaderName, HeaderValue};
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
