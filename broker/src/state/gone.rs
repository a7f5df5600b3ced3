//! Brokers that are gone: noted before anything of them is removed, so that a removal that is cut off is finished later.

use super::{CURSORS, SavedTrigger, State, StateError, TRIGGERS, parse, retries};
use crate::parked;
use redb::{ReadableTable as _, TableDefinition, TableError};

/// Uid of the broker, and from when on what it left may be removed, in milliseconds since 1970.
const GONE: TableDefinition<&str, i64> = TableDefinition::new("gone_brokers");

impl State {
    /// Notes that a broker is gone, and from when on what it left may be removed. Of two notes the earlier time counts.
    pub fn note_gone(&self, broker: &str, due_ms: i64) -> Result<(), StateError> {
        self.write(|transaction| {
            let mut gone = transaction.open_table(GONE)?;
            let known = gone.get(broker)?.map_or(due_ms, |known| known.value());
            gone.insert(broker, known.min(due_ms))?;
            Ok(())
        })
    }

    /// Takes such a note back: the broker is there.
    pub fn note_there(&self, broker: &str) -> Result<(), StateError> {
        if !self.gone()?.iter().any(|(gone, _)| gone == broker) {
            return Ok(());
        }
        self.write(|transaction| {
            transaction.open_table(GONE)?.remove(broker)?;
            Ok(())
        })
    }

    /// The brokers that were noted and not forgotten, with their times.
    pub fn gone(&self) -> Result<Vec<(String, i64)>, StateError> {
        let gone = match self.read()?.open_table(GONE) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            table => table?,
        };
        let noted = gone.iter()?.map(|row| row.map(|(broker, due)| (broker.value().to_owned(), due.value())));
        Ok(noted.collect::<Result<_, _>>()?)
    }

    /// Forgets a broker whose log is removed: the cursors in it, the attempts of its events, the parked ones, and the note.
    /// One commit.
    pub fn forget(&self, broker: &str) -> Result<(), StateError> {
        self.write(|transaction| {
            let mut triggers = transaction.open_table(TRIGGERS)?;
            let mut cursors = transaction.open_table(CURSORS)?;
            let mut own = Vec::new();
            for row in triggers.iter()? {
                let (uid, known) = row?;
                if parse::<SavedTrigger>("triggers", uid.value(), known.value())?.broker == broker {
                    own.push(uid.value().to_owned());
                }
            }
            for uid in &own {
                triggers.remove(uid.as_str())?;
                cursors.remove(uid.as_str())?;
                retries::clear(transaction, uid)?;
            }
            parked::forget(transaction, broker)?;
            transaction.open_table(GONE)?.remove(broker)?;
            Ok(())
        })
    }
}
