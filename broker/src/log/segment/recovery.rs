//! Opens a log: loads what is there, tells a torn end from damage, and makes everything durable before it is served.
//!
//! One batch is in flight to disk at a time, so a whole frame behind a broken one proves damage, and so does an end that
//! lies before the durable offset noted in the manifest. Only what is broken at the very end, with nothing whole behind
//! it, is a torn write. Torn ends are cut; damaged ranges stay where they are, and everything else is served.
//! After an unclean end the segment that was written is rewritten from the durable offset on and synced, since what was
//! read back may live in the page cache alone; then it is sealed, and a new segment begins under the next epoch.

use super::files::{self, Loaded, Segment, Segments, Soundness};
use super::layout::{HEADER, Header};
use super::manifest::{Ending, Facts, Found, Manifest};
use super::shared::Shared;
use super::writer::Writer;
use super::{Damage, OpenError, Options, Recovery};
use crate::vfs::{Lock, Vfs};
use fnctl_config::snapshot::Retention;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

const REWRITE_CHUNK: u64 = 1 << 20;

/// Where the log is and whose it is.
pub(super) struct Place<'a> {
    pub(super) vfs: &'a Arc<dyn Vfs>,
    pub(super) directory: &'a Path,
    pub(super) broker: &'a str,
}

/// Opens or makes the log. Nothing of it is served before this returns.
pub(super) fn open(place: &Place<'_>, options: Options, retention: Retention) -> Result<(Writer, Recovery), OpenError> {
    let Place { vfs, directory, .. } = *place;
    vfs.create_directory(directory)?;
    let lock = lock(vfs.as_ref(), directory)?;
    let found = Manifest::find(vfs.as_ref(), directory)?;
    let mut report = Recovery { damaged_manifest_slots: found.damaged, ..Recovery::default() };
    let facts = match found.newest {
        Some((_, facts)) => Some(facts),
        None => guess(place, &mut report)?,
    };
    let Some(facts) = facts else {
        report = Recovery { clean: found.damaged == 0, epoch: 1, ..report };
        return begin(place, options, retention, (found, lock)).map(|writer| (writer, report));
    };
    let mut bases = remove_strays(place, &facts)?;
    let active_base = bases.pop_if(|base| *base >= facts.active);
    let mut segments = VecDeque::new();
    for base in bases {
        segments.push_back(load_sealed(place, base, &facts, &mut report)?);
    }
    let active = load_active(place, active_base, &facts, &mut report)?;
    note_gaps(&facts, segments.iter().chain(active.as_ref().map(|active| &active.segment)), &mut report);
    let writer = settle(place, (options, retention), Settled { found, lock, facts, segments, active }, &mut report)?;
    Ok((writer, report))
}

/// What was loaded, before it is made ready for appends.
struct Settled {
    found: Found,
    lock: Lock,
    facts: Facts,
    segments: VecDeque<Segment>,
    active: Option<Active>,
}

