//! What happened to each event: the stream behind `event why`.
//!
//! Two kinds of files beside the log. *Outcomes* are fixed records of 64 bytes, appended as attempts end. *Identities* lead
//! from the id and source of an event to its position: 16 bytes an event, in memory while they come, sorted into a file
//! every `limits::LEDGER_IDENTITIES` events.
//! Nothing here is synced for its own sake: it is written with the cursors. What a crash takes reads as "unknown,
//! redelivered", since then the cursor was not saved either. Filtered events leave no record: whether a trigger wanted an
//! event follows from the generation in force at its position.

use crate::deliver::answer::Remark;
use crate::log::Position;
use crate::vfs::Vfs;
use serde::Serialize;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod identities;
mod outcomes;
#[cfg(test)]
mod tests;

/// How an attempt ended, or what became of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The subscriber took it.
    Delivered,
    /// An attempt failed; another one follows.
    Retrying,
    /// All attempts failed; the dead-letter sink took it.
    DeadLettered,
    /// All attempts failed; it is kept by the broker.
    Parked,
    /// The declared retention dropped it before it was settled.
    Expired,
    /// It was sent again by hand.
    Redriven,
}

/// What became of an event that the subscriber answered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Replied {
    /// It answered with none.
    #[default]
    Nothing,
    /// It is in the broker's log, at this position.
    Published(Position),
    /// It was not published: `knativebrokerttl` is used up, or it is too large.
    Withheld,
}

/// Whether something may have been tried before that nothing is known of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Before {
    /// All attempts before are recorded.
    #[default]
    Known,
    /// The event was here when the node ended without order: an attempt may have been under way.
    Unknown,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which event.
    pub position: Position,
    /// Uid of the trigger.
    pub trigger: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Which attempt this was, from 1.
    pub attempt: u32,
    /// The subscriber's status; none if it never answered.
    pub status: Option<u16>,
    /// How long the attempt took, in milliseconds.
    pub duration_ms: u32,
    /// The part of it that was spent waiting for room or for the function to leave zero, in milliseconds.
    pub waited_ms: u32,
    /// Which instance answered, where that is known.
    pub instance: Option<String>,
    /// What is to be said of it beside the status.
    pub remark: Remark,
    /// The event that the subscriber answered with.
    pub reply: Replied,
    /// Whether the attempts before it are known.
    pub before: Before,
    /// When it ended, in milliseconds since 1970.
    pub at_ms: i64,
}

/// The ledger of one broker. Calls block for as long as a small write does; `find` and `outcomes` read files, so from
/// async code use `tokio::task::spawn_blocking`.
#[derive(Debug)]
pub struct Ledger {
    streams: Mutex<Streams>,
}

#[derive(Debug)]
struct Streams {
    outcomes: outcomes::Outcomes,
    identities: identities::Identities,
}

impl Ledger {
    /// Opens the ledger in a directory of its own, making it where there is none. A torn end is cut off.
    pub fn open(vfs: &Arc<dyn Vfs>, directory: &Path) -> io::Result<Self> {
        vfs.create_directory(directory)?;
        let outcomes = outcomes::Outcomes::open(vfs, directory)?;
        let identities = identities::Identities::open(vfs, directory)?;
        Ok(Self { streams: Mutex::new(Streams { outcomes, identities }) })
    }

    /// Takes a record; it is written with the next `flush`, or when `limits::LEDGER_BUFFER` records wait.
    pub fn record(&self, outcome: &Outcome) -> io::Result<()> {
        self.streams().outcomes.record(outcome)
    }

    /// Notes which event is at a position. Each position once, in order within a partition; repeated ones are ignored.
    pub fn identify(&self, position: Position, source: &str, id: &str) -> io::Result<()> {
        self.streams().identities.add(position, source, id)
    }

    /// Per partition, the first position whose identity is not on disk: after a start, whoever reads the log calls
    /// `identify` for everything from here on. Partitions not named begin at their first position.
    pub fn identified(&self) -> Vec<Position> {
        self.streams().identities.kept_until()
    }

    /// Writes what waits, without a sync: call it when the cursors are saved.
    pub fn flush(&self) -> io::Result<()> {
        self.streams().outcomes.flush()
    }

    /// Positions whose event may have this id, and source if one is given, oldest first. They are found by hash: read the
    /// event and compare.
    pub fn find(&self, source: Option<&str>, id: &str) -> io::Result<Vec<Position>> {
        self.streams().identities.find(source, id)
    }

    /// What is known to have happened to the event at a position, in order of the records.
    pub fn outcomes(&self, position: Position) -> io::Result<Vec<Outcome>> {
        self.streams().outcomes.of(position)
    }

    /// The newest records with this verdict, of one trigger or all of them: at most `limit`, newest last. Reads every
    /// record.
    pub fn with_verdict(&self, verdict: Verdict, trigger: Option<&str>, limit: usize) -> io::Result<Vec<Outcome>> {
        self.streams().outcomes.with_verdict(verdict, trigger, limit)
    }

    /// Lets files go that speak only of positions before `start`, the log's first retained ones.
    pub fn trim(&self, start: &[Position]) -> io::Result<()> {
        let mut streams = self.streams();
        streams.outcomes.trim(start)?;
        streams.identities.trim(start)
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
