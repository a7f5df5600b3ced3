use super::*;
use crate::deliver::answer::Remark;
use crate::vfs::simulated::Simulated;
use bytes::Bytes;
use std::path::PathBuf;

fn at(offset: u64) -> Position {
    format!("0:{offset}").parse().unwrap()
}

fn exact(value: &str) -> Filter {
    Filter::Exact { attribute: "type".to_owned(), value: value.to_owned() }
}

fn retry(offset: u64, attempts: u32) -> Retry {
    let history = History { attempts, error: "503".to_owned(), ..History::default() };
    Retry { position: at(offset), history, next_at_ms: 5, kept: Kept::Log }
}

fn copied(offset: u64, attempts: u32) -> Retry {
    Retry { kept: Kept::Copy, ..retry(offset, attempts) }
}

#[test]
fn a_cursor_belongs_to_its_epoch() {
    let state = State::in_memory().unwrap();
    let first = state.take("t", "b", &[at(7)]).unwrap();
    assert_eq!((first.epoch, first.cursor.low()), (1, vec![at(7)]));
    let mut cursor = first.cursor;
    cursor.done(at(7));
    let save = CursorSave { trigger: "t".to_owned(), epoch: 1, cursor: cursor.clone() };
    assert!(state.flush(std::slice::from_ref(&save), &[]).unwrap().is_empty());
    let second = state.take("t", "b", &[at(99)]).unwrap();
    assert_eq!((second.epoch, &second.cursor), (2, &cursor), "a known trigger goes on where it was");
    assert_eq!(state.flush(&[save], &[]).unwrap(), ["t"], "the old owner saves nothing any more");
    state.save_retries("t", &[retry(8, 1)]).unwrap();
    let moved = state.take("t", "another", &[at(3)]).unwrap();
    assert_eq!((moved.cursor.low(), moved.epoch), (vec![at(3)], 3), "another log is another begin");
    assert!(state.retries("t").unwrap().is_empty());
}

#[test]
fn retries_are_kept_by_trigger_until_they_are_settled() {
    let state = State::in_memory().unwrap();
    state.save_retries("a", &[retry(300, 1), retry(2, 1)]).unwrap();
    state.save_retries("a", &[retry(300, 2)]).unwrap();
    state.save_retries("ab", &[retry(5, 1)]).unwrap();
    assert_eq!(state.retries("a").unwrap(), [retry(2, 1), retry(300, 2)]);
    state.flush(&[], &[("a".to_owned(), at(2)), ("a".to_owned(), at(77))]).unwrap();
    assert_eq!(state.retries("a").unwrap(), [retry(300, 2)]);
    assert_eq!(state.retries("ab").unwrap().len(), 1);
}

#[test]
fn copies_are_kept_with_their_attempts_until_they_are_settled() {
    let state = State::in_memory().unwrap();
    let event = Bytes::from_static(b"event");
    let history = History {
        attempts: 4,
        dead_letter: Some(1),
        status: Some(200),
        code: Some(502),
        remark: Remark::InvalidReply,
        error: "no id".to_owned(),
        data: "eA==".to_owned(),
    };
    let whole = Retry { history, ..copied(300, 0) };
    state.save_copy("a", &whole, &event, 99).unwrap();
    state.save_retries("a", &[retry(2, 1)]).unwrap();
    assert_eq!(state.copy("a", at(300)).unwrap(), Some((whole.clone(), event.clone())));
    assert_eq!(state.copy("a", at(2)).unwrap(), None, "the log has it");
    assert_eq!((state.copy("b", at(300)).unwrap(), state.retry("b", at(300)).unwrap()), (None, None));
    assert_eq!(state.retry("a", at(2)).unwrap(), Some(retry(2, 1)));
    assert_eq!(state.retries("a").unwrap(), [retry(2, 1), whole]);
    state.save_retries("a", &[copied(300, 5)]).unwrap();
    assert_eq!(state.copy("a", at(300)).unwrap(), Some((copied(300, 5), event)), "the copy stays");
    state.flush(&[], &[("a".to_owned(), at(300)), ("b".to_owned(), at(2))]).unwrap();
    assert_eq!((state.copy("a", at(300)).unwrap(), state.retries("a").unwrap()), (None, vec![retry(2, 1)]));
}

#[test]
fn copies_are_bounded_in_bytes() {
    let state = State::in_memory().unwrap();
    let save = |trigger: &str, offset, length| {
        state.save_copy(trigger, &copied(offset, 1), &Bytes::from(vec![b'x'; length]), 10)
    };
    let full = |saved: Result<(), StateError>| matches!(saved, Err(StateError::RetriesFull { bytes_max: 10 }));
    state.take("a", "broker", &[at(0)]).unwrap();
    save("a", 1, 6).unwrap();
    assert!(full(save("b", 2, 5)));
    assert_eq!((state.retry("b", at(2)).unwrap(), state.copy("b", at(2)).unwrap()), (None, None), "nothing is saved");
    save("b", 2, 4).unwrap();
    save("b", 2, 3).expect("in the place of the one before");
    assert!(full(save("b", 3, 2)));
    save("b", 3, 1).unwrap();
    state.flush(&[], &[("b".to_owned(), at(3))]).unwrap();
    save("b", 4, 1).expect("a settled one makes room");
    state.take("a", "another broker", &[at(0)]).unwrap();
    assert_eq!(state.copy("a", at(1)).unwrap(), None);
    save("b", 5, 6).expect("those of another log are gone");
    state.take("b", "broker", &[at(0)]).unwrap();
    state.forget("broker").unwrap();
    save("c", 6, 10).expect("so are those of a broker that is gone");
}

