//! Sets of boards: vectors in ascending order without duplicates.

use opendcre_model::BoardId;

/// The set of boards that come in any order.
pub(super) fn set_of(mut boards: Vec<BoardId>) -> Vec<BoardId> {
    boards.sort_unstable();
    boards.dedup();
    boards
}

pub(super) fn unite(left: &mut Vec<BoardId>, right: &[BoardId]) {
    let mut new = right.to_vec();
    exclude(&mut new, left);
    left.extend(new);
    // The stable sort merges two sorted halves in linear time.
    left.sort();
}

pub(super) fn exclude(left: &mut Vec<BoardId>, right: &[BoardId]) {
    let mut contains = ascending_lookup(right);
    left.retain(|board| !contains(*board));
}

pub(super) fn intersect(left: &mut Vec<BoardId>, right: &[BoardId]) {
    let mut contains = ascending_lookup(right);
    left.retain(|board| contains(*board));
}

/// Tells whether `set` contains a board; must be asked in ascending order.
fn ascending_lookup(set: &[BoardId]) -> impl FnMut(BoardId) -> bool {
    let mut rest = set.iter().copied().peekable();
    move |board| {
        while rest.next_if(|other| *other < board).is_some() {}
        rest.peek() == Some(&board)
    }
}
