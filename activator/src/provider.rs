//! The instance port: who runs a revision's instances. `runtime-wasm` runs them in this process; processes and pods are
//! adapters of the same port.
//!
//! ```text
//!            start()                 call() × n                stop()
//!   zero ───────────────► started ───────────────► started ───────────────► zero
//!          (one at a time)                                  (calls in flight go on)
//! ```

pub mod conformance;
pub mod fake;

use crate::body::Body;
use fnctl_config::snapshot::Revision;
use futures::future::BoxFuture;
use http::{Request, Response};
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Makes the instances of revisions.
pub trait Provider: fmt::Debug + Send + Sync {
    /// The instances of a revision, at zero. Cheap: nothing is loaded. Called once per revision and again when its
    /// bounds or grants changed; the activator drops the older value, whose calls in flight go on.
    fn instances(&self, revision: &Arc<Revision>) -> Arc<dyn Instances>;
}

/// The instances of one revision.
pub trait Instances: fmt::Debug + Send + Sync {
    /// Leaves zero. The activator has one `start` in flight at most; after `Ok` it makes calls.
    fn start(&self) -> BoxFuture<'_, Result<(), StartError>>;

    /// Back to zero: drops all that an idle revision holds. Idempotent. Calls in flight go on with what they hold.
    fn stop(&self);

    /// How many calls may run at once now; the activator queues the rest. At least 1 once started. Read after a start
    /// and after each call, so a larger number is noticed when the next call ends. Cheap, and it may not block.
    fn capacity(&self) -> u32;

    /// Runs one call. Driven by whoever polls the future and then the answer's body: no task of its own is needed.
    /// `lease` stands for the admission: it is dropped when the call has ended, its body included. An adapter that knows
    /// how long the function itself ran says so by a [`Timing`](crate::respond::Timing) in the answer's extensions.
    fn call(
        self: Arc<Self>,
        request: Request<Body>,
        lease: Lease,
    ) -> BoxFuture<'static, Result<Response<Body>, CallError>>;
}

/// Stands for one admitted call; dropping it lets the next one in.
pub struct Lease(#[allow(dead_code, reason = "held for its Drop")] Box<dyn Any + Send>);

impl Lease {
    /// A lease that drops `held` when the call has ended.
    pub fn new(held: impl Any + Send) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

/// Why a revision could not leave zero. The platform's fault or the manifest's, never the caller's; may be tried again.
#[derive(Debug, thiserror::Error)]
#[error("cannot start revision: {reason}")]
pub struct StartError {
    /// One sentence that names what is missing.
    pub reason: String,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The function trapped or exited; the function's fault.
    #[error("the function failed: {0}")]
    Trap(String),
    /// It passed its memory limit; the function's fault.
    #[error("the function passed its memory limit of {limit_bytes} bytes")]
    Memory {
        /// The limit.
        limit_bytes: u64,
    },
    /// It used up its CPU time; the function's fault.
    #[error("the function used up its CPU time of {limit:?}")]
    Cpu {
        /// The limit.
        limit: Duration,
    },
    /// It used up its wall time; the function's fault.
    #[error("the function gave no answer within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// It ended without an answer or with one that is no HTTP; the function's fault.
    #[error("the function's answer is not valid: {0}")]
    BadAnswer(String),
    /// No room or not started; not an attempt, may be tried again.
    #[error("not admitted: {0}")]
    Unavailable(String),
}
