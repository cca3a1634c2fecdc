//! What happened to boards, numbered in the order in which it was noticed.

use std::collections::VecDeque;

use jiff::Timestamp;
use opendcre_model::BoardId;

use super::record::{BoardRecord, ChangeKind, Changes, InventoryChange};

/// The most changes that are kept.
const CAPACITY: usize = 10_000;
/// How many numbers are left out at each start: a power cut may have cost the newest changes, and their numbers must not
/// be given to others.
const GAP: u64 = 1000;

/// The newest changes.
#[derive(Debug)]
pub(super) struct Feed {
    changes: VecDeque<InventoryChange>,
    latest: u64,
    unsaved: Vec<InventoryChange>,
}

impl Feed {
    /// A feed that goes on after `changes`, oldest first.
    pub(super) fn new(changes: Vec<InventoryChange>) -> Self {
        let latest = changes.last().map_or(0, |change| change.sequence + GAP);
        let mut feed = Self { changes: changes.into(), latest, unsaved: Vec::new() };
        feed.forget();
        feed
    }

    pub(super) fn add(&mut self, kind: ChangeKind, record: &BoardRecord, detail: String, time: Timestamp) {
        self.latest += 1;
        let change = InventoryChange {
            sequence: self.latest,
            time,
            kind,
            board: record.id,
            name: record.name.clone(),
            rack: record.rack.clone(),
            detail,
        };
        self.unsaved.push(change.clone());
        self.changes.push_back(change);
        self.forget();
    }

    /// The changes after the one with number `after` of boards that are `known`, at most `limit`.
    pub(super) fn after(&self, after: u64, limit: usize, known: impl Fn(BoardId) -> bool) -> Changes {
        let first = self.changes.partition_point(|change| change.sequence <= after);
        let later = self.changes.iter().skip(first);
        Changes {
            changes: later.filter(|change| known(change.board)).take(limit).cloned().collect(),
            oldest: self.changes.front().map(|change| change.sequence),
            latest: self.latest,
        }
    }

    pub(super) fn take_unsaved(&mut self) -> Vec<InventoryChange> {
        std::mem::take(&mut self.unsaved)
    }

    fn forget(&mut self) {
        let surplus = self.changes.len().saturating_sub(CAPACITY);
        self.changes.drain(..surplus);
    }
}
