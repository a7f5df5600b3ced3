//! What brokers do when their stores are full, or fail.

use super::*;
use crate::event::stored;
use crate::ingress::Refused;
use crate::log::AppendError;
use fnctl_config::limits::{DELIVERIES_IN_FLIGHT_MAX, TRIGGER_BACKLOG_MAX};
use std::pin::pin;

#[tokio::test(start_paused = true)]
async fn where_parked_events_have_no_room_they_wait_and_are_not_tried_again() {
    let (first, second) = ("1".repeat(400), "2".repeat(400));
    let length = stored::encode(&Event::new(&*first, "/s", "x").unwrap()).len() as u64;
    let directory = tempfile::tempdir().unwrap();
    let adjust = |options: &mut Options| options.parked_bytes_max = length * 3 / 2;
    let node = Node::with(directory, &[("a", &[Step::Status(400)])], adjust).await;
    node.add(trigger("a", "x")).await;
    node.send(&first, "x").await;
    node.fate(&first, "a", Fate::Parked).await;
    node.send(&second, "x").await;
    node.calls(2).await;
    let later = node.deliver.begin + Duration::from_secs(300);
    tokio::time::sleep_until(later).await;
    assert_eq!(node.deliver.calls.lock().unwrap().len(), 2, "its attempts are used up, and it has no others");
    let parked = node.brokers.dlq_list(&DlqQuery::default()).await.unwrap();
    assert_eq!(parked.len(), 1);

    node.brokers.dlq_drop(&key("main"), parked[0].id).await.unwrap();
    node.fate(&second, "a", Fate::Parked).await;
    let parked = node.brokers.dlq_list(&DlqQuery::default()).await.unwrap();
    assert_eq!((parked.len(), parked[0].attempts, parked[0].status), (1, 1, Some(400)));
    assert_eq!(node.calls(2).await.len(), 2);
    node.brokers.drain().await;
}

/// A broker whose log is in files, on a disk that can be made to fail.
pub(super) async fn on_disk(disk: &Simulated) -> Node {
    in_files(tempfile::tempdir().unwrap(), disk, &[]).await
}

