//! The part of the inventory that somebody may read, as node ranges see it: what they may not read does not exist.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use opendcre_model::{BoardId, Device, DeviceAddress};

use super::Inventory;
use super::directory::{BUILT_IN, any_value};
use crate::noderange::{Directory, Found};
use crate::policy::Reach;

/// The part of an inventory that is within a reach.
pub(crate) struct Readable<'a> {
    inventory: &'a Inventory,
    reach: &'a Reach,
    /// The racks that hold boards within reach, with those.
    racks: OnceCell<BTreeMap<&'a str, Vec<BoardId>>>,
    /// The groups that hold boards within reach, with those. Found out once: a range may name a group many times.
    groups: OnceCell<BTreeMap<&'a str, Vec<BoardId>>>,
}

impl<'a> Readable<'a> {
    /// What of `inventory` is within `reach`.
    pub(crate) const fn new(inventory: &'a Inventory, reach: &'a Reach) -> Self {
        Self { inventory, reach, racks: OnceCell::new(), groups: OnceCell::new() }
    }

    /// The names of the groups that hold boards within reach, with those.
    pub(crate) fn groups(&self) -> &BTreeMap<&'a str, Vec<BoardId>> {
        self.groups.get_or_init(|| {
            let names = self.inventory.group_names().into_iter();
            // Its range is evaluated as its owner wrote it; what is wrong with it is not for everybody to see.
            let groups = names.map(|name| {
                let mut boards = self.inventory.members(name).unwrap_or_default();
                boards.retain(|board| self.reach.has(*board));
                (name, boards)
            });
            groups.filter(|(_, boards)| !boards.is_empty()).collect()
        })
    }

    fn racks(&self) -> &BTreeMap<&'a str, Vec<BoardId>> {
        self.racks.get_or_init(|| {
            let mut racks: BTreeMap<&str, Vec<BoardId>> = BTreeMap::new();
            for record in self.inventory.records().filter(|record| self.reach.has(record.id)) {
                racks.entry(&record.rack).or_default().push(record.id);
            }
            racks
        })
    }
}

impl Directory for Readable<'_> {
    fn boards(&self) -> Vec<BoardId> {
        let ids = self.inventory.boards.keys().copied();
        ids.filter(|board| self.reach.has(*board)).collect()
    }

    fn contains(&self, board: BoardId) -> bool {
        self.reach.has(board) && self.inventory.contains(board)
    }

    fn find(&self, word: &str) -> Vec<Found<'_>> {
        let boards = self.inventory.aliases.find(word).into_iter().flat_map(Cow::into_owned);
        let boards = boards.filter(|board| self.reach.has(*board)).map(Found::Board);
        let rack = self.racks().get_key_value(word).map(|(name, boards)| Found::Rack { name, boards });
        let group = self.groups().get_key_value(word);
        let group = group.map(|(name, boards)| Found::Group { name, boards, range: None });
        boards.chain(rack).chain(group).collect()
    }

    fn describe(&self, board: BoardId) -> String {
        Directory::describe(self.inventory, board)
    }

    fn has_attribute(&self, attribute: &str) -> bool {
        let mut readable = self.inventory.records().filter(|record| self.reach.has(record.id));
        BUILT_IN.contains(&attribute) || readable.any(|record| record.labels.contains_key(attribute))
    }

    fn any_value(&self, board: BoardId, attribute: &str, test: &dyn Fn(&str) -> bool) -> bool {
        let is_shown = |device: &Device| self.reach.has_device(DeviceAddress { board, device: device.id });
        let record = self.inventory.board(board).filter(|_| self.reach.has(board));
        record.is_some_and(|record| any_value(record, attribute, test, is_shown))
    }
}
