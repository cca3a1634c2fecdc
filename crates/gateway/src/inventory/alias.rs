//! Which boards go by a name: their ids, names, host names, addresses, racks and groups. Looking one up takes the same
//! time however many boards there are.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::net::IpAddr;

use opendcre_model::BoardId;
use thiserror::Error;

use super::Inventory;
use super::record::{BoardRecord, Group};
use crate::hash::HashMap;
use crate::noderange::NodeRange;

/// The most candidates that an error names.
const NAMED_CANDIDATES: usize = 16;

/// Why a name leads to no board.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LookupError {
    /// Nothing has this name.
    #[error(
        "no board is called {0:?}; use its id, name, host name or address, as a listing of the boards shows them"
    )]
    Unknown(String),
    /// Several boards have this name.
    #[error("{name:?} may be {}; use the id of the one that is meant", candidates.join(" or "))]
    Ambiguous {
        /// The name.
        name: String,
        /// The boards, each in a few words.
        candidates: Vec<String>,
    },
}

/// The names of all boards, and of what holds several.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// In lower case.
    names: HashMap<String, BTreeSet<BoardId>>,
    addresses: HashMap<IpAddr, BTreeSet<BoardId>>,
    racks: HashMap<String, Vec<BoardId>>,
    groups: HashMap<String, Members>,
    /// The labels, and how many boards carry each.
    labels: BTreeMap<String, usize>,
}

/// What is in a group.
#[derive(Debug, Default)]
struct Members {
    /// The boards that were put into it one by one, in ascending order.
    boards: Vec<BoardId>,
    range: Option<NodeRange>,
}

impl LookupError {
    /// The stable machine-readable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown_board",
            Self::Ambiguous { .. } => "ambiguous_name",
        }
    }

    /// The boards that may be meant, each in a few words.
    #[must_use]
    pub fn candidates(&self) -> &[String] {
        match self {
            Self::Unknown(_) => &[],
            Self::Ambiguous { candidates, .. } => candidates,
        }
    }
}

impl Aliases {
    /// No boards yet, but groups with node ranges. A range that is none was refused with the configuration.
    pub(super) fn new(groups: &[Group]) -> Self {
        let ranges = groups.iter().map(|group| {
            let members = Members { boards: Vec::new(), range: group.members.parse().ok() };
            (group.name.clone(), members)
        });
        Self { groups: ranges.collect(), ..Self::default() }
    }

    pub(super) fn add(&mut self, record: &BoardRecord) {
        for name in names(record) {
            self.names.entry(name).or_default().insert(record.id);
        }
        for address in &record.ip_addresses {
            self.addresses.entry(*address).or_default().insert(record.id);
        }
        insert(self.racks.entry(record.rack.clone()).or_default(), record.id);
        for group in &record.groups {
            insert(&mut self.groups.entry(group.clone()).or_default().boards, record.id);
        }
        for label in record.labels.keys() {
            *self.labels.entry(label.clone()).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, record: &BoardRecord) {
        for name in names(record) {
            forget(&mut self.names, &name, record.id);
        }
        for address in &record.ip_addresses {
            forget(&mut self.addresses, address, record.id);
        }
        if let Some(boards) = self.racks.get_mut(&record.rack) {
            remove(boards, record.id);
            if boards.is_empty() {
                self.racks.remove(&record.rack);
            }
        }
        for group in &record.groups {
            if let Some(members) = self.groups.get_mut(group) {
                remove(&mut members.boards, record.id);
            }
        }
        for label in record.labels.keys() {
            if let Some(count) = self.labels.get_mut(label) {
                *count -= 1;
                if *count == 0 {
                    self.labels.remove(label);
                }
            }
        }
    }

    /// The boards that go by `name` other than by their id, if there are any.
    pub(super) fn find(&self, name: &str) -> Option<Cow<'_, BTreeSet<BoardId>>> {
        let by_name = self.names.get(&*in_lower_case(name));
        // Most names are none, and to see that is cheaper than to read one.
        let address = if name.contains(['.', ':']) { name.parse().ok() } else { None };
        let by_address = address.and_then(|address: IpAddr| self.addresses.get(&address));
        match (by_name, by_address) {
            (Some(named), Some(addressed)) => Some(Cow::Owned(named | addressed)),
            (found, None) | (None, found) => found.map(Cow::Borrowed),
        }
    }

