use super::*;
use crate::vfs::simulated::Simulated;
use fnctl_config::limits;

const DIRECTORY: &str = "/ledger";

fn at(offset: u64) -> Position {
    format!("0:{offset}").parse().unwrap()
}

fn outcome(offset: u64, trigger: &str, attempt: u32) -> Outcome {
    Outcome {
        position: at(offset),
        trigger: trigger.to_owned(),
        verdict: if attempt == 3 { Verdict::Parked } else { Verdict::Retrying },
        attempt,
        status: (attempt != 2).then_some(503),
        duration_ms: 12,
        waited_ms: 3,
        instance: (attempt != 2).then(|| format!("{trigger}-00001")),
        remark: if attempt == 2 { Remark::Unanswered } else { Remark::Status },
        reply: [Replied::Nothing, Replied::Published(at(offset + 1)), Replied::Withheld][attempt as usize % 3],
        before: if attempt == 1 { Before::Unknown } else { Before::Known },
        at_ms: 1_700_000_000_000,
    }
}

fn open(disk: &Simulated) -> (Arc<dyn Vfs>, Ledger) {
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let ledger = Ledger::open(&vfs, Path::new(DIRECTORY)).unwrap();
    (vfs, ledger)
}

#[test]
fn outcomes_are_found_before_and_after_a_flush_and_a_restart() {
    let disk = Simulated::new(1);
    let (_, ledger) = open(&disk);
    let story = [outcome(5, "t", 1), outcome(6, "u", 1), outcome(5, "t", 2), outcome(5, "t", 3)];
    story.iter().for_each(|outcome| ledger.record(outcome).unwrap());
    let of_five: Vec<Outcome> = story.iter().filter(|outcome| outcome.position == at(5)).cloned().collect();
    assert_eq!(ledger.outcomes(at(5)).unwrap(), of_five);
    ledger.flush().unwrap();
    assert_eq!(ledger.outcomes(at(5)).unwrap(), of_five);
    disk.kill();
    let (_, ledger) = open(&disk);
    assert_eq!(ledger.outcomes(at(5)).unwrap(), of_five);
    assert_eq!(ledger.outcomes(at(7)).unwrap(), []);
    ledger.record(&outcome(5, "v", 1)).unwrap();
    assert_eq!(ledger.outcomes(at(5)).unwrap().len(), 4);
}

#[test]
fn a_power_cut_costs_records_and_never_makes_any_up() {
    for seed in 0..50 {
        let disk = Simulated::new(seed);
        let mut recorded = Vec::new();
        for life in 0..3 {
            let (_, ledger) = open(&disk);
            for offset in life * 100..life * 100 + 60 {
                let outcome = outcome(offset, if offset % 2 == 0 { "even" } else { "odd" }, 1);
                ledger.record(&outcome).unwrap();
                recorded.push(outcome);
            }
            ledger.flush().unwrap();
            disk.crash();
        }
        let (_, ledger) = open(&disk);
        for offset in 0..300 {
            for found in ledger.outcomes(at(offset)).unwrap() {
                assert!(recorded.contains(&found), "seed {seed}: {found:?}");
            }
        }
    }
}

#[test]
fn events_are_found_by_id_and_source() {
    let disk = Simulated::new(2);
    let (_, ledger) = open(&disk);
    let count = limits::LEDGER_IDENTITIES as u64 + 10;
    for offset in 0..count {
        ledger.identify(at(offset), &format!("source-{}", offset % 2), &(offset / 2).to_string()).unwrap();
    }
    ledger.identify(at(3), "late", "late").unwrap();
    assert_eq!(ledger.find(None, "late").unwrap(), [], "a position is named once");
    for ledger in [ledger, {
        disk.kill();
        open(&disk).1
    }] {
        let end = ledger.identified();
        assert_eq!(end, [at(limits::LEDGER_IDENTITIES as u64)], "from here on the log is to be read again");
        assert_eq!(ledger.find(Some("source-1"), "7").unwrap(), [at(15)]);
        assert_eq!(ledger.find(None, "7").unwrap(), [at(14), at(15)]);
        assert_eq!(ledger.find(Some("source-3"), "7").unwrap(), []);
    }
}

