//! The composition root: settings in, a node out. The only place that knows concrete adapters; read it as a list.

mod artifacts;
mod blobs;
mod deliver;
mod events;
mod key_values;
mod logs;
mod outside;
mod scale;
mod threads;

use crate::failure::{Failure, code};
use artifacts::Ports;
use fnctl_activator::activator::{Activator, Settings as ActivatorSettings};
use fnctl_activator::serve::{Server, ServerSettings};
use fnctl_autoscaler::fleet::Origin;
use fnctl_autoscaler::run::Scaler;
use fnctl_broker::broker::{Brokers, LogChoice, Options as BrokerOptions};
use fnctl_broker::bucket::s3::Credentials;
use fnctl_broker::bucket::{BucketNode, Buckets, Options as BucketOptions};
use fnctl_broker::deliver::http::HttpDeliver;
use fnctl_broker::key_values::{KeyValues, Options as KeyValueOptions};
use fnctl_broker::source::bucket::BucketSources;
use fnctl_broker::vfs::Vfs;
use fnctl_broker::vfs::disk::Disk;
use fnctl_config::limits::{PARKED_BYTES_MAX, RETRY_COPIES_BYTES_MAX};
use fnctl_config::node::{self, LogChoice as LogSetting};
use fnctl_config::snapshot::Change;
use fnctl_controller::apiserver::store::Place;
use fnctl_controller::apiserver::{ApiServer, Token, kubeconfig, tls};
use fnctl_controller::project::{self, Observed, Observer, Update, observe};
use fnctl_controller::reconcile::{Controllers, Rejected, Settings as ControllerSettings};
use fnctl_runtime_wasm::compile::Compiler;
use fnctl_runtime_wasm::{Options as RuntimeOptions, Runtime, heavy};
pub(crate) use logs::read as read_logs;
use scale::Scaling;
use std::fs::{self, File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use threads::Threads;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};

/// The file in the data directory with the keys of the buckets.
pub(crate) const S3_CREDENTIALS: &str = "s3-credentials.json";

/// Components that ship inside the binary, by their names under `fnctl.local`.
const EMBEDDED: &[(&str, &[u8])] = &[
    ("examples/hello", include_bytes!("../../examples/hello/hello.wasm")),
    ("examples/xray", include_bytes!("../../examples/xray/xray.wasm")),
    ("examples/xray-alert", include_bytes!("../../examples/xray/alert.wasm")),
    ("examples/xray-phantom", include_bytes!("../../examples/xray/phantom.wasm")),
];

/// A node that is bound and not yet running.
pub(crate) struct Node {
    pub(crate) parts: Parts,
    pub(crate) listeners: Listeners,
    pub(crate) addresses: Addresses,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) credentials: Credentials,
    /// Done when everything that was stored runs again.
    pub(crate) synced: oneshot::Receiver<()>,
    /// Where the projection notes what the data plane has taken over.
    pub(crate) observer: Observer,
    /// Threads for functions that need much CPU.
    pub(crate) heavy: Threads,
    /// Threads for what only decides: the API server, reconcilers, the scaler.
    pub(crate) decides: Threads,
    /// Threads for connections of the data plane.
    pub(crate) workers: Vec<Threads>,
    /// Held while the node lives: one data directory, one node.
    pub(crate) lock: File,
}

/// What listens where.
pub(crate) struct Listeners {
    pub(crate) data_plane: Server,
    pub(crate) control: TcpListener,
    pub(crate) s3: TcpListener,
    pub(crate) tls: Arc<rustls::ServerConfig>,
}

/// Where a node can be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) http: SocketAddr,
    pub(crate) control: SocketAddr,
    pub(crate) s3: SocketAddr,
}

