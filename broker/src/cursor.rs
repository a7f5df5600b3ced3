//! How far a reader of a log is: which positions are done. Pure values; the dispatcher and the store move them about.
//!
//! ```text
//!   done │ low                    next
//!   ─────┼──●──○──●──●──○──○──○──▶      ● pending   ○ done ahead of the watermark
//! ```
//! Everything before `low` is done; above it, ranges of done positions are kept until the watermark reaches them.
//! Positions that hold nothing to deliver (filtered, damaged, or never written) are done too: say so with `done_range`,
//! or the watermark waits at them for ever.

use crate::log::Position;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// A low watermark per partition and the ranges done above it. Never moves back, save by making a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Saved>", into = "Vec<Saved>")]
pub struct Cursor {
    partitions: BTreeMap<u32, Progress>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Progress {
    low: Position,
    /// Begin (inclusive) to end (exclusive); disjoint, not adjacent, all above `low`.
    done: BTreeMap<Position, Position>,
}

impl Cursor {
    /// A cursor at which nothing from `start` on is done: one position for each partition, as `EventLog::start` and
    /// `EventLog::next` give them.
    pub fn new(start: &[Position]) -> Self {
        let progress = |&low: &Position| (low.partition(), Progress { low, done: BTreeMap::new() });
        Self { partitions: start.iter().map(progress).collect() }
    }

    /// The position needs no delivery any more. A partition that the cursor does not know yet begins at its very
    /// first place, since partitions appear when a log grows.
    pub fn done(&mut self, position: Position) {
        self.done_range(position, position.behind());
    }

    /// Nothing from `from` to before `to` needs a delivery any more. Both are of one partition; else nothing happens.
    pub fn done_range(&mut self, from: Position, to: Position) {
        if from.partition() != to.partition() {
            return;
        }
        let fresh = || Progress { low: from.origin(), done: BTreeMap::new() };
        self.partitions.entry(from.partition()).or_insert_with(fresh).add(from, to);
    }

    /// Whether the position needs no delivery any more.
    pub fn is_done(&self, position: Position) -> bool {
        self.pending_from(position) != position
    }

    /// Per partition, the first position that is not done: where reading resumes, and what retention must keep.
    pub fn low(&self) -> Vec<Position> {
        self.partitions.values().map(|progress| progress.low).collect()
    }

    /// The first position at or after `position` that is not done.
    pub fn pending_from(&self, position: Position) -> Position {
        let Some(progress) = self.partitions.get(&position.partition()) else { return position };
        let position = position.max(progress.low);
        match progress.done.range(..=position).next_back() {
            Some((_, &end)) if position < end => end,
            _ => position,
        }
    }

    /// How many done ranges wait above the watermarks. The dispatcher stops reading ahead at
    /// `limits::CURSOR_RANGES_MAX`, which bounds the memory of a cursor whose first event keeps failing.
    pub fn ranges(&self) -> usize {
        self.partitions.values().map(|progress| progress.done.len()).sum()
    }

    /// Brings a cursor that is beyond the end of the log back to it, and answers the watermarks and ranges that were:
    /// an empty answer is the normal one, anything else is to be reported, since the log lost what was done.
    pub fn clamp(&mut self, next: &[Position]) -> Vec<Position> {
        let mut beyond = Vec::new();
        for &end in next {
            let Some(progress) = self.partitions.get_mut(&end.partition()) else { continue };
            if progress.low > end {
                beyond.push(progress.low);
                progress.low = end;
            }
            beyond.extend(progress.done.values().filter(|&&to| to > end));
            progress.done.retain(|&from, to| {
                *to = end.min(*to);
                from < *to
            });
        }
        beyond
    }

    /// Skips what a log has dropped: everything before `start` counts as done.
    pub fn advance_to(&mut self, start: &[Position]) {
        for &first in start {
            if let Some(progress) = self.partitions.get_mut(&first.partition()) {
                progress.add(progress.low, first);
            }
        }
    }
}

impl Progress {
    fn add(&mut self, from: Position, to: Position) {
        let mut from = from.max(self.low);
        let mut to = to;
        if from >= to {
            return;
        }
        if let Some((&begin, &end)) = self.done.range(..=from).next_back()
            && end >= from
        {
            self.done.remove(&begin);
            from = begin;
            to = to.max(end);
        }
        while let Some((&begin, &end)) = self.done.range(from..=to).next() {
            self.done.remove(&begin);
            to = to.max(end);
        }
        if from == self.low {
            self.low = to;
        } else {
            self.done.insert(from, to);
        }
    }
}

/// One partition of a cursor, as it is stored.
#[derive(Serialize, Deserialize)]
struct Saved {
    low: Position,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    done: Vec<(Position, Position)>,
}

impl From<Cursor> for Vec<Saved> {
    fn from(cursor: Cursor) -> Self {
        let saved = |progress: Progress| Saved { low: progress.low, done: progress.done.into_iter().collect() };
        cursor.partitions.into_values().map(saved).collect()
    }
}

impl TryFrom<Vec<Saved>> for Cursor {
    type Error = InvalidCursor;
    fn try_from(saved: Vec<Saved>) -> Result<Self, InvalidCursor> {
        let mut cursor = Self::default();
        for Saved { low, done } in saved {
            let partition = low.partition();
            let fresh = Progress { low, done: BTreeMap::new() };
            if cursor.partitions.insert(partition, fresh).is_some() {
                return Err(InvalidCursor::Repeated(partition));
            }
            for (from, to) in done {
                if from.partition() != partition || to.partition() != partition || from <= low || to <= from {
                    return Err(InvalidCursor::Range { from, to });
                }
                cursor.done_range(from, to);
            }
        }
        Ok(cursor)
    }
}

/// The stored text is no cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCursor {
    /// Two watermarks for one partition.
    #[error("partition {0} is there twice")]
    Repeated(u32),
    /// A range that is empty, below its watermark, or in two partitions.
    #[error("{from} to {to} is no range of done positions above the watermark")]
    Range {
        /// Its begin.
        from: Position,
        /// Its end.
        to: Position,
    },
}
