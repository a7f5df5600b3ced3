use super::address::{Policy, Private, Refusal, judge};
use super::answer::{Strictness, meaning};
use super::http::HttpDeliver;
use super::{Answered, Deliver as _, Outcome, Parcel};
use crate::event::Event;
use crate::retry::Ended;
use ::http::{HeaderMap, HeaderName, HeaderValue};
use fnctl_config::snapshot::{Destination, ObjectKey};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
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
fn addresses_that_may_be_reached() {
    let closed = vec!["127.0.0.1:6443".parse().unwrap(), "0.0.0.0:9000".parse().unwrap()];
    let open = Policy { private: Private::Allowed, closed };
    let tight = Policy { private: Private::Refused, ..open.clone() };
    // Address, verdict where private ones are allowed, where they are not.
    type Verdict = Result<(), Refusal>;
    let table: &[(&str, Verdict, Verdict)] = &[
        ("93.184.216.34:80", Ok(()), Ok(())),
        ("[2606:2800:220:1::1]:80", Ok(()), Ok(())),
        ("127.0.0.1:8080", Ok(()), Err(Refusal::Private)),
        ("127.9.9.9:8080", Ok(()), Err(Refusal::Private)),
        ("[::1]:8080", Ok(()), Err(Refusal::Private)),
        ("10.1.2.3:80", Ok(()), Err(Refusal::Private)),
        ("172.16.0.1:80", Ok(()), Err(Refusal::Private)),
        ("172.31.255.255:80", Ok(()), Err(Refusal::Private)),
        ("172.32.0.1:80", Ok(()), Ok(())),
        ("192.168.1.1:80", Ok(()), Err(Refusal::Private)),
        ("100.64.0.1:80", Ok(()), Err(Refusal::Private)),
        ("100.128.0.1:80", Ok(()), Ok(())),
        ("[fd12::1]:80", Ok(()), Err(Refusal::Private)),
        ("[::ffff:10.0.0.1]:80", Ok(()), Err(Refusal::Private)),
        ("[::10.0.0.1]:80", Ok(()), Err(Refusal::Private)),
        ("[2002:a00:1::]:80", Ok(()), Err(Refusal::Private)),
        ("[64:ff9b::a00:1]:80", Ok(()), Err(Refusal::Private)),
        ("[2001:0:1::1]:80", Ok(()), Err(Refusal::Private)),
        ("169.254.169.254:80", Err(Refusal::Metadata), Err(Refusal::Metadata)),
        ("169.254.170.2:80", Err(Refusal::Metadata), Err(Refusal::Metadata)),
        ("100.100.100.200:80", Err(Refusal::Metadata), Err(Refusal::Metadata)),
        ("[fd00:ec2::254]:80", Err(Refusal::Metadata), Err(Refusal::Metadata)),
        ("[fe80::1]:80", Err(Refusal::Metadata), Err(Refusal::Metadata)),
        ("[::ffff:169.254.169.254]:80", Err(Refusal::Metadata), Err(Refusal::Metadata)),
        ("[64:ff9b::a9fe:a9fe]:80", Err(Refusal::Metadata), Err(Refusal::Metadata)),
        ("[2002:a9fe:a9fe::]:80", Err(Refusal::Metadata), Err(Refusal::Metadata)),
        ("0.0.0.0:80", Err(Refusal::NoHost), Err(Refusal::NoHost)),
        ("0.1.2.3:80", Err(Refusal::NoHost), Err(Refusal::NoHost)),
        ("[::]:80", Err(Refusal::NoHost), Err(Refusal::NoHost)),
        ("224.0.0.1:80", Err(Refusal::NoHost), Err(Refusal::NoHost)),
        ("255.255.255.255:80", Err(Refusal::NoHost), Err(Refusal::NoHost)),
        ("[ff02::1]:80", Err(Refusal::NoHost), Err(Refusal::NoHost)),
        ("127.0.0.1:6443", Err(Refusal::Closed), Err(Refusal::Closed)),
        ("127.0.0.2:6443", Err(Refusal::Closed), Err(Refusal::Closed)),
        ("[::1]:6443", Err(Refusal::Closed), Err(Refusal::Closed)),
        ("[::ffff:127.0.0.1]:6443", Err(Refusal::Closed), Err(Refusal::Closed)),
        ("10.0.0.7:9000", Err(Refusal::Closed), Err(Refusal::Closed)),
        ("10.0.0.7:6443", Ok(()), Err(Refusal::Private)),
    ];
    for (address, where_allowed, where_refused) in table {
        let parsed: SocketAddr = address.parse().unwrap();
        assert_eq!(judge(parsed, &open), *where_allowed, "{address}");
        assert_eq!(judge(parsed, &tight), *where_refused, "{address}");
    }
}

#[tokio::test]
async fn spellings_of_forbidden_places_are_forbidden() {
    let adapter = HttpDeliver::new(Policy { private: Private::Refused, closed: Vec::new() });
    let uris = [
        "http://127.0.0.1:1/",
        "http://[::1]:1/",
        "http://[::ffff:127.0.0.1]:1/",
        "http://localhost:1/",
        "http://0x7f.1:1/",
        "http://2130706433:1/",
        "http://127.1:1/",
        "http://169.254.169.254/latest",
        "http://user@example.com/",
        "ftp://example.com/",
        "/relative",
        "https://example.com/",
    ];
    for uri in uris {
        let parcel = Parcel {
            event: Arc::new(Event::new("1", "/s", "t").unwrap()),
            destination: Destination::Uri { uri: uri.to_owned() },
            timeout: None,
            trigger: ObjectKey::new("default", "t"),
        };
        let outcome = adapter.deliver(parcel).await;
        assert!(matches!(outcome, Outcome::Forbidden { .. }), "{uri}: {outcome:?}");
    }
}
