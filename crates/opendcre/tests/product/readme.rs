//! What the README shows is what the demo answers.

use crate::demo::{Demo, shell};
use crate::support::PRODUCT;

const README: &str = include_str!("../../../../README.md");
const ADDRESS: &str = "http://127.0.0.1:5000";

/// The commands of the README, each with what it shows below it.
fn examples() -> Vec<(&'static str, String)> {
    let mut lines = README.lines();
    let mut examples = Vec::new();
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let shown: Vec<&str> =
            lines.by_ref().take_while(|line| !line.is_empty() && !line.starts_with("```")).collect();
        examples.push((command, shown.join("\n")));
    }
    examples
}

#[test]
fn every_command_prints_what_is_shown_below_it() {
    let demo = Demo::start();
    let examples = examples();
    assert_eq!(examples.len(), 7);
    for (command, shown) in examples {
        let line = match command.strip_prefix("opendcre ") {
            Some(arguments) => format!("{PRODUCT} --server {} {arguments}", demo.root),
            None => command.replace(ADDRESS, &demo.root),
        };
        assert_eq!(shell(&line).trim_end(), shown, "{command}");
    }
}
