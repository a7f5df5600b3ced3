//! Makes a component ready to run: looked over, compiled once, and every import accounted for.

use crate::artifact::{ArtifactError, Artifacts, LoadError};
use crate::compile::{CompileError, Compiler};
use crate::engine::Engine;
use crate::linker::{Linkers, missing};
use crate::precheck::{PrecheckError, precheck};
use fnctl_config::limits;
use fnctl_config::snapshot::Grants;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{Mutex as TurnMutex, Semaphore};
use tokio::task::spawn_blocking;
use wasmtime::component::Component;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

/// Why a component cannot run here.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// It is not in the store, or the store fails.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// It is no component, or too large.
    #[error(transparent)]
    Precheck(#[from] PrecheckError),
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Its compiled form does not load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It imports what is not there; one sentence for each import.
    #[error("{}", .0.join("; "))]
    Imports(Vec<String>),
    /// It is not a function.
    #[error("the component exports no wasi:http/incoming-handler@0.2: it is no function{0}")]
    NoHandler(&'static str),
    /// It needs more than an instance may have.
    #[error("the component needs {needed} {what}, an instance may have {limit}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How many.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// Something else does not fit.
    #[error("the component cannot be linked: {0}")]
    Link(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// What is known of a component that is ready to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Bytes of its linear memories before it has run.
    pub memory_bytes: u64,
}

/// Prepares components, each once at a time and [`limits::COMPILES_MAX`] in all.
pub(crate) struct Preparer {
    compiler: Compiler,
    compilers: Semaphore,
    turns: Mutex<HashMap<String, Weak<TurnMutex<()>>>>,
}

impl Preparer {
    pub(crate) fn new(compiler: Compiler) -> Self {
        Self { compiler, compilers: Semaphore::new(limits::COMPILES_MAX), turns: Mutex::default() }
    }

    /// Makes sure that `digest` is compiled for this engine.
    pub(crate) async fn compile(
        &self,
        artifacts: &Artifacts,
        engine: &Engine,
        digest: &str,
    ) -> Result<(), PrepareError> {
        let turn = self.turn(digest);
        let _turn = turn.lock().await;
        if blocking({
            let (artifacts, engine, digest) = (artifacts.clone(), engine.clone(), digest.to_owned());
            move || artifacts.compiled(&engine, &digest).is_ok()
        })
        .await?
        {
            return Ok(());
        }
        blocking({
            let (artifacts, digest) = (artifacts.clone(), digest.to_owned());
            move || Ok::<_, PrepareError>(precheck(&artifacts.blob(&digest)?)?)
        })
        .await??;
        let Ok(_one) = self.compilers.acquire().await else { return Err(PrepareError::Stopping) };
        let output = artifacts.partial();
        let compiled = self.compiler.compile(&artifacts.blob_path(digest), &output).await;
        let (artifacts, engine, digest) = (artifacts.clone(), engine.clone(), digest.to_owned());
        blocking(move || {
            let adopted = match compiled {
                Ok(()) => artifacts.adopt_compiled(&engine, &digest, &output).map_err(PrepareError::from),
                Err(error) => Err(error.into()),
            };
            if adopted.is_err() {
                // A killed child may leave half a file; the next start would drop it.
                _ = std::fs::remove_file(&output);
            }
            adopted
        })
        .await?
    }

    fn turn(&self, digest: &str) -> Arc<TurnMutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(digest).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(digest.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

/// Checks that a loaded component is a function that fits, and that all it imports is there and granted.
pub(crate) fn check(
    engine: &Engine,
    linkers: &Linkers,
    component: &Component,
    grants: &Grants,
) -> Result<Prepared, PrepareError> {
    let kind = component.component_type();
    let imports: Vec<String> = kind.imports(engine.wasm()).filter_map(|(name, _)| missing(name, grants)).collect();
    if !imports.is_empty() {
        return Err(PrepareError::Imports(imports));
    }
    let exports: Vec<String> = kind.exports(engine.wasm()).map(|(name, _)| name.to_owned()).collect();
    if !exports.iter().any(|name| name.starts_with("wasi:http/incoming-handler@0.2.")) {
        let newer = exports.iter().any(|name| name.starts_with("wasi:http/handler@0.3"));
        let command = exports.iter().any(|name| name.starts_with("wasi:cli/run@"));
        return Err(PrepareError::NoHandler(match (newer, command) {
            (true, _) => " (WASI 0.3 handlers are not here yet: build for WASI 0.2)",
            (_, true) => ", but a command line program",
            _ => "",
        }));
    }
    let needed = fits(component)?;
    let link = |error: wasmtime::Error| PrepareError::Link(error.root_cause().to_string());
    let linker = linkers.get(grants).map_err(link)?;
    linker.instantiate_pre(component).and_then(ProxyPre::new).map_err(link)?;
    Ok(Prepared { memory_bytes: needed })
}

/// The bytes of its memories at start, if the pool can hold it.
fn fits(component: &Component) -> Result<u64, PrepareError> {
    const PAGE: u64 = 64 << 10;
    let Some(needed) = component.resources_required() else { return Ok(0) };
    let largest = needed.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE);
    let memories = u64::from(needed.num_memories);
    for (what, needed, limit) in [
        ("memories", memories, u64::from(limits::INSTANCE_MEMORIES_MAX)),
        ("bytes of memory", largest, limits::MEMORY_BYTES_MAX),
        ("tables", u64::from(needed.num_tables), u64::from(limits::INSTANCE_TABLES_MAX)),
        ("table elements", needed.max_initial_table_size.unwrap_or(0), limits::TABLE_ELEMENTS_MAX as u64),
    ] {
        if needed > limit {
            return Err(PrepareError::TooLarge { what, needed, limit });
        }
    }
    Ok(largest)
}

/// The disk and the linker block: not on the threads of connections.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PrepareError> {
    spawn_blocking(work).await.map_err(|_| PrepareError::Stopping)
}
