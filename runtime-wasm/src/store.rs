//! What one instance owns on the host's side, and every limit on it.

use crate::capability::outbound::Outgoing;
use crate::logs::{Stream, Writer};
use crate::node::Function;
use bytes::Bytes;
use fnctl_config::limits;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime::component::ResourceTable;
use wasmtime::{Error, ResourceLimiter, Result, Store, UpdateDeadline};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// A store's data.
pub(crate) struct Context {
    pub(crate) function: Arc<Function>,
    pub(crate) table: ResourceTable,
    pub(crate) memory: Memory,
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    ticks: Ticks,
    /// Made with `wasi`.
    output: Option<Output>,
    event: Arc<str>,
}

/// Why the host ended a call; found again with `error.downcast_ref`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cut {
    #[error("it used up its CPU time")]
    Cpu,
    #[error("it passed its memory limit")]
    Memory,
    #[error("the memory that this node has for functions is used up")]
    NodeMemory,
    #[error("it used up its wall time of {0:?}")]
    Wall(Duration),
}

/// CPU time of one call in ticks of the epoch clock.
struct Ticks {
    used: u32,
    allowed: u32,
}

/// A store for one instance, ready for its first call.
pub(crate) fn new(function: &Arc<Function>) -> Store<Context> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(limits::GUEST_HANDLES_MAX);
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(limits::HEADER_BYTES_MAX);
    let call = &function.revision.limits;
    let context = Context {
        table,
        memory: Memory { used: 0, limit: call.memory_bytes, node: function.node.memory.clone() },
        // Built on first use: a guest that only speaks HTTP never needs clocks or randomness.
        wasi: None,
        http,
        outgoing: Outgoing::new(function),
        ticks: Ticks { used: 0, allowed: ticks(call.cpu) },
        output: None,
        event: Arc::default(),
        function: function.clone(),
    };
    let mut store = Store::new(function.node.engine.wasm(), context);
    store.limiter(|context| &mut context.memory);
    store.set_hostcall_fuel(limits::HOST_CALL_BYTES_MAX);
    store.set_max_component_handles(limits::GUEST_HANDLES_MAX);
    // Without a deadline the first check traps. One tick ahead, then yield: others on this thread get their turn.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| {
        let ticks = &mut store.data_mut().ticks;
        ticks.used += 1;
        if ticks.used > ticks.allowed {
            return Err(Error::new(Cut::Cpu));
        }
        // Not a plain yield, which only wakes the task again: a worker looks for I/O once in 61 polls, and with a guest
        // on each worker those are 0.6 s without network. `yield_now` goes behind the I/O driver.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    store
}

/// At least one tick more than the limit has: the first may come at once.
fn ticks(cpu: Duration) -> u32 {
    u32::try_from(cpu.as_millis().div_ceil(limits::EPOCH_TICK.as_millis())).unwrap_or(u32::MAX - 1) + 1
}

impl Context {
    /// Sets an instance up for its next call, which may carry an event.
    pub(crate) fn begin(store: &mut Store<Self>, event: Option<&str>) {
        let context = store.data_mut();
        context.ticks.used = 0;
        context.event = event.map(Arc::from).unwrap_or_default();
        if let Some(output) = &context.output {
            output.begin(context.event.clone());
        }
        // The old deadline is long past; without a new one the call would yield at once.
        store.set_epoch_deadline(1);
    }

    /// The call has ended: its last line of output is a line.
    pub(crate) fn end(&mut self) {
        if let Some(output) = &self.output {
            output.finish();
        }
    }
}

impl WasiView for Context {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Self { wasi, function, output, event, table, .. } = self;
        let ctx = wasi.get_or_insert_with(|| {
            let output = output.insert(Output { function: function.clone(), call: Arc::default() });
            output.begin(event.clone());
            WasiCtx::builder()
                .stdout(OutputEnd { output: output.clone(), stream: Stream::Stdout })
                .stderr(OutputEnd { output: output.clone(), stream: Stream::Stderr })
                .max_random_size(limits::RANDOM_BYTES_MAX)
                .build()
        });
        WasiCtxView { ctx, table }
    }
}

impl WasiHttpView for Context {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Bounds the sum of an instance's memories (wasmtime's own limiter bounds each alone) and takes it from the node's.
pub(crate) struct Memory {
    used: u64,
    limit: u64,
    node: Arc<NodeMemory>,
}

impl Memory {
    pub(crate) fn used(&self) -> u64 {
        self.used
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.node.used.fetch_sub(self.used, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false); // its own bound, which the guest knows
        }
        let more = desired.saturating_sub(current) as u64;
        // An error ends the call. `Ok(false)` would let the guest try again, and again.
        if self.used + more > self.limit {
            return Err(Error::new(Cut::Memory));
        }
        if self.node.used.fetch_add(more, Ordering::Relaxed) + more > self.node.limit {
            self.node.used.fetch_sub(more, Ordering::Relaxed);
            return Err(Error::new(Cut::NodeMemory));
        }
        self.used += more;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= limits::TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        limits::INSTANCE_CORES_MAX as usize
    }

    fn tables(&self) -> usize {
        limits::INSTANCE_TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        limits::INSTANCE_MEMORIES_MAX as usize
    }
}

/// The linear memory of all guests of one node.
#[derive(Debug)]
pub(crate) struct NodeMemory {
    used: AtomicU64,
    limit: u64,
}

impl NodeMemory {
    pub(crate) fn new(limit: u64) -> Self {
        Self { used: AtomicU64::new(0), limit }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.used() >= self.limit
    }
}

/// stdout and stderr of the call that runs. Shared with the streams that the guest holds, over several calls too.
#[derive(Clone)]
struct Output {
    function: Arc<Function>,
    call: Arc<Mutex<CallOutput>>,
}

#[derive(Default)]
struct CallOutput {
    event: Arc<str>,
    /// There once the call has written something.
    writer: Option<Writer>,
}

impl Output {
    fn begin(&self, event: Arc<str>) {
        *self.call.lock().unwrap_or_else(PoisonError::into_inner) = CallOutput { event, writer: None };
    }

    fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut call = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        let CallOutput { event, writer } = &mut *call;
        let open = || self.function.node.logs.writer(&self.function.revision.key, event.clone());
        writer.get_or_insert_with(open).write(stream, bytes);
    }

    fn finish(&self) {
        if let Some(writer) = self.call.lock().unwrap_or_else(PoisonError::into_inner).writer.take() {
            writer.finish();
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Clone)]
struct OutputEnd {
    output: Output,
    stream: Stream,
}

impl IsTerminal for OutputEnd {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for OutputEnd {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink()) // asked for by 0.3 guests alone
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for OutputEnd {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl OutputStream for OutputEnd {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.output.write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(limits::LOG_CALL_BYTES_MAX)
    }
}
