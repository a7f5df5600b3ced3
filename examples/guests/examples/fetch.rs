//! Calls the URL in the header `x-url` and answers with what came, or with the error and 502.

use std::io::{Read as _, Write as _};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme,
};

wasip2::http::proxy::export!(Guest);
struct Guest;

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let url = request.headers().get("x-url").into_iter().next().unwrap_or_default();
        let (status, bytes) = match fetch(&String::from_utf8_lossy(&url)) {
            Ok(bytes) => (200, bytes),
            Err(reason) => (502, reason.into_bytes()),
        };
        let response = OutgoingResponse::new(Fields::new());
        response.set_status_code(status).expect("a valid status");
        let body = response.body().expect("the first body of this response");
        ResponseOutparam::set(out, Ok(response));
        let mut stream = body.write().expect("the first stream of this body");
        stream.write_all(&bytes).expect("a client that reads");
        stream.flush().expect("a client that reads");
        drop(stream);
        OutgoingBody::finish(body, None).expect("a body that was written");
    }
}

fn fetch(url: &str) -> Result<Vec<u8>, String> {
    let (scheme, rest) = url.split_once("://").ok_or("no scheme")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let request = OutgoingRequest::new(Fields::new());
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    request.set_scheme(Some(&scheme)).map_err(|()| "a bad scheme")?;
    request.set_authority(Some(authority)).map_err(|()| "a bad authority")?;
    request.set_path_with_query(Some(&format!("/{path}"))).map_err(|()| "a bad path")?;
    let answer = outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
    answer.subscribe().block();
    let answer = answer.get().ok_or("no answer")?.map_err(|()| "taken twice")?.map_err(|error| format!("{error:?}"))?;
    let body = answer.consume().map_err(|()| "a body taken twice")?;
    let mut bytes = Vec::new();
    let mut stream = body.stream().map_err(|()| "a stream taken twice")?;
    stream.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}
