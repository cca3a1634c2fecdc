//! How long it takes to find the boards of a node range among many.

use std::io::{self, Write};
use std::time::Instant;

use crate::measure::median;
use crate::room;

const BOARDS: u32 = 10_000;
const ROUNDS: usize = 101;
/// Node ranges, and how many boards each selects.
const RANGES: [(&str, usize); 5] = [
    ("node05000", 1),
    ("node[00001-10000]", 10_000),
    ("~5$", 1_000),
    ("feed=a", 5_000),
    ("all,-node[00001-05000]@feed=a", 2_500),
];

pub(crate) fn report(out: &mut impl Write) -> io::Result<()> {
    let gateway = room::gateway(BOARDS);
    writeln!(out, "\n| node range, {BOARDS} boards | selects | median of {ROUNDS} |\n|---|---|---|")?;
    for (text, count) in RANGES {
        let rounds = (0..ROUNDS).map(|_| {
            let begun = Instant::now();
            let boards = room::view(&gateway).select(text).expect("a node range");
            let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
            assert_eq!(boards.len(), count, "{text}");
            milliseconds
        });
        writeln!(out, "| `{text}` | {count} | {:.3} ms |", median(rounds))?;
    }
    Ok(())
}
