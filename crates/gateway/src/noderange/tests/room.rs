//! Rooms to evaluate node ranges in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use opendcre_model::BoardId;

use super::super::{Directory, Found, NodeRange, RangeError, fold};

/// A board of a room.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) rack: &'static str,
    pub(super) aliases: Vec<String>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) attributes: BTreeMap<&'static str, &'static str>,
}

enum Entry {
    Board(u32),
    Rack(&'static str),
    Group(String),
}

/// A directory that finds every word in constant time.
#[derive(Default)]
pub(super) struct Room {
    boards: BTreeMap<u32, Record>,
    racks: BTreeMap<&'static str, Vec<BoardId>>,
    groups: BTreeMap<String, (Vec<BoardId>, Option<NodeRange>)>,
    index: HashMap<String, Vec<Entry>>,
}

impl Room {
    pub(super) fn new(records: impl IntoIterator<Item = Record>) -> Self {
        let mut room = Self::default();
        for record in records {
            let id = BoardId(record.id);
            let words: BTreeSet<String> =
                record.aliases.iter().chain([&record.name]).map(|word| word.to_lowercase()).collect();
            for word in words {
                room.index.entry(word).or_default().push(Entry::Board(record.id));
            }
            room.racks.entry(record.rack).or_default().push(id);
            room.boards.insert(record.id, record);
        }
        for rack in room.racks.keys() {
            room.index.entry((*rack).to_owned()).or_default().push(Entry::Rack(rack));
        }
        room
    }

    pub(super) fn add_group(&mut self, name: &str, boards: &[u32], range: Option<&str>) {
        let boards = boards.iter().copied().map(BoardId).collect();
        self.groups.insert(name.to_owned(), (boards, range.map(|range| range.parse().unwrap())));
        self.index.entry(name.to_owned()).or_default().push(Entry::Group(name.to_owned()));
    }

    pub(super) fn select(&self, text: &str) -> Result<Vec<BoardId>, RangeError> {
        text.parse::<NodeRange>()?.evaluate(self)
    }

    /// What `text` selects, as a node range of names.
    pub(super) fn names(&self, text: &str) -> String {
        let boards = self.select(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        fold(boards.iter().map(|board| self.boards[&board.0].name.as_str()))
    }

    pub(super) fn refusal(&self, text: &str) -> RangeError {
        match self.select(text) {
            Ok(boards) => panic!("{text}: {boards:?}"),
            Err(error) => error,
        }
    }
}

impl Directory for Room {
    fn boards(&self) -> Vec<BoardId> {
        self.boards.keys().copied().map(BoardId).collect()
    }

    fn contains(&self, board: BoardId) -> bool {
        self.boards.contains_key(&board.0)
    }

    fn find(&self, word: &str) -> Vec<Found<'_>> {
        let entries = self.index.get(&word.to_lowercase()).into_iter().flatten();
        let found = entries.map(|entry| match entry {
            Entry::Board(id) => Found::Board(BoardId(*id)),
            Entry::Rack(name) => Found::Rack { name, boards: &self.racks[name] },
            Entry::Group(name) => {
                let (boards, range) = &self.groups[name];
                Found::Group { name, boards, range: range.as_ref() }
            }
        });
        found.collect()
    }

    fn describe(&self, board: BoardId) -> String {
        let Record { name, rack, .. } = &self.boards[&board.0];
        format!("board {board} ({name}, {rack})")
    }

    fn has_attribute(&self, attribute: &str) -> bool {
        matches!(attribute, "driver" | "firmware" | "kind" | "name" | "rack" | "state")
            || self.boards.values().any(|board| board.attributes.contains_key(attribute))
    }

    fn any_value(&self, board: BoardId, attribute: &str, test: &dyn Fn(&str) -> bool) -> bool {
        let record = &self.boards[&board.0];
        match attribute {
            "name" => test(&record.name),
            "rack" => test(record.rack),
            "kind" => record.kinds.iter().any(|kind| test(kind)),
            other => record.attributes.get(other).is_some_and(|value| test(value)),
        }
    }
}

/// The room of `docs/node-ranges.md`, and what its examples do not need: a name that two boards have, a rack that is
/// called like a group, groups that contain themselves or something unknown.
pub(super) fn example() -> Room {
    let web = (1..=4).map(|n| Record {
        id: 0x0f + n,
        name: format!("web-{n:02}"),
        rack: "rack_1",
        aliases: vec![format!("web-{n:02}.example.org"), format!("10.1.0.{}", 10 + n)],
        kinds: vec!["temperature", "fan_speed"],
        attributes: [("driver", "hat"), ("state", "present"), ("role", "front end")].into(),
    });
    let db = (1..=3).map(|n| Record {
        id: 0x4000_0000 + n,
        name: format!("db-{n}"),
        rack: "rack_2",
        aliases: vec![format!("fd00::{n}"), format!("10.2.0.{n}")],
        kinds: vec!["temperature", "power"],
        attributes: [("driver", "ipmi"), ("state", "present"), ("firmware", "2.7"), ("stage", "live")].into(),
    });
    let unnamed = Record {
        id: 0x1f,
        name: "0000001f".to_owned(),
        rack: "rack_2",
        attributes: [("driver", "hat"), ("state", "missing")].into(),
        ..Record::default()
    };
    let mut records: Vec<Record> = web.chain(db).chain([unnamed]).collect();
    records[6].attributes.insert("stage", "test");
    records[3].aliases.push("spare".to_owned());
    records[6].aliases.push("spare".to_owned());
    records[0].aliases.push("lab".to_owned());
    let mut room = Room::new(records);
    room.add_group("front", &[], Some("web-[01-03]"));
    room.add_group("odd", &[0x10, 0x12], Some("db-1,db-3"));
    room.add_group("quiet", &[], Some("all,-front,-odd"));
    room.add_group("lab", &[], Some("db-3"));
    room.add_group("none", &[], None);
    room.add_group("egg", &[], Some("db-1,hen"));
    room.add_group("hen", &[], Some("egg"));
    room.add_group("stale", &[], Some("db-1,db-9"));
    room
}
