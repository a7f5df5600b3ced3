//! All revisions of a node: who is awake, what each was told, and which routes lead to whom. Pure: `run` drives it.
//!
//! A revision at zero without load is asleep: it has no windows and costs no time. A poke or a bound wakes it.

use crate::bounds::{Phase, Request, bound};
use crate::decide::decide;
use crate::history::{History, Record};
use crate::policy::{Averages, Observation, Policy, Reachability};
use crate::port::Sample;
use crate::state::State;
use crate::window::Window;
use fnctl_config::snapshot::{Change, Metric, ObjectKey, Revision, Route, Scale};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// What a revision that appears has behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was made just now: it begins with initial-scale.
    Created,
    /// It was there before this node started: it begins at min-scale, and wakes when it is needed.
    Restored,
}

/// "There shall be this many."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Of this revision.
    pub revision: ObjectKey,
    /// How many.
    pub instances: u32,
}

/// The revisions of a node, as the scaler sees them.
#[derive(Debug, Default)]
pub struct Fleet {
    members: HashMap<ObjectKey, Member>,
    awake: BTreeSet<ObjectKey>,
    /// Revisions to decide about before the next tick.
    due: BTreeSet<ObjectKey>,
    /// Route to the revisions it leads to.
    routes: HashMap<ObjectKey, HashSet<ObjectKey>>,
    /// How many routes lead to a revision; none is not kept.
    reach: HashMap<ObjectKey, usize>,
}

#[derive(Debug)]
struct Member {
    uid: String,
    scale: Scale,
    routed: Routed,
    phase: Phase,
    /// Instances that were ordered last.
    ordered: u32,
    activity: Option<Activity>,
    history: History,
}

/// Whether routes lead to a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Routed {
    /// It was made just now: one will, so it counts as reachable.
    Awaited,
    Yes,
    No,
}

/// What an awake revision keeps.
#[derive(Debug)]
struct Activity {
    policy: Policy,
    state: State,
    stable: Window,
    panic: Window,
    sampled: Duration,
    ready: u32,
    /// A poke counted its request already, so that the next sample counts one less.
    counted_ahead: f64,
}

impl Fleet {
    /// Takes a change of what the node runs. Changes of brokers, triggers and sources are none of ours.
    pub fn change(&mut self, change: &Change, origin: Origin, now: Duration) {
        match change {
            Change::Revision(revision) => self.revision(revision, origin, now),
            Change::RevisionGone(key) => {
                self.members.remove(key);
                self.awake.remove(key);
                self.due.remove(key);
            }
            Change::Route(route) => self.route(&route.key, &targets(route), now),
            Change::RouteGone(key) => self.route(key, &HashSet::new(), now),
            Change::Broker(_)
            | Change::BrokerGone(_)
            | Change::Trigger(_)
            | Change::TriggerGone(_)
            | Change::BucketSource(_)
            | Change::BucketSourceGone(_) => {}
        }
    }

    /// A request found the revision at zero: wakes it, to be decided about at once. Answers whether there is news.
    pub fn poke(&mut self, key: &ObjectKey, now: Duration) -> bool {
        let Some(member) = self.members.get_mut(key).filter(|member| member.ordered == 0) else { return false };
        let activity = member.wake(now);
        if activity.counted_ahead > 0.0 {
            return false;
        }
        activity.record(1.0, now);
        activity.counted_ahead = 1.0;
        self.awake.insert(key.clone());
        self.due.insert(key.clone());
        true
    }

    /// The revisions that samples are wanted of.
    pub fn awake(&self) -> Vec<ObjectKey> {
        self.awake.iter().cloned().collect()
    }

    /// Takes a sample of an awake revision.
    pub fn sample(&mut self, key: &ObjectKey, sample: Sample, now: Duration) {
        if let Some(activity) = self.members.get_mut(key).and_then(|member| member.activity.as_mut()) {
            activity.take(sample, now);
        }
    }

    /// Decides about all awake revisions.
    pub fn decide_awake(&mut self, now: Duration) -> Vec<Order> {
        self.due.clear();
        self.awake().into_iter().filter_map(|key| self.decide(key, now)).collect()
    }

    /// Decides about those that cannot wait for the next tick.
    pub fn decide_due(&mut self, now: Duration) -> Vec<Order> {
        std::mem::take(&mut self.due).into_iter().filter_map(|key| self.decide(key, now)).collect()
    }

    /// The decisions about a revision that are kept, oldest first; none where it is not known.
    pub fn records(&self, key: &ObjectKey) -> Option<Vec<Record>> {
        self.members.get(key).map(|member| member.history.records().cloned().collect())
    }

    fn revision(&mut self, revision: &Revision, origin: Origin, now: Duration) {
        let key = &revision.key;
        let known = self.members.remove(key).filter(|member| member.uid == revision.uid);
        let mut member = known.unwrap_or_else(|| Member::new(revision, origin));
        member.scale = revision.scale.clone();
        self.members.insert(key.clone(), member);
        self.reconsider(key, now);
    }

