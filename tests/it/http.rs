//! Requests as any client may send them: bytes on a socket, with no library that would make them better than they are.

use crate::harness::Node;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// Whether the last chunk came, where there are chunks.
    pub(crate) is_whole: bool,
}

/// Sends a head, written with plain newlines, and a body of its length; reads until the connection is closed.
pub(crate) fn send(node: &Node, head: &str, body: &[u8]) -> Answer {
    exchange(node.address(), &format!("{head}\ncontent-length: {}", body.len()), body)
}

/// Sends a head, written with plain newlines, and the bytes as they are.
pub(crate) fn exchange(address: &str, head: &str, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the node listens");
    let head = format!("{head}\nconnection: close\n\n").replace('\n', "\r\n");
    stream.write_all(head.as_bytes()).expect("the node reads the head");
    // A node that refuses what it reads may close before it has read all.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("the answer is text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer ({ended:?}): {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    let is_chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked");
    let (body, is_whole) = if is_chunked { unchunked(body) } else { (body.to_owned(), true) };
    Answer { status, head: head.to_owned(), body, is_whole }
}

/// What the chunks hold, and whether the last one came. A function's answer comes in chunks where it did not end in one go,
/// which depends on the load.
fn unchunked(mut rest: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        if size == 0 {
            return (body, true);
        }
        let Some((chunk, after)) = after.split_at_checked(size) else { return (body + after, false) };
        body.push_str(chunk);
        rest = after.strip_prefix("\r\n").unwrap_or_default();
    }
    (body, false)
}
