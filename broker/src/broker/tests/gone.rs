//! What deleted brokers leave: nothing, and what others have is not touched.

use super::storage::{in_files, on_disk};
use super::*;
use crate::broker::ApplyError;
use crate::log::segment;
use crate::vfs::Vfs as _;
use std::collections::BTreeSet;
use std::path::PathBuf;

const UID: &str = "0a1b2c3d-0000-4000-8000-00000000000f";

fn other(uid: &str) -> Change {
    Change::Broker(Arc::new(Broker { key: key("other"), uid: uid.to_owned(), ..main(3) }))
}

fn gone() -> Change {
    Change::BrokerGone(key("other"))
}

async fn publish(node: &Node, broker: &str, id: &str) {
    node.brokers.publish(&key(broker), vec![Event::new(id, "/s", "x").unwrap()]).await.unwrap();
}

/// Ids of the events that a broker keeps.
async fn kept(node: &Node, broker: &str) -> Vec<String> {
    let page = node.brokers.events(&key(broker), &EventQuery::default()).await.unwrap();
    let id = |event: &serde_json::value::RawValue| {
        serde_json::from_str::<serde_json::Value>(event.get()).unwrap()["id"].as_str().unwrap().to_owned()
    };
    page.events.iter().map(|event| id(event)).collect()
}

/// Files of a broker.
fn files(disk: &Simulated, uid: &str) -> Vec<PathBuf> {
    let of_it = |path: &PathBuf| path.iter().any(|part| part == uid);
    disk.files().into_iter().map(|(path, _)| path).filter(of_it).collect()
}

#[tokio::test(start_paused = true)]
async fn a_deleted_broker_leaves_nothing_and_one_of_its_name_begins_anew() {
    let disk = Simulated::new(1);
    let node =
        in_files(tempfile::tempdir().unwrap(), &disk, &[("a", &[Step::Status(400)]), ("b", &[Step::Status(400)])])
            .await;
    node.brokers.apply(&other(UID)).await.unwrap();
    node.add(trigger("a", "x")).await;
    node.add(Trigger { broker: key("other"), ..trigger("b", "x") }).await;
    publish(&node, "main", "1").await;
    publish(&node, "other", "2").await;
    let parked = async || node.brokers.dlq_list(&DlqQuery::default()).await.unwrap();
    while parked().await.len() < 2 {
        tokio::task::yield_now().await;
    }
    node.brokers.apply(&gone()).await.unwrap();
    assert_eq!(files(&disk, UID), Vec::<PathBuf>::new());
    let left = parked().await;
    assert_eq!((left.len(), left[0].trigger.as_str()), (1, "default/a"));
    assert!(node.brokers.shared.state.trigger("uid-b").unwrap().is_none());
    assert!(node.brokers.shared.state.gone().unwrap().is_empty());

    node.brokers.apply(&other("another")).await.unwrap();
    assert_eq!(kept(&node, "other").await, [""; 0]);
    publish(&node, "other", "3").await;
    while parked().await.len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(kept(&node, "main").await, ["1"]);
    // Another uid under the same name, without an end between them.
    node.brokers.apply(&other(UID)).await.unwrap();
    assert_eq!((files(&disk, "another"), kept(&node, "other").await), (Vec::new(), Vec::new()));
    node.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_power_cut_leaves_a_broker_whole_or_gone_and_the_others_as_they_are() {
    let (mut whole, mut removed) = (0, 0);
    for call in 1.. {
        let disk = Simulated::new(call);
        let node = on_disk(&disk).await;
        node.brokers.apply(&other(UID)).await.unwrap();
        publish(&node, "main", "1").await;
        publish(&node, "other", "2").await;
        disk.fail(disk.calls() + call, Fault::PowerCut);
        let is_over = node.brokers.apply(&gone()).await.is_ok();
        disk.crash();
        let Node { brokers, directory, .. } = node;
        drop(brokers);

        let node = in_files(directory, &disk, &[]).await;
        assert_eq!(kept(&node, "main").await, ["1"], "cut at call {call}");
        if files(&disk, UID).is_empty() {
            removed += 1;
            assert!(node.brokers.shared.state.gone().unwrap().is_empty(), "cut at call {call}");
        } else {
            whole += 1;
            node.brokers.apply(&other(UID)).await.unwrap();
            assert_eq!(kept(&node, "other").await, ["2"], "cut at call {call}");
        }
        node.brokers.drain().await;
        if is_over {
            break;
        }
    }
    assert!(whole > 3 && removed > 3, "{whole} whole, {removed} removed");
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_no_object_names_is_kept_for_a_while() {
    let disk = Simulated::new(1);
    let node = on_disk(&disk).await;
    node.brokers.apply(&other(UID)).await.unwrap();
    publish(&node, "other", "1").await;
    node.brokers.drain().await;
    let Node { brokers, mut directory, .. } = node;
    drop(brokers);

    let main = || BTreeSet::from(["broker-uid".to_owned()]);
    let noted = |node: &Node| node.brokers.shared.state.gone().unwrap();
    let both = BTreeSet::from(["broker-uid".to_owned(), UID.to_owned()]);
    let lives = [(both, 0), (main(), 1), (main(), 1)];
    for (stored, expected) in lives {
        let node = in_files(directory, &disk, &[]).await;
        node.brokers.settle(stored).await.unwrap();
        let noted = noted(&node);
        assert_eq!(noted.len(), expected);
        let now = jiff::Timestamp::now().as_millisecond();
        assert!(noted.iter().all(|(uid, due)| uid == UID && *due > now), "{noted:?}");
        node.brokers.drain().await;
        directory = node.directory;
    }
    let node = in_files(directory, &disk, &[]).await;
    node.brokers.apply(&other(UID)).await.unwrap();
    assert_eq!((kept(&node, "other").await, noted(&node)), (vec!["1".to_owned()], Vec::new()), "it was brought back");
    node.brokers.drain().await;
    let Node { brokers, directory, .. } = node;
    brokers.shared.state.note_gone(UID, i64::MAX).unwrap();
    brokers.shared.state.note_gone(UID, 17).unwrap();
    drop(brokers);

    let node = in_files(directory, &disk, &[]).await;
    assert_eq!((files(&disk, UID), noted(&node)), (Vec::new(), Vec::new()), "its time was over");
    assert!(!files(&disk, "broker-uid").is_empty());
    node.brokers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_that_somebody_has_open() {
    let disk = Simulated::new(1);
    let node = on_disk(&disk).await;
    node.brokers.apply(&other(UID)).await.unwrap();
    node.brokers.drain().await;
    let Node { brokers, directory, .. } = node;
    drop(brokers);
    let log = directory.path().join(UID).join("log");
    let held = segment::claim(&disk, &log).unwrap().expect("there is a log");

    let node = in_files(directory, &disk, &[]).await;
    assert!(node.brokers.apply(&other(UID)).await.is_err());
    let before = files(&disk, UID);
    let refused = node.brokers.apply(&gone()).await;
    assert!(matches!(refused, Err(ApplyError::Remove { .. })), "{refused:?}");
    assert_eq!(files(&disk, UID), before);
    drop(held);
    node.brokers.apply(&gone()).await.unwrap();
    assert_eq!(files(&disk, UID), Vec::<PathBuf>::new());
    assert!(disk.list(node.directory.path()).unwrap().iter().all(|name| name != UID));
    node.brokers.drain().await;
}
