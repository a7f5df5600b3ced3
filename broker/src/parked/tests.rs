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
    let parked = Parked::new(&State::in_memory().unwrap());
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
    assert_eq!(back[0].to_string().parse::<ParkedId>(), Ok(back[0]));
    assert!("parked-x".parse::<ParkedId>().is_err());
}
