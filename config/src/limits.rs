//! Every named limit: its unit, where the number comes from, and what happens when it is reached.
//! Nothing else in the workspace writes such a number down.

use std::time::Duration;

/// Largest event the broker takes, in bytes of the HTTP body. Above it: 413, naming the limit.
/// CloudEvents asks intermediaries for 64 KiB; Kafka's default is 1 MiB.
pub const EVENT_BYTES_MAX: usize = 1 << 20;
/// Most events in one batch. Above it: 413.
pub const BATCH_EVENTS_MAX: usize = 1_000;
/// Largest body of a function's request that is held in memory while the function wakes, in bytes of all
/// requests of one revision. Above it: 503 with Retry-After.
pub const QUEUE_BYTES_MAX: u64 = 64 << 20;
/// Most requests waiting for one revision. Above it: 503 with Retry-After. The activator's depth in Knative.
pub const QUEUE_REQUESTS_MAX: usize = 10_000;
/// Longest wait in the queue. After it: 503 with Retry-After and the reason.
pub const QUEUE_WAIT_MAX: Duration = Duration::from_secs(60);
/// Largest object of the API, in bytes of its JSON: as Kubernetes. Above it: 413.
pub const OBJECT_BYTES_MAX: usize = 3 << 20;
/// Largest component, in bytes. Above it: refused at deploy time.
pub const COMPONENT_BYTES_MAX: usize = 20 << 20;
/// Linear memory of one instance where the manifest says nothing, in bytes.
pub const MEMORY_BYTES_DEFAULT: u64 = 128 << 20;
/// Most linear memory a manifest may ask for, in bytes.
pub const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// CPU time of one call where the manifest says nothing.
pub const CPU_DEFAULT: Duration = Duration::from_secs(10);
/// Tick of the epoch clock that interrupts guests: CPU limits are counted in these.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Wasm instances alive at once on one node; the pool has a tenth more slots, since a full pool is an error.
pub const INSTANCES_MAX: u32 = 900;
/// Open connections of the data plane. Above it: new ones wait in the kernel's backlog.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Time a client has for its request's head.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// All headers of a request, in bytes. Above it: 431.
pub const HEADER_BYTES_MAX: usize = 64 << 10;
/// stdout and stderr of one call, in bytes; more is swallowed and counted.
pub const LOG_CALL_BYTES_MAX: usize = 256 << 10;
/// Time that a stopping node gives to requests in flight.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
