//! What tests share: one engine for the process (its pool reserves terabytes of addresses), the committed guests, and a
//! runtime in a folder of its own.

use crate::capability::blobs::MemoryBlobs;
use crate::capability::key_values::MemoryKeyValues;
use crate::capability::outbound::Outside;
use crate::compile::Compiler;
use crate::engine::Engine;
use crate::runtime::{Options, Runtime};
use fnctl_activator::body::Body;
use fnctl_activator::provider::{CallError, Instances, Lease, Provider as _};
use fnctl_config::limits;
use fnctl_config::snapshot::{CallLimits, Grants, Metric, ObjectKey, Reuse, Revision, Scale};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new().expect("an engine")).clone()
}

/// A committed guest's bytes.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    let path = match name {
        "hello" => format!("{folder}/hello/hello.wasm"),
        name => format!("{folder}/guests/{name}.wasm"),
    };
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The compiler's child is this test binary: it runs the one ignored test below.
pub(crate) fn compiler() -> Compiler {
    let program = std::env::current_exe().expect("a path");
    Compiler::new(program, ["testing::compiler_child", "--exact", "--ignored", "--nocapture"])
}

#[test]
#[ignore = "the compiler's child process, started by tests with its arguments"]
fn compiler_child() {
    let arguments: Vec<_> = std::env::args_os().collect();
    // With fewer, somebody runs all ignored tests.
    if let [_, _, _, _, _, own @ ..] = arguments.as_slice()
        && !own.is_empty()
    {
        std::process::exit(crate::compile::run_child(own));
    }
}

/// A runtime, its stores, and the folder they are in.
pub(crate) struct Bench {
    pub(crate) runtime: Runtime,
    pub(crate) blobs: Arc<MemoryBlobs>,
    pub(crate) _folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Arc::new(MemoryBlobs::with_buckets(&["pictures", "private"]));
        let mut options = Options {
            artifacts: folder.path().join("artifacts"),
            compiler: compiler(),
            guest_memory_bytes: limits::GUEST_MEMORY_BYTES_DEFAULT,
            heavy: None,
            blobs: blobs.clone(),
            key_values: Arc::new(MemoryKeyValues::default()),
            outside: Outside::default(),
        };
        change(&mut options);
        let runtime = Runtime::with_engine(options, engine()).expect("a runtime");
        Self { runtime, blobs, _folder: folder }
    }

    /// A revision of a guest, prepared and above zero.
    pub(crate) async fn start(&self, guest_name: &str, change: impl FnOnce(&mut Revision)) -> Arc<dyn Instances> {
        let digest = self.runtime.artifacts().put_component("default/guest", guest_name, &guest(guest_name)).unwrap();
        let mut revision = revision(guest_name, &digest);
        change(&mut revision);
        self.runtime.prepare(&digest, &revision.grants).await.expect("a component that fits");
        let instances = self.runtime.instances(&Arc::new(revision));
        instances.start().await.expect("a start");
        instances
    }
}

pub(crate) fn revision(name: &str, artifact: &str) -> Revision {
    Revision {
        key: ObjectKey::new("default", format!("{name}-00001")),
        uid: "uid".to_owned(),
        service: name.to_owned(),
        configuration: name.to_owned(),
        artifact: artifact.to_owned(),
        env: vec![("TARGET".to_owned(), "tests".to_owned()), ("K_SERVICE".to_owned(), name.to_owned())],
        args: Vec::new(),
        limits: CallLimits {
            memory_bytes: limits::MEMORY_BYTES_DEFAULT,
            cpu: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            response_start: None,
        },
        container_concurrency: 0,
        scale: Scale {
            metric: Metric::Concurrency,
            total: 100.0,
            target: 70.0,
            min: 0,
            max: 0,
            initial: 1,
            activation: 1,
            stable_window: Duration::from_secs(60),
            panic_window: Duration::from_secs(6),
            panic_threshold: 2.0,
            target_burst_capacity: 200.0,
            scale_down_delay: Duration::ZERO,
            retention: Duration::ZERO,
        },
        reuse: Reuse::Fresh,
        grants: Grants::default(),
    }
}

pub(crate) fn get(path: &str) -> Request<Body> {
    request("GET", path, Body::empty())
}

pub(crate) fn request(method: &str, path: &str, body: Body) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("host", "guest.default.localhost");
    request.body(body).expect("a valid request")
}

pub(crate) async fn call(
    instances: &Arc<dyn Instances>,
    request: Request<Body>,
) -> Result<(Response<()>, Result<String, String>), CallError> {
    let (head, body) = instances.clone().call(request, Lease::new(())).await?.into_parts();
    let text = body.collect().await.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    Ok((Response::from_parts(head, ()), text.map_err(|error| error.to_string())))
}

/// The answer's text of a call that works.
pub(crate) async fn text(instances: &Arc<dyn Instances>, request: Request<Body>) -> String {
    let (head, text) = call(instances, request).await.expect("an answer");
    let text = text.expect("a whole body");
    assert_eq!(head.status(), 200, "{text}");
    text
}
