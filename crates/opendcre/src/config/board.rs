//! Boards of buses in the configuration: one `[[board]]` table for each that has more than an id.
//!
//! Boards are found by a scan, so none needs a table, and a table does not make a board.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use opendcre_gateway::Annotation;
use opendcre_model::BoardId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{Findings, LAST_BOARD};
use super::{Config, DeviceBus};

/// What is known about one board of a bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// The board as the API writes it, up to 00ffffff.
    #[schemars(with = "String", regex(pattern = "^[0-9a-fA-F]{1,8}$"))]
    pub board: BoardId,
    /// The name of its bus. Needed only where several buses may hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
    /// The rack that holds it, if it is another one than that of its bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// What people call it: 1 to 64 letters, digits, `-`, `_` and `.`, unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The names of the host behind it, by which it can also be addressed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// The addresses of the host behind it, by which it can also be addressed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses: Vec<IpAddr>,
    /// Short texts about it, by which it can be selected.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The groups that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Board {
    /// A board of which nothing else is said.
    #[must_use]
    pub const fn new(board: BoardId) -> Self {
        Self {
            board,
            bus: None,
            rack: None,
            name: None,
            hostnames: Vec::new(),
            ip_addresses: Vec::new(),
            labels: BTreeMap::new(),
            groups: Vec::new(),
        }
    }

    pub(super) fn annotation(&self) -> Annotation {
        Annotation {
            board: self.board,
            keeps_id: true,
            rack: self.rack.clone(),
            name: self.name.clone(),
            hostnames: self.hostnames.clone(),
            ip_addresses: self.ip_addresses.clone(),
            labels: self.labels.clone(),
            groups: self.groups.clone(),
        }
    }

    /// Whether it may be on `bus`.
    fn may_be_on(&self, bus: &DeviceBus) -> bool {
        let named = self.bus.as_ref().is_none_or(|name| *name == bus.name);
        named && bus.boards.is_none_or(|boards| (boards.first..=boards.last).contains(&self.board))
    }
}

impl Config {
    /// What the configuration says about the boards of `bus`, one of its own buses.
    #[must_use]
    pub fn annotations(&self, bus: &DeviceBus) -> Vec<Annotation> {
        self.board.iter().filter(|board| board.may_be_on(bus)).map(Board::annotation).collect()
    }
}

/// Everything that is wrong with the tables, but for what they call their boards.
pub(super) fn check(boards: &[Board], buses: &[DeviceBus], findings: &mut Findings) {
    let mut seen = HashSet::new();
    for (index, board) in boards.iter().enumerate() {
        let path = format!("board.{index}");
        if let Some(rack) = &board.rack {
            findings.rack(&format!("{path}.rack"), rack);
        }
        if board.board > LAST_BOARD {
            let message = format!(
                "the boards of a serial bus end at {LAST_BOARD}; BMCs are described in [[ipmi]] tables"
            );
            findings.add(format!("{path}.board"), message);
        } else if let Some(bus) = check_bus(board, buses, &path, findings)
            && !seen.insert((bus, board.board))
        {
            let message = format!("{} already has a table; each board has one", board.board);
            findings.add(format!("{path}.board"), message);
        }
    }
}

/// The name of the one bus that may hold the board.
fn check_bus<'b>(
    board: &Board,
    buses: &'b [DeviceBus],
    path: &str,
    findings: &mut Findings,
) -> Option<&'b str> {
    let id = board.board;
    let candidates: Vec<&str> =
        buses.iter().filter(|bus| board.may_be_on(bus)).map(|bus| bus.name.as_str()).collect();
    match (candidates.as_slice(), &board.bus) {
        ([bus, ..], Some(_)) | ([bus], None) => return Some(bus),
        ([], Some(name)) if buses.iter().any(|bus| bus.name == *name) => {
            findings.add(
                format!("{path}.bus"),
                format!("the boards of bus {name:?} do not include {id}; correct one of them"),
            );
        }
        ([], Some(name)) => {
            findings
                .add(format!("{path}.bus"), format!("no [[devicebus]] is called {name:?}; correct the name"));
        }
        ([], None) => findings.add(format!("{path}.board"), format!("no [[devicebus]] has a board {id}")),
        (several, None) => {
            let message = format!("{id} may be on any of {several:?}; add bus = with the one that is meant");
            findings.add(format!("{path}.board"), message);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{BUS, problems};

    /// Two buses in lines 1 to 10; both may hold the boards from 80 to ff.
    fn buses() -> String {
        let other = BUS.replace("\"hat\"", "\"other\"").replace("AMA0", "AMA1");
        format!("{BUS}\n{other}boards = \"80-1ff\"\n")
    }

    #[test]
    fn a_board_is_on_one_bus() {
        let table = |keys: &str| problems(&format!("{}[[board]]\n{keys}\n", buses()));
        for sound in ["board = '11'", "board = '100'\nbus = 'hat'", "board = '100'\nbus = 'other'"] {
            assert_eq!(table(sound), [""; 0], "{sound}");
        }
        for (keys, expected) in [
            (
                "board = '100'",
                "12: board \"100\".board: 00000100 may be on any of [\"hat\", \"other\"]; add bus = with the one that is meant",
            ),
            (
                "board = '200'\nbus = 'other'",
                "13: board \"200\".bus: the boards of bus \"other\" do not include 00000200; correct one of them",
            ),
            (
                "board = '11'\nbus = 'x'",
                "13: board \"11\".bus: no [[devicebus]] is called \"x\"; correct the name",
            ),
            (
                "board = '40000001'",
                "12: board \"40000001\".board: the boards of a serial bus end at 00ffffff; BMCs are described in [[ipmi]] tables",
            ),
            (
                "board = '11'\nrack = ''",
                "13: board \"11\".rack: \"\" will not do; use 1 to 64 letters, digits and any of -_.",
            ),
            ("name = 'x'", "11: board \"x\": missing field `board`"),
        ] {
            assert_eq!(table(keys), [expected]);
        }
        assert_eq!(
            problems("[[board]]\nboard = '11'"),
            ["2: board \"11\".board: no [[devicebus]] has a board 00000011"]
        );
    }

    #[test]
    fn a_board_of_a_bus_has_one_table() {
        let table = |bus: &str| format!("[[board]]\nboard = '100'\nbus = '{bus}'\n");
        let text = format!("{}{}{}", buses(), table("hat"), table("other"));
        assert_eq!(problems(&text), [""; 0]);
        assert_eq!(
            problems(&format!("{text}{}", table("hat"))),
            ["18: board \"100\".board: 00000100 already has a table; each board has one"]
        );
    }

    #[test]
    fn each_bus_gets_what_is_said_about_its_boards() {
        let tables =
            "[[board]]\nboard = '11'\nname = 'web-01'\n[[board]]\nboard = '100'\nbus = 'other'\nrack = 'r'\n";
        let config = Config::parse(&format!("{}{tables}", buses())).unwrap();
        let annotations = |index: usize| config.annotations(&config.devicebus[index]);
        let annotation = Annotation { keeps_id: true, ..Annotation::default() };
        let web = Annotation { board: BoardId(0x11), name: Some("web-01".into()), ..annotation.clone() };
        assert_eq!(annotations(0), [web]);
        assert_eq!(
            annotations(1),
            [Annotation { board: BoardId(0x100), rack: Some("r".into()), ..annotation }]
        );
    }
}
