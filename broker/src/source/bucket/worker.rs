//! The worker of one source: reads changes, delivers events, saves its cursor.

use super::{matches, to_event};
use crate::broker::Brokers;
use crate::bucket::Change;
use crate::cursor::Cursor;
use crate::deliver::answer::{Strictness, meaning};
use crate::deliver::{Answered, Outcome, Parcel};
use crate::dispatch::blocking;
use crate::event::Event;
use crate::log::{EventLog, ReadError, Stored};
use crate::retry::{self, Ended, Next};
use crate::state::{CursorSave, State};
use fnctl_config::limits::{
    CURSOR_FLUSH_ACKS, CURSOR_FLUSH_INTERVAL, DISPATCH_PAUSE, SOURCE_BACKOFF, SOURCE_BACKOFF_MAX, SOURCE_BATCH_BYTES,
    SOURCE_BATCH_CHANGES,
};
use fnctl_config::snapshot::{Backoff, BucketSource, Delivery, Destination};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// Where a source stands. Counts are since it was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Events that the sink took.
    pub delivered: u64,
    /// Attempts that failed and were followed by another.
    pub retried: u64,
    /// Events that the sink refused for good.
    pub refused: u64,
    /// When the oldest change was made that is not delivered yet; none where the source has passed all of them. Now less
    /// this is its lag.
    pub pending_since: Option<Timestamp>,
    /// Why the last attempt failed; none after one that did not.
    pub last_error: Option<String>,
}

pub(super) struct Worker {
    pub(super) source: Arc<BucketSource>,
    pub(super) log: Arc<dyn EventLog>,
    pub(super) state: State,
    pub(super) brokers: Brokers,
    pub(super) status: Arc<Mutex<Status>>,
    pub(super) epoch: u64,
}

/// What the cursor has passed and the state does not know.
struct Unsaved {
    passed: usize,
    due: Option<Instant>,
}

/// The source was stopped.
struct Stopped;

impl Worker {
    pub(super) async fn run(self, mut cursor: Cursor, mut stop: watch::Receiver<bool>) {
        let mut next = self.log.next();
        let mut unsaved = Unsaved { passed: 0, due: None };
        while let Some(&from) = cursor.low().first() {
            next.borrow_and_update();
            let page = match self.log.read(from, SOURCE_BATCH_CHANGES, SOURCE_BATCH_BYTES).await {
                Ok(page) => page,
                Err(ReadError::Damaged { from, to }) => {
                    tracing::error!(source = %self.source.key, %from, %to, "changes are damaged and skipped");
                    cursor.done_range(from, to);
                    continue;
                }
                Err(error @ ReadError::Failed(_)) => {
                    tracing::error!(source = %self.source.key, %error, "changes cannot be read, trying again");
                    tokio::select! {
                        () = sleep(DISPATCH_PAUSE) => continue,
                        _ = stop.wait_for(|stop| *stop) => break,
                    }
                }
            };
            if page.is_empty() {
                self.note(|status| status.pending_since = None);
                let is_due = tokio::select! {
                    changed = next.changed() => match changed {
                        Ok(()) => false,
                        Err(_) => break,
                    },
                    () = until(unsaved.due) => true,
                    _ = stop.wait_for(|stop| *stop) => break,
                };
                if is_due {
                    self.save(&cursor, &mut unsaved).await;
                }
                continue;
            }
            let ended = self.pass(page, &mut cursor, &mut unsaved, &mut stop).await;
            if unsaved.passed >= CURSOR_FLUSH_ACKS || unsaved.due.is_some_and(|due| due <= Instant::now()) {
                self.save(&cursor, &mut unsaved).await;
            }
            if ended.is_err() || *stop.borrow() {
                break;
            }
        }
        self.save(&cursor, &mut unsaved).await;
    }

