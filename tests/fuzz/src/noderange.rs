//! Any text as a node range, in a room with boards of any names.
//!
//! The promises: what is refused is refused with one short line, a code and a position within the text; what is selected
//! exists, is ascending and never empty; names that were folded select exactly the boards that have them.

use std::collections::BTreeSet;

use opendcre_gateway::{Directory, Found, NodeRange, RangeError, fold};
use opendcre_model::BoardId;

use crate::is_printable;

/// The id of the first board.
const FIRST: u32 = 0x4000_0000;
/// The most boards of the room.
const MAX_BOARDS: usize = 64;
/// Excerpts in messages are short, so messages are, even where every character is escaped.
const MAX_MESSAGE: usize = 1500;
/// A longer text is refused.
const MAX_TEXT: usize = 4096;
const CODES: [&str; 5] = ["bad_range", "unknown_name", "ambiguous_name", "empty_range", "range_too_large"];
/// What names something else than a board.
const TAKEN: [&str; 5] = ["left", "right", "both", "pair", "loop"];

/// The first line is a node range, the others are the names of boards.
pub fn noderange(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (text, names) = text.split_once('\n').unwrap_or((&text, ""));
    let room = Room::new(names);
    check_range(text, &room);
    check_fold(&room);
}

fn check_range(text: &str, room: &Room) {
    let selected = text.parse::<NodeRange>().and_then(|range| {
        assert_eq!(range.to_string(), text);
        range.evaluate(room)
    });
    match selected {
        Ok(boards) => {
            assert!(!boards.is_empty(), "{text:?}");
            assert!(boards.is_sorted_by(|a, b| a < b), "{boards:?}");
            assert!(boards.iter().all(|board| room.contains(*board)), "{boards:?}");
        }
        Err(error) => check_error(text, &error),
    }
}

fn check_error(text: &str, error: &RangeError) {
    assert!(CODES.contains(&error.code()), "{}", error.code());
    assert!(error.position() <= text.chars().count(), "{}", error.position());
    assert_eq!(error.candidates().is_empty(), error.code() != "ambiguous_name");
    let message = error.to_string();
    assert!(message.len() <= MAX_MESSAGE, "{} bytes: {message}", message.len());
    assert!(is_printable(&message), "{message:?}");
}

fn check_fold(room: &Room) {
    let text = fold(room.names.iter().map(String::as_str));
    assert_eq!(text, fold(room.names.iter().rev().map(String::as_str)));
    if text.is_empty() || text.chars().count() > MAX_TEXT {
        return;
    }
    let selected = text.parse::<NodeRange>().and_then(|range| range.evaluate(room));
    assert_eq!(selected, Ok(room.boards()), "{text}");
}

/// Boards with names, half of them in either rack; one group of some of them, and one that contains itself.
struct Room {
    names: BTreeSet<String>,
    racks: [Vec<BoardId>; 2],
    pair: Option<NodeRange>,
    endless: Option<NodeRange>,
}

impl Room {
    fn new(lines: &str) -> Self {
        let usable =
            |line: &&str| !line.is_empty() && !line.contains(char::is_control) && !TAKEN.contains(line);
        let names: BTreeSet<String> =
            lines.lines().filter(usable).take(MAX_BOARDS).map(str::to_owned).collect();
        let (left, right) = ids(names.len()).partition(|board| rack(*board) == "left");
        let racks = [left, right];
        Self { names, racks, pair: "left,-~1$".parse().ok(), endless: "right,loop".parse().ok() }
    }

    fn name(&self, board: BoardId) -> Option<&str> {
        let index = usize::try_from(board.0.checked_sub(FIRST)?).ok()?;
        self.names.iter().nth(index).map(String::as_str)
    }
}

impl Directory for Room {
    fn boards(&self) -> Vec<BoardId> {
        ids(self.names.len()).collect()
    }

    fn contains(&self, board: BoardId) -> bool {
        self.name(board).is_some()
    }

    fn find(&self, word: &str) -> Vec<Found<'_>> {
        let [left, right] = &self.racks;
        match word {
            "left" => vec![Found::Rack { name: "left", boards: left }],
            "right" => vec![Found::Rack { name: "right", boards: right }],
            "pair" => vec![Found::Group { name: "pair", boards: right, range: self.pair.as_ref() }],
            "loop" => vec![Found::Group { name: "loop", boards: left, range: self.endless.as_ref() }],
            "both" => {
                vec![Found::Rack { name: "left", boards: left }, Found::Rack { name: "right", boards: right }]
            }
            _ => {
                let named = ids(self.names.len()).zip(&self.names).filter(|(_, name)| *name == word);
                named.map(|(board, _)| Found::Board(board)).collect()
            }
        }
    }

    fn describe(&self, board: BoardId) -> String {
        format!("board {board}")
    }

    fn has_attribute(&self, attribute: &str) -> bool {
        matches!(attribute, "name" | "rack")
    }

    fn any_value(&self, board: BoardId, attribute: &str, test: &dyn Fn(&str) -> bool) -> bool {
        match attribute {
            "name" => self.name(board).is_some_and(test),
            "rack" => test(rack(board)),
            _ => false,
        }
    }
}

fn ids(count: usize) -> impl Iterator<Item = BoardId> {
    (FIRST..).map(BoardId).take(count)
}

const fn rack(board: BoardId) -> &'static str {
    if board.0.is_multiple_of(2) { "left" } else { "right" }
}
