//! The segment files of one log as values in memory, and how such a file is made, sealed and loaded.

use super::frame::Head;
use super::layout::{Entry, Footer, HEADER, Header, TRAILER};
use super::scan::{Frame, Piece, Scanner};
use crate::vfs::{File, Vfs};
use fnctl_config::limits;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SUFFIX: &str = ".seg";

/// One segment: its file and what a reader must know of it.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) file: Arc<dyn File>,
    pub(super) salt: u32,
    /// Offset of its first record.
    pub(super) base: u64,
    /// The offset behind its last record.
    pub(super) next: u64,
    /// Where its frames end in the file.
    pub(super) frames_end: u64,
    /// When its first frame was appended; 0 if it has none.
    pub(super) first_ms: i64,
    /// When its last frame was appended; 0 if it has none.
    pub(super) last_ms: i64,
    frames_checksum: u32,
    index: Vec<Entry>,
}

/// All segments of a log: those that are sealed, in order, and the one that is written.
#[derive(Debug)]
pub(super) struct Segments {
    pub(super) sealed: VecDeque<Segment>,
    pub(super) active: Segment,
}

impl Segments {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.sealed.iter().chain(std::iter::once(&self.active))
    }

    /// Another segment is written from now on.
    pub(super) fn roll(&mut self, new: Segment) {
        self.sealed.push_back(std::mem::replace(&mut self.active, new));
    }
}

/// A segment as it was found on disk.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) segment: Segment,
    /// Offsets that are missing inside of it.
    pub(super) damaged: Vec<(u64, u64)>,
    /// Bytes behind the last whole frame that are neither a frame nor the footer.
    pub(super) trailing_bytes: u64,
    /// Header or footer did not match its checksum; the records are not concerned.
    pub(super) frame_of_file: Soundness,
    /// Where the first frame stands that ends behind the durable offset asked for.
    pub(super) undurable_from: u64,
}

/// Whether header and footer are as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Soundness {
    /// They are; an unsealed segment has no footer.
    Sound,
    /// One of them is damaged.
    Damaged,
}

impl Segment {
    /// Makes the file of a segment; its name and header are durable when this returns.
    pub(super) fn create(vfs: &dyn Vfs, directory: &Path, header: &Header) -> io::Result<Self> {
        let file = vfs.create(&path(directory, header.base))?;
        file.write_all_at(0, &header.encode())?;
        file.sync_all()?;
        vfs.sync_directory(directory)?;
        Ok(Self::empty(file, header.salt, header.base))
    }

    pub(super) fn empty(file: Arc<dyn File>, salt: u32, base: u64) -> Self {
        Self {
            file,
            salt,
            base,
            next: base,
            frames_end: HEADER as u64,
            first_ms: 0,
            last_ms: 0,
            frames_checksum: 0,
            index: Vec::new(),
        }
    }

    /// Takes account of a frame that ends at `end` in the file.
    pub(super) fn note(&mut self, head: &Head, place: u64, end: u64, checksum: [u8; 4]) {
        if self.first_ms == 0 {
            self.first_ms = head.appended_at_ms;
        }
        self.last_ms = head.appended_at_ms;
        self.frames_checksum = crc32c::crc32c_append(self.frames_checksum, &checksum);
        let last = self.index.last().map(|entry| entry.place);
        if last.is_none_or(|last| place >= last + limits::EVENT_LOG_INDEX_GRAIN) {
            self.index.push(Entry { offset: head.base, place, appended_at_ms: head.appended_at_ms });
        }
        self.next = head.end();
        self.frames_end = end;
    }

    /// Writes the footer behind everything that is in the file; durable when it returns.
    pub(super) fn seal(&self, epoch: u64) -> io::Result<()> {
        let footer = Footer {
            salt: self.salt,
            next: self.next,
            frames_end: self.frames_end,
            first_ms: self.first_ms,
            last_ms: self.last_ms,
            epoch,
            frames_checksum: self.frames_checksum,
            index: self.index.clone(),
        };
        self.file.write_all_at(self.frames_end, &footer.encode())?;
        self.file.sync_all()
    }

    /// A reader of the frames that may hold `offset` and everything behind it.
    pub(super) fn scanner(&self, offset: u64) -> Scanner {
        let after = self.index.partition_point(|entry| entry.offset <= offset);
        self.scanner_from(after.checked_sub(1).and_then(|place| self.index.get(place)))
    }

    /// A reader of the frames that may be the first with at least this append time, and everything behind it.
    pub(super) fn scanner_at_time(&self, appended_at_ms: i64) -> Scanner {
        let after = self.index.partition_point(|entry| entry.appended_at_ms < appended_at_ms);
        self.scanner_from(after.checked_sub(1).and_then(|place| self.index.get(place)))
    }

    fn scanner_from(&self, entry: Option<&Entry>) -> Scanner {
        let (offset, place) = entry.map_or((self.base, HEADER as u64), |entry| (entry.offset, entry.place));
        Scanner::new(&self.file, self.salt, offset, place..self.frames_end)
    }

