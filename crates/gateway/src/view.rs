//! What everybody may look at without asking the equipment: boards, names, groups and what happened to them.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use opendcre_model::{BoardId, DeviceAddress, Health, Observation, Quality, Query};

use crate::gateway::Gateway;
use crate::inventory::{BoardRecord, Changes, Group, Inventory, LookupError};
use crate::{NodeRange, RangeError};

/// How old a reading may be that says something about the health of a board.
const HEALTH_AGE: Duration = Duration::from_secs(15 * 60);

impl Gateway {
    /// Every board, by its id.
    #[must_use]
    pub fn boards(&self) -> Vec<Arc<BoardRecord>> {
        self.inventory().boards()
    }

    /// The board with this id.
    #[must_use]
    pub fn board(&self, id: BoardId) -> Option<Arc<BoardRecord>> {
        self.inventory().board(id).cloned()
    }

    /// The board that goes by `name`: its id, name, host name or address. What somebody is called is not taken for an
    /// id.
    ///
    /// # Errors
    /// When no board has this name, or several have.
    pub fn lookup(&self, name: &str) -> Result<Arc<BoardRecord>, LookupError> {
        let inventory = self.inventory();
        let id = inventory.lookup(name)?;
        inventory.board(id).cloned().ok_or_else(|| LookupError::Unknown(opendcre_model::excerpt(name)))
    }

    /// The boards of a node range, by their ids.
    ///
    /// # Errors
    /// When the text is no node range, names something that is not there, or names nothing.
    pub fn select(&self, nodes: &str) -> Result<Vec<Arc<BoardRecord>>, RangeError> {
        let range: NodeRange = nodes.parse()?;
        let inventory = self.inventory();
        let ids = range.evaluate(&*inventory)?;
        Ok(ids.into_iter().filter_map(|id| inventory.board(id).cloned()).collect())
    }

    /// Every group, by its name.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        self.inventory().groups()
    }

    /// Changes whenever anything in a listing of the inventory may have changed.
    #[must_use]
    pub fn inventory_version(&self) -> u64 {
        self.inventory().version()
    }

    /// What happened to boards after the change with the number `after`, at most `limit` changes.
    #[must_use]
    pub fn changes(&self, after: u64, limit: usize) -> Changes {
        self.inventory().changes(after, limit, |_| true)
    }

    /// What happened to these boards after the change with the number `after`, at most `limit` changes.
    #[must_use]
    pub fn changes_of(&self, boards: &HashSet<BoardId>, after: u64, limit: usize) -> Changes {
        self.inventory().changes(after, limit, |board| boards.contains(&board))
    }

    /// Whether any board is in the rack with this name.
    #[must_use]
    pub fn has_rack(&self, rack: &str) -> bool {
        self.inventory().has_rack(rack)
    }

    /// Whether any board has a label with this key.
    #[must_use]
    pub fn has_label(&self, key: &str) -> bool {
        self.inventory().has_label(key)
    }

    /// Returns when there is a change after the one with the number `after`, or the service stops.
    pub async fn wait_for_change(&self, after: u64) {
        self.wait_for_news(|| self.changes(after, 0).latest > after || self.is_closed()).await;
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

    /// The worst that the readings of a board say about it that are not older than a quarter of an hour; nothing if there are
    /// none.
    #[must_use]
    pub fn health(&self, board: &BoardRecord) -> Option<Health> {
        let device = |id| DeviceAddress { board: board.id, device: id };
        let queries = board.devices.iter().map(|d| Query::Sensor { device: device(d.id), kind: d.kind });
        let latest = queries.filter_map(|query| self.inner.latest.get(&query, HEALTH_AGE));
        latest
            .filter_map(|latest| match &*latest.observation {
                Observation::Sensor(reading) if reading.quality != Quality::Unavailable => {
                    Some(reading.health)
                }
                _ => None,
            })
            .max()
    }

    /// Hands what is new to the database, forgets the values of what is not there any more, and wakes whoever waits for it.
    pub(crate) fn save(&self) {
        let mut inventory = self.inventory_mut();
        let unsaved = inventory.take_unsaved();
        for board in &unsaved.replaced {
            self.inner.latest.forget_board(*board);
        }
        if !unsaved.changes.is_empty() {
            self.inner.news.notify_waiters();
        }
        // Still within the lock, so that an older record cannot overtake a newer one. The store never waits.
        if let Some(store) = &self.inner.store {
            store.save_boards(unsaved.boards);
            store.remove_boards(unsaved.removed);
            store.append_changes(unsaved.changes);
        }
        drop(inventory);
    }

    /// Hands everything to the database, when boards were seen last included, and returns when it is on the disk.
    pub(crate) async fn save_everything(&self) {
        self.save();
        if let Some(store) = &self.inner.store {
            store.save_boards(self.boards());
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
