//! Begin and end of a segment file. Pure.
//!
//! ```text
//!   header (64): magic │ version │ salt │ epoch │ broker │ base offset │ 0 │ CRC32C
//!   frames
//!   footer: index entries │ summary │ CRC32C │ length │ magic      only once the segment is sealed
//! ```
//! The salt is in the footer and in the manifest too, so that a damaged header costs no records.

use bytes::{Buf, BufMut};

/// Bytes of a header.
pub(super) const HEADER: usize = 64;
/// Bytes at the very end of a sealed segment that tell how long its footer is.
pub(super) const TRAILER: usize = 16;
const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"fnctlSEG";
const END_MAGIC: &[u8; 8] = b"fnctlEND";
const ENTRY: usize = 24;
const SUMMARY: usize = 52;

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Seeds the checksums of its frames.
    pub(super) salt: u32,
    /// Epoch of the log when the segment was made.
    pub(super) epoch: u64,
    /// Whose log it is: the first bytes of the SHA-256 of the broker's uid.
    pub(super) broker: [u8; 16],
    /// Offset of its first record.
    pub(super) base: u64,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.put_slice(MAGIC);
        bytes.put_u32_le(VERSION);
        bytes.put_u32_le(self.salt);
        bytes.put_u64_le(self.epoch);
        bytes.put_slice(&self.broker);
        bytes.put_u64_le(self.base);
        bytes.resize(HEADER - 4, 0);
        bytes.put_u32_le(crc32c::crc32c(&bytes));
        let mut header = [0; HEADER];
        header.copy_from_slice(&bytes);
        header
    }

    pub(super) fn decode(header: &[u8; HEADER]) -> Option<Self> {
        let (content, checksum) = header.split_last_chunk::<4>()?;
        let mut content = content.strip_prefix(MAGIC)?;
        let whole = crc32c::crc32c(&header[..HEADER - 4]) == u32::from_le_bytes(*checksum);
        if content.get_u32_le() != VERSION || !whole {
            return None;
        }
        let salt = content.get_u32_le();
        let epoch = content.get_u64_le();
        let mut broker = [0; 16];
        content.copy_to_slice(&mut broker);
        Some(Self { salt, epoch, broker, base: content.get_u64_le() })
    }
}

/// One place of a segment that a reader may begin at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Offset of the first record of the frame.
    pub(super) offset: u64,
    /// Where the frame is in the file.
    pub(super) place: u64,
    /// When it was appended.
    pub(super) appended_at_ms: i64,
}

/// What a sealed segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    /// As in the header.
    pub(super) salt: u32,
    /// The offset behind its last record.
    pub(super) next: u64,
    /// Where its frames end in the file.
    pub(super) frames_end: u64,
    /// When its first frame was appended; 0 if it has none.
    pub(super) first_ms: i64,
    /// When its last frame was appended; 0 if it has none.
    pub(super) last_ms: i64,
    /// Epoch of the log when it was sealed.
    pub(super) epoch: u64,
    /// CRC32C over the checksums of all frames, in order: a frame that was left out or moved shows.
    pub(super) frames_checksum: u32,
    /// Sparse, in order.
    pub(super) index: Vec<Entry>,
}

impl Footer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.index.len() * ENTRY + SUMMARY + TRAILER);
        for entry in &self.index {
            bytes.put_u64_le(entry.offset);
            bytes.put_u64_le(entry.place);
            bytes.put_i64_le(entry.appended_at_ms);
        }
        bytes.put_u32_le(self.salt);
        bytes.put_u64_le(self.next);
        bytes.put_u64_le(self.frames_end);
        bytes.put_i64_le(self.first_ms);
        bytes.put_i64_le(self.last_ms);
        bytes.put_u64_le(self.epoch);
        bytes.put_u32_le(self.frames_checksum);
        bytes.put_u32_le(u32::try_from(self.index.len()).unwrap_or(u32::MAX));
        let length = u32::try_from(bytes.len() + TRAILER).unwrap_or(u32::MAX);
        let checksum = crc32c::crc32c_append(length, &bytes);
        bytes.put_u32_le(checksum);
        bytes.put_u32_le(length);
        bytes.put_slice(END_MAGIC);
        bytes
    }

    /// The length of the footer that the last bytes of a file announce.
    pub(super) fn announced(trailer: &[u8; TRAILER]) -> Option<usize> {
        let length = trailer.strip_suffix(END_MAGIC)?.last_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*length)).ok().filter(|&length| length >= SUMMARY + TRAILER)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (content, trailer) = bytes.split_last_chunk::<TRAILER>()?;
        let length = Self::announced(trailer).filter(|&length| length == bytes.len())?;
        let checksum = crc32c::crc32c_append(u32::try_from(length).ok()?, content);
        if checksum.to_le_bytes() != trailer[..4] {
            return None;
        }
        let (mut entries, mut summary) = content.split_at_checked(content.len().checked_sub(SUMMARY)?)?;
        let mut index = Vec::with_capacity(entries.len() / ENTRY);
        while entries.len() >= ENTRY {
            let offset = entries.get_u64_le();
            let place = entries.get_u64_le();
            index.push(Entry { offset, place, appended_at_ms: entries.get_i64_le() });
        }
        Some(Self {
            salt: summary.get_u32_le(),
            next: summary.get_u64_le(),
            frames_end: summary.get_u64_le(),
            first_ms: summary.get_i64_le(),
            last_ms: summary.get_i64_le(),
            epoch: summary.get_u64_le(),
            frames_checksum: summary.get_u32_le(),
            index: (summary.get_u32_le() as usize == index.len()).then_some(index)?,
        })
    }
}
