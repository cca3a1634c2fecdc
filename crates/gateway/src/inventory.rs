//! What is known of every board: where it is, what it is called, what it holds, and since when.
//!
//! Pure: what a driver found, or did not find, goes in together with the time, and what became of it comes out as
//! records and a feed of changes. It knows no driver but by its position among the mounts, asks nobody, and keeps
//! nothing on a disk; whoever applies a finding takes what changed with [`Inventory::take_unsaved`].
//!
//! A board keeps its id. On a bus the id is the number that the hardware has. The id of a board with an [`Identity`]
//! follows that identity wherever it answers, unless the configuration fixes the id to a place.

mod alias;
mod directory;
mod feed;
mod placement;
mod readable;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use opendcre_model::{Board, BoardId, Identity, SERVERS};

use crate::RangeError;
use crate::mount::{Annotation, Mount};
use crate::noderange::{self, Found};
use crate::view::GroupMembers;

use alias::Aliases;
use feed::Feed;

pub use alias::LookupError;
pub(crate) use readable::Readable;
pub(crate) use record::describe;
pub use record::{BoardFailure, BoardRecord, BoardState, ChangeKind, Changes, Group, InventoryChange};

/// The most boards that are kept. A board that no longer fits is reported and not remembered.
const CAPACITY: usize = 65_536;

/// Why a board is missing that a complete search of its mount did not find.
const NOT_FOUND: &str = "missing";

/// For how long nobody can have put another machine in the place of one that has shown who it is.
const PROOF_HOLDS: SignedDuration = SignedDuration::from_secs(30);

/// A place where a board can answer: the mount, and the id on its wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) mount: usize,
    pub(crate) board: BoardId,
}

/// What the inventory must know about a mount.
#[derive(Debug)]
struct Source {
    name: String,
    rack: String,
    annotations: HashMap<BoardId, Annotation>,
    /// Its boards are those of the configuration; none can be found by searching.
    is_configured: bool,
}

/// Every board.
#[derive(Debug)]
pub(crate) struct Inventory {
    sources: Vec<Source>,
    groups: Vec<Group>,
    boards: BTreeMap<BoardId, Arc<BoardRecord>>,
    places: HashMap<Place, BoardId>,
    identities: HashMap<Identity, BoardId>,
    /// Boards whose identity, if they have one, answered at their place since the start.
    verified: HashSet<BoardId>,
    /// Boards whose identity answered in a second place, too.
    suspects: HashSet<BoardId>,
    /// Identities that several machines show at the same time.
    shared: HashSet<Identity>,
    /// The places at which somebody looked since the start.
    looked: HashSet<Place>,
    /// The mounts on which boards of one id answered. Only ids that more than one mount reported.
    conflicts: HashMap<BoardId, BTreeSet<usize>>,
    /// Boards that may also be on a mount whose last scan left that open.
    doubtful: HashSet<BoardId>,
    aliases: Aliases,
    feed: Feed,
    version: u64,
    selection_version: u64,
    unsaved: BTreeSet<BoardId>,
    /// Boards that are another machine, or in another place, than when this was asked last.
    replaced: BTreeSet<BoardId>,
}

/// What the database must learn.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    /// Boards that are new or changed.
    pub(crate) boards: Vec<Arc<BoardRecord>>,
    /// Boards that are no more.
    pub(crate) removed: Vec<BoardId>,
    /// What happened.
    pub(crate) changes: Vec<InventoryChange>,
    /// Boards of which nothing that was read before counts any more.
    pub(crate) replaced: BTreeSet<BoardId>,
}

