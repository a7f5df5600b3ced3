//! The instances of one revision: its loaded component while it is above zero, and idle instances where they are reused.

use crate::artifact::Artifacts;
use crate::call::{Call, Instance, Place, Settled, settle};
use crate::heavy;
use crate::node::Function;
use crate::policy;
use crate::store::{self, Context};
use arc_swap::ArcSwapOption;
use fnctl_activator::body::Body;
use fnctl_activator::provider::{CallError, Instances, Lease, StartError};
use fnctl_config::limits;
use fnctl_config::snapshot::Reuse;
use futures::future::BoxFuture;
use http::{Request, Response};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::{Handle, RuntimeFlavor};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

pub(crate) struct WasmInstances {
    pub(crate) function: Arc<Function>,
    artifacts: Artifacts,
    /// None is zero: neither code nor descriptor is held then.
    loaded: ArcSwapOption<ProxyPre<Context>>,
    /// Last in, first out: the warmest memory is used next.
    idle: Mutex<Vec<Instance>>,
}

impl WasmInstances {
    pub(crate) fn new(function: Function, artifacts: Artifacts) -> Self {
        let function = Arc::new(function);
        Self { function, artifacts, loaded: ArcSwapOption::empty(), idle: Mutex::default() }
    }

    pub(crate) fn take_idle(&self) -> Instance {
        let reuse = self.function.revision.reuse;
        if reuse != Reuse::Fresh
            && let Some(instance) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
        {
            return instance;
        }
        let lifetime = match reuse {
            Reuse::Fresh => 1,
            Reuse::Serial { .. } => policy::lifetime(reuse, rand::random()),
        };
        Instance { store: store::new(&self.function), proxy: None, served: 0, lifetime }
    }

    pub(crate) fn keep_idle(&self, instance: Instance) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // `stop` unloads first and empties second, under this lock: nothing is kept beyond it.
        if self.loaded.load().is_some() && idle.len() < limits::IDLE_INSTANCES_MAX {
            idle.push(instance);
        }
    }

    /// Loads on the thread of the request: a quarter of a millisecond is less than a hop to another one.
    fn load(&self) -> Result<(), StartError> {
        if self.loaded.load().is_some() {
            return Ok(());
        }
        let revision = &self.function.revision;
        let failed = |reason: String| StartError { reason: format!("{}: {reason}", revision.key) };
        let code = self.artifacts.compiled(&self.function.node.engine, &revision.artifact);
        let code = code.map_err(|error| failed(error.to_string()))?;
        let load = || {
            let component = code.load(&self.function.node.engine).map_err(|error| failed(error.to_string()))?;
            let linker = self.function.node.linkers.get(&revision.grants);
            let linker = linker.map_err(|error| failed(error.root_cause().to_string()))?;
            let pre = linker.instantiate_pre(&component).and_then(ProxyPre::new);
            pre.map_err(|error| failed(error.root_cause().to_string()))
        };
        let off_the_workers = code.bytes() > limits::COMPILED_INLINE_BYTES_MAX
            && Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        let pre = if off_the_workers { tokio::task::block_in_place(load) } else { load() }?;
        self.loaded.store(Some(Arc::new(pre)));
        Ok(())
    }
}

impl Instances for WasmInstances {
    fn start(&self) -> BoxFuture<'_, Result<(), StartError>> {
        Box::pin(async { self.load() })
    }

    fn stop(&self) {
        self.loaded.store(None);
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(idle);
    }

    fn capacity(&self) -> u32 {
        let revision = &self.function.revision;
        match (revision.scale.max, revision.container_concurrency) {
            (0, _) | (_, 0) => limits::INSTANCES_MAX,
            (instances, calls) => instances.saturating_mul(calls).min(limits::INSTANCES_MAX),
        }
    }

    fn call(
        self: Arc<Self>,
        request: Request<Body>,
        lease: Lease,
    ) -> BoxFuture<'static, Result<Response<Body>, CallError>> {
        Box::pin(async move {
            let Some(pre) = self.loaded.load_full() else {
                return Err(CallError::Unavailable(format!("{} is at zero", self.function.revision.key)));
            };
            let function = self.function.clone();
            let call = Call::begin(self, &pre, request, lease)?;
            drop(pre);
            let threads = function.node.heavy.as_ref();
            if let Some(threads) = threads
                && function.is_heavy()
            {
                return heavy::carry(call, threads, &function.node.tasks).await;
            }
            let place = if threads.is_some() { Place::Connection } else { Place::Heavy };
            match (settle(call, place).await?, threads) {
                (Settled::Whole(answer), _) => Ok(answer),
                (Settled::Streaming(answer), _) => Ok(answer.map(Body::stream)),
                (Settled::Heavy(call), Some(threads)) => heavy::carry(call, threads, &function.node.tasks).await,
                (Settled::Heavy(_), None) => Err(CallError::Unavailable("there are no threads for it".to_owned())),
            }
        })
    }
}

impl fmt::Debug for WasmInstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loaded = self.loaded.load().is_some();
        f.debug_struct("WasmInstances").field("revision", &self.function.revision.key).field("loaded", &loaded).finish()
    }
}
