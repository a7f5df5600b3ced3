//! One attempt and all that must be durable before it counts: the reply in the log, the attempt in the state, the copy
//! in the parked store.

use super::lane::{Apart, Ended, Item, Owed};
use crate::deliver::answer::{self, Meaning, Strictness};
use crate::deliver::{Deliver, Parcel};
use crate::event::{Event, TTL, Value, stored};
use crate::ledger::{Before, Ledger, Outcome, Replied, Verdict};
use crate::log::{AppendError, EventLog, Position, ReadError};
use crate::parked::{Entry, Parked, Reason};
use crate::retry::{self, Next};
use crate::state::{History, Kept, Retry, State, StateError};
use crate::why::{Note, Notes};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use fnctl_config::limits::{BROKER_TTL, DISPATCH_PAUSE, PARKED_PAUSE};
use fnctl_config::snapshot::{Delivery, Destination, Trigger};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What an attempt works with; one per broker.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pub(crate) broker_uid: String,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) state: State,
    pub(crate) parked: Parked,
    /// Room for copies of retrying events, in bytes.
    pub(crate) copies_bytes_max: u64,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) counts: Arc<super::Counts>,
    pub(crate) deliver: Arc<dyn Deliver>,
    /// Where the log ended when it was opened after an end without order; nothing after an orderly one.
    pub(crate) unsure_before: Arc<[Position]>,
    /// Turns of the deliveries that block on the disk; never closed.
    pub(crate) turns: Arc<Semaphore>,
}

/// A trigger as its attempts see it.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) trigger: Arc<Trigger>,
    pub(crate) delivery: Arc<Delivery>,
}

/// A finished job.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) trigger_uid: String,
    pub(super) position: Position,
    pub(super) ended: Ended,
}

/// Makes one attempt for the item and does what follows from it.
pub(super) async fn attempt(stores: Stores, subscription: Subscription, item: Item) -> Finished {
    let trigger_uid = subscription.trigger.uid.clone();
    let position = item.position;
    let work = Work { stores: &stores, subscription: &subscription, position, apart: item.apart };
    let ended = work.run(item).await;
    Finished { trigger_uid, position, ended }
}

/// Sends a parked event once more. `Ok` if the subscriber took it and its reply is published.
pub(crate) async fn redrive(
    stores: &Stores,
    subscription: &Subscription,
    position: Position,
    event: Event,
) -> Result<(), String> {
    let work = Work { stores, subscription, position, apart: Apart::No };
    let event = Arc::new(event);
    let subscriber = &subscription.trigger.subscriber;
    let meaning = work.carry(outbound(&event, subscriber), subscriber).await;
    if meaning.ended != retry::Ended::Accepted {
        return Err(meaning.note.unwrap_or_default());
    }
    let reply = work.publish(&event, &meaning).await;
    work.note(1, &meaning);
    work.record(Verdict::Redriven, 1, Some(&meaning), reply);
    Ok(())
}

struct Work<'a> {
    stores: &'a Stores,
    subscription: &'a Subscription,
    position: Position,
    apart: Apart,
}

