//! Waits an hour before it answers: only the wall clock can stop it.

use std::io::Write as _;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Guest);
struct Guest;

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        std::thread::sleep(std::time::Duration::from_secs(3600));
        answer(out, "good morning");
    }
}

fn answer(out: ResponseOutparam, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("the first body of this response");
    ResponseOutparam::set(out, Ok(response));
    let mut stream = body.write().expect("the first stream of this body");
    stream.write_all(text.as_bytes()).expect("a client that reads");
    stream.flush().expect("a client that reads");
    drop(stream);
    OutgoingBody::finish(body, None).expect("a body that was written");
}
