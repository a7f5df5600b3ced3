//! One call: instantiate, run the guest inside the caller's own task, answer, keep or drop the instance.
//!
//! The guest's call is a future that owns its store. Whoever holds the answer drives it: first [`settle`], until the
//! guest has set its answer; then the answer's body, each time a frame is asked for. There is no task, channel or waker
//! between the connection and the guest; when the connection drops the body (the client has gone), the guest goes too.

use crate::answer::{self, GuestBody};
use crate::instances::WasmInstances;
use crate::policy::{self, Ended, Next};
use crate::store::{Context, Cut};
use crate::ticker::Running;
use fnctl_activator::body::Body;
use fnctl_activator::provider::{CallError, Lease};
use fnctl_activator::respond::Timing;
use fnctl_config::limits;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime::{PoolConcurrencyLimitError, Store};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{Error as HttpError, WasiHttpView as _};

/// An instance with what its next call needs.
pub(crate) struct Instance {
    pub(crate) store: Store<Context>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) served: u32,
    pub(crate) lifetime: u32,
}

/// Where the guest leaves its answer. Written only while the call is polled and read right after by the same task: it
/// needs no waker.
type Slot = Arc<Mutex<Option<Result<Response<HyperOutgoingBody>, ErrorCode>>>>;
type Outcome = (Option<Instance>, wasmtime::Result<()>);

/// A guest that runs, and what must be done once it has ended.
pub(crate) struct Call {
    run: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    slot: Slot,
    clock: Clock,
    owner: Owner,
}

/// Time of one call, on the wall and on the CPU.
struct Clock {
    started: Instant,
    /// When the guest was last left.
    left: Instant,
    timeout: Duration,
    response_start: Option<Duration>,
    wall: Option<Pin<Box<Sleep>>>,
    spent: Duration,
}

/// Stands for the call in its revision and its node until it has ended.
struct Owner {
    instances: Arc<WasmInstances>,
    event: Option<Arc<str>>,
    _running: Running,
    _lease: Lease,
}

/// What [`settle`] does with a call that turns out to need much CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where it began; gives it back once it has used [`limits::HEAVY_CALL_CPU`].
    Connection,
    /// Where it is.
    Heavy,
}

/// How far [`settle`] came.
pub(crate) enum Settled {
    /// The guest ended: everything of its answer is here.
    Whole(Response<Body>),
    /// The guest still runs and writes.
    Streaming(Response<GuestBody>),
    /// It has not answered yet and needs much CPU.
    Heavy(Call),
}

impl Call {
    /// Takes an idle instance or makes a store; the guest itself begins with the first poll.
    pub(crate) fn begin(
        instances: Arc<WasmInstances>,
        pre: &Arc<ProxyPre<Context>>,
        request: Request<Body>,
        lease: Lease,
    ) -> Result<Self, CallError> {
        let function = &instances.function;
        let running = function.node.engine.run();
        if running.count() > limits::INSTANCES_MAX {
            return Err(CallError::Unavailable(format!("the node runs {} calls, its limit", limits::INSTANCES_MAX)));
        }
        if function.node.memory.is_full() {
            return Err(CallError::Unavailable(Cut::NodeMemory.to_string()));
        }
        let mut instance = instances.take_idle();
        let event = request.headers().get("ce-id").and_then(|id| id.to_str().ok()).map(Arc::<str>::from);
        Context::begin(&mut instance.store, event.as_deref());
        let slot = Slot::default();
        let bad =
            |error: wasmtime::Error| CallError::Unavailable(format!("the request cannot be given to it: {error}"));
        let mut http = instance.store.data_mut().http();
        let request = request.map(|body| body.map_err(|error| HttpError::InternalError(Some(error.to_string()))));
        let request = http.new_incoming_request(Scheme::Http, request).map_err(bad)?;
        let outcome = slot.clone();
        let set = move |answer| *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        let outparam = http.new_response_outparam_from_callback(set).map_err(bad)?;
        let pre = instance.proxy.is_none().then(|| pre.clone());
        instance.served += 1;
        let run = Box::pin(async move {
            let result = async {
                if let Some(pre) = pre {
                    instance.proxy = Some(pre.instantiate_async(&mut instance.store).await?);
                }
                let Some(proxy) = &instance.proxy else { return Ok(()) };
                proxy.wasi_http_incoming_handler().call_handle(&mut instance.store, request, outparam).await
            }
            .await;
            (Some(instance), result)
        });
        let bounds = &instances.function.revision.limits;
        let started = Instant::now();
        let clock = Clock {
            started,
            left: started,
            timeout: bounds.timeout,
            response_start: bounds.response_start,
            wall: None,
            spent: Duration::ZERO,
        };
        Ok(Self { run, slot, clock, owner: Owner { instances, event, _running: running, _lease: lease } })
    }

