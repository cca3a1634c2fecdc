//! The client commands for many boards, against the demo: ranges, folding, partial answers, refusals, and questions to a
//! person on a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use crate::demo::Demo;
use crate::support::PRODUCT;

/// How a command ended, and what it printed.
struct Run {
    exit: i32,
    out: String,
    err: String,
}

/// A command to the demo, its words separated by blanks.
fn command(demo: &Demo, line: &str) -> Command {
    let mut command = Command::new(PRODUCT);
    command.args(["--server", &demo.root]).args(line.split(' ')).env_remove("OPENDCRE_ASK_ABOVE");
    command
}

fn run(demo: &Demo, line: &str) -> Run {
    let output = command(demo, line).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { exit: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// What a command prints that succeeds.
fn printed(demo: &Demo, line: &str) -> String {
    let run = run(demo, line);
    assert_eq!((run.exit, run.err.as_str()), (0, ""), "{line}");
    run.out
}

fn lines_of_json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs a command on a terminal at which somebody has already typed `reply`. What the terminal shows is its `err`.
fn run_on_terminal(demo: &Demo, line: &str, reply: &str) -> Run {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap();
    let open = || rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let mut master = File::from(master);
    let mut child = command(demo, line);
    child.stdin(open()).stderr(open()).stdout(Stdio::piped());
    master.write_all(reply.as_bytes()).unwrap();
    let output = child.output().unwrap();
    // What a terminal has shown ends when nobody has it open any more.
    drop(child);
    let (mut shown, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(length @ 1..) = master.read(&mut buffer) {
        shown.extend(&buffer[..length]);
    }
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { exit: output.status.code().unwrap(), out: text(output.stdout), err: text(shown) }
}

#[test]
fn a_range_is_read_and_switched_as_one_and_equal_answers_share_a_line() {
    let demo = Demo::start();
    assert_eq!(printed(&demo, "expand web,-web-02 --fold"), "web-[01,03-04]\n");
    assert_eq!(printed(&demo, "expand web@rack_7 --fold"), "web-[01-04]\n");
    assert_eq!(printed(&demo, "expand db-[01-02]"), "db-01\ndb-02\n");

    let switched = printed(&demo, "power off db-[01-02],spare --yes");
    assert_eq!(switched, "BOARD             DEVICE  STATE  RESULT\ndb-[01-02],spare  0100    ok     off\n");
    assert_eq!(
        printed(&demo, "power status db-[01-02],spare,build-01"),
        "BOARD             POWER\ndb-[01-02],spare  off\nbuild-01          on\n"
    );
    let unfolded = printed(&demo, "power status db-[01-02] --no-fold");
    assert_eq!(unfolded, "BOARD  POWER\ndb-01  off\ndb-02  off\n");
    assert!(printed(&demo, "power status db-01").contains("power_state  off\n"));

    let jobs = lines_of_json(&printed(&demo, "jobs -o json"));
    assert_eq!((jobs.len(), &jobs[0]["counts"]["ok"]), (1, &Value::from(3)));
    let id = jobs[0]["id"].as_str().unwrap();
    assert!(printed(&demo, &format!("jobs {id}")).contains("state             done\n"));
}

#[test]
fn programs_get_a_line_of_json_for_each_item() {
    let demo = Demo::start();
    let boards = lines_of_json(&printed(&demo, "-o json list web"));
    let names: Vec<&str> = boards.iter().map(|board| board["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["web-01", "web-02", "web-03", "web-04"]);
    let readings = lines_of_json(&printed(&demo, "-o json read web-01 --kind thermistor --max-age 0s"));
    assert_eq!(readings.len(), 2);
    assert_eq!((&readings[0]["board_name"], &readings[0]["device"]), (&"web-01".into(), &"01ff".into()));
    let results = lines_of_json(&printed(&demo, "-o json power on web-[03-04] --yes"));
    assert!(results.iter().all(|result| result["state"] == "ok" && result["result"]["power_state"] == "on"));
    assert_eq!(results.len(), 2);
}

#[test]
fn what_cannot_be_answered_is_told_beside_what_can() {
    let demo = Demo::start();
    let run = run(&demo, "boot get web-[02-04]");
    assert_eq!(run.exit, 1);
    assert_eq!(
        run.out,
        "BOARD        TARGET       PERSISTENT  EFI\nweb-[03-04]  no_override  false       false\n"
    );
    assert!(run.err.starts_with("error: web-02: ") && run.err.ends_with(" (unsupported)\n"), "{}", run.err);
}

#[test]
fn wrong_ranges_are_marked_and_nothing_is_changed() {
    let demo = Demo::start();
    let marked = run(&demo, "power off web,node[01- --yes");
    assert_eq!((marked.exit, marked.out.as_str()), (2, ""));
    assert!(marked.err.contains(" (bad_range, HTTP 422)\n  web,node[01-\n          ^\n"), "{}", marked.err);
    let unknown = run(&demo, "read web-01,nobody");
    assert_eq!((unknown.exit, unknown.out.as_str()), (2, ""));
    assert!(unknown.err.contains(" (unknown_name, HTTP "), "{}", unknown.err);
    assert!(unknown.err.ends_with("\n  web-01,nobody\n         ^\n"), "{}", unknown.err);
    let unable = run(&demo, "boot set web pxe --yes");
    assert_eq!((unable.exit, unable.out.as_str()), (2, ""), "{}", unable.err);

    let refused = run(&demo, "power off web");
    assert_eq!((refused.exit, refused.out.as_str()), (2, ""));
    assert!(
        refused.err.contains("switch power off on 4 boards: web-[01-04]; nothing was changed"),
        "{}",
        refused.err
    );
    assert_eq!(printed(&demo, "jobs -o json"), "");
    assert_eq!(run(&demo, "power status web-01").exit, 0);
}

#[test]
fn a_person_on_a_terminal_is_asked() {
    let demo = Demo::start();
    let question = "switch power off on 2 boards: db-[01-02]? [y/N] ";
    let declined = run_on_terminal(&demo, "power off db-[01-02]", "n\n");
    assert_eq!((declined.exit, declined.out.as_str()), (1, ""));
    assert!(
        declined.err.contains(question) && declined.err.contains("nothing was changed"),
        "{}",
        declined.err
    );

    let confirmed = run_on_terminal(&demo, "power off db-[01-02]", "y\n");
    assert_eq!(confirmed.exit, 0, "{}", confirmed.err);
    assert!(confirmed.err.contains(question), "{}", confirmed.err);
    assert_eq!(confirmed.out, "BOARD       DEVICE  STATE  RESULT\ndb-[01-02]  0100    ok     off\n");

    let one = run_on_terminal(&demo, "power on db-01", "n\n");
    assert_eq!(one.exit, 0, "one board is no reason to ask");
}

#[test]
fn the_feed_of_changes_and_a_scan_tell_the_same_boards() {
    let demo = Demo::start();
    let boards = lines_of_json(&printed(&demo, "-o json scan"));
    assert_eq!(boards.len(), 11);
    let changes = lines_of_json(&printed(&demo, "-o json changes"));
    let appeared = changes.iter().filter(|change| change["kind"] == "appeared").count();
    assert_eq!(appeared, boards.len());
    let last = changes.last().unwrap()["sequence"].to_string();
    assert_eq!(printed(&demo, &format!("changes --after {last}")).lines().count(), 1, "the header");
}
