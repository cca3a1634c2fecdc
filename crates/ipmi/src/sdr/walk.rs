//! Reading all records of a repository, in as few and as large parts as the BMC bears.
//!
//! The record ids, lengths and order all come from the BMC: every one of them is checked, and the number of records
//! and of lost reservations is bounded. What is wrong with one record costs that record.

use std::collections::HashSet;

use super::command::{
    DeviceSdrInfo, GetDeviceSdrInfo, GetSdr, GetSdrRepositoryInfo, LAST_RECORD, RepositoryInfo, ReserveSdr,
    SdrPart, Source,
};
use super::{HEADER, RecordProblem, Sdr, SdrRecord, Sensor};
use crate::{Command, CommandError, Completion, DecodeError, Procedure, Response, Step};

/// The most records that are read. Large machines have a few hundred.
pub const MAX_RECORDS: usize = 4096;
/// The most bytes that are asked for at once: those of a full sensor record behind its header, with the longest name.
const FIRST_CHUNK: u8 = 64;
/// The fewest bytes that are asked for at once.
const LAST_CHUNK: u8 = 4;
/// How often a reservation may be lost. Every other reader takes it over once per reservation of its own.
const MAX_LOSSES: u8 = 32;

/// What changes when records do: records that were kept with an equal stamp need not be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stamp {
    /// Of a repository.
    Repository {
        /// How many records it has.
        records: u16,
        /// When a record was last added, in seconds by the BMC's clock.
        last_addition: u32,
        /// When a record was last erased, in seconds by the BMC's clock.
        last_erase: u32,
    },
    /// Of a controller's own records.
    Device {
        /// How many sensors it has.
        sensors: u8,
        /// A number that changes when the sensors do; nothing for sensors that stay as they are.
        population: Option<u32>,
    },
}

impl From<&RepositoryInfo> for Stamp {
    fn from(info: &RepositoryInfo) -> Self {
        let RepositoryInfo { records, last_addition, last_erase, .. } = *info;
        Self::Repository { records, last_addition, last_erase }
    }
}

impl From<&DeviceSdrInfo> for Stamp {
    fn from(info: &DeviceSdrInfo) -> Self {
        Self::Device { sensors: info.sensors, population: info.population }
    }
}

impl Stamp {
    /// That of a source without records.
    const fn empty(source: Source) -> Self {
        match source {
            Source::Repository => Self::Repository { records: 0, last_addition: 0, last_erase: 0 },
            Source::Device { .. } => Self::Device { sensors: 0, population: None },
        }
    }
}

/// All records of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// What changes when the records do.
    pub stamp: Stamp,
    /// The records, in the BMC's order.
    pub records: Vec<Sdr>,
    /// Why the record that the last one names as the next could not be read; nothing when all were.
    pub cut_short: Option<CommandError>,
}

impl Repository {
    /// All sensors of all records.
    pub fn sensors(&self) -> impl Iterator<Item = Sensor> {
        self.records.iter().flat_map(Sdr::sensors)
    }
}

/// What the answer that comes next is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Info,
    Reserve,
    Header,
    Body,
}

/// Reads all records: [`Repository`].
///
/// It asks for the repository's information, reserves it, and reads record by record: first the header, which tells
/// the length, then the body in parts. It begins with large parts, and asks for smaller ones when the BMC refuses;
/// what has once worked is kept for the records that follow. When the reservation is lost it asks for the
/// information again: if the records have changed it begins anew, otherwise it goes on where it was. Answers that
/// only ask for patience, such as C0h, end it; whoever drives it repeats those requests first.
///
/// A walk that was left in the middle, with a question that has no answer, may be begun again: like after a lost
/// reservation, it keeps what it has as long as the records have not changed.
#[derive(Debug, Clone)]
pub struct WalkSdr {
    source: Source,
    phase: Phase,
    /// That of the records that are there.
    stamp: Stamp,
    reservation: u16,
    losses: u8,
    /// How many bytes the BMC is known, or at first hoped, to give at once.
    learned_chunk: u8,
    chunk: u8,
    asked: HashSet<u16>,
    records: Vec<Sdr>,
    /// The record that is asked for; 0 for the first.
    current: u16,
    /// The record after it.
    next: u16,
    /// What is there of it.
    bytes: Vec<u8>,
    /// The id that came in its place. A late answer to an earlier question does not come twice; a BMC that has its
    /// records under other ids than stand in them says the same again, and is believed.
    other_id: Option<u16>,
}

