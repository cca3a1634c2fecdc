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
    /// What is to bring a device into a state.
    orders: HashMap<(DeviceAddress, PowerState), Order>,
}

#[derive(Debug, Clone, Copy)]
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
        let order = Order { action, at: Instant::now() };
        for state in [PowerState::On, PowerState::Off].into_iter().filter(|state| explains(action, *state)) {
            if self.orders.len() >= MOST_ORDERS {
                self.orders.retain(|_, order| order.at.elapsed() < EXPLAINS);
            }
            if self.orders.len() < MOST_ORDERS {
                self.orders.insert((device, state), order);
            }
        }
    }

    /// Notes the state that a device has just told. Nothing if it is the one from before, or the first.
    pub(super) fn note(&mut self, device: DeviceAddress, to: PowerState) -> Option<PowerChange> {
        let from = self.states.insert(device, to).filter(|from| *from != to)?;
        // It is carried out now, and explains nothing that happens later, nor do older ones.
        let order = self.orders.remove(&(device, to)).filter(|order| order.at.elapsed() < EXPLAINS);
        let is_older = |other: &Order| order.is_some_and(|order| other.at < order.at);
        if self.orders.get(&(device, from)).is_some_and(is_older) {
            self.orders.remove(&(device, from));
        }
        Some(PowerChange { device, from, to, order })
    }

    /// Forgets the devices of a board that is not there any more, or another one.
    pub(super) fn forget(&mut self, board: BoardId) {
        self.states.retain(|device, _| device.board != board);
        self.orders.retain(|(device, _), _| device.board != board);
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

        watch.note_order(SWITCH, PowerAction::On);
        tokio::time::advance(EXPLAINS / 4).await;
        watch.note_order(SWITCH, PowerAction::Off);
        assert!(watch.note(SWITCH, PowerState::On).unwrap().order.is_some(), "also after another order");
        assert!(watch.note(SWITCH, PowerState::Off).unwrap().order.is_some());
        assert!(watch.note(SWITCH, PowerState::On).unwrap().order.is_none(), "each explains one change");

        watch.note_order(SWITCH, PowerAction::Cycle);
        assert!(watch.note(SWITCH, PowerState::Off).unwrap().order.is_some());
        assert!(watch.note(SWITCH, PowerState::On).unwrap().order.is_some(), "it leads through both");

        watch.forget(SWITCH.board);
        assert!(watch.note(SWITCH, PowerState::On).is_none());
    }
}
