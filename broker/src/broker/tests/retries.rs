//! Subscribers that fail for more events than a trigger leaves in the log.

use super::storage::in_files;
use super::*;
use crate::state::Kept;
use fnctl_config::limits::{
    DELIVERIES_IN_FLIGHT_MAX, TRIGGER_BACKLOG_MAX, TRIGGER_RETRIES_IN_LOG_MAX, TRIGGER_RETRIES_MAX,
};
use std::collections::BTreeSet;

const MINUTE: Duration = Duration::from_secs(60);

async fn publish(node: &Node, count: usize) {
    let events = (0..count).map(|id| Event::new(id.to_string(), "/s", "x").unwrap()).collect();
    node.brokers.publish(&key("main"), events).await.unwrap();
}

fn slow() -> Delivery {
    Delivery { backoff_delay: MINUTE, ..delivery(3) }
}

fn copies(node: &Node) -> usize {
    let retries = node.brokers.shared.state.retries("uid-a").unwrap();
    retries.iter().filter(|retry| retry.kept == Kept::Copy).count()
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_is_away_gets_every_event_once_it_is_back() {
    let count = TRIGGER_RETRIES_MAX + 200;
    let disk = Simulated::new(1);
    let node = in_files(tempfile::tempdir().unwrap(), &disk, &[("a", &[Step::Status(503)])]).await;
    node.add(Trigger { delivery: Some(slow()), ..trigger("a", "x") }).await;
    publish(&node, count).await;
    let calls = node.calls(count).await;
    let last = times(&calls)[count - 1];
    assert!(last < MINUTE.as_millis(), "the last one need not wait for another's second attempt: {last} ms");
    node.brokers.drain().await;
    let fewest = count - TRIGGER_RETRIES_IN_LOG_MAX;
    assert!((fewest..=fewest + DELIVERIES_IN_FLIGHT_MAX).contains(&copies(&node)), "{} copies", copies(&node));
    let Node { brokers, directory, .. } = node;
    drop(brokers);

    let again = in_files(directory, &disk, &[("a", &[Step::Status(200)])]).await;
    again.add(Trigger { delivery: Some(slow()), ..trigger("a", "x") }).await;
    let ids: BTreeSet<_> = again.calls(count).await.into_iter().map(|call| call.id).collect();
    assert_eq!(ids.len(), count, "each once");
    again.brokers.drain().await;
    assert_eq!(again.deliver.calls.lock().unwrap().len(), count);
    assert_eq!(again.brokers.shared.state.retries("uid-a").unwrap(), [], "nothing is left of them");
}

#[tokio::test(start_paused = true)]
async fn where_copies_have_no_room_the_trigger_waits_and_nothing_is_lost() {
    let most = TRIGGER_RETRIES_MAX + TRIGGER_BACKLOG_MAX + DELIVERIES_IN_FLIGHT_MAX;
    let (count, disk) = (most + 200, Simulated::new(1));
    let steps = [vec![Step::Status(503); most], vec![Step::Status(200)]].concat();
    let adjust = |options: &mut Options| (options.vfs, options.copies_bytes_max) = (Arc::new(disk.clone()), 100);
    let node = Node::with(tempfile::tempdir().unwrap(), &[("a", &steps)], adjust).await;
    node.add(Trigger { delivery: Some(slow()), ..trigger("a", "x") }).await;
    publish(&node, count).await;
    let begun = node.calls(1).await[0].at_ms;
    node.calls(TRIGGER_RETRIES_MAX).await;
    while node.brokers.shared.state.retries("uid-a").unwrap().len() < TRIGGER_RETRIES_MAX {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let now = node.deliver.begin.elapsed().as_millis();
        assert!(now - begun < MINUTE.as_millis(), "the attempts are saved, if not the events");
    }
    while node.brokers.metrics().await[0].delivered < count as u64 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let calls = node.deliver.calls.lock().unwrap().clone();
    let early = times(&calls).into_iter().filter(|after| *after < MINUTE.as_millis()).count();
    assert!((TRIGGER_RETRIES_MAX..=most).contains(&early), "{early} tried before the first second attempt");
    node.brokers.drain().await;
}

/// What a copy is given to, and what is said of it there, is the same as if it had waited in the log.
#[tokio::test(start_paused = true)]
async fn a_copied_event_stays_with_its_dead_letter_sink() {
    let count = TRIGGER_RETRIES_IN_LOG_MAX + 200;
    for away in [Step::Status(503), Step::NotAdmitted] {
        let disk = Simulated::new(1);
        let steps = [vec![away; count], vec![Step::Status(200)]].concat();
        let scripts: &[(&'static str, &[Step])] = &[("a", &[Step::Status(400)]), ("dls", &steps)];
        let node = in_files(tempfile::tempdir().unwrap(), &disk, scripts).await;
        let dead_letter = Some(Destination::Uri { uri: "dls".to_owned(), ca_certs: None });
        node.add(Trigger { delivery: Some(Delivery { dead_letter, ..slow() }), ..trigger("a", "x") }).await;
        publish(&node, count).await;
        let calls = node.calls(3 * count).await;
        let (sink, subscriber): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| call.to == "dls");
        assert_eq!((sink.len(), subscriber.len()), (2 * count, count), "the subscriber's attempts are used up");
        let marks = |call: &Call| call.attributes.iter().filter(|(name, _)| name.starts_with("knativeerror")).count();
        assert!(sink.iter().all(|call| marks(call) == 3), "it is told why, each time");
        while node.brokers.metrics().await[0].dead_lettered < count as u64 {
            tokio::task::yield_now().await;
        }
        node.brokers.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_whose_attempts_are_used_up_gets_none_after_a_restart() {
    let disk = Simulated::new(1);
    let dead_letter = Some(Destination::Uri { uri: "dls".to_owned(), ca_certs: None });
    let subscription =
        || Trigger { delivery: Some(Delivery { dead_letter: dead_letter.clone(), ..slow() }), ..trigger("a", "x") };
    let scripts: &[(&'static str, &[Step])] = &[("a", &[Step::Status(400)]), ("dls", &[Step::NotAdmitted])];
    let node = in_files(tempfile::tempdir().unwrap(), &disk, scripts).await;
    node.add(subscription()).await;
    publish(&node, 1).await;
    node.calls(3).await;
    node.brokers.drain().await;
    let Node { brokers, directory, .. } = node;
    drop(brokers);

    let again = in_files(directory, &disk, &[("a", &[Step::Status(200)]), ("dls", &[Step::Status(200)])]).await;
    again.add(subscription()).await;
    assert_eq!(again.calls(1).await[0].to, "dls");
    again.fate("0", "a", Fate::DeadLettered).await;
    let taken = again.brokers.dlq_dead_lettered(&key("main"), None).await.unwrap();
    assert_eq!((taken[0].attempts, taken[0].status), (1, Some(400)));
    assert_eq!(taken[0].error.as_deref(), Some("the subscriber answered 400"), "as far as it is kept");
    again.brokers.drain().await;
}

/// Whichever call of the disk finds no room: the event goes on in its rhythm, or after a pause.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_cannot_be_saved_waits_for_the_disk() {
    let mut paused = 0;
    for call in 1..=12 {
        let disk = Simulated::new(call);
        let steps = [Step::DiskFull(disk.clone(), call), Step::Status(503), Step::Status(200)];
        let node = in_files(tempfile::tempdir().unwrap(), &disk, &[("a", &steps)]).await;
        node.add(trigger("a", "x")).await;
        publish(&node, 1).await;
        let calls = tokio::select! {
            calls = node.calls(3) => calls,
            // A sync: nobody knows what is on disk.
            _ = node.brokers.failed() => continue,
        };
        match times(&calls)[..] {
            [0, 200, 600] => {}
            [0, 1000, 1400] => paused += 1,
            _ => panic!("call {call}: {:?}", times(&calls)),
        }
        node.fate("0", "a", Fate::Delivered).await;
        node.brokers.drain().await;
    }
    assert!(paused > 2, "{paused} attempts were not saved at once");
}
