//! Which board is where: after a restart, when the configuration changed, and when equipment moved.
//!
//! The dangerous case is a machine that answers at the address of another one: a command for the one must never reach
//! the other. Therefore a board whose identity is known loses its place as soon as another identity answers there, and
//! gets a new place only when its own identity answers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use opendcre_model::{Board, BoardId, Identity};

use super::record::{BoardFailure, BoardRecord, BoardState, ChangeKind};
use super::{Inventory, NOT_FOUND, Place};

/// For how long a server is kept that the configuration does not name any more.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Inventory {
    /// Takes over what was known before a restart, as far as it still fits the configuration.
    pub(super) fn restore(&mut self, records: Vec<BoardRecord>, configured: &[Vec<Board>], now: Timestamp) {
        let matches = matches(self, &records, configured);
        for mut record in records {
            let mount = self.sources.iter().position(|source| source.name == record.driver);
            let is_searched =
                mount.and_then(|mount| self.sources.get(mount)).is_some_and(|source| !source.is_configured);
            let place = match (mount, record.place) {
                (Some(mount), Some(board)) if is_searched => Some(Place { mount, board }),
                _ => matches.get(&record.id).copied(),
            };
            if place.is_none() && (mount.is_none() || !may_come_back(&record, now)) {
                self.feed.add(ChangeKind::Removed, &record, "is not configured any more".to_owned(), now);
                self.unsaved.insert(record.id);
                continue;
            }
            match place {
                Some(place) => {
                    record.place = Some(place.board);
                    self.places.insert(place, record.id);
                    self.put(record);
                }
                None => self.lose(
                    record,
                    "not_configured",
                    "no table of the configuration is that of this board",
                    now,
                ),
            }
        }
    }

    /// What a place must be known by to find its board of before a restart.
    fn spot(&self, place: Place, board: &Board) -> Spot {
        let source = self.sources.get(place.mount);
        let annotation = source.and_then(|source| source.annotations.get(&place.board));
        let own = annotation.map_or(&[][..], |annotation| &annotation.ip_addresses);
        Spot {
            place,
            driver: source.map(|source| source.name.clone()).unwrap_or_default(),
            name: annotation.and_then(|annotation| annotation.name.clone()),
            addresses: super::union(own, &board.ip_addresses),
            keeps_id: self.keeps_id(place),
        }
    }

    /// Notes that the configuration has a board at a place.
    pub(super) fn configure(&mut self, mount: usize, board: &Board, now: Timestamp) {
        let place = Place { mount, board: board.id };
        let Some(id) = self.occupant(place, now) else { return };
        let Some(record) = self.boards.get(&id) else { return };
        let mut next = BoardRecord::clone(record);
        let was_known = next.first_seen.is_some();
        let known = (next.devices.clone(), next.firmware.clone());
        self.describe(&mut next, place, board);
        if was_known {
            // Nobody has asked it yet, so that what it said the last time is the better knowledge.
            (next.devices, next.firmware) = known;
        }
        if was_known && let Some(detail) = super::difference(record, &next) {
            self.report(ChangeKind::Changed, &next, detail, now);
        }
        self.put(next);
    }

    /// Decides which board it is that answers at `place`. Nothing if there is no room for another one.
    pub(super) fn settle(&mut self, place: Place, board: &Board, now: Timestamp) -> Option<BoardId> {
        self.looked.insert(place);
        let current = self.occupant(place, now)?;
        let Some(identity) = &board.identity else { return Some(current) };
        let known = self.boards.get(&current)?.identity.clone();
        if known.as_ref() == Some(identity) {
            self.prove(current);
            return Some(current);
        }
        match self.identities.get(identity).copied() {
            None => self.newcomer(place, current, known.is_some(), identity, now),
            Some(owner) if self.may_claim(owner, identity, known.is_some()) => {
                tracing::warn!(%identity, board = %owner, place = %place.board, "two boards claim one identity");
                // One of the two may just have moved, so the other one proves who it is before it is changed.
                self.suspects.insert(owner);
                self.nameless(place, current, known.is_some(), now)
            }
            Some(owner) => self.moved(place, current, owner, board, now),
        }
    }

    /// The board at a place; a new one if there is none.
    fn occupant(&mut self, place: Place, now: Timestamp) -> Option<BoardId> {
        if let Some(id) = self.places.get(&place) {
            return Some(*id);
        }
        if self.keeps_id(place) && self.is_elsewhere(place) {
            // Two buses hold a board of this id. It is listed once, and which one is meant must be cleared up.
            return self.conflicting(place);
        }
        self.create(place, now)
    }

    /// Whether the id of a board at this place is that of the place.
    fn keeps_id(&self, place: Place) -> bool {
        self.sources.get(place.mount).is_some_and(|source| {
            !source.is_configured || source.annotations.get(&place.board).is_some_and(|a| a.keeps_id)
        })
    }

    fn is_elsewhere(&self, place: Place) -> bool {
        self.place(place.board).is_some_and(|other| other != place)
    }

    /// A second board of one id: the id moves here if a search has shown that the first one is gone. If it is only silent,
    /// both may be there.
    fn conflicting(&mut self, place: Place) -> Option<BoardId> {
        let id = place.board;
        let other = self.place(id)?;
        let record = self.boards.get(&id)?;
        if record.failure.as_ref().is_some_and(|failure| failure.code == NOT_FOUND) {
            self.places.remove(&other);
            self.places.insert(place, id);
            return Some(id);
        }
        self.conflicts.entry(id).or_default().extend([other.mount, place.mount]);
        None
    }

    fn create(&mut self, place: Place, now: Timestamp) -> Option<BoardId> {
        if self.is_full() {
            tracing::warn!(board = %place.board, "the inventory is full; this board is not remembered");
            return None;
        }
        let id = self.free_id(place.board)?;
        self.places.insert(place, id);
        self.put(BoardRecord {
            id,
            name: id.to_string(),
            rack: String::new(),
            driver: self.sources.get(place.mount)?.name.clone(),
            place: Some(place.board),
            identity: None,
            firmware: None,
            hostnames: Vec::new(),
            ip_addresses: Vec::new(),
            labels: BTreeMap::new(),
            groups: Vec::new(),
            devices: Vec::new(),
            state: BoardState::Unknown,
            since: now,
            first_seen: None,
            last_seen: None,
            failure: None,
        });
        Some(id)
    }

    /// Whether `owner` is where it was, so that another machine that shows its identity must be somebody else. As long as
    /// nobody has looked there since the start, that is assumed, unless the other machine was somebody else before.
    fn may_claim(&self, owner: BoardId, identity: &Identity, replaces: bool) -> bool {
        let Some(place) = self.place(owner) else { return false };
        let is_present = self.boards.get(&owner).is_some_and(|record| record.state == BoardState::Present);
        let is_there = is_present && self.verified.contains(&owner);
        let is_unseen = !self.looked.contains(&place) && !replaces;
        is_there || is_unseen || self.shared.contains(identity)
    }

    /// An identity that was never seen answers.
    fn newcomer(
        &mut self,
        place: Place,
        current: BoardId,
        replaces: bool,
        identity: &Identity,
        now: Timestamp,
    ) -> Option<BoardId> {
        let id = if replaces && !self.keeps_id(place) {
            self.displace(current, place, now);
            self.create(place, now)?
        } else {
            current
        };
        self.identify(id, Some(identity.clone()), replaces && id == current, now);
        self.prove(id);
        Some(id)
    }

    /// Notes that a board has shown who it is. If somebody else has just said the same, they share an identity.
    fn prove(&mut self, id: BoardId) {
        self.verified.insert(id);
        if self.suspects.remove(&id)
            && let Some(identity) = self.boards.get(&id).and_then(|record| record.identity.clone())
        {
            self.shared.insert(identity);
        }
    }

    /// An identity answers that another board has proved to be its own: it says nothing about this one.
    fn nameless(
        &mut self,
        place: Place,
        current: BoardId,
        replaces: bool,
        now: Timestamp,
    ) -> Option<BoardId> {
        if !replaces {
            return Some(current);
        }
        if self.keeps_id(place) {
            self.identify(current, None, true, now);
            return Some(current);
        }
        self.displace(current, place, now);
        self.create(place, now)
    }

    /// A board that was elsewhere answers here.
    fn moved(
        &mut self,
        place: Place,
        current: BoardId,
        owner: BoardId,
        board: &Board,
        now: Timestamp,
    ) -> Option<BoardId> {
        let identity = self.boards.get(&owner)?.identity.clone();
        if self.keeps_id(place) {
            self.disown(owner, now);
            self.identify(current, identity, true, now);
            self.prove(current);
            return Some(current);
        }
        let former = self.place(owner);
        self.displace(current, place, now);
        if let Some(former) = former {
            self.places.remove(&former);
        }
        self.places.insert(place, owner);
        let record = BoardRecord::clone(self.boards.get(&owner)?);
        let was = addresses(&record);
        let mut record = BoardRecord { place: Some(place.board), ..record };
        record.driver.clone_from(&self.sources.get(place.mount)?.name);
        self.describe(&mut record, place, board);
        self.report(ChangeKind::Moved, &record, format!("was at {was}, is at {}", addresses(&record)), now);
        self.put(record);
        self.prove(owner);
        if let Some(former) = former {
            // Somebody else may answer there; who, the next look will tell.
            self.create(former, now);
        }
        Some(owner)
    }

    /// Takes its identity from a board, because the configuration fixes another id to the place where it answers. Unless
    /// its own id is fixed to a place, too, the board has no place any more: whoever answers there is somebody else.
    fn disown(&mut self, owner: BoardId, now: Timestamp) {
        if let Some(former) = self.place(owner)
            && !self.keeps_id(former)
        {
            self.displace(owner, former, now);
            self.create(former, now);
        }
        self.identify(owner, None, true, now);
    }

    /// Takes its place from a board that has turned out not to be there.
    fn displace(&mut self, id: BoardId, place: Place, now: Timestamp) {
        self.places.remove(&place);
        self.verified.remove(&id);
        let Some(record) = self.boards.get(&id) else { return };
        if record.identity.is_none() {
            // It was only a guess about who might answer here, and could never be found again.
            if record.first_seen.is_some() {
                let record = BoardRecord::clone(record);
                self.report(
                    ChangeKind::Removed,
                    &record,
                    "had no identity, and another one answers".to_owned(),
                    now,
                );
            }
            self.remove(id);
            return;
        }
        self.lose(BoardRecord::clone(record), "displaced", "another machine answers at its address", now);
    }

    /// Takes everything from a board that belongs to its place: where it is, and what the configuration calls whatever is
    /// there.
    fn lose(&mut self, mut record: BoardRecord, code: &str, reason: &str, now: Timestamp) {
        if record.state != BoardState::Missing {
            record.state = BoardState::Missing;
            record.since = now;
            self.report(ChangeKind::Vanished, &record, reason.to_owned(), now);
        }
        let message = format!(
            "{reason}; it is found again when its own identity answers at an address of the configuration"
        );
        record.failure = Some(BoardFailure { code: code.to_owned(), message });
        record.place = None;
        record.name = record.id.to_string();
        record.hostnames.clear();
        record.ip_addresses.clear();
        record.labels.clear();
        record.groups.clear();
        self.put(record);
    }

    fn identify(&mut self, id: BoardId, identity: Option<Identity>, is_news: bool, now: Timestamp) {
        let Some(record) = self.boards.get(&id) else { return };
        let mut next = BoardRecord::clone(record);
        if is_news {
            let text = |identity: &Option<Identity>| {
                identity.as_ref().map_or("unknown".to_owned(), ToString::to_string)
            };
            let detail = format!("identity was {}, is {}", text(&next.identity), text(&identity));
            self.report(ChangeKind::Changed, &next, detail, now);
            self.verified.remove(&id);
        }
        next.identity = identity;
        self.put(next);
    }
}

