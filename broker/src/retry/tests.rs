use super::{Ended, Next, backoff, next};
use fnctl_config::limits::{BACKOFF_MAX, NOT_ADMITTED_DELAY};
use fnctl_config::snapshot::{Backoff, Delivery, Destination};
use std::time::Duration;

fn delivery(retry: u32, backoff: Backoff) -> Delivery {
    Delivery {
        retry,
        backoff,
        backoff_delay: Duration::from_millis(200),
        timeout: None,
        dead_letter: None,
        retry_after_max: None,
    }
}

fn refused(status: u16) -> Ended {
    Ended::Refused { status, retry_after: None }
}

#[test]
fn codes_that_are_tried_again() {
    let exponential = delivery(3, Backoff::Exponential);
    let again = Next::Again { after: Duration::from_millis(200) };
    for status in [404, 408, 409, 429, 500, 502, 503, 504, 599, 600] {
        assert_eq!(next(refused(status), 1, &exponential, 0.0), again, "{status}");
    }
    for status in [100, 101, 300, 301, 304, 400, 401, 403, 405, 410, 413, 422] {
        assert_eq!(next(refused(status), 1, &exponential, 0.0), Next::Park, "{status}");
    }
    assert_eq!(next(Ended::Unanswered, 1, &exponential, 0.0), again);
    assert_eq!(next(Ended::Hopeless, 1, &exponential, 0.0), Next::Park);
    assert_eq!(next(Ended::Accepted, 9, &exponential, 0.0), Next::Done);
    assert_eq!(next(Ended::NotAdmitted, 99, &exponential, 0.0), Next::Wait { after: NOT_ADMITTED_DELAY });
}

#[test]
fn waits_grow_as_in_knative_and_are_bounded() {
    let waits = |backoff_kind| -> Vec<u128> {
        let delivery = delivery(4, backoff_kind);
        (1..=4)
            .map(|attempt| match next(refused(503), attempt, &delivery, 0.0) {
                Next::Again { after } => after.as_millis(),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(waits(Backoff::Exponential), [200, 400, 800, 1600]);
    assert_eq!(waits(Backoff::Linear), [0, 200, 400, 600]);
    let sum: Duration = (0..10).map(|number| backoff(&delivery(10, Backoff::Exponential), number)).sum();
    assert_eq!(sum, Duration::from_millis(204_600), "the cluster default of Knative's brokers");
    assert_eq!(backoff(&delivery(99, Backoff::Exponential), 98), BACKOFF_MAX);
    assert_eq!(
        next(refused(503), 2, &delivery(9, Backoff::Exponential), 0.5),
        Next::Again { after: Duration::from_millis(600) }
    );
}

#[test]
fn the_budget_ends_in_the_dead_letter_sink_or_the_parked_store() {
    let mut delivery = delivery(2, Backoff::Linear);
    assert!(matches!(next(refused(500), 2, &delivery, 0.0), Next::Again { .. }));
    assert_eq!(next(refused(500), 3, &delivery, 0.0), Next::Park);
    delivery.dead_letter = Some(Destination::Uri { uri: "http://dls".to_owned(), ca_certs: None });
    assert_eq!(next(refused(500), 3, &delivery, 0.0), Next::DeadLetter);
    assert_eq!(next(refused(400), 1, &delivery, 0.0), Next::DeadLetter);
}

#[test]
fn retry_after_counts_for_429_and_503_up_to_its_bound() {
    let asked = |status, seconds, most: Option<u64>| {
        let mut delivery = delivery(3, Backoff::Exponential);
        delivery.retry_after_max = most.map(Duration::from_secs);
        let ended = Ended::Refused { status, retry_after: Some(Duration::from_secs(seconds)) };
        match next(ended, 1, &delivery, 0.0) {
            Next::Again { after } => after.as_millis(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(asked(503, 7, Some(30)), 7_000);
    assert_eq!(asked(429, 99, Some(30)), 30_000);
    assert_eq!(asked(429, 99, None), 200);
    assert_eq!(asked(429, 99, Some(0)), 200);
    assert_eq!(asked(500, 99, Some(30)), 200);
    assert_eq!(asked(503, 0, Some(30)), 200);
}
