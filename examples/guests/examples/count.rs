//! Counts its own calls: a fresh instance always says 1. The path `/grow` takes 40 MiB, `/trap` traps.

use std::io::Write as _;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Guest);
struct Guest;

static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let calls = CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        match request.path_with_query().as_deref() {
            Some("/grow") => std::mem::forget(std::hint::black_box(vec![1u8; 40 << 20])),
            Some("/trap") => std::process::abort(),
            _ => {}
        }
        println!("call {calls}");
        answer(out, &calls.to_string());
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
