//! Which boards and devices an extent covers.

use proptest::prelude::*;

use super::*;
use crate::policy::reach::{Region, Regions};

fn covered(extent: &Extent) -> Vec<u32> {
    let room = room();
    let reach = reach(extent, &room);
    (1..=6).filter(|number| reach.has(id(*number))).collect()
}

fn reach(extent: &Extent, room: &Inventory) -> Reach {
    Reach::Regions(vec![Arc::new(Region::of(extent, room))])
}

#[test]
fn every_condition_selects_what_it_says() {
    let everywhere = Extent::default;
    for (extent, expected) in [
        (racks(&["rack_1"]), &[1, 2, 3][..]),
        (racks(&["rack_?"]), &[1, 2, 3, 4, 5, 6]),
        (racks(&["RACK_1"]), &[]),
        (Extent { boards: texts(&["WEB-*"]), ..everywhere() }, &[4, 5, 6]),
        (Extent { boards: texts(&["40000002", "10.1.0.5"]), ..everywhere() }, &[2, 5]),
        (Extent { board_groups: texts(&["odd"]), ..everywhere() }, &[1, 3, 5]),
        (Extent { board_groups: texts(&["l*"]), ..everywhere() }, &[5, 6]),
        (Extent { labels: texts(&["stage=live"]), ..everywhere() }, &[1, 2, 3]),
        (Extent { labels: texts(&["stage=test", "stage=live"]), ..everywhere() }, &[1, 2, 3]),
        (Extent { labels: texts(&["stage=*"]), ..everywhere() }, &[]),
        (Extent { nodes: Some("db-[02-03],late".to_owned()), ..everywhere() }, &[2, 3, 5, 6]),
        (Extent { nodes: Some("db-01,-db-01".to_owned()), ..everywhere() }, &[]),
        (Extent { devices: texts(&["power"]), ..everywhere() }, &[1, 2, 3, 4, 5, 6]),
        (Extent { devices: texts(&["led"]), ..everywhere() }, &[]),
    ] {
        assert_eq!(covered(&extent), expected, "{extent:?}");
    }
}

#[test]
fn all_conditions_must_hold() {
    let extent = Extent {
        racks: texts(&["rack_1"]),
        board_groups: texts(&["odd", "late"]),
        labels: texts(&["stage=live"]),
        nodes: Some("all,-db-03".to_owned()),
        ..Extent::default()
    };
    assert_eq!(covered(&extent), [1]);
}

#[test]
fn devices_divide_a_board() {
    let room = room();
    for pattern in ["0001", "cpu*", "temperature"] {
        let reach = reach(&Extent { devices: texts(&[pattern]), ..racks(&["rack_1"]) }, &room);
        assert!(reach.has(id(1)) && !reach.has_whole(id(1)), "{pattern}");
        assert!(reach.has_device(device(1, 0x0001)) && !reach.has_device(device(1, 0x0100)));
        assert!(!reach.has_device(device(1, 0x0002)), "what nobody knows is covered by no pattern");
        assert!(!reach.has_device(device(4, 0x0001)));
        let part = reach.part_of(room.board(id(1)).unwrap()).unwrap();
        assert_eq!(part.devices.iter().map(|device| device.id).collect::<Vec<_>>(), [DeviceId(1)]);
        assert_eq!(reach.part_of(room.board(id(4)).unwrap()), None);
    }
}

#[test]
fn what_makes_no_sense_covers_nothing() {
    for extent in [
        racks(&[""]),
        Extent { labels: texts(&["stage"]), ..Extent::default() },
        Extent { nodes: Some("db-[".to_owned()), ..Extent::default() },
        Extent { nodes: Some("db-01,db-99".to_owned()), ..Extent::default() },
        Extent { nodes: Some("all,-db-99".to_owned()), ..Extent::default() },
    ] {
        assert_eq!(covered(&extent), NOTHING, "{extent:?}");
    }
}

