//! Orders: what is sent once it is confirmed, how its end is awaited, and what is told of it.

use super::*;

const RUNNING: &str = r#"{"id":"01","kind":"power","state":"running","counts":{"total":3,"waiting":1,"running":1,"ok":1,
    "failed":0,"skipped":0,"uncertain":0},"results":[
    {"board":"40000001","board_name":"db-01","device":"0100","state":"ok","result":{"power_state":"off"}},
    {"board":"40000002","board_name":"db-02","device":"0100","state":"running"},
    {"board":"40000005","board_name":"db-05","device":"0100","state":"waiting"}]}"#;
const UNCERTAIN: &str = r#"{"id":"01","kind":"power","state":"done","counts":{"total":3,"waiting":0,"running":0,"ok":1,
    "failed":1,"skipped":0,"uncertain":1},"results":[
    {"board":"40000001","board_name":"db-01","device":"0100","state":"ok","result":{"power_state":"off"}},
    {"board":"40000002","board_name":"db-02","device":"0100","state":"failed","code":"timeout","message":"it is silent"},
    {"board":"40000005","board_name":"db-05","device":"0100","state":"uncertain","code":"uncertain",
     "message":"the answer was lost"}]}"#;
const ABORTED: &str = r#"{"id":"01","kind":"power","state":"aborted","counts":{"total":3,"waiting":0,"running":0,"ok":2,
    "failed":0,"skipped":1,"uncertain":0},"results":[
    {"board":"40000001","board_name":"db-01","device":"0100","state":"ok"},
    {"board":"40000002","board_name":"db-02","device":"0100","state":"ok"},
    {"board":"40000005","board_name":"db-05","device":"0100","state":"skipped","code":"aborted","message":"not begun"}]}"#;

/// `power off` of three boards, against a server that answers the order and what follows like this.
fn power_off(answers: &[Answer]) -> (Vec<Seen>, Run) {
    let answers = [&[Answer::With("200 OK", THREE_BOARDS)], answers].concat();
    Server::attend(&answers, |address| {
        let mut command = opendcre(&["power", "off", "db", "--yes", "--server", address]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    })
}

#[test]
fn an_order_names_exactly_the_boards_that_were_shown_and_is_followed_to_its_end() {
    let (seen, run) = power_off(&[
        Answer::With("202 Accepted", RUNNING),
        Answer::With("200 OK", RUNNING),
        Answer::With("200 OK", DONE),
        Answer::With("200 OK", DONE),
    ]);
    let lines: Vec<&str> = seen.iter().map(|seen| seen.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "GET /opendcre/2/boards?nodes=db&limit=0&fields=id%2Cname",
            "POST /opendcre/2/power?wait=0",
            "GET /opendcre/2/jobs/01?results=false&wait=20",
            "GET /opendcre/2/jobs/01?results=false&wait=20",
            "GET /opendcre/2/jobs/01",
        ]
    );
    assert_eq!(seen[1].body, r#"{"action":"off","nodes":"40000001-40000002,40000005"}"#);
    assert_eq!((run.exit, run.err.as_str()), (0, ""));
    insta::assert_snapshot!(run.out, @"
    BOARD       DEVICE  STATE  RESULT
    db-[01-02]  0100    ok     off
    db-05       0100    ok     -
    ");
}

#[test]
fn what_failed_is_told_beside_what_did_not_and_what_is_uncertain_counts_most() {
    let (_, run) = power_off(&[Answer::With("200 OK", UNCERTAIN)]);
    assert_eq!(run.exit, 6);
    insta::assert_snapshot!(run.out, @"
    BOARD  DEVICE  STATE  RESULT
    db-01  0100    ok     off
    ");
    insta::assert_snapshot!(run.err, @"
    error: db-02 0100: it is silent (timeout)
    error: db-05 0100: the answer was lost (uncertain)
    ");
}

#[test]
fn a_lost_connection_asks_for_the_same_order_again() {
    let (seen, run) = power_off(&[Answer::HangUp, Answer::With("200 OK", DONE)]);
    assert_eq!(run.exit, 0, "{}", run.err);
    assert!(
        run.err.contains("sent again under the same key, so it is carried out once (attempt 2 of 5)"),
        "{}",
        run.err
    );
    assert!(seen[1].key.is_some());
    assert_eq!((&seen[1].key, &seen[1].body), (&seen[2].key, &seen[2].body));
}

#[test]
fn an_interrupt_aborts_what_has_not_begun_and_tells_what_is_known() {
    let (seen, run) = power_off(&[
        Answer::With("202 Accepted", RUNNING),
        Answer::Interrupt,
        Answer::With("200 OK", ABORTED),
    ]);
    assert_eq!((run.exit, seen[3].line.as_str()), (130, "POST /opendcre/2/jobs/01/abort"));
    insta::assert_snapshot!(run.out, @"
    BOARD       DEVICE  STATE  RESULT
    db-[01-02]  0100    ok     -
    ");
    insta::assert_snapshot!(run.err, @"
    note: interrupted; job 01 has ended
    error: db-05 0100: not begun (aborted)
    ");
}

#[test]
fn an_interrupt_before_the_answer_says_where_to_look() {
    let (_, run) = power_off(&[Answer::Interrupt]);
    assert_eq!((run.exit, run.out.as_str()), (130, ""));
    assert!(run.err.contains("`opendcre jobs`"), "{}", run.err);
}

#[test]
fn many_boards_are_not_changed_without_a_yes() {
    let server = Server::start(&[("200 OK", THREE_BOARDS)]);
    let run = run(&["power", "cycle", "db", "--server", &server.address]);
    assert_eq!((run.exit, run.out.as_str(), server.lines().len()), (2, "", 1));
    insta::assert_snapshot!(run.err, @"error: this would switch power off and on again on 3 boards: db-[01-02,05]; nothing was changed, repeat it with --yes if that is meant");
}

#[test]
fn how_many_boards_are_many_may_come_from_the_environment() {
    let (seen, run) =
        Server::attend(&[Answer::With("200 OK", THREE_BOARDS), Answer::With("200 OK", DONE)], |address| {
            let mut command = opendcre(&["power", "off", "db", "--server", address]);
            command
                .env("OPENDCRE_ASK_ABOVE", "3")
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        });
    assert_eq!((run.exit, seen.len()), (0, 2), "{}", run.err);
}
