//! The provider port with real guests.

use crate::capability::outbound::Connect;
use crate::instances::WasmInstances;
use crate::node::Function;
use crate::testing::{Bench, call, get, request, text};
use bytes::Bytes;
use fnctl_activator::body::Body;
use fnctl_activator::provider::{CallError, Instances, Lease, Provider as _};
use fnctl_config::limits;
use fnctl_config::reach::Refusal;
use fnctl_config::snapshot::{Access, ObjectKey, Reuse, Revision};
use http_body_util::BodyExt as _;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::HttpConnector;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tower::ServiceExt as _;

async fn one(guest: &str, path: &str) -> CallError {
    let instances = Bench::new().start(guest, |revision| revision.limits.cpu = Duration::from_millis(500)).await;
    call(&instances, get(path)).await.expect_err("it fails")
}

#[tokio::test]
async fn hello_answers_with_its_environment() {
    let hello = Bench::new().start("hello", |_| {}).await;
    let answer = hello.clone().call(get("/"), Lease::new(())).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert!(answer.extensions().get::<fnctl_activator::respond::Timing>().is_some());
    assert_eq!(http_body::Body::size_hint(answer.body()).exact(), Some(14), "one write, with a content-length");
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "Hello, tests!\n");
}

#[tokio::test]
async fn failures_are_told_apart() {
    assert!(matches!(one("trap", "/").await, CallError::Trap(reason) if reason.contains("unreachable")));
    assert!(matches!(one("trap", "/exit").await, CallError::Trap(reason) if reason.contains("exited")));
    assert!(matches!(one("hog", "/").await, CallError::Memory { .. }));
    assert!(matches!(one("spin", "/").await, CallError::Cpu { .. }));
}

#[tokio::test]
async fn a_failure_leaves_its_neighbours_untouched() {
    let bench = Bench::new();
    let hello = bench.start("hello", |_| {}).await;
    let trap = bench.start("trap", |_| {}).await;
    for _ in 0..20 {
        let (failed, works) = tokio::join!(call(&trap, get("/")), text(&hello, get("/")));
        assert!(failed.is_err());
        assert_eq!(works, "Hello, tests!\n");
    }
}

#[tokio::test]
async fn the_wall_clock_ends_a_call_that_waits() {
    let bench = Bench::new();
    let sleep = bench.start("sleep", |revision| revision.limits.timeout = Duration::from_secs(600)).await;
    tokio::time::pause();
    let error = call(&sleep, get("/")).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { limit } if limit == Duration::from_secs(600)));
    let hasty = bench.start("sleep", |revision| revision.limits.response_start = Some(Duration::from_secs(5))).await;
    let error = call(&hasty, get("/")).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { limit } if limit == Duration::from_secs(5)));
}

#[tokio::test]
async fn a_cut_answer_looks_cut() {
    let bench = Bench::new();
    let stream = bench.start("stream", |_| {}).await;
    assert_eq!(text(&stream, get("/")).await.len(), 1 << 20);
    for path in ["/trap", "/short"] {
        let (head, body) = call(&stream, get(path)).await.unwrap();
        assert_eq!(head.status(), 200);
        assert!(body.unwrap_err().contains("the answer was cut"), "{path}");
    }
}

#[tokio::test]
async fn the_lease_is_held_until_the_body_has_ended() {
    let stream = Bench::new().start("stream", |_| {}).await;
    let held = Arc::new(());
    let answer = stream.clone().call(get("/"), Lease::new(held.clone())).await.unwrap();
    assert_eq!(Arc::strong_count(&held), 2);
    drop(answer); // the client has gone
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test]
async fn instances_are_fresh_unless_asked_otherwise() {
    let bench = Bench::new();
    let fresh = bench.start("count", |_| {}).await;
    assert_eq!([text(&fresh, get("/")).await, text(&fresh, get("/")).await], ["1", "1"]);
    let reused = bench.start("count", |revision| revision.reuse = Reuse::Serial { requests: 100 }).await;
    assert_eq!([text(&reused, get("/")).await, text(&reused, get("/")).await], ["1", "2"]);
    assert!(call(&reused, get("/trap")).await.is_err());
    assert_eq!(text(&reused, get("/")).await, "1", "a trap retires");
    assert_eq!(text(&reused, get("/grow")).await, "2");
    assert_eq!(text(&reused, get("/")).await, "1", "so does memory");
    reused.stop();
    assert!(matches!(call(&reused, get("/")).await, Err(CallError::Unavailable(_))));
    reused.start().await.unwrap();
    assert_eq!(text(&reused, get("/")).await, "1", "zero drops idle instances");
}

#[tokio::test]
async fn no_byte_of_an_instance_is_seen_by_the_next() {
    let bench = Bench::new();
    let memory = bench.start("memory", |_| {}).await;
    for _ in 0..20 {
        assert_eq!(text(&memory, get("/write")).await, "written");
        assert_eq!(text(&memory, get("/read")).await, "0");
    }
    assert_eq!(bench.runtime.guest_memory_bytes(), 0, "and all of it was given back");
}

