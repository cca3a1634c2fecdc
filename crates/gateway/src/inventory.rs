//! What scans taught about which board is on which mount.
//!
//! Mounts are known only by their position. The table is bounded: a board that no longer fits is simply not
//! remembered, which costs a question on the wires when it is used, never a wrong answer.

use std::collections::HashMap;

use opendcre_model::BoardId;

/// The most boards that are remembered.
const CAPACITY: usize = 65_536;

/// Which mounts reported which board.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    seen: HashMap<BoardId, Vec<usize>>,
}

impl Inventory {
    /// The mounts that reported `board`; empty if it was never seen.
    pub(crate) fn mounts(&self, board: BoardId) -> &[usize] {
        self.seen.get(&board).map_or(&[], Vec::as_slice)
    }

    /// Notes that `boards` is everything `mount` holds.
    pub(crate) fn learn_mount(&mut self, mount: usize, boards: impl IntoIterator<Item = BoardId>) {
        self.seen.retain(|_, mounts| {
            mounts.retain(|known| *known != mount);
            !mounts.is_empty()
        });
        for board in boards {
            self.add(board, mount);
        }
    }

    /// Notes that exactly `mounts` hold `board`.
    pub(crate) fn learn_board(&mut self, board: BoardId, mounts: &[usize]) {
        self.seen.remove(&board);
        for mount in mounts {
            self.add(board, *mount);
        }
    }

    fn add(&mut self, board: BoardId, mount: usize) {
        if self.seen.len() >= CAPACITY && !self.seen.contains_key(&board) {
            return;
        }
        let mounts = self.seen.entry(board).or_default();
        if !mounts.contains(&mount) {
            mounts.push(mount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_scan_replaces_what_the_mount_had() {
        let mut inventory = Inventory::default();
        inventory.learn_mount(0, [BoardId(1), BoardId(2), BoardId(2)]);
        inventory.learn_mount(1, [BoardId(2)]);
        assert_eq!(inventory.mounts(BoardId(2)), [0, 1]);

        inventory.learn_mount(0, [BoardId(1)]);
        assert_eq!(inventory.mounts(BoardId(1)), [0]);
        assert_eq!(inventory.mounts(BoardId(2)), [1]);

        inventory.learn_board(BoardId(1), &[1]);
        assert_eq!(inventory.mounts(BoardId(1)), [1]);
        inventory.learn_board(BoardId(1), &[]);
        assert!(inventory.mounts(BoardId(1)).is_empty());
    }

    #[test]
    fn the_table_stops_growing() {
        let mut inventory = Inventory::default();
        inventory.learn_mount(0, (0..=65_536).map(BoardId));
        assert_eq!(inventory.seen.len(), CAPACITY);
        assert!(inventory.mounts(BoardId(65_536)).is_empty());
        inventory.learn_mount(1, [BoardId(7)]);
        assert_eq!(inventory.mounts(BoardId(7)), [0, 1]);
    }
}
