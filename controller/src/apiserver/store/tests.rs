//! The store under power cuts, cascades that do not fit one commit, and a disk that fails.

use super::{Cascade, Error, Key, Operation, Outcome, Place, Preconditions, Refused, Store};
use crate::apiserver::resource::Resource;
use futures::FutureExt as _;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use redb::StorageBackend;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A disk whose unsynced writes survive a power cut only by chance, each sector for itself.
#[derive(Clone, Debug, Default)]
struct Disk {
    state: Arc<Mutex<Sectors>>,
    /// The disk says that it synced, and did not.
    lies: Arc<AtomicBool>,
    fails: Arc<AtomicBool>,
    /// Sectors that may still be written for the first time; none if all may. Those that were written before have their
    /// place, as on most file systems.
    room: Arc<Mutex<Option<usize>>>,
    /// Bytes that it says are left, below the low-water mark if not zero.
    low: Arc<AtomicU64>,
    opened: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Sectors {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
    allocated: BTreeSet<usize>,
}

const SECTOR: usize = 512;

impl Disk {
    /// What is on the disk after the power came back.
    fn cut(&self, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let state = self.state.lock().unwrap();
        let mut bytes = state.durable.clone();
        for (offset, data) in &state.unsynced {
            for (index, sector) in data.chunks(SECTOR).enumerate() {
                if random.random_bool(0.5) {
                    let at = offset + index * SECTOR;
                    bytes.resize(bytes.len().max(at + sector.len()), 0);
                    bytes[at..at + sector.len()].copy_from_slice(sector);
                }
            }
        }
        let sectors = Sectors { now: bytes.clone(), durable: bytes, unsynced: Vec::new(), ..Sectors::default() };
        Self { state: Arc::new(Mutex::new(sectors)), ..Self::default() }
    }

    fn refuse(&self) -> io::Result<()> {
        if self.fails.load(Ordering::Relaxed) { Err(io::Error::other("the disk is broken")) } else { Ok(()) }
    }

    fn take_room(&self, sectors: std::ops::Range<usize>) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let new: Vec<usize> = sectors.filter(|sector| !state.allocated.contains(sector)).collect();
        if let Some(room) = &mut *self.room.lock().unwrap() {
            *room = room.checked_sub(new.len()).ok_or(io::ErrorKind::StorageFull)?;
        }
        state.allocated.extend(new);
        Ok(())
    }
}

impl super::Disk for Disk {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(self.clone()))
    }
    fn free_bytes(&self) -> io::Result<u64> {
        let low = self.low.load(Ordering::Relaxed);
        Ok(if low == 0 { u64::MAX } else { low })
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().unwrap().now.len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (state, offset) = (self.state.lock().unwrap(), usize::try_from(offset).unwrap());
        let found = state.now.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.refuse()?;
        let (mut state, len) = (self.state.lock().unwrap(), usize::try_from(len).unwrap());
        state.now.resize(len, 0);
        // The length of a file is metadata of its own; here it lasts at once.
        state.durable.resize(len, 0);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        self.refuse()?;
        if !self.lies.load(Ordering::Relaxed) {
            let mut state = self.state.lock().unwrap();
            state.durable = state.now.clone();
            state.unsynced.clear();
        }
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.refuse()?;
        let offset = usize::try_from(offset).unwrap();
        let end = offset + data.len();
        self.take_room(offset / SECTOR..end.div_ceil(SECTOR))?;
        let mut state = self.state.lock().unwrap();
        let length = state.now.len().max(end);
        state.now.resize(length, 0);
        state.now[offset..end].copy_from_slice(data);
        state.unsynced.push((offset, data.to_vec()));
        Ok(())
    }
}

fn resource(name: &str) -> Resource {
    Resource::by_name(name).unwrap()
}

fn open(disk: &Disk) -> Result<Store, Error> {
    Store::open(Place::Disk(Box::new(disk.clone())))
}

fn config_map(name: &str) -> (Key, Value) {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}")}, "data": {"k": "v".repeat(300)}});
    (Key::new(resource("configmaps"), "default", name), object)
}

fn owned(name: &str, owner: &str) -> (Key, Value) {
    let (key, mut object) = config_map(name);
    object["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": format!("uid-{owner}"), "blockOwnerDeletion": true}]);
    (key, object)
}

async fn create(store: &Store, (key, object): (Key, Value)) -> Result<Outcome, Refused> {
    store.submit(Operation::Create(key, object)).await
}

async fn namespace(store: &Store) {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "uid": "ns"}});
    store.submit(Operation::Create(Key::new(resource("namespaces"), "", "default"), object)).await.unwrap();
}

async fn delete(store: &Store, key: Key, cascade: Cascade) -> Result<Outcome, Refused> {
    store.submit(Operation::Delete { key, preconditions: Preconditions::default(), cascade }).await
}

