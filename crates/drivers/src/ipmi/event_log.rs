//! The event log of a BMC, followed from question to question: what is new, and what it means.
//!
//! Everything that must be known between two questions is in the cursor, and nothing is kept here. A question with
//! nothing new behind it costs one command, and none reads more than a few dozen entries.
//!
//! Ids of entries prove nothing: BMCs give them anew after the log was cleared, and some do so whenever an entry is
//! removed. So the cursor has checksums of the entries that were told last. If they are not where they were, they are
//! looked for from the first entry on; if they are nowhere, all entries are new.

use jiff::Timestamp;
use opendcre_ipmi::sel::{
    GetSelInfo, ReadSel, SelEntry, SelInfo, SelPage, SelRecord, SelStart, SelTime, When,
};
use opendcre_ipmi::{CommandError, Single};
use opendcre_model::{
    BoardId, Context, DriverError, EventLogPage, Health, LogCursor, LogEntry, LogPlace, LogSensor,
    Observation, UnreadableEntry,
};

use super::bmcs::Bmcs;
use super::error::BmcError;
use super::knowledge::{Profile, sensor_id};
use super::sensor::health;

/// The most entries of one answer.
const MOST: u16 = 64;

impl Bmcs {
    /// What has been added to the event log behind `after`.
    pub(super) async fn event_log(
        &self,
        board: BoardId,
        after: LogCursor,
        context: Context,
    ) -> Result<Observation, DriverError> {
        let bmc = self.bmc(board)?;
        let info = self.run(board, Single(GetSelInfo), context).await?;
        let (leaves_out, after) = (after.leaves_out, LogCursor { leaves_out: false, ..after });
        let news = match is_unchanged(&after, &info) {
            true => News {
                info,
                entries: Vec::new(),
                cursor: after,
                loss: None,
                more: false,
                left_out: Vec::new(),
            },
            false => self.news(board, after, leaves_out, info, context).await?,
        };
        let profile = bmc.knowledge.profile();
        Ok(Observation::EventLog(Box::new(news.page(profile.as_deref()))))
    }

    async fn news(
        &self,
        board: BoardId,
        after: LogCursor,
        leaves_out: bool,
        info: SelInfo,
        context: Context,
    ) -> Result<News, BmcError> {
        let start = after.position.map_or(SelStart::First, SelStart::After);
        let read = |start| ReadSel::new(start, MOST).leaving_out(leaves_out);
        let page = self.part_of_log(board, read(start).with_info(info), context).await?;
        if !has_lost_its_place(&after, &page) {
            return Ok(follow(after, page));
        }
        // Perhaps something has happened since it told its state.
        let page = self.part_of_log(board, read(SelStart::First), context).await?;
        Ok(follow(from_the_beginning(after, &page.info), page))
    }

    /// Reads entries. Those that a slow BMC has given until the caller's time is over are not read in vain.
    async fn part_of_log(
        &self,
        board: BoardId,
        mut read: ReadSel,
        context: Context,
    ) -> Result<SelPage, BmcError> {
        match self.run(board, &mut read, context).await {
            Ok(page) => Ok(page),
            Err(error) => read.into_page().filter(|page| !page.entries.is_empty()).ok_or(error),
        }
    }
}

/// What is new, as the BMC has it.
#[derive(Debug)]
struct News {
    info: SelInfo,
    entries: Vec<SelEntry>,
    cursor: LogCursor,
    loss: Option<Loss>,
    more: bool,
    /// The ids of entries that cannot be read, and why.
    left_out: Vec<(u16, CommandError)>,
}

/// Why entries may be missing between those that were told and those that are new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Cleared,
    Overwritten,
}

/// Whether the log is as it was when its end was reached. Some BMCs do not say when an entry was added.
fn is_unchanged(after: &LogCursor, info: &SelInfo) -> bool {
    let says_when = !matches!(info.last_addition, SelTime(0) | SelTime::UNSPECIFIED);
    says_when
        && after.place == LogPlace::Known
        && after.passed == info.entries
        && after.added_at == info.last_addition.0
        && after.erased_at == info.last_erase.0
}

/// Whether nothing was removed since the last question.
fn is_same_log(after: &LogCursor, info: &SelInfo) -> bool {
    *after == LogCursor::default() || after.erased_at == info.last_erase.0
}

/// Whether the entry to begin behind is gone, or another one.
fn has_lost_its_place(after: &LogCursor, page: &SelPage) -> bool {
    let [last, _] = after.told;
    let is_another = || page.start.is_none_or(|start| checksum(&start) != last);
    page.start_vanished || after.place == LogPlace::Known && after.position.is_some() && is_another()
}

/// Where to look for the entries that were told last.
fn from_the_beginning(after: LogCursor, info: &SelInfo) -> LogCursor {
    let has_shrunk = after.place == LogPlace::Known && info.entries < after.passed;
    let is_erased = after.place == LogPlace::Erased || !is_same_log(&after, info) || has_shrunk;
    let place = if is_erased { LogPlace::Erased } else { LogPlace::Moved };
    LogCursor { position: None, passed: 0, place, ..after }
}

