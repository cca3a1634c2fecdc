//! How far the event logs of servers have been read, and what of them is told.
//!
//! A log is told from where it ended when it was seen first: what is older is history of the equipment, not news.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opendcre_model::{BoardId, DeviceAddress, EventLogPage, Fault, LogCursor, LogEntry};
use serde::{Deserialize, Serialize};

use crate::BoardRecord;
use crate::event::NewEvent;
use crate::event::log_entry::{LoggedEntry, log_cleared, log_entry, log_entry_unreadable, log_filling};

/// How full a log is when its owner is told, in percent.
const FILLING: u8 = 80;
/// How far a log that was filling must be emptied before its owner is told again, in percent.
const EMPTIED: u8 = 60;

/// How often an entry that cannot be read is tried until it is left out.
const MOST_TRIES: u8 = 3;

/// How far the event log of a server has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogMark {
    /// Whose log it is.
    pub(crate) board: BoardId,
    /// Where it goes on.
    pub(crate) cursor: LogCursor,
}

/// How far all event logs have been read.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    logs: Mutex<HashMap<BoardId, Tail>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Tail {
    cursor: LogCursor,
    /// What was in the log when it was seen first has been passed.
    is_at_news: bool,
    is_filling: bool,
    /// How often in a row the equipment has refused to tell what comes next.
    refusals: u8,
}

impl Tails {
    /// Goes on where the service ended.
    pub(crate) fn recall(&self, marks: impl IntoIterator<Item = LogMark>) {
        let tail = |LogMark { board, cursor }| (board, Tail { cursor, is_at_news: true, ..Tail::default() });
        self.logs().extend(marks.into_iter().map(tail));
    }

    /// Where the log of a server goes on. What could not be read again and again is left out.
    pub(crate) fn cursor(&self, board: BoardId) -> LogCursor {
        let tail = self.logs().get(&board).copied().unwrap_or_default();
        LogCursor { leaves_out: tail.refusals >= MOST_TRIES, ..tail.cursor }
    }

    /// Notes that the log of a server could not be read on, and why.
    pub(crate) fn note_failure(&self, board: BoardId, fault: Option<Fault>) {
        if matches!(fault, Some(Fault::Refused | Fault::Malformed)) {
            let mut logs = self.logs();
            let tail = logs.entry(board).or_default();
            tail.refusals = tail.refusals.saturating_add(1);
        }
    }

    /// Takes a page of a log: what is new in it, and how far it is read then, if that is further than before and what is
    /// older has been passed.
    pub(crate) fn take(
        &self,
        board: &BoardRecord,
        device: DeviceAddress,
        page: &EventLogPage,
    ) -> (Vec<NewEvent>, Option<LogMark>) {
        let mut logs = self.logs();
        let tail = logs.entry(device.board).or_default();
        let mut news = Vec::new();
        if tail.is_at_news {
            if page.was_cleared {
                news.push(log_cleared(board));
            }
            news.extend(page.unreadable.iter().map(|entry| log_entry_unreadable(board, entry)));
            news.extend(page.entries.iter().map(|entry| log_entry(board, logged(entry))));
        }
        tail.refusals = 0;
        if tail.fills(page) {
            let overflow = page.overflow || page.was_overwritten;
            news.push(log_filling(board, page.used_percent, overflow));
        }
        let before = (tail.cursor, tail.is_at_news);
        tail.cursor = page.cursor;
        tail.is_at_news |= !page.more;
        let is_further = tail.is_at_news && before != (tail.cursor, tail.is_at_news);
        let mark = is_further.then_some(LogMark { board: device.board, cursor: page.cursor });
        (news, mark)
    }

