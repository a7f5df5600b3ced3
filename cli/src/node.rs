//! The life of a node: open, bind, tell that it is ready, serve, and stop in order.

use crate::admin;
use crate::compose::{Listeners, Node};
use crate::failure::{Failure, code};
use fnctl_broker::bucket::{REGION, s3};
use fnctl_config::limits::DRAIN_TIMEOUT;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Told once the node serves.
pub(crate) type OnReady<'a> = &'a mut (dyn FnMut(&Value) -> Result<(), Failure> + Send);

/// Runs until SIGTERM, Ctrl-C or `stop`; then drains: no new connections, requests and deliveries end, cursors and logs
/// are flushed. A second signal ends the process at once.
pub(crate) async fn run(
    node: Node,
    on_ready: OnReady<'_>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::failed(code::NODE, "cannot listen to signals").because(&e);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    // Three stages: what takes requests in, what makes events of buckets' changes, and what both need.
    let (front, fronts) = watch::channel(());
    let (middle, middles) = watch::channel(());
    let (back, backs) = watch::channel(());
    let ready = ready_line(&node);
    let Node { parts, listeners, credentials, synced, observer, heavy, lock, .. } = node;
    let Listeners { data_plane, control, s3: s3_listener, tls } = listeners;

    let mut serving = JoinSet::new();
    serving.spawn(data_plane.run(closed(fronts.clone())));
    let store = parts.buckets.buckets().clone();
    serving.spawn(s3::serve(s3_listener, store, credentials, s3::Settings::default(), closed(fronts)));
    let mut sources = JoinSet::new();
    sources.spawn(parts.clone().run_buckets(closed(middles)));
    let mut working = JoinSet::new();
    working.spawn(parts.clone().run_brokers(closed(backs.clone())));
    working.spawn(parts.clone().run_scaler(closed(backs.clone())));
    working.spawn(parts.clone().run_controllers(closed(backs.clone())));
    working.spawn(parts.clone().run_projections(observer, closed(backs.clone())));
    working.spawn(parts.clone().sweep(closed(backs.clone())));
    let router = admin::router(&parts);
    working.spawn(fnctl_controller::apiserver::serve_tls(control, tls, router, closed(backs.clone())));

    tokio::select! {
        _ = synced => {}
        ended = working.join_next() => return Err(unexpected(ended)),
    }
    on_ready(&ready)?;

    let outcome = tokio::select! {
        () = stop => Ok(()),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = serving.join_next() => Err(unexpected(ended)),
        ended = sources.join_next() => Err(unexpected(ended)),
        ended = working.join_next() => Err(unexpected(ended)),
    };
    tracing::info!("stopping");
    let orderly = async {
        drop(front);
        while serving.join_next().await.is_some() {}
        drop(middle);
        while sources.join_next().await.is_some() {}
        parts.api.close_watches();
        drop(back);
        while working.join_next().await.is_some() {}
        parts.runtime.drain().await;
    };
    tokio::select! {
        done = tokio::time::timeout(DRAIN_TIMEOUT * 2, orderly) => if done.is_err() { tracing::warn!("not everything ended in time") },
        _ = terminate.recv() => tracing::warn!("stopped at once"),
        _ = interrupt.recv() => tracing::warn!("stopped at once"),
    }
    drop((heavy, lock));
    outcome
}

fn unexpected(ended: Option<Result<(), tokio::task::JoinError>>) -> Failure {
    let failure = Failure::failed(code::NODE, "a part of the node ended by itself");
    match ended {
        Some(Err(error)) => failure.because(&error),
        Some(Ok(())) | None => failure,
    }
}

/// Ends when the sender is gone.
async fn closed(mut stage: watch::Receiver<()>) {
    while stage.changed().await.is_ok() {}
}

fn ready_line(node: &Node) -> Value {
    let (addresses, credentials) = (&node.addresses, &node.credentials);
    json!({"event": "ready", "http": format!("http://{}", addresses.http), "control": format!("https://{}", addresses.control),
        "kubeconfig": node.kubeconfig.display().to_string(),
        "s3": {"endpoint": format!("http://{}", addresses.s3), "region": REGION, "accessKey": credentials.access_key,
            "secretKey": credentials.secret_key}})
}
