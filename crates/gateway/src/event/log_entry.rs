//! Events about the logs that servers keep themselves.

use jiff::Timestamp;
use opendcre_model::{DeviceId, Health, UnreadableEntry};

use super::{EventKind, NewEvent, Severity};
use crate::BoardRecord;

/// An entry of the log of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoggedEntry<'a> {
    /// Its number in that log.
    pub(crate) id: u16,
    /// When it happened, by the clock of the server.
    pub(crate) time: Option<Timestamp>,
    /// How bad it is.
    pub(crate) severity: Health,
    /// The sensor that it is about, and what that is called.
    pub(crate) sensor: Option<(DeviceId, &'a str)>,
    /// What happened, in words.
    pub(crate) message: &'a str,
    /// Whether it began; otherwise it ended.
    pub(crate) asserted: bool,
}

/// The log of a server has a new entry.
pub(crate) fn log_entry(board: &BoardRecord, entry: LoggedEntry<'_>) -> NewEvent {
    let LoggedEntry { id, time, severity, sensor, message, asserted } = entry;
    let what = if asserted { "" } else { ", which is over" };
    let text = match sensor {
        Some((_, name)) => format!("{} reports {message:?} of {name:?}{what}", board.describe()),
        None => format!("{} reports {message:?}{what}", board.describe()),
    };
    // What is over is good to know.
    let severity = if asserted { severity.into() } else { Severity::Info };
    let event = NewEvent::new(EventKind::LogEntry, severity, text).of_board(board);
    NewEvent { device: sensor.map(|(device, _)| device), ..event }
        .with("entry", id)
        .with("logged_at", time.map(|time| time.to_string()))
        .with("sensor", sensor.map(|(_, name)| name))
        .with("message", message)
        .with("asserted", asserted)
}

/// An entry of the log of a server cannot be read, and is left out.
pub(crate) fn log_entry_unreadable(board: &BoardRecord, entry: &UnreadableEntry) -> NewEvent {
    let UnreadableEntry { id, reason } = entry;
    let board_words = board.describe();
    let message =
        format!("entry {id} of the event log of {board_words} is left out, it cannot be read: {reason}");
    NewEvent::new(EventKind::Loss, Severity::Warning, message)
        .of_board(board)
        .with("code", "log_entry_unreadable")
        .with("entry", *id)
}

/// The log of a server was cleared, by whomever.
pub(crate) fn log_cleared(board: &BoardRecord) -> NewEvent {
    let message = format!("the event log of {} was cleared", board.describe());
    NewEvent::new(EventKind::LogCleared, Severity::Info, message).of_board(board)
}

/// The log of a server is nearly full, or has lost entries because it was.
pub(crate) fn log_filling(board: &BoardRecord, used_percent: Option<u8>, overflow: bool) -> NewEvent {
    let board_words = board.describe();
    let message = match used_percent {
        _ if overflow => format!("the event log of {board_words} is full and has lost entries; clear it"),
        Some(percent) => format!("the event log of {board_words} is {percent} % full; clear it"),
        None => format!("the event log of {board_words} is nearly full; clear it"),
    };
    NewEvent::new(EventKind::LogFilling, Severity::Warning, message)
        .of_board(board)
        .with("used_percent", used_percent)
        .with("overflow", overflow)
}
