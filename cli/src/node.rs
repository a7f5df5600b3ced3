//! The life of a node: open, bind, tell that it is ready, serve, and stop in order.

use crate::admin;
use crate::compose::{self, Listeners, Node};
use crate::failure::{Failure, code};
use fnctl_broker::bucket::{REGION, s3};
use fnctl_config::limits::{DRAIN_TIMEOUT, STORE_LAST_WORDS};
use fnctl_config::node::Node as Settings;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Told once the node serves.
pub(crate) type OnReady<'a> = &'a mut (dyn FnMut(&Value) -> Result<(), Failure> + Send);

/// The signals that ask a node to end: SIGTERM and Ctrl-C.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they end the process no more by themselves: whoever has this listens to them at any time.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::failed(code::NODE, "cannot listen to signals").because(&e);
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        Ok(Self { terminate, interrupt })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Opens a node; none if a signal comes before that is done. What is being opened then is given up, as by a crash.
pub(crate) async fn open(settings: Settings, signals: &mut Signals) -> Result<Option<Node>, Failure> {
    // A task of its own: files may make it wait, and signals do not wait for files.
    let mut opening = JoinSet::new();
    opening.spawn(async move { compose::build(&settings).await });
    tokio::select! {
        biased;
        () = signals.next() => Ok(None),
        opened = opening.join_next() => match opened {
            Some(Ok(opened)) => opened.map(Some),
            Some(Err(error)) => Err(Failure::failed(code::NODE, "the node cannot be opened").because(&error)),
            None => Ok(None),
        },
    }
}

/// Runs until a signal or `stop`, whether or not it has become ready by then; then drains: no new connections, requests
/// and deliveries end, cursors and logs are flushed. A second signal ends the process at once, and so does a store that
/// failed.
pub(crate) async fn run(
    node: Node,
    on_ready: OnReady<'_>,
    mut signals: Signals,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    // Four stages: what takes requests in, what makes events of buckets' changes, what both need, and the control port.
    let (front, fronts) = watch::channel(());
    let (middle, middles) = watch::channel(());
    let (back, backs) = watch::channel(());
    let (api, apis) = watch::channel(());
    let ready = ready_line(&node);
    let Node { parts, listeners, credentials, synced, observer, heavy, decides, workers, lock, .. } = node;
    let Listeners { data_plane, control, s3: s3_listener, tls } = listeners;

    let mut running = Running::default();
    running.serving.spawn(data_plane.run(closed(fronts.clone())));
    let store = parts.buckets.buckets().clone();
    running.serving.spawn(s3::serve(s3_listener, store, credentials, s3::Settings::default(), closed(fronts)));
    running.sources.spawn(parts.clone().run_buckets(closed(middles)));
    let working = &mut running.working;
    working.spawn(parts.clone().run_brokers(closed(backs.clone())));
    working.spawn_on(parts.clone().run_scaler(closed(backs.clone())), decides.handle());
    working.spawn_on(parts.clone().run_controllers(closed(backs.clone())), decides.handle());
    working.spawn(parts.clone().run_projections(observer, closed(backs.clone())));
    working.spawn_on(parts.clone().sweep(closed(backs)), decides.handle());
    let serve_api = fnctl_controller::apiserver::serve_tls(control, tls, admin::router(&parts), closed(apis));
    running.controlling.spawn_on(serve_api, decides.handle());

    let begun = async {
        match synced.await {
            Ok(()) => on_ready(&ready),
            // The projection has ended, which is told by its task.
            Err(_) => std::future::pending().await,
        }
    };
    let asked = async {
        tokio::select! {
            () = stop => {}
            () = signals.next() => {}
        }
    };
    let outcome = tokio::select! {
        outcome = running.until(begun, asked) => outcome,
        failure = parts.store_failure() => {
            // Who waits for an answer is told that it failed. What works behind the ports is not ended in order: that writes.
            drop((front, api));
            parts.api.close_watches();
            let told = async { tokio::join!(all(&mut running.serving), all(&mut running.controlling)) };
            if tokio::time::timeout(STORE_LAST_WORDS, told).await.is_err() {
                tracing::warn!("not everybody could be told in time");
            }
            return Err(store_failed(failure));
        }
    };
    tracing::info!("stopping");
    let orderly = async {
        drop(front);
        all(&mut running.serving).await;
        drop(middle);
        all(&mut running.sources).await;
        parts.api.close_watches();
        drop((back, api));
        tokio::join!(all(&mut running.working), all(&mut running.controlling));
        parts.runtime.drain().await;
    };
    tokio::select! {
        done = tokio::time::timeout(DRAIN_TIMEOUT * 2, orderly) => if done.is_err() { tracing::warn!("not everything ended in time") },
        () = signals.next() => tracing::warn!("stopped at once"),
    }
    drop((heavy, decides, workers, lock));
    outcome
}

/// The tasks of a node, by the stage in which they end.
#[derive(Default)]
struct Running {
    serving: JoinSet<()>,
    sources: JoinSet<()>,
    working: JoinSet<()>,
    controlling: JoinSet<()>,
}

impl Running {
    /// Does what is to be done once, and waits until it is `asked` to end; whichever part ends by itself fails.
    async fn until(
        &mut self,
        begun: impl Future<Output = Result<(), Failure>>,
        asked: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let serve = async {
            begun.await?;
            std::future::pending().await
        };
        tokio::select! {
            biased;
            () = asked => Ok(()),
            failed = serve => failed,
            ended = self.serving.join_next() => Err(unexpected(ended)),
            ended = self.sources.join_next() => Err(unexpected(ended)),
            ended = self.working.join_next() => Err(unexpected(ended)),
            ended = self.controlling.join_next() => Err(unexpected(ended)),
        }
    }
}

/// What was answered is on disk or nowhere: there is nothing to bring in order, and each moment longer is one without
/// the store.
fn store_failed(failure: String) -> Failure {
    Failure::failed(code::STORE, "a store failed, and the node stopped")
        .detail(failure)
        .detail("nothing that was acknowledged is given up: the next start recovers what is on disk")
        .try_this("check the disk (dmesg), then start the node again: fnctl up")
}

fn unexpected(ended: Option<Result<(), tokio::task::JoinError>>) -> Failure {
    let failure = Failure::failed(code::NODE, "a part of the node ended by itself");
    match ended {
        Some(Err(error)) => failure.because(&error),
        Some(Ok(())) | None => failure,
    }
}

/// Until each of them has ended.
async fn all(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
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

#[cfg(test)]
mod tests;
