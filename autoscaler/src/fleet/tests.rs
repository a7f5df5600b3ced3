use super::{Fleet, Order, Origin};
use crate::port::Sample;
use fnctl_config::snapshot::*;
use std::sync::Arc;
use std::time::Duration;

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

fn revision(name: &str, min: u32, initial: u32) -> Change {
    let scale = Scale {
        metric: Metric::Concurrency,
        total: 10.0,
        target: 7.0,
        min,
        max: 0,
        initial,
        activation: 0,
        stable_window: Duration::from_secs(6),
        panic_window: Duration::from_secs(1),
        panic_threshold: 2.0,
        target_burst_capacity: 211.0,
        scale_down_delay: Duration::ZERO,
        retention: Duration::ZERO,
    };
    let minute = Duration::from_secs(60);
    Change::Revision(Arc::new(Revision {
        key: key(name),
        uid: "1".to_owned(),
        service: name.to_owned(),
        configuration: name.to_owned(),
        artifact: "0".repeat(64),
        env: Vec::new(),
        args: Vec::new(),
        limits: CallLimits { memory_bytes: 1, cpu: minute, timeout: minute, response_start: None },
        container_concurrency: 0,
        scale,
        reuse: Reuse::Fresh,
        grants: Grants::default(),
    }))
}

fn route(name: &str, revision: &str) -> Change {
    let targets = vec![RouteTarget { revision: key(revision), percent: 100 }];
    Change::Route(Arc::new(Route { key: key(name), uid: name.to_owned(), hosts: Vec::new(), targets }))
}

/// A fleet whose home does at once what it is told.
struct Home {
    fleet: Fleet,
    now: Duration,
    ready: u32,
}

impl Home {
    fn new(origin: Origin, changes: &[Change]) -> Self {
        let mut home = Self { fleet: Fleet::default(), now: Duration::ZERO, ready: 0 };
        changes.iter().for_each(|change| home.fleet.change(change, origin, Duration::ZERO));
        home
    }

    fn change(&mut self, change: &Change) {
        self.fleet.change(change, Origin::Created, self.now);
    }

    fn due(&mut self) -> Vec<(String, u32)> {
        let orders = self.fleet.decide_due(self.now);
        self.obey(orders)
    }

    /// Two seconds with this concurrency, and a decision.
    fn tick(&mut self, concurrency: f64) -> Vec<(String, u32)> {
        for _ in 0..2 {
            self.now += Duration::from_secs(1);
            for key in self.fleet.awake() {
                self.fleet.sample(&key, Sample { concurrency, requests: 0, ready: self.ready }, self.now);
            }
        }
        let orders = self.fleet.decide_awake(self.now);
        self.obey(orders)
    }

    fn obey(&mut self, orders: Vec<Order>) -> Vec<(String, u32)> {
        let Some(last) = orders.last() else { return Vec::new() };
        self.ready = last.instances;
        orders.into_iter().map(|order| (order.revision.name, order.instances)).collect()
    }
}

#[track_caller]
fn check(orders: &[(String, u32)], expected: &[(&str, u32)]) {
    let orders: Vec<(&str, u32)> = orders.iter().map(|(name, instances)| (name.as_str(), *instances)).collect();
    assert_eq!(orders, expected);
}

#[test]
fn a_new_revision_begins_with_its_initial_scale_and_goes_to_zero() {
    let mut home = Home::new(Origin::Created, &[revision("a", 0, 2)]);
    check(&home.due(), &[("a", 2)]);
    check(&home.tick(0.0), &[("a", 1)]);
    check(&home.tick(0.0), &[]);
    check(&home.tick(0.0), &[]);
    check(&home.tick(0.0), &[("a", 0)]);
    assert!(home.fleet.awake().is_empty());
    let names: Vec<_> = home.fleet.records(&key("a")).expect("records").iter().map(|r| r.settled.bound).collect();
    use crate::bounds::Bound::{ActiveTooShort, InitialScale, Load, ScaleToZero};
    assert_eq!(names, [InitialScale, Load, ActiveTooShort, ScaleToZero], "equal neighbours are one record");
}

#[test]
fn a_restored_revision_sleeps_until_a_request_finds_it() {
    let mut home = Home::new(Origin::Restored, &[revision("a", 0, 2), route("a", "a")]);
    check(&home.due(), &[]);
    assert!(home.fleet.awake().is_empty());
    assert!(home.fleet.poke(&key("a"), home.now));
    assert!(!home.fleet.poke(&key("a"), home.now), "one request is enough");
    check(&home.due(), &[("a", 1)]);
    assert!(!home.fleet.poke(&key("a"), home.now), "it is there already");
    assert!(!home.fleet.poke(&key("b"), home.now), "nobody knows it");
    check(&home.tick(1.0), &[]);
}

#[test]
fn a_burst_at_zero_grows_at_once_and_does_not_count_the_first_request_twice() {
    let mut home = Home::new(Origin::Restored, &[revision("a", 0, 1), route("a", "a")]);
    home.fleet.poke(&key("a"), home.now);
    check(&home.due(), &[("a", 1)]);
    check(&home.tick(70.0), &[("a", 10)]);
}

#[test]
fn min_scale_counts_while_a_route_leads_there() {
    let mut home = Home::new(Origin::Restored, &[revision("a", 3, 1)]);
    check(&home.due(), &[]);
    home.change(&route("r", "a"));
    check(&home.due(), &[("a", 3)]);
    home.change(&revision("b", 0, 0));
    home.change(&route("r", "b"));
    home.now += Duration::from_secs(10);
    home.ready = 3;
    check(&home.tick(0.0), &[("a", 0)]);
    // Two routes: one of them is enough.
    home.change(&route("r", "a"));
    home.change(&route("s", "a"));
    home.change(&Change::RouteGone(key("r")));
    check(&home.due(), &[("a", 3)]);
    home.change(&Change::RouteGone(key("s")));
    check(&home.due(), &[("a", 1)]);
}

#[test]
fn a_revision_that_is_gone_is_forgotten() {
    let mut home = Home::new(Origin::Created, &[revision("a", 1, 1)]);
    home.change(&Change::RevisionGone(key("a")));
    check(&home.due(), &[]);
    check(&home.tick(5.0), &[]);
    assert_eq!(home.fleet.records(&key("a")), None);
}

#[test]
fn an_order_is_repeated_while_it_is_not_so() {
    let mut home = Home::new(Origin::Restored, &[revision("a", 1, 1), route("a", "a")]);
    check(&home.due(), &[("a", 1)]);
    home.ready = 0;
    check(&home.tick(0.0), &[("a", 1)]);
}
