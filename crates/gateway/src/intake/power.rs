//! Which devices have power, and who switched it: somebody here, or nobody that is known.

use std::collections::HashMap;
use std::time::Duration;

use opendcre_model::{BoardId, DeviceAddress, PowerAction, PowerState};
use tokio::time::Instant;

use crate::BoardRecord;
use crate::event::NewEvent;
use crate::event::power::power_changed;

/// For how long an order explains that power has changed: operating systems take their time to shut down.
const EXPLAINS: Duration = Duration::from_secs(15 * 60);
/// The most orders that are remembered.
const MOST_ORDERS: usize = 65_536;

/// The power of every device that was asked for it.
#[derive(Debug, Default)]
pub(super) struct PowerWatch {
    states: HashMap<DeviceAddress, PowerState>,
    orders: HashMap<DeviceAddress, Order>,
}

#[derive(Debug, Clone)]
struct Order {
    action: PowerAction,
    at: Instant,
}

/// Power that was switched.
#[derive(Debug)]
pub(super) struct PowerChange {
    device: DeviceAddress,
    from: PowerState,
    to: PowerState,
    order: Option<Order>,
}

impl PowerWatch {
    /// Notes that somebody is about to switch a device.
    pub(super) fn note_order(&mut self, device: DeviceAddress, action: PowerAction) {
        if self.orders.len() >= MOST_ORDERS {
            self.orders.retain(|_, order| order.at.elapsed() < EXPLAINS);
        }
        if self.orders.len() < MOST_ORDERS {
            self.orders.insert(device, Order { action, at: Instant::now() });
        }
    }

    /// Notes the state that a device has just told. Nothing if it is the one from before, or the first.
    pub(super) fn note(&mut self, device: DeviceAddress, to: PowerState) -> Option<PowerChange> {
        let from = self.states.insert(device, to).filter(|from| *from != to)?;
        let order = self.orders.get(&device).filter(|order| order.at.elapsed() < EXPLAINS);
        let order = order.filter(|order| explains(order.action, to)).cloned();
        Some(PowerChange { device, from, to, order })
    }

    /// Forgets the devices of a board that is not there any more, or another one.
    pub(super) fn forget(&mut self, board: BoardId) {
        self.states.retain(|device, _| device.board != board);
        self.orders.retain(|device, _| device.board != board);
    }
}

impl PowerChange {
    /// What happened, in words.
    pub(super) fn event(&self, board: &BoardRecord) -> NewEvent {
        let order = self.order.as_ref().map(|order| order.action.name());
        power_changed(board, self.device.device, self.from, self.to, order)
    }
}

/// Whether an action can have brought about a state.
const fn explains(action: PowerAction, state: PowerState) -> bool {
    match action {
        PowerAction::On => matches!(state, PowerState::On),
        PowerAction::Off | PowerAction::Soft => matches!(state, PowerState::Off),
        // These lead through both.
        PowerAction::Cycle | PowerAction::Reset | PowerAction::Diagnostic => true,
    }
}

#[cfg(test)]
mod tests {
    use opendcre_model::DeviceId;

    use super::*;

    const SWITCH: DeviceAddress = DeviceAddress { board: BoardId(1), device: DeviceId(2) };

    #[tokio::test(start_paused = true)]
    async fn an_order_explains_for_a_while_and_only_what_it_does() {
        let mut watch = PowerWatch::default();
        assert!(watch.note(SWITCH, PowerState::On).is_none(), "the first state is no change");
        assert!(watch.note(SWITCH, PowerState::On).is_none());
        assert!(watch.note(SWITCH, PowerState::Off).unwrap().order.is_none());

        watch.note_order(SWITCH, PowerAction::On);
        let change = watch.note(SWITCH, PowerState::On).unwrap();
        assert_eq!((change.from, change.to), (PowerState::Off, PowerState::On));
        assert_eq!(change.order.unwrap().action, PowerAction::On);
        assert!(watch.note(SWITCH, PowerState::Off).unwrap().order.is_none(), "nobody ordered that");

        watch.note_order(SWITCH, PowerAction::Soft);
        watch.note(SWITCH, PowerState::On);
        tokio::time::advance(EXPLAINS).await;
        assert!(watch.note(SWITCH, PowerState::Off).unwrap().order.is_none(), "that was too long ago");

        watch.forget(SWITCH.board);
        assert!(watch.note(SWITCH, PowerState::On).is_none());
    }
}
