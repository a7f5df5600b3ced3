//! The smallest answer: what is measured is the host.

use std::io::Write as _;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Hello);
struct Hello;

impl wasip2::exports::http::incoming_handler::Guest for Hello {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("the first body of this response");
        ResponseOutparam::set(out, Ok(response));
        let mut stream = body.write().expect("the first stream of this body");
        stream.write_all(b"Hello, WASI!").expect("room for a few bytes");
        stream.flush().expect("an open stream");
        drop(stream);
        OutgoingBody::finish(body, None).expect("a body that was written");
    }
}
