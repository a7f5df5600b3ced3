//! Writes as many lines as the path says, `/1000`, of 100 bytes each, then one to stderr.

use std::io::Write as _;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Guest);
struct Guest;

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let count: u32 = path.trim_start_matches('/').parse().unwrap_or(1);
        for n in 0..count {
            println!("{n:0>99}");
        }
        eprintln!("done");
        answer(out, "logged");
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
