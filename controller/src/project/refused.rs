//! What the data plane could not take, and when it is told again. Pure.
//!
//! As a controller requeues: each refusal in a row doubles the wait, up to a limit. Of an object only the last change is told
//! again, since it says all that counts.

use super::state::Family;
use crate::reconcile::Rejected;
use fnctl_config::limits::{PROJECTION_RETRY_DELAY, PROJECTION_RETRY_DELAY_MAX};
use fnctl_config::snapshot::{Change, ObjectKey};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Changes that wait to be told again: at most one of each object.
#[derive(Debug, Default)]
pub(super) struct Refused {
    waiting: HashMap<(Family, ObjectKey), Waiting>,
}

#[derive(Debug)]
struct Waiting {
    change: Change,
    /// The last wait.
    delay: Duration,
    due: Instant,
}

impl Refused {
    /// The data plane was told of a change, and this is what came of it.
    pub(super) fn note(&mut self, change: &Change, outcome: &Result<(), Rejected>, now: Instant) {
        let name = (Family::of(change), change.key().clone());
        if outcome.is_ok() {
            self.waiting.remove(&name);
            return;
        }
        let delay = match self.waiting.get(&name) {
            Some(before) if before.change == *change => (before.delay * 2).min(PROJECTION_RETRY_DELAY_MAX),
            Some(_) | None => PROJECTION_RETRY_DELAY,
        };
        self.waiting.insert(name, Waiting { change: change.clone(), delay, due: now + delay });
    }

    /// When the next one is to be told; none where nothing waits.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.due).min()
    }

    /// The change that has been due for longest; none before [`Self::due`]. It waits until its outcome is noted.
    pub(super) fn next(&self, now: Instant) -> Option<Change> {
        let due = self.waiting.values().filter(|waiting| waiting.due <= now);
        due.min_by_key(|waiting| waiting.due).map(|waiting| waiting.change.clone())
    }
}

#[cfg(test)]
mod tests;
