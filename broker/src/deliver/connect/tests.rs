use super::Roots;
use crate::deliver::http::HttpDeliver;
use crate::deliver::http::tests::{answer, parcel};
use crate::deliver::{Deliver as _, Outcome};
use fnctl_config::reach::{Policy, Private};
use fnctl_config::snapshot::Destination;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn adapter(private: Private, roots: Roots) -> HttpDeliver {
    HttpDeliver::new(Policy { private, closed: Vec::new() }, roots)
}

fn no_roots() -> Roots {
    Arc::new(|| Err("this machine has no trusted certificates".to_owned()))
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, rcgen::Certificate) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (Issuer::new(params, key), certificate)
}

fn trusting(authority: &rcgen::Certificate) -> Roots {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let roots = Arc::new(roots);
    Arc::new(move || Ok(Arc::clone(&roots)))
}

/// What a server shows, for `name`, valid until the end of that year.
fn acceptor(authority: &Issuer<'static, KeyPair>, name: &str, until: i32) -> TlsAcceptor {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(until, 12, 31));
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    Arc::new(config).into()
}

/// Delivers once to a subscriber that answers 200, by TLS where there is an acceptor.
async fn deliver(adapter: &HttpDeliver, tls: Option<TlsAcceptor>, ca_certs: Option<String>) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("https://localhost:{}/x", listener.local_addr().unwrap().port());
    let served = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        match tls {
            None => {
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
                String::new()
            }
            // Who does not trust the certificate ends the handshake.
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => answer(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await,
                Err(_) => String::new(),
            },
        }
    };
    let mut parcel = parcel("");
    parcel.destination = Destination::Uri { uri, ca_certs };
    let (outcome, _) = tokio::join!(adapter.deliver(parcel), served);
    outcome
}

fn reason(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_other_side_proves_who_it_is() {
    let (issuer, authority) = authority("known");
    let adapter = adapter(Private::Allowed, trusting(&authority));
    let good = deliver(&adapter, Some(acceptor(&issuer, "localhost", 4000)), None).await;
    assert!(matches!(good, Outcome::Answered(ref answered) if answered.status == 200), "{good:?}");
    let other = reason(deliver(&adapter, Some(acceptor(&issuer, "other.example", 4000)), None).await);
    assert!(
        other.starts_with("the certificate of localhost is not accepted: certificate not valid for name"),
        "{other}"
    );
    let expired = reason(deliver(&adapter, Some(acceptor(&issuer, "localhost", 2001)), None).await);
    assert!(expired.starts_with("the certificate of localhost is not accepted: certificate expired"), "{expired}");
    let plain = reason(deliver(&adapter, None, None).await);
    assert!(plain.starts_with("no TLS with localhost"), "{plain}");
}

#[tokio::test]
async fn a_destination_may_bring_its_authority() {
    let (issuer, stranger) = authority("stranger");
    let (_, known) = authority("known");
    let adapter = adapter(Private::Allowed, trusting(&known));
    let server = || Some(acceptor(&issuer, "localhost", 4000));
    let unknown = reason(deliver(&adapter, server(), None).await);
    assert!(unknown.contains("nobody whom this node trusts signed it"), "{unknown}");
    let brought = deliver(&adapter, server(), Some(stranger.pem())).await;
    assert!(matches!(brought, Outcome::Answered(ref answered) if answered.status == 200), "{brought:?}");
    let still = reason(deliver(&adapter, server(), None).await);
    assert!(still.contains("nobody whom this node trusts signed it"), "only where it was brought: {still}");
}

#[tokio::test]
async fn without_certificates_nobody_is_trusted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let adapter = adapter(Private::Allowed, no_roots());
    assert_eq!(reason(adapter.deliver(parcel(&uri)).await), "this machine has no trusted certificates");
    let (_, known) = authority("known");
    let adapter = self::adapter(Private::Allowed, trusting(&known));
    for broken in ["", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"] {
        let mut parcel = parcel(&uri);
        parcel.destination = Destination::Uri { uri: uri.clone(), ca_certs: Some(broken.to_owned()) };
        let outcome = adapter.deliver(parcel).await;
        let Outcome::Forbidden { reason } = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("CACerts"), "{reason}");
    }
}

#[tokio::test]
async fn spellings_of_forbidden_places_are_forbidden() {
    let adapter = adapter(Private::Refused, no_roots());
    let places = [
        "//127.0.0.1:1/",
        "//[::1]:1/",
        "//[::ffff:127.0.0.1]:1/",
        "//localhost:1/",
        "//0x7f.1:1/",
        "//2130706433:1/",
        "//127.1:1/",
        "//169.254.169.254/latest",
        "//user@example.com/",
    ];
    let of_scheme = |scheme| places.iter().map(move |place| format!("{scheme}:{place}"));
    let more = ["ftp://example.com/", "/relative"].map(str::to_owned);
    for uri in of_scheme("http").chain(of_scheme("https")).chain(more) {
        let outcome = adapter.deliver(parcel(&uri)).await;
        assert!(matches!(outcome, Outcome::Forbidden { .. }), "{uri}: {outcome:?}");
    }
}
