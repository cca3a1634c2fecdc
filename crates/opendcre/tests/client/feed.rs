//! The feed of changes, printed and followed.

use std::process::Stdio;

use crate::{Answer, Run, Server, opendcre};

const CHANGE: &str = r#"{"items":[{"sequence":7,"time":"2026-05-01T12:00:00.5Z","kind":"vanished","board":"40000001",
    "name":"db-01","rack":"rack_8","detail":"it does not answer"}],"latest":7,"oldest":1}"#;
const NO_CHANGE: &str = r#"{"items":[],"latest":9,"oldest":8}"#;
const GONE: &str = r#"{"detail":"the changes after this one are not kept any more","code":"gone_cursor"}"#;

/// `changes` with these options, against a server that answers like this.
fn changes(options: &[&str], answers: &[Answer]) -> (Vec<String>, Run) {
    let (seen, run) = Server::attend(answers, |address| {
        let mut command = opendcre(&[&["changes", "--server", address], options].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    (seen.into_iter().map(|seen| seen.line).collect(), run)
}

#[test]
fn changes_stand_below_each_other() {
    let (_, run) = changes(&[], &[Answer::With("200 OK", CHANGE), Answer::With("200 OK", NO_CHANGE)]);
    assert_eq!((run.exit, run.err.as_str()), (0, ""));
    insta::assert_snapshot!(run.out, @"
    NUMBER  TIME                  KIND       BOARD     NAME          RACK      DETAIL
    7       2026-05-01T12:00:00Z  vanished   40000001  db-01         rack_8    it does not answer
    ");
}

#[test]
fn who_follows_outlasts_a_server_that_goes_away_and_goes_on_from_the_last_number() {
    let (lines, run) = changes(
        &["--follow"],
        &[
            Answer::With("200 OK", CHANGE),
            Answer::HangUp,
            Answer::With("200 OK", NO_CHANGE),
            Answer::Interrupt,
        ],
    );
    assert_eq!(
        lines,
        [
            "GET /opendcre/2/changes?limit=1000&wait=0",
            "GET /opendcre/2/changes?limit=1000&after=7&wait=20",
            "GET /opendcre/2/changes?limit=1000&after=7&wait=0",
            "GET /opendcre/2/changes?limit=1000&after=7&wait=20",
        ]
    );
    assert_eq!((run.exit, run.out.lines().count(), run.err.lines().count()), (0, 2, 1), "{}", run.err);
    assert!(run.err.ends_with("; asking again until it answers\n"), "{}", run.err);
}

#[test]
fn who_follows_goes_on_from_the_latest_where_something_is_forgotten() {
    let (lines, run) = changes(
        &["--follow", "--after", "3"],
        &[Answer::With("410 Gone", GONE), Answer::With("200 OK", NO_CHANGE), Answer::Interrupt],
    );
    assert_eq!(
        lines[1..],
        ["GET /opendcre/2/changes?limit=1", "GET /opendcre/2/changes?limit=1000&after=9&wait=20",]
    );
    assert_eq!(run.exit, 0);
    assert_eq!(run.err, "error: the changes after this one are not kept any more (gone_cursor, HTTP 410)\n");
    let (_, run) = changes(&["--after", "3"], &[Answer::With("410 Gone", GONE)]);
    assert_eq!(run.exit, 1);
}