    /// Loads a sealed segment from its footer, without reading the frames; none if there is no whole footer.
    pub(super) fn load_sealed(file: &Arc<dyn File>, base: u64) -> io::Result<Option<Loaded>> {
        let length = file.length()?;
        let Some(footer) = footer(file, length)? else { return Ok(None) };
        let header = header(file)?.filter(|header| header.base == base && header.salt == footer.salt);
        let segment = Self {
            file: Arc::clone(file),
            salt: footer.salt,
            base,
            next: footer.next,
            frames_end: footer.frames_end,
            first_ms: footer.first_ms,
            last_ms: footer.last_ms,
            frames_checksum: footer.frames_checksum,
            index: footer.index,
        };
        let frame_of_file = if header.is_some() { Soundness::Sound } else { Soundness::Damaged };
        let undurable_from = segment.frames_end;
        Ok(Some(Loaded { segment, damaged: Vec::new(), trailing_bytes: 0, frame_of_file, undurable_from }))
    }

    /// Loads a segment by reading all of its frames. The salt given counts where the header is damaged.
    pub(super) fn load(file: &Arc<dyn File>, base: u64, salt: Option<u32>, durable: u64) -> io::Result<Loaded> {
        let length = file.length()?;
        let header = header(file)?.filter(|header| header.base == base);
        let footer = footer(file, length)?;
        let found = header.map(|header| header.salt).or(salt).or(footer.as_ref().map(|footer| footer.salt));
        let end = footer.as_ref().map_or(length, |footer| footer.frames_end);
        let salt = found.unwrap_or_default();
        let mut scanner = Scanner::new(file, salt, base, (HEADER as u64).min(end)..end);
        let mut segment = Self::empty(Arc::clone(file), salt, base);
        let mut damaged = Vec::new();
        let mut undurable_from = None;
        while let Some(piece) = scanner.next()? {
            match piece {
                Piece::Frame(frame) => {
                    if frame.head.end() > durable {
                        undurable_from.get_or_insert(frame.place);
                    }
                    segment.note_frame(&frame);
                }
                Piece::Damaged { from, to: Some(to), .. } => damaged.push((from, to)),
                Piece::Damaged { to: None, .. } => {}
            }
        }
        let frame_of_file = if header.is_some() { Soundness::Sound } else { Soundness::Damaged };
        let undurable_from = undurable_from.unwrap_or(segment.frames_end);
        let trailing_bytes = end.saturating_sub(segment.frames_end);
        Ok(Loaded { segment, damaged, trailing_bytes, frame_of_file, undurable_from })
    }

    /// Reads all frames and compares them with what is known of them. Answers the offsets that are missing.
    pub(super) fn verify(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut checksum = 0;
        let mut damaged = Vec::new();
        let mut scanner = Scanner::new(&self.file, self.salt, self.base, HEADER as u64..self.frames_end);
        while let Some(piece) = scanner.next()? {
            match piece {
                Piece::Frame(frame) => checksum = crc32c::crc32c_append(checksum, &frame.checksum()),
                Piece::Damaged { from, to, .. } => damaged.push((from, to.unwrap_or(self.next))),
            }
        }
        damaged.retain(|(from, to)| from < to);
        if damaged.is_empty() && checksum != self.frames_checksum {
            damaged.push((self.base, self.next));
        }
        Ok(damaged)
    }

    /// Counts everything that is in the file as its frames, so that the footer goes behind it and nothing is overwritten.
    pub(super) fn keep_all(&mut self) -> io::Result<()> {
        self.frames_end = self.file.length()?.max(HEADER as u64);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames_end == HEADER as u64
    }

    fn note_frame(&mut self, frame: &Frame) {
        self.note(&frame.head, frame.place, frame.end(), frame.checksum());
    }
}

/// The base offsets of all segment files, in order.
pub(super) fn list(vfs: &dyn Vfs, directory: &Path) -> io::Result<Vec<u64>> {
    let names = vfs.list(directory)?;
    let mut bases: Vec<u64> =
        names.iter().filter_map(|name| name.strip_suffix(SUFFIX).and_then(|base| base.parse().ok())).collect();
    bases.sort_unstable();
    Ok(bases)
}

pub(super) fn path(directory: &Path, base: u64) -> PathBuf {
    directory.join(format!("{base:020}{SUFFIX}"))
}

/// The header, if it is whole.
pub(super) fn header(file: &Arc<dyn File>) -> io::Result<Option<Header>> {
    let mut header = [0; HEADER];
    match file.read_exact_at(0, &mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(|()| Header::decode(&header)),
    }
}

fn footer(file: &Arc<dyn File>, length: u64) -> io::Result<Option<Footer>> {
    let Some(place) = length.checked_sub(TRAILER as u64) else { return Ok(None) };
    let mut trailer = [0; TRAILER];
    file.read_exact_at(place, &mut trailer)?;
    let Some(footer_length) = Footer::announced(&trailer) else { return Ok(None) };
    let Some(begin) = length.checked_sub(footer_length as u64) else { return Ok(None) };
    let mut bytes = vec![0; footer_length];
    file.read_exact_at(begin, &mut bytes)?;
    Ok(Footer::decode(&bytes).filter(|footer| (HEADER as u64..=begin).contains(&footer.frames_end)))
}
