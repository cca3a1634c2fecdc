//! Event logs that equipment keeps itself, read piece by piece. What an entry means has been decoded by the driver; how
//! it is stored and fetched is not known here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{DeviceId, Health};

/// How far an event log has been read. Whoever asks keeps it from one answer to the next question and may store it; only
/// the driver understands what is in it. The default stands before the first entry.
///
/// It is small because it is part of a question. What it remembers is enough to notice that the log was cleared, has
/// overwritten what was read, or numbers its entries anew, and to tell no entry twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogCursor {
    /// The id of the entry behind which to go on; nothing before the first one.
    pub position: Option<u16>,
    /// How many entries the log has up to that one.
    pub passed: u16,
    /// The last entries that were told, the latest first, each as a checksum of what it says without its id; zero for
    /// none.
    pub told: [u32; 2],
    /// Whether they are still where they were.
    pub place: LogPlace,
    /// When an entry was last added, in seconds of the equipment's own clock.
    pub added_at: u32,
    /// When entries were last removed, in the same way.
    pub erased_at: u32,
    /// Whether entries that cannot be read are left out, with a word in [`EventLogPage::unreadable`]; otherwise the log is
    /// read up to the first one. Whoever asks decides.
    #[serde(default)]
    pub leaves_out: bool,
}

/// Whether the entries of a log that were told last are still where they were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogPlace {
    /// As far as is known.
    #[default]
    Known,
    /// They are not, and are looked for from the first entry on. What comes before them has been told.
    Moved,
    /// The same, after entries have been removed.
    Erased,
}

/// Some entries of an event log: those behind a [`LogCursor`], in the order of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLogPage {
    /// The entries. There may be none although there are [more](Self::more).
    pub entries: Vec<LogEntry>,
    /// Where the next question begins.
    pub cursor: LogCursor,
    /// The log was cleared since the last question. Entries that were added and removed in the meantime are not known.
    pub was_cleared: bool,
    /// The last entry that was told is not in the log any more although nobody has cleared it: it began to overwrite
    /// its oldest entries, and some may have been lost.
    pub was_overwritten: bool,
    /// There are further entries: ask again with the new cursor.
    pub more: bool,
    /// How full the log is, 0 to 100; nothing if the equipment does not say.
    pub used_percent: Option<u8>,
    /// The equipment has lost events because the log is full.
    pub overflow: bool,
    /// The entries that were left out because they cannot be read.
    pub unreadable: Vec<UnreadableEntry>,
}

/// An entry of an event log that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableEntry {
    /// The id by which the equipment knows it.
    pub id: u16,
    /// What the equipment says.
    pub reason: String,
}

/// One entry of an event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The id by which the equipment knows it. It need not grow with time, and may be given again.
    pub id: u16,
    /// When it was added, by the clock of the equipment, which may be wrong; nothing if that clock was not set.
    pub time: Option<Timestamp>,
    /// How bad it is. The end of a state is [`Health::Ok`], and so is everything that nobody can judge.
    pub severity: Health,
    /// The sensor that reported it, if it is a device of the board.
    pub sensor: Option<LogSensor>,
    /// What happened, in one line, without the time.
    pub message: String,
    /// Whether a state was entered; otherwise it was left. True of entries that know no states.
    pub asserted: bool,
    /// The entry as the equipment stores it.
    pub raw: [u8; 16],
}

/// The sensor that reported an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSensor {
    /// Which device it is.
    pub device: DeviceId,
    /// What it is called.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_cursor_comes_back() {
        let cursor = LogCursor {
            position: Some(0xfffe),
            passed: 512,
            told: [7, u32::MAX],
            place: LogPlace::Erased,
            added_at: 1_450_000_000,
            erased_at: u32::MAX,
            leaves_out: true,
        };
        for cursor in [cursor, LogCursor::default()] {
            let json = serde_json::to_string(&cursor).unwrap();
            assert_eq!(serde_json::from_str::<LogCursor>(&json).unwrap(), cursor);
        }
        let older = r#"{"position":7,"passed":1,"told":[1,2],"place":"known","added_at":3,"erased_at":4}"#;
        assert!(!serde_json::from_str::<LogCursor>(older).unwrap().leaves_out);
    }
}
