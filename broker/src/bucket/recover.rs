//! What a start does before the store serves: finish what was promised, and clear away what was not.

use super::commit::{Files, fulfil, rename};
use super::error::Error;
use super::incoming::blocking;
use super::index::{self, CLOSED, Intent, Reader};
use super::record::Change;
use crate::log::segment::SegmentLog;
use crate::log::{EventLog as _, Position, ReadError};
use crate::state::State;
use fnctl_config::limits::{DISPATCH_READ_BYTES, DISPATCH_READ_RECORDS};
use std::collections::HashSet;

/// Replays the intents. Answers how many there were.
pub(super) async fn replay(state: &State, files: &Files, log: &SegmentLog) -> Result<usize, Error> {
    let (tables, place) = (state.clone(), files.clone());
    let (closed, intents) = blocking(move || {
        place.vfs.create_directory(&place.objects)?;
        place.vfs.create_directory(&place.incoming.directory)?;
        Ok(index::write(&tables, |tables| {
            let closed = tables.number(CLOSED)?;
            tables.set_number(CLOSED, 0)?;
            Ok((closed == 1, tables.intents()?))
        })?)
    })
    .await?;
    let replayed = intents.len();
    if !intents.is_empty() {
        finish(state, files, log, intents).await?;
    }
    let (state, files) = (state.clone(), files.clone());
    blocking(move || if closed { Ok(()) } else { sweep(&state, &files) }).await?;
    Ok(replayed)
}

async fn finish(state: &State, files: &Files, log: &SegmentLog, intents: Vec<Intent>) -> Result<(), Error> {
    let from = intents.iter().flat_map(|intent| intent.from.iter().copied()).min();
    let recorded = match from {
        Some(from) => sequencers(log, from).await?,
        None => HashSet::new(),
    };
    let place = files.clone();
    let intents = blocking(move || rename(&place, &intents).map(|()| intents)).await?;
    let missing = intents.iter().filter(|intent| !recorded.contains(&intent.change.sequencer));
    let records: Vec<_> = missing.map(|intent| intent.change.encode()).collect();
    if !records.is_empty() {
        log.append(records).await.map_err(|error| super::commit::refused(&error))?;
    }
    let (state, files) = (state.clone(), files.clone());
    blocking(move || {
        let left = index::write(&state, |tables| fulfil(tables, &intents))?;
        files.remove(&left);
        Ok(())
    })
    .await
}

/// The sequencers of all changes from a place on.
async fn sequencers(log: &SegmentLog, mut from: Position) -> Result<HashSet<u64>, Error> {
    let mut found = HashSet::new();
    loop {
        let page = match log.read(from, DISPATCH_READ_RECORDS, DISPATCH_READ_BYTES).await {
            Ok(page) => page,
            Err(ReadError::Damaged { to, .. }) => {
                from = to;
                continue;
            }
            Err(error @ ReadError::Failed(_)) => return Err(Error::Failed(error.to_string())),
        };
        let Some(last) = page.last() else { return Ok(found) };
        from = log.after(last.position);
        found.extend(page.iter().filter_map(|stored| Some(Change::decode(&stored.record).ok()?.sequencer)));
    }
}

/// Removes files that a crash left without a name in the index.
fn sweep(state: &State, files: &Files) -> Result<(), Error> {
    let reader = Reader::new(state)?;
    let parts: HashSet<String> = reader.all_parts()?.into_iter().map(|part| part.file).collect();
    let objects = reader.files()?;
    for (directory, known) in [(&files.incoming.directory, &parts), (&files.objects, &objects)] {
        for name in files.vfs.list(directory)?.iter().filter(|name| !known.contains(*name)) {
            files.vfs.remove(&directory.join(name))?;
        }
    }
    Ok(())
}
