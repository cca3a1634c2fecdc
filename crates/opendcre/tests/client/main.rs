//! Drives the client commands of the real binary against a server that plays back one answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod auth;
mod event;
mod feed;
mod forget;
mod history;
mod order;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

/// How a run of the client ended.
struct Run {
    exit: i32,
    out: String,
    err: String,
}

/// What a server saw of a request.
struct Seen {
    /// Its first line without the HTTP version.
    line: String,
    key: Option<String>,
    body: String,
}

/// What a server does with a request.
#[derive(Clone, Copy)]
enum Answer {
    /// It answers with this status line and body.
    With(&'static str, &'static str),
    /// It hangs up.
    HangUp,
    /// It interrupts the process with this id, as Ctrl-C does, and waits until that hangs up.
    Interrupt,
}

/// Attends to a request on a connection of its own for each of its answers, then goes away.
struct Server {
    address: String,
    requests: JoinHandle<Vec<Seen>>,
}

impl Server {
    fn start(answers: &[(&str, &str)]) -> Self {
        let answers: Vec<_> =
            answers.iter().map(|(status, body)| (status.to_string(), body.to_string())).collect();
        Self::serve(move |listener| {
            answers
                .iter()
                .map(|(status, body)| serve_one(listener, |stream| reply(stream, status, body)))
                .collect()
        })
    }

    /// Attends to the requests of `client`, whose arguments name the address of this server.
    fn attend(answers: &[Answer], client: impl FnOnce(&str) -> Child) -> (Vec<Seen>, Run) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let child = client(&listener.local_addr().unwrap().to_string());
        let id = child.id();
        let attend = |answer: &Answer| {
            serve_one(&listener, |stream| match answer {
                Answer::With(status, body) => reply(stream, status, body),
                Answer::HangUp => {}
                Answer::Interrupt => {
                    let status = Command::new("kill").args(["-s", "INT", &id.to_string()]).status().unwrap();
                    assert!(status.success());
                    stream.read_to_end(&mut Vec::new()).ok();
                }
            })
        };
        let seen = answers.iter().map(attend).collect();
        (seen, ended(child))
    }

    fn serve(serve: impl FnOnce(&TcpListener) -> Vec<Seen> + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self { address, requests: thread::spawn(move || serve(&listener)) }
    }

    fn requests(self) -> Vec<Seen> {
        self.requests.join().unwrap()
    }

    /// The first line of every request.
    fn lines(self) -> Vec<String> {
        self.requests().into_iter().map(|seen| seen.line).collect()
    }
}

fn reply(mut stream: &TcpStream, status: &str, body: &str) {
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).unwrap();
}

