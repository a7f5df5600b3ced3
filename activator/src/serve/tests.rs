mod unread;

use super::*;
use crate::activator::tests::activator;
use crate::activator::{Activator, Settings};
use crate::provider::fake::Script;
use crate::respond::REASON_HEADER;
use futures::FutureExt as _;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

const HOST: &str = "f.ns.localhost";
/// Header of an ingress's answer: the thread that it ran on.
const THREAD: &str = "x-thread";

/// A server with function `ns/f` on a free port of loopback.
struct Node {
    address: SocketAddr,
    script: Arc<Script>,
    activator: Activator,
    stop: Option<oneshot::Sender<()>>,
    running: JoinSet<()>,
}

#[derive(Debug)]
struct Ingress;

impl EventIngress for Ingress {
    fn ingest(&self, broker: ObjectKey, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        async move {
            if broker.name == "holds" {
                return Response::new(unread::holding(request));
            }
            let thread = std::thread::current().name().unwrap_or_default().to_owned();
            let mut response = Response::new(Body::from(format!("broker {broker}")));
            response.headers_mut().insert(THREAD, thread.parse().unwrap());
            response
        }
        .boxed()
    }
}

impl Node {
    async fn new(settings: ServerSettings) -> Self {
        let (activator, script) = activator(Settings::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = Server::new(listener, activator.clone(), settings);
        let address = server.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut running = JoinSet::new();
        running.spawn(server.run(async {
            _ = stopped.await;
        }));
        Self { address, script, activator, stop: Some(stop), running }
    }

    async fn default() -> Self {
        Self::new(ServerSettings {
            hosts: vec!["Node.Example:8080".into()],
            events: Some(Arc::new(Ingress)),
            ..Default::default()
        })
        .await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends one request on a connection of its own: status, headers, body.
    async fn get(&self, host: &str, path: &str) -> (StatusCode, HeaderMap, String) {
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.connect().await)).await.unwrap();
        let request = Request::builder().uri(path).header("host", host).body(Body::empty()).unwrap();
        let exchange = async {
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
        };
        tokio::select! {
            answer = exchange => answer,
            ended = connection => panic!("the connection ended: {ended:?}"),
        }
    }

