//! Seeded power cuts: what was answered is there, with exactly one record; what was not shows once or not at all.

use super::tests::{body, changes, object, options};
use super::*;
use crate::log::segment::simulation::Unsynced;
use crate::vfs::simulated::{Fault, Simulated};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

const SEEDS: u64 = 150;
const CONTROL_SEEDS: u64 = 40;

/// The bytes of a write, or none for a delete, and whether it was answered.
type Asked = (Option<Vec<u8>>, bool);

/// What clients know.
#[derive(Default)]
struct Model {
    /// By key, in the order they were asked for; each key has one writer.
    writes: BTreeMap<String, Vec<Asked>>,
    answered: Vec<u64>,
    cuts: u32,
}

fn at(vfs: &Arc<dyn Vfs>, disk: &Simulated) -> Options {
    Options { vfs: Arc::clone(vfs), ..options(disk) }
}

/// Writes of four clients, each to its own keys, until the power goes.
async fn work(buckets: &Buckets, random: &mut StdRng, model: &mut Model) {
    for round in 0..random.random_range(1..5_u32) {
        let asked: Vec<(String, Option<Vec<u8>>)> = (0..4)
            .map(|client| {
                let key = format!("{client}/{}", random.random_range(0..2_u32));
                let bytes = format!("{round} {}", random.random::<u64>()).into_bytes();
                (key, random.random_bool(0.75).then_some(bytes))
            })
            .collect();
        let writes = asked.iter().map(|(key, bytes)| async move {
            match bytes {
                Some(bytes) => buckets.put(object(key), body(bytes)).await.map(|meta| Some(meta.sequencer)),
                None => buckets.delete("bucket", key, Origin::new("tester", "")).await.map(|()| None),
            }
        });
        let ended = futures::future::join_all(writes).await;
        for ((key, bytes), ended) in asked.into_iter().zip(ended) {
            model.cuts += u32::from(ended.is_err());
            model.answered.extend(ended.iter().copied().flatten());
            model.writes.entry(key).or_default().push((bytes, ended.is_ok()));
        }
    }
}

/// Why the store is not what it promised.
async fn check(buckets: &Buckets, model: &Model) -> Result<(), String> {
    let records = changes(buckets).await.map_err(|error| error.to_string())?;
    let mut sequencers: Vec<u64> = records.iter().map(|change| change.sequencer).collect();
    if let Some(lost) = model.answered.iter().find(|answered| !sequencers.contains(answered)) {
        return Err(format!("write {lost} was answered and has no record"));
    }
    let count = sequencers.len();
    sequencers.dedup();
    if sequencers.len() != count || !sequencers.is_sorted() {
        return Err(format!("records are repeated or out of order: {sequencers:?}"));
    }
    for (key, writes) in &model.writes {
        let seen = match buckets.get("bucket", key, |meta| Ok::<_, Error>(0..meta.size)).await {
            Ok((meta, content)) => {
                let chunks: Vec<_> = futures::StreamExt::collect(content).await;
                let chunks: Result<Vec<Bytes>, _> = chunks.into_iter().collect();
                Some((meta, chunks.map_err(|error| error.to_string())?.concat()))
            }
            Err(Error::NoObject { .. }) => None,
            Err(error) => return Err(format!("{key}: {error}")),
        };
        // Each object is what its last record says.
        let last = records.iter().rfind(|change| change.key == *key);
        let told = last.filter(|change| change.action != Action::Delete).map(|change| change.sequencer);
        if told != seen.as_ref().map(|(meta, _)| meta.sequencer) {
            return Err(format!("{key} is {seen:?}, its last record says {last:?}"));
        }
        // It is the last answered write, or an unanswered one after that.
        let answered = writes.iter().rposition(|(_, answered)| *answered);
        let bytes = seen.map(|(_, bytes)| bytes);
        let before = answered.is_none().then_some(&None);
        if !writes[answered.unwrap_or(0)..].iter().map(|(bytes, _)| bytes).chain(before).any(|one| *one == bytes) {
            return Err(format!("{key} is {bytes:?} after {writes:?}"));
        }
    }
    Ok(())
}

/// One life of a store with several power cuts.
async fn live(seed: u64, disk: Simulated, vfs: Arc<dyn Vfs>) -> Result<u32, String> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut model = Model::default();
    for _ in 0..3 {
        let opened = Buckets::open(at(&vfs, &disk)).await;
        let buckets = opened.map_err(|error| format!("no start: {error:?}"))?;
        buckets.ensure("bucket").await.map_err(|error| error.to_string())?;
        check(&buckets, &model).await?;
        disk.fail(disk.calls() + random.random_range(1..250_u64), Fault::PowerCut);
        work(&buckets, &mut random, &mut model).await;
        drop(buckets);
        disk.heal();
        disk.crash();
        if random.random_bool(0.3) {
            // The next start is cut off too.
            disk.fail(disk.calls() + random.random_range(1..80_u64), Fault::PowerCut);
            drop(Buckets::open(at(&vfs, &disk)).await);
            disk.heal();
            disk.crash();
        }
    }
    let buckets = Buckets::open(at(&vfs, &disk)).await.map_err(|error| format!("no start: {error:?}"))?;
    check(&buckets, &model).await?;
    Ok(model.cuts)
}

#[tokio::test]
async fn power_cuts_lose_no_answered_write_and_no_record() {
    let mut cuts = 0;
    for seed in 0..SEEDS {
        let disk = Simulated::new(seed);
        cuts += live(seed, disk.clone(), Arc::new(disk)).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    assert!(cuts > 50, "only {cuts} writes were cut off");
}

#[tokio::test]
async fn without_syncs_they_do() {
    let mut failed = 0;
    for seed in 0..CONTROL_SEEDS {
        let disk = Simulated::new(seed);
        failed += u64::from(live(seed, disk.clone(), Arc::new(Unsynced(disk))).await.is_err());
    }
    assert!(failed * 100 >= CONTROL_SEEDS * 90, "only {failed} of {CONTROL_SEEDS} lives without syncs failed");
}
