//! Says hello over HTTP, and takes CloudEvents: a POST that carries one is logged and answered with 200.

use std::io::{Read as _, Write as _};
use wasip2::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Hello);
struct Hello;

impl wasip2::exports::http::incoming_handler::Guest for Hello {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let event = header(&request, "ce-id").filter(|_| matches!(request.method(), Method::Post));
        let text = match event {
            Some(id) => {
                let kind = header(&request, "ce-type").unwrap_or_default();
                let source = header(&request, "ce-source").unwrap_or_default();
                println!("event {id} of type {kind} from {source}: {} bytes", body_length(&request));
                String::new()
            }
            None => format!("Hello, {}!\n", std::env::var("TARGET").unwrap_or_else(|_| "world".to_owned())),
        };
        answer(out, text.as_bytes());
    }
}

fn header(request: &IncomingRequest, name: &str) -> Option<String> {
    let value = request.headers().get(name).into_iter().next()?;
    String::from_utf8(value).ok()
}

fn body_length(request: &IncomingRequest) -> usize {
    let mut bytes = Vec::new();
    if let Ok(body) = request.consume()
        && let Ok(mut stream) = body.stream()
    {
        // A client that goes away ends the stream early; what came is what is counted.
        let _ = stream.read_to_end(&mut bytes);
    }
    bytes.len()
}

fn answer(out: ResponseOutparam, text: &[u8]) {
    let headers = Fields::new();
    headers.append("content-type", b"text/plain; charset=utf-8").expect("a header that guests may set");
    let response = OutgoingResponse::new(headers);
    let body = response.body().expect("the first body of this response");
    ResponseOutparam::set(out, Ok(response));
    if !text.is_empty() {
        let mut stream = body.write().expect("the first stream of this body");
        stream.write_all(text).expect("room for a few bytes");
        stream.flush().expect("an open stream");
    }
    OutgoingBody::finish(body, None).expect("a body that was written");
}