impl WalkSdr {
    /// Reads the records of `source`.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            phase: Phase::Info,
            stamp: Stamp::empty(source),
            reservation: 0,
            losses: 0,
            learned_chunk: FIRST_CHUNK,
            chunk: FIRST_CHUNK,
            asked: HashSet::from([0]),
            records: Vec::new(),
            current: 0,
            next: LAST_RECORD,
            bytes: Vec::new(),
            other_id: None,
        }
    }

    fn ask_info(&mut self) -> Step<Repository> {
        self.phase = Phase::Info;
        Step::Ask(match self.source {
            Source::Repository => GetSdrRepositoryInfo.request(),
            Source::Device { lun } => GetDeviceSdrInfo { lun }.request(),
        })
    }

    fn on_info(&mut self, answer: &Response) -> Result<Step<Repository>, CommandError> {
        let (stamp, can_reserve) = match self.source {
            Source::Repository => {
                let info = GetSdrRepositoryInfo.read(answer)?;
                (Stamp::from(&info), info.operations.reserve)
            }
            Source::Device { lun } => (Stamp::from(&GetDeviceSdrInfo { lun }.read(answer)?), true),
        };
        if self.stamp != stamp {
            *self = Self {
                stamp,
                losses: self.losses,
                learned_chunk: self.learned_chunk,
                ..Self::new(self.source)
            };
        }
        if matches!(stamp, Stamp::Repository { records: 0, .. }) {
            return Ok(self.finish(None));
        }
        // A BMC that says it cannot be reserved, yet misses a reservation, is asked for one.
        let can_reserve = can_reserve || self.losses > 0;
        if can_reserve {
            self.phase = Phase::Reserve;
            return Ok(Step::Ask(ReserveSdr { source: self.source }.request()));
        }
        Ok(self.ask_header())
    }

    fn on_reserve(&mut self, answer: &Response) -> Result<Step<Repository>, CommandError> {
        // Without reservations there is one that always holds: zero.
        self.reservation = if answer.completion.is_unsupported() {
            0
        } else {
            ReserveSdr { source: self.source }.read(answer)?
        };
        Ok(self.ask_header())
    }

    fn part(&self, offset: u8, count: u8) -> GetSdr {
        let Self { source, reservation, current, .. } = *self;
        GetSdr { source, reservation, record: current, offset, count }
    }

    fn ask_header(&mut self) -> Step<Repository> {
        self.phase = Phase::Header;
        self.bytes.clear();
        self.chunk = self.learned_chunk;
        Step::Ask(self.part(0, HEADER).request())
    }

    fn on_header(&mut self, answer: &Response) -> Result<Step<Repository>, CommandError> {
        if answer.completion == Completion::RESERVATION_CANCELLED {
            return self.on_loss(answer);
        }
        let (part, id) = match self.read_header(answer) {
            Ok(header) => header,
            Err(_) if self.is_without_records(answer.completion) => return Ok(self.finish(None)),
            Err(error) => return self.cut_short(error, answer.completion),
        };
        self.next = part.next;
        self.bytes = part.bytes;
        if self.current == 0 || id == self.current {
            return self.ask_body();
        }
        match self.other_id.replace(id) {
            None => Ok(self.ask_header()),
            Some(before) if before == id => self.ask_body(),
            Some(_) => self.keep_unreadable(RecordProblem::WrongId(id)),
        }
    }

    /// A controller counts its sensors, and may have records of other things without any.
    fn is_without_records(&self, completion: Completion) -> bool {
        let is_without_sensors = matches!(self.stamp, Stamp::Device { sensors: 0, .. });
        is_without_sensors && self.records.is_empty() && completion == Completion::NOT_PRESENT
    }

    fn read_header(&self, answer: &Response) -> Result<(SdrPart, u16), CommandError> {
        let part = self.part(0, HEADER).read(answer)?;
        match part.bytes.as_slice() {
            [id_low, id_high, _, _, _] => {
                let id = u16::from_le_bytes([*id_low, *id_high]);
                Ok((part, id))
            }
            bytes => Err(CommandError::Malformed { command: GetSdr::NAME, problem: wrong_length(bytes) }),
        }
    }

    /// Where the body stands: what is missing of it, and where that begins. The header, with the length, is there.
    fn missing(&self) -> (u8, u8) {
        let length = self.bytes.get(4).copied().unwrap_or_default();
        let whole = usize::from(HEADER) + usize::from(length);
        let missing = u8::try_from(whole.saturating_sub(self.bytes.len())).unwrap_or(u8::MAX);
        // A record whose end lies beyond offset 255 cannot be asked for; its body ends where it can.
        let offset = u8::try_from(self.bytes.len()).unwrap_or(u8::MAX);
        (offset, missing.min(u8::MAX - offset))
    }

    fn ask_body(&mut self) -> Result<Step<Repository>, CommandError> {
        match self.missing() {
            (_, 0) => self.keep(),
            (offset, missing) => {
                self.phase = Phase::Body;
                Ok(Step::Ask(self.part(offset, missing.min(self.chunk)).request()))
            }
        }
    }

    fn on_body(&mut self, answer: &Response) -> Result<Step<Repository>, CommandError> {
        let (_, missing) = self.missing();
        let asked = missing.min(self.chunk);
        match answer.completion {
            Completion::OK => self.on_part(&answer.data),
            Completion::RESERVATION_CANCELLED => self.on_loss(answer),
            completion if completion.asks_for_less() && asked > LAST_CHUNK => {
                self.chunk = power_of_two_below(asked);
                self.ask_body()
            }
            completion if completion.is_temporary() && !completion.asks_for_less() => {
                Err(CommandError::Refused { command: GetSdr::NAME, completion })
            }
            completion => self.keep_unreadable(RecordProblem::Refused(completion)),
        }
    }

    fn on_part(&mut self, data: &[u8]) -> Result<Step<Repository>, CommandError> {
        let (offset, missing) = self.missing();
        let count = missing.min(self.chunk);
        let part = match self.part(offset, count).parse(data) {
            Ok(part) => part,
            Err(problem) => return self.keep_unreadable(RecordProblem::Malformed(problem)),
        };
        if part.next != self.next {
            return self.keep_unreadable(RecordProblem::Malformed(DecodeError::Invalid {
                what: "a part of a sensor record",
                field: "next record",
                value: u32::from(part.next),
            }));
        }
        if part.bytes.is_empty() || part.bytes.len() > usize::from(count) {
            return self.keep_unreadable(RecordProblem::Malformed(wrong_length(&part.bytes)));
        }
        self.learned_chunk = self.chunk;
        self.bytes.extend(part.bytes);
        self.ask_body()
    }

    fn on_loss(&mut self, answer: &Response) -> Result<Step<Repository>, CommandError> {
        self.losses += 1;
        if self.losses > MAX_LOSSES {
            return Err(CommandError::Refused { command: GetSdr::NAME, completion: answer.completion });
        }
        Ok(self.ask_info())
    }

    fn keep(&mut self) -> Result<Step<Repository>, CommandError> {
        match Sdr::decode(&self.bytes) {
            Ok(record) => Ok(self.go_on(Sdr { id: self.id(), ..record })),
            Err(problem) => self.keep_unreadable(RecordProblem::Malformed(problem)),
        }
    }

    fn keep_unreadable(&mut self, problem: RecordProblem) -> Result<Step<Repository>, CommandError> {
        let (version, record_type) = match self.bytes.as_slice() {
            [_, _, version, record_type, ..] => (*version, *record_type),
            _ => (0, 0),
        };
        let data = self.bytes.get(usize::from(HEADER)..).unwrap_or_default().to_vec();
        let record = SdrRecord::Unreadable { record_type, data, problem };
        Ok(self.go_on(Sdr { id: self.id(), version, record }))
    }

    /// The id under which the BMC has the current record: what was asked for, but that of the first is in it.
    fn id(&self) -> u16 {
        match (self.current, self.bytes.as_slice()) {
            (0, [low, high, ..]) => u16::from_le_bytes([*low, *high]),
            (asked, _) => asked,
        }
    }

    fn go_on(&mut self, record: Sdr) -> Step<Repository> {
        // The first is asked for as 0: its own id is not to come again either.
        self.asked.insert(record.id);
        self.records.push(record);
        self.other_id = None;
        if self.next == LAST_RECORD {
            return self.finish(None);
        }
        if self.records.len() >= MAX_RECORDS {
            return self.finish(Some(endless("it names more sensor records than any machine has")));
        }
        if !self.asked.insert(self.next) {
            return self.finish(Some(endless("a sensor record names one as the next that was already read")));
        }
        self.current = self.next;
        self.ask_header()
    }

    /// Ends with the records that are there, unless there are none or a moment's patience gives more.
    fn cut_short(
        &mut self,
        error: CommandError,
        completion: Completion,
    ) -> Result<Step<Repository>, CommandError> {
        if self.records.is_empty() || completion.is_temporary() {
            return Err(error);
        }
        Ok(self.finish(Some(error)))
    }

    fn finish(&mut self, cut_short: Option<CommandError>) -> Step<Repository> {
        Step::Done(Repository { stamp: self.stamp, records: std::mem::take(&mut self.records), cut_short })
    }
}

impl Procedure for WalkSdr {
    type Output = Repository;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<Repository>, CommandError> {
        let Some(answer) = answer else { return Ok(self.ask_info()) };
        match self.phase {
            Phase::Info => self.on_info(answer),
            Phase::Reserve => self.on_reserve(answer),
            Phase::Header => self.on_header(answer),
            Phase::Body => self.on_body(answer),
        }
    }
}

/// The largest power of two that is less than `count`, which is at least two: limits of BMCs are mostly near one.
const fn power_of_two_below(count: u8) -> u8 {
    match count {
        0..=2 => 1,
        _ => 1 << (count - 1).ilog2(),
    }
}

fn wrong_length(bytes: &[u8]) -> DecodeError {
    DecodeError::Invalid {
        what: "a part of a sensor record",
        field: "length",
        value: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
    }
}

const fn endless(problem: &'static str) -> CommandError {
    CommandError::Endless { command: GetSdr::NAME, problem }
}
