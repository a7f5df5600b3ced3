//! What must be known of a log before its segments are read: where it begins, which segment is written, and how far it
//! was durable. Two slots in one file, written in turn and synced, so that one of them is always whole.

use crate::vfs::{File, Vfs, open_or_create};
use bytes::{Buf, BufMut};
use std::io;
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "manifest";
const MAGIC: &[u8; 8] = b"fnctlLOG";
const VERSION: u32 = 1;
const SLOT: usize = 512;
/// Slots are apart by a page, so that no write touches both.
const SLOT_PLACES: [u64; 2] = [0, 4_096];

/// The content of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Raised by each unclean start.
    pub(super) epoch: u64,
    /// First offset that is retained; segments before it are gone, even if their files came back.
    pub(super) start: u64,
    /// Base offset of the segment that is written; one with a greater base was never written to.
    pub(super) active: u64,
    /// Salt of that segment.
    pub(super) salt: u32,
    /// All records before this offset were durable.
    pub(super) durable: u64,
    /// How the log was left.
    pub(super) ending: Ending,
}

/// How a log was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is open, or its process died.
    Open,
    /// It was closed: `durable` is its very end.
    Closed,
}

/// The file.
#[derive(Debug)]
pub(super) struct Manifest {
    file: Arc<dyn File>,
    sequence: u64,
    pub(super) facts: Facts,
}

/// What a manifest file said.
#[derive(Debug)]
pub(super) struct Found {
    /// The newest whole slot; none in a new file, or if both are damaged.
    pub(super) newest: Option<(u64, Facts)>,
    /// Slots that hold something that is not whole. One is normal after a power cut.
    pub(super) damaged: usize,
    pub(super) file: Arc<dyn File>,
}

impl Manifest {
    pub(super) fn find(vfs: &dyn Vfs, directory: &Path) -> io::Result<Found> {
        let file = open_or_create(vfs, &directory.join(NAME))?;
        let (mut newest, mut damaged): (Option<(u64, Facts)>, usize) = (None, 0);
        for place in SLOT_PLACES {
            let mut slot = [0; SLOT];
            match file.read_exact_at(place, &mut slot) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                read => read?,
            }
            match decode(&slot) {
                Some(found) if newest.is_none_or(|(sequence, _)| sequence < found.0) => newest = Some(found),
                Some(_) => {}
                None => damaged += usize::from(slot != [0; SLOT]),
            }
        }
        Ok(Found { newest, damaged, file })
    }

    /// Goes on behind what was found, with these facts, and writes them.
    pub(super) fn begin(found: Found, facts: Facts) -> io::Result<Self> {
        let sequence = found.newest.map_or(0, |(sequence, _)| sequence);
        let mut manifest = Self { file: found.file, sequence, facts };
        manifest.write(facts)?;
        Ok(manifest)
    }

    /// Durable when it returns. Where there was no room for it the other slot still says what was so, and this one is
    /// written again the next time.
    pub(super) fn write(&mut self, facts: Facts) -> io::Result<()> {
        let sequence = self.sequence + 1;
        let place = SLOT_PLACES[usize::from(sequence.is_multiple_of(2))];
        self.file.write_all_at(place, &encode(sequence, &facts))?;
        // A sync that failed is never a want of room that passes, whatever it says.
        self.file.sync_data().map_err(|error| io::Error::other(format!("a sync of the manifest: {error}")))?;
        self.sequence = sequence;
        self.facts = facts;
        Ok(())
    }
}

fn encode(sequence: u64, facts: &Facts) -> [u8; SLOT] {
    let mut bytes = Vec::with_capacity(SLOT);
    bytes.put_slice(MAGIC);
    bytes.put_u32_le(VERSION);
    bytes.put_u32_le(facts.salt);
    for number in [sequence, facts.epoch, facts.start, facts.active, facts.durable] {
        bytes.put_u64_le(number);
    }
    bytes.put_u8(u8::from(facts.ending == Ending::Closed));
    bytes.resize(SLOT - 4, 0);
    bytes.put_u32_le(crc32c::crc32c(&bytes));
    let mut slot = [0; SLOT];
    slot.copy_from_slice(&bytes);
    slot
}

fn decode(slot: &[u8; SLOT]) -> Option<(u64, Facts)> {
    let (content, checksum) = slot.split_last_chunk::<4>()?;
    let mut rest = content.strip_prefix(MAGIC)?;
    if crc32c::crc32c(content) != u32::from_le_bytes(*checksum) || rest.get_u32_le() != VERSION {
        return None;
    }
    let salt = rest.get_u32_le();
    let sequence = rest.get_u64_le();
    let epoch = rest.get_u64_le();
    let start = rest.get_u64_le();
    let active = rest.get_u64_le();
    let durable = rest.get_u64_le();
    let ending = if rest.get_u8() == 1 { Ending::Closed } else { Ending::Open };
    Some((sequence, Facts { epoch, start, active, salt, durable, ending }))
}
