//! What tests of several modules need: a clock that they set, a board, and a part of an event log.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use opendcre_model::{BoardId, EventLogPage, LogCursor, WallClock};

use crate::{BoardRecord, BoardState};

/// A clock that a test sets.
#[derive(Debug, Default)]
pub(crate) struct TestClock(Mutex<SignedDuration>);

impl TestClock {
    /// Sets the clock, backwards if `by` is negative.
    pub(crate) fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl WallClock for TestClock {
    fn now(&self) -> Timestamp {
        "2026-12-01T10:00:00Z".parse::<Timestamp>().unwrap() + *self.0.lock().unwrap()
    }
}

/// A board that is there, of which nothing else is known.
pub(crate) fn board(id: u32, name: &str) -> BoardRecord {
    BoardRecord {
        id: BoardId(id),
        name: name.to_owned(),
        rack: "rack_1".to_owned(),
        driver: "hat".to_owned(),
        place: Some(BoardId(id)),
        identity: None,
        firmware: None,
        hostnames: Vec::new(),
        ip_addresses: Vec::new(),
        labels: BTreeMap::new(),
        groups: Vec::new(),
        devices: Vec::new(),
        state: BoardState::Present,
        since: Timestamp::UNIX_EPOCH,
        first_seen: None,
        last_seen: None,
        failure: None,
    }
}

/// The part of an event log up to this entry, with nothing in it.
pub(crate) fn log_page(position: u16) -> EventLogPage {
    EventLogPage {
        entries: Vec::new(),
        cursor: LogCursor { position: Some(position), ..LogCursor::default() },
        was_cleared: false,
        was_overwritten: false,
        more: false,
        used_percent: None,
        overflow: false,
        unreadable: Vec::new(),
    }
}
