//! Reading the log, from its beginning or behind a known entry.
//!
//! Entries are a linked list: every answer names the next record. The reader asks for whole entries, and for parts of
//! them where a BMC refuses that. It never reads a record twice, so that a list that leads back into itself ends.

use std::collections::BTreeSet;

use super::entry::SelEntry;
use super::info::SelInfo;
use super::{GetSelEntry, GetSelInfo, ReserveSel};
use crate::{Command, CommandError, Completion, Procedure, Response, Step};

/// How often the log is reserved for one entry that is read in parts.
const MAX_RESERVATIONS: u8 = 8;

/// How many ids behind that of an entry that cannot be read are tried to find the next one.
const MAX_TRIED: u16 = 16;

/// How many entries of a page may be left out. With more of them, there is something wrong with the BMC, not with entries.
const MAX_LEFT_OUT: usize = 4;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelStart {
    /// With the first entry.
    First,
    /// Behind the entry with this id, as [`SelPage::last`] gave it.
    After(u16),
}

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelPage {
    /// The state of the log before the entries were read. If `last_erase` differs from that of the page before, the
    /// log was cleared, and ids of entries may stand for others than before.
    pub info: SelInfo,
    /// The entry to begin behind, as it is in the log now; nothing if the page begins with the first entry.
    pub start: Option<SelEntry>,
    /// The entries, in the order of the log.
    pub entries: Vec<SelEntry>,
    /// The id behind which the next page begins; nothing if the log is empty.
    pub last: Option<u16>,
    /// Whether there are further entries, which the limit has left out.
    pub more: bool,
    /// The entry to begin behind is not in the log any more, and the page begins with the first entry instead.
    pub start_vanished: bool,
    /// Why the log could not be read further. The next page may begin behind [`SelPage::last`] nevertheless.
    pub cut_short: Option<CommandError>,
    /// The ids of the entries that were left out because they cannot be read, and why; zero if that of the first entry is
    /// not known.
    pub left_out: Vec<(u16, CommandError)>,
}

/// Reads a part of the log. User privilege. Fails if not even one entry can be read of a log that has some.
#[derive(Debug, Clone)]
pub struct ReadSel {
    start: SelStart,
    limit: u16,
    /// The state of the log, if it is known before.
    info: Option<SelInfo>,
    leaves_out: bool,
    /// Begins when the state of the log is known.
    walk: Option<Walk>,
}

impl ReadSel {
    /// Reads from `start`, at most `limit` entries, and at least one.
    #[must_use]
    pub const fn new(start: SelStart, limit: u16) -> Self {
        Self { start, limit, info: None, leaves_out: false, walk: None }
    }

    /// Leaves out entries that the BMC refuses to tell. Only an entry tells which one follows, so the ids behind it are
    /// tried, then the last entry of all; others in between may be left out with it.
    #[must_use]
    pub const fn leaving_out(mut self, leaves_out: bool) -> Self {
        self.leaves_out = leaves_out;
        self
    }

    /// Goes by the state of the log that has just been asked for, and does not ask for it again.
    #[must_use]
    pub const fn with_info(mut self, info: SelInfo) -> Self {
        self.info = Some(info);
        self
    }

    /// What has been read when no further answer comes: as [`SelPage::more`] says, there may be more.
    #[must_use]
    pub fn into_page(self) -> Option<SelPage> {
        self.walk.map(|walk| SelPage { more: true, ..walk.page })
    }

    fn on_info(&mut self, info: SelInfo) -> Step<SelPage> {
        let mut walk = Walk { leaves_out: self.leaves_out, ..Walk::new(info, self.start, self.limit) };
        if info.entries == 0 {
            walk.page.start_vanished = walk.is_start;
            return walk.end();
        }
        self.walk.insert(walk).ask()
    }
}

impl Procedure for ReadSel {
    type Output = SelPage;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<SelPage>, CommandError> {
        match (answer, &mut self.walk) {
            (None, _) => {
                Ok(self.info.map_or_else(|| Step::Ask(GetSelInfo.request()), |info| self.on_info(info)))
            }
            (Some(response), None) => GetSelInfo.read(response).map(|info| self.on_info(info)),
            (Some(response), Some(walk)) => walk.on_answer(response),
        }
    }
}

