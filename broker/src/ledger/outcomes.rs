//! The stream of outcomes: fixed records in files of `limits::LEDGER_FILE_RECORDS`.
//!
//! ```text
//!   0          12        16        20         24       26        27       28   36      48         52       56    60
//!   position │ trigger │ attempt │ duration │ status │ verdict │ remark │ at │ reply │ instance │ waited │ bits │ CRC32C
//! ```
//! Triggers and instances are numbered by small dictionaries beside it, one JSON string a line, synced before a number is
//! used; instance 0 is none.

use super::{Before, Outcome, Replied, Verdict};
use crate::deliver::answer::Remark;
use crate::log::Position;
use crate::vfs::{File, Vfs, open_or_create};
use fnctl_config::limits;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const RECORD: usize = 64;
/// Where the checksum stands: behind all that it is of.
const CHECKSUM: usize = 60;
const SUFFIX: &str = ".outcomes";
const TRIGGERS: &str = "triggers.names";
const INSTANCES: &str = "instances.names";

#[derive(Debug)]
pub(super) struct Outcomes {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    files: BTreeMap<u64, Segment>,
    waiting: Vec<u8>,
    triggers: Names,
    instances: Names,
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
        let triggers = Names::open(vfs, &directory.join(TRIGGERS))?;
        let instances = Names::open(vfs, &directory.join(INSTANCES))?;
        let mut files = BTreeMap::new();
        for name in vfs.list(directory)? {
            let Some(number) = name.strip_suffix(SUFFIX).and_then(|number| number.parse().ok()) else { continue };
            files.insert(number, Segment::open(vfs.open(&directory.join(name))?)?);
        }
        Ok(Self {
            vfs: Arc::clone(vfs),
            directory: directory.to_owned(),
            files,
            waiting: Vec::new(),
            triggers,
            instances,
        })
    }

    pub(super) fn record(&mut self, outcome: &Outcome) -> io::Result<()> {
        let trigger = self.triggers.number(&outcome.trigger)?;
        let instance = match &outcome.instance {
            Some(instance) => self.instances.number(instance)?.saturating_add(1),
            None => 0,
        };
        if self.waiting.len() >= limits::LEDGER_BUFFER * RECORD {
            self.flush()?;
        }
        self.waiting.extend_from_slice(&encode(outcome, trigger, instance));
        Ok(())
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

    pub(super) fn with_verdict(
        &self,
        verdict: Verdict,
        trigger: Option<&str>,
        limit: usize,
    ) -> io::Result<Vec<Outcome>> {
        let mut found = VecDeque::new();
        let mut take = |record: &[u8; RECORD]| {
            if record[26] != code(verdict) || !is_whole(record) {
                return;
            }
            let Some(outcome) = self.read(record) else { return };
            if trigger.is_none_or(|trigger| trigger == outcome.trigger) {
                if found.len() == limit {
                    found.pop_front();
                }
                found.push_back(outcome);
            }
        };
        for segment in self.files.values() {
            segment.scan(&mut take)?;
        }
        self.waiting.as_chunks::<RECORD>().0.iter().for_each(take);
        Ok(found.into())
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
            while self.files.len() >= limits::LEDGER_FILES_MAX
                && let Some(&oldest) = self.files.keys().next()
            {
                self.vfs.remove(&self.path(oldest))?;
                self.files.remove(&oldest);
            }
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
        self.read(record)
    }

    fn read(&self, record: &[u8; RECORD]) -> Option<Outcome> {
        decode(record, |number| self.triggers.name(number), |number| self.instances.name(number))
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

/// Numbers of names, so that a record needs four bytes for one.
#[derive(Debug)]
struct Names {
    file: Arc<dyn File>,
    length: u64,
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn open(vfs: &Arc<dyn Vfs>, path: &Path) -> io::Result<Self> {
        let file = open_or_create(vfs.as_ref(), path)?;
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

fn encode(outcome: &Outcome, trigger: u32, instance: u32) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..12].copy_from_slice(&outcome.position.to_key());
    record[12..16].copy_from_slice(&trigger.to_le_bytes());
    record[16..20].copy_from_slice(&outcome.attempt.to_le_bytes());
    record[20..24].copy_from_slice(&outcome.duration_ms.to_le_bytes());
    record[24..26].copy_from_slice(&outcome.status.unwrap_or(0).to_le_bytes());
    record[26] = code(outcome.verdict);
    record[27] = remark_code(outcome.remark);
    record[28..36].copy_from_slice(&outcome.at_ms.to_le_bytes());
    record[48..52].copy_from_slice(&instance.to_le_bytes());
    record[52..56].copy_from_slice(&outcome.waited_ms.to_le_bytes());
    record[56] = match outcome.reply {
        Replied::Nothing => 0,
        Replied::Published(position) => {
            record[36..48].copy_from_slice(&position.to_key());
            PUBLISHED
        }
        Replied::Withheld => WITHHELD,
    };
    record[57] = u8::from(outcome.before == Before::Unknown);
    let checksum = crc32c::crc32c(&record[..CHECKSUM]);
    record[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
    record
}

const PUBLISHED: u8 = 1;
const WITHHELD: u8 = 2;

fn is_whole(record: &[u8; RECORD]) -> bool {
    crc32c::crc32c(&record[..CHECKSUM]).to_le_bytes() == record[CHECKSUM..]
}

fn place(record: &[u8; RECORD]) -> Position {
    Position::from_key(part(record, 0))
}

fn decode<'a>(
    record: &[u8; RECORD],
    trigger: impl FnOnce(u32) -> Option<&'a str>,
    instance: impl FnOnce(u32) -> Option<&'a str>,
) -> Option<Outcome> {
    let status = u16::from_le_bytes(part(record, 24));
    Some(Outcome {
        position: place(record),
        trigger: trigger(u32::from_le_bytes(part(record, 12)))?.to_owned(),
        verdict: verdict(record[26])?,
        attempt: u32::from_le_bytes(part(record, 16)),
        status: (status != 0).then_some(status),
        duration_ms: u32::from_le_bytes(part(record, 20)),
        waited_ms: u32::from_le_bytes(part(record, 52)),
        instance: u32::from_le_bytes(part(record, 48)).checked_sub(1).and_then(instance).map(str::to_owned),
        remark: remark(record[27])?,
        reply: match record[56] {
            PUBLISHED => Replied::Published(Position::from_key(part(record, 36))),
            WITHHELD => Replied::Withheld,
            _ => Replied::Nothing,
        },
        before: if record[57] == 0 { Before::Known } else { Before::Unknown },
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

fn remark_code(remark: Remark) -> u8 {
    match remark {
        Remark::None => 0,
        Remark::Status => 1,
        Remark::Unanswered => 2,
        Remark::Forbidden => 3,
        Remark::InvalidReply => 4,
        Remark::NoEvent => 5,
        Remark::IgnoredBody => 6,
    }
}

fn remark(code: u8) -> Option<Remark> {
    use Remark::{Forbidden, IgnoredBody, InvalidReply, NoEvent, None, Status, Unanswered};
    let all = [None, Status, Unanswered, Forbidden, InvalidReply, NoEvent, IgnoredBody];
    all.into_iter().find(|&known| remark_code(known) == code)
}
