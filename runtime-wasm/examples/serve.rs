//! Serves one component on a port, with nothing around the runtime: for measuring it against other hosts.
//!
//! ```text
//! serve ADDRESS COMPONENT.wasm [REQUESTS PER INSTANCE]
//! ```

use fnctl_activator::body::Body;
use fnctl_activator::provider::{Instances, Lease, Provider as _};
use fnctl_config::limits;
use fnctl_config::snapshot::{CallLimits, Grants, Metric, ObjectKey, Reuse, Revision, Scale};
use fnctl_runtime_wasm::capability::blobs::MemoryBlobs;
use fnctl_runtime_wasm::capability::key_values::MemoryKeyValues;
use fnctl_runtime_wasm::capability::outbound::Outside;
use fnctl_runtime_wasm::compile::{Compiler, run_child};
use fnctl_runtime_wasm::{Options, Runtime, heavy};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::error::Error;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let [_, command, rest @ ..] = arguments.as_slice()
        && command == "compile"
    {
        std::process::exit(run_child(rest));
    }
    let [_, address, component, rest @ ..] = arguments.as_slice() else {
        return Err("serve ADDRESS COMPONENT.wasm [REQUESTS PER INSTANCE]".into());
    };
    let reuse = match rest {
        [requests] => Reuse::Serial { requests: requests.to_string_lossy().parse()? },
        _ => Reuse::Fresh,
    };
    let heavy = heavy::runtime()?;
    let folder = std::env::temp_dir().join(format!("serve-{}", std::process::id()));
    let runtime = Runtime::open(Options {
        artifacts: folder,
        compiler: Compiler::new(std::env::current_exe()?, ["compile"]),
        guest_memory_bytes: limits::GUEST_MEMORY_BYTES_DEFAULT,
        heavy: Some(heavy.handle().clone()),
        blobs: Arc::new(MemoryBlobs::default()),
        key_values: Arc::new(MemoryKeyValues::default()),
        outside: Outside::default(),
    })?;
    let digest = runtime.artifacts().put_component("measured/guest", "latest", &std::fs::read(component)?)?;
    let workers = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    workers.block_on(async {
        runtime.prepare(&digest, &Grants::default()).await?;
        let instances = runtime.instances(&Arc::new(revision(digest, reuse)));
        instances.start().await?;
        accept(TcpListener::bind(address.to_string_lossy().as_ref()).await?, instances).await
    })
}

async fn accept(listener: TcpListener, instances: Arc<dyn Instances>) -> Result<(), Box<dyn Error>> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let instances = instances.clone();
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| answer(instances.clone(), request));
            let mut http = http1::Builder::new();
            // One buffer for head and body: less CPU for small answers.
            http.timer(TokioTimer::new()).header_read_timeout(limits::HEADER_READ_TIMEOUT).writev(false);
            // An error here is the client's: it went away, or it spoke no HTTP.
            _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(instances: Arc<dyn Instances>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let answer = instances.call(request.map(Body::stream), Lease::new(())).await;
    Ok(answer.unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(error.to_string()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    }))
}

fn revision(artifact: String, reuse: Reuse) -> Revision {
    Revision {
        key: ObjectKey::new("measured", "guest"),
        uid: "guest".to_owned(),
        service: "guest".to_owned(),
        configuration: "guest".to_owned(),
        artifact,
        env: Vec::new(),
        args: Vec::new(),
        limits: CallLimits {
            memory_bytes: limits::MEMORY_BYTES_DEFAULT,
            cpu: limits::CPU_DEFAULT,
            timeout: Duration::from_secs(300),
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
        reuse,
        grants: Grants::default(),
    }
}
