//! Tables about boards. Boards of which all is the same share their lines, their names folded into a node range; the lines
//! of one board stay together.

use std::collections::HashMap;
use std::hash::Hash;

use comfy_table::Table;

use crate::output::{empty_table, visible};

/// Lines about boards; the name of the board comes first.
#[derive(Debug)]
pub(super) struct Sheet {
    header: Vec<String>,
    rows: Vec<Row>,
}

/// What is said of one board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// What the board is called.
    pub(super) board: String,
    /// What stands in the columns after it.
    pub(super) cells: Vec<String>,
}

impl Sheet {
    /// A sheet without lines. `header` names the columns after the board.
    pub(super) fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    /// Adds a line.
    pub(super) fn add(&mut self, board: String, cells: Vec<String>) {
        self.rows.push(Row { board, cells });
    }

    /// Whether there is nothing to show.
    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The sheet as a table, its lines folded if `fold` says so. Nothing in it can drive a terminal.
    pub(super) fn into_table(self, fold: bool) -> Table {
        let mut table = empty_table();
        table.set_header(std::iter::once("BOARD").chain(self.header.iter().map(String::as_str)));
        let rows = if fold { folded_blocks(self.rows) } else { self.rows };
        for Row { board, cells } in rows {
            table.add_row(std::iter::once(visible(&board)).chain(cells.iter().map(|cell| visible(cell))));
        }
        table
    }
}

/// One row for all rows that have the same cells, where the first of them stood.
pub(super) fn folded(rows: Vec<Row>) -> Vec<Row> {
    let groups = grouped(rows.into_iter().map(|Row { board, cells }| (cells, board)));
    groups.into_iter().map(|(cells, boards)| Row { board: name(&boards), cells }).collect()
}

/// One block of rows for all boards that have the same rows, where the first of them stood.
fn folded_blocks(rows: Vec<Row>) -> Vec<Row> {
    let blocks = grouped(rows.into_iter().map(|Row { board, cells }| (board, cells)));
    let groups = grouped(blocks.into_iter().map(|(board, block)| (block, board)));
    let rows = |(block, boards): (Vec<Vec<String>>, Vec<String>)| {
        let board = name(&boards);
        block.into_iter().map(move |cells| Row { board: board.clone(), cells })
    };
    groups.into_iter().flat_map(rows).collect()
}

/// The values that have the same key, in the order in which the keys came first.
fn grouped<K: Hash + Eq + Clone, V>(pairs: impl Iterator<Item = (K, V)>) -> Vec<(K, Vec<V>)> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut groups: Vec<(K, Vec<V>)> = Vec::new();
    for (key, value) in pairs {
        let place = *places.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => groups.push((key, vec![value])),
        }
    }
    groups
}

/// The boards as one node range; a single one under its own name.
fn name(boards: &[String]) -> String {
    match boards {
        [only] => only.clone(),
        several => opendcre_gateway::fold(several.iter().map(String::as_str)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power() -> Sheet {
        let mut sheet = Sheet::new(&["POWER"]);
        for (board, state) in [
            ("db-01", "on"),
            ("web", "off"),
            ("db-02", "on"),
            ("db-04", "off\u{1b}[2J"),
            ("db-03", "on"),
            ("db-05", "on"),
        ] {
            sheet.add(board.to_owned(), vec![state.to_owned()]);
        }
        sheet
    }

    fn text(sheet: Sheet, fold: bool) -> String {
        let mut out = Vec::new();
        crate::output::print_table(&mut out, sheet.into_table(fold)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn boards_that_say_the_same_share_a_line() {
        insta::assert_snapshot!(text(power(), true), @r"
        BOARD          POWER
        db-[01-03,05]  on
        web            off
        db-04          off\u{1b}[2J
        ");
        insta::assert_snapshot!(text(power(), false), @r"
        BOARD  POWER
        db-01  on
        web    off
        db-02  on
        db-04  off\u{1b}[2J
        db-03  on
        db-05  on
        ");
    }

    #[test]
    fn only_boards_of_which_all_is_the_same_share_their_lines() {
        let mut sheet = Sheet::new(&["DEVICE", "VALUE"]);
        for (board, inlet) in [("a1", "23 °C"), ("a2", "24 °C"), ("a3", "23 °C")] {
            sheet.add(board.to_owned(), vec!["inlet".to_owned(), inlet.to_owned()]);
            sheet.add(board.to_owned(), vec!["power".to_owned(), "on".to_owned()]);
        }
        insta::assert_snapshot!(text(sheet, true), @"
        BOARD   DEVICE  VALUE
        a[1,3]  inlet   23 °C
        a[1,3]  power   on
        a2      inlet   24 °C
        a2      power   on
        ");
    }

    #[test]
    fn a_board_alone_keeps_its_name_as_it_is() {
        let row = |board: &str| Row { board: board.to_owned(), cells: Vec::new() };
        let names = |rows| folded(rows).into_iter().map(|row| row.board).collect::<Vec<_>>();
        assert_eq!(names(vec![row("rack 7, unit 1")]), ["rack 7, unit 1"]);
        assert_eq!(names(vec![row("rack 7, unit 1"), row("b")]), ["b,\"rack 7, unit 1\""]);
    }
}