    fn route(&mut self, key: &ObjectKey, targets: &HashSet<ObjectKey>, now: Duration) {
        for target in targets {
            *self.reach.entry(target.clone()).or_default() += 1;
        }
        let before = match targets.is_empty() {
            true => self.routes.remove(key),
            false => self.routes.insert(key.clone(), targets.clone()),
        };
        for target in before.iter().flatten() {
            let count = self.reach.remove(target).unwrap_or_default();
            if count > 1 {
                self.reach.insert(target.clone(), count - 1);
            }
        }
        before.iter().flatten().chain(targets).for_each(|target| self.reconsider(target, now));
    }

    /// A revision's rules or routes changed: min-scale may hold now, or no longer.
    fn reconsider(&mut self, key: &ObjectKey, now: Duration) {
        let is_routed = self.reach.contains_key(key);
        let Some(member) = self.members.get_mut(key) else { return };
        member.routed = match member.routed {
            _ if is_routed => Routed::Yes,
            Routed::Awaited => Routed::Awaited,
            Routed::Yes | Routed::No => Routed::No,
        };
        if member.activity.is_none() && member.phase != Phase::Starting && member.scale.min == 0 {
            return;
        }
        let policy = Policy::new(&member.scale, member.reachability());
        member.wake(now).rules(policy, now);
        self.awake.insert(key.clone());
        self.due.insert(key.clone());
    }

    fn decide(&mut self, key: ObjectKey, now: Duration) -> Option<Order> {
        let member = self.members.get_mut(&key)?;
        let order = member.decide(now);
        if member.phase == Phase::Zero {
            member.activity = None;
            self.awake.remove(&key);
        }
        order.map(|instances| Order { revision: key, instances })
    }
}

impl Member {
    fn new(revision: &Revision, origin: Origin) -> Self {
        let phase = match origin {
            Origin::Created if revision.scale.initial > 0 => Phase::Starting,
            Origin::Created | Origin::Restored => Phase::Zero,
        };
        let (uid, scale) = (revision.uid.clone(), revision.scale.clone());
        let routed = match origin {
            Origin::Created => Routed::Awaited,
            Origin::Restored => Routed::No,
        };
        Self { uid, scale, routed, phase, ordered: 0, activity: None, history: History::default() }
    }

    fn wake(&mut self, now: Duration) -> &mut Activity {
        let policy = Policy::new(&self.scale, self.reachability());
        let ordered = self.ordered;
        self.activity.get_or_insert_with(|| Activity::new(policy, ordered, now))
    }

    fn reachability(&self) -> Reachability {
        match self.routed {
            Routed::Awaited | Routed::Yes => Reachability::Reachable,
            Routed::No => Reachability::Unreachable,
        }
    }

    /// The number to order, where it differs from what is there.
    fn decide(&mut self, now: Duration) -> Option<u32> {
        let activity = self.activity.as_mut()?;
        let observation = activity.observation(now);
        let (decision, state) = decide(&activity.policy, &observation, std::mem::take(&mut activity.state), now);
        activity.state = state;
        let request = Request {
            desired: decision.answer.map(|answer| answer.desired),
            ready: activity.ready,
            reachability: activity.policy.reachability,
        };
        let (settled, phase) = bound(&self.scale, request, self.phase, now);
        self.phase = phase;
        self.history.add(now, activity.ready, decision, settled);
        let instances = settled.instances?;
        let is_news = instances != self.ordered || instances != activity.ready;
        self.ordered = instances;
        is_news.then_some(instances)
    }
}

impl Activity {
    fn new(policy: Policy, ready: u32, now: Duration) -> Self {
        let state = State::new(&policy, ready, now);
        let stable = Window::new(policy.stable_window, policy.average);
        let panic = Window::new(policy.panic_window, policy.average);
        Self { policy, state, stable, panic, sampled: now, ready, counted_ahead: 0.0 }
    }

    fn rules(&mut self, policy: Policy, now: Duration) {
        self.stable.resize(policy.stable_window, now);
        self.panic.resize(policy.panic_window, now);
        self.policy = policy;
    }

    fn take(&mut self, sample: Sample, now: Duration) {
        let period = now.saturating_sub(self.sampled).as_secs_f64();
        let value = match self.policy.metric {
            Metric::Concurrency => sample.concurrency,
            Metric::RequestsPerSecond if period > 0.0 => sample.requests as f64 / period,
            Metric::RequestsPerSecond => 0.0,
        };
        let value = (value - std::mem::take(&mut self.counted_ahead)).max(0.0);
        self.record(value, now);
        self.sampled = now;
        self.ready = sample.ready;
    }

    fn record(&mut self, value: f64, now: Duration) {
        self.stable.record(now, value);
        self.panic.record(now, value);
    }

    /// The activator sees every request, so that no sample means no load.
    fn observation(&self, now: Duration) -> Observation {
        let averages = Averages { stable: self.stable.average(now), panic: self.panic.average(now) };
        Observation { ready: self.ready, averages: Some(averages) }
    }
}

fn targets(route: &Route) -> HashSet<ObjectKey> {
    route.targets.iter().map(|target| target.revision.clone()).collect()
}

#[cfg(test)]
mod tests;
