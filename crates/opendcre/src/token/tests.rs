//! Tokens as whoever makes them sees them.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;

use clap::Parser;
use opendcre_auth::token::PREFIX;
use tempfile::TempDir;

use super::*;
use crate::cli::{Cli, Command};

/// A clock that stands.
struct Clock(i64);

impl WallClock for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + self.0).unwrap()
    }
}

/// A folder with a configuration.
struct Room {
    folder: TempDir,
}

/// What a command has printed.
#[derive(Debug)]
struct Printed {
    out: String,
    err: String,
}

impl Room {
    fn new() -> Self {
        let room = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(room.path("state")).unwrap();
        let state = room.path("state");
        let text = format!(
            "[state]\ndirectory = {state:?}\n[[auth.role]]\nname = 'night-shift'\nverbs = ['read', 'control']\n"
        );
        std::fs::write(room.path("opendcre.toml"), text).unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tokens(&self) -> PathBuf {
        self.path("state/tokens.db")
    }

    fn run_at(&self, seconds: i64, words: &str) -> Result<Printed, String> {
        let config = self.path("opendcre.toml");
        let place =
            if words.contains("--file") { String::new() } else { format!(" --config {}", config.display()) };
        let line = format!("opendcre {words}{place}");
        let cli = Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())?;
        let Command::Token(args) = cli.command else { panic!("{line}") };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        run(&args.command, cli.client.output, &Clock(seconds), &mut out, &mut err)
            .map_err(|error| format!("{error:#}"))?;
        Ok(Printed { out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() })
    }

    fn run(&self, words: &str) -> Result<Printed, String> {
        self.run_at(0, words)
    }
}

#[test]
fn a_token_is_shown_once_and_what_it_may_do_beside_it() {
    let room = Room::new();
    let made = room
        .run("token create ci --role operator --role viewer --racks rack_1*,rack_2 --devices power --labels role=db")
        .unwrap();
    let token = made.out.strip_suffix('\n').unwrap();
    assert!(token.starts_with(PREFIX) && token.len() == 49, "{token}");
    let extent = "in racks rack_1*,rack_2, devices power, labels role=db";
    for expected in [
        "token ci (",
        "ends on 2027-04-15T08:00:00Z",
        &format!("  operator {extent}\n"),
        &format!("  viewer {extent}\n"),
    ] {
        assert!(made.err.contains(expected), "{expected}: {}", made.err);
    }
    assert!(!made.err.contains(token));
    for words in ["token list", "-o json token list"] {
        let listed = room.run(words).unwrap();
        assert!(listed.out.contains("ci") && !listed.out.contains(&token[6..]), "{}", listed.out);
    }
}

#[test]
fn a_list_says_what_is_valid_and_all_of_it_what_was() {
    let room = Room::new();
    room.run("token create short --role viewer --expires 1h").unwrap();
    room.run("token create endless --role night-shift --nodes -db-07 --expires never").unwrap();
    room.run("token create gone --role admin").unwrap();
    let revoked = room.run("token revoke gone").unwrap();
    assert!(
        revoked.err.starts_with("token gone (") && revoked.err.ends_with("is revoked\n"),
        "{}",
        revoked.err
    );
    let lines = |words: &str| -> Vec<String> {
        let printed = room.run_at(7_200, words).unwrap();
        printed
            .out
            .lines()
            .map(|line| line.split_whitespace().take(4).collect::<Vec<_>>().join(" "))
            .collect()
    };
    let valid = lines("token list");
    assert_eq!(valid[0], "NAME ID STATE EXPIRES");
    assert!(
        valid.len() == 2 && valid[1].starts_with("endless ") && valid[1].ends_with("valid never"),
        "{valid:?}"
    );
    let states: Vec<String> = lines("token list --all")[1..]
        .iter()
        .map(|line| format!("{} {}", line.split(' ').next().unwrap(), line.split(' ').nth(2).unwrap()))
        .collect();
    assert_eq!(states, ["endless valid", "gone revoked", "short expired"]);
}

#[test]
fn programs_get_one_object_for_each_token() {
    let room = Room::new();
    let made = room.run("-o json token create ci --role viewer").unwrap();
    let made: serde_json::Value = serde_json::from_str(&made.out).unwrap();
    assert!(made["token"].as_str().unwrap().starts_with(PREFIX));
    let listed = room.run("-o json token list").unwrap();
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed["id"], made["id"]);
    assert_eq!(listed["state"], "valid");
    assert_eq!(listed["grants"], serde_json::json!([{"role": "viewer"}]));
    assert_eq!((&listed["token"], &listed["hash"]), (&serde_json::Value::Null, &serde_json::Value::Null));
}

#[test]
fn what_cannot_be_is_said_and_nothing_is_made() {
    let room = Room::new();
    for (words, expected) in [
        (
            "token create ci --role oparator",
            "there is no role \"oparator\"; use admin, auditor, night-shift, ",
        ),
        ("token create ci", "--role"),
        ("token create a/b --role viewer", "a name is"),
        ("token create ci --role viewer --expires soon", "such as 12h"),
        ("token create ci --role viewer --nodes db-[", "db-["),
        ("token create ci --role viewer --labels x", "KEY=VALUE"),
        ("token revoke nobody", "no valid token"),
        ("token list --file x --config y", "cannot be used with"),
    ] {
        let error = room.run(words).unwrap_err();
        assert!(error.contains(expected), "{words}: {error}");
    }
    assert_eq!(room.run("token list --all").unwrap().out.lines().count(), 1);
    room.run("token create ci --role viewer").unwrap();
    assert!(
        room.run("token create ci --role viewer").unwrap_err().contains("there is a token \"ci\" already")
    );
}

#[test]
fn a_missing_place_is_named() {
    let room = Room::new();
    std::fs::remove_dir(room.path("state")).unwrap();
    let error = room.run("token list").unwrap_err();
    assert!(error.contains("state is missing; make it"), "{error}");
    let other = room.path("other.db");
    let place = format!("--file {}", other.display());
    room.run(&format!("token create ci --role anything {place}")).unwrap();
    assert!(room.run(&format!("token list {place}")).unwrap().out.contains("anything everywhere"));
}

#[test]
fn what_root_makes_belongs_to_the_service() {
    const SERVICE: u32 = 65_534;
    if !getuid().is_root() {
        return;
    }
    let room = Room::new();
    chown(room.path("state"), Some(SERVICE), Some(SERVICE)).unwrap();
    let _held = TokenStore::open(room.tokens()).unwrap();
    room.run("token create ci --role viewer").unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let path = room.path(&format!("state/tokens.db{suffix}"));
        let metadata = path.metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (SERVICE, SERVICE), "{path:?}");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{path:?}");
    }
}
