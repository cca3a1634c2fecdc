//! What somebody may look at without asking the equipment: boards, names, groups, jobs, and what happened to them. What
//! they may not read is not there.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use opendcre_model::{BoardId, DeviceAddress, Health, LinkStatistics, excerpt};

use crate::gateway::Gateway;
use crate::inventory::{BoardRecord, Changes, Inventory, LookupError, Place, Readable};
use crate::policy::{Reach, Verb};
use crate::{Condition, NodeRange, Principal, RangeError, Readiness};

/// What somebody may look at. It shows the inventory as it is when it is asked, within a reach that was looked up when it
/// was made: whoever waits for something makes another one afterwards.
pub struct View {
    pub(crate) gateway: Gateway,
    pub(crate) principal: Principal,
    pub(crate) reach: Reach,
}

/// A group, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMembers {
    /// Its name.
    pub name: String,
    /// The node range that the configuration gives it. Nothing for a group that only boards name, and for whoever does
    /// not see everything: it may name boards that are not there for them.
    pub range: Option<String>,
    /// The boards in it, in ascending order.
    pub boards: Vec<BoardId>,
    /// Why its node range cannot be evaluated.
    pub failure: Option<RangeError>,
}

impl View {
    pub(crate) const fn new(gateway: Gateway, principal: Principal, reach: Reach) -> Self {
        Self { gateway, principal, reach }
    }

    /// Who looks.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether it shows everything.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.reach.is_everything()
    }

    /// Every board, by its id.
    #[must_use]
    pub fn boards(&self) -> Vec<Arc<BoardRecord>> {
        let inventory = self.gateway.inventory();
        if self.is_complete() {
            return inventory.records().cloned().collect();
        }
        inventory.records().filter_map(|board| self.reach.part_of(board)).collect()
    }

    /// The board with this id.
    #[must_use]
    pub fn board(&self, id: BoardId) -> Option<Arc<BoardRecord>> {
        self.gateway.inventory().board(id).and_then(|board| self.reach.part_of(board))
    }

    /// The board that goes by `name`: its id, name, host name or address. What somebody is called is not taken for an
    /// id.
    ///
    /// # Errors
    /// When no board has this name, or several have.
    pub fn lookup(&self, name: &str) -> Result<Arc<BoardRecord>, LookupError> {
        let inventory = self.gateway.inventory();
        let unknown = || LookupError::Unknown(excerpt(name));
        let found = inventory.lookup(name, |id| self.reach.has(id)).inspect_err(|_| {
            if !self.is_complete() && inventory.lookup(name, |_| true).is_ok() {
                self.gateway.note_hidden(&self.principal, Verb::Read, name);
            }
        });
        inventory.board(found?).and_then(|board| self.reach.part_of(board)).ok_or_else(unknown)
    }

    /// The boards of a node range, by their ids.
    ///
    /// # Errors
    /// When the text is no node range, names something that is not there, or names nothing.
    pub fn select(&self, nodes: &str) -> Result<Vec<Arc<BoardRecord>>, RangeError> {
        let range: NodeRange = nodes.parse()?;
        if self.is_complete() {
            return self.gateway.within(&range);
        }
        let inventory = self.gateway.inventory();
        let ids = range.evaluate(&Readable::new(&inventory, &self.reach)).inspect_err(|_| {
            if range.evaluate(&*inventory).is_ok() {
                self.gateway.note_hidden(&self.principal, Verb::Read, &excerpt(nodes));
            }
        });
        let boards = ids?.into_iter().filter_map(|id| inventory.board(id));
        Ok(boards.filter_map(|board| self.reach.part_of(board)).collect())
    }

    /// Every group, by its name.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupMembers> {
        let inventory = self.gateway.inventory();
        if self.is_complete() {
            return inventory.groups();
        }
        let readable = Readable::new(&inventory, &self.reach);
        let group = |(name, boards): (&&str, &Vec<BoardId>)| GroupMembers {
            name: (*name).to_owned(),
            range: None,
            boards: boards.clone(),
            failure: None,
        };
        readable.groups().iter().map(group).collect()
    }

    /// Two numbers of which one changes whenever anything in a listing of the inventory may have changed: the version of
    /// the inventory, and what of it is shown.
    #[must_use]
    pub fn version(&self) -> (u64, u64) {
        (self.gateway.inventory().version(), self.reach.number())
    }

    /// What happened to boards after the change with the number `after`, at most `limit` changes. What happened to boards
    /// that are not there any more only those see who see everything.
    #[must_use]
    pub fn changes(&self, after: u64, limit: usize) -> Changes {
        self.gateway.inventory().changes(after, limit, |board| self.reach.has(board))
    }

    /// What happened to these boards after the change with the number `after`, at most `limit` changes.
    #[must_use]
    pub fn changes_of(&self, boards: &HashSet<BoardId>, after: u64, limit: usize) -> Changes {
        let is_wanted = |board: BoardId| boards.contains(&board) && self.reach.has(board);
        self.gateway.inventory().changes(after, limit, is_wanted)
    }

    /// Whether any board is in the rack with this name.
    #[must_use]
    pub fn has_rack(&self, rack: &str) -> bool {
        let inventory = self.gateway.inventory();
        if self.is_complete() {
            return inventory.has_rack(rack);
        }
        inventory.records().any(|board| board.rack == rack && self.reach.has(board.id))
    }

    /// Whether any board has a label with this key.
    #[must_use]
    pub fn has_label(&self, key: &str) -> bool {
        let inventory = self.gateway.inventory();
        if self.is_complete() {
            return inventory.has_label(key);
        }
        inventory.records().any(|board| board.labels.contains_key(key) && self.reach.has(board.id))
    }

    /// The worst that the devices of a board say about it; nothing if nothing is known. Only of the devices that `board`
    /// has, which a view has shown.
    #[must_use]
    pub fn health(&self, board: &BoardRecord) -> Option<Health> {
        let devices = board.devices.iter().map(|device| DeviceAddress { board: board.id, device: device.id });
        devices.filter_map(|device| self.device_health(device)).max()
    }

    /// The health of a device, as its equipment and the thresholds of the configuration see it; nothing before its first
    /// answer.
    #[must_use]
    pub fn device_health(&self, device: DeviceAddress) -> Option<Health> {
        self.gateway.inner.intake.device_health(device)
    }

    /// How a board is that a view has shown.
    #[must_use]
    pub fn condition(&self, board: &BoardRecord) -> Condition {
        self.gateway.inner.intake.condition(board)
    }

    /// What every driver counted for its partners, driver by driver in the order of the mounts. Does no I/O.
    #[must_use]
    pub fn statistics(&self) -> Vec<LinkStatistics> {
        let inventory = self.gateway.inventory();
        let mut all = Vec::new();
        for (mount, mounted) in self.gateway.inner.mounts.iter().enumerate() {
            for mut link in mounted.driver.statistics() {
                // Drivers know places; everybody else knows the board that is there, if there is one.
                if let Some(board) = inventory.at(Place { mount, board: link.board }) {
                    link.board = board.id;
                    all.push(link);
                }
            }
        }
        all.retain(|link| self.reach.has(link.board));
        all
    }

    /// How the drivers are doing behind which there are boards that are shown; what is missing only who sees everything
    /// is told.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let mut readiness = self.gateway.readiness();
        if !self.is_complete() {
            let shown = self.boards();
            readiness.drivers.retain(|(name, _)| shown.iter().any(|board| board.driver == *name));
            readiness.defects.clear();
        }
        readiness
    }
}

