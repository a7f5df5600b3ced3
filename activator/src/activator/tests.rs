use super::*;
use crate::provider::conformance;
use crate::provider::fake::{FakeProvider, Script};
use crate::respond::REASON_HEADER;
use fnctl_config::address::function_host;
use fnctl_config::limits::QUEUE_WAIT_MAX;
use fnctl_config::snapshot::{CallLimits, Grants, Metric, Reuse, Route, RouteTarget, Scale};
use futures::FutureExt as _;
use futures::future::join_all;
use http_body_util::BodyExt as _;
use std::sync::Mutex;
use std::time::Duration;
use tokio::task::JoinSet;

/// A revision of function `name` in namespace `ns`.
pub(crate) fn revision(name: &str, uid: &str) -> Arc<Revision> {
    let second = Duration::from_secs(1);
    Arc::new(Revision {
        key: ObjectKey::new("ns", format!("{name}-1")),
        uid: uid.into(),
        service: name.into(),
        configuration: name.into(),
        artifact: "0".repeat(64),
        env: Vec::new(),
        args: Vec::new(),
        limits: CallLimits { memory_bytes: 1 << 20, cpu: second, timeout: second, response_start: None },
        container_concurrency: 0,
        scale: Scale {
            metric: Metric::Concurrency,
            total: 100.0,
            target: 70.0,
            min: 0,
            max: 0,
            initial: 1,
            activation: 0,
            stable_window: second,
            panic_window: second,
            panic_threshold: 2.0,
            target_burst_capacity: 211.0,
            scale_down_delay: second,
            retention: second,
        },
        reuse: Reuse::Fresh,
        grants: Grants::default(),
    })
}

/// The route of function `name`, all of it to its one revision.
pub(crate) fn route(name: &str) -> Arc<Route> {
    let key = ObjectKey::new("ns", name);
    let target = RouteTarget { revision: ObjectKey::new("ns", format!("{name}-1")), percent: 100 };
    let hosts = vec![function_host(&key, "localhost")];
    Arc::new(Route { uid: name.to_owned(), hosts, key, targets: vec![target] })
}

/// An activator with function `ns/f` on a script.
pub(crate) fn activator(settings: Settings) -> (Activator, Arc<Script>) {
    let script = Arc::new(Script::default());
    let activator = Activator::new(Arc::new(FakeProvider::new(script.clone())), settings);
    activator.apply(&Change::Route(route("f")));
    activator.apply(&Change::Revision(revision("f", "1")));
    (activator, script)
}

fn key() -> ObjectKey {
    ObjectKey::new("ns", "f-1")
}

async fn call(activator: &Activator, path: &str, admission: Admission) -> Result<Response<Body>, Refusal> {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    activator.call(&ObjectKey::new("ns", "f"), request, admission).await
}

/// What a call comes to: its status, or why it was refused.
async fn outcome(activator: &Activator, path: &str) -> Result<u16, Reason> {
    let answer = call(activator, path, Admission::Wait).await;
    answer.map(|answer| answer.status().as_u16()).map_err(|refusal| refusal.reason)
}

fn standing(activator: &Activator) -> (State, u32, usize) {
    let view = activator.revision(&key()).unwrap();
    (view.state, view.in_flight, view.queued)
}

/// Lets every task run until all of them wait.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_scripted_adapter_passes_the_suite() {
    let provider = FakeProvider::default();
    conformance::check(|| provider.instances(&revision("f", "1"))).await;
}

#[tokio::test]
async fn a_burst_at_zero_is_one_start_and_answers_in_order() {
    let (activator, script) = activator(Settings::default());
    script.hold_starts();
    let paths: Vec<String> = (0..500).map(|n| format!("/{n}")).collect();
    // A task each, as connections are.
    let mut burst = JoinSet::new();
    for path in paths.clone() {
        let activator = activator.clone();
        burst.spawn(async move { outcome(&activator, &path).await });
    }
    settle().await;
    assert_eq!(standing(&activator), (State::Starting, 0, 500));
    script.release_starts(1);
    let answers = burst.join_all().await;
    assert!(answers.iter().all(|answer| *answer == Ok(200)));
    assert_eq!((script.starts(), script.calls()), (1, paths));
    let view = activator.revision(&key()).unwrap();
    assert_eq!((view.state, view.in_flight, view.queued), (State::Started, 0, 0));
    assert_eq!((view.totals.cold_starts, view.totals.requests()), (1, 500));
}

#[tokio::test]
async fn never_more_calls_than_the_capacity() {
    let (activator, script) = activator(Settings::default());
    script.set_capacity(3);
    script.release_calls(50);
    let answers = join_all((0..50).map(|_| outcome(&activator, "/wait"))).await;
    assert!(answers.iter().all(|answer| *answer == Ok(200)));
    assert!(script.most_running() <= 3, "{}", script.most_running());
}

