//! From the id and source of an event to its position: runs of sorted entries of 16 bytes, one file each.
//!
//! An entry is a hash of 64 bits and the offset. The hash has its upper 40 bits of the id and its lower 24 of the source,
//! so that an id alone finds its neighbours too. A file is `<partition>-<first>-<end>.identities`, with a CRC32C at its
//! end; one that does not match it is ignored and made again from the log.

use crate::log::Position;
use crate::vfs::Vfs;
use fnctl_config::limits;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SUFFIX: &str = ".identities";
const ENTRY: usize = 16;

#[derive(Debug)]
pub(super) struct Identities {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    /// Sorted runs on disk, by their first position.
    runs: BTreeMap<Position, Run>,
    /// The run of each partition that is still in memory.
    active: BTreeMap<u32, Active>,
}

#[derive(Debug)]
struct Run {
    end: Position,
    path: PathBuf,
}

#[derive(Debug)]
struct Active {
    first: Position,
    end: Position,
    entries: Vec<(u64, Position)>,
}

impl Identities {
    pub(super) fn open(vfs: &Arc<dyn Vfs>, directory: &Path) -> io::Result<Self> {
        let mut runs = BTreeMap::new();
        for name in vfs.list(directory)? {
            let path = directory.join(&name);
            let Some((first, end)) = span(&name) else { continue };
            if load(vfs.as_ref(), &path)?.is_some() {
                runs.insert(first, Run { end, path });
            } else {
                vfs.remove(&path)?;
            }
        }
        Ok(Self { vfs: Arc::clone(vfs), directory: directory.to_owned(), runs, active: BTreeMap::new() })
    }

    pub(super) fn add(&mut self, position: Position, source: &str, id: &str) -> io::Result<()> {
        if self.kept_until().iter().any(|end| end.partition() == position.partition() && position < *end) {
            return Ok(());
        }
        let active = self.active.entry(position.partition()).or_insert_with(|| Active {
            first: position,
            end: position,
            entries: Vec::new(),
        });
        if position < active.end {
            return Ok(());
        }
        active.end = position.behind();
        active.entries.push((hash(source, id), position));
        if active.entries.len() >= limits::LEDGER_IDENTITIES { self.seal(position.partition()) } else { Ok(()) }
    }

    pub(super) fn kept_until(&self) -> Vec<Position> {
        let mut ends: BTreeMap<u32, Position> = BTreeMap::new();
        for run in self.runs.values() {
            let end = ends.entry(run.end.partition()).or_insert(run.end);
            *end = run.end.max(*end);
        }
        ends.into_values().collect()
    }

    pub(super) fn find(&self, source: Option<&str>, id: &str) -> io::Result<Vec<Position>> {
        let (low, high) = match source {
            Some(source) => (hash(source, id), hash(source, id)),
            None => (hash("", id) & !SOURCE_BITS, hash("", id) | SOURCE_BITS),
        };
        let mut found = Vec::new();
        for run in self.runs.values() {
            let entries = load(self.vfs.as_ref(), &run.path)?.unwrap_or_default();
            let begin = entries.partition_point(|&(hash, _)| hash < low);
            let hits = entries[begin..].iter().take_while(|&&(hash, _)| hash <= high);
            found.extend(hits.map(|&(_, offset)| run.end.with_offset(offset)));
        }
        for active in self.active.values() {
            let hits = active.entries.iter().filter(|&&(hash, _)| low <= hash && hash <= high);
            found.extend(hits.map(|&(_, position)| position));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    pub(super) fn trim(&mut self, start: &[Position]) -> io::Result<()> {
        let gone = |end: Position| start.iter().any(|first| first.partition() == end.partition() && end <= *first);
        let old: Vec<Position> = self.runs.iter().filter(|(_, run)| gone(run.end)).map(|(&first, _)| first).collect();
        // The last run of a partition stays: its end says from where on identities are still to be noted.
        let ends = self.kept_until();
        for first in old {
            if self.runs.get(&first).is_some_and(|run| !ends.contains(&run.end))
                && let Some(run) = self.runs.remove(&first)
            {
                self.vfs.remove(&run.path)?;
            }
        }
        Ok(())
    }

    /// Writes the run of a partition. What cannot be written stays in memory, and is tried with the next position.
    fn seal(&mut self, partition: u32) -> io::Result<()> {
        let Some(active) = self.active.get_mut(&partition) else { return Ok(()) };
        active.entries.sort_unstable();
        let mut bytes = Vec::with_capacity(active.entries.len() * ENTRY + 4);
        for (hash, position) in &active.entries {
            bytes.extend_from_slice(&hash.to_le_bytes());
            bytes.extend_from_slice(&position.to_key()[4..]);
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        let (first, end) = (active.first, active.end);
        let path = self.directory.join(format!("{}_{}{SUFFIX}", name(first), name(end)));
        if let Err(error) = write(self.vfs.as_ref(), &path, &bytes) {
            // What stays is no whole run, and is removed at the next start.
            let _ = self.vfs.remove(&path);
            return Err(error);
        }
        self.active.remove(&partition);
        self.runs.insert(first, Run { end, path });
        Ok(())
    }
}

fn write(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = crate::vfs::open_or_create(vfs, path)?;
    file.set_length(0)?;
    file.write_all_at(0, bytes)?;
    file.sync_all()
}

const SOURCE_BITS: u64 = (1 << 24) - 1;

fn hash(source: &str, id: &str) -> u64 {
    digest(id) & !SOURCE_BITS | digest(source) & SOURCE_BITS
}

fn digest(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// The entries of a run; none if the file is damaged.
fn load(vfs: &dyn Vfs, path: &Path) -> io::Result<Option<Vec<(u64, u64)>>> {
    let file = vfs.open(path)?;
    let mut bytes = vec![0; usize::try_from(file.length()?).map_err(io::Error::other)?];
    file.read_exact_at(0, &mut bytes)?;
    let Some((entries, checksum)) = bytes.split_last_chunk::<4>() else { return Ok(None) };
    if entries.len() % ENTRY != 0 || crc32c::crc32c(entries) != u32::from_le_bytes(*checksum) {
        return Ok(None);
    }
    let split = |entry: &[u8; ENTRY]| {
        let [a, b, c, d, e, f, g, h, offset @ ..] = *entry;
        (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_be_bytes(offset))
    };
    Ok(Some(entries.as_chunks::<ENTRY>().0.iter().map(split).collect()))
}

fn name(position: Position) -> String {
    position.to_string().replace(':', "-")
}

fn span(name: &str) -> Option<(Position, Position)> {
    let (first, end) = name.strip_suffix(SUFFIX)?.split_once('_')?;
    let position = |text: &str| text.replacen('-', ":", 1).parse::<Position>().ok();
    position(first).zip(position(end)).filter(|(first, end)| first.partition() == end.partition())
}
