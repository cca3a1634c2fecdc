//! Tables about boards. Boards that say the same share a line, their names folded into a node range.

use std::collections::HashMap;

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
        let rows = if fold { folded(self.rows) } else { self.rows };
        for Row { board, cells } in rows {
            table.add_row(std::iter::once(visible(&board)).chain(cells.iter().map(|cell| visible(cell))));
        }
        table
    }
}

/// One row for all rows that have the same cells, where the first of them stood.
pub(super) fn folded(rows: Vec<Row>) -> Vec<Row> {
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for Row { board, cells } in rows {
        let place = *places.entry(cells.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((boards, _)) => boards.push(board),
            None => groups.push((vec![board], cells)),
        }
    }
    let row = |(boards, cells): (Vec<String>, _)| Row { board: name(&boards), cells };
    groups.into_iter().map(row).collect()
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
    fn a_board_alone_keeps_its_name_as_it_is() {
        let row = |board: &str| Row { board: board.to_owned(), cells: Vec::new() };
        let names = |rows| folded(rows).into_iter().map(|row| row.board).collect::<Vec<_>>();
        assert_eq!(names(vec![row("rack 7, unit 1")]), ["rack 7, unit 1"]);
        assert_eq!(names(vec![row("rack 7, unit 1"), row("b")]), ["b,\"rack 7, unit 1\""]);
    }
}
