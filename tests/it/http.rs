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
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