/// Where people look for a server.
fn addresses(record: &BoardRecord) -> String {
    let addresses: Vec<String> = record.ip_addresses.iter().map(ToString::to_string).collect();
    if addresses.is_empty() { "an unknown address".to_owned() } else { addresses.join(", ") }
}

/// Whether a server without a place is kept: it may have got another address, and prove who it is there.
fn may_come_back(record: &BoardRecord, now: Timestamp) -> bool {
    let seen = record.last_seen.filter(|_| record.identity.is_some());
    seen.is_some_and(|seen| now.duration_since(seen) < FORGOTTEN_AFTER)
}

/// Which board of before a restart is where in the configuration: first those whose id is fixed, then those with the same
/// name, then those whose addresses nobody else has, then those with the same id on the same wire. Whoever answers there
/// must still show who it is.
fn matches(
    inventory: &Inventory,
    records: &[BoardRecord],
    configured: &[Vec<Board>],
) -> HashMap<BoardId, Place> {
    let everywhere = configured.iter().enumerate();
    let places = everywhere.flat_map(|(mount, boards)| boards.iter().map(move |board| (mount, board)));
    let spots = places.map(|(mount, board)| inventory.spot(Place { mount, board: board.id }, board));
    let mut pairing =
        Pairing { records: records.iter().collect(), spots: spots.collect(), matches: HashMap::new() };
    pairing.pair(|record| Some(record.id), |spot| spot.keeps_id.then_some(spot.place.board));
    pairing.spots.retain(|spot| !spot.keeps_id);
    pairing.pair(|record| Some(record.name.clone()), |spot| spot.name.clone());
    pairing.pair(
        |record| Some(record.ip_addresses.clone()).filter(|addresses| !addresses.is_empty()),
        |spot| Some(spot.addresses.clone()),
    );
    pairing.pair(
        |record| Some((record.driver.clone(), record.place?)),
        |spot| Some((spot.driver.clone(), spot.place.board)),
    );
    pairing.matches
}