/// The way through the list.
#[derive(Debug, Clone)]
struct Walk {
    limit: usize,
    page: SelPage,
    /// The record that is being read.
    record: u16,
    /// Whether that is the one to begin behind.
    is_start: bool,
    /// All records that were asked for.
    seen: BTreeSet<u16>,
    /// What is there of the present record.
    bytes: Vec<u8>,
    /// Set once whole entries cannot be had.
    parts: Option<Parts>,
    /// The same as the last entry was read.
    worked: Option<Parts>,
    /// Whether entries that cannot be read are left out.
    leaves_out: bool,
    /// The entry that is being left out.
    hole: Option<Hole>,
}

/// An entry that cannot be read.
#[derive(Debug, Clone)]
struct Hole {
    record: u16,
    error: CommandError,
    /// How many of the places were tried in which the next one may be.
    tried: u16,
}

/// How parts of entries are read.
#[derive(Debug, Clone)]
struct Parts {
    /// Nothing while it is being asked for.
    reservation: Option<u16>,
    /// How often it was asked for since the last entry.
    reservations: u8,
    /// Bytes to ask for at once.
    chunk: u8,
}

impl Walk {
    fn new(info: SelInfo, start: SelStart, limit: u16) -> Self {
        let (record, is_start, last) = match start {
            SelStart::First => (GetSelEntry::FIRST, false, None),
            SelStart::After(id) => (id, true, Some(id)),
        };
        let page = SelPage {
            info,
            start: None,
            entries: Vec::new(),
            last,
            more: false,
            start_vanished: false,
            cut_short: None,
            left_out: Vec::new(),
        };
        let limit = usize::from(limit.max(1));
        // No record is followed by the first one.
        let seen = BTreeSet::from([GetSelEntry::FIRST, record]);
        Self {
            limit,
            page,
            record,
            is_start,
            seen,
            bytes: Vec::new(),
            parts: None,
            worked: None,
            leaves_out: false,
            hole: None,
        }
    }

    /// Asks for what comes next of the present record.
    fn ask(&self) -> Step<SelPage> {
        match &self.parts {
            Some(Parts { reservation: None, .. }) => Step::Ask(ReserveSel.request()),
            _ => Step::Ask(self.question().request()),
        }
    }

    fn question(&self) -> GetSelEntry {
        let whole = GetSelEntry { reservation: 0, record: self.record, offset: 0, count: GetSelEntry::WHOLE };
        let Some(parts) = &self.parts else { return whole };
        let missing = SelEntry::LENGTH.saturating_sub(self.bytes.len());
        GetSelEntry {
            reservation: parts.reservation.unwrap_or(0),
            offset: u8::try_from(self.bytes.len()).unwrap_or(u8::MAX),
            count: u8::try_from(missing).unwrap_or(u8::MAX).min(parts.chunk),
            ..whole
        }
    }

    fn on_answer(&mut self, response: &Response) -> Result<Step<SelPage>, CommandError> {
        match &mut self.parts {
            Some(parts @ Parts { reservation: None, .. }) => {
                // A BMC without reservations takes zero.
                let is_unsupported = response.completion.is_unsupported();
                parts.reservation = Some(if is_unsupported { 0 } else { ReserveSel.read(response)? });
                Ok(self.ask())
            }
            _ => self.on_entry(response),
        }
    }

    fn on_entry(&mut self, response: &Response) -> Result<Step<SelPage>, CommandError> {
        if response.completion == Completion::RESERVATION_CANCELLED && self.reserve_again() {
            return Ok(self.ask());
        }
        // Whoever looks for what comes next asks as it was answered before.
        if self.hole.is_none() && response.completion.asks_for_less() && self.shrink() {
            return Ok(self.ask());
        }
        match self.question().read(response) {
            Ok(part) if part.data.is_empty() => self.give_up(endless("an answer has no part of the entry")),
            Ok(part) => {
                self.bytes.extend(part.data);
                Ok(self.on_bytes(part.next))
            }
            Err(error) => self.give_up(error),
        }
    }

    fn on_bytes(&mut self, next: u16) -> Step<SelPage> {
        if let Ok(entry) = SelEntry::decode(&self.bytes) {
            return self.on_record(entry, next);
        }
        // A BMC that sends less than the whole is asked for parts.
        if self.parts.is_none() {
            self.shrink();
        }
        self.ask()
    }

