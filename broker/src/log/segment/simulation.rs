//! Seeded runs of the writer over the simulated disk: power cuts, kills, failing calls, flipped bits.

use super::tests::{keep_nothing, small};
use super::writer::Writer;
use super::*;
use crate::vfs::simulated::{Fault, Simulated};
use crate::vfs::{File, Lock};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::path::PathBuf;

const DIRECTORY: &str = "/log";

/// A file system whose files are never synced, though they say so.
#[derive(Debug)]
pub(crate) struct Unsynced(pub(crate) Simulated);

#[derive(Debug)]
struct UnsyncedFile(Arc<dyn File>);

impl Vfs for Unsynced {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(UnsyncedFile(self.0.create(path)?)))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(UnsyncedFile(self.0.open(path)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.0.list(directory)
    }
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.0.create_directory(directory)
    }
    fn remove_directory(&self, directory: &Path) -> io::Result<()> {
        self.0.remove_directory(directory)
    }
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.0.sync_directory(directory)
    }
    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        self.0.free_bytes(directory)
    }
    fn lock(&self, path: &Path) -> io::Result<Lock> {
        self.0.lock(path)
    }
}

impl File for UnsyncedFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(offset, bytes)
    }
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_length(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }
}

fn start(vfs: &Arc<dyn Vfs>) -> Result<(Writer, Recovery), OpenError> {
    start_with(vfs, small())
}

fn start_with(vfs: &Arc<dyn Vfs>, options: Options) -> Result<(Writer, Recovery), OpenError> {
    let place = recovery::Place { vfs, directory: Path::new(DIRECTORY), broker: "uid" };
    recovery::open(&place, options, keep_nothing())
}