    /// Drives the guest. Ready once: the call has ended, and its instance is kept or gone.
    pub(crate) fn poll(&mut self, context: &mut std::task::Context<'_>) -> Poll<Result<(), CallError>> {
        let began = Instant::now();
        let polled = self.run.as_mut().poll(context);
        self.clock.left = Instant::now();
        self.clock.spent += self.clock.left - began;
        if let Poll::Ready((instance, result)) = polled {
            return Poll::Ready(self.ended(instance, result));
        }
        // Only a guest that waits pays for a timer. It is outside of the guest's future, so that it also ends a host
        // call that never returns.
        let limit = self.clock.limit();
        let wall = self.clock.wall.get_or_insert_with(|| Box::pin(sleep_until(self.clock.started + limit)));
        ready!(wall.as_mut().poll(context));
        self.run = Box::pin(std::future::pending()); // drops the guest, wherever it waits
        Poll::Ready(self.ended(None, Err(Cut::Wall(limit).into())))
    }

    /// The answer's head is on its way: from here the call's whole time counts.
    fn answered(&mut self) {
        if self.clock.response_start.take().is_some() {
            self.clock.wall = None;
        }
    }

    fn ended(&mut self, instance: Option<Instance>, result: wasmtime::Result<()>) -> Result<(), CallError> {
        let Owner { instances, event, .. } = &self.owner;
        let function = &instances.function;
        function.spent(self.clock.spent);
        let result = result.map_err(|error| call_error(&error, &function.revision.limits));
        if let Some(mut instance) = instance {
            instance.store.data_mut().end();
            let ended = if result.is_ok() { Ended::Returned } else { Ended::Broken };
            let memory = instance.store.data().memory.used();
            if policy::next(ended, instance.served, instance.lifetime, memory) == Next::Keep {
                instances.keep_idle(instance);
            }
        }
        if let Err(error) = &result {
            let event = event.clone().unwrap_or_default();
            function.node.logs.note(&function.revision.key, &event, &error.to_string());
        }
        result
    }

    /// What is left of a call whose answer is complete goes on without its connection, within its limits.
    pub(crate) fn finish_alone(mut self) {
        let instances = self.owner.instances.clone();
        instances.function.node.tasks.spawn(async move {
            // Its failure is in the function's log; the client has its answer.
            _ = std::future::poll_fn(|context| self.poll(context)).await;
        });
    }
}

impl Clock {
    fn limit(&self) -> Duration {
        self.response_start.map_or(self.timeout, |start| start.min(self.timeout))
    }
}

/// Drives a call until it has answered or ended.
pub(crate) async fn settle(mut call: Call, place: Place) -> Result<Settled, CallError> {
    enum Step {
        Answer(Option<Result<Response<HyperOutgoingBody>, ErrorCode>>, Poll<Result<(), CallError>>),
        Heavy,
    }
    let step = std::future::poll_fn(|context| {
        let ended = call.poll(context);
        let answer = call.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if answer.is_some() || ended.is_ready() {
            return Poll::Ready(Step::Answer(answer, ended));
        }
        if place == Place::Connection && call.clock.spent > limits::HEAVY_CALL_CPU {
            return Poll::Ready(Step::Heavy);
        }
        Poll::Pending
    })
    .await;
    let (answer, ended) = match step {
        Step::Heavy => return Ok(Settled::Heavy(call)),
        Step::Answer(answer, ended) => (answer, ended),
    };
    // It may have trapped in the same poll in which it answered: nothing is sent yet, so say so.
    if let Poll::Ready(Err(error)) = ended {
        return Err(error);
    }
    let mut answer = match answer {
        Some(Ok(answer)) => answer,
        Some(Err(code)) => return Err(CallError::BadAnswer(format!("the error {code:?}"))),
        None => return Err(CallError::BadAnswer("it ended without one".to_owned())),
    };
    answer::check_head(&mut answer)?;
    let run = call.clock.left - call.clock.started;
    answer.extensions_mut().insert(Timing { run, ..Timing::default() });
    if ended.is_ready() {
        return answer::whole(answer).map(Settled::Whole);
    }
    call.answered();
    Ok(Settled::Streaming(answer.map(|body| GuestBody::new(body, call))))
}

/// Why the function failed, in the port's words. `Display` of a guest's error would be its backtrace.
fn call_error(error: &wasmtime::Error, bounds: &fnctl_config::snapshot::CallLimits) -> CallError {
    if let Some(cut) = error.downcast_ref::<Cut>() {
        return match *cut {
            Cut::Cpu => CallError::Cpu { limit: bounds.cpu },
            Cut::Memory => CallError::Memory { limit_bytes: bounds.memory_bytes },
            Cut::Wall(limit) => CallError::Timeout { limit },
            Cut::NodeMemory => CallError::Unavailable(cut.to_string()),
        };
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return CallError::Unavailable(full.to_string());
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return CallError::Trap(format!("it exited with status {status}"));
    }
    CallError::Trap(error.root_cause().to_string())
}
