//! The history, and how the polling goes.

use crate::ask;

const HISTORY: &str = r#"{"items":[
    {"board":"40000001","board_name":"db-01","rack":"rack_8","device":"0030","device_name":"inlet","kind":"temperature",
     "quantity":"temperature","unit":"°C","points":[["2026-05-01T12:00:00Z",21.0,20.0,22.0,3],["2026-05-01T12:30:00Z",24.04,24.0,25.5,1]]},
    {"board":"00000011","board_name":"web","rack":"rack_7","device":"0100","device_name":null,"kind":"power",
     "quantity":"power","unit":"W","points":[]}],
    "from":"2026-05-01T12:00:00Z","to":"2026-05-01T13:00:00Z","step_s":1800.0}"#;
const POLLS: &str = r#"{"items":[
    {"board":"40000001","board_name":"db-01","rack":"rack_8","state":"waiting","interval_s":30.0,"values":7,"unsupported":0,
     "due_s":12.0305,"late_s":0.0,"took_s":0.25,"answered_at":"2026-05-01T12:00:00Z","rounds":3,"skipped":0,"failed":0,"failures":[]},
    {"board":"40000002","board_name":"db-02","rack":"rack_8","state":"failing","interval_s":30.0,"values":7,"unsupported":0,
     "due_s":-2.0,"late_s":1.5,"took_s":null,"answered_at":null,"rounds":3,"skipped":1,"failed":7,
     "failures":[{"device":"0030","device_name":"inlet","code":"unreachable","message":"it does not answer"}]}],
    "counts":{"failing":1,"late":0,"partial":0,"pending":0,"running":0,"waiting":1}}"#;

#[test]
fn a_series_is_a_line_with_a_chart() {
    let (line, run) = ask(&["history", "db", "--from", "-1h", "--quantity", "power"], ("200 OK", HISTORY));
    assert_eq!(line, "GET /opendcre/2/history?nodes=db&quantity=power&from=-1h&to=now");
    assert_eq!((run.exit, run.err.as_str()), (0, ""));
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(lines[0], "BOARD  DEVICE  QUANTITY     MIN    AVG       MAX      LAST      CHART");
    assert!(
        lines[1].starts_with("db-01  inlet   temperature  20 °C  21.76 °C  25.5 °C  24.04 °C  ▁"),
        "{}",
        lines[1]
    );
    assert!(lines[1].ends_with('█'), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_history_can_be_taken_as_it_is() {
    let (_, run) = ask(&["history", "db", "-o", "json"], ("200 OK", HISTORY));
    assert_eq!(run.out.lines().count(), 2);
    let (line, run) = ask(&["history", "db", "--step", "5m", "--csv"], ("200 OK", "time,rack\r\n"));
    assert_eq!(line, "GET /opendcre/2/history?nodes=db&from=-1h&to=now&step=5m&format=csv");
    assert_eq!(run.out, "time,rack\r\n");
    let nothing = r#"{"items":[],"from":"2026-05-01T12:00:00Z","to":"2026-05-01T13:00:00Z","step_s":15.0}"#;
    let (_, run) = ask(&["history", "db"], ("200 OK", nothing));
    assert_eq!(
        (run.exit, run.out.as_str(), run.err.as_str()),
        (0, "", "note: nothing was measured from 2026-05-01T12:00:00Z to 2026-05-01T13:00:00Z\n")
    );
}

#[test]
fn polls_say_what_is_due_and_why_something_fails() {
    let (line, run) = ask(&["poll", "status"], ("200 OK", POLLS));
    assert_eq!(line, "GET /opendcre/2/polls");
    insta::assert_snapshot!(run.out, @"
    BOARD  STATE    EVERY  DUE   LATE   TOOK    ANSWERED              VALUES  FAILED  CODE         MESSAGE
    db-01  waiting  30 s   12 s  0 s    0.25 s  2026-05-01T12:00:00Z  7       0       -            -
    db-02  failing  30 s   -2 s  1.5 s  -       -                     7       7       unreachable  it does not answer
    ");
    assert_eq!(run.err, "note: 1 failing, 1 waiting\n");
    let (_, run) = ask(&["poll", "status", "db", "--failing", "-o", "json"], ("200 OK", POLLS));
    assert_eq!((run.out.lines().count(), run.out.contains("db-02")), (1, true));
    let (_, run) = ask(&["poll", "status", "--late", "-o", "json"], ("200 OK", POLLS));
    assert_eq!(run.out, "");
    let fine = POLLS.replace("\"failed\":7", "\"failed\":0");
    let (_, run) = ask(&["poll", "status"], ("200 OK", fine.leak()));
    assert!(run.out.lines().all(|line| line.len() < 80), "{}", run.out);
    assert!(run.out.lines().next().unwrap().ends_with("VALUES"), "{}", run.out);
}
