use super::HttpDeliver;
use crate::deliver::{Answered, Deliver as _, Outcome, Parcel};
use crate::event::Event;
use fnctl_config::limits::{ERROR_DATA_BYTES_MAX, REPLY_BYTES_MAX};
use fnctl_config::reach::{Policy, Private};
use fnctl_config::snapshot::{Destination, ObjectKey};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

pub(in crate::deliver) fn parcel(uri: &str) -> Parcel {
    let event = Event::new("1 ü", "/s", "t").unwrap().with("subject", "x").unwrap();
    Parcel {
        event: Arc::new(event.with_data("application/json", "{}").unwrap()),
        destination: Destination::Uri { uri: uri.to_owned(), ca_certs: None },
        timeout: None,
        trigger: ObjectKey::new("default", "t"),
    }
}

/// Reads one request with its body of two bytes, answers, and hands the request over, in lower case.
pub(in crate::deliver) async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, text: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n{}") {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(length) if length > 0 => read.extend_from_slice(&chunk[..length]),
            _ => break,
        }
    }
    // A client that has had enough may hang up.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
    String::from_utf8(read).unwrap().to_ascii_lowercase()
}

/// One delivery to a subscriber that answers with these bytes: the outcome, and the request.
async fn exchange(text: &str) -> (Outcome, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/path?q=1", listener.local_addr().unwrap());
    let adapter = adapter();
    let served = async { answer(listener.accept().await.unwrap().0, text).await };
    tokio::join!(adapter.deliver(parcel(&uri)), served)
}

fn adapter() -> HttpDeliver {
    let roots = Arc::new(|| Err("no https here".to_owned()));
    HttpDeliver::new(Policy { private: Private::Allowed, closed: Vec::new() }, roots)
}

fn answered(outcome: Outcome) -> Answered {
    match outcome {
        Outcome::Answered(answered) => answered,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_event_is_a_post_in_binary_mode() {
    let (outcome, request) = exchange("HTTP/1.1 200 OK\r\ncontent-length: 4\r\nx-y: z\r\n\r\nbody").await;
    let answered = answered(outcome);
    assert_eq!((answered.status, &answered.body[..]), (200, &b"body"[..]));
    assert_eq!(answered.headers["x-y"], "z");
    assert!(request.starts_with("post /path?q=1 http/1.1\r\n"), "{request}");
    for header in [
        "host: 127.0.0.1:",
        "prefer: reply\r\n",
        "content-type: application/json\r\n",
        "content-length: 2\r\n",
        "ce-specversion: 1.0\r\n",
        "ce-id: 1%20%c3%bc\r\n",
        "ce-source: /s\r\n",
        "ce-type: t\r\n",
        "ce-subject: x\r\n",
    ] {
        assert!(request.contains(&format!("\r\n{header}")), "{header} in {request}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = format!("http://{}/", listener.local_addr().unwrap());
    for status in [301, 302, 307, 308] {
        let (outcome, _) =
            exchange(&format!("HTTP/1.1 {status} Moved\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n")).await;
        assert_eq!(answered(outcome).status, status);
    }
    listener.into_std().unwrap().accept().expect_err("nobody came");
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let of = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{}", "x".repeat(length));
    let (outcome, _) = exchange(&of(REPLY_BYTES_MAX)).await;
    assert_eq!(answered(outcome).body.len(), REPLY_BYTES_MAX);
    let (outcome, _) = exchange(&of(REPLY_BYTES_MAX + 1)).await;
    assert!(matches!(outcome, Outcome::Failed { ref reason, .. } if reason.contains("limit")), "{outcome:?}");
}

/// What a refusal says at length, or not to its end, leaves it a refusal.
#[tokio::test]
async fn the_status_of_a_refusal_stands_whatever_its_body() {
    let begin = "x".repeat(ERROR_DATA_BYTES_MAX);
    for (announced, sent) in [(4, 4), (REPLY_BYTES_MAX + 1, REPLY_BYTES_MAX + 1), (9, 4), (2 * REPLY_BYTES_MAX, 5)] {
        let body = "x".repeat(sent);
        let (outcome, _) =
            exchange(&format!("HTTP/1.1 422 Unprocessable\r\ncontent-length: {announced}\r\n\r\n{body}")).await;
        let Answered { status, body, .. } = answered(outcome);
        assert_eq!((status, &body[..sent.min(begin.len())]), (422, &begin.as_bytes()[..sent.min(begin.len())]));
        assert!(body.len() < REPLY_BYTES_MAX, "{} bytes of {sent}", body.len());
    }
}

#[tokio::test]
async fn what_is_no_whole_answer_is_a_failure() {
    for (text, part) in [
        ("", "connection closed"),
        ("nonsense\r\n\r\n", "invalid HTTP"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", "the answer's body"),
    ] {
        let (outcome, _) = exchange(text).await;
        assert!(
            matches!(outcome, Outcome::Failed { ref reason, .. } if reason.contains(part)),
            "{text:?}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn an_attempt_has_a_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut parcel = parcel(&format!("http://{}/", listener.local_addr().unwrap()));
    parcel.timeout = Some(Duration::from_millis(20));
    let outcome = adapter().deliver(parcel).await;
    assert!(matches!(outcome, Outcome::Failed { ref reason, .. } if reason == "no answer within 20ms"), "{outcome:?}");
}