#[test]
fn old_files_go_with_the_log() {
    let disk = Simulated::new(3);
    let (vfs, ledger) = open(&disk);
    let count = limits::LEDGER_FILE_RECORDS as u64 + 5;
    for offset in 0..count {
        ledger.record(&outcome(offset, "t", 1)).unwrap();
    }
    ledger.flush().unwrap();
    let files = || vfs.list(Path::new(DIRECTORY)).unwrap().iter().filter(|name| name.ends_with(".outcomes")).count();
    assert_eq!(files(), 2);
    ledger.trim(&[at(count - 6)]).unwrap();
    assert_eq!(files(), 2, "its last record is still retained");
    ledger.trim(&[at(count)]).unwrap();
    assert_eq!(files(), 1);
    assert_eq!(ledger.outcomes(at(count - 1)).unwrap().len(), 1);
}

#[test]
fn a_disk_that_takes_nothing_costs_outcomes_and_no_memory() {
    let disk = Simulated::new(4);
    let (_, ledger) = open(&disk);
    ledger.record(&outcome(0, "t", 1)).unwrap();
    ledger.flush().unwrap();
    disk.set_capacity(0);
    let taken = (1..2 * limits::LEDGER_BUFFER as u64).filter(|&offset| ledger.record(&outcome(offset, "t", 1)).is_ok());
    assert_eq!(taken.count(), limits::LEDGER_BUFFER);
    disk.set_capacity(1 << 30);
    ledger.record(&outcome(7, "t", 2)).unwrap();
    assert_eq!(ledger.outcomes(at(7)).unwrap().len(), 2);
}

#[test]
fn identities_that_could_not_be_written_are_not_forgotten() {
    let disk = Simulated::new(5);
    let (_, ledger) = open(&disk);
    disk.set_capacity(0);
    let refused = (0..limits::LEDGER_IDENTITIES as u64 + 3)
        .filter(|&offset| ledger.identify(at(offset), "s", &offset.to_string()).is_err());
    assert_eq!(refused.count(), 4);
    assert_eq!(ledger.find(Some("s"), "7").unwrap(), [at(7)]);
    disk.set_capacity(1 << 30);
    let last = limits::LEDGER_IDENTITIES as u64 + 3;
    ledger.identify(at(last), "s", "last").unwrap();
    assert_eq!(ledger.identified(), [at(last + 1)]);
    assert_eq!(ledger.find(Some("s"), "7").unwrap(), [at(7)]);
}

#[test]
fn the_oldest_outcomes_go_at_the_limit_of_files() {
    let disk = Simulated::new(6);
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    vfs.create_directory(Path::new(DIRECTORY)).unwrap();
    // Full files, made without writing each of their records.
    for number in 0..limits::LEDGER_FILES_MAX as u64 {
        vfs.create(&Path::new(DIRECTORY).join(format!("{number:012}.outcomes"))).unwrap();
    }
    let (_, ledger) = open(&disk);
    let files = || vfs.list(Path::new(DIRECTORY)).unwrap().into_iter().filter(|name| name.ends_with(".outcomes"));
    for offset in 0..limits::LEDGER_FILE_RECORDS as u64 + 1 {
        ledger.record(&outcome(offset, "t", 1)).unwrap();
    }
    ledger.flush().unwrap();
    let names: Vec<String> = files().collect();
    assert_eq!(names.len(), limits::LEDGER_FILES_MAX);
    assert_eq!(
        (names[0].as_str(), names[names.len() - 1].as_str()),
        ("000000000001.outcomes", "000000000064.outcomes")
    );
    assert_eq!(ledger.outcomes(at(0)).unwrap().len(), 1);
}
