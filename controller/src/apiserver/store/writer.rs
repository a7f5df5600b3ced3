//! The one writer: takes whatever waits in the queue into one transaction, commits it durably, tells the watchers, and
//! answers. Under load one sync of the disk serves many writes.

use super::database::Database;
use super::ring::{Event, Rings};
use super::transaction::{Failure, Tables, Transaction};
use super::{Error, META, OBJECTS, OWNERS, Operation, Outcome, PENDING, Refused, VERSION, Version};
use fnctl_config::limits;
use std::sync::{Arc, mpsc};
use tokio::sync::{oneshot, watch};

/// An operation and who waits for it.
pub(super) struct Job {
    pub(super) operation: Operation,
    pub(super) answer: oneshot::Sender<Result<Outcome, Refused>>,
}

/// The state of the writer thread.
pub(super) struct Writer {
    database: Arc<Database>,
    rings: Arc<Rings>,
    publish: watch::Sender<Version>,
    version: Version,
}

/// What one committed transaction did.
struct Batch {
    version: Version,
    events: Vec<Event>,
    results: Vec<Result<Outcome, Refused>>,
    /// Whether steps of a cascade are left for the next transaction.
    unfinished: bool,
}

impl Writer {
    pub(super) fn new(
        database: Arc<Database>,
        rings: Arc<Rings>,
        publish: watch::Sender<Version>,
        version: Version,
    ) -> Self {
        Self { database, rings, publish, version }
    }

    /// Works until the last sender of the queue is gone.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        // Cascades that a crash interrupted go on first.
        let mut unfinished = true;
        loop {
            let mut waiting = Vec::new();
            if !unfinished {
                let Ok(first) = jobs.recv() else { return };
                waiting.push(first);
            }
            waiting.extend(jobs.try_iter().take(limits::API_WRITES_PER_COMMIT_MAX - waiting.len()));
            let (operations, answers): (Vec<_>, Vec<_>) =
                waiting.into_iter().map(|job| (job.operation, job.answer)).unzip();
            let results = match self.perform(operations) {
                Ok(batch) => {
                    unfinished = batch.unfinished;
                    self.publish(batch.version, batch.events);
                    batch.results
                }
                Err(error) => {
                    unfinished = false;
                    answers.iter().map(|_| Err(Refused::Unavailable(error.clone()))).collect()
                }
            };
            for (answer, result) in answers.into_iter().zip(results) {
                // A caller that went away does not wait for its answer.
                let _ = answer.send(result);
            }
        }
    }

    fn perform(&self, operations: Vec<Operation>) -> Result<Batch, Error> {
        self.database.ready()?;
        self.commit(operations).map_err(|error| self.database.failed(&error))
    }

    fn commit(&self, operations: Vec<Operation>) -> Result<Batch, redb::Error> {
        let transaction = self.database.begin_write()?;
        let mut results = Vec::with_capacity(operations.len());
        let (version, events, unfinished) = {
            let tables = Tables {
                objects: transaction.open_table(OBJECTS)?,
                owners: transaction.open_table(OWNERS)?,
                pending: transaction.open_table(PENDING)?,
            };
            let mut work = Transaction::new(tables, self.version);
            work.resume()?;
            for operation in operations {
                match work.perform(operation) {
                    Ok(outcome) => results.push(Ok(outcome)),
                    Err(Failure::Refused(refused)) => results.push(Err(refused)),
                    Err(Failure::Storage(error)) => return Err(error.into()),
                }
            }
            work.finish()?
        };
        if events.is_empty() && !unfinished {
            transaction.abort()?;
        } else {
            transaction.open_table(META)?.insert(VERSION, version)?;
            transaction.commit()?;
        }
        Ok(Batch { version, events, results, unfinished })
    }

    /// The version goes out after the rings are filled: a bookmark at it promises all that came before.
    fn publish(&mut self, version: Version, events: Vec<Event>) {
        for event in events {
            self.rings.push(event);
        }
        self.version = version;
        self.publish.send_replace(version);
    }
}
