//! The last decisions of a revision, for people who ask why.

use crate::bounds::Settled;
use crate::decide::Decision;
use fnctl_config::limits::SCALE_DECISIONS_KEPT;
use std::collections::VecDeque;
use std::time::Duration;

/// One decision, or several equal ones in a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When it was first made.
    pub first: Duration,
    /// When it was last made.
    pub last: Duration,
    /// How often in a row.
    pub times: u64,
    /// Instances that were ready at the last one.
    pub ready: u32,
    /// The last of the equal decisions.
    pub decision: Decision,
    /// What the bounds made of it.
    pub settled: Settled,
}

/// A bounded list of records, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History(VecDeque<Record>);

impl History {
    /// Adds a decision. One with the same number for the same reason as the one before is counted with it.
    pub fn add(&mut self, now: Duration, ready: u32, decision: Decision, settled: Settled) {
        let mut record = Record { first: now, last: now, times: 1, ready, decision, settled };
        if let Some(before) = self.0.back().filter(|before| is_same(before, &record)) {
            record.first = before.first;
            record.times = before.times + 1;
            self.0.pop_back();
        }
        if self.0.len() == SCALE_DECISIONS_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(record);
    }

    /// The records, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.0.iter()
    }
}

fn is_same(a: &Record, b: &Record) -> bool {
    a.settled == b.settled && a.decision.reason.name() == b.decision.reason.name()
}