fn names(store: &Store) -> Vec<String> {
    let mut names = Vec::new();
    let visit = |key: Key, _: &[u8]| {
        names.push(key.name);
        std::ops::ControlFlow::Continue(())
    };
    store.snapshot().unwrap().visit(resource("configmaps"), None, None, visit).unwrap();
    names
}

/// What the disk does when it is told to sync.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syncs {
    Done,
    /// Only said to be done.
    Faked,
}

/// Writes until `seed` says that the power goes; answers whether every acknowledged object is there afterwards.
async fn survives(seed: u64, syncs: Syncs) -> bool {
    let mut random = StdRng::seed_from_u64(seed);
    let disk = Disk::default();
    let store = open(&disk).unwrap();
    namespace(&store).await;
    disk.lies.store(syncs == Syncs::Faked, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for round in 0..random.random_range(2..6) {
        let names: Vec<_> = (0..random.random_range(1..8)).map(|index| format!("c{round}-{index}")).collect();
        let writes = names.iter().map(|name| create(&store, config_map(name)));
        for result in futures::future::join_all(writes).await {
            result.unwrap();
        }
        acknowledged.extend(names);
    }
    let after = disk.cut(seed);
    // A file that nothing was synced to may be damaged so badly that opening it panics: lost, too.
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| open(&after)));
    let Ok(Ok(store)) = opened else { return false };
    let there = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| names(&store))).unwrap_or_default();
    acknowledged.iter().all(|name| there.contains(name))
}

#[tokio::test]
async fn acknowledged_objects_survive_power_cuts() {
    for seed in 0..40 {
        assert!(survives(seed, Syncs::Done).await, "seed {seed}");
    }
}

#[tokio::test]
async fn without_syncs_they_do_not() {
    let mut lost = 0;
    for seed in 0..20 {
        lost += usize::from(!survives(seed, Syncs::Faked).await);
    }
    assert!(lost >= 19, "only {lost} of 20 power cuts lost something: the test above proves nothing");
}

#[tokio::test]
async fn a_failed_write_makes_the_store_read_only() {
    let disk = Disk::default();
    let store = open(&disk).unwrap();
    namespace(&store).await;
    create(&store, config_map("before")).await.unwrap();
    disk.fails.store(true, Ordering::Relaxed);
    assert!(matches!(create(&store, config_map("during")).await, Err(Refused::Unavailable(_))));
    disk.fails.store(false, Ordering::Relaxed);
    let after = create(&store, config_map("after")).await;
    assert!(matches!(after, Err(Refused::Unavailable(Error::ReadOnly(_)))), "{after:?}");
    assert!(store.failed().now_or_never().is_some_and(|reason| reason.contains("the disk is broken")));
}

/// Wherever in a commit the room ends: what was acknowledged is there and can be read at once, what was refused is not,
/// and the store goes on when there is room.
#[tokio::test]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let mut refused = 0;
    for sectors in 0..150 {
        let disk = Disk::default();
        let store = open(&disk).unwrap();
        namespace(&store).await;
        create(&store, config_map("before")).await.unwrap();
        *disk.room.lock().unwrap() = Some(sectors);
        let mut expected = vec!["before".to_owned()];
        let mut reopened = 0;
        for index in 0..8 {
            let name = format!("c{index}");
            match create(&store, config_map(&name)).await {
                Ok(_) => expected.push(name),
                Err(Refused::Unavailable(Error::Full { .. })) => {
                    reopened += 1;
                    assert_eq!(disk.opened.load(Ordering::Relaxed), 1 + reopened, "{sectors} sectors: at once");
                }
                Err(other) => panic!("{sectors} sectors: {other}"),
            }
            let mut known = expected.clone();
            known.sort();
            assert_eq!(names(&store), known, "{sectors} sectors");
            assert_eq!(store.snapshot().unwrap().version, *store.published().borrow(), "{sectors} sectors");
        }
        assert_eq!(store.failed().now_or_never(), None);
        refused += reopened;
        *disk.room.lock().unwrap() = None;
        create(&store, config_map("after")).await.unwrap();
        expected.push("after".to_owned());
        expected.sort();
        drop(store);
        assert_eq!(names(&open(&disk.cut(sectors as u64)).unwrap()), expected, "{sectors} sectors");
    }
    assert!(refused > 100, "{refused} writes met the full disk");
}

