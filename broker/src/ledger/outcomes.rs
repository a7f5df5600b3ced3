//! The stream of outcomes: fixed records in files of `limits::LEDGER_FILE_RECORDS`.
//!
//! ```text
//!   0        12         16        20        24       26     27   28       36    44      48
//!   position │ trigger  │ attempt │ duration │ status │ verdict │ 0 │ at    │ 0   │ CRC32C │
//! ```
//! Triggers are numbered by a small dictionary beside it, one JSON string a line, synced before a number is used.

use super::{Outcome, Verdict};
use crate::log::Position;
use crate::vfs::{File, Vfs, open_or_create};
use fnctl_config::limits;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const RECORD: usize = 48;
const SUFFIX: &str = ".outcomes";
const DICTIONARY: &str = "triggers.names";

#[derive(Debug)]
pub(super) struct Outcomes {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    files: BTreeMap<u64, Segment>,
    waiting: Vec<u8>,
    names: Names,
}

/// One file, and the positions that its records speak of, per partition.
#[derive(Debug)]
struct Segment {
    file: Arc<dyn File>,
    records: usize,
    span: BTreeMap<u32, (Position, Position)>,
}

impl Outcomes {
    pub(super) fn open(vfs: &Arc<dyn Vfs>, directory: &Path) -> io::Result<Self> {
        let names = Names::open(vfs, directory)?;
        let mut files = BTreeMap::new();
        for name in vfs.list(directory)? {
            let Some(number) = name.strip_suffix(SUFFIX).and_then(|number| number.parse().ok()) else { continue };
            files.insert(number, Segment::open(vfs.open(&directory.join(name))?)?);
        }
        Ok(Self { vfs: Arc::clone(vfs), directory: directory.to_owned(), files, waiting: Vec::new(), names })
    }

    pub(super) fn record(&mut self, outcome: &Outcome) -> io::Result<()> {
        let trigger = self.names.number(&outcome.trigger)?;
        self.waiting.extend_from_slice(&encode(outcome, trigger));
        if self.waiting.len() >= limits::LEDGER_BUFFER * RECORD { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            let segment = self.active()?;
            let room = limits::LEDGER_FILE_RECORDS - segment.records;
            let count = room.min(self.waiting.len() / RECORD);
            let bytes = &self.waiting[..count * RECORD];
            let Some(segment) = self.files.values_mut().next_back() else { return Ok(()) };
            segment.file.write_all_at((segment.records * RECORD) as u64, bytes)?;
            for record in bytes.as_chunks::<RECORD>().0 {
                segment.note(record);
            }
            self.waiting.drain(..count * RECORD);
        }
        Ok(())
    }

    pub(super) fn of(&self, position: Position) -> io::Result<Vec<Outcome>> {
        let mut found = Vec::new();
        for segment in self.files.values().filter(|segment| segment.may_hold(position)) {
            segment.scan(|record| found.extend(self.decode(record, position)))?;
        }
        for record in self.waiting.as_chunks::<RECORD>().0 {
            found.extend(self.decode(record, position));
        }
        Ok(found)
    }

    pub(super) fn trim(&mut self, start: &[Position]) -> io::Result<()> {
        let newest = self.files.keys().next_back().copied();
        let old =
            |(&number, segment): (&u64, &Segment)| (Some(number) != newest && segment.before(start)).then_some(number);
        for number in self.files.iter().filter_map(old).collect::<Vec<_>>() {
            self.vfs.remove(&self.path(number))?;
            self.files.remove(&number);
        }
        Ok(())
    }

    /// The file that takes the next record.
    fn active(&mut self) -> io::Result<&Segment> {
        let full = self.files.last_key_value().is_none_or(|(_, last)| last.records >= limits::LEDGER_FILE_RECORDS);
        if full {
            let number = self.files.last_key_value().map_or(0, |(last, _)| last + 1);
            let file = self.vfs.create(&self.path(number))?;
            self.vfs.sync_directory(&self.directory)?;
            self.files.insert(number, Segment { file, records: 0, span: BTreeMap::new() });
        }
        self.files.values().next_back().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn decode(&self, record: &[u8; RECORD], position: Position) -> Option<Outcome> {
        if place(record) != position || !is_whole(record) {
            return None;
        }
        decode(record, |number| self.names.name(number))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:012}{SUFFIX}"))
    }
}

impl Segment {
    /// Counts whole records; what is behind the last one is overwritten by the next. Damaged records inside are skipped.
    fn open(file: Arc<dyn File>) -> io::Result<Self> {
        let mut segment = Self { file, records: 0, span: BTreeMap::new() };
        let mut whole = 0;
        let mut seen = 0;
        let mut span = BTreeMap::new();
        segment.records = usize::try_from(segment.file.length()?).unwrap_or(usize::MAX) / RECORD;
        segment.scan(|record| {
            seen += 1;
            if is_whole(record) {
                whole = seen;
                widen(&mut span, place(record));
            }
        })?;
        segment.records = whole;
        segment.span = span;
        Ok(segment)
    }

