use super::*;

fn entry(trigger: &str, offset: u64, reason: Reason) -> Entry {
    Entry {
        broker: "b".to_owned(),
        trigger: trigger.to_owned(),
        position: format!("0:{offset}").parse().unwrap(),
        reason,
        status: Some(503),
        attempts: 4,
        last_error: "the subscriber answered 503".to_owned(),
        parked_at_ms: 17,
    }
}

#[test]
fn parked_once_listed_in_pages_and_removed() {
    let parked = Parked::new(&State::in_memory().unwrap(), 1 << 20);
    let event = |text: &'static str| Bytes::from_static(text.as_bytes());
    let ids = parked
        .park(&[(entry("t", 1, Reason::Exhausted), event("one")), (entry("u", 1, Reason::Refused), event("two"))]);
    let ids = ids.unwrap();
    let again = parked
        .park(&[(entry("t", 1, Reason::Refused), event("other")), (entry("t", 2, Reason::Refused), event("three"))]);
    let again = again.unwrap();
    assert_eq!(again[0], ids[0], "a redelivery parks nothing twice");
    assert_eq!(parked.count().unwrap(), 3);
    assert_eq!(parked.get(ids[0]).unwrap().unwrap(), (entry("t", 1, Reason::Exhausted), event("one")));
    let list = |query: Query, limit| -> Vec<ParkedId> {
        parked.list(&query, limit).unwrap().into_iter().map(|(id, _)| id).collect()
    };
    let of_t = Query { trigger: Some("t".to_owned()), ..Query::default() };
    assert_eq!(list(of_t.clone(), 1), [ids[0]]);
    assert_eq!(list(Query { after: Some(ids[0]), ..of_t }, 5), [again[1]]);
    assert_eq!(list(Query { reason: Some(Reason::Refused), ..Query::default() }, 5), [ids[1], again[1]]);
    assert_eq!(list(Query { broker: Some("x".to_owned()), ..Query::default() }, 5), []);
    assert_eq!(parked.remove(&[ids[0], ids[0]]).unwrap(), 1);
    assert_eq!(parked.get(ids[0]).unwrap(), None);
    let back = parked.park(&[(entry("t", 1, Reason::Exhausted), event("one"))]).unwrap();
    assert!(back[0] > again[1], "a name is not used again");
    parked.remove(&[ids[1], again[1], back[0]]).unwrap();
    let alone = parked.park(&[(entry("t", 9, Reason::Exhausted), event("nine"))]).unwrap();
    assert!(alone[0] > back[0], "nor where the last one is gone");
    assert_eq!(back[0].to_string().parse::<ParkedId>(), Ok(back[0]));
    assert!("parked-x".parse::<ParkedId>().is_err());
}

#[test]
fn a_full_store_parks_nothing_and_loses_nothing() {
    let state = State::in_memory().unwrap();
    let parked = Parked::new(&state, 10);
    let event = |bytes| Bytes::from(vec![7; bytes]);
    let first = parked.park(&[(entry("t", 1, Reason::Exhausted), event(6))]).unwrap()[0];
    let two = [(entry("t", 2, Reason::Refused), event(4)), (entry("t", 3, Reason::Refused), event(1))];
    assert!(matches!(parked.park(&two), Err(StateError::ParkedFull { bytes_max: 10 })));
    assert_eq!(parked.count().unwrap(), 1, "all or none");
    assert_eq!(parked.park(&[(entry("t", 1, Reason::Exhausted), event(6))]).unwrap(), [first], "it is here already");
    parked.park(&two[..1]).unwrap();
    assert!(parked.park(&two[1..]).is_err());
    parked.remove(&[first]).unwrap();
    parked.park(&two[1..]).unwrap();

    // A file that did not note the bytes is counted once.
    let forget = |transaction: &WriteTransaction| Ok(transaction.open_table(BYTES)?.remove(())?.map(drop));
    state.write(forget).unwrap();
    assert!(parked.park(&[(entry("t", 4, Reason::Refused), event(6))]).is_err());
    parked.park(&[(entry("t", 4, Reason::Refused), event(5))]).unwrap();
}
