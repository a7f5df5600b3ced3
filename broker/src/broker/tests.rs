//! Dispatch as a whole: brokers over the memory log, a scripted subscriber, a paused clock.

use super::{Brokers, DlqQuery, EventQuery, LogChoice, Options};
use crate::deliver::{Answered, Deliver, Outcome, Parcel};
use crate::event::{Event, TTL};
use crate::vfs::disk::Disk;
use crate::vfs::simulated::{Fault, Simulated};
use crate::why::Fate;
use ::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use fnctl_config::snapshot::{Backoff, Broker, Change, Delivery, Destination, Filter, ObjectKey, Retention, Trigger};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

mod gone;
mod retries;
mod storage;

/// Answers by the path of the subscriber, one script entry per attempt, the last one for ever.
#[derive(Debug)]
struct Scripted {
    scripts: HashMap<&'static str, Vec<Step>>,
    begin: Instant,
    calls: Mutex<Vec<Call>>,
    count: watch::Sender<usize>,
}

#[derive(Clone, Debug)]
enum Step {
    Status(u16),
    Reply(&'static str),
    Text(&'static str),
    /// Announces an event and holds none.
    Malformed,
    Hang,
    Reset,
    NotAdmitted,
    Forbidden,
    /// 503, and that call of the disk, counted from here, finds no room.
    DiskFull(Simulated, u64),
}

#[derive(Clone, Debug, PartialEq)]
struct Call {
    to: String,
    id: String,
    at_ms: u128,
    attributes: Vec<(String, String)>,
}

impl Deliver for Scripted {
    fn deliver(&self, parcel: Parcel) -> BoxFuture<'_, Outcome> {
        let Destination::Uri { uri, .. } = parcel.destination else { panic!("{parcel:?}") };
        let attributes =
            parcel.event.optionals().map(|(name, value)| (name.to_owned(), value.text().into_owned())).collect();
        let call = Call {
            to: uri.clone(),
            id: parcel.event.id().to_owned(),
            at_ms: self.begin.elapsed().as_millis(),
            attributes,
        };
        let attempt = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(call);
            calls.iter().filter(|call| call.to == uri).count()
        };
        self.count.send_modify(|count| *count += 1);
        let script = &self.scripts[uri.as_str()];
        let step = script[(attempt - 1).min(script.len() - 1)].clone();
        async move {
            let answer = |status, headers, body: &'static str| {
                Outcome::Answered(Answered {
                    status,
                    headers,
                    body: body.into(),
                    duration: Duration::from_millis(3),
                    waited: Duration::from_millis(1),
                    instance: Some("a-00001".to_owned()),
                })
            };
            match step {
                Step::Status(status) => answer(status, HeaderMap::new(), ""),
                Step::Text(text) => answer(200, HeaderMap::new(), text),
                Step::Malformed => answer(200, no_event(), ""),
                Step::Reply(kind) => {
                    let reply = Event::new(format!("reply-{attempt}"), "/fn", kind).unwrap();
                    answer(200, crate::event::http::encode_binary(&reply), "")
                }
                Step::Hang => std::future::pending().await,
                Step::Reset => {
                    let (reason, duration) = ("connection reset by a peer".to_owned(), Duration::ZERO);
                    Outcome::Failed { reason, duration }
                }
                Step::NotAdmitted => Outcome::NotAdmitted { reason: "the queue is full".to_owned() },
                Step::DiskFull(disk, call) => {
                    disk.fail(disk.calls() + call, Fault::NoSpace);
                    answer(503, HeaderMap::new(), "")
                }
                Step::Forbidden => Outcome::Forbidden { reason: "not there".to_owned() },
            }
        }
        .boxed()
    }
}

struct Node {
    brokers: Brokers,
    deliver: Arc<Scripted>,
    directory: tempfile::TempDir,
}

