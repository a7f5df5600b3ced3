use super::*;
use http::Request;

fn parts(target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

#[test]
fn host_is_there_once_valid_and_agrees_with_the_authority() {
    for (target, headers, expected) in [
        ("/", &[("host", "Hello.Default.localhost:8080")][..], Ok("hello.default.localhost")),
        ("http://a.b:80/", &[], Ok("a.b")),
        ("http://a.b/", &[("host", "A.B")], Ok("a.b")),
        ("http://a.b/", &[("host", "c.d")], Err(Reason::BadRequest)),
        ("http://user@a.b/", &[], Err(Reason::BadRequest)),
        ("/", &[], Err(Reason::BadRequest)),
        ("/", &[("host", "a"), ("host", "a")], Err(Reason::BadRequest)),
        ("/", &[("host", "a b")], Err(Reason::BadRequest)),
        ("/", &[("host", "é")], Err(Reason::BadRequest)),
        ("*", &[("host", "a")], Err(Reason::BadRequest)),
    ] {
        let parts = parts(target, headers);
        let host = check(&parts);
        assert_eq!(host.as_deref().map_err(|refusal| refusal.reason), expected, "{target} {headers:?}");
    }
}

#[test]
fn heads_beyond_the_limits_are_refused() {
    let long = format!("/{}", "a".repeat(URI_BYTES_MAX));
    assert_eq!(check(&parts(&long, &[("host", "a")])).unwrap_err().reason, Reason::UriTooLong);
    assert!(check(&parts(&long[1..], &[("host", "a")])).is_err(), "no path at all");
    assert_eq!(check(&parts(&long[..URI_BYTES_MAX], &[("host", "a")])).as_deref(), Ok("a"), "exactly full is taken");
    let many = vec![("x", "y"); HEADERS_MAX];
    let mut crowd = parts("/", &many);
    crowd.headers.insert(HOST, HeaderValue::from_static("a"));
    assert_eq!(check(&crowd).unwrap_err().reason, Reason::HeadersTooMany);
    let mut most = parts("/", &many[1..]);
    most.headers.insert(HOST, HeaderValue::from_static("a"));
    assert_eq!(check(&most).as_deref(), Ok("a"));
    for method in [Method::CONNECT, Method::TRACE] {
        let mut parts = parts("/", &[("host", "a")]);
        parts.method = method;
        assert_eq!(check(&parts).unwrap_err().reason, Reason::BadMethod);
    }
}

/// The headers that reach a function which was asked by 10.0.0.9 as host `h`.
fn reached(headers: &[(&str, &str)]) -> Vec<String> {
    let mut parts = parts("/", &[("host", "h")]);
    for (name, value) in headers {
        parts.headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    rewrite(&mut parts, &Peer::new([10, 0, 0, 9].into()));
    let text = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
    let mut headers: Vec<String> = parts.headers.iter().map(text).collect();
    headers.sort();
    headers
}

fn check_reached(headers: &[(&str, &str)], expected: &[&str]) {
    let mut all = vec!["host: h", "x-forwarded-host: h", "x-forwarded-proto: http"];
    if !expected.iter().any(|header| header.starts_with("x-forwarded-for")) {
        all.extend(["forwarded: for=10.0.0.9;host=h;proto=http", "x-forwarded-for: 10.0.0.9"]);
    }
    all.extend(expected);
    all.sort_unstable();
    assert_eq!(reached(headers), all, "{headers:?}");
}

#[test]
fn what_belongs_to_one_connection_goes() {
    check_reached(&[("connection", "close"), ("keep-alive", "5"), ("te", "trailers"), ("upgrade", "h2c")], &[]);
    check_reached(&[("transfer-encoding", "chunked"), ("proxy-authorization", "x"), ("proxy-connection", "x")], &[]);
    check_reached(
        &[("connection", "close, X-Secret"), ("connection", "x-other"), ("x-secret", "1"), ("x-other", "2")],
        &[],
    );
    check_reached(&[("connection", "host, content-length"), ("content-length", "0")], &["content-length: 0"]);
}

#[test]
fn what_only_the_platform_may_say_goes() {
    check_reached(&[("k-network-probe", "queue"), ("knative-serving-revision", "x"), ("x-fnctl-reason", "y")], &[]);
    check_reached(&[("x-forwarded-host", "evil"), ("x-forwarded-proto", "https"), ("forwarded", "for=evil")], &[]);
    check_reached(&[("x-forwarded-prefix", "/evil")], &[]);
    check_reached(
        &[("ce-id", "1"), ("kind", "k"), ("authorization", "b")],
        &["authorization: b", "ce-id: 1", "kind: k"],
    );
}

#[test]
fn the_way_it_came_is_appended() {
    check_reached(
        &[("x-forwarded-for", "1.2.3.4, ::1"), ("x-forwarded-for", "a;host=b")],
        &[
            "x-forwarded-for: 1.2.3.4, ::1, a;host=b, 10.0.0.9",
            "forwarded: for=1.2.3.4;host=h;proto=http, for=\"[::1]\", for=unknown, for=10.0.0.9",
        ],
    );
    assert_eq!(Peer::new("::ffff:1.2.3.4".parse().unwrap()).forwarded_for, "1.2.3.4");
}

#[test]
fn a_host_with_a_port_is_quoted_and_an_authority_becomes_the_host() {
    let mut parts = parts("http://a.b:8080/", &[("x-forwarded-for", "[::1], 1.2.3.4")]);
    rewrite(&mut parts, &Peer::new([10, 0, 0, 9].into()));
    for (name, value) in [
        ("host", "a.b:8080"),
        ("x-forwarded-host", "a.b:8080"),
        ("forwarded", "for=\"[::1]\";host=\"a.b:8080\";proto=http, for=1.2.3.4, for=10.0.0.9"),
    ] {
        assert_eq!(parts.headers.get(name).unwrap(), value, "{name}");
    }
}

#[test]
fn an_answer_keeps_what_the_platform_may_say_but_for_our_own() {
    let names =
        ["connection", "x-named", "te", "k-revision", "forwarded", "x-fnctl-reason", "x-forwarded-host", "etag"];
    let mut headers: HeaderMap =
        names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("x-named"))).collect();
    strip(&mut headers, Direction::Answer);
    let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["etag", "forwarded", "k-revision", "x-forwarded-host"]);
}
