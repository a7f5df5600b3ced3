//! The unit of the log on disk: one group commit. Pure.
//!
//! ```text
//!   0       4        8        12      16       24          32      40
//!   magic │ CRC32C │ length │ count │ offset │ append ms │ epoch │ records...      record: length │ CRC32C │ bytes
//! ```
//! The checksum covers everything behind it and begins with the segment's salt, which never leaves the disk: bytes of an
//! event that look like a frame are none. Numbers are little-endian.

use bytes::{Buf, BufMut, Bytes};

/// Bytes before the first record.
pub(super) const HEAD: usize = 40;
/// Bytes before each record.
pub(super) const RECORD_HEAD: usize = 8;
const MAGIC: u32 = u32::from_le_bytes(*b"FNb1");

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Offset of the first record.
    pub(super) base: u64,
    /// Records in it.
    pub(super) count: u32,
    /// When it was appended, in milliseconds since 1970.
    pub(super) appended_at_ms: i64,
    /// The epoch of the log when it was written.
    pub(super) epoch: u64,
}

impl Head {
    /// The offset behind the last record.
    pub(super) fn end(&self) -> u64 {
        self.base.saturating_add(u64::from(self.count))
    }
}

/// Bytes that the records take as a frame.
pub(super) fn length(records: &[Bytes]) -> usize {
    HEAD + records.iter().map(|record| RECORD_HEAD + record.len()).sum::<usize>()
}

/// Writes a frame into `out`, which is emptied before.
pub(super) fn encode(head: Head, records: &[Bytes], salt: u32, out: &mut Vec<u8>) {
    out.clear();
    out.put_u32_le(MAGIC);
    out.put_u32_le(0);
    out.put_u32_le(u32::try_from(length(records)).unwrap_or(u32::MAX));
    out.put_u32_le(head.count);
    out.put_u64_le(head.base);
    out.put_i64_le(head.appended_at_ms);
    out.put_u64_le(head.epoch);
    for record in records {
        out.put_u32_le(u32::try_from(record.len()).unwrap_or(u32::MAX));
        out.put_u32_le(crc32c::crc32c(record));
        out.put_slice(record);
    }
    let checksum = crc32c::crc32c_append(salt, &out[8..]);
    out[4..8].copy_from_slice(&checksum.to_le_bytes());
}

/// How many bytes the frame at the begin of `bytes` claims to have; none if no frame begins here.
pub(super) fn claimed_length(bytes: &[u8]) -> Option<usize> {
    let mut head = bytes.get(..HEAD)?;
    (head.get_u32_le() == MAGIC).then_some(())?;
    head.advance(4);
    usize::try_from(head.get_u32_le()).ok().filter(|&length| length >= HEAD)
}

/// The frame at the begin of `bytes` and its length, if it is whole.
pub(super) fn check(bytes: &[u8], salt: u32) -> Option<(Head, usize)> {
    let length = claimed_length(bytes)?;
    let frame = bytes.get(..length)?;
    let mut head = &frame[4..HEAD];
    if head.get_u32_le() != crc32c::crc32c_append(salt, &frame[8..]) {
        return None;
    }
    head.advance(4);
    let count = head.get_u32_le();
    let base = head.get_u64_le();
    let appended_at_ms = head.get_i64_le();
    Some((Head { base, count, appended_at_ms, epoch: head.get_u64_le() }, length))
}

/// The records of a frame that was checked; none if they do not add up, which a checked frame never shows.
pub(super) fn records(frame: &Bytes, head: &Head) -> Option<Vec<Bytes>> {
    let mut rest = frame.slice(HEAD..);
    let mut records = Vec::with_capacity(head.count.min(1 << 16) as usize);
    while rest.len() >= RECORD_HEAD {
        let length = rest.get_u32_le() as usize;
        let checksum = rest.get_u32_le();
        let record = (rest.len() >= length).then(|| rest.split_to(length))?;
        (crc32c::crc32c(&record) == checksum).then_some(())?;
        records.push(record);
    }
    (rest.is_empty() && records.len() == head.count as usize).then_some(records)
}

/// The first whole frame in `bytes` that begins with an offset of at least `least`, and where it is.
pub(super) fn find(bytes: &[u8], salt: u32, least: u64) -> Option<(usize, Head)> {
    let magic = MAGIC.to_le_bytes();
    let begins = bytes.windows(4).enumerate().filter(|(_, window)| **window == magic);
    begins.map(|(place, _)| place).find_map(|place| {
        let (head, _) = check(&bytes[place..], salt)?;
        (head.base >= least).then_some((place, head))
    })
}
