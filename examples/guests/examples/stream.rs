//! 1 MiB in 16 chunks. With the path `/trap` a trap instead of the last one, with `/short` no end of the body.

use std::io::Write as _;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Guest);
struct Guest;

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("the first body of this response");
        ResponseOutparam::set(out, Ok(response));
        let mut stream = body.write().expect("the first stream of this body");
        let chunk = vec![b'x'; 64 << 10];
        for n in 0..16 {
            if path == "/trap" && n == 15 {
                std::process::abort();
            }
            stream.write_all(&chunk).expect("a client that reads");
        }
        stream.flush().expect("a client that reads");
        drop(stream);
        if path != "/short" {
            OutgoingBody::finish(body, None).expect("a body that was written");
        }
    }
}
