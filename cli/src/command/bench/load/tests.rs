use super::{Load, Until, run};
use axum::Router;
use axum::extract::State;
use http::{StatusCode, Uri};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

type Seen = Arc<Mutex<BTreeSet<String>>>;

/// Answers 500 to each tenth path, and remembers all of them.
async fn answer(State(seen): State<Seen>, uri: Uri) -> StatusCode {
    seen.lock().unwrap().insert(uri.path().to_owned());
    if uri.path().ends_with('0') { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
}

#[tokio::test]
async fn every_request_is_sent_once_and_counted() {
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = axum::serve(listener, Router::new().fallback(answer).with_state(seen.clone()));
    let requests = Arc::new(|number| format!("GET /{number} HTTP/1.1\r\nhost: a\r\n\r\n").into());
    let load = Load { address, connections: 4, until: Until::Requests(5), requests };
    let outcome = tokio::select! {
        outcome = run(load) => outcome.unwrap(),
        _ = std::future::IntoFuture::into_future(server) => unreachable!("a server runs for ever"),
    };
    assert_eq!((outcome.answered, outcome.failed), (18, 2));
    assert_eq!(seen.lock().unwrap().len(), 20);
    assert!(outcome.latency.percentile(1.0) > 0.0);
}

#[tokio::test]
async fn a_server_that_hangs_up_is_a_failure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(|_| "GET / HTTP/1.1\r\nhost: a\r\n\r\n".into());
    let hang_up = async {
        loop {
            drop(listener.accept().await);
        }
    };
    let load = Load { address, connections: 2, until: Until::Requests(3), requests };
    let outcome = tokio::select! {
        outcome = run(load) => outcome.unwrap(),
        () = hang_up => unreachable!("it hangs up for ever"),
    };
    assert_eq!((outcome.answered, outcome.failed), (0, 6));
}