/// What is new among the entries that were read behind `after`.
fn follow(after: LogCursor, page: SelPage) -> News {
    let SelPage { info, entries, last, more, cut_short, left_out, .. } = page;
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    let passed = after.passed.saturating_add(count);
    // A list that leads back to its beginning ends here: nobody has twice as many new entries as there are.
    let is_endless = passed >= info.entries.saturating_mul(2);
    let is_at_end = cut_short.is_none() && (!more || is_endless);
    let cursor = LogCursor {
        position: last,
        passed: if is_at_end { info.entries } else { passed },
        // Until the end is reached, there is always something new.
        added_at: if is_at_end { info.last_addition.0 } else { 0 },
        erased_at: info.last_erase.0,
        ..after
    };
    let news = News { info, entries, cursor, loss: None, more: !is_at_end && cut_short.is_none(), left_out };
    match after.place {
        // Whether there was something in a log that was empty nobody can say once it was cleared again.
        LogPlace::Known if after.position.is_none() && !is_same_log(&after, &info) => {
            News { loss: Some(Loss::Cleared), ..tell(news) }
        }
        LogPlace::Known => tell(news),
        LogPlace::Moved | LogPlace::Erased => search(after, news, is_at_end),
    }
}

/// Notes that the entries are told.
fn tell(news: News) -> News {
    let told = latest(news.cursor.told, &news.entries);
    News { cursor: LogCursor { told, place: LogPlace::Known, ..news.cursor }, ..news }
}

/// The last two entries, of which `entries` come behind those before.
fn latest(before: [u32; 2], entries: &[SelEntry]) -> [u32; 2] {
    entries.iter().fold(before, |[last, _], entry| [checksum(entry), last])
}

/// Looks for the entries that were told last among those that were read behind `after`. What comes behind them is new;
/// if they are nowhere, everything is.
fn search(after: LogCursor, mut news: News, is_at_end: bool) -> News {
    let known = news.entries.iter().rposition(|entry| after.told.contains(&checksum(entry)));
    if let Some(known) = known {
        let fresh = news.entries.split_off(known + 1);
        let old = std::mem::replace(&mut news.entries, fresh);
        let told = latest(LogCursor::default().told, &old);
        if let [.., before, _] = old.as_slice()
            && told.first() != after.told.first()
            && news.entries.is_empty()
            && !is_at_end
        {
            // The one after it may follow. Both are looked for together, in case only this one is left.
            news.cursor.position = Some(before.id);
            news.cursor.passed = news.cursor.passed.saturating_sub(1);
            return news;
        }
        news.cursor.told = told;
        return tell(news);
    }
    if !is_at_end {
        news.entries.clear();
        return news;
    }
    news.loss = Some(if after.place == LogPlace::Erased { Loss::Cleared } else { Loss::Overwritten });
    if after.position.is_none() {
        // These are all entries of the log.
        news.cursor.told = LogCursor::default().told;
        return tell(news);
    }
    let cursor = LogCursor { erased_at: news.cursor.erased_at, ..LogCursor::default() };
    News { entries: Vec::new(), cursor, more: true, ..news }
}

/// What an entry says, without its id, in 32 bits that are not zero (FNV-1a).
fn checksum(entry: &SelEntry) -> u32 {
    let [_, _, said @ ..] = entry.encode();
    let hash =
        said.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.max(1)
}

impl News {
    /// The same in the words of the house, with the names of the sensors in `profile`.
    fn page(self, profile: Option<&Profile>) -> EventLogPage {
        EventLogPage {
            entries: self.entries.iter().map(|entry| log_entry(entry, profile)).collect(),
            cursor: self.cursor,
            was_cleared: self.loss == Some(Loss::Cleared),
            was_overwritten: self.loss == Some(Loss::Overwritten),
            more: self.more,
            used_percent: self.info.used_percent(),
            overflow: self.info.overflow,
            unreadable: self.left_out.iter().map(unreadable).collect(),
        }
    }
}

fn unreadable((id, error): &(u16, CommandError)) -> UnreadableEntry {
    UnreadableEntry { id: *id, reason: error.to_string() }
}

fn log_entry(entry: &SelEntry, profile: Option<&Profile>) -> LogEntry {
    let event = if let SelRecord::Event(event) = &entry.record { Some(event) } else { None };
    let sensor = event.and_then(|event| profile?.sensor_of(event));
    let message = match (event, sensor) {
        (Some(event), Some(sensor)) => event.with_sensor(&sensor.name, &sensor.interpretation).to_string(),
        _ => entry.record.to_string(),
    };
    let asserted = event.is_none_or(|event| event.asserted);
    let severity = event.filter(|_| asserted).and_then(|event| event.severity());
    LogEntry {
        id: entry.id,
        time: entry.record.time().and_then(timestamp),
        severity: severity.map_or(Health::Ok, health),
        sensor: sensor.map(|sensor| LogSensor { device: sensor_id(sensor), name: sensor.name.clone() }),
        message,
        asserted,
        raw: entry.encode(),
    }
}

/// Seconds since the start of a BMC are no time of the day.
fn timestamp(time: SelTime) -> Option<Timestamp> {
    match time.when() {
        When::At(seconds) => Timestamp::from_second(seconds.into()).ok(),
        When::SinceStart(_) | When::Unspecified => None,
    }
}

#[cfg(test)]
mod tests;