impl Work<'_> {
    async fn run(&self, item: Item) -> Ended {
        let Item { history, owed, .. } = item;
        let (event, history) = match item.event {
            Some(event) => (event, history),
            None => match self.fetch().await {
                Fetched::Event(event, saved) => (event, newest(history, owed, saved)),
                Fetched::Gone => {
                    self.record(Verdict::Expired, history.attempts, None, Replied::Nothing);
                    return Ended::Settled;
                }
                Fetched::Unknown => {
                    return Ended::Waits { until: Instant::now() + DISPATCH_PAUSE, history, owed };
                }
            },
        };
        match owed {
            Some(Owed::Park(reason)) => return self.park(&event, history, reason, None).await,
            Some(Owed::Attempts) => return self.again(Duration::ZERO, &event, history).await,
            None => {}
        }
        match (history.dead_letter, &self.subscription.delivery.dead_letter) {
            (Some(made), Some(sink)) => self.dead_letter(&event, sink, history, made).await,
            (Some(_), None) => self.park(&event, history, Reason::Exhausted, None).await,
            (None, _) => self.subscriber(&event, history).await,
        }
    }

    /// The event at this position, from the log or its copy.
    async fn fetch(&self) -> Fetched {
        let (record, saved) = match self.apart {
            Apart::Made => {
                let (state, uid, position) =
                    (self.stores.state.clone(), self.subscription.trigger.uid.clone(), self.position);
                match self.in_turn(move || state.copy(&uid, position)).await {
                    Ok(Some((retry, record))) => (record, Some(retry.history)),
                    Ok(None) => return Fetched::Gone,
                    Err(error) => {
                        tracing::error!(trigger = %self.subscription.trigger.key, %position, %error, "copy not read, trying again");
                        return Fetched::Unknown;
                    }
                }
            }
            Apart::No | Apart::Wanted => {
                let _turn = self.stores.turns.acquire().await;
                match self.stores.log.read(self.position, 1, 1).await {
                    Ok(found) => match found.into_iter().next().filter(|stored| stored.position == self.position) {
                        Some(stored) => (stored.record, None),
                        None => return Fetched::Gone,
                    },
                    Err(ReadError::Damaged { .. }) => return Fetched::Gone,
                    Err(ReadError::Failed(_)) => return Fetched::Unknown,
                }
            }
        };
        stored::decode(&record).map_or(Fetched::Gone, |event| Fetched::Event(Arc::new(event), saved))
    }

    async fn subscriber(&self, event: &Arc<Event>, mut history: History) -> Ended {
        let meaning = self
            .carry(outbound(event, &self.subscription.trigger.subscriber), &self.subscription.trigger.subscriber)
            .await;
        let attempt = history.attempts + 1;
        let next = retry::next(meaning.ended, attempt, &self.subscription.delivery, 0.0);
        if let Next::Wait { after } = next {
            return Ended::Waits { until: Instant::now() + after, history, owed: None };
        }
        history.attempts = attempt;
        if next == Next::Done {
            let reply = self.publish(event, &meaning).await;
            self.note(attempt, &meaning);
            self.record(Verdict::Delivered, attempt, Some(&meaning), reply);
            return Ended::Settled;
        }
        self.note(attempt, &meaning);
        history.status = meaning.status;
        history.remark = meaning.remark;
        history.code = match meaning.ended {
            retry::Ended::Refused { status, .. } => Some(status),
            _ => None,
        };
        history.error = meaning.note.clone().unwrap_or_default();
        history.data = BASE64_STANDARD.encode(&meaning.error_data);
        match next {
            Next::Again { after } => {
                self.record(Verdict::Retrying, attempt, Some(&meaning), Replied::Nothing);
                self.again(after, event, history).await
            }
            Next::DeadLetter => match &self.subscription.delivery.dead_letter {
                Some(sink) => {
                    self.record(Verdict::Retrying, attempt, Some(&meaning), Replied::Nothing);
                    self.dead_letter(event, sink, history, 0).await
                }
                None => self.park(event, history, Reason::Exhausted, Some(&meaning)).await,
            },
            Next::Park | Next::Done | Next::Wait { .. } => {
                let reason = match meaning.ended {
                    retry::Ended::Refused { status, .. } if !retry::is_retryable(status) => Reason::Refused,
                    retry::Ended::Hopeless => Reason::Refused,
                    _ => Reason::Exhausted,
                };
                self.park(event, history, reason, Some(&meaning)).await
            }
        }
    }

    async fn dead_letter(&self, event: &Arc<Event>, sink: &Destination, mut history: History, made: u32) -> Ended {
        let marked = Arc::new(self.marked(event, &history));
        let meaning = self.carry(outbound(&marked, sink), sink).await;
        // The sink gets as many attempts as the subscriber, and has no sink of its own.
        match retry::next(meaning.ended, made + 1, &self.subscription.delivery, 0.0) {
            Next::Done => {
                let reply = self.publish(event, &meaning).await;
                // The sink took it: what is to be said is why the subscriber did not.
                let refused = Meaning { status: history.status, remark: history.remark, ..meaning };
                self.record(Verdict::DeadLettered, history.attempts, Some(&refused), reply);
                Ended::Settled
            }
            Next::Wait { after } => {
                let before = history.dead_letter.replace(made);
                match before {
                    // That the subscriber's attempts are used up is saved once.
                    None => self.again(after, event, history).await,
                    Some(_) => Ended::Waits { until: Instant::now() + after, history, owed: None },
                }
            }
            Next::Again { after } => {
                history.dead_letter = Some(made + 1);
                self.again(after, event, history).await
            }
            Next::Park | Next::DeadLetter => {
                let note = meaning.note.unwrap_or_default();
                history.error = format!("{}; the dead-letter sink: {note}", history.error);
                self.park(event, history, Reason::DeadLetterFailed, None).await
            }
        }
    }

    async fn carry(&self, event: Arc<Event>, destination: &Destination) -> Meaning {
        let trigger = &self.subscription.trigger;
        let parcel = Parcel {
            event,
            destination: destination.clone(),
            timeout: self.subscription.delivery.timeout,
            trigger: trigger.key.clone(),
        };
        let strictness = if trigger.strict_reply { Strictness::Strict } else { Strictness::Lenient };
        answer::meaning(self.stores.deliver.deliver(parcel).await, strictness, Timestamp::now())
    }

    /// Publishes the replies durably, however long the log takes: until then the event is not done, and a stop of the
    /// node delivers it again. Answers where the first one is.
    async fn publish(&self, event: &Event, meaning: &Meaning) -> Replied {
        if meaning.replies.is_empty() {
            return Replied::Nothing;
        }
        let left = ttl(event) - 1;
        if left <= 0 {
            return Replied::Withheld;
        }
        let records: Vec<_> = meaning
            .replies
            .iter()
            .map(|reply| {
                let mut reply = reply.clone();
                crate::ingress::stamp(&mut reply, left, Timestamp::now());
                stored::encode(&reply)
            })
            .collect();
        loop {
            match self.stores.log.append(records.clone()).await {
                Ok(positions) => {
                    return positions.first().copied().map_or(Replied::Nothing, Replied::Published);
                }
                Err(error @ AppendError::TooLarge { .. }) => {
                    tracing::error!(trigger = %self.subscription.trigger.key, position = %self.position, error = %error, "reply not published");
                    return Replied::Withheld;
                }
                Err(error) => {
                    tracing::warn!(trigger = %self.subscription.trigger.key, position = %self.position, error = %error, "reply not published yet");
                    tokio::time::sleep(DISPATCH_PAUSE).await;
                }
            }
        }
    }

    /// Saves the attempt before its wait begins, and the event where too many wait in the log.
    async fn again(&self, after: Duration, event: &Event, history: History) -> Ended {
        let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let retry = Retry {
            position: self.position,
            history: history.clone(),
            next_at_ms: Timestamp::now().as_millisecond().saturating_add(after_ms),
            kept: if self.apart == Apart::Made { Kept::Copy } else { Kept::Log },
        };
        let until = Instant::now() + after;
        let copy = (self.apart == Apart::Wanted).then(|| stored::encode(event));
        let (state, trigger) = (self.stores.state.clone(), self.subscription.trigger.uid.clone());
        let bytes_max = self.stores.copies_bytes_max;
        match self.in_turn(move || save(&state, &trigger, retry, copy, bytes_max)).await {
            Ok(Kept::Copy) => Ended::Copied { until },
            Ok(Kept::Log) => Ended::Waits { until, history, owed: None },
            Err(error) => {
                self.complain(&error);
                let until = until.max(Instant::now() + DISPATCH_PAUSE);
                Ended::Waits { until, history, owed: Some(Owed::Attempts) }
            }
        }
    }

    /// Keeps the event apart, so that the trigger can go on. Until there is room for it, it waits where it is.
    async fn park(&self, event: &Event, history: History, reason: Reason, meaning: Option<&Meaning>) -> Ended {
        let entry = Entry {
            broker: self.stores.broker_uid.clone(),
            trigger: self.subscription.trigger.uid.clone(),
            position: self.position,
            reason,
            status: history.status,
            attempts: history.attempts,
            last_error: history.error.clone(),
            parked_at_ms: Timestamp::now().as_millisecond(),
        };
        let (parked, record) = (self.stores.parked.clone(), stored::encode(event));
        if let Err(error) = self.in_turn(move || parked.park(&[(entry, record)])).await {
            self.complain(&error);
            let pause = if let StateError::ParkedFull { .. } = error { PARKED_PAUSE } else { DISPATCH_PAUSE };
            return Ended::Waits { until: Instant::now() + pause, history, owed: Some(Owed::Park(reason)) };
        }
        self.record(Verdict::Parked, history.attempts, meaning, Replied::Nothing);
        Ended::Settled
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let _turn = self.stores.turns.acquire().await;
        super::blocking(work).await
    }

    fn complain(&self, error: &StateError) {
        let (trigger, position) = (&self.subscription.trigger.key, self.position);
        tracing::error!(%trigger, %position, %error, "outcome not saved, trying again");
    }

    /// Knative's extensions that tell a dead-letter sink what went wrong.
    fn marked(&self, event: &Event, history: &History) -> Event {
        let mut marked = event.clone();
        marked.mark("knativeerrordest", Value::Text(super::address_of(&self.subscription.trigger.subscriber)));
        if let Some(code) = history.code {
            marked.mark("knativeerrorcode", Value::Integer(i32::from(code)));
        }
        let data = if history.data.is_empty() { BASE64_STANDARD.encode(&history.error) } else { history.data.clone() };
        marked.mark("knativeerrordata", Value::Text(data));
        marked
    }

    fn record(&self, verdict: Verdict, attempt: u32, meaning: Option<&Meaning>, reply: Replied) {
        self.stores.counts.count(verdict);
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let is_behind = |end: &Position| end.partition() == self.position.partition() && self.position < *end;
        let is_unsure = self.stores.unsure_before.iter().any(is_behind);
        let outcome = Outcome {
            position: self.position,
            trigger: self.subscription.trigger.uid.clone(),
            verdict,
            attempt,
            status: meaning.and_then(|meaning| meaning.status),
            duration_ms: meaning.map_or(0, |meaning| millis(meaning.duration)),
            waited_ms: meaning.map_or(0, |meaning| millis(meaning.waited)),
            instance: meaning.and_then(|meaning| meaning.instance.clone()),
            remark: meaning.map(|meaning| meaning.remark).unwrap_or_default(),
            reply,
            before: if is_unsure { Before::Unknown } else { Before::Known },
            at_ms: Timestamp::now().as_millisecond(),
        };
        if let Err(error) = self.stores.ledger.record(&outcome) {
            // The ledger explains; the cursor and the parked store are what deliveries depend on.
            tracing::warn!(error = %error, "outcome not written to the ledger");
        }
    }

    fn note(&self, attempt: u32, meaning: &Meaning) {
        if let Some(text) = meaning.note.clone() {
            self.stores.notes.add(&self.subscription.trigger.uid, self.position, Note { attempt, text });
        }
    }
}

