use super::*;
use http_body_util::BodyExt as _;

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn names_are_unique_and_a_503_says_when_to_come_back() {
    for (n, reason) in Reason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, n);
        assert!(Reason::ALL[..n].iter().all(|other| other.name() != reason.name()), "{reason:?}");
        let unavailable = reason.status() == StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(unavailable, reason.retry_after().is_some(), "{reason:?}");
        assert!(!(unavailable && reason.is_attempt()), "{reason:?}: trying again must be safe");
    }
}

#[tokio::test]
async fn a_refusal_says_why_in_one_line() {
    let response = Refusal::new(Reason::QueueFull, "too\r\nmany").response();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()[REASON_HEADER], "queue-full");
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    assert_eq!(text(response).await, "too  many\n");
    let long = Refusal::new(Reason::Trap, "é".repeat(1_000)).response();
    assert_eq!(text(long).await.len(), DETAIL_BYTES_MAX + 1);
}

#[test]
fn draining_closes_and_a_refused_method_names_the_others() {
    assert_eq!(Refusal::new(Reason::Draining, "").response().headers()[CONNECTION], "close");
    assert!(Refusal::new(Reason::BadMethod, "").response().headers().contains_key(ALLOW));
}

#[test]
fn errors_of_calls_have_their_status() {
    let limit = Duration::from_secs(1);
    for (error, status) in [
        (CallError::Trap("unreachable".into()), 500),
        (CallError::Memory { limit_bytes: 1 }, 500),
        (CallError::Cpu { limit }, 504),
        (CallError::Timeout { limit }, 504),
        (CallError::BadAnswer("none".into()), 502),
        (CallError::Unavailable("full".into()), 503),
    ] {
        assert_eq!(Refusal::from(&error).reason.status(), status, "{error}");
    }
}

#[test]
fn timing_is_in_milliseconds() {
    let timing =
        Timing { queue: Duration::from_micros(1_234), activation: Duration::ZERO, run: Duration::from_micros(7) };
    assert_eq!(timing.header(), "queue;dur=1.234, activation;dur=0.000, run;dur=0.007");
}
