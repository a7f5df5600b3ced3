//! A closed-loop client: so many keep-alive connections, each sends its next request when it has read the whole answer to
//! the one before. It runs on one thread, so that it takes the same from every server that it shares a machine with.

use super::child::thread_cpu_seconds;
use super::histogram::Histogram;
use super::line::Line;
use crate::failure::{Exit, Failure, code};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// Makes the bytes of the request with this number, counted from 0 over all connections.
pub(super) type Requests = Arc<dyn Fn(u64) -> Bytes + Send + Sync>;

/// What to send, where, and for how long.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) connections: usize,
    pub(super) until: Until,
    pub(super) requests: Requests,
}

/// When a connection stops; the request in flight is always answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    /// This long after the first request.
    Elapsed(Duration),
    /// After this many requests of each connection.
    Requests(u64),
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Answers with a status of success.
    pub(super) answered: u64,
    /// Other answers, and requests without one.
    pub(super) failed: u64,
    /// From the first request to the last answer. Connections are made before.
    pub(super) elapsed: Duration,
    /// Of the answers with a status of success.
    pub(super) latency: Histogram,
    /// Share of the time in which this client's thread was computing: near 1, the client is what was measured.
    pub(super) client_busy: f64,
}

impl Outcome {
    /// Successful answers per second.
    pub(super) fn per_second(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }
}

/// Runs a load on a thread of its own.
pub(super) async fn run(load: Load) -> Result<Outcome, Failure> {
    let failed = |e: &dyn std::error::Error| Failure::failed(code::OTHER, "the client cannot run").because(e);
    let on_a_thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok::<_, std::io::Error>(LocalSet::new().block_on(&runtime, on_this_thread(load)))
    });
    on_a_thread.await.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?
}

async fn on_this_thread(load: Load) -> Result<Outcome, Failure> {
    let unreachable = |e: std::io::Error| {
        Failure::new(Exit::Unreachable, code::UNREACHABLE, format!("{} does not answer", load.address)).because(&e)
    };
    let lines = futures::future::try_join_all((0..load.connections).map(|_| Line::open(load.address)))
        .await
        .map_err(unreachable)?;
    let state = Rc::new(State { begun: Instant::now(), next: Cell::default(), outcome: RefCell::default(), load });
    let mut connections = JoinSet::new();
    for line in lines {
        connections.spawn_local(send_in_turn(line, Rc::clone(&state)));
    }
    let before = thread_cpu_seconds()?;
    while let Some(ended) = connections.join_next().await {
        ended.map_err(|e| Failure::failed(code::OTHER, "a connection of the client failed").because(&e))?;
    }
    let mut outcome = state.outcome.take();
    outcome.elapsed = state.begun.elapsed();
    outcome.client_busy = (thread_cpu_seconds()? - before) / outcome.elapsed.as_secs_f64();
    Ok(outcome)
}

/// What the connections share.
struct State {
    load: Load,
    begun: Instant,
    next: Cell<u64>,
    outcome: RefCell<Outcome>,
}

impl State {
    /// The next request of a connection that has sent so many; none when it is to stop.
    fn next(&self, sent: u64) -> Option<Bytes> {
        let goes_on = match self.load.until {
            Until::Elapsed(duration) => self.begun.elapsed() < duration,
            Until::Requests(requests) => sent < requests,
        };
        goes_on.then(|| (self.load.requests)(self.next.replace(self.next.get() + 1)))
    }
}

async fn send_in_turn(mut line: Line, state: Rc<State>) {
    let mut sent = 0;
    while let Some(request) = state.next(sent) {
        sent += 1;
        if line.is_closed() {
            // A server that takes no connection any more has nothing to measure.
            let Ok(again) = Line::open(state.load.address).await else { return state.outcome.borrow_mut().failed += 1 };
            line = again;
        }
        let begun = Instant::now();
        let answer = line.exchange(&request).await;
        let taken = begun.elapsed();
        let mut outcome = state.outcome.borrow_mut();
        match answer {
            Ok(status) if status.is_success() => {
                outcome.answered += 1;
                outcome.latency.record(taken);
            }
            Ok(_) | Err(_) => outcome.failed += 1,
        }
    }
}