impl Inventory {
    /// The inventory of `mounts`, beginning with what was known when the service ended.
    pub(crate) fn new(
        mounts: &[Mount],
        groups: Vec<Group>,
        boards: Vec<BoardRecord>,
        changes: Vec<InventoryChange>,
        now: Timestamp,
    ) -> Self {
        let mut inventory = Self {
            sources: mounts.iter().map(Source::from).collect(),
            boards: BTreeMap::new(),
            places: HashMap::new(),
            identities: HashMap::new(),
            verified: HashSet::new(),
            suspects: HashSet::new(),
            shared: HashSet::new(),
            looked: HashSet::new(),
            conflicts: HashMap::new(),
            doubtful: HashSet::new(),
            aliases: Aliases::new(&groups),
            feed: Feed::new(changes),
            version: 0,
            selection_version: 0,
            unsaved: BTreeSet::new(),
            replaced: BTreeSet::new(),
            groups,
        };
        let configured: Vec<Vec<Board>> = mounts.iter().map(|mount| mount.driver.configured()).collect();
        inventory.restore(boards, &configured, now);
        for (mount, boards) in configured.into_iter().enumerate() {
            for board in boards {
                inventory.configure(mount, &board, now);
            }
        }
        inventory
    }

    /// Every board, by its id.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Arc<BoardRecord>> {
        self.boards.values()
    }

    /// One board.
    pub(crate) fn board(&self, id: BoardId) -> Option<&Arc<BoardRecord>> {
        self.boards.get(&id)
    }

    /// The boards at a mount, by their ids.
    pub(crate) fn boards_of(&self, mount: usize) -> Vec<(Place, Arc<BoardRecord>)> {
        let mut boards: Vec<_> = self
            .places
            .iter()
            .filter(|(place, _)| place.mount == mount)
            .filter_map(|(place, id)| Some((*place, Arc::clone(self.boards.get(id)?))))
            .collect();
        boards.sort_by_key(|(_, board)| board.id);
        boards
    }

    /// The board that answers at a place.
    pub(crate) fn at(&self, place: Place) -> Option<&Arc<BoardRecord>> {
        self.boards.get(self.places.get(&place)?)
    }

    /// Where a board is.
    pub(crate) fn place(&self, id: BoardId) -> Option<Place> {
        let record = self.boards.get(&id)?;
        let mount = self.sources.iter().position(|source| source.name == record.driver)?;
        Some(Place { mount, board: record.place? })
    }

    /// The mounts on which several boards of this id answered; empty if there is but one.
    pub(crate) fn conflict(&self, id: BoardId) -> Vec<usize> {
        self.conflicts.get(&id).map(|mounts| mounts.iter().copied().collect()).unwrap_or_default()
    }

    /// Whether a second board of this id may be somewhere else.
    pub(crate) fn is_doubtful(&self, id: BoardId) -> bool {
        self.doubtful.contains(&id)
    }

    /// Whether it is certain that the board that answers at its place is this one: it has just shown who it is, or has
    /// no identity, so that whatever answers at its place is meant.
    pub(crate) fn is_verified(&self, id: BoardId, now: Timestamp) -> bool {
        let Some(record) = self.boards.get(&id) else { return true };
        let is_proved = self.verified.contains(&id) && !self.suspects.contains(&id);
        let is_fresh = || {
            let age = record.last_seen.map(|seen| now.duration_since(seen));
            age.is_some_and(|age| (SignedDuration::ZERO..=PROOF_HOLDS).contains(&age))
        };
        record.identity.is_none() || (is_proved && is_fresh())
    }

    /// Changes whenever anything in a listing may have changed.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Changes whenever a name, rack, group, label or node range may select other boards than before.
    pub(crate) const fn selection_version(&self) -> u64 {
        self.selection_version
    }

    /// Whether any board is in this rack.
    pub(crate) fn has_rack(&self, rack: &str) -> bool {
        self.aliases.rack(rack).is_some()
    }

    /// Whether any board has a label with this key.
    pub(crate) fn has_label(&self, key: &str) -> bool {
        self.aliases.has_label(key)
    }

    /// The names of all groups.
    pub(crate) fn group_names(&self) -> BTreeSet<&str> {
        self.aliases.group_names()
    }

    /// The boards of a group, in ascending order.
    ///
    /// # Errors
    /// When its node range cannot be evaluated.
    pub(crate) fn members(&self, group: &str) -> Result<Vec<BoardId>, RangeError> {
        let group = self.aliases.group(group);
        let found = group.map(|(name, boards, range)| Found::Group { name, boards, range });
        found.map_or(Ok(Vec::new()), |found| noderange::members(found, self))
    }

    /// Every group, by its name: those that the configuration gives a range, and those that boards were put into.
    pub(crate) fn groups(&self) -> Vec<GroupMembers> {
        self.group_names().into_iter().map(|name| self.group(name)).collect()
    }

    fn group(&self, name: &str) -> GroupMembers {
        let is_named = |group: &&Group| group.name == name && !group.members.is_empty();
        let range = self.groups.iter().find(is_named).map(|group| group.members.clone());
        let (boards, failure) = match self.members(name) {
            Ok(boards) => (boards, None),
            Err(error) => {
                let put = self.aliases.group(name).map_or(&[][..], |(_, boards, _)| boards);
                (put.to_vec(), Some(error))
            }
        };
        GroupMembers { name: name.to_owned(), range, boards, failure }
    }

    /// The part of the feed after `after` about boards that are `known`, at most `limit` changes.
    pub(crate) fn changes(&self, after: u64, limit: usize, known: impl Fn(BoardId) -> bool) -> Changes {
        self.feed.after(after, limit, known)
    }

    /// Notes the boards that a complete search of a mount found. Boards of that mount that are not among them are
    /// missing.
    pub(crate) fn found_all(&mut self, mount: usize, boards: &[Board], now: Timestamp) {
        for board in boards {
            self.found(Place { mount, board: board.id }, board, now);
        }
        let found: HashSet<BoardId> = boards.iter().map(|board| board.id).collect();
        for (_, mounts) in self.conflicts.iter_mut().filter(|(id, _)| !found.contains(id)) {
            mounts.remove(&mount);
        }
        self.conflicts.retain(|_, mounts| mounts.len() > 1);
        let failure =
            BoardFailure { code: NOT_FOUND.to_owned(), message: "it did not answer the scan".to_owned() };
        for (place, _) in self.boards_of(mount) {
            if !found.contains(&place.board) {
                self.missed(place, failure.clone(), now);
            }
        }
    }

    /// Notes that a mount could not be searched, and why: none of its boards answered. That says nothing about conflicts:
    /// a board that was on two mounts may still be on both.
    pub(crate) fn missed_all(&mut self, mount: usize, failure: &BoardFailure, now: Timestamp) {
        for (place, _) in self.boards_of(mount) {
            self.missed(place, failure.clone(), now);
        }
    }

    /// Notes that the mounts of `holders` hold board `id`. That others are silent does not end a conflict.
    pub(crate) fn found_on(&mut self, id: BoardId, holders: &[usize]) {
        self.doubtful.remove(&id);
        if holders.len() > 1 {
            self.conflicts.insert(id, holders.iter().copied().collect());
        }
    }

    /// Notes that board `id` must be looked for before it is used.
    pub(crate) fn doubt(&mut self, id: BoardId) {
        self.doubtful.insert(id);
    }

    /// Notes that no board's place is in doubt.
    pub(crate) fn clear_doubts(&mut self) {
        self.doubtful.clear();
    }

    /// Notes that a board answered at `place`, and what it said.
    pub(crate) fn found(&mut self, place: Place, board: &Board, now: Timestamp) {
        let Some(id) = self.settle(place, board, now) else { return };
        let Some(record) = self.boards.get(&id) else { return };
        let mut next = BoardRecord::clone(record);
        let was = record.state;
        self.describe(&mut next, place, board);
        next.failure = None;
        next.last_seen = Some(now);
        let kind = match was {
            BoardState::Unknown => Some(ChangeKind::Appeared),
            BoardState::Missing => Some(ChangeKind::Returned),
            BoardState::Present => None,
        };
        if let Some(kind) = kind {
            next.state = BoardState::Present;
            next.since = now;
            next.first_seen.get_or_insert(now);
            self.report(kind, &next, format!("answers on {}", next.driver), now);
        } else if let Some(detail) = difference(record, &next) {
            self.report(ChangeKind::Changed, &next, detail, now);
        }
        self.put(next);
    }

    /// Notes that a board did not answer at `place`, and why.
    pub(crate) fn missed(&mut self, place: Place, failure: BoardFailure, now: Timestamp) {
        self.looked.insert(place);
        let Some(record) = self.at(place) else { return };
        let mut next = BoardRecord::clone(record);
        // Whoever answers there the next time may be somebody else.
        self.verified.remove(&next.id);
        if next.state == BoardState::Present {
            next.state = BoardState::Missing;
            next.since = now;
            self.replaced.insert(next.id);
            self.report(ChangeKind::Vanished, &next, failure.message.clone(), now);
        }
        next.failure = Some(failure);
        self.put(next);
    }

    /// Removes a board of which somebody said that it will not come back, if it is missing. Whatever answers where it was is
    /// a new board. Who said so is only in the audit.
    pub(crate) fn forget(&mut self, id: BoardId, now: Timestamp) -> Option<Arc<BoardRecord>> {
        let record = self.boards.get(&id).filter(|record| record.state == BoardState::Missing)?;
        let record = Arc::clone(record);
        let detail = "somebody said that it will not come back".to_owned();
        self.report(ChangeKind::Forgotten, &record, detail, now);
        self.remove(id);
        Some(record)
    }

    /// Notes the firmware of the board at `place`, which is no news as long as it was not known before.
    pub(crate) fn tell_firmware(&mut self, place: Place, firmware: String) {
        if let Some(record) = self.at(place) {
            self.put(BoardRecord { firmware: Some(firmware), ..BoardRecord::clone(record) });
        }
    }

    /// What the database must learn since this was asked last.
    pub(crate) fn take_unsaved(&mut self) -> Unsaved {
        let replaced = std::mem::take(&mut self.replaced);
        let mut unsaved = Unsaved { changes: self.feed.take_unsaved(), replaced, ..Unsaved::default() };
        for id in std::mem::take(&mut self.unsaved) {
            match self.boards.get(&id) {
                Some(record) => unsaved.boards.push(Arc::clone(record)),
                None => unsaved.removed.push(id),
            }
        }
        unsaved
    }

    /// Fills in what the driver and the configuration say.
    fn describe(&self, record: &mut BoardRecord, place: Place, board: &Board) {
        let Some(source) = self.sources.get(place.mount) else { return };
        let nothing = Annotation::default();
        let annotation = source.annotations.get(&place.board).unwrap_or(&nothing);
        record.driver.clone_from(&source.name);
        record.place = Some(place.board);
        record.rack.clone_from(annotation.rack.as_ref().unwrap_or(&source.rack));
        record.hostnames = union(&annotation.hostnames, &board.hostnames);
        record.ip_addresses = union(&annotation.ip_addresses, &board.ip_addresses);
        record.labels.clone_from(&annotation.labels);
        record.groups.clone_from(&annotation.groups);
        let name = annotation.name.as_ref().or_else(|| record.hostnames.first());
        record.name = name.cloned().unwrap_or_else(|| record.id.to_string());
        if board.firmware.is_some() {
            record.firmware.clone_from(&board.firmware);
        }
        if !board.devices.is_empty() {
            record.devices.clone_from(&board.devices);
        }
    }

    fn report(&mut self, kind: ChangeKind, record: &BoardRecord, detail: String, now: Timestamp) {
        tracing::info!(board = %record.id, name = record.name, rack = record.rack, ?kind, detail, "inventory");
        self.feed.add(kind, record, detail, now);
    }

    /// Puts a record in its place in every table.
    fn put(&mut self, record: BoardRecord) {
        let id = record.id;
        let mut is_news = true;
        if let Some(old) = self.boards.get(&id) {
            if **old == record {
                return;
            }
            // When a board was seen last changes all the time, and is not worth a write to a memory card.
            is_news = BoardRecord { last_seen: record.last_seen, ..BoardRecord::clone(old) } != record;
            self.aliases.remove(old);
            if !old.is_same_machine(&record) {
                self.replaced.insert(id);
            }
            if let Some(identity) = &old.identity {
                self.identities.remove(identity);
            }
        }
        if let Some(identity) = &record.identity {
            self.identities.insert(identity.clone(), id);
        }
        self.aliases.add(&record);
        self.boards.insert(id, Arc::new(record));
        if is_news {
            self.unsaved.insert(id);
            self.selection_version += 1;
        }
        self.version += 1;
    }

    fn remove(&mut self, id: BoardId) {
        let Some(record) = self.boards.remove(&id) else { return };
        self.aliases.remove(&record);
        self.replaced.insert(id);
        if let Some(identity) = &record.identity {
            self.identities.remove(identity);
        }
        self.places.retain(|_, board| *board != id);
        self.verified.remove(&id);
        self.suspects.remove(&id);
        self.conflicts.remove(&id);
        self.doubtful.remove(&id);
        self.unsaved.insert(id);
        self.version += 1;
        self.selection_version += 1;
    }

    fn is_full(&self) -> bool {
        self.boards.len() >= CAPACITY
    }

    /// An id for a new board: the wanted one, or the first free one of a server.
    fn free_id(&self, wanted: BoardId) -> Option<BoardId> {
        if !self.boards.contains_key(&wanted) {
            return Some(wanted);
        }
        let first = SERVERS.start().0 + 1;
        (first..=SERVERS.end().0).map(BoardId).find(|id| !self.boards.contains_key(id))
    }
}