    /// Delivers what a page has for the sink and moves the cursor behind it.
    async fn pass(
        &self,
        page: Vec<Stored>,
        cursor: &mut Cursor,
        unsaved: &mut Unsaved,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Stopped> {
        let Some(&from) = cursor.low().first() else { return Ok(()) };
        let mut batch = Vec::new();
        let mut passed = from;
        let to_broker = matches!(self.source.sink, Destination::Broker { .. });
        for stored in page {
            let made = Timestamp::from_millisecond(stored.appended_at_ms).ok();
            if let Some(event) = self.event(&stored) {
                if batch.is_empty() {
                    self.note(|status| status.pending_since = made);
                }
                batch.push(event);
            }
            passed = self.log.after(stored.position);
            if !to_broker && !batch.is_empty() {
                self.deliver(std::mem::take(&mut batch), stop).await?;
                unsaved.add(1);
                cursor.done_range(from, passed);
            }
        }
        if !batch.is_empty() {
            let count = batch.len();
            self.deliver(batch, stop).await?;
            unsaved.add(count);
        }
        unsaved.add(1);
        cursor.done_range(from, passed);
        Ok(())
    }

    /// The event of a change, where the source is about it.
    fn event(&self, stored: &Stored) -> Option<Event> {
        let position = stored.position;
        let change = match Change::decode(&stored.record) {
            Ok(change) => change,
            Err(error) => {
                tracing::error!(source = %self.source.key, %position, %error, "a change cannot be read and is skipped");
                return None;
            }
        };
        if !matches(&self.source, &change) {
            return None;
        }
        match to_event(&change, &self.source.key.to_string()) {
            Ok(event) => Some(event),
            Err(error) => {
                tracing::error!(source = %self.source.key, %position, %error, "a change makes no event and is skipped");
                None
            }
        }
    }

    /// Tries until the sink has taken or refused the events, or the source is stopped.
    async fn deliver(&self, events: Vec<Event>, stop: &mut watch::Receiver<bool>) -> Result<(), Stopped> {
        let count = events.len() as u64;
        let events: Vec<Arc<Event>> = events.into_iter().map(Arc::new).collect();
        let mut attempt = 1;
        loop {
            let (ended, error) = tokio::select! {
                biased;
                made = self.attempt(&events) => made,
                _ = stop.wait_for(|stop| *stop) => return Err(Stopped),
            };
            let wait = match (retry::next(ended, attempt, &forever(), 0.0), ended) {
                (Next::Done, _) => {
                    self.note(|status| {
                        status.delivered += count;
                        status.last_error = None;
                    });
                    return Ok(());
                }
                (Next::Park | Next::DeadLetter, Ended::Refused { .. }) => {
                    tracing::warn!(source = %self.source.key, ?error, count, "the sink refused events of a bucket");
                    self.note(|status| {
                        status.refused += count;
                        status.last_error = error;
                    });
                    return Ok(());
                }
                (Next::Wait { after }, _) => after,
                (Next::Again { after }, _) => after.min(SOURCE_BACKOFF_MAX),
                // An address that must not be reached, for one: the sink may become another, or the policy.
                (Next::Park | Next::DeadLetter, _) => SOURCE_BACKOFF_MAX,
            };
            if ended != Ended::NotAdmitted {
                attempt = attempt.saturating_add(1);
                self.note(|status| {
                    status.retried += 1;
                    status.last_error = error;
                });
            }
            tokio::select! {
                () = sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => return Err(Stopped),
            }
        }
    }

    /// One attempt, and the error where it failed. A broker gets all events as one unit.
    async fn attempt(&self, events: &[Arc<Event>]) -> (Ended, Option<String>) {
        if let Destination::Broker { key } = &self.source.sink {
            let events = events.iter().map(|event| event.as_ref().clone()).collect();
            return match self.brokers.publish(key, events).await {
                Ok(_) => (Ended::Accepted, None),
                Err(refused) => {
                    let status = refused.status().as_u16();
                    (Ended::Refused { status, retry_after: None }, Some(refused.to_string()))
                }
            };
        }
        for event in events {
            let outcome = self.brokers.router().deliver(self.parcel(event)).await;
            let reached = matches!(&outcome, Outcome::Answered(Answered { status, .. }) if (200..300).contains(status));
            let meaning = meaning(outcome, Strictness::Lenient, Timestamp::now());
            // What a sink answers to a source is no reply to anyone: a 2xx is enough.
            if !reached {
                return (meaning.ended, meaning.note);
            }
        }
        (Ended::Accepted, None)
    }

    fn parcel(&self, event: &Arc<Event>) -> Parcel {
        Parcel {
            event: Arc::clone(event),
            destination: self.source.sink.clone(),
            timeout: None,
            trigger: self.source.key.clone(),
        }
    }

    /// Saves the cursor; what could not be saved is tried again a second later.
    async fn save(&self, cursor: &Cursor, unsaved: &mut Unsaved) {
        if unsaved.passed == 0 {
            return;
        }
        let save = CursorSave { trigger: self.source.uid.clone(), epoch: self.epoch, cursor: cursor.clone() };
        let state = self.state.clone();
        match blocking(move || state.flush(&[save], &[])).await {
            Ok(_) => *unsaved = Unsaved { passed: 0, due: None },
            Err(error) => {
                tracing::error!(source = %self.source.key, %error, "the cursor was not saved");
                unsaved.due = Some(Instant::now() + CURSOR_FLUSH_INTERVAL);
            }
        }
    }

    fn note(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Unsaved {
    fn add(&mut self, count: usize) {
        self.passed += count;
        self.due.get_or_insert_with(|| Instant::now() + CURSOR_FLUSH_INTERVAL);
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// A source never gives up.
fn forever() -> Delivery {
    Delivery {
        retry: u32::MAX,
        backoff: Backoff::Exponential,
        backoff_delay: SOURCE_BACKOFF,
        timeout: None,
        dead_letter: None,
        retry_after_max: Some(SOURCE_BACKOFF_MAX),
    }
}
