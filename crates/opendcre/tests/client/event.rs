//! Events, printed and followed.

use std::process::Stdio;

use crate::{Answer, Run, Server, opendcre};

const PAGE: &str = r#"{"items":[{"sequence":7,"time":"2026-05-01T12:00:00.5Z","kind":"board_missing","severity":"warning",
    "rack":"rack_8","board":"40000001","name":"db-01","device":null,"message":"it does not answer","detail":{}}],
    "cursor":7,"latest":7,"oldest":1,"missed":0}"#;
const FIRST: &str = r#"{"items":[],"cursor":3,"latest":9,"oldest":3,"missed":2}"#;
const STREAM: &str = "retry: 3000\nid: 7\n\nevent: missed\ndata: {\"missed\":4}\n\nid: 12\nevent: loss\ndata: {\"sequence\":12,\
    \"time\":\"2026-05-01T12:00:01Z\",\"severity\":\"critical\",\"rack\":null,\"name\":null,\"message\":\"too \\u001b many\"}\n\n\
    : nothing new\nid: 15\n\n\
    event: unresolved\ndata: {\"code\":\"unknown_name\",\"message\":\"there is no db-02\"}\n\n\
    event: end\ndata: {\"code\":\"shutting_down\",\"message\":\"the service stops\"}\n\n";

/// `events` with these options, against a server that answers like this.
fn events(options: &[&str], answers: &[Answer]) -> (Vec<String>, Run) {
    let (seen, run) = Server::attend(answers, |address| {
        let mut command = opendcre(&[&["events", "--server", address], options].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    (seen.into_iter().map(|seen| seen.line).collect(), run)
}

#[test]
fn an_event_is_a_line() {
    let (lines, run) = events(&["db", "--kind", "loss", "--kind", "action"], &[Answer::With("200 OK", PAGE)]);
    assert_eq!(lines, ["GET /opendcre/2/events?nodes=db&kinds=loss%2Caction&limit=100"]);
    assert_eq!((run.exit, run.err.as_str()), (0, ""));
    assert_eq!(run.out, "2026-05-01T12:00:00Z  warning   rack_8/db-01  it does not answer\n");
    let (_, run) = events(&["-o", "json"], &[Answer::With("200 OK", PAGE)]);
    assert!(run.out.starts_with(r#"{"sequence":7,"time":"2026-05-01T12:00:00.5Z","#), "{}", run.out);
}

#[test]
fn everything_since_a_moment_comes_page_by_page() {
    let (lines, run) =
        events(&["--since", "2h"], &[Answer::With("200 OK", FIRST), Answer::With("200 OK", PAGE)]);
    assert_eq!(
        lines,
        ["GET /opendcre/2/events?limit=1000&from=-7200000ms", "GET /opendcre/2/events?limit=1000&after=3"]
    );
    assert_eq!(run.err, "note: 2 events are not kept any more that happened before the next one\n");
    assert_eq!(run.out.lines().count(), 1);
    let (lines, _) = events(&["--since", "6", "-n", "5"], &[Answer::With("200 OK", PAGE)]);
    assert_eq!(lines, ["GET /opendcre/2/events?limit=5&after=6"]);
}

#[test]
fn who_follows_is_told_what_happens_and_what_is_missing_over_an_end_of_the_stream() {
    let (lines, run) = events(
        &["--follow"],
        &[Answer::With("200 OK", PAGE), Answer::With("200 OK", STREAM), Answer::Interrupt],
    );
    let listening = "GET /opendcre/2/events";
    assert_eq!(lines, ["GET /opendcre/2/events?limit=10", listening, listening]);
    assert_eq!(run.exit, 0, "{}", run.err);
    let place = "-".to_owned() + &" ".repeat("rack_8/db-01".len() - 1);
    let second = format!("2026-05-01T12:00:01Z  critical  {place}  too \\u{{1b}} many");
    assert_eq!(run.out.lines().nth(1).unwrap(), second);
    assert_eq!(
        run.err,
        "note: 4 events are not kept any more that happened before the next one\n\
         note: there is no db-02; going on with the boards that were meant until now\n\
         note: the service stops; asking again\n"
    );
}

#[test]
fn who_may_not_listen_any_more_is_told_so() {
    let refused = r#"{"detail":"log in","code":"unauthenticated"}"#;
    let (_, run) =
        events(&["--follow"], &[Answer::With("200 OK", PAGE), Answer::With("401 Unauthorized", refused)]);
    assert_eq!(run.exit, 5, "{}", run.err);
}
