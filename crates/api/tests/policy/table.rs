//! The table that people read, taken apart.

use http::Method;

/// The table.
const TEXT: &str = include_str!("table.txt");

/// The roles in the order of the columns; nothing for somebody without any.
pub(crate) const ROLES: [Option<&str>; 5] =
    [Some("viewer"), Some("operator"), Some("admin"), Some("auditor"), None];

pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

/// A route, and the statuses that each role gets.
pub(crate) struct Row {
    pub(crate) methods: Vec<Method>,
    pub(crate) path: String,
    pub(crate) verb: &'static str,
    pub(crate) within: [u16; ROLES.len()],
    pub(crate) outside: [u16; ROLES.len()],
}

impl Table {
    pub(crate) fn read() -> Self {
        let lines = TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { rows: lines.map(Row::read).collect() }
    }
}

impl Row {
    fn read(line: &'static str) -> Self {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [methods, path, verb, statuses @ ..] = &cells[..] else { panic!("{line}") };
        assert!(["-", "read", "control", "configure", "audit"].contains(verb), "{line}");
        let statuses: Vec<(u16, u16)> = statuses.iter().map(|cell| status(cell)).collect();
        let statuses: [(u16, u16); ROLES.len()] = statuses.try_into().expect(line);
        Self {
            methods: methods.split(',').map(|method| method.parse().unwrap()).collect(),
            path: (*path).to_owned(),
            verb,
            within: statuses.map(|(within, _)| within),
            outside: statuses.map(|(_, outside)| outside),
        }
    }
}

/// `within/outside`, or one status for both.
fn status(cell: &str) -> (u16, u16) {
    let (within, outside) = cell.split_once('/').unwrap_or((cell, cell));
    (within.parse().expect(cell), outside.parse().expect(cell))
}