#[tokio::test]
async fn below_the_low_water_mark_nothing_is_begun() {
    let disk = Disk::default();
    let store = open(&disk).unwrap();
    namespace(&store).await;
    disk.low.store(fnctl_config::limits::API_FREE_BYTES_MIN - 1, Ordering::Relaxed);
    let length = disk.state.lock().unwrap().unsynced.len();
    let full = create(&store, config_map("refused")).await;
    assert!(matches!(full, Err(Refused::Unavailable(Error::Full { .. }))), "{full:?}");
    assert_eq!(disk.state.lock().unwrap().unsynced.len(), length);
    disk.low.store(0, Ordering::Relaxed);
    create(&store, config_map("after")).await.unwrap();
    assert_eq!(names(&store), ["after"]);
}

#[tokio::test]
async fn a_cascade_larger_than_a_commit_goes_on_in_the_next() {
    let store = open(&Disk::default()).unwrap();
    namespace(&store).await;
    create(&store, config_map("owner")).await.unwrap();
    let count = fnctl_config::limits::API_CASCADE_WRITES_MAX + 100;
    for chunk in (0..count).collect::<Vec<_>>().chunks(500) {
        let writes = chunk.iter().map(|index| create(&store, owned(&format!("d{index}"), "owner")));
        futures::future::join_all(writes).await;
    }
    let mut published = store.published();
    delete(&store, config_map("owner").0, Cascade::Background).await.unwrap();
    while !names(&store).is_empty() {
        published.changed().await.unwrap();
    }
}

#[tokio::test]
async fn cascades() {
    let store = open(&Disk::default()).unwrap();
    namespace(&store).await;
    for (cascade, left) in [
        (Cascade::Background, vec!["other"]),
        (Cascade::Foreground, vec!["other"]),
        (Cascade::Orphan, vec!["child", "grandchild", "other"]),
    ] {
        create(&store, config_map("owner")).await.unwrap();
        create(&store, owned("child", "owner")).await.unwrap();
        create(&store, owned("grandchild", "child")).await.unwrap();
        create(&store, config_map("other")).await.unwrap();
        delete(&store, config_map("owner").0, cascade).await.unwrap();
        assert_eq!(names(&store), left, "{cascade:?}");
        delete(&store, config_map("other").0, Cascade::Background).await.unwrap();
    }
}

#[tokio::test]
async fn an_orphan_from_birth_goes_and_a_second_owner_holds() {
    let store = open(&Disk::default()).unwrap();
    namespace(&store).await;
    create(&store, owned("orphan", "nobody")).await.unwrap();
    assert!(names(&store).is_empty());
    create(&store, config_map("a")).await.unwrap();
    create(&store, config_map("b")).await.unwrap();
    let (key, mut child) = owned("child", "a");
    let second = owned("child", "b").1["metadata"]["ownerReferences"][0].clone();
    child["metadata"]["ownerReferences"].as_array_mut().unwrap().push(second);
    create(&store, (key, child)).await.unwrap();
    delete(&store, config_map("a").0, Cascade::Background).await.unwrap();
    assert_eq!(names(&store), ["b", "child"]);
    delete(&store, config_map("b").0, Cascade::Background).await.unwrap();
    assert!(names(&store).is_empty());
}

#[tokio::test]
async fn a_namespace_waits_for_finalizers_of_its_content() {
    let store = open(&Disk::default()).unwrap();
    namespace(&store).await;
    let (key, mut held) = config_map("held");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    create(&store, (key.clone(), held)).await.unwrap();
    create(&store, config_map("free")).await.unwrap();
    let namespace = Key::new(resource("namespaces"), "", "default");
    assert!(matches!(delete(&store, namespace.clone(), Cascade::Background).await.unwrap(), Outcome::Stored(_)));
    assert_eq!(names(&store), ["held"]);
    assert!(matches!(create(&store, config_map("late")).await, Err(Refused::Terminating)));
    let stored = store.snapshot().unwrap().get(&key).unwrap().unwrap();
    let mut object: Value = serde_json::from_slice(&stored.bytes).unwrap();
    object["metadata"]["finalizers"].take();
    store.submit(Operation::Update(key, stored.version, object)).await.unwrap();
    assert!(store.snapshot().unwrap().get(&namespace).unwrap().is_none());
}

#[tokio::test]
async fn of_two_writes_from_one_version_the_second_is_refused() {
    let store = open(&Disk::default()).unwrap();
    namespace(&store).await;
    let (key, object) = config_map("a");
    create(&store, (key.clone(), object.clone())).await.unwrap();
    let version = store.snapshot().unwrap().get(&key).unwrap().unwrap().version;
    let update = || store.submit(Operation::Update(key.clone(), version, object.clone()));
    let (first, second) = futures::future::join(update(), update()).await;
    assert!(first.is_ok() && matches!(second, Err(Refused::Conflict)), "{first:?} {second:?}");
    let preconditions = Preconditions { uid: None, version: Some(version.to_string()) };
    let gone = store.submit(Operation::Delete { key, preconditions, cascade: Cascade::Background }).await;
    assert!(matches!(gone, Err(Refused::Conflict)));
}