pub(super) async fn in_files(
    directory: tempfile::TempDir,
    disk: &Simulated,
    scripts: &[(&'static str, &[Step])],
) -> Node {
    let adjust = |options: &mut Options| {
        options.vfs = Arc::new(disk.clone());
        options.log = LogChoice::Segments(crate::log::segment::Options { free_bytes_min: 0, ..Default::default() });
    };
    Node::with(directory, scripts, adjust).await
}

/// Events that a retention of `delete` drops before their trigger comes to them are counted; those that it holds are not.
#[tokio::test(start_paused = true)]
async fn what_a_retention_drops_unseen_is_counted_as_expired() {
    let disk = Simulated::new(1);
    let scripts: &[(&'static str, &[Step])] = &[("slow", &[Step::Hang]), ("fast", &[Step::Status(200)])];
    let node = in_files(tempfile::tempdir().unwrap(), &disk, scripts).await;
    for name in ["slow", "fast"] {
        node.add(trigger(name, "x")).await;
    }
    node.add(trigger("idle", "y")).await;
    let held = DELIVERIES_IN_FLIGHT_MAX + TRIGGER_BACKLOG_MAX;
    for id in 0..held + 124 {
        node.send(&id.to_string(), "x").await;
    }
    node.calls(DELIVERIES_IN_FLIGHT_MAX + held + 124).await;
    let metrics = async || node.brokers.metrics().await.remove(0);
    assert_eq!(metrics().await.expired, 0, "nothing was dropped yet");

    let retention = Retention { age: Duration::ZERO, bytes: 0, drop_pending: true };
    node.brokers.apply(&Change::Broker(Arc::new(Broker { retention, ..main(3) }))).await.unwrap();
    let end = node.brokers.appended(&key("main")).unwrap().borrow().clone();
    while metrics().await.triggers.iter().any(|(_, status)| status.low != end) {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(metrics().await.expired, 124, "the slow trigger had not come to the last ones");
    let page = node.brokers.events(&key("main"), &EventQuery::default()).await.unwrap();
    assert!(page.events.is_empty(), "they are gone");
    assert_eq!(node.deliver.calls.lock().unwrap().len(), DELIVERIES_IN_FLIGHT_MAX + held + 124);
}

/// A bit that turned over costs the events of one commit; those around it are delivered.
#[tokio::test(start_paused = true)]
async fn what_is_damaged_is_passed_over() {
    let (disk, count) = (Simulated::new(1), 20);
    let node = in_files(tempfile::tempdir().unwrap(), &disk, &[("a", &[Step::Hang])]).await;
    node.add(trigger("a", "x")).await;
    for id in 0..count {
        node.send(&id.to_string(), "x").await;
    }
    node.calls(count).await;
    node.brokers.drain().await;
    let Node { brokers, directory, .. } = node;
    drop(brokers);
    let (segment, length) =
        disk.files().into_iter().find(|(path, _)| path.extension() == Some("seg".as_ref())).unwrap();
    assert!(disk.flip_bit(&segment, length / 2 * 8));

    let again = in_files(directory, &disk, &[("a", &[Step::Status(200)])]).await;
    again.add(trigger("a", "x")).await;
    again.send("later", "x").await;
    let mut ids: Vec<_> = again.calls(count).await.into_iter().map(|call| call.id).collect();
    while again.brokers.metrics().await[0].delivered < count as u64 {
        tokio::task::yield_now().await;
    }
    assert_eq!(again.brokers.metrics().await[0].damaged, 2, "the range, and its file");
    ids.retain(|id| id != "later");
    assert_eq!((ids.len(), ids.first().unwrap().as_str()), (count - 1, "0"));
    assert_eq!(again.deliver.calls.lock().unwrap().len(), count, "all but one, and what came later");
    again.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_kill_interrupted_is_given_again_and_said_to_be() {
    let disk = Simulated::new(1);
    let node = in_files(tempfile::tempdir().unwrap(), &disk, &[("a", &[Step::Hang])]).await;
    node.add(trigger("a", "x")).await;
    node.send("1", "x").await;
    node.calls(1).await;
    disk.kill();
    let Node { brokers, directory, .. } = node;
    drop(brokers);

    let again = in_files(directory, &disk, &[("a", &[Step::Status(200)])]).await;
    again.add(trigger("a", "x")).await;
    again.send("2", "x").await;
    for (id, redelivered) in [("1", true), ("2", false)] {
        let why = again.fate(id, "a", Fate::Delivered).await;
        let given: Vec<_> = why.attempts.iter().map(|attempt| attempt.redelivered).collect();
        assert_eq!((given, why.redeliveries), (vec![redelivered], usize::from(redelivered)), "{id}");
    }
    again.brokers.drain().await;
}

async fn publish_at(node: &Node, disk: &Simulated, fault: Fault) -> Result<(), Refused> {
    disk.fail(disk.calls() + 1, fault);
    let published = node.brokers.publish(&key("main"), vec![Event::new("1", "/s", "x").unwrap()]).await;
    disk.heal();
    published.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_log_that_failed_is_named_and_a_full_disk_is_none() {
    let disk = Simulated::new(1);
    let node = on_disk(&disk).await;
    node.send("0", "x").await;
    let full = publish_at(&node, &disk, Fault::NoSpace).await;
    assert!(matches!(full, Err(Refused::Log(AppendError::Full { .. }))), "{full:?}");
    let mut told = pin!(node.brokers.failed());
    assert_eq!(told.as_mut().now_or_never(), None);
    node.send("2", "x").await;

    let failed = publish_at(&node, &disk, Fault::Eio).await;
    assert!(matches!(failed, Err(Refused::Log(AppendError::Failed(_)))), "{failed:?}");
    let said = told.await;
    assert!(said.starts_with("the event log of broker default/main: ") && said.contains("EIO"), "{said}");
    node.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_state_that_failed_is_named() {
    let disk = Simulated::new(1);
    let node = on_disk(&disk).await;
    let mut told = pin!(node.brokers.failed());
    assert_eq!(told.as_mut().now_or_never(), None);
    disk.fail(disk.calls() + 1, Fault::Eio);
    let mut failing = trigger("a", "x");
    failing.uid = "uid-of-a".to_owned();
    assert!(node.brokers.apply(&Change::Trigger(Arc::new(failing))).await.is_err());
    let said = told.now_or_never().unwrap();
    assert!(said.starts_with("the brokers' state: ") && said.contains("EIO"), "{said}");
    node.brokers.drain().await;
}

/// Applies a change while the disk is full for one call, the first to the last one after each other, and applies it again
/// where that was refused. A store that failed for good ends a node, and says nothing of this. Answers how often it was
/// refused.
async fn apply_again(change: &Change, prepare: impl AsyncFn(&Node), check: impl AsyncFn(&Node)) -> usize {
    let mut refused = 0;
    for call in 1.. {
        let disk = Simulated::new(call);
        let node = on_disk(&disk).await;
        prepare(&node).await;
        let before = disk.calls();
        disk.fail(before + call, Fault::NoSpace);
        let applied = node.brokers.apply(change).await;
        let is_over = disk.calls() < before + call;
        disk.heal();
        if node.brokers.failed().now_or_never().is_none() {
            if applied.is_err() {
                refused += 1;
                node.brokers.apply(change).await.unwrap();
            }
            check(&node).await;
        }
        node.brokers.drain().await;
        if is_over {
            break;
        }
    }
    refused
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_could_not_be_let_go_is_let_go_by_another_try() {
    let another = Trigger { uid: "another".to_owned(), ..trigger("a", "x") };
    for change in [Change::TriggerGone(key("a")), Change::Trigger(Arc::new(another))] {
        let refused = apply_again(
            &change,
            async |node| node.add(trigger("a", "x")).await,
            async |node| {
                let record = node.brokers.shared.state.trigger("uid-a").unwrap().unwrap();
                assert!(record.deleted_at_ms.is_some(), "{change:?}");
            },
        );
        assert!(refused.await > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_could_not_be_opened_is_opened_by_another_try() {
    let other = Change::Broker(Arc::new(Broker { key: key("other"), uid: "other-uid".to_owned(), ..main(3) }));
    let refused = apply_again(
        &other,
        async |node| node.add(Trigger { broker: key("other"), ..trigger("a", "x") }).await,
        async |node| {
            node.brokers.publish(&key("other"), vec![Event::new("1", "/s", "y").unwrap()]).await.unwrap();
        },
    );
    let refused = refused.await;
    assert!(refused > 10, "it was refused {refused} times");
}