fn serve_one(listener: &TcpListener, answer: impl FnOnce(&mut &TcpStream)) -> Seen {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(&stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| lines.iter().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
    let length: usize = header("content-length:").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let seen = Seen {
        line: lines[0].strip_suffix(" HTTP/1.1").unwrap().to_owned(),
        key: header("idempotency-key:"),
        body: String::from_utf8(body).unwrap(),
    };
    answer(&mut &stream);
    seen
}

fn opendcre(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opendcre"));
    command.args(args).env_remove("OPENDCRE_SERVER").env_remove("OPENDCRE_ASK_ABOVE").stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Run {
    ended(opendcre(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn ended(child: Child) -> Run {
    let output = child.wait_with_output().unwrap();
    Run {
        exit: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the client against a server that answers `answer` once. Returns the request that it saw, too.
fn ask(args: &[&str], answer: (&str, &str)) -> (String, Run) {
    let server = Server::start(&[answer]);
    let run = run(&[&["--server", &server.address], args].concat());
    (server.lines().remove(0), run)
}

const ABOUT: (&str, &str) = ("200 OK", r#"{"name": "OpenDCRE"}"#);
const NOTHING: (&str, &str) = ("200 OK", r#"{"items":[],"failures":[],"next":null,"total":0}"#);
/// Two boards whose ids follow each other, and one more.
const THREE_BOARDS: &str = r#"{"items":[{"id":"40000001","name":"db-01"},{"id":"40000002","name":"db-02"},
    {"id":"40000005","name":"db-05"}],"next":null,"total":3}"#;
const ONE_BOARD: &str = r#"{"items":[{"id":"40000001","name":"db-01"}],"next":null,"total":1}"#;
const DONE: &str = r#"{"id":"01","kind":"power","state":"done","counts":{"total":3,"waiting":0,"running":0,"ok":3,
    "failed":0,"skipped":0,"uncertain":0},"results":[
    {"board":"40000001","board_name":"db-01","device":"0100","state":"ok","result":{"power_state":"off"}},
    {"board":"40000002","board_name":"db-02","device":"0100","state":"ok","result":{"power_state":"off"}},
    {"board":"40000005","board_name":"db-05","device":"0100","state":"ok"}]}"#;

#[test]
fn every_question_has_its_path() {
    for (line, requests) in [
        (
            "list",
            vec![
                "GET /opendcre/2/boards?limit=0&fields=id%2Cname%2Crack%2Cstate%2Csince%2Cfailure%2Cdevices",
            ],
        ),
        ("list db-[01-02] -o json", vec!["GET /opendcre/2/boards?nodes=db-%5B01-02%5D&limit=0"]),
        ("list db --state missing -o json", vec!["GET /opendcre/2/boards?nodes=db&limit=0&state=missing"]),
        ("read all", vec!["GET /opendcre/2/readings?nodes=all"]),
        (
            "read 10 --device 0x1FF --max-age 1m30s",
            vec!["GET /opendcre/2/readings?nodes=10&device=1FF&max_age=90000ms"],
        ),
        ("watch 10 --count 1", vec!["GET /opendcre/2/readings?nodes=10&max_age=0ms"]),
        ("power status 10 --device power", vec!["GET /opendcre/2/readings?nodes=10&device=power&max_age=0"]),
        ("led status 10", vec!["GET /opendcre/2/readings?nodes=10&max_age=0&kind=led"]),
        (
            "fan get 10",
            vec![
                "GET /opendcre/2/readings?nodes=10&max_age=0&kind=fan_speed",
                "GET /opendcre/2/readings?nodes=10&max_age=0&kind=vapor_fan",
            ],
        ),
        ("asset get 10", vec!["GET /opendcre/2/boards?nodes=10&limit=0&fields=id%2Cname"]),
        ("racks", vec!["GET /opendcre/2/racks?limit=0"]),
        ("groups", vec!["GET /opendcre/2/groups?limit=0"]),
        ("groups a/b", vec!["GET /opendcre/2/groups/a%2Fb"]),
        ("sources", vec!["GET /opendcre/2/sources?limit=0"]),
        ("sources db-[01-02]", vec!["GET /opendcre/2/sources?nodes=db-%5B01-02%5D&limit=0"]),
        ("bmcs", vec!["GET /opendcre/2/bmcs"]),
        ("bmcs rack_8", vec!["GET /opendcre/2/bmcs?nodes=rack_8"]),
        ("jobs", vec!["GET /opendcre/2/jobs?limit=0"]),
        ("changes --after 7", vec!["GET /opendcre/2/changes?limit=1000&after=7&wait=0"]),
        ("changes db --after 7", vec!["GET /opendcre/2/changes?limit=1000&nodes=db&after=7&wait=0"]),
        ("expand 10", vec!["GET /opendcre/2/boards?nodes=10&limit=0&fields=id%2Cname"]),
        ("version", vec!["GET /opendcre/2/about"]),
    ] {
        let server = Server::start(&vec![NOTHING; requests.len()]);
        let run =
            run(&[&["--server", &server.address], line.split(' ').collect::<Vec<_>>().as_slice()].concat());
        assert_eq!(
            (server.lines(), run.exit),
            (requests.iter().map(ToString::to_string).collect(), 0),
            "{line}"
        );
        assert_eq!(run.err, "", "{line}");
    }
}

#[test]
fn every_order_says_what_was_typed() {
    for (line, path, body) in [
        ("power soft a", "power", r#"{"action":"soft","nodes":"40000001"}"#),
        ("power DIAG a --device 0x0dff", "power", r#"{"action":"diag","device":"0dff","nodes":"40000001"}"#),
        ("asset set a text", "asset", r#"{"nodes":"40000001","text":"text"}"#),
        (
            "boot set a pxe --efi",
            "boot",
            r#"{"efi":true,"nodes":"40000001","persistent":false,"target":"pxe"}"#,
        ),
        ("led off a", "led", r#"{"nodes":"40000001","on":false}"#),
        (
            "led on a --color FF8800 --steady",
            "led",
            r#"{"blink":false,"color":"ff8800","nodes":"40000001","on":true}"#,
        ),
        ("fan set a 4000 --device x", "fan", r#"{"device":"x","nodes":"40000001","rpm":4000}"#),
        ("identify a", "identify", r#"{"nodes":"40000001","on":true}"#),
        ("identify a --seconds 7", "identify", r#"{"nodes":"40000001","seconds":7}"#),
        ("identify a --off", "identify", r#"{"nodes":"40000001","on":false}"#),
    ] {
        let server = Server::start(&[("200 OK", ONE_BOARD), ("200 OK", DONE)]);
        let run =
            run(&[&["--server", &server.address], line.split(' ').collect::<Vec<_>>().as_slice()].concat());
        let order = server.requests().remove(1);
        assert_eq!((run.exit, run.err.as_str()), (0, ""), "{line}");
        assert_eq!(order.line, format!("POST /opendcre/2/{path}?wait=0"), "{line}");
        assert_eq!(order.body, body, "{line}");
        assert!(order.key.unwrap().len() == 32, "{line}");
    }
}

#[test]
fn a_scan_asks_boards_and_lists_their_devices() {
    let boards = r#"{"items": [{"id": "00000001", "name": "web-01", "rack": "rack_1", "devices": [
        {"id": "01ff", "kind": "thermistor", "name": null}, {"id": "0dff", "kind": "power", "name": "power"}]},
        {"id": "40000001", "name": "db-01", "rack": "rack_8", "devices": []}], "next": null, "total": 2}"#;
    let server = Server::start(&[("200 OK", DONE), ("200 OK", boards)]);
    let run = run(&["scan", "--server", &server.address]);
    let seen = server.requests();
    assert_eq!((seen[0].line.as_str(), seen[0].body.as_str()), ("POST /opendcre/2/scan?wait=0", "{}"));
    assert_eq!((run.exit, run.err.as_str()), (0, ""));
    insta::assert_snapshot!(run.out, @"
    BOARD     NAME    RACK    DEVICE  KIND        DEVICE_NAME
    00000001  web-01  rack_1  01ff    thermistor  -
    00000001  web-01  rack_1  0dff    power       power
    40000001  db-01   rack_8  -       -           -
    ");
}

#[test]
fn boards_are_listed_with_what_is_known() {
    let boards = r#"{"items": [
        {"id": "00000001", "name": "web-01", "rack": "rack_1", "state": "present", "since": "2026-05-01T12:00:00.123Z",
         "failure": null, "devices": [{}, {}]},
        {"id": "40000001", "name": "db-01", "rack": "rack_8", "state": "missing", "since": "2026-05-01T12:00:00Z",
         "failure": {"code": "unreachable", "message": "x"}, "devices": []}], "next": null, "total": 2}"#;
    let (_, run) = ask(&["list"], ("200 OK", boards));
    insta::assert_snapshot!(run.out, @"
    ID        NAME    RACK    STATE    SINCE                 DEVICES  FAILURE
    00000001  web-01  rack_1  present  2026-05-01T12:00:00Z  2        -
    40000001  db-01   rack_8  missing  2026-05-01T12:00:00Z  0        unreachable
    ");
}

#[test]
fn a_kind_of_which_there_is_nothing_is_wrong_usage() {
    let (line, run) = ask(&["read", "10", "--kind", "THERMISTOR"], NOTHING);
    assert_eq!(line, "GET /opendcre/2/readings?nodes=10&kind=thermistor");
    assert_eq!((run.exit, run.out.as_str()), (2, ""));
    insta::assert_snapshot!(run.err, @"error: none of these boards has a device of kind thermistor that can be read; `opendcre scan BOARD` shows its devices");
    let (_, run) = ask(&["-o", "json", "read", "10", "--kind", "led"], NOTHING);
    assert_eq!(run.exit, 2);
    assert!(run.err.ends_with("\"code\":\"unknown_device\"}\n"), "{}", run.err);
}

#[test]
fn a_state_in_which_there_is_nothing_is_an_empty_table() {
    let (line, run) = ask(&["list", "--state", "missing"], NOTHING);
    assert!(line.contains("&state=missing&"), "{line}");
    assert_eq!((run.exit, run.err.as_str()), (0, ""));
    assert_eq!(run.out, "ID  NAME  RACK  STATE  SINCE  DEVICES  FAILURE\n");
}

#[test]
fn bmcs_are_listed_with_how_the_talk_with_them_goes() {
    let bmcs = r#"{"items": [
        {"board": "40000001", "board_name": "db-01", "address": "10.1.0.20:623", "state": "up", "since": "2026-05-01T12:00:00.1Z",
         "code": null, "message": null, "requests": 62, "retries": 1, "timeouts": 0, "latency_us": 1252},
        {"board": "40000002", "board_name": "db-02", "address": "10.1.0.21:623", "state": "down", "since": "2026-05-01T12:00:00Z",
         "code": "unreachable", "message": "x", "requests": 0, "retries": 3, "timeouts": 4, "latency_us": null}]}"#;
    let (_, run) = ask(&["bmcs"], ("200 OK", bmcs));
    insta::assert_snapshot!(run.out, @"
    BOARD     ADDRESS        STATE  SINCE                 REQUESTS  RETRIES  TIMEOUTS  LATENCY   FAILURE
    40000001  10.1.0.20:623  up     2026-05-01T12:00:00Z  62        1        0         1.252 ms  -
    40000002  10.1.0.21:623  down   2026-05-01T12:00:00Z  0         3        4         -         unreachable
    ");
}

#[test]
fn the_members_of_a_group_that_only_boards_name_are_those_boards() {
    let groups = r#"{"items": [{"name": "db", "members": null, "boards": ["40000001", "40000002"], "failure": null},
        {"name": "web", "members": "role=web", "boards": ["00000011"], "failure": null}], "next": null, "total": 2}"#;
    let server = Server::start(&[("200 OK", groups), ("200 OK", THREE_BOARDS)]);
    let run = run(&["groups", "--server", &server.address]);
    assert_eq!(server.lines()[1], "GET /opendcre/2/boards?limit=0&fields=id%2Cname");
    insta::assert_snapshot!(run.out, @"
    GROUP  MEMBERS     FAILURE
    db     db-[01-02]  -
    web    role=web    -
    ");
}

#[test]
fn a_place_that_is_not_known_is_left_out() {
    let devices = r#"{"items": [
        {"board_name": "a", "id": "01ff", "kind": "thermistor", "name": null,
         "location": {"depth": "unknown", "horizontal": "unknown", "vertical": "bottom", "server_node": null}},
        {"board_name": "a", "id": "02ff", "kind": "thermistor", "name": null,
         "location": {"depth": "unknown", "horizontal": "unknown", "vertical": "unknown", "server_node": null}},
        {"board_name": "b", "id": "0100", "kind": "power", "name": "power", "location": null}]}"#;
    let (_, run) = ask(&["location", "all"], ("200 OK", devices));
    insta::assert_snapshot!(run.out, @"
    BOARD  DEVICE  KIND        DEPTH    HORIZONTAL  VERTICAL  SERVER_NODE
    a      01ff    thermistor  unknown  unknown     bottom    -
    ");
}

#[test]
fn a_folded_range_can_be_for_programs() {
    let (_, run) = ask(&["-o", "json", "expand", "db", "--fold"], ("200 OK", THREE_BOARDS));
    assert_eq!(run.out, "{\"nodes\":\"db-[01-02,05]\"}\n");
}

#[test]
fn a_reading_for_programs_has_the_digits_of_the_server() {
    let body = r#"{"items": [{"board": "00000001", "values": [{"value": 123456789012345678901234567890}]}],
        "failures": [{"board": "00000002", "board_name": "b", "device": "01ff", "device_name": null,
        "code": "timeout", "message": "it is silent"}]}"#;
    let (_, run) = ask(&["-o", "json", "read", "all"], ("200 OK", body));
    assert_eq!(run.out, "{\"board\":\"00000001\",\"values\":[{\"value\":123456789012345678901234567890}]}\n");
    assert_eq!(run.exit, 1);
    assert!(run.err.ends_with("\"code\":\"timeout\",\"message\":\"it is silent\"}\n"), "{}", run.err);
}

#[test]
fn the_version_without_boards_tells_both_sides() {
    let server = Server::start(&[ABOUT]);
    let run = run(&["version", "-o", "json", "--server", &server.address]);
    let told: Value = serde_json::from_str(&run.out).unwrap();
    let expected = json!({
        "client_version": env!("CARGO_PKG_VERSION"),
        "client_commit": told["client_commit"],
        "server": format!("http://{}", server.address),
        "name": "OpenDCRE",
    });
    assert_eq!(told, expected);
    assert_eq!(server.lines(), ["GET /opendcre/2/about"]);
}

#[test]
fn the_version_of_the_client_alone_asks_no_server() {
    let server = Server::start(&[]);
    // Not even what would be shown to a server is read.
    let run =
        run(&["version", "--client", "-o", "json", "--token-file", "/none", "--server", &server.address]);
    let told: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.exit, &told["client_version"]), (0, &json!(env!("CARGO_PKG_VERSION"))), "{}", run.err);
    let commit = told["client_commit"].as_str().unwrap();
    assert!(commit == "unknown" || commit.len() >= 7 && !commit.contains(char::is_whitespace), "{commit}");
    assert!(server.lines().is_empty());
    assert_eq!(self::run(&["version", "--client", "rack_1"]).exit, 2);
}

#[test]
fn the_server_may_come_from_the_environment() {
    let server = Server::start(&[ABOUT]);
    let status = opendcre(&["version"])
        .env("OPENDCRE_SERVER", &server.address)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn errors_of_the_server_have_its_words_and_an_exit_code() {
    let range = r#"{"detail": "the bracket is not closed", "code": "bad_range", "parameter": "nodes", "position": 4}"#;
    let ambiguous = r#"{"detail": "spare names several things", "code": "ambiguous_name",
        "candidates": ["rack spare", "group spare"]}"#;
    let busy = r#"{"detail": "too much is waiting", "code": "busy"}"#;
    for (answer, exit, err) in [
        (
            ("422 Unprocessable Content", range),
            2,
            "error: the bracket is not closed (bad_range, HTTP 422)\n  node[01-\n      ^\n",
        ),
        (
            ("409 Conflict", ambiguous),
            2,
            "error: spare names several things (ambiguous_name, HTTP 409)\n  rack spare\n  group spare\n",
        ),
        (("503 Service Unavailable", busy), 4, "error: too much is waiting (busy, HTTP 503)\n"),
        (("404 Not Found", "<html></html>"), 1, "error: the server answered \"Not Found\" (HTTP 404)\n"),
        (("302 Found", ""), 1, "error: the server answered \"Found\" (HTTP 302)\n"),
    ] {
        let (_, run) = ask(&["list", "node[01-"], answer);
        assert_eq!((run.exit, run.out.as_str(), run.err.as_str()), (exit, "", err));
    }
}

#[test]
fn errors_for_programs_are_json() {
    let problem = r#"{"status": 504, "code": "timeout", "detail": "the server is slow"}"#;
    let (_, run) = ask(&["-o", "json", "list"], ("504 Oops", problem));
    assert_eq!((run.exit, run.out.as_str()), (1, ""));
    assert_eq!(run.err, "{\"message\":\"the server is slow\",\"code\":\"timeout\",\"http_code\":504}\n");
}

#[test]
fn an_answer_of_something_else_is_an_error() {
    for body in ["<html>It works!</html>", "{\"items\": [1]}", "{\"items\": [{}"] {
        let (_, run) = ask(&["list"], ("200 OK", body));
        assert_eq!(run.exit, 1);
        assert!(run.err.starts_with("error: the answer is not one of an OpenDCRE server"), "{}", run.err);
    }
}

#[test]
fn a_server_that_speaks_tls_only_is_said_how_to_reach() {
    let page = "this port speaks HTTPS only; use https:// in the address\n";
    let server = Server::start(&[("400 Bad Request", page)]);
    let (plain, secure) = (format!("http://{}", server.address), format!("https://{}", server.address));
    let run = run(&["--server", &plain, "list"]);
    assert_eq!(run.exit, 3, "{}", run.err);
    assert!(run.err.contains(&format!("{plain} speaks TLS only; use {secure}, and")), "{}", run.err);
    assert!(run.err.contains("--fingerprint"), "{}", run.err);
    server.requests();
}

#[test]
fn a_watch_goes_on_after_an_error() {
    let server = Server::start(&[NOTHING, ("503 Service Unavailable", ""), NOTHING]);
    let run = run(&["watch", "a", "--interval", "1ms", "--count", "3", "--server", &server.address]);
    assert_eq!(server.lines(), vec!["GET /opendcre/2/readings?nodes=a&max_age=0ms"; 3]);
    assert_eq!((run.exit, run.out.as_str()), (0, ""));
    assert_eq!(run.err, "error: the server answered \"Service Unavailable\" (HTTP 503)\n");
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let run = run(&["--server", &address, "list"]);
    assert_eq!(run.exit, 3);
    assert_eq!(
        run.err,
        format!(
            "error: cannot reach http://{address}: Connection refused (os error 111); is the server running \
             there?\n"
        )
    );
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    // The kernel takes the connection, nobody ever answers it.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let run = run(&["--server", &address, "--timeout", "20ms", "power", "cycle", "a"]);
    assert_eq!(run.exit, 3);
    assert_eq!(
        run.err,
        format!(
            "error: no answer from http://{address} within 20ms; what was asked may still happen, so check \
             before repeating it, or allow more time with --timeout\n"
        )
    );
}

#[test]
fn wrong_usage_is_told_apart_and_sends_nothing() {
    let long = "x".repeat(128);
    for (args, words) in [
        (vec!["list", ""], "name at least one board"),
        (vec!["read"], "NODES"),
        (vec!["read", "a", "--kind", "sofa"], "'sofa'"),
        (vec!["read", "a", "--max-age", "soon"], "not a duration"),
        (vec!["power", "explode", "a"], "possible values: status, on, off, cycle, reset, soft, diag"),
        (vec!["asset", "set", "a", ""], "must not be empty"),
        (vec!["asset", "set", "a", "Gerät"], "must be ASCII"),
        (vec!["asset", "set", "a", &long], "a device keeps 127"),
        (vec!["led", "on", "a", "--color", "red"], "six hexadecimal digits"),
        (vec!["led", "on", "a", "--blink", "--steady"], "cannot be used with"),
        (vec!["fan", "set", "a", "10001"], "0..=10000"),
        (vec!["identify", "a", "--seconds", "0"], "1..=255"),
        (vec!["watch", "a", "--interval", "0s"], "between 1ms and 24h"),
        (vec!["--server", "ftp://rack7", "list"], "unknown scheme"),
        (vec!["--server", "not a server", "list"], "does not name a server"),
        (vec!["dance"], "unrecognized subcommand"),
    ] {
        let run = run(&args);
        assert_eq!((run.exit, run.out.as_str()), (2, ""), "{args:?}");
        assert!(run.err.starts_with("error: "), "{args:?}: {}", run.err);
        assert!(run.err.contains(words), "{args:?}: {}", run.err);
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let server = Server::start(&[ABOUT]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = opendcre(&["version", "--server", &server.address])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn version_and_help_are_no_errors() {
    let version = run(&["--version"]);
    assert_eq!(version.out, format!("opendcre {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(version.exit, 0);
    let help = run(&["--help"]);
    assert_eq!(help.exit, 0);
    assert!(help.out.contains("Exit codes:") && help.out.contains("Examples:"));
}

#[test]
fn completions_know_the_commands() {
    // fish completes commands and options, but no values of arguments.
    for (shell, word) in [("bash", "thermistor"), ("zsh", "thermistor"), ("fish", "watch")] {
        let run = run(&["completions", shell]);
        assert_eq!(run.exit, 0, "{shell}: {}", run.err);
        assert!(run.out.contains(word), "{shell}");
    }
}