    /// Sends bytes, and reads until the server hangs up.
    async fn raw(&self, bytes: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Waits until this many calls run.
    async fn until_running(&self, count: u32) {
        while self.script.running() != count {
            tokio::task::yield_now().await;
        }
    }

    fn stop(&mut self) {
        self.stop.take();
    }

    async fn ended(mut self) {
        self.stop();
        self.running.join_next().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn http1_and_http2_on_one_port() {
    let node = Node::default().await;
    let (status, headers, body) = node.get(HOST, "/").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "hello"));
    assert!(headers.contains_key("server-timing"));

    let io = TokioIo::new(node.connect().await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let requests = async {
        let request = |n: usize| {
            let uri = format!("http://{HOST}/{n}");
            Request::post(uri).body(Body::from(format!("body {n}"))).unwrap()
        };
        let streams: Vec<_> = (0..20).map(|n| sender.send_request(request(n))).collect();
        for (n, answer) in futures::future::join_all(streams).await.into_iter().enumerate() {
            let body = answer.unwrap().into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, format!("body {n}"));
        }
    };
    tokio::select! {
        () = requests => {}
        ended = connection => panic!("the connection ended: {ended:?}"),
    }
    node.ended().await;
}

#[tokio::test]
async fn reserved_paths_answer_on_the_nodes_own_hosts_only() {
    let node = Node::default().await;
    for (host, path, status, body) in [
        ("localhost:8080", "/-/healthz", 200, "ok\n"),
        ("127.0.0.1", "/-/function/ns/f", 200, "hello"),
        ("[::1]:80", "/-/broker/ns/b", 200, "broker ns/b"),
        ("node.example", "/-/healthz", 200, "ok\n"),
        (HOST, "/-/healthz", 200, "hello"),
        ("evil.example", "/-/healthz", 403, ""),
        ("evil.example", "/-/broker/ns/b", 403, ""),
        ("x.localhost", "/-/function/ns/f", 403, ""),
        ("evil.example", "/", 404, ""),
        ("localhost", "/", 404, ""),
        ("localhost", "/-/function/ns/g", 404, ""),
        ("localhost", "/-/x", 404, ""),
    ] {
        let answer = node.get(host, path).await;
        assert_eq!(answer.0, status, "{host} {path}: {}", answer.2);
        let reason = answer.1.get(REASON_HEADER);
        assert_eq!(reason.is_some(), status >= 400, "{host} {path}");
        assert!(status >= 400 || answer.2 == body, "{host} {path}: {}", answer.2);
    }
    assert_eq!(node.script.calls(), ["/-/healthz"], "a function's own host has no reserved paths");
    node.get("localhost", "/-/function/ns/f/a/b?c").await;
    assert_eq!(node.script.calls()[1], "/a/b?c");
    node.ended().await;
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let node = Node::default().await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\nconnection: close", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close", 400),
        ("GET http://a/ HTTP/1.1\r\nhost: b\r\nconnection: close", 400),
        ("TRACE / HTTP/1.1\r\nhost: a\r\nconnection: close", 405),
        ("CONNECT a:1 HTTP/1.1\r\nhost: a\r\nconnection: close", 405),
        ("OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close", 400),
        ("PRIXY / HTTP/1.1\r\nhost: a\r\nconnection: close", 404),
        ("no http", 400),
    ] {
        let answer = node.raw(&format!("{head}\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head:?}: {answer:?}");
    }
    let huge =
        format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(fnctl_config::limits::HEADER_BYTES_MAX));
    let answer = node.raw(&huge).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer:?}");
    node.ended().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_call() {
    let node = Node::default().await;
    let mut stream = node.connect().await;
    stream.write_all(format!("GET /hang HTTP/1.1\r\nhost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
    node.until_running(1).await;
    drop(stream);
    node.until_running(0).await;
    node.ended().await;
}

#[tokio::test]
async fn a_stopping_node_finishes_requests_and_closes() {
    let mut node = Node::default().await;
    let mut stream = node.connect().await;
    stream.write_all(format!("GET /wait HTTP/1.1\r\nhost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
    node.until_running(1).await;
    node.stop();
    tokio::task::yield_now().await;
    node.script.release_calls(1);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
    node.ended().await;
}

#[tokio::test]
async fn a_node_that_stops_now_tells_who_waits_and_cuts_who_runs() {
    let mut node = Node::new(ServerSettings { drain: Duration::from_millis(50), ..Default::default() }).await;
    node.script.set_capacity(1);
    let hang = format!("GET /hang HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    let mut runs = node.connect().await;
    runs.write_all(hang.as_bytes()).await.unwrap();
    node.until_running(1).await;
    let mut waits = node.connect().await;
    waits.write_all(hang.as_bytes()).await.unwrap();
    while node.activator.revisions()[0].queued != 1 {
        tokio::task::yield_now().await;
    }
    node.stop();
    let mut told = String::new();
    waits.read_to_string(&mut told).await.unwrap();
    let mut cut = Vec::new();
    _ = runs.read_to_end(&mut cut).await;
    assert!(cut.is_empty());
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("draining"), "{told}");
    assert!(told.contains("connection: close"), "{told}");
    assert_eq!(node.script.running(), 0);
    node.ended().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let node = Node::new(ServerSettings { connections: 1, ..Default::default() }).await;
    let mut first = node.connect().await;
    let ask = format!("GET /{{}} HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    first.write_all(ask.replace("{}", "one").as_bytes()).await.unwrap();
    let mut head = [0; 12];
    first.read_exact(&mut head).await.unwrap();
    let mut second = node.connect().await;
    second.write_all(ask.replace("{}", "two").as_bytes()).await.unwrap();
    assert_eq!(node.script.calls(), ["/one"]);
    drop(first);
    second.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    node.ended().await;
}

#[tokio::test]
async fn connections_share_the_workers_and_streams_run_beside_them() {
    let worker = |name: &str| Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build();
    let workers = ["worker 0", "worker 1"].map(|name| worker(name).unwrap());
    let node = Node::new(ServerSettings {
        events: Some(Arc::new(Ingress)),
        workers: workers.iter().map(|worker| worker.handle().clone()).collect(),
        ..Default::default()
    })
    .await;

    let mut open = Vec::new();
    let mut threads = Vec::new();
    for _ in 0..4 {
        let mut stream = node.connect().await;
        stream.write_all(b"GET /-/broker/ns/b HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        threads.extend(head.lines().find_map(|line| line.strip_prefix("x-thread: ")).map(str::to_owned));
        open.push(stream);
    }
    assert_eq!(threads, ["worker 0", "worker 1", "worker 0", "worker 1"]);

    let io = TokioIo::new(node.connect().await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let request = Request::get("http://localhost/-/broker/ns/b").body(Body::empty()).unwrap();
    let answer = tokio::select! {
        answer = sender.send_request(request) => answer.unwrap(),
        ended = connection => panic!("the connection ended: {ended:?}"),
    };
    let thread = answer.headers()[THREAD].to_str().unwrap();
    assert!(!thread.starts_with("worker"), "a stream ran on {thread}");

    drop(open);
    node.ended().await;
    workers.into_iter().for_each(Runtime::shutdown_background);
}

#[test]
fn accept_pauses_only_for_what_does_not_pass_at_once() {
    let kind = |kind: io::ErrorKind| pause_after(&io::Error::from(kind));
    assert_eq!(kind(io::ErrorKind::ConnectionAborted), None);
    assert_eq!(kind(io::ErrorKind::ConnectionReset), None);
    assert_eq!(kind(io::ErrorKind::OutOfMemory), Some(ACCEPT_PAUSE));
    const EMFILE: i32 = 24;
    assert_eq!(pause_after(&io::Error::from_raw_os_error(EMFILE)), Some(ACCEPT_PAUSE));
}
