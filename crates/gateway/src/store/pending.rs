//! What is not on the disk yet: of every board and every job the newest record only, so it is as bounded as they are.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;

use opendcre_model::BoardId;

use crate::intake::LogMark;
use crate::job::{JobId, StoredJob};
use crate::{BoardRecord, InventoryChange};

/// The most jobs to forget that wait for a disk that cannot be written. What is not forgotten there is forgotten at the
/// next start.
const MOST_REMOVALS: usize = 16_384;

/// What is not on the disk yet.
#[derive(Debug)]
pub(super) struct Pending {
    /// The boards to keep, and those to forget.
    pub(super) boards: BTreeMap<BoardId, Option<Arc<BoardRecord>>>,
    /// The marks in event logs to keep, and those to forget.
    pub(super) log_marks: BTreeMap<BoardId, Option<LogMark>>,
    /// The jobs to keep, and those to forget.
    pub(super) jobs: BTreeMap<JobId, Option<StoredJob>>,
    /// The newest changes, oldest first.
    changes: VecDeque<InventoryChange>,
    most_changes: usize,
}

impl Pending {
    /// Nothing, with room for so many changes.
    pub(super) const fn new(most_changes: usize) -> Self {
        Self {
            boards: BTreeMap::new(),
            log_marks: BTreeMap::new(),
            jobs: BTreeMap::new(),
            changes: VecDeque::new(),
            most_changes,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty() && !self.has_inventory()
    }

    /// Whether there is anything but jobs.
    pub(super) fn has_inventory(&self) -> bool {
        !self.boards.is_empty() || !self.changes.is_empty() || !self.log_marks.is_empty()
    }

    pub(super) const fn changes(&self) -> &VecDeque<InventoryChange> {
        &self.changes
    }

    pub(super) fn set_job(&mut self, job: StoredJob) {
        self.jobs.insert(job.record.id, Some(job));
    }

    /// Adds newer changes; the oldest go if there are too many.
    pub(super) fn append(&mut self, changes: impl IntoIterator<Item = InventoryChange>) {
        self.changes.extend(changes);
        let surplus = self.changes.len().saturating_sub(self.most_changes);
        self.changes.drain(..surplus);
    }

    /// Takes everything, and leaves nothing.
    pub(super) fn take(&mut self) -> Self {
        mem::replace(self, Self::new(self.most_changes))
    }

    /// Puts back boards, changes and marks that could not be written; what came in the meantime is newer.
    pub(super) fn put_back_inventory(&mut self, failed: &mut Self) {
        for (id, board) in mem::take(&mut failed.boards) {
            self.boards.entry(id).or_insert(board);
        }
        for (board, mark) in mem::take(&mut failed.log_marks) {
            self.log_marks.entry(board).or_insert(mark);
        }
        let newer = mem::replace(&mut self.changes, mem::take(&mut failed.changes));
        self.append(newer);
    }

    /// Puts back jobs that could not be written; what came in the meantime is newer.
    pub(super) fn put_back_jobs(&mut self, failed: &mut Self) {
        for (id, job) in mem::take(&mut failed.jobs) {
            self.jobs.entry(id).or_insert(job);
        }
        let removals = self.jobs.values().filter(|job| job.is_none()).count();
        let mut surplus = removals.saturating_sub(MOST_REMOVALS);
        self.jobs.retain(|_, job| {
            let goes = job.is_none() && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_to_forget_do_not_pile_up() {
        let mut pending = Pending::new(1);
        let mut failed = Pending::new(1);
        failed.jobs.extend((0..20_000).map(|id| (JobId(id), None)));
        pending.put_back_jobs(&mut failed);
        assert_eq!(pending.jobs.len(), MOST_REMOVALS);
        assert!(pending.jobs.contains_key(&JobId(19_999)));
    }
}
