//! The node's wasm runtime as the composer sees it.

use crate::artifact::{ArtifactError, Artifacts};
use crate::capability::blobs::Blobs;
use crate::capability::key_values::KeyValues;
use crate::capability::outbound::{Outbound, Outside};
use crate::compile::Compiler;
use crate::engine::{Engine, EngineError};
use crate::instances::WasmInstances;
use crate::linker::Linkers;
use crate::logs::Logs;
use crate::node::{Function, Node, Tasks};
use crate::prepare::{self, PrepareError, Prepared, Preparer};
use crate::store::NodeMemory;
use fnctl_activator::provider::{Instances, Provider};
use fnctl_config::snapshot::{Grants, Revision};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Handle;

/// What a node's wasm runtime is made of.
#[derive(Debug)]
pub struct Options {
    /// Folder of the artifact store.
    pub artifacts: PathBuf,
    /// How the compiler's child process is started.
    pub compiler: Compiler,
    /// Linear memory of all guests together, in bytes; [`fnctl_config::limits::GUEST_MEMORY_BYTES_DEFAULT`] where nothing is set.
    pub guest_memory_bytes: u64,
    /// Threads for calls that need much CPU ([`crate::heavy::runtime`]).
    pub heavy: Option<Handle>,
    /// The buckets that guests are granted parts of.
    pub blobs: Arc<dyn Blobs>,
    /// The key-value stores likewise.
    pub key_values: Arc<dyn KeyValues>,
    /// The ways out that guests are granted.
    pub outside: Outside,
}

/// Why the runtime could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The artifact store.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
}

/// Runs functions inside this process. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) node: Arc<Node>,
    artifacts: Artifacts,
    preparer: Arc<Preparer>,
}

impl Runtime {
    /// Opens the artifact store and sets up the engine. One per process.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let engine = Engine::new()?;
        Self::with_engine(options, engine)
    }

    pub(crate) fn with_engine(options: Options, engine: Engine) -> Result<Self, OpenError> {
        let artifacts = Artifacts::open(options.artifacts)?;
        let node = Node {
            linkers: Linkers::new(engine.clone()),
            engine,
            logs: Logs::new(),
            memory: Arc::new(NodeMemory::new(options.guest_memory_bytes)),
            blobs: options.blobs,
            key_values: options.key_values,
            outbound: Outbound::new(options.outside),
            heavy: options.heavy,
            tasks: Tasks::default(),
        };
        Ok(Self { node: Arc::new(node), artifacts, preparer: Arc::new(Preparer::new(options.compiler)) })
    }

    /// The engine, for its metrics.
    pub fn engine(&self) -> &Engine {
        &self.node.engine
    }

    /// The artifact store.
    pub fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    /// What functions wrote.
    pub fn logs(&self) -> &Logs {
        &self.node.logs
    }

    /// Linear memory that guests hold now, in bytes.
    pub fn guest_memory_bytes(&self) -> u64 {
        self.node.memory.used()
    }

    /// What an image's name leads to: the component's sha256.
    pub async fn resolve(&self, image: &str) -> Result<String, PrepareError> {
        let (artifacts, image) = (self.artifacts.clone(), image.to_owned());
        Ok(prepare::blocking(move || artifacts.resolve(&image)).await??)
    }

    /// Makes a component ready to run with these grants: compiles it if it is not yet, and checks that all it imports is
    /// there. Idempotent; quick the second time.
    pub async fn prepare(&self, digest: &str, grants: &Grants) -> Result<Prepared, PrepareError> {
        self.preparer.compile(&self.artifacts, &self.node.engine, digest).await?;
        let (node, artifacts) = (self.node.clone(), self.artifacts.clone());
        let (digest, grants) = (digest.to_owned(), grants.clone());
        prepare::blocking(move || {
            let component = artifacts.compiled(&node.engine, &digest)?.load(&node.engine)?;
            prepare::check(&node.engine, &node.linkers, &component, &grants)
        })
        .await?
    }

    /// Waits for guest work that goes on after its answer. Dropping the future ends what is left.
    pub async fn drain(&self) {
        self.node.tasks.drain().await;
    }
}

impl Provider for Runtime {
    fn instances(&self, revision: &Arc<Revision>) -> Arc<dyn Instances> {
        let function = Function::new(revision.clone(), self.node.clone());
        Arc::new(WasmInstances::new(function, self.artifacts.clone()))
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.node.memory.used();
        f.debug_struct("Runtime").field("artifacts", &self.artifacts).field("guest_memory_bytes", &memory).finish()
    }
}
