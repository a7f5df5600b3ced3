//! Traps before its answer, or after half of it when the path is `/late`; exits when it is `/exit`. Prints first.

use std::io::Write as _;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Guest);
struct Guest;

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        println!("about to trap");
        let path = request.path_with_query().unwrap_or_default();
        if path == "/exit" {
            std::process::exit(1);
        }
        if path == "/late" {
            let response = OutgoingResponse::new(Fields::new());
            let body = response.body().expect("the first body of this response");
            ResponseOutparam::set(out, Ok(response));
            let mut stream = body.write().expect("the first stream of this body");
            // More than the host buffers, so that the head is on its way.
            for _ in 0..16 {
                stream.write_all(&[b'x'; 64 << 10]).expect("a client that reads");
            }
        }
        std::process::abort();
    }
}