impl From<&Mount> for Source {
    fn from(mount: &Mount) -> Self {
        let annotations = mount.annotations.iter().map(|annotation| (annotation.board, annotation.clone()));
        Self {
            name: mount.driver.name().to_owned(),
            rack: mount.rack.clone(),
            annotations: annotations.collect(),
            is_configured: !mount.driver.configured().is_empty(),
        }
    }
}

/// All of `first`, then what `second` has besides.
fn union<T: Clone + PartialEq>(first: &[T], second: &[T]) -> Vec<T> {
    let mut all = first.to_vec();
    all.extend(second.iter().filter(|item| !first.contains(item)).cloned());
    all
}

/// What is different, in words; nothing if only times are.
fn difference(old: &BoardRecord, new: &BoardRecord) -> Option<String> {
    let mut differences = Vec::new();
    if old.firmware != new.firmware {
        let [old, new] =
            [&old.firmware, &new.firmware].map(|text| text.as_deref().unwrap_or("unknown").to_owned());
        differences.push(format!("firmware was {old}, is {new}"));
    }
    if old.devices != new.devices {
        let (before, now) = (old.devices.len(), new.devices.len());
        differences.push(match before == now {
            true => "has other devices, or they can do something else".to_owned(),
            false => format!("had {before} devices, has {now}"),
        });
    }
    if old.rack != new.rack {
        differences.push(format!("rack was {}, is {}", old.rack, new.rack));
    }
    if old.name != new.name {
        differences.push(format!("name was {}, is {}", old.name, new.name));
    }
    if (&old.hostnames, &old.ip_addresses) != (&new.hostnames, &new.ip_addresses) {
        differences.push("has other host names or addresses".to_owned());
    }
    if (&old.labels, &old.groups) != (&new.labels, &new.groups) {
        differences.push("has other labels or groups".to_owned());
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}