#[test]
fn regions_are_kept_until_the_inventory_selects_others() {
    let mut room = room();
    let regions = Regions::default();
    let extent = Extent { nodes: Some("state=present".to_owned()), ..Extent::default() };
    let empty = regions.get(&extent, &room);
    assert!(Arc::ptr_eq(&empty, &regions.get(&extent, &room)));
    let board = Board::new(id(1), Vec::new());
    let place = crate::inventory::Place { mount: 0, board: id(1) };
    let later = "2026-12-01T09:00:00Z".parse().unwrap();
    room.found(place, &board, later);
    let found = regions.get(&extent, &room);
    assert!(Reach::Regions(vec![Arc::clone(&found)]).has(id(1)));
    // To be seen again is no news.
    room.found(place, &board, "2026-12-01T09:30:00Z".parse().unwrap());
    assert!(Arc::ptr_eq(&found, &regions.get(&extent, &room)));
    for number in 0..1000 {
        regions.get(&racks(&[&format!("rack_{number}")]), &room);
    }
    assert!(Reach::Regions(vec![regions.get(&extent, &room)]).has(id(1)), "forgetting changes no answer");
}

/// Conditions of which each holds for some boards of the room.
fn extents() -> impl Strategy<Value = Extent> {
    let some = |list: &'static [&'static str]| {
        prop::sample::subsequence(list, 0..=list.len()).prop_map(|list| texts(&list))
    };
    let nodes = prop::option::of(prop::sample::select(vec!["all", "db-[01-02],web-06", "rack_2", "late"]));
    (
        some(&["rack_1", "rack_*", "none"]),
        some(&["db-*", "*-05", "10.1.0.?", "nobody"]),
        some(&["power", "cpu*", "led"]),
        some(&["odd", "late"]),
        some(&["stage=live", "stage=test"]),
        nodes,
    )
        .prop_map(|(racks, boards, devices, board_groups, labels, nodes)| Extent {
            racks,
            boards,
            devices,
            board_groups,
            labels,
            nodes: nodes.map(str::to_owned),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_further_condition_never_adds_anything(extent in extents(), other in extents()) {
        let room = room();
        let both = Extent { racks: other.racks, ..extent.clone() };
        prop_assume!(extent.racks.is_empty());
        let (wide, narrow) = (reach(&extent, &room), reach(&both, &room));
        for (board, part) in (1..=6).flat_map(|board| [(board, 0x0001), (board, 0x0100)]) {
            prop_assert!(!narrow.has_device(device(board, part)) || wide.has_device(device(board, part)));
        }
    }

    #[test]
    fn a_further_entry_never_takes_anything_away(extent in extents(), rack in "rack_[12]") {
        prop_assume!(!extent.racks.is_empty());
        let room = room();
        let mut more = extent.clone();
        more.racks.push(rack);
        let (narrow, wide) = (reach(&extent, &room), reach(&more, &room));
        for board in 1..=6 {
            prop_assert!(!narrow.has(id(board)) || wide.has(id(board)));
        }
    }

    #[test]
    fn a_board_is_whole_in_part_or_not_at_all(extent in extents()) {
        let room = room();
        let reach = reach(&extent, &room);
        for board in 1..=6 {
            let devices = [0x0001, 0x0100].into_iter().filter(|part| reach.has_device(device(board, *part)));
            match devices.count() {
                0 => prop_assert!(!reach.has(id(board))),
                _ if reach.has_whole(id(board)) => prop_assert!(extent.devices.is_empty()),
                _ => prop_assert!(reach.has(id(board)) && !extent.devices.is_empty()),
            }
            let part = reach.part_of(room.board(id(board)).unwrap());
            prop_assert_eq!(part.is_some(), reach.has(id(board)));
        }
    }

    #[test]
    fn hostile_extents_cover_nothing_or_something_but_never_fail(text in "\\PC{0,40}") {
        let list = vec![text.clone()];
        for extent in [
            Extent { racks: list.clone(), ..Extent::default() },
            Extent { boards: list.clone(), ..Extent::default() },
            Extent { devices: list.clone(), ..Extent::default() },
            Extent { board_groups: list.clone(), ..Extent::default() },
            Extent { labels: list.clone(), ..Extent::default() },
            Extent { nodes: Some(text.clone()), ..Extent::default() },
        ] {
            covered(&extent);
        }
    }
}
