//! Answers synthetic chest films, for the demo: `GET /phantom?seed=20000&kind=sick&size=1024`.
//!
//! `kind` is `healthy`, `borderline` or `sick`; without it the kind follows from `index`: of ten, seven are healthy, two sick
//! and one borderline. `format=png` answers a PNG to look at instead of the DICOM file. Nobody in them is real.

use std::str::FromStr;
use xray_guest::{Request, Response};
use xray_picture::draw::encode_grey;
use xray_picture::phantom::{Kind, Patient, Phantom, SIZES};

/// Side of the film where the query says nothing, in pixels.
const SIZE: usize = 1024;

/// Draws the film that the query asks for.
pub fn handle(request: &Request) -> Response {
    if request.path() != "/phantom" && request.path() != "/" {
        return Response::text(404, "ask for /phantom?seed=20000&kind=sick&size=1024");
    }
    if request.method != "GET" {
        return Response::text(405, "only GET is answered");
    }
    draw(request).unwrap_or_else(|wrong| Response::text(400, wrong))
}

fn draw(request: &Request) -> Result<Response, String> {
    let seed = number(request, "seed")?.unwrap_or(0);
    let kind = match request.parameter("kind") {
        Some(name) => Kind::parse(name).ok_or("kind must be healthy, borderline or sick")?,
        None => Kind::of_index(number(request, "index")?.unwrap_or(seed)),
    };
    let size = number(request, "size")?.unwrap_or(SIZE);
    if !SIZES.contains(&size) {
        return Err(format!("size must be {} to {} pixels", SIZES.start(), SIZES.end()));
    }
    let patient = Patient::of_seed(seed);
    let phantom = Phantom::draw(seed, kind, size).with_text(&patient);
    let (media_type, body) = match request.parameter("format") {
        None | Some("dicom") => ("application/dicom", phantom.to_dicom(&patient)),
        Some("png") => ("image/png", encode_grey(&phantom.picture)),
        Some(_) => return Err("format must be dicom or png".into()),
    };
    let headers = vec![("content-type", media_type.into()), ("x-phantom-kind", kind.name().into())];
    Ok(Response { status: 200, headers, body })
}

fn number<T: FromStr>(request: &Request, name: &str) -> Result<Option<T>, String> {
    request.parameter(name).map(|text| text.parse().map_err(|_| format!("{name} must be a whole number"))).transpose()
}

#[cfg(target_family = "wasm")]
mod component {
    use wasip2::http::types::{IncomingRequest, ResponseOutparam};

    struct Films;

    impl wasip2::exports::http::incoming_handler::Guest for Films {
        fn handle(request: IncomingRequest, out: ResponseOutparam) {
            xray_guest::serve::serve(&request, out, crate::handle);
        }
    }

    wasip2::http::proxy::export!(Films);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str) -> Response {
        handle(&Request { method: "GET".into(), target: target.into(), ..Request::default() })
    }

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn answers_the_film_that_is_asked_for() {
        let film = get("/phantom?seed=20007&kind=sick&size=512");
        assert_eq!((film.status, &film.body[128..132]), (200, b"DICM".as_slice()));
        assert_eq!(header(&film, "content-type"), Some("application/dicom"));
        assert_eq!(film, get("/phantom?seed=20007&index=7&size=512"));
        assert_eq!(film, get("/phantom?seed=20007&size=512&format=dicom"));
        assert_ne!(film.body, get("/phantom?seed=20008&kind=sick&size=512").body);
        let shown = get("/phantom?seed=20007&size=512&format=png");
        assert_eq!(header(&shown, "content-type"), Some("image/png"));
        assert!(shown.body.starts_with(b"\x89PNG"));
        for (target, kind) in [
            ("/phantom?seed=20000&size=512", "healthy"),
            ("/phantom?seed=20009&size=512", "borderline"),
            ("/phantom?seed=20009&index=8&size=512", "sick"),
            ("/phantom?seed=20009&index=8&kind=healthy&size=512", "healthy"),
        ] {
            assert_eq!(header(&get(target), "x-phantom-kind"), Some(kind), "{target}");
        }
        assert_eq!(get("/").body, get("/phantom?seed=0&kind=healthy&size=1024").body, "what is not said");
    }

    #[test]
    fn only_get_is_answered() {
        let target = "/phantom?size=512".to_owned();
        assert_eq!(handle(&Request { method: "POST".into(), target, ..Request::default() }).status, 405);
    }

    #[test]
    fn names_what_is_wrong_with_the_query() {
        for (target, status, word) in [
            ("/other", 404, "/phantom"),
            ("/phantom?size=100", 400, "size"),
            ("/phantom?size=100000", 400, "size"),
            ("/phantom?seed=x", 400, "seed"),
            ("/phantom?kind=x", 400, "kind"),
            ("/phantom?format=x", 400, "format"),
        ] {
            let answer = get(target);
            assert_eq!(answer.status, status, "{target}");
            assert!(String::from_utf8_lossy(&answer.body).contains(word), "{target}");
        }
    }
}
