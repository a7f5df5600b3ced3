//! The shell of a component: reads the request, calls the work, writes the answer.

use crate::{Request, Response};
use std::io::{Read as _, Write as _};
use wasip2::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};

/// Largest request body that is read, in bytes: above it the answer is 413. Events are at most 1 MiB.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// Answers one request.
pub fn serve(request: &IncomingRequest, out: ResponseOutparam, work: impl FnOnce(&Request) -> Response) {
    let response = match read(request) {
        Ok(request) => work(&request),
        Err(response) => response,
    };
    write(&response, out);
}

fn read(incoming: &IncomingRequest) -> Result<Request, Response> {
    let headers = incoming.headers().entries().into_iter();
    let headers =
        headers.map(|(name, value)| (name.to_lowercase(), String::from_utf8_lossy(&value).into_owned())).collect();
    let mut body = Vec::new();
    // The stream must be gone before the body it belongs to.
    let content = incoming.consume().map_err(|()| Response::text(400, "the request has no body to read"))?;
    if let Ok(stream) = content.stream() {
        let read = stream.take(BODY_BYTES_MAX + 1).read_to_end(&mut body);
        read.map_err(|error| Response::text(400, format_args!("the request ended early: {error}")))?;
    }
    drop(content);
    if body.len() as u64 > BODY_BYTES_MAX {
        return Err(Response::text(413, format_args!("the body is longer than {BODY_BYTES_MAX} bytes")));
    }
    Ok(Request {
        method: method(incoming.method()),
        target: incoming.path_with_query().unwrap_or_default(),
        headers,
        body,
    })
}

fn method(method: Method) -> String {
    match method {
        Method::Get => "GET".into(),
        Method::Head => "HEAD".into(),
        Method::Post => "POST".into(),
        Method::Other(name) => name,
        other => format!("{other:?}").to_uppercase(),
    }
}

fn write(response: &Response, out: ResponseOutparam) {
    let fields = Fields::new();
    for (name, value) in &response.headers {
        // A value that is no header value is left out rather than answered for with a trap.
        let _ = fields.append(name, value.as_bytes());
    }
    let outgoing = OutgoingResponse::new(fields);
    let _ = outgoing.set_status_code(response.status);
    let Ok(body) = outgoing.body() else { return };
    ResponseOutparam::set(out, Ok(outgoing));
    if let Ok(mut stream) = body.write() {
        // A client that goes away early needs no answer.
        let _ = stream.write_all(&response.body).and_then(|()| std::io::Write::flush(&mut stream));
    }
    let _ = OutgoingBody::finish(body, None);
}
