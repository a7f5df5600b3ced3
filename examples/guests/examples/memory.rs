//! `/write` fills 8 MiB with a pattern, `/read` counts the bytes of 8 MiB of fresh memory that are not zero.

use std::io::Write as _;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Guest);
struct Guest;

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let pages = 128;
        let old = core::arch::wasm32::memory_grow::<0>(pages);
        let (start, length) = (old * (64 << 10), pages * (64 << 10));
        // SAFETY: these pages were just added, and nobody else knows of them.
        let fresh = unsafe { std::slice::from_raw_parts_mut(start as *mut u8, length) };
        if request.path_with_query().as_deref() == Some("/write") {
            fresh.fill(0xa5);
            return answer(out, "written");
        }
        let dirty = fresh.iter().filter(|byte| **byte != 0).count();
        answer(out, &dirty.to_string());
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
