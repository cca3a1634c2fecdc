//! The demo keeps its promises: every line that it suggests works, and its power really changes.

use std::process::Command;

use serde_json::Value;

use crate::support::{PRODUCT, Program};

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
        let scan = suggestions.iter().find_map(|line| line.strip_suffix("/opendcre/1.3/scan")).unwrap();
        let root = scan.trim_start_matches("curl ").to_owned();
        Self { program, suggestions, root }
    }
}

/// What a shell prints for `line`, as a reader would type it. Fails unless the command succeeds.
pub(crate) fn shell(line: &str) -> String {
    let line = match line.strip_prefix("curl ") {
        Some(rest) => format!("curl --silent --show-error --fail-with-body {rest}"),
        None => line.to_owned(),
    };
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{line}: {out}{err}");
    out
}

/// Body of the answer to a request without a body.
fn get(url: &str) -> String {
    shell(&format!("curl '{url}'"))
}

#[test]
fn everything_that_the_demo_suggests_works() {
    let mut demo = Demo::start();
    assert_eq!(demo.suggestions.len(), 24, "{:#?}", demo.suggestions);
    for line in &demo.suggestions {
        shell(line);
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
            let body = get(&format!("{power}/{order}/{device}"));
            let report: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(report["power_status"], state, "{order} {device}: {body}");
        }
    }
    assert_eq!(demo.program.terminate(), Some(0));
}