fn no_event() -> HeaderMap {
    HeaderMap::from_iter([("ce-specversion".parse().unwrap(), "1.0".parse().unwrap())])
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

fn delivery(retry: u32) -> Delivery {
    Delivery {
        retry,
        backoff: Backoff::Exponential,
        backoff_delay: Duration::from_millis(200),
        timeout: None,
        dead_letter: None,
        retry_after_max: None,
    }
}

fn trigger(name: &'static str, kind: &str) -> Trigger {
    let filter = Filter::Exact { attribute: "type".to_owned(), value: kind.to_owned() };
    Trigger {
        key: key(name),
        uid: format!("uid-{name}"),
        generation: 1,
        broker: key("main"),
        filter,
        subscriber: Destination::Uri { uri: name.to_owned(), ca_certs: None },
        delivery: None,
        ordered: false,
        strict_reply: false,
    }
}

fn main(retry: u32) -> Broker {
    let day = Duration::from_secs(86_400);
    let retention = Retention { age: day, bytes: 1 << 30, drop_pending: false };
    Broker { key: key("main"), uid: "broker-uid".to_owned(), delivery: delivery(retry), retention }
}

fn broker(retry: u32) -> Change {
    Change::Broker(Arc::new(main(retry)))
}

impl Node {
    async fn new(log: LogChoice, scripts: &[(&'static str, &[Step])]) -> Self {
        Self::at(tempfile::tempdir().unwrap(), log, scripts).await
    }

    async fn at(directory: tempfile::TempDir, log: LogChoice, scripts: &[(&'static str, &[Step])]) -> Self {
        Self::with(directory, scripts, |options| options.log = log).await
    }

    async fn with(
        directory: tempfile::TempDir,
        scripts: &[(&'static str, &[Step])],
        adjust: impl FnOnce(&mut Options),
    ) -> Self {
        let deliver = Arc::new(Scripted {
            scripts: scripts.iter().map(|(to, steps)| (*to, steps.to_vec())).collect(),
            begin: Instant::now(),
            calls: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let mut options = Options {
            vfs: Arc::new(Disk),
            directory: directory.path().to_owned(),
            log: LogChoice::Memory,
            parked_bytes_max: fnctl_config::limits::PARKED_BYTES_MAX,
            copies_bytes_max: fnctl_config::limits::RETRY_COPIES_BYTES_MAX,
            functions: deliver.clone(),
            uris: deliver.clone(),
        };
        adjust(&mut options);
        let brokers = Brokers::open(options).unwrap();
        brokers.apply(&broker(3)).await.unwrap();
        Self { brokers, deliver, directory }
    }

    async fn add(&self, trigger: Trigger) {
        self.brokers.apply(&Change::Trigger(Arc::new(trigger))).await.unwrap();
    }

    async fn send(&self, id: &str, kind: &str) {
        self.brokers.publish(&key("main"), vec![Event::new(id, "/s", kind).unwrap()]).await.unwrap();
    }

    /// Waits until so many attempts were made, and returns them.
    async fn calls(&self, count: usize) -> Vec<Call> {
        let mut seen = self.deliver.count.subscribe();
        seen.wait_for(|made| *made >= count).await.unwrap();
        self.deliver.calls.lock().unwrap().clone()
    }

    /// Waits until the trigger's event has this fate, and returns its reason.
    async fn fate(&self, id: &str, name: &str, fate: Fate) -> crate::why::TriggerWhy {
        loop {
            let answers = self.brokers.why(&key("main"), id, None).await.unwrap();
            let found = answers.ok().and_then(|mut answers| {
                let mut triggers = answers.pop()?.triggers;
                triggers.retain(|trigger| trigger.name == name && trigger.outcome == fate);
                triggers.pop()
            });
            match found {
                Some(found) => return found,
                None => tokio::time::advance(Duration::from_millis(50)).await,
            }
        }
    }
}

fn times(calls: &[Call]) -> Vec<u128> {
    calls.iter().map(|call| call.at_ms - calls[0].at_ms).collect()
}

#[tokio::test(start_paused = true)]
async fn matching_events_are_delivered_without_the_brokers_countdown() {
    let node = Node::new(LogChoice::Memory, &[("a", &[Step::Status(200)]), ("b", &[Step::Text("hello")])]).await;
    node.send("0", "x").await;
    node.add(trigger("a", "x")).await;
    node.add(trigger("b", "y")).await;
    node.send("1", "x").await;
    node.send("2", "y").await;
    let mut calls = node.calls(2).await;
    calls.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(
        calls.iter().map(|call| (call.to.as_str(), call.id.as_str())).collect::<Vec<_>>(),
        [("a", "1"), ("b", "2")]
    );
    let names: Vec<_> = calls[0].attributes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["knativearrivaltime"]);
    let why = node.fate("2", "b", Fate::Delivered).await;
    assert_eq!(why.attempts[0].error.as_deref(), Some("the answer's body of 5 bytes is no event"));
    assert_eq!(node.fate("2", "a", Fate::Filtered).await.reason, r#"type is "y", not "x""#);
    assert_eq!(
        node.fate("0", "a", Fate::Filtered).await.reason,
        "the trigger did not exist when the event was accepted"
    );
    assert!(node.brokers.why(&key("main"), "never", None).await.unwrap().unwrap_err().refused.is_empty());
    let page = node
        .brokers
        .events(&key("main"), &EventQuery { kind: Some("y".to_owned()), ..EventQuery::default() })
        .await
        .unwrap();
    assert!(page.events[0].get().starts_with(r#"{"position":"0:2","acceptedAt":""#), "{}", page.events[0]);
    node.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_in_knatives_rhythm_then_parked_and_redriven() {
    let steps = [Step::Status(503), Step::Status(500), Step::Status(404), Step::Status(503), Step::Status(200)];
    let node = Node::new(LogChoice::Memory, &[("a", &steps)]).await;
    node.add(trigger("a", "x")).await;
    node.send("1", "x").await;
    let calls = node.calls(4).await;
    assert_eq!(times(&calls), [0, 200, 600, 1400]);
    let why = node.fate("1", "a", Fate::Parked).await;
    assert_eq!(
        why.attempts.iter().map(|attempt| attempt.status).collect::<Vec<_>>(),
        [Some(503), Some(500), Some(404), Some(503)]
    );
    let parked = node.brokers.dlq_list(&DlqQuery { trigger: Some(key("a")), ..DlqQuery::default() }).await.unwrap();
    assert_eq!((parked.len(), parked[0].attempts, parked[0].status), (1, 4, Some(503)));
    let id = parked[0].id;
    let whole = serde_json::to_value(node.brokers.dlq_show(&key("main"), id).await.unwrap()).unwrap();
    assert_eq!((&whole["reason"], &whole["event"]["id"]), (&"exhausted".into(), &"1".into()));
    let other = key("other");
    node.brokers
        .apply(&Change::Broker(Arc::new(Broker { key: other.clone(), uid: "o".to_owned(), ..main(3) })))
        .await
        .unwrap();
    assert!(node.brokers.dlq_show(&other, id).await.is_err() && node.brokers.dlq_drop(&other, id).await.is_err());
    node.brokers.dlq_redrive(id).await.unwrap();
    assert!(node.brokers.dlq_list(&DlqQuery::default()).await.unwrap().is_empty());
    node.fate("1", "a", Fate::Delivered).await;
    node.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_goes_to_the_dead_letter_sink_at_once_with_its_reason() {
    let node = Node::new(
        LogChoice::Memory,
        &[
            ("a", &[Step::Status(400)]),
            ("dls", &[Step::NotAdmitted, Step::NotAdmitted, Step::Status(503), Step::Status(200)]),
        ],
    )
    .await;
    let dead_letter = Some(Destination::Uri { uri: "dls".to_owned(), ca_certs: None });
    node.add(Trigger { delivery: Some(Delivery { dead_letter, ..delivery(3) }), ..trigger("a", "x") }).await;
    node.send("1", "x").await;
    let calls = node.calls(5).await;
    assert_eq!(calls.iter().map(|call| call.to.as_str()).collect::<Vec<_>>(), ["a", "dls", "dls", "dls", "dls"]);
    assert!(times(&calls)[1..].is_sorted_by(|before, after| before < after), "each waits: {:?}", times(&calls));
    let marks: Vec<_> =
        calls[2].attributes.iter().filter(|(name, _)| name.starts_with("knativeerror")).cloned().collect();
    assert_eq!(marks[0], ("knativeerrordest".to_owned(), "a".to_owned()));
    assert_eq!(marks[1], ("knativeerrorcode".to_owned(), "400".to_owned()));
    assert_eq!(marks[2].0, "knativeerrordata");
    node.fate("1", "a", Fate::DeadLettered).await;
    assert!(node.brokers.dlq_list(&DlqQuery::default()).await.unwrap().is_empty(), "it is not kept here");
    let taken = node.brokers.dlq_dead_lettered(&key("main"), Some(&key("a"))).await.unwrap();
    assert_eq!((taken.len(), taken[0].position.to_string().as_str(), taken[0].status), (1, "0:0", Some(400)));
    assert_eq!(taken[0].error.as_deref(), Some("the subscriber answered 400"));
    assert!(node.brokers.dlq_dead_lettered(&key("main"), Some(&key("b"))).await.unwrap().is_empty());
    node.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_sink_is_told_of_a_reply_that_is_no_event() {
    let node = Node::new(LogChoice::Memory, &[("a", &[Step::Malformed]), ("dls", &[Step::Status(200)])]).await;
    let dead_letter = Some(Destination::Uri { uri: "dls".to_owned(), ca_certs: None });
    node.add(Trigger { delivery: Some(Delivery { dead_letter, ..delivery(0) }), ..trigger("a", "x") }).await;
    node.send("1", "x").await;
    let calls = node.calls(2).await;
    let code = calls[1].attributes.iter().find(|(name, _)| name == "knativeerrorcode").map(|(_, code)| code.as_str());
    assert_eq!(code, Some("502"), "as in Knative: the 200 alone would look like a success");
    node.fate("1", "a", Fate::DeadLettered).await;
    let taken = node.brokers.dlq_dead_lettered(&key("main"), Some(&key("a"))).await.unwrap();
    let error = taken[0].error.as_deref().unwrap_or_default();
    assert!(error.starts_with("the reply is not a valid event: attribute \"id\""), "{error}");
    node.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_is_parked_when_the_dead_letter_sink_fails_too() {
    for (status, attempts) in [(400, 1), (503, 4)] {
        let node = Node::new(LogChoice::Memory, &[("a", &[Step::Status(400)]), ("dls", &[Step::Status(status)])]).await;
        let dead_letter = Some(Destination::Uri { uri: "dls".to_owned(), ca_certs: None });
        node.add(Trigger { delivery: Some(Delivery { dead_letter, ..delivery(3) }), ..trigger("a", "x") }).await;
        node.send("1", "x").await;
        node.fate("1", "a", Fate::Parked).await;
        let parked = node.brokers.dlq_list(&DlqQuery::default()).await.unwrap();
        assert_eq!(parked[0].reason, crate::parked::Reason::DeadLetterFailed);
        let calls = node.calls(1 + attempts).await;
        assert_eq!(calls.iter().filter(|call| call.to == "dls").count(), attempts, "as many as the subscriber gets");
        node.brokers.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_attempt_can_help_is_parked_after_one() {
    for step in [Step::Status(400), Step::Forbidden] {
        let node = Node::new(LogChoice::Memory, &[("a", &[step])]).await;
        node.add(trigger("a", "x")).await;
        node.send("1", "x").await;
        node.fate("1", "a", Fate::Parked).await;
        let parked = node.brokers.dlq_list(&DlqQuery::default()).await.unwrap();
        assert_eq!((parked[0].reason, parked[0].attempts), (crate::parked::Reason::Refused, 1));
        node.brokers.drain().await;
    }
}

/// An outage makes many deliveries note what came of them at once: they do so in turns, and hold no thread meanwhile.
#[tokio::test(start_paused = true)]
async fn what_came_of_attempts_is_noted_in_turns() {
    let node = Node::new(LogChoice::Memory, &[("a", &[Step::Status(503), Step::Status(400)])]).await;
    let slow = Delivery { backoff_delay: Duration::from_secs(60), ..delivery(3) };
    node.add(Trigger { delivery: Some(slow), ..trigger("a", "x") }).await;
    let turns = Arc::clone(&node.brokers.shared.running(&key("main")).unwrap().stores.turns);
    let most = u32::try_from(turns.available_permits()).unwrap();
    let noted = || node.brokers.shared.state.retries("uid-a").unwrap().len();
    let all = turns.acquire_many(most).await.unwrap();
    node.send("1", "x").await;
    node.calls(1).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(noted(), 0, "there is no turn for the note");
    drop(all);
    while noted() == 0 {
        tokio::task::yield_now().await;
    }

    let all = turns.acquire_many(most).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    assert_eq!(node.calls(1).await.len(), 1, "there is no turn to read the event for its next attempt");
    drop(all);
    node.fate("1", "a", Fate::Parked).await;
    assert_eq!(turns.available_permits(), fnctl_config::limits::DELIVERY_DISK_TURNS_MAX);
    node.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn no_room_is_not_an_attempt() {
    let steps = [vec![Step::NotAdmitted; 9], vec![Step::Status(200)]].concat();
    let node = Node::new(LogChoice::Memory, &[("a", &steps)]).await;
    node.add(Trigger { delivery: Some(delivery(0)), ..trigger("a", "x") }).await;
    node.send("1", "x").await;
    let calls = node.calls(10).await;
    assert!(times(&calls).is_sorted_by(|before, after| before < after), "each waits: {:?}", times(&calls));
    let why = node.fate("1", "a", Fate::Delivered).await;
    assert_eq!(why.attempts.len(), 1);
    node.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_replies_ends() {
    let node = Node::new(LogChoice::Memory, &[("a", &[Step::Reply("x")])]).await;
    node.add(trigger("a", "x")).await;
    node.send("1", "x").await;
    let calls = node.calls(255).await;
    assert_eq!(calls.len(), 255);
    let last = node.fate("reply-254", "a", Fate::Delivered).await;
    let said = last.reply.expect("it answered").get().to_owned();
    assert!(said.contains("not published") && !said.contains("0:"), "{said}");
    assert_eq!(node.deliver.calls.lock().unwrap().len(), 255);
    node.brokers.drain().await;
}

/// What nobody wants is passed without a pause, however much it is: nothing else would wake the dispatcher.
#[tokio::test(start_paused = true)]
async fn an_event_behind_many_that_nobody_wants_comes_at_once() {
    let node = Node::new(LogChoice::Memory, &[("a", &[Step::Status(200)])]).await;
    node.add(trigger("a", "x")).await;
    let kinds = std::iter::repeat_n("y", 3 * fnctl_config::limits::DISPATCH_READ_RECORDS).chain(["x"]);
    let events = kinds.zip(0..).map(|(kind, id)| Event::new(id.to_string(), "/s", kind).unwrap()).collect();
    let begun = node.deliver.begin.elapsed().as_millis();
    node.brokers.publish(&key("main"), events).await.unwrap();
    let after = node.calls(1).await[0].at_ms - begun;
    assert!(after < fnctl_config::limits::CURSOR_FLUSH_INTERVAL.as_millis(), "{after} ms");
    node.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_hanging_trigger_holds_nobody_up() {
    let node = Node::new(LogChoice::Memory, &[("slow", &[Step::Hang]), ("fast", &[Step::Status(200)])]).await;
    node.add(trigger("slow", "x")).await;
    node.add(trigger("fast", "x")).await;
    for id in 0..2_000 {
        node.send(&id.to_string(), "x").await;
    }
    node.calls(2_064).await;
    let calls = node.deliver.calls.lock().unwrap().clone();
    assert_eq!(calls.iter().filter(|call| call.to == "fast").count(), 2_000);
    assert_eq!(calls.iter().filter(|call| call.to == "slow").count(), 64, "the window is bounded");
}

#[tokio::test(start_paused = true)]
async fn ordered_triggers_deliver_one_by_one_per_key() {
    let node = Node::new(LogChoice::Memory, &[("a", &[Step::Status(503), Step::Status(200)])]).await;
    node.add(Trigger { ordered: true, ..trigger("a", "x") }).await;
    let event = |id: &str, partition: &str| Event::new(id, "/s", "x").unwrap().with("partitionkey", partition).unwrap();
    let events = vec![event("1", "k"), event("2", "k"), event("3", "k"), event("4", "other")];
    node.brokers.publish(&key("main"), events).await.unwrap();
    let calls = node.calls(5).await;
    let of_key: Vec<_> = calls.iter().map(|call| call.id.as_str()).filter(|id| *id != "4").collect();
    assert_eq!(of_key, ["1", "1", "2", "3"], "the failing one goes first, the others wait for it");
    assert!(calls.iter().take(2).any(|call| call.id == "4"), "another key does not wait");
    node.brokers.drain().await;
}

#[tokio::test]
async fn a_restart_delivers_again_only_what_was_not_done() {
    let log = || LogChoice::Segments(crate::log::segment::Options::default());
    let node = Node::new(log(), &[("a", &[Step::Status(200)]), ("b", &[Step::Status(503)])]).await;
    node.add(trigger("a", "x")).await;
    node.add(Trigger {
        delivery: Some(Delivery { backoff_delay: Duration::from_secs(3_600), ..delivery(3) }),
        ..trigger("b", "y")
    })
    .await;
    for (id, kind) in [("1", "x"), ("2", "y"), ("3", "x")] {
        node.send(id, kind).await;
    }
    node.calls(3).await;
    while node.brokers.metrics().await[0].retried < 1 || node.brokers.metrics().await[0].delivered < 2 {
        tokio::task::yield_now().await;
    }
    node.brokers.drain().await;
    let Node { brokers, directory, .. } = node;
    drop(brokers);

    let again = Node::at(directory, log(), &[("a", &[Step::Status(200)]), ("b", &[Step::Status(200)])]).await;
    again.add(trigger("a", "x")).await;
    again.add(trigger("b", "y")).await;
    again.send("4", "x").await;
    let calls = again.calls(1).await;
    assert_eq!((calls[0].to.as_str(), calls[0].id.as_str()), ("a", "4"), "what was delivered is not delivered again");
    let answers = again.brokers.why(&key("main"), "2", None).await.unwrap().unwrap();
    let waiting = answers[0].triggers.iter().find(|trigger| trigger.name == "b").unwrap();
    assert_eq!(waiting.outcome, Fate::Retrying, "the saved attempt waits for its time");
    again.brokers.drain().await;
}

#[tokio::test]
async fn what_became_of_events_is_known_after_a_restart() {
    let log = || LogChoice::Segments(crate::log::segment::Options::default());
    let scripts: &[(&'static str, &[Step])] =
        &[("a", &[Step::Status(500), Step::Reply("z")]), ("b", &[Step::Reset, Step::Text("hello")])];
    let node = Node::new(log(), scripts).await;
    let soon = Delivery { backoff_delay: Duration::from_millis(1), ..delivery(3) };
    for trigger in [trigger("a", "x"), trigger("b", "y")] {
        node.add(Trigger { delivery: Some(soon.clone()), ..trigger }).await;
    }
    node.send("1", "x").await;
    node.send("2", "y").await;
    let explained = async |node: &Node, id: &str, trigger: &str| {
        let why = loop {
            let answers = node.brokers.why(&key("main"), id, None).await.unwrap().unwrap();
            let found = answers.into_iter().flat_map(|why| why.triggers).find(|one| one.name == trigger);
            match found.filter(|found| found.outcome == Fate::Delivered) {
                Some(found) => break found,
                None => tokio::task::yield_now().await,
            }
        };
        serde_json::to_value(why).unwrap()
    };
    let before = [explained(&node, "1", "a").await, explained(&node, "2", "b").await];
    assert_eq!(before[1]["attempts"][0]["error"], "connection reset by a peer");
    node.brokers.drain().await;
    let Node { brokers, directory, .. } = node;
    drop(brokers);

    let again = Node::at(directory, log(), scripts).await;
    again.add(trigger("a", "x")).await;
    again.add(trigger("b", "y")).await;
    let after = [explained(&again, "1", "a").await, explained(&again, "2", "b").await];
    assert_eq!(before[0], after[0], "statuses say it all, and the reply is in the log");
    assert_eq!((&after[0]["reply"]["id"], &after[0]["reply"]["type"]), (&"reply-2".into(), &"z".into()));
    assert_eq!((&after[0]["redeliveries"], &after[0]["attempts"][1]["waitedMs"]), (&1.into(), &1.into()));
    assert_eq!(after[0]["attempts"][1]["instance"], "a-00001");
    let words = [0, 1].map(|number| after[1]["attempts"][number]["error"].as_str().unwrap_or_default().to_owned());
    assert_eq!(words[0], "there was no answer; the exact words are not kept over a restart");
    assert_eq!(words[1], "the answer's body is no event");
    again.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_filter_decides_about_later_events_only() {
    let node = Node::new(LogChoice::Memory, &[("a", &[Step::Status(200)])]).await;
    node.add(trigger("a", "x")).await;
    node.send("1", "x").await;
    node.calls(1).await;
    node.add(Trigger { generation: 2, ..trigger("a", "y") }).await;
    node.send("2", "x").await;
    node.send("3", "y").await;
    let calls = node.calls(2).await;
    assert_eq!(calls[1].id, "3");
    node.fate("1", "a", Fate::Delivered).await;
    node.fate("2", "a", Fate::Filtered).await;
    node.brokers.apply(&Change::TriggerGone(key("a"))).await.unwrap();
    node.send("4", "y").await;
    node.add(Trigger { uid: "another".to_owned(), ..trigger("a", "y") }).await;
    node.send("5", "y").await;
    assert_eq!(node.calls(3).await[2].id, "5", "a trigger made again begins now");
    node.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn brokers_forward_to_brokers_until_the_countdown_ends() {
    let node = Node::new(LogChoice::Memory, &[]).await;
    node.add(Trigger { subscriber: Destination::Broker { key: key("main") }, ..trigger("a", "x") }).await;
    node.send("1", "x").await;
    let parked = loop {
        let parked = node.brokers.dlq_list(&DlqQuery::default()).await.unwrap();
        match parked.is_empty() {
            true => tokio::time::advance(Duration::from_millis(50)).await,
            false => break parked,
        }
    };
    assert_eq!(parked[0].status, Some(400));
    assert!(parked[0].error.contains("400"), "{}", parked[0].error);
    let page = node.brokers.events(&key("main"), &EventQuery::default()).await.unwrap();
    assert_eq!(page.events.len(), 255);
    node.brokers.drain().await;
}

#[tokio::test]
async fn the_door_answers_by_the_table() {
    let node = Node::new(LogChoice::Memory, &[]).await;
    let post = |headers: &[(&str, &str)], body: &str| {
        let mut request = Request::post("/").body(Full::<Bytes>::from(body.to_owned())).unwrap();
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(::http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        request
    };
    let json: &[_] = &[("content-type", "application/cloudevents+json")];
    let batch: &[_] = &[("content-type", "application/cloudevents-batch+json")];
    let good = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;
    let bad = r#"{"specversion":"1.0","id":"bad","source":"/s"}"#;
    let used_up = format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t","{TTL}":1}}"#);
    let large = "x".repeat((1 << 20) + 1);
    let table = [
        (post(json, good), 202, ""),
        (post(batch, &format!("[{good},{good}]")), 202, ""),
        (post(batch, "[]"), 202, ""),
        (post(batch, &format!("[{good},{bad}]")), 400, r#""attribute":"type""#),
        (post(json, bad), 400, r#""attribute":"type""#),
        (post(json, "{"), 400, "not a CloudEvent"),
        (post(json, &used_up), 400, r#""attribute":"knativebrokerttl""#),
        (post(&[("ce-id", "1")], ""), 400, r#""attribute":"specversion""#),
        (post(json, &large), 413, "1048576"),
        (post(&[("content-type", "text/html")], "<p>"), 415, "text/html"),
        (Request::get("/").body(Full::default()).unwrap(), 405, "POST"),
        (Request::options("/").body(Full::default()).unwrap(), 200, ""),
    ];
    for (request, status, text) in table {
        let shown = format!("{request:?}").chars().take(300).collect::<String>();
        let response = node.brokers.handle(&key("main"), request).await;
        let found = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body);
        assert_eq!(found, status, "{shown}: {body}");
        assert!(body.contains(text), "{shown}: {body}");
    }
    let unknown = node.brokers.handle(&key("none"), post(json, good)).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let page = node.brokers.events(&key("main"), &EventQuery::default()).await.unwrap();
    assert_eq!(page.events.len(), 3, "nothing of a refused batch was taken");
    let refused = node.brokers.why(&key("main"), "bad", None).await.unwrap().unwrap_err().refused;
    assert_eq!(refused.len(), 2);
    assert!(refused[0].reason.contains("\"type\" is required"), "{}", refused[0].reason);
    let asking = post(&[("content-type", "application/cloudevents+json"), ("accept", "application/json")], good);
    let body = node.brokers.handle(&key("main"), asking).await.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, r#"{"accepted":1,"events":[{"id":"1","source":"/s","position":"0:3"}]}"#);
    node.brokers.drain().await;
}