/// Everything that can be read, and what could not.
fn read_all(writer: &Writer) -> (Vec<Stored>, Vec<(u64, u64)>) {
    let (mut all, mut damaged, mut from) = (Vec::new(), Vec::new(), writer.shared.start());
    loop {
        match writer.shared.read_disk(from, 50, 1 << 20) {
            Ok(page) => match page.last() {
                Some(last) => {
                    from = last.position.offset + 1;
                    all.extend(page);
                }
                None => return (all, damaged),
            },
            Err(ReadError::Damaged { from: first, to }) => {
                assert!(first.offset >= from && to.offset > first.offset, "reads go on: {first} {to}");
                damaged.push((first.offset, to.offset));
                from = to.offset;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// What the outside knows of the log.
#[derive(Default)]
struct Model {
    acknowledged: BTreeMap<u64, Bytes>,
    /// Not acknowledged: may be there or not.
    submitted: Vec<Bytes>,
    trimmed: u64,
    /// A reader saw everything before it.
    seen: u64,
    epoch: u64,
    last_ms: i64,
}

/// What a batch of seeds came across.
#[derive(Debug, Default)]
struct Coverage {
    torn: u32,
    rolled: u32,
    trimmed: u32,
    unacknowledged_kept: u32,
    cut_during_start: u32,
    clean: u32,
}

impl Model {
    /// The invariants, after a start.
    fn check(&mut self, writer: &Writer, report: &Recovery, coverage: &mut Coverage) -> Result<(), String> {
        let fail = |what: String| Err(what);
        if report.is_damaged() {
            return fail(format!("damage after a crash: {report:?}"));
        }
        if report.epoch < self.epoch || (!report.clean && report.epoch == self.epoch) {
            return fail(format!("epoch {} after {}", report.epoch, self.epoch));
        }
        self.epoch = report.epoch;
        let (all, damaged) = read_all(writer);
        if !damaged.is_empty() {
            return fail(format!("damaged {damaged:?}"));
        }
        let next = writer.shared.next.borrow()[0].offset;
        if next < self.seen {
            return fail(format!("the log ends at {next}, a reader saw {}", self.seen));
        }
        let read: BTreeMap<u64, &Stored> = all.iter().map(|stored| (stored.position.offset, stored)).collect();
        for (offset, record) in self.acknowledged.range(self.trimmed..) {
            if read.get(offset).is_none_or(|stored| stored.record != record) {
                return fail(format!("acknowledged {offset} is lost"));
            }
        }
        for (offset, stored) in &read {
            if !self.acknowledged.contains_key(offset) {
                if !self.submitted.contains(&stored.record) {
                    return fail(format!("{offset} was never submitted"));
                }
                coverage.unacknowledged_kept += 1;
                self.acknowledged.insert(*offset, stored.record.clone());
            }
        }
        let expected: Vec<u64> = (writer.shared.start()..next).collect();
        if read.keys().copied().collect::<Vec<_>>() != expected {
            return fail(format!("holes: {:?}", read.keys()));
        }
        if !all.is_sorted_by_key(|stored| stored.appended_at_ms) {
            return fail("append times decrease".to_owned());
        }
        self.seen = next;
        self.submitted.clear();
        coverage.torn += u32::from(report.torn_bytes > 0);
        coverage.clean += u32::from(report.clean);
        Ok(())
    }
}

/// Which run, and how long.
#[derive(Clone, Copy)]
struct Seed {
    seed: u64,
    lives: usize,
}

/// One seed: several lives of a log, each ended by a power cut, a kill or an orderly end.
fn run(
    Seed { seed, lives }: Seed,
    disk: &Simulated,
    vfs: &Arc<dyn Vfs>,
    coverage: &mut Coverage,
) -> Result<(), String> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut model = Model::default();
    let mut number = 0u32;
    for _ in 0..lives {
        if random.random_bool(0.3) {
            // The power may go while the log is opened, several times in a row.
            disk.fail(disk.calls() + random.random_range(1..30), Fault::PowerCut);
        }
        let (mut writer, report) = loop {
            match start(vfs) {
                Ok(opened) => break opened,
                Err(OpenError::Io(_) | OpenError::Roll(_)) => {
                    coverage.cut_during_start += 1;
                    disk.crash();
                }
                Err(error) => return Err(error.to_string()),
            }
        };
        disk.heal();
        model.check(&writer, &report, coverage)?;
        if random.random_bool(0.8) {
            disk.fail(disk.calls() + random.random_range(1..60), Fault::PowerCut);
        }
        live(&mut writer, &mut model, (&mut random, &mut number), coverage);
        let orderly = random.random_bool(0.2) && writer.close().is_ok();
        drop(writer);
        if orderly || random.random_bool(0.2) { disk.kill() } else { disk.crash() }
    }
    disk.kill();
    let (writer, report) = start(vfs).map_err(|error| error.to_string())?;
    model.check(&writer, &report, coverage)
}

/// Appends, trims and notes until the power goes or enough is done.
fn live(writer: &mut Writer, model: &mut Model, (random, number): (&mut StdRng, &mut u32), coverage: &mut Coverage) {
    for _ in 0..random.random_range(1..25) {
        let before = writer.manifest.facts.active;
        let now_ms = 1_000 + i64::from(*number) + random.random_range(-50..50);
        match random.random_range(0..10) {
            0 => {
                let keep_from = random.random_range(model.trimmed..=model.seen.max(model.trimmed));
                let trimmed = writer.trim(keep_from, now_ms);
                coverage.trimmed += u32::from(matches!(trimmed, Ok(1..)));
                // A trim that failed may still have been noted.
                model.trimmed = if trimmed.is_ok() { writer.shared.start() } else { keep_from };
            }
            1 => drop(writer.note_durable()),
            _ => {
                let count = random.random_range(1..4);
                let records: Vec<Bytes> = (0..count).map(|_| payload(random, number)).collect();
                match writer.append(&records, now_ms) {
                    Ok(base) => model.acknowledged.extend((base..).zip(records)),
                    Err(_) => model.submitted.extend(records),
                }
                model.last_ms = model.last_ms.max(now_ms);
                model.seen = writer.shared.next.borrow()[0].offset;
            }
        }
        coverage.rolled += u32::from(writer.manifest.facts.active != before);
        if writer.shared.failed.get().is_some() {
            return;
        }
    }
}

fn payload(random: &mut StdRng, number: &mut u32) -> Bytes {
    *number += 1;
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(random.random_range(4..700), u8::try_from(*number % 251).unwrap());
    payload.into()
}

const SEEDS: u64 = 1_000;
/// Power cuts and kills of one seed; the control loses its syncs in the very same runs.
const LIVES: usize = 3;

#[test]
fn a_thousand_seeds_hold() {
    let mut coverage = Coverage::default();
    for seed in 0..SEEDS {
        let disk = Simulated::new(seed);
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        run(Seed { seed, lives: LIVES }, &disk, &vfs, &mut coverage)
            .unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
    let Coverage { torn, rolled, trimmed, unacknowledged_kept, cut_during_start, clean } = coverage;
    let least = [torn, rolled, trimmed, unacknowledged_kept, cut_during_start, clean].into_iter().min();
    assert!(least > Some(20), "each of these must happen often enough: {coverage:?}");
}

#[test]
fn without_the_sync_the_seeds_fail() {
    let failing = (0..SEEDS).filter(|&seed| {
        let disk = Simulated::new(seed);
        let vfs: Arc<dyn Vfs> = Arc::new(Unsynced(disk.clone()));
        run(Seed { seed, lives: LIVES }, &disk, &vfs, &mut Coverage::default()).is_err()
    });
    let failing = failing.count() as u64;
    assert!(failing * 100 >= SEEDS * 95, "{failing} of {SEEDS} seeds noticed that nothing was synced");
}

#[test]
fn an_error_in_any_call_stops_the_log_and_loses_nothing() {
    let mut failed = 0;
    for call in 1..200 {
        let disk = Simulated::new(call);
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        let mut model = Model::default();
        let mut random = StdRng::seed_from_u64(call);
        let mut number = 0;
        disk.fail(call, Fault::Eio);
        if let Ok((mut writer, _)) = start(&vfs) {
            for _ in 0..5 {
                live(&mut writer, &mut model, (&mut random, &mut number), &mut Coverage::default());
            }
            if writer.shared.failed.get().is_some() {
                failed += 1;
                for _ in 0..3 {
                    let again = writer.append(&[Bytes::from_static(b"later")], 0);
                    assert!(matches!(again, Err(AppendError::Failed(_))), "call {call}: {again:?}");
                }
            }
        }
        // First the process dies and reads what the page cache has; then the power goes, too.
        for end in [Simulated::kill, Simulated::crash] {
            end(&disk);
            let (writer, report) = start(&vfs).unwrap();
            let checked = model.check(&writer, &report, &mut Coverage::default());
            checked.unwrap_or_else(|what| panic!("call {call}: {what}"));
        }
    }
    assert!(failed > 100, "{failed} runs met the error while they appended");
}

/// The disk is full again and again, to any byte: nothing that was acknowledged goes, and the log never ends for it. No
/// mark keeps the writes away from the last byte, and with every other seed nobody tells that there is no room.
#[test]
fn a_full_disk_loses_nothing_and_passes() {
    let mut refused = 0;
    for seed in 0..200 {
        let disk = Simulated::new(seed);
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        let mut random = StdRng::seed_from_u64(seed);
        let (mut model, mut number) = (Model::default(), 0);
        let (mut writer, _) = start_with(&vfs, Options { free_bytes_min: 0, ..small() }).unwrap();
        if seed % 2 == 1 {
            disk.claim_free(1 << 30);
        }
        for turn in 0..9 {
            let used: u64 = disk.files().iter().map(|(_, length)| length).sum();
            disk.set_capacity(if turn % 2 == 0 { used + random.random_range(0..4_000) } else { 1 << 30 });
            live(&mut writer, &mut model, (&mut random, &mut number), &mut Coverage::default());
            assert_eq!(writer.shared.failed.get(), None, "seed {seed}");
        }
        refused += model.submitted.len();
        disk.set_capacity(1 << 30);
        let orderly = random.random_bool(0.5) && writer.close().is_ok();
        drop(writer);
        if orderly && random.random_bool(0.5) {
            disk.kill()
        } else {
            disk.crash()
        }
        let (writer, report) = start(&vfs).unwrap();
        let checked = model.check(&writer, &report, &mut Coverage::default());
        checked.unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
    assert!(refused > 1_000, "{refused} records were refused");
}

#[test]
fn every_flipped_bit_is_seen() {
    let mut random = StdRng::seed_from_u64(17);
    for round in 0..40 {
        let disk = Simulated::new(round);
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        let mut number = 0;
        let (mut writer, _) = start(&vfs).unwrap();
        for _ in 0..12 {
            let records: Vec<Bytes> = (0..2).map(|_| payload(&mut random, &mut number)).collect();
            writer.append(&records, 5).unwrap();
        }
        let (before, _) = read_all(&writer);
        writer.close().unwrap();
        drop(writer);
        let files: Vec<(PathBuf, u64)> = disk.files();
        for _ in 0..50 {
            let (path, length) = &files[random.random_range(0..files.len())];
            let bit = random.random_range(0..length * 8);
            let ignored = path.ends_with("manifest") && !(0..512).contains(&(bit / 8 % 4_096));
            if ignored {
                continue;
            }
            let copy = disk.copy();
            assert!(copy.flip_bit(path, bit));
            check_flip(copy, &before, &format!("round {round}, bit {bit} of {}", path.display()));
        }
    }
}

/// Opens the log with one bit turned over: whatever is not read back is reported, and so is the flip itself.
fn check_flip(disk: Simulated, before: &[Stored], what: &str) {
    let vfs: Arc<dyn Vfs> = Arc::new(disk);
    let (writer, report) = start(&vfs).unwrap_or_else(|error| panic!("{what}: {error}"));
    let (after, damaged) = read_all(&writer);
    let verified = writer.shared.verify().unwrap();
    let reported = report.is_damaged() || report.damaged_manifest_slots > 0;
    assert!(reported || !damaged.is_empty() || !verified.is_empty(), "{what} went unnoticed: {report:?}");
    let mut expected = before.to_vec();
    expected.retain(|stored| !damaged.iter().any(|(from, to)| (*from..*to).contains(&stored.position.offset)));
    assert_eq!(after, expected, "{what}: what is not reported as damaged is served");
    let lost = before.len() - expected.len();
    assert!(lost <= 2, "{what}: one flip costs one commit at most, not {lost} records");
}
