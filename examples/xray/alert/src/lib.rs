//! The second trigger's function: it sees only results with the verdict `pneumonia`, says so in its log, and acknowledges.
//! Demonstration, not for clinical use.

use xray_guest::{Request, Response};

/// Logs the alert; 204 with no event.
pub fn handle(request: &Request) -> Response {
    let header = |name| request.header(name).unwrap_or("?");
    if request.method != "POST" || request.header("ce-id").is_none() {
        return Response::text(400, "POST a CloudEvent in binary mode: the header ce-id is missing");
    }
    // Results carry no name: the subject is a digest that only the key's holder can link.
    eprintln!("alert: verdict {} for {} (event {})", header("ce-verdict"), header("ce-subject"), header("ce-id"));
    Response::empty(204)
}

#[cfg(target_family = "wasm")]
mod component {
    use wasip2::http::types::{IncomingRequest, ResponseOutparam};

    struct Alert;

    impl wasip2::exports::http::incoming_handler::Guest for Alert {
        fn handle(request: IncomingRequest, out: ResponseOutparam) {
            xray_guest::serve::serve(&request, out, crate::handle);
        }
    }

    wasip2::http::proxy::export!(Alert);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledges_events_and_refuses_all_else() {
        let headers = vec![("ce-id".to_owned(), "1".to_owned())];
        let event = Request { method: "POST".into(), headers, ..Request::default() };
        assert_eq!(handle(&event), Response::empty(204));
        for refused in [Request { method: "GET".into(), ..event.clone() }, Request { headers: Vec::new(), ..event }] {
            let answer = handle(&refused);
            assert_eq!(answer.status, 400);
            assert!(String::from_utf8_lossy(&answer.body).contains("ce-id"), "{answer:?}");
        }
    }
}
