//! Instructions, as valgrind counts them: the same whatever else the machine does.

use std::process::Command;

/// How many instructions this program takes with these arguments, from its start to its end.
pub(crate) fn instructions(arguments: &[&str]) -> f64 {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(std::env::current_exe().expect("this program")).args(arguments);
    let output = valgrind.output().expect("valgrind");
    let report = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{report}");
    let count = report.lines().find_map(|line| line.split_once("Collected : ")).expect("a count").1;
    count.trim().parse().expect("a number")
}
