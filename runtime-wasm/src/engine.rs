//! The engine of WASI 0.2 components: what code it makes and takes, how instances get their memory, and the clock that
//! interrupts guests.

use crate::ticker::{Running, Ticker};
use fnctl_config::limits;
use sha2::{Digest as _, Sha256};
use std::hash::{Hash as _, Hasher};
use std::io;
use std::sync::Arc;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Slots of the pool: a tenth more than calls are admitted, since a full pool is an error and no queue.
const SLOTS: u32 = limits::INSTANCES_MAX + limits::INSTANCES_MAX / 10;
/// Memory that a slot keeps between instances, zeroed in place instead of given back to the kernel.
const MEMORY_KEPT: usize = 2 << 20;
const TABLE_KEPT: usize = 64 << 10;

/// How a slot's memory is cleaned between two instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleaning {
    /// The kernel names the pages that were written (`PAGEMAP_SCAN`): by far the cheapest.
    Scan,
    /// Everything that is kept resident is zeroed. Taken while swap is on: a page that was written and swapped out is
    /// not named by the scan, and the next instance of the slot would read it.
    Zero,
}

/// Why the engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The machine lacks something the engine needs, mostly address space.
    #[error("cannot set up the wasm engine: {0}")]
    Setup(String),
    /// The clock's thread could not be started.
    #[error("cannot start the thread that interrupts functions: {0}")]
    Ticker(#[source] io::Error),
}

/// The engine with its clock. Cheap to clone; the clock ends with the last clone.
#[derive(Clone, Debug)]
pub struct Engine {
    wasm: wasmtime::Engine,
    ticker: Arc<Ticker>,
    cleaning: Cleaning,
}

impl Engine {
    /// Sets up the pool and the clock. Call it once per process: the pool reserves some 4 TiB of addresses.
    pub fn new() -> Result<Self, EngineError> {
        let swaps = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
        Self::with_cleaning(cleaning(&swaps))
    }

    fn with_cleaning(cleaning: Cleaning) -> Result<Self, EngineError> {
        let mut config = code();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(cleaning)));
        let wasm = wasmtime::Engine::new(&config).map_err(|error| EngineError::Setup(format!("{error:#}")))?;
        let ticker = Arc::new(Ticker::start(wasm.weak()).map_err(EngineError::Ticker)?);
        Ok(Self { wasm, ticker, cleaning })
    }

    /// How memory is cleaned here; worth a line in the log when it is not [`Cleaning::Scan`].
    pub fn cleaning(&self) -> Cleaning {
        self.cleaning
    }

    /// Counts a call, so that the clock ticks while there is one.
    pub(crate) fn run(&self) -> Running {
        self.ticker.run()
    }

    pub(crate) fn wasm(&self) -> &wasmtime::Engine {
        &self.wasm
    }

    /// Changes with everything that decides whether compiled code can be loaded: version, settings, CPU features.
    pub(crate) fn fingerprint(&self) -> String {
        fingerprint(&self.wasm)
    }

    /// What the pool holds now.
    pub fn usage(&self) -> Usage {
        let Some(metrics) = self.wasm.pooling_allocator_metrics() else { return Usage::default() };
        Usage {
            instances: metrics.component_instances(),
            memories: metrics.memories() as u64,
            stacks: metrics.stacks() as u64,
            warm_bytes: metrics.unused_memory_bytes_resident() as u64,
        }
    }
}

/// What the pool holds at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Live component instances.
    pub instances: u64,
    /// Linear memories in use.
    pub memories: u64,
    /// Stacks in use.
    pub stacks: u64,
    /// Bytes kept resident by unused slots.
    pub warm_bytes: u64,
}

/// What the compiler and the server must agree on: it is part of the fingerprint.
fn code() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // 0.2 components need none of the bookkeeping of concurrent calls; leaving it out is a quarter of a request.
    config.concurrency_support(false);
    // What guests of today do not need is not offered: less surface.
    config.wasm_gc(false).wasm_exceptions(false).wasm_threads(false).wasm_memory64(false);
    // Why a guest failed is told by its trap and its log. Addresses would cost memory in every artifact.
    config.wasm_backtrace_max_frames(None).generate_address_map(false);
    config.memory_init_cow(true);
    config
}

/// The compiler's engine: the same code, without the pool, whose reservation would not fit a compiler's limits.
pub(crate) fn compiling() -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(&code())
}

fn pool(cleaning: Cleaning) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS).total_memories(SLOTS).total_stacks(SLOTS);
    // A component is several core instances and tables: a small Rust one has 1 memory and 2 tables.
    pool.total_core_instances(SLOTS * 4).total_tables(SLOTS * 2);
    pool.max_memories_per_component(limits::INSTANCE_MEMORIES_MAX)
        .max_tables_per_component(limits::INSTANCE_TABLES_MAX)
        .max_core_instances_per_component(limits::INSTANCE_CORES_MAX)
        .max_memories_per_module(2)
        .max_tables_per_module(2)
        .table_elements(limits::TABLE_ELEMENTS_MAX)
        .max_memory_size(limits::MEMORY_BYTES_MAX as usize);
    pool.linear_memory_keep_resident(MEMORY_KEPT).table_keep_resident(TABLE_KEPT);
    pool.pagemap_scan(match cleaning {
        Cleaning::Scan => Enabled::Auto,
        Cleaning::Zero => Enabled::No,
    });
    pool
}

/// `swaps` is the text of `/proc/swaps`: a heading, then one line per area.
fn cleaning(swaps: &str) -> Cleaning {
    let swap_is_on = swaps.lines().skip(1).any(|line| !line.trim().is_empty());
    if !swap_is_on && PoolingAllocationConfig::is_pagemap_scan_available() { Cleaning::Scan } else { Cleaning::Zero }
}

fn fingerprint(engine: &wasmtime::Engine) -> String {
    /// `Hash` writes into sha256, whose value is the same in every process.
    struct Feed(Sha256);
    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut feed = Feed(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut feed);
    crate::artifact::hex(&feed.0.finalize()[..8])
}

#[cfg(test)]
mod tests;