/// The parts of a node, joined. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) activator: Activator,
    pub(crate) scaler: Scaler,
    pub(crate) scaling: Scaling,
    pub(crate) runtime: Runtime,
    pub(crate) brokers: Brokers,
    pub(crate) buckets: BucketNode,
    key_values: KeyValues,
    pub(crate) api: ApiServer,
    ports: Arc<Ports>,
    settings: ControllerSettings,
    observed: Observed,
    /// Whether what was stored runs again: revisions that appear later are new.
    synced: Arc<AtomicBool>,
    on_synced: Arc<Mutex<Option<oneshot::Sender<()>>>>,
}

/// Opens and joins everything; binds the listeners. Nothing runs yet.
pub(crate) async fn build(settings: &node::Node) -> Result<Node, Failure> {
    let lock = lock(&settings.data_dir)?;
    let folder = |name: &str| settings.data_dir.join(name);
    let http = bind("http", settings.http).await?;
    let control = bind("control", settings.control).await?;
    let s3 = bind("s3", settings.s3).await?;
    let addresses = Addresses { http: address(&http)?, control: address(&control)?, s3: address(&s3)? };
    let vfs: Arc<dyn Vfs> = Arc::new(Disk);
    let store = Buckets::open(BucketOptions::new(vfs.clone(), folder("buckets"))).await;
    let store = store.map_err(|e| broken("cannot open the buckets", &e))?;

    let key_values = KeyValues::new(KeyValueOptions::new(vfs.clone(), folder("key-values.redb")));
    let roots = outside::roots();
    let heavy = Threads::new(heavy::runtime()).map_err(|e| broken("cannot start threads", &e))?;
    let decides = Threads::new(threads::control()).map_err(|e| broken("cannot start threads", &e))?;
    let runtime = Runtime::open(RuntimeOptions {
        artifacts: folder("artifacts"),
        compiler: Compiler::new(executable()?, ["compile-component"]),
        guest_memory_bytes: settings.guest_memory_bytes,
        heavy: Some(heavy.handle().clone()),
        blobs: Arc::new(blobs::NodeBlobs(store.clone())),
        key_values: Arc::new(key_values::NodeKeyValues(key_values.clone())),
        outside: outside::guests(addresses, &roots),
    })
    .map_err(|e| broken("cannot open the artifact store", &e))?;
    runtime.artifacts().embed(EMBEDDED).map_err(|e| broken("cannot store the components of the examples", &e))?;

    let scaler = Scaler::new();
    let poke = {
        let scaler = scaler.clone();
        Arc::new(move |revision: &_| scaler.poke(revision))
    };
    let activator =
        Activator::new(Arc::new(runtime.clone()), ActivatorSettings { poke: Some(poke), ..Default::default() });
    let scaling = Scaling::new(activator.clone());

    let uris = outside::sinks(addresses, roots);
    let brokers = open_brokers(settings, folder("broker"), &activator, uris)?;
    let buckets = join_buckets(store, &brokers).await?;
    let credentials = Credentials::load_or_create(&vfs, &folder(S3_CREDENTIALS));
    let credentials = credentials.map_err(|e| broken("cannot read or make the keys of the buckets", &e))?;
    let function_logs = logs::FunctionLogs(runtime.logs().clone());
    let Api { server: api, kubeconfig, tls } = open_api(&settings.data_dir, addresses.control, function_logs).await?;

    let ingress: Arc<dyn fnctl_activator::serve::EventIngress> = Arc::new(events::Ingress(brokers.clone()));
    let workers = threads::workers().map_err(|e| broken("cannot start threads", &e))?;
    let server = ServerSettings {
        hosts: settings.hosts.clone(),
        events: Some(ingress),
        workers: workers.iter().map(|worker| worker.handle().clone()).collect(),
        ..Default::default()
    };
    let data_plane = Server::new(http, activator.clone(), server);
    let (on_synced, synced) = oneshot::channel();
    let (observer, observed) = observe();
    let parts = Parts {
        activator,
        scaler,
        ports: Arc::new(Ports { runtime: runtime.clone(), buckets: buckets.clone(), scaling: scaling.clone() }),
        scaling,
        runtime,
        brokers,
        buckets,
        key_values,
        api,
        settings: ControllerSettings { domain: settings.domain.clone(), http_port: addresses.http.port() },
        observed,
        synced: Arc::default(),
        on_synced: Arc::new(Mutex::new(Some(on_synced))),
    };
    let listeners = Listeners { data_plane, control, s3, tls };
    Ok(Node { parts, listeners, addresses, kubeconfig, credentials, synced, observer, heavy, decides, workers, lock })
}

