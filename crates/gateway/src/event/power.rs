//! Events about power that was switched, by whomever.

use opendcre_model::{DeviceId, PowerState};

use super::health::describe;
use super::{EventKind, NewEvent, Severity};
use crate::{BoardRecord, Principal};

/// An order of this service that explains why power was switched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PowerOrder<'a> {
    /// The name of the action, as the audit has it.
    pub(crate) action: &'a str,
    /// Who gave it.
    pub(crate) principal: &'a Principal,
}

/// A device was switched from one state to another, after `order` or without anybody who gave one here.
pub(crate) fn power_changed(
    board: &BoardRecord,
    device: DeviceId,
    from: PowerState,
    to: PowerState,
    order: Option<PowerOrder<'_>>,
) -> NewEvent {
    let (severity, why) = match order {
        Some(PowerOrder { action, principal }) => {
            (Severity::Info, format!("{} ordered {action}", principal.name()))
        }
        None => (Severity::Warning, "nobody ordered that here".to_owned()),
    };
    let message = format!("{} is {to}, was {from}: {why}", describe(board, device));
    let event = NewEvent::new(EventKind::PowerChanged, severity, message);
    let event = event.of_board(board).of_device(device).with("from", from.name()).with("to", to.name());
    let event = event.with("ordered", order.is_some());
    match order {
        Some(PowerOrder { action, principal }) => event
            .with("action", action)
            .with("who", principal.name())
            .with("request_id", &*principal.request_id),
        None => event,
    }
}
