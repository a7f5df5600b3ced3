//! Answers before the end of the request's body. The test's broker reads none of it.

use super::*;
use fnctl_config::limits::UNREAD_BYTES_MAX;
use futures::{StreamExt as _, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use std::convert::Infallible;
use std::task::Poll;

/// An answer that keeps its request to the end, and reads nothing of it.
pub(super) fn holding(request: Request<Body>) -> Body {
    let words = stream::iter([Ok::<_, Infallible>(Frame::data("held".into()))]);
    let end = stream::poll_fn(move |_| {
        let _ = &request;
        Poll::Ready(None)
    });
    Body::stream(StreamBody::new(words.chain(end)))
}

fn post(length: usize, more: &str) -> String {
    format!("POST /-/broker/ns/b HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n{more}\r\n")
}

/// Reads one answer: its head, after its body.
async fn answer(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"broker ns/b") {
        let byte = stream.read_u8().await.unwrap_or_else(|error| panic!("{error} after {read:?}"));
        read.push(byte);
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn a_little_that_nobody_read_does_not_cost_the_connection() {
    let node = Node::default().await;
    let mut stream = node.connect().await;
    let chunked = "POST /-/broker/ns/b HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    let chunks = |count| ["3e8\r\n", &"x".repeat(1000), "\r\n"].concat().repeat(count) + "0\r\n\r\n";
    for (head, body) in [
        (post(10, ""), "x".repeat(10)),
        (post(UNREAD_BYTES_MAX, ""), "x".repeat(UNREAD_BYTES_MAX)),
        (chunked.clone(), chunks(1)),
        (chunked, chunks(100)),
        (post(0, ""), String::new()),
    ] {
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let answer = answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("connection: close"), "{answer}");
    }
    drop(stream);
    node.ended().await;
}

#[tokio::test]
async fn an_answer_before_the_bodys_end_says_that_the_connection_closes() {
    let node = Node::default().await;
    for head in [post(UNREAD_BYTES_MAX + 1, ""), post(10, ""), post(10, "expect: 100-continue\r\n")] {
        let mut stream = node.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close\r\n"), "{head}: {answer}");
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the server has said all");
    }
    node.ended().await;
}

/// A client that sends all before it reads anything, as most do.
#[tokio::test]
async fn a_client_that_sends_much_reads_its_answer_afterwards() {
    let node = Node::default().await;
    let mut stream = node.connect().await;
    let body = vec![b'x'; 32 << 20];
    stream.write_all(post(body.len(), "").as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(stream);
    node.ended().await;
}

#[tokio::test]
async fn an_answer_that_begins_early_does_not_cost_the_connection_either() {
    let node = Node::default().await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(node.connect().await)).await.unwrap();
    let exchange = async {
        for _ in 0..2 {
            let request = Request::post("/-/broker/ns/holds").header("host", "localhost");
            let request = request.body(Body::from(vec![b'x'; UNREAD_BYTES_MAX])).unwrap();
            sender.ready().await.unwrap();
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "held");
        }
    };
    tokio::select! {
        () = exchange => {}
        ended = connection => panic!("the connection ended: {ended:?}"),
    }
    node.ended().await;
}