/// The API server, and what its clients need.
struct Api {
    server: ApiServer,
    kubeconfig: PathBuf,
    tls: Arc<rustls::ServerConfig>,
}

/// Opens the objects, with the token and the certificate that go with them, and writes the kubeconfig.
async fn open_api(data_dir: &Path, address: SocketAddr, logs: logs::FunctionLogs) -> Result<Api, Failure> {
    let folder = |name: &str| data_dir.join(name);
    let token = Token::load_or_create(&folder("token")).map_err(|e| broken("cannot read or make the token", &e))?;
    make_private(&folder("tls")).map_err(|e| broken("cannot make the certificate's folder", &e))?;
    let identity =
        tls::load_or_create(&folder("tls")).map_err(|e| broken("cannot read or make the certificate", &e))?;
    let server = ApiServer::open(Place::File(folder("api.redb")), token, Arc::new(logs)).await;
    let server = server.map_err(|e| broken("cannot open the store of API objects", &e))?;
    let kubeconfig = folder("kubeconfig");
    kubeconfig::write(&kubeconfig, &format!("https://{}", address), &identity.authority_pem, server.token())
        .map_err(|e| broken("cannot write the kubeconfig", &e))?;
    Ok(Api { server, kubeconfig, tls: identity.server })
}

fn open_brokers(
    settings: &node::Node,
    directory: PathBuf,
    activator: &Activator,
    uris: HttpDeliver,
) -> Result<Brokers, Failure> {
    let log = match settings.log {
        LogSetting::Segments => LogChoice::Segments(Default::default()),
        LogSetting::Memory => LogChoice::Memory,
    };
    Brokers::open(BrokerOptions {
        vfs: Arc::new(Disk),
        directory,
        log,
        parked_bytes_max: PARKED_BYTES_MAX,
        copies_bytes_max: RETRY_COPIES_BYTES_MAX,
        functions: Arc::new(deliver::Functions(activator.clone())),
        uris: Arc::new(uris),
    })
    .map_err(|e| broken("cannot open the brokers' state", &e))
}

async fn join_buckets(store: Buckets, brokers: &Brokers) -> Result<BucketNode, Failure> {
    let (opened, brokers) = (store.clone(), brokers.clone());
    let sources = tokio::task::spawn_blocking(move || BucketSources::open(&opened, brokers)).await;
    let sources = sources.map_err(|e| broken("cannot open the cursors of the bucket sources", &e))?;
    let sources = sources.map_err(|e| broken("cannot open the cursors of the bucket sources", &e))?;
    Ok(BucketNode::new(store, sources))
}

/// One data directory, one node. The lock goes with the process, however it ends.
fn lock(folder: &Path) -> Result<File, Failure> {
    let unusable = |e: &dyn std::error::Error| {
        Failure::failed(code::NODE, format!("the data directory {} cannot be used", folder.display()))
            .because(e)
            .try_this("fnctl up --data-dir DIR")
    };
    make_private(folder).map_err(|e| unusable(&e))?;
    let file =
        File::options().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(|e| unusable(&e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::failed(code::NODE, format!("another node runs in the data directory {}", folder.display()))
                .try_this("fnctl up --data-dir OTHER, or stop that node"))
        }
        Err(TryLockError::Error(error)) => Err(unusable(&error)),
    }
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