    fn on_record(&mut self, entry: SelEntry, next: u16) -> Step<SelPage> {
        self.bytes.clear();
        if let Some(parts) = &mut self.parts {
            parts.reservations = 0;
        }
        self.worked.clone_from(&self.parts);
        self.close_hole();
        if std::mem::take(&mut self.is_start) {
            self.page.start = Some(entry);
        } else {
            // The first and the last record are asked for without knowing their ids.
            let is_placeholder = [GetSelEntry::FIRST, GetSelEntry::LAST].contains(&self.record);
            let id = if is_placeholder { entry.id } else { self.record };
            if !self.seen.insert(id) && self.record == GetSelEntry::LAST {
                // Nothing follows what was left out.
                return self.end();
            }
            self.page.entries.push(entry);
            self.page.last = Some(id);
        }
        if next == GetSelEntry::LAST {
            return self.end();
        }
        if !self.seen.insert(next) {
            self.page.cut_short = Some(endless("a record of the event log leads back to one before it"));
            return self.end();
        }
        if self.page.entries.len() >= self.limit {
            self.page.more = true;
            return self.end();
        }
        self.record = next;
        self.ask()
    }

    /// Goes over to parts, then to smaller ones; says whether there is anything left to try.
    fn shrink(&mut self) -> bool {
        match &mut self.parts {
            None => {
                // For the whole entry as a part no reservation is needed, but some BMCs want it even then.
                let reservation = if self.page.info.can_reserve { None } else { Some(0) };
                self.parts = Some(Parts { reservation, reservations: 0, chunk: 16 });
                true
            }
            Some(parts) if parts.chunk > 1 => {
                parts.chunk /= 2;
                true
            }
            Some(_) => false,
        }
    }

    /// Others reserve the log too; the entry may have changed, and is read from its beginning.
    fn reserve_again(&mut self) -> bool {
        let Some(parts) = self.parts.as_mut().filter(|parts| parts.reservations < MAX_RESERVATIONS) else {
            return false;
        };
        parts.reservations += 1;
        parts.reservation = None;
        self.bytes.clear();
        true
    }

    /// Keeps what is there. A record to begin behind that cannot be had is not in the log any more.
    fn give_up(&mut self, error: CommandError) -> Result<Step<SelPage>, CommandError> {
        let refusal =
            if let CommandError::Refused { completion, .. } = error { Some(completion) } else { None };
        let is_absent = refusal == Some(Completion::NOT_PRESENT);
        if self.is_start && (is_absent || refusal.is_some_and(Completion::asks_for_less)) {
            let limit = u16::try_from(self.limit).unwrap_or(u16::MAX);
            *self = Self { leaves_out: self.leaves_out, ..Self::new(self.page.info, SelStart::First, limit) };
            self.page.start_vanished = true;
            return Ok(self.ask());
        }
        // The log was cleared after it had told how many entries it has.
        if self.record == GetSelEntry::FIRST && is_absent {
            return Ok(self.end());
        }
        if self.leaves_out && !self.is_start && refusal.is_some() {
            if self.look_behind(&error) {
                return Ok(self.ask());
            }
            if self.hole.is_some() {
                self.close_hole();
                return Ok(self.end());
            }
        }
        if self.page.entries.is_empty() && self.page.left_out.is_empty() {
            return Err(error);
        }
        self.page.cut_short = Some(error);
        Ok(self.end())
    }

    /// Goes on with the next place where the entry may be that follows one that cannot be read; says whether there is one.
    fn look_behind(&mut self, error: &CommandError) -> bool {
        if self.hole.is_none() {
            if self.page.left_out.len() >= MAX_LEFT_OUT {
                return false;
            }
            self.hole = Some(Hole { record: self.record, error: error.clone(), tried: 0 });
        }
        self.bytes.clear();
        self.parts.clone_from(&self.worked);
        let Some(hole) = &mut self.hole else { return false };
        while hole.tried < MAX_TRIED {
            hole.tried += 1;
            let next = hole.record.checked_add(hole.tried).filter(|next| *next != GetSelEntry::LAST);
            if let Some(next) = next.filter(|next| !self.seen.contains(next)) {
                self.record = next;
                return true;
            }
        }
        hole.tried += 1;
        self.record = GetSelEntry::LAST;
        hole.tried == MAX_TRIED + 1
    }

    /// Notes the entry that is left out, if one is.
    fn close_hole(&mut self) {
        self.page.left_out.extend(self.hole.take().map(|hole| (hole.record, hole.error)));
    }

    fn end(&mut self) -> Step<SelPage> {
        let entries = std::mem::take(&mut self.page.entries);
        let left_out = std::mem::take(&mut self.page.left_out);
        Step::Done(SelPage { entries, left_out, ..self.page.clone() })
    }
}

const fn endless(problem: &'static str) -> CommandError {
    CommandError::Endless { command: GetSelEntry::NAME, problem }
}

#[cfg(test)]
mod tests;
