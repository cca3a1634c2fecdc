//! Events about what happened to boards.

use super::{EventKind, NewEvent, Severity};
use crate::inventory::describe;
use crate::{ChangeKind, InventoryChange};

/// What the inventory noticed.
pub(crate) fn inventory_changed(change: &InventoryChange) -> NewEvent {
    let (kind, severity, what) = match change.kind {
        ChangeKind::Appeared => (EventKind::BoardAppeared, Severity::Info, "was seen for the first time"),
        ChangeKind::Vanished => (EventKind::BoardMissing, Severity::Critical, "does not answer any more"),
        ChangeKind::Returned => (EventKind::BoardReturned, Severity::Info, "answers again"),
        ChangeKind::Moved => (EventKind::BoardMoved, Severity::Info, "is in another place"),
        ChangeKind::Changed => (EventKind::BoardChanged, Severity::Info, "has changed"),
        ChangeKind::Removed => (EventKind::BoardRemoved, Severity::Info, "is not listed any more"),
        ChangeKind::Forgotten => (EventKind::BoardRemoved, Severity::Info, "was forgotten"),
    };
    let board = describe(change.board, &change.name, &change.rack);
    let event = NewEvent::new(kind, severity, format!("{board} {what}: {}", change.detail));
    NewEvent {
        rack: Some(change.rack.clone()),
        board: Some(change.board),
        name: Some(change.name.clone()),
        ..event.with("change", change.detail.as_str())
    }
}
