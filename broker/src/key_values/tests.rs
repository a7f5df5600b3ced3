use super::{Error, KeyValues, Options};
use crate::vfs::simulated::{Fault, Simulated};
use fnctl_config::key_value::Quota;
use futures::future::join_all;
use std::sync::Arc;

fn open(disk: &Simulated) -> KeyValues {
    let options = Options::new(Arc::new(disk.clone()), "/node/key-values.redb".into());
    KeyValues::new(Options { quota: Quota { keys: 1_000, bytes: 1 << 20 }, free_bytes_min: 1 << 20, ..options })
}

#[tokio::test]
async fn what_was_answered_survives_a_power_cut() {
    let disk = Simulated::new(1);
    let stores = open(&disk);
    stores.set("s", "key", b"value".to_vec()).await.unwrap();
    stores.increment("s", "n", 7).await.unwrap();
    stores.set("s", "gone", b"x".to_vec()).await.unwrap();
    stores.delete("s", "gone").await.unwrap();
    disk.crash();
    let stores = open(&disk);
    assert_eq!(stores.get("s", "key").await.unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(stores.list("s", 0, 9).await.unwrap(), ["key", "n"]);
    assert_eq!(stores.increment("s", "n", 1).await, Ok(8));
}

#[tokio::test]
async fn a_power_cut_at_any_call_loses_no_answer() {
    let mut cut = 0;
    for seed in 0..100 {
        let disk = Simulated::new(seed);
        let stores = open(&disk);
        assert_eq!(stores.increment("s", "n", 1).await, Ok(1));
        disk.fail(disk.calls() + seed % 40, Fault::PowerCut);
        let mut answered = 1;
        for _ in 0..28 {
            let Ok(sum) = stores.increment("s", "n", 1).await else { break };
            answered = sum;
        }
        cut += u64::from(answered < 29);
        disk.crash();
        let found = open(&disk).get("s", "n").await.unwrap().unwrap();
        let found: u64 = String::from_utf8(found).unwrap().parse().unwrap();
        assert!(found >= answered, "seed {seed}: {answered} was answered, {found} is there");
    }
    assert!(cut > 50, "the power went in the middle of the work, {cut} times");
}

#[tokio::test]
async fn changes_at_once_share_a_commit() {
    let disk = Simulated::new(1);
    let stores = open(&disk);
    stores.increment("s", "n", 1).await.unwrap();
    let before = disk.calls();
    stores.increment("s", "n", 1).await.unwrap();
    let alone = disk.calls() - before;
    let before = disk.calls();
    let sums = join_all((0..100).map(|_| stores.increment("s", "n", 1))).await;
    assert_eq!(sums.last(), Some(&Ok(102)));
    let together = disk.calls() - before;
    assert!(together < alone * 5, "{together} calls for 100 changes, {alone} for one");
}

#[tokio::test]
async fn a_disk_without_room_takes_what_does_not_grow() {
    let disk = Simulated::new(1);
    let stores = open(&disk);
    stores.set("s", "key", b"value".to_vec()).await.unwrap();
    disk.set_capacity(1 << 20);
    let refused = stores.set("s", "another", b"value".to_vec()).await;
    assert!(matches!(refused, Err(Error::Full { required_bytes: 0x10_0000, .. })), "{refused:?}");
    stores.set("s", "key", b"VALUE".to_vec()).await.unwrap();
    stores.delete("s", "key").await.unwrap();
    assert_eq!(stores.list("s", 0, 9).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn changes_that_wait_are_bounded() {
    let stores = open(&Simulated::new(1));
    stores.set("s", "key", Vec::new()).await.unwrap();
    let large = || stores.set("s", "key", vec![0; 700 << 10]);
    let ended = join_all((0..40).map(|_| large())).await;
    assert!(ended.contains(&Err(Error::Busy)) && ended.contains(&Ok(())), "{ended:?}");
    large().await.unwrap();
}
