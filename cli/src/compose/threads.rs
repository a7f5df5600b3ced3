//! The node's threads beside those of the data plane.

use std::num::NonZero;
use std::{io, thread};
use tokio::runtime::{Builder, Handle, Runtime};

/// Threads of the control side. It decides and waits, so that one would do; with two, a long answer of the API keeps no
/// reconciler waiting.
const CONTROL_THREADS: usize = 2;

/// A runtime that may be dropped anywhere: that ends what still runs on it, and does not wait for it.
#[derive(Debug)]
pub(crate) struct Threads {
    handle: Handle,
    runtime: Option<Runtime>,
}

/// Threads for what only decides. They are not the data plane's, so that the API answers and functions are scaled while
/// guests keep every thread of the data plane busy.
pub(super) fn control() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(CONTROL_THREADS).thread_name("control").enable_all().build()
}

/// Threads for connections of the data plane, one per core, each a runtime of its own. A request runs in its
/// connection's task, and to wake another thread so that it may take over half of them costs as much as a call.
pub(super) fn workers() -> io::Result<Vec<Threads>> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    (0..cores).map(|_| Threads::new(worker())).collect()
}

fn worker() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("connections")
        // Before it sleeps, who else waits for this core has its turn; then there is often work for it, without a sleep.
        .on_thread_park(thread::yield_now)
        .enable_all()
        .build()
}

impl Threads {
    /// Holds a runtime that was just made, or hands on why there is none.
    pub(super) fn new(runtime: io::Result<Runtime>) -> io::Result<Self> {
        let runtime = runtime?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where to spawn.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
