//! Where somebody may do something: everywhere, or on certain boards and devices. To ask whether a board is among them
//! is to look it up in a set; the sets are kept as long as the inventory selects the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opendcre_model::{BoardId, DeviceAddress, DeviceId, Extent};

use super::selector::{Cover, Selector};
use crate::BoardRecord;
use crate::inventory::Inventory;

/// The most extents whose boards are kept: 64 of 10,000 boards each take 3 MB.
const KEPT: usize = 64;

/// Where somebody may do something.
#[derive(Debug, Clone)]
pub(crate) enum Reach {
    /// Everywhere.
    Everything,
    /// Where any of these is. Without any, they have no role for it at all.
    Regions(Vec<Arc<Region>>),
}

/// The boards and devices of an extent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Region {
    /// Tells extents apart.
    number: u64,
    /// Boards with all that they hold, in ascending order.
    whole: Vec<BoardId>,
    /// Boards of which only some devices belong to it.
    parts: BTreeMap<BoardId, BTreeSet<DeviceId>>,
}

/// The regions of extents that were asked for lately.
#[derive(Debug, Default)]
pub(super) struct Regions {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The version of the inventory for which they hold.
    version: u64,
    regions: HashMap<Extent, Arc<Region>>,
}

impl Reach {
    /// Whether it is everywhere, whatever there may be.
    pub(crate) const fn is_everything(&self) -> bool {
        matches!(self, Self::Everything)
    }

    /// Whether there is no role for it.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Regions(regions) if regions.is_empty())
    }

    /// Whether a board, or a device of it, is within reach.
    pub(crate) fn has(&self, board: BoardId) -> bool {
        match self {
            Self::Everything => true,
            Self::Regions(regions) => {
                regions.iter().any(|region| region.has_whole(board) || region.parts.contains_key(&board))
            }
        }
    }

    /// Whether a board is within reach with everything that it holds.
    pub(crate) fn has_whole(&self, board: BoardId) -> bool {
        match self {
            Self::Everything => true,
            Self::Regions(regions) => regions.iter().any(|region| region.has_whole(board)),
        }
    }

    /// Whether a device is within reach.
    pub(crate) fn has_device(&self, DeviceAddress { board, device }: DeviceAddress) -> bool {
        match self {
            Self::Everything => true,
            Self::Regions(regions) => regions.iter().any(|region| {
                let part = || region.parts.get(&board).is_some_and(|devices| devices.contains(&device));
                region.has_whole(board) || part()
            }),
        }
    }

    /// What of a board is within reach.
    pub(crate) fn part_of(&self, board: &Arc<BoardRecord>) -> Option<Arc<BoardRecord>> {
        if self.has_whole(board.id) {
            return Some(Arc::clone(board));
        }
        self.has(board.id).then(|| {
            let mut part = BoardRecord::clone(board);
            part.devices
                .retain(|device| self.has_device(DeviceAddress { board: board.id, device: device.id }));
            Arc::new(part)
        })
    }

    /// A number that tells it from others, to name what it shows; 0 for everything.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Everything => 0,
            Self::Regions(regions) => {
                let mut hasher = DefaultHasher::new();
                regions.iter().for_each(|region| hasher.write_u64(region.number));
                hasher.finish()
            }
        }
    }
}

impl Region {
    /// What an extent covers. One that makes no sense covers nothing: those of the configuration were refused with it,
    /// those that come with a proof of who somebody is cannot be.
    pub(super) fn of(extent: &Extent, inventory: &Inventory) -> Self {
        let mut hasher = DefaultHasher::new();
        extent.hash(&mut hasher);
        let mut region = Self { number: hasher.finish(), ..Self::default() };
        let Ok(selector) = Selector::of(extent) else { return region };
        let bound = selector.bind(inventory);
        for board in inventory.records() {
            match bound.cover(board) {
                Cover::Whole => region.whole.push(board.id),
                Cover::Devices(devices) => {
                    region.parts.insert(board.id, devices);
                }
                Cover::Nothing(_) => {}
            }
        }
        region
    }

    fn has_whole(&self, board: BoardId) -> bool {
        self.whole.binary_search(&board).is_ok()
    }
}

impl Regions {
    /// The region of `extent` in `inventory`.
    pub(super) fn get(&self, extent: &Extent, inventory: &Inventory) -> Arc<Region> {
        let version = inventory.selection_version();
        if let Some(region) = self.kept(version).regions.get(extent) {
            return Arc::clone(region);
        }
        let region = Arc::new(Region::of(extent, inventory));
        let mut kept = self.kept(version);
        if kept.regions.len() >= KEPT {
            kept.regions.clear();
        }
        kept.regions.insert(extent.clone(), Arc::clone(&region));
        region
    }

    /// The regions of a version of the inventory; those of any other are forgotten.
    fn kept(&self, version: u64) -> MutexGuard<'_, Kept> {
        // Every change of the table is complete in itself, so a panic elsewhere cannot have broken it.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.version != version {
            *kept = Kept { version, regions: HashMap::new() };
        }
        kept
    }
}
