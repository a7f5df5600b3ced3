//! What a node reaches outside of itself, by https: a trigger's subscriber and a function's request, from a server whose
//! authority stands in the file of `SSL_CERT_FILE`.

use crate::eventing::outcome;
use crate::harness::{Data, Node, root};
use crate::http::send;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// An authority's certificate, PEM, and a server on `localhost` that it vouches for.
fn authority() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(Vec::new()).expect("valid parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("an authority").pem();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("valid parameters");
    let server_key = KeyPair::generate().expect("a key");
    let certificate = server.signed_by(&server_key, &Issuer::new(params, key)).expect("a certificate");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(server_key.serialize_der().into()))
        .expect("a key that fits");
    (authority, Arc::new(config))
}

/// Ends a server's waiting on every way out: a test that fails must not wait for ever for a connection that nobody opens.
struct Over(SocketAddr);

impl Drop for Over {
    fn drop(&mut self) {
        // It may not wait any more.
        let _ = TcpStream::connect(self.0);
    }
}

/// Answers `hi` on one connection, and hands over the head of its request.
fn serve_once(listener: &TcpListener, config: &Arc<ServerConfig>) -> String {
    let (stream, _) = listener.accept().expect("a connection");
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(config)).expect("TLS"), stream);
    let mut read = Vec::new();
    while !read.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).expect("a request by TLS");
        assert!(length > 0, "the request broke off: {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&chunk[..length]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi").expect("an answer");
    stream.conn.send_close_notify();
    stream.flush().expect("the end");
    String::from_utf8(read).expect("a text")
}

#[test]
fn subscribers_and_functions_reach_https() {
    let (authority, config) = authority();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let origin = format!("https://localhost:{}", address.port());
    let data = Data::fresh();
    let trusted = data.path().join("authority.pem");
    std::fs::write(&trusted, authority).expect("the authority is written");
    let mut command = Node::command(&data);
    command.env("SSL_CERT_FILE", &trusted);
    let node = Node::spawn(command, data);
    let component = root().join("examples/guests/fetch.wasm").display().to_string();
    node.apply(
        &format!(
            "
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {{name: default}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {{name: outside}}
spec: {{broker: default, delivery: {{retry: 0}}, subscriber: {{uri: '{origin}/sink'}}}}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {{name: fetch}}
spec: {{template: {{metadata: {{annotations: {{fnctl.dev/outbound: '{origin}'}}}}, spec: {{containers: [{{image: '{component}'}}]}}}}}}
"
        ),
    );
    node.text(&["wait", "trigger/outside", "--for", "condition=Ready"]);
    node.text(&["wait", "ksvc/fetch", "--for", "condition=Ready"]);
    std::thread::scope(|scope| {
        let _ends = Over(address);
        let sink = scope.spawn(|| serve_once(&listener, &config));
        node.json(&["event", "send", "--type", "com.example.out", "--id", "out"]);
        let row = outcome(&node, "out", "outside");
        assert_eq!((&row["outcome"], &row["attempts"][0]["status"]), (&"delivered".into(), &200.into()), "{row}");
        let request = sink.join().expect("the sink was reached");
        assert!(request.starts_with("POST /sink HTTP/1.1\r\n"), "{request}");

        let origin_server = scope.spawn(|| serve_once(&listener, &config));
        let answer = send(&node, &format!("GET / HTTP/1.1\nhost: fetch.default.localhost\nx-url: {origin}/data"), b"");
        assert_eq!((answer.status, answer.body.as_str()), (200, "hi"), "{answer:?}");
        let request = origin_server.join().expect("the origin was reached");
        assert!(request.starts_with("GET /data HTTP/1.1\r\n"), "{request}");
    });
}