async fn bind(what: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|e| {
        Failure::failed(code::NODE, format!("cannot listen on {address} ({what})"))
            .because(&e)
            .try_this(format!("fnctl up --{what} 127.0.0.1:0"))
    })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|e| broken("a listener has no address", &e))
}

fn executable() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|e| broken("the program does not know where it is", &e))
}

fn broken(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::failed(code::NODE, what).because(error)
}

/// What the data plane could not take over: logged, and said by the object's status.
fn not_served(change: &Change, error: &dyn std::error::Error) -> Rejected {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    let causes = causes.collect::<Vec<_>>().join(": ");
    tracing::error!(object = %change.key(), causes, "not served");
    Rejected::new("NotServed", format!("{causes}; it is tried again by itself"))
}

impl Parts {
    /// Tells every part of the data plane. Those that answer at once cannot fail.
    async fn apply(&self, change: Change) -> Result<(), Rejected> {
        let origin = if self.synced.load(Ordering::Relaxed) { Origin::Created } else { Origin::Restored };
        self.activator.apply(&change);
        self.scaler.change(&change, origin);
        self.scaling.change(&change);
        if let Change::RevisionGone(revision) = &change {
            self.runtime.logs().remove(revision);
        }
        let brokers = self.brokers.apply(&change).await;
        brokers.map_err(|error| not_served(&change, &error))?;
        let buckets = self.buckets.apply(&change).await;
        buckets.map_err(|error| not_served(&change, &error))
    }

    async fn take(&self, update: Update) -> Result<(), Rejected> {
        match update {
            Update::Change(change) => self.apply(change).await,
            Update::Synced { brokers } => {
                if let Err(error) = self.brokers.settle(brokers).await {
                    tracing::error!(%error, "what deleted triggers and brokers left is kept");
                }
                if let Err(error) = self.buckets.settle().await {
                    tracing::error!(%error, "the state of deleted bucket sources is kept");
                }
                self.synced.store(true, Ordering::Relaxed);
                if let Some(on_synced) = self.on_synced.lock().await.take() {
                    // Nobody waits any more where the node is stopping already.
                    let _ = on_synced.send(());
                }
                Ok(())
            }
        }
    }

    pub(crate) async fn run_projections(self, observer: Observer, shutdown: impl Future<Output = ()> + Send) {
        let (client, home) = (self.api.client(), self.settings.home());
        let sink = |update| {
            let parts = self.clone();
            Box::pin(async move { parts.take(update).await }) as futures::future::BoxFuture<'static, _>
        };
        project::run(client, home, observer, sink, shutdown).await;
    }

    pub(crate) async fn run_controllers(self, shutdown: impl Future<Output = ()> + Send + 'static) {
        let (client, settings) = (self.api.client(), self.settings.clone());
        Controllers::run(client, settings, self.ports.clone(), self.observed.clone(), shutdown).await;
    }

    pub(crate) async fn run_scaler(self, shutdown: impl Future<Output = ()> + Send) {
        let scaling = Arc::new(self.scaling.clone());
        self.scaler.run(scaling.clone(), scaling, shutdown).await;
    }

    pub(crate) async fn run_brokers(self, shutdown: impl Future<Output = ()> + Send) {
        self.brokers.run(shutdown).await;
    }

    pub(crate) async fn run_buckets(self, shutdown: impl Future<Output = ()> + Send) {
        self.buckets.run(shutdown).await;
    }

    /// Ends when a store takes nothing any more, with which one and why. A full disk is no such reason: it passes.
    pub(crate) async fn store_failure(&self) -> String {
        tokio::select! {
            said = self.brokers.failed() => said,
            said = self.buckets.failed() => said,
            reason = self.api.failed() => format!("the API objects: {reason}"),
            reason = self.key_values.failed() => format!("the key-value stores: {reason}"),
        }
    }

    pub(crate) async fn sweep(self, shutdown: impl Future<Output = ()> + Send) {
        tokio::select! {
            () = shutdown => {}
            () = self.api.sweep_events() => {}
        }
    }
}
