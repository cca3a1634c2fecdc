//! Events about what the audit log records: what came of changes, and who was refused.

use serde_json::Value;

use super::{EventKind, NewEvent, Severity};
use crate::inventory::describe;
use crate::{AuditEntry, AuditKind, AuditTarget};

/// What an entry of the audit log says, if it is the end of something.
pub(crate) fn audited(entry: &AuditEntry) -> Option<NewEvent> {
    let who = entry.who.as_ref().map_or("somebody", |who| who.name.as_str());
    let target = entry.target.as_ref().map(target_words).unwrap_or_default();
    let AuditEntry { action, code, message, .. } = entry;
    let is_done = code.is_empty() || code == "ok";
    let (kind, severity, text) = match entry.kind {
        AuditKind::Outcome if is_done => {
            (EventKind::Action, Severity::Info, format!("{who:?} did {action}{target}"))
        }
        AuditKind::Outcome => {
            (EventKind::Action, Severity::Warning, format!("{who:?} failed to do {action}{target}"))
        }
        AuditKind::Refused => {
            (EventKind::Action, Severity::Warning, format!("{who:?} may not do {action}{target}"))
        }
        AuditKind::LoginRefused => {
            (EventKind::LoginRefused, Severity::Warning, format!("{who:?} was not let in"))
        }
        _ => return None,
    };
    let text = if message.is_empty() { text } else { format!("{text}: {message}") };
    let AuditTarget { board, device, name, rack } = match &entry.target {
        Some(target) => target.clone(),
        None => return Some(with_details(NewEvent::new(kind, severity, text), entry)),
    };
    let event = NewEvent { board: Some(board), device, ..NewEvent::new(kind, severity, text) };
    Some(with_details(NewEvent { name: known(name), rack: known(rack), ..event }, entry))
}

fn with_details(event: NewEvent, entry: &AuditEntry) -> NewEvent {
    let text = |text: &str| known(text.to_owned()).map_or(Value::Null, Value::from);
    event
        .with("who", entry.who.as_ref().map(|who| who.name.as_str()))
        .with("remote", text(&entry.remote))
        .with("request_id", text(&entry.request_id))
        .with("id", text(&entry.id))
        .with("action", text(&entry.action))
        .with("parameters", text(&entry.parameters))
        .with("code", text(&entry.code))
}

fn known(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn target_words(target: &AuditTarget) -> String {
    let board = describe(target.board, &target.name, &target.rack);
    target.device.map_or_else(|| format!(" to {board}"), |device| format!(" to device {device} of {board}"))
}
