//! Events about power that was switched, by whomever.

use opendcre_model::{DeviceId, PowerState};

use super::health::describe;
use super::{EventKind, NewEvent, Severity};
use crate::BoardRecord;

/// A device was switched from one state to another, after somebody ordered an action with this name here, or nobody did. Who
/// did is told by an event of its own, for those who may read the audit.
pub(crate) fn power_changed(
    board: &BoardRecord,
    device: DeviceId,
    from: PowerState,
    to: PowerState,
    order: Option<&str>,
) -> NewEvent {
    let (severity, why) = match order {
        Some(action) => (Severity::Info, format!("somebody here ordered {action}")),
        None => (Severity::Warning, "nobody ordered that here".to_owned()),
    };
    let message = format!("{} is {to}, was {from}: {why}", describe(board, device));
    let event = NewEvent::new(EventKind::PowerChanged, severity, message);
    let event = event.of_board(board).of_device(device).with("from", from.name()).with("to", to.name());
    event.with("ordered", order.is_some()).with("action", order)
}