struct Active {
    segment: Segment,
    /// The offset behind everything that was ever acknowledged.
    next: u64,
    /// Something is lost in it, or its end is sealed already: appends need another segment.
    closed: Closed,
    undurable_from: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closed {
    No,
    Yes,
}

fn settle(
    place: &Place<'_>,
    (options, retention): (Options, Retention),
    settled: Settled,
    report: &mut Recovery,
) -> Result<Writer, OpenError> {
    let Place { vfs, directory, broker } = *place;
    let Settled { found, lock, facts, segments, active } = settled;
    let clean = facts.ending == Ending::Closed && found.damaged == 0;
    report.clean = clean;
    let epoch = if clean { facts.epoch } else { facts.epoch + 1 };
    report.epoch = epoch;
    let next = active.as_ref().map(|active| active.next).or(segments.back().map(|last| last.next));
    let next = next.unwrap_or(facts.start).max(facts.durable);
    let last_ms =
        segments.iter().chain(active.as_ref().map(|active| &active.segment)).map(|segment| segment.last_ms).max();
    let must_roll = match &active {
        Some(active) if !clean => {
            rewrite(&active.segment, active.undurable_from)?;
            !active.segment.is_empty() || active.closed == Closed::Yes
        }
        Some(active) => active.closed == Closed::Yes,
        None => false,
    };
    let header = Header { salt: rand::random(), epoch, broker: identity(broker), base: next };
    let active = match active {
        Some(Active { segment, .. }) if must_roll || clean => segment,
        Some(Active { segment, .. }) => {
            let header = Header { salt: segment.salt, base: segment.base, ..header };
            segment.file.write_all_at(0, &header.encode())?;
            segment.file.sync_all()?;
            segment
        }
        None => Segment::create(vfs.as_ref(), directory, &header)?,
    };
    let Facts { start, .. } = facts;
    let facts = Facts { epoch, durable: next, active: active.base, salt: active.salt, ending: Ending::Open, start };
    let manifest = Manifest::begin(found, facts)?;
    let shared = Arc::new(Shared::new(Segments { sealed: segments, active }, start));
    let (vfs, directory) = (Arc::clone(vfs), directory.to_owned());
    let last_ms = last_ms.unwrap_or(0);
    let broker = header.broker;
    let mut writer = Writer {
        vfs,
        directory,
        broker,
        options,
        retention,
        manifest,
        shared,
        last_ms,
        buffer: Vec::new(),
        _lock: lock,
    };
    if must_roll {
        writer.roll_to(next).map_err(|error| OpenError::Roll(error.to_string()))?;
        writer.shared.next.send_replace(vec![super::at(next)]);
    }
    Ok(writer)
}

/// Makes an empty log.
fn begin(
    place: &Place<'_>,
    options: Options,
    retention: Retention,
    (found, lock): (Found, Lock),
) -> Result<Writer, OpenError> {
    let Place { vfs, directory, broker } = *place;
    let header = Header { salt: rand::random(), epoch: 1, broker: identity(broker), base: 0 };
    let segment = Segment::create(vfs.as_ref(), directory, &header)?;
    let facts = Facts { epoch: 1, start: 0, active: 0, salt: header.salt, durable: 0, ending: Ending::Open };
    let manifest = Manifest::begin(found, facts)?;
    let shared = Arc::new(Shared::new(Segments { sealed: VecDeque::new(), active: segment }, 0));
    Ok(Writer {
        vfs: Arc::clone(vfs),
        directory: directory.to_owned(),
        broker: header.broker,
        options,
        retention,
        manifest,
        shared,
        last_ms: 0,
        buffer: Vec::new(),
        _lock: lock,
    })
}

/// What can be said without a manifest: nothing of an empty log, else what the segments show.
fn guess(place: &Place<'_>, report: &mut Recovery) -> Result<Option<Facts>, OpenError> {
    let Place { vfs, directory, .. } = *place;
    let bases = files::list(vfs.as_ref(), directory)?;
    let mut written = false;
    let mut epoch = 0;
    let mut salt = 0;
    for &base in &bases {
        let file = vfs.open(&files::path(directory, base))?;
        written |= file.length()? > HEADER as u64;
        if let Some(header) = files::header(&file)? {
            epoch = header.epoch.max(epoch);
            salt = header.salt;
        }
    }
    match (bases.first(), bases.last()) {
        (Some(&start), Some(&active)) if written => {
            report.manifest_lost = true;
            Ok(Some(Facts { epoch, start, active, salt, durable: 0, ending: Ending::Open }))
        }
        _ => {
            for base in bases {
                vfs.remove(&files::path(directory, base))?;
            }
            Ok(None)
        }
    }
}

/// Removes files that came back after they were dropped, and one that was made and never written to.
fn remove_strays(place: &Place<'_>, facts: &Facts) -> Result<Vec<u64>, OpenError> {
    let Place { vfs, directory, broker } = *place;
    let mut kept = Vec::new();
    for base in files::list(vfs.as_ref(), directory)? {
        let path = files::path(directory, base);
        let file = vfs.open(&path)?;
        if let Some(header) = files::header(&file)?
            && header.broker != identity(broker)
        {
            return Err(OpenError::Foreign { directory: directory.display().to_string(), broker: broker.to_owned() });
        }
        let unused = base > facts.active && file.length()? <= HEADER as u64;
        if base < facts.start || unused { vfs.remove(&path)? } else { kept.push(base) }
    }
    Ok(kept)
}

fn load_sealed(place: &Place<'_>, base: u64, facts: &Facts, report: &mut Recovery) -> Result<Segment, OpenError> {
    let file = place.vfs.open(&files::path(place.directory, base))?;
    let loaded = match Segment::load_sealed(&file, base)? {
        Some(loaded) => loaded,
        None => {
            report.damaged_files += 1;
            Segment::load(&file, base, None, facts.durable)?
        }
    };
    note_loaded(&loaded, report);
    Ok(loaded.segment)
}

/// Loads the segment that was written last; none if it is missing.
fn load_active(
    place: &Place<'_>,
    base: Option<u64>,
    facts: &Facts,
    report: &mut Recovery,
) -> Result<Option<Active>, OpenError> {
    let Some(base) = base else { return Ok(None) };
    let file = place.vfs.open(&files::path(place.directory, base))?;
    let salt = (base == facts.active).then_some(facts.salt);
    let sealed = Segment::load_sealed(&file, base)?.map(|loaded| loaded.segment).filter(|sealed| sealed.next > base);
    let durable = sealed.as_ref().map_or(facts.durable, |sealed| sealed.next.max(facts.durable));
    let loaded = Segment::load(&file, base, salt, facts.durable)?;
    let lost_end = loaded.segment.next < durable;
    let never_written = loaded.segment.is_empty() && durable <= base;
    if !never_written {
        note_loaded(&loaded, report);
    }
    let torn = loaded.trailing_bytes > 0 && !lost_end && (facts.ending == Ending::Open || never_written);
    if torn {
        report.torn_bytes = loaded.trailing_bytes;
        file.set_length(loaded.segment.frames_end)?;
        file.sync_all()?;
    }
    if lost_end {
        report.damaged.push(Damage::from((loaded.segment.next, durable)));
    }
    let damaged = lost_end || !loaded.damaged.is_empty() || (loaded.trailing_bytes > 0 && !torn);
    let closed = if sealed.is_some() || damaged { Closed::Yes } else { Closed::No };
    let mut segment = loaded.segment;
    let next = segment.next.max(durable);
    match sealed {
        Some(sealed) => segment = sealed,
        // What is there stays as it is: the footer goes behind it.
        None if damaged => segment.keep_all()?,
        None => {}
    }
    report.damaged_files += usize::from(damaged);
    Ok(Some(Active { segment, next, closed, undurable_from: loaded.undurable_from }))
}

fn note_loaded(loaded: &Loaded, report: &mut Recovery) {
    if loaded.frame_of_file == Soundness::Damaged {
        report.damaged_files += 1;
    }
    report.damaged.extend(loaded.damaged.iter().copied().map(Damage::from));
}

/// Offsets for which there is no file.
fn note_gaps<'a>(facts: &Facts, segments: impl Iterator<Item = &'a Segment>, report: &mut Recovery) {
    let mut expected = facts.start;
    for segment in segments {
        if segment.base > expected {
            report.damaged.push(Damage::from((expected, segment.base)));
        }
        expected = segment.next;
    }
}

/// Writes the same bytes again and syncs them. A sync alone would not do: after a sync that failed, the system counts
/// pages as clean that never reached the disk.
fn rewrite(segment: &Segment, from: u64) -> io::Result<()> {
    let end = segment.file.length()?;
    let mut place = from.min(end);
    let mut chunk = vec![0; usize::try_from(REWRITE_CHUNK.min(end - place)).map_err(io::Error::other)?];
    while place < end {
        let length = usize::try_from(REWRITE_CHUNK.min(end - place)).map_err(io::Error::other)?;
        segment.file.read_exact_at(place, &mut chunk[..length])?;
        segment.file.write_all_at(place, &chunk[..length])?;
        place += length as u64;
    }
    segment.file.sync_all()
}

fn identity(broker: &str) -> [u8; 16] {
    let mut identity = [0; 16];
    identity.copy_from_slice(&Sha256::digest(broker.as_bytes())[..16]);
    identity
}

pub(super) fn lock(vfs: &dyn Vfs, directory: &Path) -> Result<Lock, OpenError> {
    vfs.lock(&directory.join("lock")).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked(directory.display().to_string()),
        _ => OpenError::Io(error),
    })
}