/// The attempts of an event: what is owed is newer than what is saved with a copy.
fn newest(history: History, owed: Option<Owed>, saved: Option<History>) -> History {
    match owed {
        Some(_) => history,
        None => saved.unwrap_or(history),
    }
}

/// What there is at a position.
enum Fetched {
    /// The event; with its attempts where it is a copy.
    Event(Arc<Event>, Option<History>),
    /// Nothing, or nothing that can be read.
    Gone,
    /// Nobody can say at this moment.
    Unknown,
}

/// Saves an attempt, and a copy of its event if there is room for it. Answers where the event is kept.
fn save(
    state: &State,
    trigger: &str,
    mut retry: Retry,
    copy: Option<Bytes>,
    bytes_max: u64,
) -> Result<Kept, StateError> {
    if let Some(copy) = copy {
        retry.kept = Kept::Copy;
        match state.save_copy(trigger, &retry, &copy, bytes_max) {
            Err(StateError::RetriesFull { .. }) => retry.kept = Kept::Log,
            saved => return saved.map(|()| Kept::Copy),
        }
    }
    let kept = retry.kept;
    state.save_retries(trigger, &[retry]).map(|()| kept)
}

/// How many replies may still follow from the event.
fn ttl(event: &Event) -> i32 {
    event.optional(TTL).and_then(|value| value.text().parse().ok()).unwrap_or(BROKER_TTL)
}

/// The event as a destination sees it: the countdown is the broker's own business, and another broker's.
fn outbound(event: &Arc<Event>, destination: &Destination) -> Arc<Event> {
    match destination {
        Destination::Broker { .. } => Arc::clone(event),
        Destination::Function { .. } | Destination::Uri { .. } if event.optional(TTL).is_none() => Arc::clone(event),
        Destination::Function { .. } | Destination::Uri { .. } => {
            let mut event = Event::clone(event);
            event.remove(TTL);
            Arc::new(event)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_saved_counts() {
        let tried = |attempts| History { attempts, ..History::default() };
        for (owed, saved, expected) in [
            (None, None, 3),
            (None, Some(2), 2),
            (Some(Owed::Attempts), None, 3),
            (Some(Owed::Attempts), Some(2), 3),
            (Some(Owed::Park(Reason::Exhausted)), Some(2), 3),
        ] {
            assert_eq!(newest(tried(3), owed, saved.map(tried)), tried(expected), "{owed:?} {saved:?}");
        }
    }
}
