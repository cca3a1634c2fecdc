//! The demo keeps its promises: every line that it suggests works, and its power really changes.

use std::process::Command;

use serde_json::Value;

use crate::support::{PRODUCT, Program, request};

/// A running demo, and what it suggested at its start.
pub(crate) struct Demo {
    program: Program,
    suggestions: Vec<String>,
    /// Where it serves: scheme, address and port.
    pub(crate) root: String,
}

impl Demo {
    pub(crate) fn start() -> Self {
        let mut program = Program::start(Command::new(PRODUCT).args(["demo", "--listen", "127.0.0.1:0"]));
        let welcome: Vec<String> =
            std::iter::from_fn(|| Some(program.line()).filter(|line| !line.starts_with("Ctrl-C"))).collect();
        let suggestions: Vec<String> =
            welcome.iter().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect();
        let scan = suggestions.iter().find_map(|line| line.strip_suffix("/opendcre/1.1/scan")).unwrap();
        let root = scan.trim_start_matches("curl ").to_owned();
        Self { program, suggestions, root }
    }
}

/// Status and body of the request that a suggested `curl` line makes.
pub(crate) fn curl(method: &str, url: &str) -> (u16, String) {
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap();
    request(host.parse().unwrap(), method, &format!("/{path}"))
}

#[test]
fn everything_that_the_demo_suggests_works() {
    let mut demo = Demo::start();
    assert_eq!(demo.suggestions.len(), 21, "{:#?}", demo.suggestions);
    for line in &demo.suggestions {
        let words: Vec<&str> = line.split_whitespace().collect();
        let works = match words.as_slice() {
            ["curl", url] => curl("GET", url).0 == 200,
            ["curl", "-X", "POST", url] => curl("POST", url).0 == 200,
            [_, arguments @ ..] => Command::new(PRODUCT).args(arguments).output().unwrap().status.success(),
            [] => false,
        };
        assert!(works, "{line}");
    }
    assert_eq!(demo.program.terminate(), Some(0));
}

#[test]
fn the_power_of_the_demo_really_changes() {
    let mut demo = Demo::start();
    let power = format!("{}/opendcre/1.1/power", demo.root);
    for device in ["13/0dff", "40000000/0004"] {
        for (order, state) in
            [("on", "on"), ("off", "off"), ("status", "off"), ("on", "on"), ("status", "on")]
        {
            let (_, body) = curl("GET", &format!("{power}/{order}/{device}"));
            let report: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(report["power_status"], state, "{order} {device}: {body}");
        }
    }
    assert_eq!(demo.program.terminate(), Some(0));
}
