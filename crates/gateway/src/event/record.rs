//! What an event says. It knows neither where events come from nor where they are kept.

use jiff::Timestamp;
use opendcre_model::{BoardId, DeviceId, Health};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::BoardRecord;

/// The most characters of a message, and of a text in the details. Some of it the equipment says.
const MAX_TEXT: usize = 500;

/// The most details of one event.
const MAX_DETAILS: usize = 32;

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// What kind of thing happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum EventKind {
            $($(#[$doc])* $variant,)+
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word for it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

event_kinds! {
    /// A board was seen for the first time.
    BoardAppeared = "board_appeared",
    /// A board answers again.
    BoardReturned = "board_returned",
    /// A board does not answer any more.
    BoardMissing = "board_missing",
    /// A board is reached in another place.
    BoardMoved = "board_moved",
    /// The devices, firmware, names or labels of a board are others.
    BoardChanged = "board_changed",
    /// A board is not listed any more.
    BoardRemoved = "board_removed",
    /// A device is in another health.
    HealthChanged = "health_changed",
    /// A device was switched on or off, by whomever.
    PowerChanged = "power_changed",
    /// The event log of a server has a new entry.
    LogEntry = "log_entry",
    /// The event log of a server was cleared.
    LogCleared = "log_cleared",
    /// The event log of a server is nearly full.
    LogFilling = "log_filling",
    /// Somebody changed something by way of this service, or tried to.
    Action = "action",
    /// Somebody did not prove who they are.
    LoginRefused = "login_refused",
    /// A wire cannot be used any more.
    SourceDown = "source_down",
    /// A wire can be used again.
    SourceUp = "source_up",
    /// Events or values are missing, or only kept in memory.
    Loss = "loss",
    /// The clock of this machine was set.
    ClockChanged = "clock_changed",
    /// The service has started.
    ServiceStarted = "service_started",
    /// The service goes on without something that is configured, or in another way than it was meant to.
    ServiceDegraded = "service_degraded",
    /// The service stops.
    ServiceStopped = "service_stopped",
}

/// How much an event matters. Greater is worse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Somebody should look after it.
    Warning,
    /// Somebody should look after it now.
    Critical,
}

/// Something that happened, before it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What kind of thing happened.
    pub kind: EventKind,
    /// How much it matters.
    pub severity: Severity,
    /// The rack of the board.
    pub rack: Option<String>,
    /// The board that it is about.
    pub board: Option<BoardId>,
    /// What the board is called.
    pub name: Option<String>,
    /// The device that it is about.
    pub device: Option<DeviceId>,
    /// One sentence for people, without a trailing stop.
    pub message: String,
    /// The same for programs.
    pub detail: Map<String, Value>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number: greater than that of every earlier event, also over restarts. Some numbers are never given.
    pub sequence: u64,
    /// When it was noticed, by a clock that may be wrong.
    pub time: Timestamp,
    /// What kind of thing happened.
    pub kind: EventKind,
    /// How much it matters.
    pub severity: Severity,
    /// The rack of the board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The board that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<BoardId>,
    /// What the board was called then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The device that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// One sentence for people, without a trailing stop.
    pub message: String,
    /// The same for programs. What is in it depends on the kind.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, Value>,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl From<Health> for Severity {
    fn from(health: Health) -> Self {
        match health {
            Health::Ok => Self::Info,
            Health::Warning => Self::Warning,
            Health::Critical | Health::Failed => Self::Critical,
        }
    }
}

impl NewEvent {
    /// An event about the service itself.
    pub(crate) fn new(kind: EventKind, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            kind,
            severity,
            rack: None,
            board: None,
            name: None,
            device: None,
            message: message.into(),
            detail: Map::new(),
        }
    }

    /// The same about a board.
    pub(crate) fn of_board(self, board: &BoardRecord) -> Self {
        let (rack, name) = (Some(board.rack.clone()), Some(board.name.clone()));
        Self { rack, board: Some(board.id), name, ..self }
    }

    /// The same about a device.
    pub(crate) fn of_device(self, device: DeviceId) -> Self {
        Self { device: Some(device), ..self }
    }

    /// The same with another detail; nothing is left out.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !value.is_null() {
            self.detail.insert(key.to_owned(), value);
        }
        self
    }

    /// As it is kept: without what exceeds the length of anything sensible.
    pub(super) fn numbered(self, sequence: u64, time: Timestamp) -> Event {
        let Self { kind, severity, rack, board, name, device, message, detail } = self;
        let detail = detail.into_iter().take(MAX_DETAILS).map(|(key, value)| (key, shorten_value(value)));
        Event {
            sequence,
            time,
            kind,
            severity,
            rack: rack.map(shorten),
            board,
            name: name.map(shorten),
            device,
            message: shorten(message),
            detail: detail.collect(),
        }
    }
}

impl Event {
    /// Whether somebody may be told of it who may read the boards that are `readable`, who may or may not read the audit,
    /// and may or may not see everything.
    #[must_use]
    pub fn is_visible(
        &self,
        readable: impl Fn(BoardId) -> bool,
        may_audit: bool,
        sees_everything: bool,
    ) -> bool {
        match (self.kind, self.board) {
            (EventKind::Action | EventKind::LoginRefused, _) => may_audit,
            (_, Some(board)) => sees_everything || readable(board),
            (_, None) => sees_everything,
        }
    }
}

fn shorten(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Details are flat: texts, numbers, and lists of texts.
fn shorten_value(value: Value) -> Value {
    match value {
        Value::String(text) => shorten(text).into(),
        Value::Array(values) => values
            .into_iter()
            .take(MAX_DETAILS)
            .filter(|value| !value.is_array())
            .map(shorten_value)
            .collect(),
        Value::Object(_) => Value::Null,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, board: Option<BoardId>) -> Event {
        let event = NewEvent { board, ..NewEvent::new(kind, Severity::Info, "something happened") };
        event.numbered(1, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn every_kind_is_written_as_its_name() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn events_are_for_those_who_may_see_what_they_are_about() {
        let of_board = event(EventKind::PowerChanged, Some(BoardId(1)));
        let readable = |board| board == BoardId(1);
        assert!(of_board.is_visible(readable, false, false));
        assert!(!of_board.is_visible(|_| false, true, false));
        // A board that was removed is in nobody's reach.
        assert!(of_board.is_visible(|_| false, false, true));
        let action = event(EventKind::Action, Some(BoardId(1)));
        assert!(!action.is_visible(readable, false, true));
        assert!(action.is_visible(|_| false, true, false));
        assert!(event(EventKind::LoginRefused, None).is_visible(readable, true, false));
        let of_service = event(EventKind::Loss, None);
        assert!(!of_service.is_visible(readable, true, false));
        assert!(of_service.is_visible(readable, false, true));
    }

    #[test]
    fn what_is_endless_is_shortened() {
        let long = NewEvent::new(EventKind::LogEntry, Severity::Info, "ä".repeat(1_000))
            .with("words", vec!["x".repeat(10_000); 100])
            .with("nothing", Value::Null);
        let event = long.numbered(1, Timestamp::UNIX_EPOCH);
        assert_eq!(event.message, "ä".repeat(MAX_TEXT) + "…");
        assert!(serde_json::to_string(&event).unwrap().len() < 20_000);
        assert!(!event.detail.contains_key("nothing"));
    }
}
