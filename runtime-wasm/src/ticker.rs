//! The clock that interrupts guests: a thread of its own, since a tick must come also when every worker is busy with
//! guests. It sleeps for good while no guest runs.

use fnctl_config::limits;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle, Thread};
use wasmtime::EngineWeak;

/// Ticks without a call after which the thread sleeps: a busy node does not wake it for each request.
const QUIET_TICKS: u32 = 100;

#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
    join: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicU32,
    asleep: AtomicBool,
    ended: AtomicBool,
}

/// One call that runs; it may be held anywhere.
#[derive(Debug)]
pub(crate) struct Running(Arc<Shared>);

impl Ticker {
    pub(crate) fn start(engine: EngineWeak) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let clock = shared.clone();
        let join = thread::Builder::new().name("wasm-epoch".into()).spawn(move || tick(&engine, &clock))?;
        Ok(Self { shared, thread: join.thread().clone(), join: Some(join) })
    }

    pub(crate) fn run(&self) -> Running {
        // Sequentially consistent with the thread's `asleep` then `running`: one of the two sees the other.
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(self.shared.clone())
    }
}

impl Running {
    /// How many calls run in all, this one included.
    pub(crate) fn count(&self) -> u32 {
        self.0.running.load(Ordering::Relaxed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(join) = self.join.take() {
            // The thread does nothing that can panic; there is nobody to tell if it did.
            _ = join.join();
        }
    }
}

fn tick(engine: &EngineWeak, shared: &Shared) {
    let mut quiet = 0;
    while !shared.ended.load(Ordering::SeqCst) {
        quiet = if shared.running.load(Ordering::SeqCst) == 0 { quiet + 1 } else { 0 };
        if quiet > QUIET_TICKS {
            shared.asleep.store(true, Ordering::SeqCst);
            while shared.running.load(Ordering::SeqCst) == 0 && !shared.ended.load(Ordering::SeqCst) {
                thread::park();
            }
            shared.asleep.store(false, Ordering::SeqCst);
            quiet = 0;
        }
        thread::park_timeout(limits::EPOCH_TICK);
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
    }
}