    pub(super) fn rack(&self, name: &str) -> Option<(&str, &[BoardId])> {
        self.racks.get_key_value(name).map(|(name, boards)| (name.as_str(), boards.as_slice()))
    }

    pub(super) fn group(&self, name: &str) -> Option<(&str, &[BoardId], Option<&NodeRange>)> {
        let (name, members) = self.groups.get_key_value(name)?;
        Some((name, &members.boards, members.range.as_ref()))
    }

    /// The names of all groups that have members or a range.
    pub(super) fn group_names(&self) -> BTreeSet<&str> {
        let groups =
            self.groups.iter().filter(|(_, members)| members.range.is_some() || !members.boards.is_empty());
        groups.map(|(name, _)| name.as_str()).collect()
    }

    pub(super) fn has_label(&self, label: &str) -> bool {
        self.labels.contains_key(label)
    }
}

fn insert(boards: &mut Vec<BoardId>, id: BoardId) {
    if let Err(position) = boards.binary_search(&id) {
        boards.insert(position, id);
    }
}

fn remove(boards: &mut Vec<BoardId>, id: BoardId) {
    if let Ok(position) = boards.binary_search(&id) {
        boards.remove(position);
    }
}

fn names(record: &BoardRecord) -> impl Iterator<Item = String> {
    let names: BTreeSet<String> =
        record.hostnames.iter().chain([&record.name]).map(|name| name.to_lowercase()).collect();
    names.into_iter()
}

/// Costs no memory for what people usually write.
fn in_lower_case(name: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if name.bytes().all(is_plain) { Cow::Borrowed(name) } else { Cow::Owned(name.to_lowercase()) }
}

fn forget<K: Hash + Eq>(table: &mut HashMap<K, BTreeSet<BoardId>>, key: &K, id: BoardId) {
    if let Some(boards) = table.get_mut(key) {
        boards.remove(&id);
        if boards.is_empty() {
            table.remove(key);
        }
    }
}

impl Inventory {
    /// The boards among those that are `known` that go by `name`. A name counts more than an id: only what nobody is
    /// called is read as a number.
    pub(super) fn named(&self, name: &str, known: impl Fn(BoardId) -> bool) -> Cow<'_, BTreeSet<BoardId>> {
        match self.aliases.find(name) {
            Some(named) if named.iter().all(|id| known(*id)) => return named,
            Some(named) if named.iter().any(|id| known(*id)) => {
                return Cow::Owned(named.iter().copied().filter(|id| known(*id)).collect());
            }
            _ => {}
        }
        let id = name.parse().ok().filter(|id| self.boards.contains_key(id) && known(*id));
        Cow::Owned(id.into_iter().collect())
    }

    /// The board among those that are `known` that goes by `name`.
    pub(crate) fn lookup(&self, name: &str, known: impl Fn(BoardId) -> bool) -> Result<BoardId, LookupError> {
        let found = self.named(name, known);
        let mut ids = found.iter();
        match (ids.next(), ids.next()) {
            (None, _) => Err(LookupError::Unknown(opendcre_model::excerpt(name))),
            (Some(only), None) => Ok(*only),
            (Some(_), Some(_)) => {
                let records = found.iter().filter_map(|id| self.boards.get(id));
                let candidates = records.take(NAMED_CANDIDATES).map(|record| record.describe()).collect();
                Err(LookupError::Ambiguous { name: opendcre_model::excerpt(name), candidates })
            }
        }
    }
}
