//! The arrows between the rooms, as ARCHITECTURE.md draws them.
//!
//! A crate may use only the crates of the workspace that its line allows, and none of the outside crates that its line
//! forbids. Tests may use whatever they like: dev-dependencies are not looked at.

use std::collections::BTreeSet;

use crate::cargo;

/// What a crate may use of the workspace, and what it must not use of the outside.
struct Room {
    name: &'static str,
    may_use: &'static [&'static str],
    never: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room { name: "opendcre-model", may_use: &[], never: &[] },
    Room { name: "opendcre-devicebus", may_use: &["opendcre-model"], never: &[] },
    Room { name: "opendcre-ipmi", may_use: &[], never: &[] },
    Room {
        name: "opendcre-drivers",
        may_use: &["opendcre-devicebus", "opendcre-ipmi", "opendcre-model"],
        never: &["axum", "hyper", "rusqlite", "tower-http"],
    },
    Room {
        name: "opendcre-emulator",
        may_use: &["opendcre-devicebus", "opendcre-ipmi", "opendcre-model"],
        never: &["axum", "hyper", "reqwest", "rusqlite", "tower-http"],
    },
    Room {
        name: "opendcre-gateway",
        may_use: &["opendcre-model"],
        never: &["axum", "hyper", "reqwest", "serial2-tokio", "tower-http"],
    },
    Room {
        name: "opendcre-auth",
        may_use: &["opendcre-model"],
        never: &["axum", "hyper", "serial2-tokio", "tower-http"],
    },
    Room {
        name: "opendcre-api",
        may_use: &["opendcre-auth", "opendcre-gateway", "opendcre-model"],
        never: &["rusqlite", "serial2-tokio"],
    },
    Room {
        name: "opendcre-publish",
        may_use: &["opendcre-gateway", "opendcre-model"],
        never: &["axum", "hyper", "rusqlite", "serial2-tokio", "tower-http"],
    },
    Room {
        name: "opendcre",
        may_use: &[
            "opendcre-api",
            "opendcre-auth",
            "opendcre-devicebus",
            "opendcre-drivers",
            "opendcre-emulator",
            "opendcre-gateway",
            "opendcre-ipmi",
            "opendcre-model",
            "opendcre-publish",
        ],
        never: &["axum", "hyper", "rusqlite"],
    },
];

/// Without I/O: whatever these crates use, directly or through others, must not bring any of [`IO`] along.
const PURE: &[&str] = &["opendcre-model", "opendcre-devicebus", "opendcre-ipmi"];

const IO: &[&str] = &["axum", "mio", "rusqlite", "rustix", "serial2", "socket2", "tokio"];

/// Chores and tests: they may use all of the product, which uses nothing of them.
const WORKSHOP: &[&str] = &["opendcre-fuzz-targets", "xtask"];

#[test]
fn a_room_uses_only_what_it_may() {
    let members = cargo::members();
    for room in ROOMS {
        let allowed = BTreeSet::from_iter(room.may_use.iter().map(|name| (*name).to_owned()));
        let used = cargo::direct_dependencies(room.name);
        let inside: BTreeSet<_> = used.intersection(&members).cloned().collect();
        let trespassing: Vec<_> = inside.difference(&allowed).collect();
        assert!(trespassing.is_empty(), "{} must not use {trespassing:?}", room.name);
        assert_none(room.name, &used, room.never);
    }
}

#[test]
fn what_does_no_io_brings_none_along() {
    for name in PURE {
        assert_none(name, &cargo::all_dependencies(name), IO);
    }
}

#[test]
fn every_crate_has_a_room() {
    let rooms = ROOMS.iter().map(|room| &room.name).chain(WORKSHOP);
    let rooms = BTreeSet::from_iter(rooms.map(|name| (*name).to_owned()));
    assert_eq!(cargo::members(), rooms, "put the crate into the table of this file");
}

fn assert_none(name: &str, used: &BTreeSet<String>, forbidden: &[&str]) {
    for crate_name in forbidden {
        assert!(!used.contains(*crate_name), "{name} must not use {crate_name}");
    }
}
