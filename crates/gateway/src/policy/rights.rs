//! What somebody may do, told to themselves.

use opendcre_model::BoardId;

use super::{Reach, Verb};
use crate::inventory::Inventory;
use crate::noderange::fold;

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The names of their roles, each once.
    pub roles: Vec<String>,
    /// Where each verb is permitted to them; in the order of [`Verb::ALL`].
    pub verbs: Vec<(Verb, Place)>,
}

/// Where something is permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Everywhere, also on boards that are not known yet.
    Everywhere,
    /// On some boards, or on none.
    Boards {
        /// The boards with everything in them, as a node range of their names.
        whole: String,
        /// The boards of which it is permitted on some devices only, as a node range of their names.
        in_part: String,
        /// How many boards these are together.
        count: usize,
    },
}

impl Place {
    pub(crate) fn of(reach: &Reach, inventory: &Inventory) -> Self {
        if reach.is_everything() {
            return Self::Everywhere;
        }
        let ids = inventory.records().map(|board| board.id).filter(|id| reach.has(*id));
        let (whole, in_part): (Vec<BoardId>, Vec<BoardId>) = ids.partition(|id| reach.has_whole(*id));
        Self::Boards {
            count: whole.len() + in_part.len(),
            whole: names(&whole, inventory),
            in_part: names(&in_part, inventory),
        }
    }
}

fn names(ids: &[BoardId], inventory: &Inventory) -> String {
    fold(ids.iter().filter_map(|id| inventory.board(*id)).map(|board| board.name.as_str()))
}