/// A place where the configuration has a board.
struct Spot {
    place: Place,
    driver: String,
    name: Option<String>,
    addresses: Vec<IpAddr>,
    keeps_id: bool,
}

/// Boards and places that look for each other.
struct Pairing<'a> {
    records: Vec<&'a BoardRecord>,
    spots: Vec<Spot>,
    matches: HashMap<BoardId, Place>,
}

impl Pairing<'_> {
    /// Matches what has the same key, if nobody else on either side has it.
    fn pair<K: Hash + Eq>(
        &mut self,
        key_of_record: impl Fn(&BoardRecord) -> Option<K>,
        key_of_spot: impl Fn(&Spot) -> Option<K>,
    ) {
        let records =
            unique(self.records.iter().filter_map(|record| Some((key_of_record(record)?, record.id))));
        let spots = unique(self.spots.iter().filter_map(|spot| Some((key_of_spot(spot)?, spot.place))));
        let pairs = spots.into_iter().filter_map(|(key, place)| Some((*records.get(&key)?, place)));
        let taken: HashMap<BoardId, Place> = pairs.collect();
        let places: HashSet<Place> = taken.values().copied().collect();
        self.records.retain(|record| !taken.contains_key(&record.id));
        self.spots.retain(|spot| !places.contains(&spot.place));
        self.matches.extend(taken);
    }
}

/// What has a key that nothing else has.
fn unique<K: Hash + Eq, V>(pairs: impl Iterator<Item = (K, V)>) -> HashMap<K, V> {
    let mut all: HashMap<K, Option<V>> = HashMap::new();
    for (key, value) in pairs {
        all.entry(key).and_modify(|first| *first = None).or_insert(Some(value));
    }
    all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}