    fn note(&mut self, record: &[u8; RECORD]) {
        self.records += 1;
        widen(&mut self.span, place(record));
    }

    fn scan(&self, mut each: impl FnMut(&[u8; RECORD])) -> io::Result<()> {
        const AT_ONCE: usize = 1_024;
        let mut buffer = vec![0; AT_ONCE * RECORD];
        let mut read = 0;
        while read < self.records {
            let count = AT_ONCE.min(self.records - read);
            let bytes = &mut buffer[..count * RECORD];
            self.file.read_exact_at((read * RECORD) as u64, bytes)?;
            bytes.as_chunks::<RECORD>().0.iter().for_each(&mut each);
            read += count;
        }
        Ok(())
    }

    fn may_hold(&self, position: Position) -> bool {
        self.span.get(&position.partition()).is_some_and(|&(first, last)| first <= position && position <= last)
    }

    fn before(&self, start: &[Position]) -> bool {
        let gone = |last: Position| start.iter().any(|first| first.partition() == last.partition() && last < *first);
        self.span.values().all(|&(_, last)| gone(last))
    }
}

fn widen(span: &mut BTreeMap<u32, (Position, Position)>, position: Position) {
    let (first, last) = span.entry(position.partition()).or_insert((position, position));
    *first = position.min(*first);
    *last = position.max(*last);
}

/// Numbers of triggers, so that a record needs four bytes for one.
#[derive(Debug)]
struct Names {
    file: Arc<dyn File>,
    length: u64,
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn open(vfs: &Arc<dyn Vfs>, directory: &Path) -> io::Result<Self> {
        let file = open_or_create(vfs.as_ref(), &directory.join(DICTIONARY))?;
        let mut text = vec![0; usize::try_from(file.length()?).map_err(io::Error::other)?];
        file.read_exact_at(0, &mut text)?;
        let mut names = Self { file, length: 0, numbers: HashMap::new(), names: Vec::new() };
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let Ok(name) = serde_json::from_slice::<String>(line) else { break };
            if !line.ends_with(b"\n") {
                break;
            }
            names.length += line.len() as u64;
            names.keep(name);
        }
        Ok(names)
    }

    fn number(&mut self, name: &str) -> io::Result<u32> {
        if let Some(&number) = self.numbers.get(name) {
            return Ok(number);
        }
        let mut line = serde_json::to_vec(name)?;
        line.push(b'\n');
        self.file.write_all_at(self.length, &line)?;
        self.file.sync_data()?;
        self.length += line.len() as u64;
        Ok(self.keep(name.to_owned()))
    }

    fn keep(&mut self, name: String) -> u32 {
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.clone(), number);
        self.names.push(name);
        number
    }

    fn name(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize).map(String::as_str)
    }
}

fn encode(outcome: &Outcome, trigger: u32) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..12].copy_from_slice(&outcome.position.to_key());
    record[12..16].copy_from_slice(&trigger.to_le_bytes());
    record[16..20].copy_from_slice(&outcome.attempt.to_le_bytes());
    record[20..24].copy_from_slice(&outcome.duration_ms.to_le_bytes());
    record[24..26].copy_from_slice(&outcome.status.unwrap_or(0).to_le_bytes());
    record[26] = code(outcome.verdict);
    record[28..36].copy_from_slice(&outcome.at_ms.to_le_bytes());
    let checksum = crc32c::crc32c(&record[..44]);
    record[44..].copy_from_slice(&checksum.to_le_bytes());
    record
}

fn is_whole(record: &[u8; RECORD]) -> bool {
    crc32c::crc32c(&record[..44]).to_le_bytes() == record[44..]
}

fn place(record: &[u8; RECORD]) -> Position {
    Position::from_key(part(record, 0))
}

fn decode<'a>(record: &[u8; RECORD], name: impl FnOnce(u32) -> Option<&'a str>) -> Option<Outcome> {
    let status = u16::from_le_bytes(part(record, 24));
    Some(Outcome {
        position: place(record),
        trigger: name(u32::from_le_bytes(part(record, 12)))?.to_owned(),
        verdict: verdict(record[26])?,
        attempt: u32::from_le_bytes(part(record, 16)),
        status: (status != 0).then_some(status),
        duration_ms: u32::from_le_bytes(part(record, 20)),
        at_ms: i64::from_le_bytes(part(record, 28)),
    })
}

fn part<const N: usize>(record: &[u8; RECORD], from: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&record[from..from + N]);
    bytes
}

fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Delivered => 1,
        Verdict::Retrying => 2,
        Verdict::DeadLettered => 3,
        Verdict::Parked => 4,
        Verdict::Expired => 5,
        Verdict::Redriven => 6,
    }
}

fn verdict(code: u8) -> Option<Verdict> {
    use Verdict::{DeadLettered, Delivered, Expired, Parked, Redriven, Retrying};
    [Delivered, Retrying, DeadLettered, Parked, Expired, Redriven].into_iter().find(|&known| self::code(known) == code)
}
