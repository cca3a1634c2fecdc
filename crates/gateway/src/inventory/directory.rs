//! The inventory as node ranges see it.

use std::borrow::Cow;

use opendcre_model::{BoardId, Device};

use super::Inventory;
use super::record::BoardRecord;
use crate::noderange::{Directory, Found};

/// The attributes that every board has.
pub(super) const BUILT_IN: [&str; 6] = ["driver", "firmware", "kind", "name", "rack", "state"];

impl Directory for Inventory {
    fn boards(&self) -> Vec<BoardId> {
        self.boards.keys().copied().collect()
    }

    fn contains(&self, board: BoardId) -> bool {
        self.boards.contains_key(&board)
    }

    fn find(&self, word: &str) -> Vec<Found<'_>> {
        let boards = self.aliases.find(word).into_iter().flat_map(Cow::into_owned).map(Found::Board);
        let rack = self.aliases.rack(word).map(|(name, boards)| Found::Rack { name, boards });
        let group =
            self.aliases.group(word).map(|(name, boards, range)| Found::Group { name, boards, range });
        boards.chain(rack).chain(group).collect()
    }

    fn describe(&self, board: BoardId) -> String {
        self.boards.get(&board).map_or_else(|| format!("board {board}"), |record| record.describe())
    }

    fn has_attribute(&self, attribute: &str) -> bool {
        BUILT_IN.contains(&attribute) || self.aliases.has_label(attribute)
    }

    fn any_value(&self, board: BoardId, attribute: &str, test: &dyn Fn(&str) -> bool) -> bool {
        self.boards.get(&board).is_some_and(|record| any_value(record, attribute, test, |_| true))
    }
}

/// Whether any value that a board has of an attribute passes `test`, given which of its devices are shown.
pub(super) fn any_value(
    record: &BoardRecord,
    attribute: &str,
    test: &dyn Fn(&str) -> bool,
    is_shown: impl Fn(&Device) -> bool,
) -> bool {
    let mut devices = record.devices.iter().filter(|device| is_shown(device));
    match attribute {
        "driver" => test(&record.driver),
        "firmware" => record.firmware.as_deref().is_some_and(test),
        "kind" => devices.any(|device| test(device.kind.name())),
        "name" => test(&record.name),
        "rack" => test(&record.rack),
        "state" => test(record.state.name()),
        label => record.labels.get(label).is_some_and(|value| test(value)),
    }
}
