//! Events about the health of devices.

use opendcre_model::{Device, DeviceAddress, DeviceId, Health, Quantity};
use serde_json::json;

use super::{Event, EventKind, NewEvent};
use crate::BoardRecord;
use crate::health::{Cause, HealthChange};

/// A device of `board` is in another health.
pub(crate) fn health_changed(board: &BoardRecord, change: &HealthChange) -> NewEvent {
    let HealthChange { device, from, to, cause } = change;
    let again = if *to == Health::Ok { " again" } else { "" };
    let message = format!("{} is {to}{again}: {}", describe(board, device.device), reason(cause, to < from));
    let event = NewEvent::new(EventKind::HealthChanged, (*to).into(), message);
    let event =
        event.of_board(board).of_device(device.device).with("from", from.name()).with("to", to.name());
    match cause {
        Cause::Limit { quantity, value, limit, side } => event
            .with("quantity", quantity.name())
            .with("unit", quantity.unit())
            .with("value", *value)
            .with(side.name(), *limit),
        Cause::Equipment(words) => event.with("words", json!(words)),
        Cause::NoValue => event,
    }
}

/// What an event tells about the health of a device, if it does.
pub(super) fn told_health(event: &Event) -> Option<(DeviceAddress, Health)> {
    let (EventKind::HealthChanged, Some(board), Some(device)) = (event.kind, event.board, event.device)
    else {
        return None;
    };
    let health = serde_json::from_value(event.detail.get("to")?.clone()).ok()?;
    Some((DeviceAddress { board, device }, health))
}

/// A device of a board, in a few words.
pub(super) fn describe(board: &BoardRecord, id: DeviceId) -> String {
    let device = match board.device(id) {
        Some(Device { name: Some(name), kind, .. }) => format!("{name:?} ({kind} {id})"),
        Some(Device { kind, .. }) => format!("{kind} {id}"),
        None => format!("device {id}"),
    };
    format!("{device} of {}", board.describe())
}

fn reason(cause: &Cause, is_better: bool) -> String {
    match cause {
        Cause::Limit { quantity, value, limit, side } => {
            let relation = if is_better { "no longer" } else { "which is" };
            let (value, limit) = (amount(*value, quantity), amount(*limit, quantity));
            format!("its {} is {value}, {relation} {} {limit}", quantity.name(), side.name())
        }
        Cause::Equipment(words) if words.is_empty() => "the equipment says so".to_owned(),
        Cause::Equipment(words) => format!("the equipment says {:?}", words.join(", ")),
        Cause::NoValue => "there is nothing to measure now".to_owned(),
    }
}

/// A value with its unit, to two digits after the point.
fn amount(value: f64, quantity: &Quantity) -> String {
    let value = (value * 100.0).round() / 100.0;
    let unit = quantity.unit();
    if unit.is_empty() { value.to_string() } else { format!("{value} {unit}") }
}