#[tokio::test]
async fn a_full_queue_refuses_and_counts() {
    let limits = Limits { queue_requests: 2, ..Limits::default() };
    let (activator, script) = activator(Settings { limits, poke: None });
    script.hold_starts();
    let four = join_all((0..4).map(|_| outcome(&activator, "/")));
    let (answers, ()) = tokio::join!(four, async {
        settle().await;
        script.release_starts(1);
    });
    assert_eq!(answers, [Ok(200), Ok(200), Err(Reason::QueueFull), Err(Reason::QueueFull)]);
    let totals = activator.revision(&key()).unwrap().totals;
    assert_eq!(totals.occurred().collect::<Vec<_>>(), [(Reason::QueueFull, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_deadline_and_the_queue_forgets_it() {
    let (activator, script) = activator(Settings::default());
    script.hold_starts();
    let begun = Instant::now();
    let own = Admission::WaitUntil(begun + Duration::from_secs(3));
    assert_eq!(call(&activator, "/", own).await.unwrap_err().reason, Reason::QueueTimeout);
    assert_eq!(begun.elapsed().as_secs(), 3);
    let far = Admission::WaitUntil(Instant::now() + QUEUE_WAIT_MAX * 9);
    for admission in [Admission::Wait, far] {
        let begun = Instant::now();
        assert_eq!(call(&activator, "/", admission).await.unwrap_err().reason, Reason::QueueTimeout);
        assert_eq!(begun.elapsed().as_secs(), QUEUE_WAIT_MAX.as_secs());
    }
    assert_eq!(standing(&activator), (State::Starting, 0, 0));
    script.release_starts(1);
    assert_eq!(outcome(&activator, "/").await, Ok(200));
}

#[tokio::test]
async fn who_hangs_up_leaves_the_queue_and_the_function() {
    let (activator, script) = activator(Settings::default());
    script.set_capacity(1);
    let hanging = tokio::spawn({
        let activator = activator.clone();
        async move { outcome(&activator, "/hang").await }
    });
    settle().await;
    let waiting = tokio::spawn({
        let activator = activator.clone();
        async move { outcome(&activator, "/gone").await }
    });
    settle().await;
    assert_eq!(standing(&activator), (State::Started, 1, 1));
    waiting.abort();
    settle().await;
    assert_eq!(standing(&activator), (State::Started, 1, 0));
    hanging.abort();
    settle().await;
    assert_eq!((standing(&activator), script.running()), ((State::Started, 0, 0), 0));
    assert_eq!(script.calls(), ["/hang"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_answers_everybody_and_later_ones_try_again() {
    let (activator, script) = activator(Settings::default());
    script.fail_start("artifact is missing");
    let three = join_all((0..3).map(|_| call(&activator, "/", Admission::Wait))).await;
    for refusal in three.into_iter().map(Result::unwrap_err) {
        assert_eq!(refusal.reason, Reason::StartFailed);
        assert!(refusal.message.contains("artifact is missing"), "{refusal}");
    }
    assert_eq!(outcome(&activator, "/").await, Err(Reason::StartFailed));
    assert_eq!(script.starts(), 1, "a flood is not a flood of starts");
    tokio::time::advance(fnctl_config::limits::START_RETRY_DELAY).await;
    assert_eq!((outcome(&activator, "/").await, script.starts()), (Ok(200), 2));
}

#[tokio::test]
async fn not_admitted_is_no_answer_and_a_failed_call_is_one() {
    let (activator, _script) = activator(Settings::default());
    assert_eq!(call(&activator, "/", Admission::Now).await.unwrap_err().reason, Reason::NoRoom);
    settle().await;
    let answer = call(&activator, "/", Admission::Now).await.unwrap();
    assert_eq!(answer.headers()[REVISION_HEADER], "f-1");
    assert!(answer.headers()[SERVER_TIMING].to_str().unwrap().starts_with("queue;dur=0.000, activation;dur="));
    let trap = call(&activator, "/trap", Admission::Now).await.unwrap();
    assert_eq!((trap.status().as_u16(), &trap.headers()[REASON_HEADER]), (500, &"function-trapped".parse().unwrap()));
    assert!(trap.headers().contains_key(SERVER_TIMING));
    assert_eq!(outcome(&activator, "/cpu").await, Ok(504));
}

#[tokio::test]
async fn unknown_functions_and_revisions_are_told_apart() {
    let (activator, _script) = activator(Settings::default());
    activator.apply(&Change::RevisionGone(key()));
    assert_eq!(outcome(&activator, "/").await, Err(Reason::NoRevision));
    activator.apply(&Change::RouteGone(ObjectKey::new("ns", "f")));
    assert_eq!(outcome(&activator, "/").await, Err(Reason::UnknownPath));
    assert_eq!(activator.totals().requests(), 2);
}

#[tokio::test]
async fn a_streamed_answer_counts_until_its_last_byte() {
    let (activator, script) = activator(Settings::default());
    let answer = call(&activator, "/stream", Admission::Wait).await.unwrap();
    assert_eq!((standing(&activator).1, script.running()), (1, 1));
    assert!(matches!(activator.scale_to_zero(&key()), Err(Busy::Requests { in_flight: 1, .. })));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "tickticktick");
    assert_eq!((standing(&activator).1, script.running()), (0, 0));
}

#[tokio::test]
async fn to_zero_and_back() {
    let pokes = Arc::new(Mutex::new(Vec::new()));
    let heard = pokes.clone();
    let poke: Poke = Arc::new(move |key: &ObjectKey| heard.lock().unwrap().push(key.clone()));
    let (activator, script) = activator(Settings { poke: Some(poke), ..Settings::default() });
    assert_eq!(outcome(&activator, "/").await, Ok(200));
    assert_eq!(outcome(&activator, "/").await, Ok(200));
    assert_eq!(*pokes.lock().unwrap(), [key()], "only the first one at zero");
    assert_eq!(activator.scale_to_zero(&key()), Ok(()));
    assert_eq!(activator.scale_to_zero(&key()), Ok(()), "it is there already");
    assert_eq!((standing(&activator).0, script.stops()), (State::Zero, 1));
    assert!(activator.wake(&key()) && !activator.wake(&key()));
    settle().await;
    assert_eq!((standing(&activator).0, script.starts()), (State::Started, 2));
    assert_eq!(pokes.lock().unwrap().len(), 1, "nobody asked for it");
    assert_eq!(activator.scale_to_zero(&ObjectKey::new("ns", "none")), Err(Busy::Gone));
}

#[tokio::test]
async fn a_changed_revision_serves_who_waits_and_another_uid_does_not() {
    let (activator, script) = activator(Settings::default());
    script.hold_starts();
    let mut waits = Box::pin(outcome(&activator, "/waits"));
    assert!((&mut waits).now_or_never().is_none());
    let mut changed = Revision::clone(&revision("f", "1"));
    changed.container_concurrency = 7;
    activator.apply(&Change::Revision(Arc::new(changed.clone())));
    activator.apply(&Change::Revision(Arc::new(changed)));
    settle().await;
    assert_eq!((script.made(), script.starts()), (2, 2), "the same value again is no change");
    script.release_starts(2);
    assert_eq!(waits.await, Ok(200));

    activator.apply(&Change::Revision(revision("f", "2")));
    let mut waits = Box::pin(outcome(&activator, "/waits"));
    assert!((&mut waits).now_or_never().is_none());
    activator.apply(&Change::Revision(revision("f", "3")));
    assert_eq!(waits.await, Err(Reason::RevisionGone));
}

#[tokio::test]
async fn a_closed_node_refuses_who_waits_and_who_comes() {
    let (activator, script) = activator(Settings::default());
    script.hold_starts();
    let mut waits = Box::pin(outcome(&activator, "/"));
    assert!((&mut waits).now_or_never().is_none());
    activator.shutdown().await;
    assert_eq!(waits.await, Err(Reason::Draining));
    assert_eq!(outcome(&activator, "/").await, Err(Reason::Draining));
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_how_long_it_waited_and_for_what() {
    let (activator, script) = activator(Settings::default());
    script.set_capacity(1);
    script.hold_starts();
    let first = call(&activator, "/wait", Admission::Wait);
    let second = call(&activator, "/", Admission::Wait);
    let (first, second, ()) = tokio::join!(first, second, async {
        settle().await;
        tokio::time::advance(Duration::from_secs(3)).await;
        script.release_starts(1);
        settle().await;
        tokio::time::advance(Duration::from_secs(2)).await;
        script.release_calls(1);
    });
    let timing = |answer: &Response<Body>| *answer.extensions().get::<Timing>().unwrap();
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((timing(&first).waited().as_secs(), timing(&first).activation.as_secs()), (3, 3));
    assert_eq!((timing(&second).waited().as_secs(), timing(&second).activation.as_secs()), (5, 3));
    assert_eq!(
        second.headers()[SERVER_TIMING].to_str().unwrap().split_once(", run"),
        Some(("queue;dur=2000.000, activation;dur=3000.000", ";dur=0.000"))
    );
}

#[tokio::test(start_paused = true)]
async fn samples_hold_who_waits_and_who_runs() {
    let (activator, script) = activator(Settings::default());
    script.set_capacity(1);
    let mut runs = Box::pin(outcome(&activator, "/hang"));
    let mut waits = Box::pin(outcome(&activator, "/"));
    assert!((&mut runs).now_or_never().is_none() && (&mut waits).now_or_never().is_none());
    settle().await;
    activator.samples();
    tokio::time::advance(Duration::from_secs(1)).await;
    let [(_, sample)] = &activator.samples()[..] else { panic!("one revision") };
    assert_eq!((sample.concurrency, sample.requests, sample.period), (2.0, 0, Duration::from_secs(1)));
}

#[tokio::test]
async fn waiting_requests_count_for_what_they_declare_up_to_a_bound() {
    let of = |body: Body| bytes_held(&Request::new(body));
    assert_eq!(of(Body::empty()), 0);
    assert_eq!(of(Body::from(vec![0; 10])), 10);
    assert_eq!(of(Body::from(vec![0; 2 << 20])), QUEUE_REQUEST_BYTES_MAX);
    let stream = http_body_util::StreamBody::new(futures::stream::pending::<Result<_, std::io::Error>>());
    assert_eq!(of(Body::stream(stream)), QUEUE_REQUEST_BYTES_UNKNOWN);
}