/// A file of the format before knows no copies, and what it has is kept.
#[test]
fn a_file_of_the_format_before_is_brought_up() {
    let disk = Simulated::new(1);
    let vfs: Arc<dyn Vfs> = Arc::new(disk);
    let open = || State::open(&vfs, Path::new("/state.redb")).unwrap();
    let state = open();
    let old = r#"{"position":"0:7","attempts":2,"next_at_ms":5,"last_error":"503"}"#;
    state
        .write(|transaction| {
            let retries = TableDefinition::<(&str, [u8; 12]), &[u8]>::new("retries");
            transaction.delete_table(TableDefinition::<(&str, [u8; 12]), &[u8]>::new("retry_copies"))?;
            transaction.delete_table(TableDefinition::<(), u64>::new("retry_bytes"))?;
            transaction.open_table(retries)?.insert(("t", at(7).to_key()), old.as_bytes())?;
            transaction.open_table(META)?.insert("format", 1)?;
            Ok(())
        })
        .unwrap();
    drop(state);
    let state = open();
    assert_eq!(state.copy("t", at(7)).unwrap(), None);
    assert_eq!((state.format().unwrap(), state.retries("t").unwrap()), (Some(FORMAT), vec![retry(7, 2)]));
}

#[test]
fn generations_tell_which_filter_decided() {
    let state = State::in_memory().unwrap();
    let generation =
        |generation, offset, value| Generation { generation, from: vec![at(offset)], filter: exact(value) };
    assert!(matches!(state.begin_generation("t", generation(1, 0, "a")), Err(StateError::Unknown(_))));
    state.take("t", "b", &[at(5)]).unwrap();
    for (number, offset, value) in [(1, 5, "a"), (1, 9, "ignored"), (3, 20, "b")] {
        state.begin_generation("t", generation(number, offset, value)).unwrap();
    }
    let record = state.trigger("t").unwrap().unwrap();
    for (offset, expected) in [(4, None), (5, Some(1)), (19, Some(1)), (20, Some(3)), (1_000, Some(3))] {
        assert_eq!(record.generation_at(at(offset)).map(|found| found.generation), expected, "{offset}");
    }
    for number in 4..200 {
        state.begin_generation("t", generation(number, 20, "c")).unwrap();
    }
    assert_eq!(state.trigger("t").unwrap().unwrap().generations.len(), limits::TRIGGER_GENERATIONS_MAX);
}

#[test]
fn a_deleted_trigger_is_kept_for_its_grace() {
    let state = State::in_memory().unwrap();
    for trigger in ["a", "b", "c"] {
        state.take(trigger, "x", &[at(0)]).unwrap();
        state.save_retries(trigger, &[retry(1, 1)]).unwrap();
    }
    state.bury("a", 10).unwrap();
    state.bury("a", 99).unwrap();
    state.bury("b", 50).unwrap();
    state.take("b", "x", &[at(0)]).unwrap();
    assert_eq!(state.purge(10).unwrap(), [""; 0], "not before its time");
    assert_eq!(state.purge(1_000).unwrap(), ["a"], "one that came back stays");
    let left: Vec<String> = state.triggers().unwrap().into_iter().map(|(uid, _)| uid).collect();
    assert_eq!(left, ["b", "c"]);
    assert!(state.retries("a").unwrap().is_empty());
}

#[test]
fn what_was_saved_survives_power_cuts() {
    for seed in 0..20 {
        let disk = Simulated::new(seed);
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        let path = PathBuf::from("/state.redb");
        let mut saved = 0;
        for life in 0..4u64 {
            disk.fail(disk.calls() + 40 + seed * 3 + life * 11, crate::vfs::simulated::Fault::PowerCut);
            for attempt in saved + 1..saved + 30 {
                let Ok(state) = State::open(&vfs, &path) else { break };
                if state.save_retries("t", &[retry(1, attempt)]).is_err() {
                    break;
                }
                saved = attempt;
            }
            disk.crash();
            let state = State::open(&vfs, &path).unwrap();
            let found = state.retries("t").unwrap().first().map_or(0, |retry| retry.history.attempts);
            assert!(found == saved || found == saved + 1, "seed {seed}: saved {saved}, found {found}");
            saved = found;
        }
    }
}

/// Wherever the room ends: what was saved is there and can be read at once, and saving goes on when there is room.
#[test]
fn a_full_disk_refuses_saves_and_nothing_else() {
    let (mut full, mut failed) = (0, 0);
    for call in 1..120 {
        let disk = Simulated::new(call);
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        let state = State::open(&vfs, &PathBuf::from("/state.redb")).unwrap();
        disk.fail(disk.calls() + call, crate::vfs::simulated::Fault::NoSpace);
        let mut saved = 0;
        for attempt in 1..20 {
            match state.save_retries("t", &[retry(1, attempt)]) {
                Ok(()) => saved = attempt,
                Err(StateError::Full) => full += 1,
                // A sync that failed: nobody knows what is on disk.
                Err(StateError::Failed(reason)) => {
                    assert_eq!(state.failure(), Some(reason));
                    failed += 1;
                    break;
                }
                Err(other) => panic!("call {call}: {other}"),
            }
            let found = state.retries("t").unwrap().first().map_or(0, |retry| retry.history.attempts);
            assert_eq!(found, saved, "call {call}");
        }
        if state.failure().is_none() {
            assert_eq!(saved, 19, "call {call}: saving goes on");
        }
        drop(state);
        disk.crash();
        let state = State::open(&vfs, &PathBuf::from("/state.redb")).unwrap();
        let found = state.retries("t").unwrap().first().map_or(0, |retry| retry.history.attempts);
        assert!(found == saved || state.failure().is_none() && found == saved + 1, "call {call}: {saved} {found}");
    }
    assert!(full > 30 && failed > 10, "{full} full, {failed} failed");
}