impl Gateway {
    /// The boards of a node range, by their ids, whoever asks.
    pub(crate) fn within(&self, range: &NodeRange) -> Result<Vec<Arc<BoardRecord>>, RangeError> {
        let inventory = self.inventory();
        let ids = range.evaluate(&*inventory)?;
        Ok(ids.into_iter().filter_map(|id| inventory.board(id).cloned()).collect())
    }

    /// A view of everything for the service itself, of which nothing is told to anybody but by the configuration.
    pub(crate) fn own_view(&self) -> View {
        View::new(self.clone(), Principal::service(), Reach::Everything)
    }

    /// The board with this id, whoever asks.
    pub(crate) fn record(&self, id: BoardId) -> Option<Arc<BoardRecord>> {
        self.inventory().board(id).cloned()
    }

    /// Returns when there is a change after the one with the number `after` that `principal` may see, or the service
    /// stops.
    pub async fn wait_for_change(&self, principal: &Principal, after: u64) {
        let has_happened = || {
            let reach = self.reach(&principal.subject, Verb::Read);
            !self.inventory().changes(after, 1, |board| reach.has(board)).changes.is_empty()
        };
        self.wait_for_news(|| self.is_closed() || has_happened()).await;
    }

    /// Returns when `is_reached`, which is asked again whenever there is news.
    pub(crate) async fn wait_for_news(&self, is_reached: impl Fn() -> bool) {
        let mut news = std::pin::pin!(self.inner.news.notified());
        loop {
            news.as_mut().enable();
            if is_reached() {
                return;
            }
            news.as_mut().await;
            news.set(self.inner.news.notified());
        }
    }

    /// Hands what is new to the database, forgets the values of what is not there any more, and wakes whoever waits for it.
    pub(crate) fn save(&self) {
        let mut inventory = self.inventory_mut();
        let unsaved = inventory.take_unsaved();
        for board in &unsaved.replaced {
            self.inner.latest.forget_board(*board);
        }
        self.inner.intake.take_news(&unsaved);
        if !unsaved.changes.is_empty() {
            self.inner.news.notify_waiters();
        }
        // Still within the lock, so that an older record cannot overtake a newer one. The store never waits.
        if let Some(store) = &self.inner.store {
            store.save_boards(unsaved.boards);
            store.remove_boards(unsaved.removed);
            store.remove_log_marks(unsaved.replaced);
            store.append_changes(unsaved.changes);
        }
        drop(inventory);
    }

    /// Hands everything to the database, when boards were seen last included, and returns when it is on the disk.
    pub(crate) async fn save_everything(&self) {
        self.save();
        if let Some(store) = &self.inner.store {
            store.save_boards(self.inventory().records().cloned().collect::<Vec<_>>());
            if let Err(failure) = store.flush().await {
                tracing::warn!(%failure, "what is known of the equipment is not on the disk");
            }
        }
    }

    pub(crate) fn inventory(&self) -> RwLockReadGuard<'_, Inventory> {
        // Every change of the table is complete in itself, so a panic elsewhere cannot have broken it.
        self.inner.inventory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn inventory_mut(&self) -> RwLockWriteGuard<'_, Inventory> {
        self.inner.inventory.write().unwrap_or_else(PoisonError::into_inner)
    }
}
