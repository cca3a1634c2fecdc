//! Forgetting boards that have left.

use std::process::Stdio;

use crate::{Answer, ONE_BOARD, Server, THREE_BOARDS, ask, opendcre, run};

/// What is known of a board when it is forgotten.
const FORGOTTEN: &str = r#"{"id":"40000001","name":"db-01","rack":"rack_8","state":"missing","last_seen":"2026-11-01T10:00:00Z"}"#;
const NOT_MISSING: &str =
    r#"{"detail":"board 40000002 (db-02, rack_8) is not missing but present","code":"not_missing"}"#;

#[test]
fn boards_are_forgotten_one_by_one() {
    let answers = [
        ("200 OK", THREE_BOARDS),
        ("200 OK", FORGOTTEN),
        ("409 Conflict", NOT_MISSING),
        ("200 OK", FORGOTTEN),
    ];
    let server = Server::start(&answers);
    let run = run(&["--server", &server.address, "forget", "db", "--yes"]);
    assert_eq!(
        server.lines(),
        [
            "GET /opendcre/2/boards?nodes=db&limit=0&fields=id%2Cname",
            "DELETE /opendcre/2/boards/40000001",
            "DELETE /opendcre/2/boards/40000002",
            "DELETE /opendcre/2/boards/40000005",
        ]
    );
    assert_eq!(run.exit, 1);
    let first = run.out.lines().nth(1).unwrap();
    assert_eq!(
        first.split_whitespace().collect::<Vec<_>>(),
        ["40000001", "db-01", "rack_8", "2026-11-01T10:00:00Z"]
    );
    assert_eq!(
        run.err,
        "error: db-02: board 40000002 (db-02, rack_8) is not missing but present (not_missing)\n"
    );
}

#[test]
fn many_boards_are_not_forgotten_without_a_yes() {
    let (request, run) = ask(&["forget", "db"], ("200 OK", THREE_BOARDS));
    assert_eq!((request.as_str(), run.exit), ("GET /opendcre/2/boards?nodes=db&limit=0&fields=id%2Cname", 2));
    assert!(
        run.err.contains("this would forget 3 boards: db-[01-02,05]; nothing was changed"),
        "{}",
        run.err
    );
}

#[test]
fn a_forgotten_board_is_shown_to_programs_as_it_was() {
    let server = Server::start(&[("200 OK", ONE_BOARD), ("200 OK", FORGOTTEN)]);
    let run = run(&["--server", &server.address, "-o", "json", "forget", "db-01"]);
    assert_eq!((run.exit, run.err.as_str(), run.out.as_str()), (0, "", format!("{FORGOTTEN}\n").as_str()));
    server.requests();
}

#[test]
fn a_server_that_goes_away_is_not_asked_for_the_rest() {
    let answers = [Answer::With("200 OK", THREE_BOARDS), Answer::With("200 OK", FORGOTTEN), Answer::HangUp];
    let (seen, run) = Server::attend(&answers, |address| {
        let mut command = opendcre(&["--server", address, "forget", "db", "--yes"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    assert_eq!((seen.len(), run.exit), (3, 3));
    assert!(run.out.contains("db-01") && run.err.contains("was lost"), "{}{}", run.out, run.err);
}