    /// Forgets the log of a server that is not there any more, or another one.
    pub(crate) fn forget(&self, board: BoardId) {
        self.logs().remove(&board);
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<BoardId, Tail>> {
        // Every change of the table is complete in itself, so a panic elsewhere cannot have broken it.
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tail {
    /// Whether its owner must be told that the log is nearly full. Once, until it was emptied.
    fn fills(&mut self, page: &EventLogPage) -> bool {
        let used = page.used_percent.unwrap_or(0);
        let is_full = page.overflow || page.was_overwritten || used >= FILLING;
        let was_filling = self.is_filling;
        self.is_filling = is_full || was_filling && used > EMPTIED;
        is_full && !was_filling
    }
}

fn logged(entry: &LogEntry) -> LoggedEntry<'_> {
    let LogEntry { id, time, severity, sensor, message, asserted, raw: _ } = entry;
    LoggedEntry {
        id: *id,
        time: *time,
        severity: *severity,
        sensor: sensor.as_ref().map(|sensor| (sensor.device, sensor.name.as_str())),
        message,
        asserted: *asserted,
    }
}

#[cfg(test)]
mod tests {
    use opendcre_model::{SERVER_SYSTEM, UnreadableEntry};

    use super::*;
    use crate::event::EventKind;
    use crate::testing::{self, log_page as page};

    const SYSTEM: DeviceAddress = DeviceAddress { board: BoardId(1), device: SERVER_SYSTEM };

    #[test]
    fn a_mark_is_kept_only_when_the_log_was_read_further() {
        let (tails, board) = (Tails::default(), testing::board(1, "web-1"));
        let more = EventLogPage { more: true, ..page(1) };
        assert_eq!(tails.take(&board, SYSTEM, &more).1, None, "what is older has not been passed");
        assert_eq!(tails.take(&board, SYSTEM, &page(1)).1.unwrap().cursor, page(1).cursor);
        assert_eq!(tails.take(&board, SYSTEM, &page(1)).1, None);
        assert_eq!(tails.take(&board, SYSTEM, &page(2)).1.unwrap().cursor, page(2).cursor);
    }

    #[test]
    fn what_stays_unreadable_is_left_out_after_a_few_tries_and_told() {
        let (tails, board) = (Tails::default(), testing::board(1, "web-1"));
        tails.take(&board, SYSTEM, &page(1));
        for fault in
            [Some(Fault::Refused), Some(Fault::Timeout), None, Some(Fault::Gone), Some(Fault::Malformed)]
        {
            tails.note_failure(BoardId(1), fault);
            assert!(!tails.cursor(BoardId(1)).leaves_out);
        }
        tails.note_failure(BoardId(1), Some(Fault::Refused));
        let cursor = tails.cursor(BoardId(1));
        assert_eq!(cursor, LogCursor { leaves_out: true, ..page(1).cursor });

        let unreadable = vec![UnreadableEntry { id: 2, reason: "it refused".to_owned() }];
        let (news, _) = tails.take(&board, SYSTEM, &EventLogPage { unreadable, ..page(3) });
        let [told] = news.as_slice() else { panic!("{news:?}") };
        assert_eq!(
            (told.kind, told.board, &told.detail["entry"]),
            (EventKind::Loss, Some(BoardId(1)), &2.into())
        );
        assert!(told.message.contains("entry 2") && told.message.contains("it refused"), "{}", told.message);
        assert!(!tails.cursor(BoardId(1)).leaves_out);
    }

    #[test]
    fn entries_of_before_the_log_was_seen_first_are_no_news() {
        let (tails, board) = (Tails::default(), testing::board(1, "web-1"));
        let entry = |id| LogEntry {
            id,
            time: None,
            severity: opendcre_model::Health::Ok,
            sensor: None,
            message: String::new(),
            asserted: true,
            raw: [0; 16],
        };
        let old = EventLogPage { entries: vec![entry(1)], ..page(1) };
        assert!(tails.take(&board, SYSTEM, &old).0.is_empty());
        let new = EventLogPage { entries: vec![entry(2)], ..page(2) };
        assert_eq!(tails.take(&board, SYSTEM, &new).0.len(), 1);
    }
}
