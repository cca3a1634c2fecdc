//! Which boards and devices an [`Extent`] covers. It does not know who has it.

use std::collections::BTreeSet;

use opendcre_model::{BoardId, Device, DeviceId, Extent, excerpt};

use super::error::GrantDefect;
use crate::glob::Glob;
use crate::inventory::Inventory;
use crate::noderange::NodeRange;
use crate::{BoardRecord, RangeError};

/// An extent that was understood.
#[derive(Debug)]
pub(super) struct Selector {
    racks: Vec<Glob>,
    boards: Vec<Glob>,
    devices: Vec<Glob>,
    board_groups: Vec<Glob>,
    labels: Vec<(String, String)>,
    nodes: Option<NodeRange>,
}

/// A selector whose groups and node range were looked up in one inventory.
pub(super) struct Bound<'a> {
    selector: &'a Selector,
    /// The boards of its groups.
    in_groups: BTreeSet<BoardId>,
    /// The boards of its node range, in ascending order. Of one that cannot be evaluated there are none.
    in_range: Result<Vec<BoardId>, RangeError>,
}

/// How much of a board is covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cover {
    /// The board and everything in it.
    Whole,
    /// The board as far as these devices go.
    Devices(BTreeSet<DeviceId>),
    /// Nothing of it.
    Nothing(Miss),
}

/// The first condition that a board does not fulfil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Miss {
    Racks,
    Boards,
    BoardGroups,
    Labels,
    Nodes,
    /// The node range cannot be evaluated.
    Range(RangeError),
    Devices,
}

impl Selector {
    /// What `extent` says.
    pub(super) fn of(extent: &Extent) -> Result<Self, GrantDefect> {
        let Extent { racks, boards, devices, board_groups, labels, nodes } = extent;
        let in_any_case = |globs: Vec<Glob>| globs.into_iter().map(Glob::in_any_case).collect();
        Ok(Self {
            racks: globs("racks", racks)?,
            boards: in_any_case(globs("boards", boards)?),
            devices: in_any_case(globs("devices", devices)?),
            board_groups: globs("board_groups", board_groups)?,
            labels: labels.iter().map(|label| self::label(label)).collect::<Result<_, _>>()?,
            nodes: nodes.as_deref().map(str::parse).transpose().map_err(GrantDefect::BadNodes)?,
        })
    }

    /// What it covers in `inventory`.
    pub(super) fn bind(&self, inventory: &Inventory) -> Bound<'_> {
        let names = inventory.group_names();
        let named = names.into_iter().filter(|name| fits(&self.board_groups, name));
        let in_groups = named.filter_map(|name| inventory.members(name).ok()).flatten().collect();
        let in_range = self.nodes.as_ref().map_or(Ok(Vec::new()), |range| range.evaluate(inventory));
        Bound { selector: self, in_groups, in_range }
    }
}

impl Bound<'_> {
    /// How much of `board` is covered.
    pub(super) fn cover(&self, board: &BoardRecord) -> Cover {
        if let Some(miss) = self.miss(board) {
            return Cover::Nothing(miss);
        }
        let Selector { devices: globs, .. } = self.selector;
        if globs.is_empty() {
            return Cover::Whole;
        }
        let covered =
            board.devices.iter().filter(|device| globs.iter().any(|glob| names_device(glob, device)));
        let devices: BTreeSet<DeviceId> = covered.map(|device| device.id).collect();
        if devices.is_empty() { Cover::Nothing(Miss::Devices) } else { Cover::Devices(devices) }
    }

    fn miss(&self, board: &BoardRecord) -> Option<Miss> {
        let Selector { racks, boards, board_groups, labels, nodes, .. } = self.selector;
        let has = |(key, value): &(String, String)| board.labels.get(key) == Some(value);
        if !racks.is_empty() && !fits(racks, &board.rack) {
            return Some(Miss::Racks);
        }
        if !boards.is_empty() && !boards.iter().any(|glob| names_board(glob, board)) {
            return Some(Miss::Boards);
        }
        if !board_groups.is_empty() && !self.in_groups.contains(&board.id) {
            return Some(Miss::BoardGroups);
        }
        if !labels.is_empty() && !labels.iter().any(has) {
            return Some(Miss::Labels);
        }
        match &self.in_range {
            _ if nodes.is_none() => None,
            Ok(range) => range.binary_search(&board.id).is_err().then_some(Miss::Nodes),
            Err(error) => Some(Miss::Range(error.clone())),
        }
    }
}

fn globs(list: &'static str, texts: &[String]) -> Result<Vec<Glob>, GrantDefect> {
    let bad = |text: &String| GrantDefect::BadGlob { list, text: excerpt(text) };
    texts.iter().map(|text| Glob::new(text).ok_or_else(|| bad(text))).collect()
}

fn label(text: &str) -> Result<(String, String), GrantDefect> {
    let parts = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = parts.ok_or_else(|| GrantDefect::BadLabel(excerpt(text)))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn fits(globs: &[Glob], text: &str) -> bool {
    globs.iter().any(|glob| glob.matches(text))
}

fn names_board(glob: &Glob, board: &BoardRecord) -> bool {
    let mut names = board.hostnames.iter().chain([&board.name]);
    names.any(|name| glob.matches(name))
        || glob.matches(&board.id.to_string())
        || board.ip_addresses.iter().any(|address| glob.matches(&address.to_string()))
}

fn names_device(glob: &Glob, device: &Device) -> bool {
    glob.matches(&device.id.to_string())
        || glob.matches(device.kind.name())
        || device.name.as_ref().is_some_and(|name| glob.matches(name))
}
