//! The tables of `docs/node-ranges.md`, checked against the room that it describes.

use super::room::example;

/// The cells of the document's tables that begin with an example in the first cell.
fn examples() -> Vec<[String; 3]> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/node-ranges.md");
    let document = std::fs::read_to_string(path).unwrap();
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    let cells =
        rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect());
    cells.filter_map(|cells: Vec<String>| cells.try_into().ok()).collect()
}

fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

#[test]
fn every_example_is_true() {
    let room = example();
    let mut checked = 0;
    for [text, _, outcome] in examples() {
        let (text, outcome) = (code(&text).unwrap(), code(&outcome).unwrap());
        match room.select(text) {
            Ok(_) => assert_eq!(room.names(text), outcome, "{text}"),
            Err(error) => assert_eq!(error.code(), outcome, "{text}: {error}"),
        }
        checked += 1;
    }
    assert!(checked >= 40, "{checked} examples");
}
