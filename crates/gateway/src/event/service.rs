//! Events about the service itself and this very log.

use jiff::SignedDuration;
use serde_json::Value;

use super::{EventError, EventKind, NewEvent, Severity};
use crate::{Defect, Mode, SetAside};

/// The service has started, in this version, in front of such equipment.
pub(crate) fn started(version: &str, mode: Mode) -> NewEvent {
    NewEvent::new(EventKind::ServiceStarted, Severity::Info, format!("opendcre {version} has started"))
        .with("version", version)
        .with("mode", mode.name())
}

/// The service goes on without something, or in another way than it was meant to.
pub(crate) fn degraded(defect: &Defect) -> NewEvent {
    let message = format!("{}: {}", defect.name, defect.message);
    NewEvent::new(EventKind::ServiceDegraded, Severity::Warning, message)
        .with("name", defect.name.as_str())
        .with("code", defect.code)
}

/// The service stops.
pub(crate) fn stopped() -> NewEvent {
    NewEvent::new(EventKind::ServiceStopped, Severity::Info, "opendcre stops")
}

/// The clock was set by `shift`, forwards if that is positive.
pub(super) fn clock_changed(shift: SignedDuration) -> NewEvent {
    let direction = if shift.is_negative() { "back" } else { "forward" };
    let by = SignedDuration::try_from(shift.unsigned_abs()).unwrap_or(SignedDuration::MAX);
    let message = format!("the clock of this machine was set {direction} by {by:#}");
    NewEvent::new(EventKind::ClockChanged, Severity::Warning, message).with("shift_seconds", shift.as_secs())
}

/// So many events were not taken.
pub(super) fn too_many(count: u64) -> NewEvent {
    let message =
        format!("{count} events are missing here, because more happened at once than the disk could take");
    loss(Severity::Warning, "too_many", message).with("count", count)
}

/// Events do not reach the disk.
pub(super) fn only_in_memory(failure: &EventError) -> NewEvent {
    let message = format!("{failure}; until then, events are only kept in memory");
    loss(Severity::Critical, "only_in_memory", message)
}

/// Events reach the disk again, and of those in between so many are missing there.
pub(super) fn on_disk_again(missing: u64) -> NewEvent {
    let what = match missing {
        0 => "none is missing".to_owned(),
        1 => "one is missing".to_owned(),
        many => format!("{many} are missing"),
    };
    let severity = if missing == 0 { Severity::Info } else { Severity::Warning };
    loss(severity, "on_disk_again", format!("events are kept on the disk again; {what}"))
        .with("count", missing)
}

/// The log was no use, and a fresh one was begun.
pub(super) fn set_aside(set_aside: &SetAside) -> NewEvent {
    let path = Value::from(set_aside.path.display().to_string());
    loss(Severity::Critical, set_aside.code, format!("earlier events are missing: {}", set_aside.message))
        .with("path", path)
}

/// Values do not reach the disk.
pub(crate) fn history_only_in_memory(failure: &str) -> NewEvent {
    loss(Severity::Critical, "history_only_in_memory", failure)
}

/// Values reach the disk again.
pub(crate) fn history_on_disk_again() -> NewEvent {
    loss(Severity::Info, "history_on_disk_again", "values are kept on the disk again")
}

/// So many values are lost, and so many parts of the file are damaged, since that was told last.
pub(crate) fn history_missing(lost: u64, damaged: u64) -> NewEvent {
    let message =
        format!("the history lacks {lost} values, and {damaged} parts of it are damaged and left out");
    loss(Severity::Warning, "history_missing", message).with("lost", lost).with("damaged", damaged)
}

/// The history has values of times that are yet to come.
pub(crate) fn history_ahead() -> NewEvent {
    let message = "the history has values of times that are yet to come, because the clock was ahead when they were \
                   measured; they are the first to go when the file is full";
    loss(Severity::Warning, "history_ahead", message)
}

/// The history was no use, and a fresh one was begun.
pub(crate) fn history_set_aside(set_aside: &SetAside) -> NewEvent {
    let path = Value::from(set_aside.path.display().to_string());
    loss(Severity::Critical, set_aside.code, format!("earlier values are missing: {}", set_aside.message))
        .with("path", path)
}

fn loss(severity: Severity, code: &str, message: impl Into<String>) -> NewEvent {
    NewEvent::new(EventKind::Loss, severity, message).with("code", code)
}
