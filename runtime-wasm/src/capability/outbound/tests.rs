use super::{Verdict, told, verdict};
use fnctl_config::reach::Refusal;
use fnctl_config::snapshot::Grants;
use std::error::Error as StdError;
use std::io;
use wasmtime_wasi_http::Error;

#[derive(Debug, thiserror::Error)]
#[error("outer")]
struct Outer(#[source] Box<dyn StdError + Send + Sync>);

#[test]
fn failures_have_the_words_of_wasi() {
    let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
    for (cause, is_expected) in [
        (
            Box::new(Refusal::Metadata) as Box<dyn StdError + Send + Sync>,
            (|error| matches!(error, Error::DestinationIpProhibited)) as fn(&Error) -> bool,
        ),
        (Box::new(certificate), |error| matches!(error, Error::TlsCertificateError)),
        (Box::new(rustls::Error::DecryptError), |error| matches!(error, Error::TlsProtocolError)),
        (Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)), |error| {
            matches!(error, Error::ConnectionRefused)
        }),
        (Box::new(io::Error::from(io::ErrorKind::TimedOut)), |error| matches!(error, Error::ConnectionTimeout)),
        ("no words".into(), |error| matches!(error, Error::InternalError(Some(text)) if text == "outer")),
    ] {
        let error = Outer(cause);
        assert!(is_expected(&told(&error)), "{error:?}: {:?}", told(&error));
    }
}

#[test]
fn grants_are_a_table() {
    for (granted, uri, expected) in [
        (&[][..], "http://example.com/", Verdict::Denied),
        (&["*"], "http://example.com/", Verdict::Public),
        (&["http://example.com"], "http://example.com:80/x?y", Verdict::Named),
        (&["http://example.com"], "http://EXAMPLE.com./", Verdict::Named),
        (&["http://example.com"], "http://example.com:81/", Verdict::Denied),
        (&["http://example.com"], "https://example.com/", Verdict::Denied),
        (&["https://example.com"], "https://example.com:443/", Verdict::Named),
        (&["https://example.com"], "http://example.com:443/", Verdict::Denied),
        (&["http://example.com"], "http://example.com.evil.org/", Verdict::Denied),
        (&["http://10.0.0.5:8080", "*"], "http://10.0.0.5:8080/", Verdict::Named),
        (&["http://10.0.0.5:8080", "*"], "http://10.0.0.6:8080/", Verdict::Public),
        (&["*"], "/no/host", Verdict::Denied),
    ] {
        let outbound = granted.iter().map(|grant| (*grant).to_owned()).collect();
        let grants = Grants { outbound, ..Grants::default() };
        assert_eq!(verdict(&grants, &uri.parse().unwrap()), expected, "{granted:?} {uri}");
    }
}
