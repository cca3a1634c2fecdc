//! What a node range is evaluated against.

use opendcre_model::BoardId;

use super::NodeRange;

/// The boards that there are, and everything by which they can be named. The inventory is one.
///
/// A range may look up tens of thousands of words, so [`find`](Self::find), [`contains`](Self::contains) and
/// [`any_value`](Self::any_value) should take the same time however many boards there are.
pub trait Directory {
    /// Every board, in ascending order, none twice.
    fn boards(&self) -> Vec<BoardId>;

    /// Whether there is a board of this id.
    fn contains(&self, board: BoardId) -> bool;

    /// Everything that `word` names exactly, each thing once: boards by name, host name (in any case) and IP address,
    /// racks, groups. An IP address is asked for as it was written and then in its canonical spelling. Ids need not
    /// be known here: they are recognised where nothing is found.
    fn find(&self, word: &str) -> Vec<Found<'_>>;

    /// How a board is told from others of the same name, such as `board 00000011 (web-01, rack_7)`.
    fn describe(&self, board: BoardId) -> String;

    /// Whether `attribute` is built in (`driver`, `firmware`, `kind`, `name`, `rack`, `state`) or a label of any board.
    fn has_attribute(&self, attribute: &str) -> bool;

    /// Whether any value that `board` has of `attribute` passes `test`. A board has as many values of `kind` as its
    /// devices have kinds, exactly one `name` and `rack`, and none of a label that it does not carry.
    fn any_value(&self, board: BoardId, attribute: &str, test: &dyn Fn(&str) -> bool) -> bool;
}

/// Something that a word names.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// One board.
    Board(BoardId),
    /// A rack.
    Rack {
        /// Its name, as the attribute `rack` of its boards has it.
        name: &'a str,
        /// The boards in it, in any order.
        boards: &'a [BoardId],
    },
    /// A group.
    Group {
        /// Its name.
        name: &'a str,
        /// The boards that were put into it one by one, in any order.
        boards: &'a [BoardId],
        /// Its further members.
        range: Option<&'a NodeRange>,
    },
}