#[tokio::test]
async fn a_host_call_takes_so_many_bytes_and_no_more() {
    let bench = Bench::new();
    let granted = |revision: &mut Revision| {
        revision.grants.key_value.insert("counters".to_owned());
        revision.grants.buckets.insert("pictures".to_owned(), Access::Read);
    };
    let storage = bench.start("storage", granted).await;
    let put = async |bytes: usize| {
        call(&storage, request("PUT", "/value/counters/n", Bytes::from(vec![b'x'; bytes]).into())).await
    };
    // The host has looked at it, and its store refuses it; the key counts too.
    let (head, body) = put(limits::HOST_CALL_BYTES_MAX - "n".len()).await.unwrap();
    assert!(head.status() == 502 && body.unwrap().contains("a value has at most"));
    let error = put(limits::HOST_CALL_BYTES_MAX).await.unwrap_err();
    assert!(matches!(&error, CallError::Trap(reason) if reason.contains("too much data")), "{error}");
    assert_eq!(text(&storage, request("POST", "/count/counters/n", Body::empty())).await, "1", "the next call works");
}

#[tokio::test]
async fn the_node_s_memory_is_a_limit() {
    let bench = Bench::with(|options| options.guest_memory_bytes = 4 << 20);
    let memory = bench.start("memory", |_| {}).await;
    assert!(matches!(call(&memory, get("/read")).await, Err(CallError::Unavailable(_))));
}

#[tokio::test]
async fn output_is_kept_with_its_event_and_survives_zero() {
    let bench = Bench::new();
    let hello = bench.start("hello", |_| {}).await;
    let mut event = request("POST", "/", Body::from("{}"));
    for (name, value) in [("ce-id", "e-1"), ("ce-type", "t"), ("ce-source", "/s")] {
        event.headers_mut().insert(name, value.parse().unwrap());
    }
    assert_eq!(text(&hello, event).await, "");
    hello.stop();
    let lines = bench.runtime.logs().read(&ObjectKey::new("default", "hello-00001"), 0);
    assert_eq!(lines.len(), 1);
    assert_eq!((&*lines[0].text, &*lines[0].call), ("event e-1 of type t from /s: 2 bytes", "e-1"));
}

#[tokio::test]
async fn a_flood_of_output_is_cut_and_a_reused_instance_logs_on() {
    let bench = Bench::new();
    let log = bench.start("log", |_| {}).await;
    assert_eq!(text(&log, get("/10000")).await, "logged");
    let lines = bench.runtime.logs().read(&ObjectKey::new("default", "log-00001"), 0);
    assert!(lines.last().unwrap().text.contains("were not kept"));
    let count = bench.start("count", |revision| revision.reuse = Reuse::Serial { requests: 100 }).await;
    text(&count, get("/")).await;
    text(&count, get("/")).await;
    let lines = bench.runtime.logs().read(&ObjectKey::new("default", "count-00001"), 0);
    assert_eq!(lines.iter().map(|line| &*line.text).collect::<Vec<_>>(), ["call 1", "call 2"]);
}

#[tokio::test]
async fn grants_are_named_at_deploy_time_and_checked_per_call() {
    let bench = Bench::new();
    let digest = bench.runtime.artifacts().put_component("a", "v1", &crate::testing::guest("storage")).unwrap();
    let error = bench.runtime.prepare(&digest, &Default::default()).await.unwrap_err().to_string();
    assert!(
        error.contains("wasi:blobstore/blobstore, which is not granted: add the annotation fnctl.dev/buckets"),
        "{error}"
    );
    let storage = bench
        .start("storage", |revision| {
            revision.grants.buckets.insert("pictures".to_owned(), Access::ReadWrite);
            revision.grants.buckets.insert("private".to_owned(), Access::Read);
            revision.grants.key_value.insert("counters".to_owned());
        })
        .await;
    let large = Bytes::from(vec![b'x'; 1 << 20]);
    for key in ["a", "b", "c"] {
        assert_eq!(text(&storage, request("PUT", &format!("/blob/pictures/{key}"), large.clone().into())).await, "");
    }
    assert_eq!(text(&storage, get("/blob/pictures/a")).await.len(), 1 << 20);
    assert_eq!(text(&storage, request("POST", "/copy/pictures/a/d", Body::empty())).await, "");
    assert_eq!(text(&storage, get("/list/pictures")).await, "a\nb\nc\nd");
    assert_eq!(text(&storage, request("DELETE", "/blob/pictures/a", Body::empty())).await, "");
    assert_eq!(text(&storage, request("POST", "/count/counters/n", Body::empty())).await, "1");
    assert_eq!(text(&storage, request("POST", "/count/counters/n", Body::empty())).await, "2");
    assert_eq!(text(&storage, get("/setting/TARGET")).await, "tests");
    for (method, path, part) in [
        ("PUT", "/blob/private/a", "granted for reading only"),
        ("GET", "/blob/other/a", "not granted"),
        ("GET", "/blob/pictures/none", "there is no object"),
        ("POST", "/count/other/n", "AccessDenied"),
    ] {
        let (head, body) = call(&storage, request(method, path, Body::empty())).await.unwrap();
        let body = body.unwrap();
        assert!(head.status() == 502 && body.contains(part), "{method} {path}: {body}");
    }
    assert!(matches!(crate::capability::blobs::Blobs::list(&*bench.blobs, "private", "", 9).await.as_deref(), Ok([])));
}

