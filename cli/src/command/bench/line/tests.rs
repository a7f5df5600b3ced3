use super::{Length, Line, head, written};
use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[test]
fn requests_are_written_with_their_length() {
    let get = Request::get("/a?b").header("host", "h:1").body(Bytes::new()).unwrap();
    assert_eq!(written(&get), "GET /a?b HTTP/1.1\r\nhost: h:1\r\n\r\n");
    let post = Request::post("/").header("host", "h").body(Bytes::from("12345")).unwrap();
    assert_eq!(written(&post), "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\n12345");
}

#[test]
fn heads_tell_where_the_body_ends() {
    for (text, body, closes) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", Length::Bytes(12), false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Length::Chunks, false),
        ("HTTP/1.1 204 No Content\r\n\r\n", Length::Bytes(0), false),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", Length::Bytes(0), true),
        ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n", Length::Bytes(1), true),
        ("HTTP/1.1 200 OK\r\n\r\n", Length::UntilClosed, true),
    ] {
        let head = head(text.as_bytes()).unwrap().unwrap();
        assert_eq!((head.bytes, head.body, head.closes), (text.len(), body, closes), "{text}");
    }
    assert_eq!(head(b"HTTP/1.1 200 OK\r\n").unwrap(), None);
    for bad in ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"] {
        assert!(head(bad.as_bytes()).is_err(), "{bad}");
    }
}

/// Answers one request after the other with these bytes, in two writes, and then hangs up. Each with whether the line takes
/// no request more after it.
async fn exchanges(answers: &[&str]) -> Vec<(Result<StatusCode, std::io::ErrorKind>, bool)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        for answer in answers {
            stream.read_exact(&mut [0; 3]).await.unwrap();
            let (first, second) = answer.split_at(answer.len() / 2);
            for part in [first, second] {
                stream.write_all(part.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    };
    let client = async {
        let mut line = Line::open(address).await.unwrap();
        let mut statuses = Vec::new();
        for _ in answers {
            let status = line.exchange(b"abc").await.map_err(|error| error.kind());
            statuses.push((status, line.is_closed()));
        }
        assert!(line.unread.is_empty());
        statuses
    };
    tokio::join!(client, server).0
}

#[tokio::test]
async fn whole_answers_are_read_and_nothing_of_the_next() {
    let answers = [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\nt: 1\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 500 Internal Server Error\r\n\r\nuntil the end",
    ];
    let statuses = exchanges(&answers).await;
    let expected = [(200, false), (202, false), (204, false), (500, true)];
    assert_eq!(statuses, expected.map(|(code, closed)| (Ok(StatusCode::from_u16(code).unwrap()), closed)));
}

#[tokio::test]
async fn a_cut_answer_is_an_error() {
    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
    ] {
        let (status, closed) = exchanges(&[cut]).await[0];
        assert!(status.is_err() && closed, "{cut}: {status:?}");
    }
}
