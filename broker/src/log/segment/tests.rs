use super::*;
use crate::log::conformance;
use crate::vfs::disk::Disk;
use crate::vfs::simulated::{Fault, Simulated};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub(super) fn small() -> Options {
    Options { segment_bytes: 1_500, append_bytes_max: 1 << 20, free_bytes_min: 4_096 }
}

/// Keeps nothing that is not pending.
pub(super) fn keep_nothing() -> Retention {
    Retention { age: Duration::from_secs(3_600), bytes: 0, drop_pending: false }
}

fn open(vfs: &Arc<dyn Vfs>, directory: &Path) -> SegmentLog {
    SegmentLog::open(vfs, directory, "uid", small(), keep_nothing()).unwrap()
}

fn simulated(seed: u64) -> (Simulated, Arc<dyn Vfs>) {
    let disk = Simulated::new(seed);
    (disk.clone(), Arc::new(disk))
}

fn records(count: usize, length: usize) -> Vec<Bytes> {
    (0..count).map(|number| Bytes::from(vec![u8::try_from(number % 251).unwrap(); length])).collect()
}

#[tokio::test]
async fn conforms_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(Disk);
    let number = AtomicUsize::new(0);
    let path = || directory.path().join(number.fetch_add(1, Ordering::Relaxed).to_string());
    conformance::check(|| open(&vfs, &path())).await;
}

#[tokio::test]
async fn conforms_on_the_simulated_disk() {
    conformance::check(|| open(&simulated(1).1, Path::new("/log"))).await;
}

#[tokio::test]
async fn an_orderly_end_needs_no_recovery_and_reads_from_disk_as_from_memory() {
    let (_, vfs) = simulated(2);
    let log = open(&vfs, Path::new("/log"));
    for _ in 0..20 {
        log.append(records(3, 100)).await.unwrap();
    }
    let start = log.start()[0];
    let fresh = log.read(start, 1_000, 1 << 20).await.unwrap();
    assert_eq!(fresh.len(), 60);
    log.close().await.unwrap();
    assert!(matches!(log.append(records(1, 1)).await, Err(AppendError::Failed(_))));
    drop(log);
    let log = open(&vfs, Path::new("/log"));
    assert_eq!((log.recovery().clean, log.recovery().epoch, log.recovery().is_damaged()), (true, 1, false));
    let mut read = Vec::new();
    while read.len() < 60 {
        let from = read.last().map_or(start, |stored: &Stored| log.after(stored.position));
        read.extend(log.read(from, 1_000, 1 << 20).await.unwrap());
    }
    assert_eq!(read, fresh);
    assert_eq!(log.verify().await.unwrap(), []);
}

#[tokio::test]
async fn one_process_and_one_broker_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(Disk);
    let log = open(&vfs, directory.path());
    let second = SegmentLog::open(&vfs, directory.path(), "uid", small(), keep_nothing());
    assert!(matches!(second, Err(OpenError::Locked(_))), "{second:?}");
    drop(log);
    let foreign = SegmentLog::open(&vfs, directory.path(), "another", small(), keep_nothing());
    assert!(matches!(foreign, Err(OpenError::Foreign { .. })), "{foreign:?}");
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers_without_a_restart() {
    let (disk, vfs) = simulated(3);
    let log = open(&vfs, Path::new("/log"));
    let mut kept = Vec::new();
    disk.set_capacity(30_000);
    loop {
        match log.append(records(1, 400)).await {
            Ok(positions) => kept.extend(positions),
            Err(error) => {
                assert!(matches!(error, AppendError::Full { .. }), "{error}");
                break;
            }
        }
    }
    assert!(kept.len() > 30, "{}", kept.len());
    assert!(matches!(log.append(records(1, 400)).await, Err(AppendError::Full { .. })));
    let gone = log.trim(vec![kept[20]]).await.unwrap();
    assert!(gone > 10, "retention works on a full disk: {gone}");
    log.append(records(1, 400)).await.unwrap();
    assert_eq!(log.verify().await.unwrap(), []);
}

#[tokio::test]
async fn no_space_in_any_call_is_never_a_loss() {
    let mut refused = 0;
    for call in 1..120 {
        let (disk, vfs) = simulated(call);
        let log = open(&vfs, Path::new("/log"));
        disk.fail(disk.calls() + call, Fault::NoSpace);
        let (mut acknowledged, mut is_known) = (Vec::new(), true);
        for number in 0..12 {
            match log.append(records(1, 300 + number)).await {
                Ok(positions) => acknowledged.push((positions[0], 300 + number)),
                Err(AppendError::Full { .. }) => refused += 1,
                // What a sync leaves that failed is not known; for want of room alone no log ends.
                Err(AppendError::Failed(why)) if why.contains("a sync of the ") => {
                    is_known = false;
                    break;
                }
                Err(error) => panic!("call {call}: {error}"),
            }
        }
        disk.heal();
        assert_eq!(log.verify().await.unwrap(), [], "call {call}");
        drop(log);
        disk.crash();
        let log = open(&vfs, Path::new("/log"));
        assert!(!is_known || !log.recovery().is_damaged(), "call {call}: {:?}", log.recovery());
        for (position, length) in acknowledged {
            assert_eq!(log.read(position, 1, 0).await.unwrap()[0].record.len(), length, "call {call}");
        }
    }
    assert!(refused > 10, "{refused} appends were refused and the log went on");
}

#[tokio::test]
async fn limits_and_order_of_answers() {
    let (_, vfs) = simulated(4);
    let log = open(&vfs, Path::new("/log"));
    let huge = log.append(vec![Bytes::from(vec![0; limits::EVENT_LOG_APPEND_BYTES_MAX])]).await;
    assert!(matches!(huge, Err(AppendError::TooLarge { .. })), "{huge:?}");
    let waiting: Vec<_> = (0..5).map(|number| log.append(records(number + 1, 10))).collect();
    let mut expected = log.start()[0];
    for append in waiting {
        for position in append.await.unwrap() {
            assert_eq!(position, expected);
            expected = log.after(position);
        }
    }
    let stats = log.stats();
    assert_eq!((stats.appends, stats.records), (5, 15));
    assert!(stats.commits <= 5 && stats.bytes > 150, "{stats:?}");
}

#[tokio::test]
async fn retention_by_age_rolls_the_written_segment_and_spares_what_is_pending() {
    let (_, vfs) = simulated(5);
    let retention = Retention { age: Duration::ZERO, bytes: u64::MAX, drop_pending: false };
    let log = SegmentLog::open(&vfs, Path::new("/log"), "uid", small(), retention.clone()).unwrap();
    let first = log.append(records(1, 10)).await.unwrap()[0];
    let next = log.next().borrow().clone();
    while jiff::Timestamp::now().as_millisecond() <= log.read(first, 1, 10).await.unwrap()[0].appended_at_ms {}
    assert_eq!(log.trim(vec![first]).await.unwrap(), 0, "it is pending");
    assert_eq!(log.trim(next).await.unwrap(), 1);
    let second = log.append(records(2, 10)).await.unwrap()[0];
    while jiff::Timestamp::now().as_millisecond() <= log.read(second, 1, 10).await.unwrap()[0].appended_at_ms {}
    log.retain(Retention { drop_pending: true, ..retention }).await.unwrap();
    assert_eq!(log.trim(vec![second]).await.unwrap(), 2);
    assert_eq!(log.stats().expired, 2, "what went although it was pending is counted");
}