#[tokio::test]
async fn the_outside_is_denied_unless_granted() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let private = HttpConnector::new().map_response(MaybeHttpsStream::Http).map_err(Into::into);
    let bench = Bench::with(|options| options.outside.private = Connect::new(private));
    for (granted, status, part) in
        [(None, 502, "HttpRequestDenied"), (Some("*"), 502, "DestinationIpProhibited"), (Some(url.as_str()), 200, "hi")]
    {
        let fetch = bench.start("fetch", |revision| revision.grants.outbound.extend(granted.map(str::to_owned))).await;
        let mut request = get("/");
        request.headers_mut().insert("x-url", url.parse().unwrap());
        let answer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
            std::future::pending::<()>().await;
        };
        let (head, body) = tokio::select! {
            answered = call(&fetch, request) => answered.unwrap(),
            () = answer => unreachable!(),
        };
        let body = body.unwrap();
        assert!(head.status() == status && body.contains(part), "{granted:?}: {body}");
    }
}

#[test]
fn a_heavy_call_moves_to_its_own_threads() {
    let heavy = crate::heavy::runtime().unwrap();
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    here.block_on(async {
        let bench = Bench::with(|options| options.heavy = Some(heavy.handle().clone()));
        let spin = bench.start("spin", |revision| revision.limits.cpu = Duration::from_millis(300)).await;
        let hello = bench.start("hello", |_| {}).await;
        let (spun, ()) = tokio::join!(call(&spin, get("/")), async {
            for _ in 0..50 {
                assert_eq!(text(&hello, get("/")).await, "Hello, tests!\n");
            }
        });
        assert!(matches!(spun, Err(CallError::Cpu { .. })));
        let stream = bench.start("stream", |_| {}).await;
        assert_eq!(text(&stream, get("/")).await.len(), 1 << 20);
        bench.runtime.drain().await;
    });
    heavy.shutdown_background();
}

/// A guest's first step outside tells where it runs, and with which niceness.
#[test]
fn calls_of_a_revision_that_averages_much_cpu_run_on_threads_of_their_own() {
    let heavy = crate::heavy::runtime().unwrap();
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    here.block_on(async {
        let steps = Arc::new(Mutex::new(Vec::new()));
        let step = steps.clone();
        let outside = tower::service_fn(move |_| {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            step.lock().unwrap().push((name, rustix::process::getpriority_process(None).unwrap()));
            std::future::ready(Err(Refusal::Private.into()))
        });
        let bench = Bench::with(|options| {
            options.heavy = Some(heavy.handle().clone());
            options.outside.private = Connect::new(outside);
        });
        let digest = bench.runtime.artifacts().put_component("a", "v1", &crate::testing::guest("fetch")).unwrap();
        let mut revision = crate::testing::revision("fetch", &digest);
        revision.grants.outbound.insert("http://127.0.0.1:9".to_owned());
        bench.runtime.prepare(&digest, &revision.grants).await.unwrap();
        let function = Function::new(Arc::new(revision), bench.runtime.node.clone());
        let fetch = Arc::new(WasmInstances::new(function, bench.runtime.artifacts().clone()));
        fetch.start().await.unwrap();
        for much in [None, Some(Duration::from_secs(1))] {
            much.into_iter().for_each(|cpu| fetch.function.spent(cpu));
            let mut request = get("/");
            request.headers_mut().insert("x-url", "http://127.0.0.1:9".parse().unwrap());
            call(&(fetch.clone() as Arc<dyn Instances>), request).await.unwrap().1.unwrap();
        }
        let own = rustix::process::getpriority_process(None).unwrap();
        let [(first, same), (second, nicer)] = <[_; 2]>::try_from(steps.lock().unwrap().clone()).unwrap();
        assert_eq!((first == "wasm-heavy", same), (false, own), "the first one runs where its connection is");
        assert_eq!((second.as_str(), nicer), ("wasm-heavy", (own + 10).min(19)));
        bench.runtime.drain().await;
    });
    heavy.shutdown_background();
}

#[tokio::test]
async fn the_port_s_own_suite() {
    let bench = Bench::new();
    let digest = bench.runtime.artifacts().put_component("a", "v1", &crate::testing::guest("hello")).unwrap();
    bench.runtime.prepare(&digest, &Default::default()).await.unwrap();
    let revision = Arc::new(crate::testing::revision("hello", &digest));
    fnctl_activator::provider::conformance::check(|| bench.runtime.instances(&revision)).await;
}
