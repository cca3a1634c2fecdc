//! Node ranges made up at random, against a model of eight boards that knows only sets.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::super::{NodeRange, fold};
use super::room::{Record, Room, example};

/// The boards n1 to n8 as the bits of a number: n1 is the lowest.
type Boards = u8;

fn eight_boards() -> Room {
    let records = (1..=8).map(|n| Record {
        id: n,
        name: format!("n{n}"),
        rack: if n <= 4 { "left" } else { "right" },
        attributes: [("parity", if n % 2 == 0 { "even" } else { "odd" })].into(),
        ..Record::default()
    });
    let mut room = Room::new(records);
    room.add_group("edges", &[1], Some("n8"));
    room
}

fn bits(first: u32, last: u32) -> Boards {
    (first..=last).map(|n| 1 << (n - 1)).sum()
}

/// A text and what it selects.
fn selection() -> impl Strategy<Value = (String, Boards)> {
    let ends = (1..=8u32, 1..=8u32).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let word = prop_oneof![
        (1..=8u32).prop_map(|n| (format!("n{n}"), bits(n, n))),
        ends.clone().prop_map(|(a, b)| (format!("n[{a}-{b}]"), bits(a, b))),
        ends.clone().prop_map(|(a, b)| (format!("n{a}-n{b}"), bits(a, b))),
        ends.clone().prop_map(|(a, b)| (format!("n{a}:n{b}"), bits(a, b))),
        ends.clone().prop_map(|(a, b)| (format!("{a:08x}-{b:08x}"), bits(a, b))),
        ends.prop_map(|(a, b)| (format!("~^n[{a}-{b}]$"), bits(a, b))),
        Just(("all".to_owned(), bits(1, 8))),
        Just(("left".to_owned(), bits(1, 4))),
        Just(("rack!=left".to_owned(), bits(5, 8))),
        Just(("edges".to_owned(), 0b1000_0001)),
        Just(("parity=even".to_owned(), 0b1010_1010)),
    ];
    word.prop_recursive(4, 24, 4, |inner| {
        let more = vec((prop_oneof![Just(","), Just(",-"), Just("@"), Just(", @ ")], inner.clone()), 0..4);
        (any::<bool>(), inner, more).prop_map(|(excludes, first, more)| list(excludes, first, more))
    })
}

fn list(
    excludes: bool,
    (text, boards): (String, Boards),
    more: Vec<(&str, (String, Boards))>,
) -> (String, Boards) {
    // Nothing can be added to a range that begins with an exclusion.
    let excludes = excludes && more.iter().all(|(operator, _)| *operator != ",");
    let first = if excludes { (format!("-{text}"), !boards) } else { (text, boards) };
    let (text, boards) = more.into_iter().fold(first, |(text, left), (operator, (more, right))| {
        let boards = match operator {
            "," => left | right,
            ",-" => left & !right,
            _ => left & right,
        };
        (format!("{text}{operator}{more}"), boards)
    });
    (format!("({text})"), boards)
}

proptest! {
    #[test]
    fn ranges_are_sets((text, boards) in selection()) {
        let room = eight_boards();
        match room.select(&text) {
            Ok(selected) => {
                let model: Vec<u32> = (1..=8).filter(|n| boards & bits(*n, *n) != 0).collect();
                prop_assert_eq!(selected.iter().map(|board| board.0).collect::<Vec<_>>(), model);
            }
            Err(error) => prop_assert_eq!((error.code(), boards), ("empty_range", 0), "{}", error),
        }
    }

    #[test]
    fn any_text_is_survived(text in "\\PC{0,40}|[-a-c0-2@,:()\\[\\]~=!*\"\\\\{}^ /.]{0,40}") {
        check_survival(&text)?;
    }

    #[test]
    fn any_damage_is_survived((text, _) in selection(), at in any::<prop::sample::Index>(), by in any::<char>()) {
        let mut characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        characters[at] = by;
        check_survival(&characters.iter().collect::<String>())?;
        check_survival(&characters[..at].iter().collect::<String>())?;
    }

    #[test]
    fn folding_loses_nothing(names in btree_set(name(), 1..40)) {
        let text = fold(names.iter().map(String::as_str));
        prop_assert_eq!(&text, &fold(names.iter().rev().map(String::as_str)));
        let room = named(&names);
        let selected = room.select(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(selected.len(), names.len(), "{}", text);
    }

    #[test]
    fn numbers_fold_to_a_word_of_exactly_them(numbers in btree_set("[0-9]{1,3}", 1..200)) {
        let names: BTreeSet<String> = numbers.iter().map(|number| format!("n{number}x")).collect();
        let text = fold(names.iter().map(String::as_str));
        prop_assert_eq!(text.matches('x').count(), 1, "{}", text);
        let room = named(&names);
        prop_assert_eq!(room.select(&text).unwrap().len(), names.len(), "{}", text);
    }
}

fn check_survival(text: &str) -> Result<(), TestCaseError> {
    for room in [example(), eight_boards()] {
        match room.select(text) {
            Ok(boards) => {
                prop_assert!(!boards.is_empty());
                prop_assert!(boards.is_sorted_by(|a, b| a < b));
                prop_assert_eq!(text.parse::<NodeRange>().unwrap().to_string(), text);
            }
            Err(error) => {
                prop_assert!(error.position() <= text.chars().count(), "{}: {}", text, error.position());
                prop_assert_eq!(error.candidates().is_empty(), error.code() != "ambiguous_name");
                prop_assert!(!error.to_string().contains(char::is_control), "{:?}", error.to_string());
            }
        }
    }
    Ok(())
}

/// Names of every kind, in lower case: host names are the same in any case.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-c]{0,2}-?[0-9]{1,3}",
        4 => "[ab]{1,2}[0-9]{1,2}(-[ab][0-9]?|\\.x)?",
        1 => "[-a-c0-2@,:()\\[\\]~=!*\"\\\\ /.]{1,8}",
        1 => "[0-9]{17,20}",
        1 => Just("all".to_owned()),
    ]
}

/// A room whose boards have these names. Their ids are none of the numbers among the names.
fn named(names: &BTreeSet<String>) -> Room {
    Room::new((0xffff_0000..).zip(names).map(|(id, name)| Record {
        id,
        name: name.clone(),
        rack: "the rack",
        ..Record::default()
    }))
}
