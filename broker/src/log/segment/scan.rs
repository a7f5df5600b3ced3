//! Reads the frames of one segment in order, and finds the next whole one behind damage.

use super::frame::{self, Head};
use crate::vfs::File;
use bytes::Bytes;
use std::io;
use std::sync::Arc;

/// Bytes read at once; a frame may be larger.
const CHUNK: u64 = 256 << 10;

/// A reader of a stretch of a segment.
#[derive(Debug)]
pub(super) struct Scanner {
    file: Arc<dyn File>,
    salt: u32,
    /// Where the next frame should be.
    place: u64,
    /// Where the stretch ends.
    end: u64,
    /// The offset that the next frame should begin with.
    expected: u64,
    chunk: Bytes,
    chunk_place: u64,
}

/// What stands at the next place.
#[derive(Debug)]
pub(super) enum Piece {
    /// A whole frame.
    Frame(Frame),
    /// Bytes that are no frame, or a frame too far on: these offsets are missing.
    Damaged {
        /// The first offset that is missing.
        from: u64,
        /// The offset that the next whole frame begins with; none if there is no further one.
        to: Option<u64>,
    },
}

/// A whole frame and where it stands.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) head: Head,
    pub(super) place: u64,
    pub(super) bytes: Bytes,
}

impl Frame {
    /// The place behind it.
    pub(super) fn end(&self) -> u64 {
        self.place + self.bytes.len() as u64
    }

    /// Its checksum, as it stands in the file.
    pub(super) fn checksum(&self) -> [u8; 4] {
        self.bytes.get(4..8).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
    }
}

impl Scanner {
    /// Begins at `place`, where the frame with offset `expected` should be, and reads to before `end`.
    pub(super) fn new(file: &Arc<dyn File>, salt: u32, expected: u64, stretch: std::ops::Range<u64>) -> Self {
        let (place, end) = (stretch.start, stretch.end);
        Self { file: Arc::clone(file), salt, place, end, expected, chunk: Bytes::new(), chunk_place: place }
    }

    /// The next piece; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        if self.place >= self.end {
            return Ok(None);
        }
        let Some((head, length)) = self.whole_frame()? else { return self.behind_damage().map(Some) };
        if head.base < self.expected {
            return self.behind_damage().map(Some);
        }
        if head.base > self.expected {
            let piece = Piece::Damaged { from: self.expected, to: Some(head.base) };
            self.expected = head.base;
            return Ok(Some(piece));
        }
        let bytes = self.buffered().slice(..length);
        let frame = Frame { head, place: self.place, bytes };
        self.place = frame.end();
        self.expected = head.end();
        Ok(Some(Piece::Frame(frame)))
    }

    fn whole_frame(&mut self) -> io::Result<Option<(Head, usize)>> {
        self.fill(frame::HEAD as u64)?;
        let Some(length) = frame::claimed_length(&self.buffered()) else { return Ok(None) };
        if length as u64 > self.end - self.place {
            return Ok(None);
        }
        self.fill(length as u64)?;
        Ok(frame::check(&self.buffered(), self.salt))
    }

    /// Finds the next whole frame and goes there.
    fn behind_damage(&mut self) -> io::Result<Piece> {
        let (place, from) = (self.place, self.expected);
        self.fill(self.end - place)?;
        let rest = self.buffered();
        let found = rest.get(1..).and_then(|rest| frame::find(rest, self.salt, from));
        match found {
            Some((distance, head)) => {
                self.place += distance as u64 + 1;
                self.expected = head.base;
                Ok(Piece::Damaged { from, to: Some(head.base) })
            }
            None => {
                self.place = self.end;
                Ok(Piece::Damaged { from, to: None })
            }
        }
    }

    /// The bytes from `place` on that were read already.
    fn buffered(&self) -> Bytes {
        let skipped = usize::try_from(self.place.saturating_sub(self.chunk_place)).unwrap_or(usize::MAX);
        self.chunk.slice(skipped.min(self.chunk.len())..)
    }

    /// Reads on until `wanted` bytes from `place` on are there, or the stretch ends.
    fn fill(&mut self, wanted: u64) -> io::Result<()> {
        let wanted = wanted.min(self.end - self.place);
        if self.buffered().len() as u64 >= wanted {
            return Ok(());
        }
        let length = wanted.max(CHUNK).min(self.end - self.place);
        let mut chunk = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(self.place, &mut chunk)?;
        self.chunk = chunk.into();
        self.chunk_place = self.place;
        Ok(())
    }
}
