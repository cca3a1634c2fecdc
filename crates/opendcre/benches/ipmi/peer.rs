//! FreeIPMI's programs as the measure: every BMC asked once by one process that logs in and out everywhere.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::cost::Cost;
use crate::fleet::Fleet;
use crate::measure::processor_seconds;

/// A run in which a session timed out takes twenty seconds more and says nothing about speed.
const TRIES: usize = 5;

/// The power state of every BMC.
pub(crate) fn power_status(directory: &Path, fleet: &Fleet, bmcs: &[SocketAddr]) -> Cost {
    let command = || {
        let mut command = timed("ipmipower", directory);
        access(&mut command, bmcs).arg("--stat");
        command
    };
    complete(directory, fleet, bmcs, command, |output| {
        output.lines().filter(|line| line.ends_with(": on")).count()
    })
}

/// All sensors of every BMC, with the descriptions of the sensors read from files that an earlier run has left.
pub(crate) fn sensors(directory: &Path, fleet: &Fleet, bmcs: &[SocketAddr]) -> Cost {
    let command = || {
        let mut command = timed("ipmi-sensors", directory);
        let cache = format!("--sdr-cache-directory={}", directory.display());
        access(&mut command, bmcs).args(["-l", "ADMIN", "-Q", "-F", "64", "--no-header-output", &cache]);
        command
    };
    // Every BMC has one with this name.
    complete(directory, fleet, bmcs, command, |output| {
        output.lines().filter(|line| line.contains("Inlet Temp")).count()
    })
}

/// A program under GNU time, which writes what it used to a file.
fn timed(program: &str, directory: &Path) -> Command {
    let mut command = Command::new("/usr/bin/time");
    command.arg("-o").arg(directory.join("time")).args(["-f", "%U %S %M", program]);
    command
}

fn access<'a>(command: &'a mut Command, bmcs: &[SocketAddr]) -> &'a mut Command {
    let hosts: Vec<String> = bmcs.iter().map(SocketAddr::to_string).collect();
    // ipmi_sim names another privilege than was asked for when a session is opened.
    let session = ["-D", "LAN_2_0", "-W", "opensesspriv", "-u", "ADMIN", "-p", "ADMIN"];
    command.args(session).args(["-h", &hosts.join(",")])
}

/// Runs until all BMCs have answered in one run.
fn complete(
    directory: &Path,
    fleet: &Fleet,
    bmcs: &[SocketAddr],
    command: impl Fn() -> Command,
    answers: impl Fn(&str) -> usize,
) -> Cost {
    let processes = fleet.processes();
    for _ in 0..TRIES {
        let before = processor_seconds(&processes);
        let begun = Instant::now();
        let output = command().stdin(Stdio::null()).stderr(Stdio::null()).output().expect("GNU time");
        let seconds = begun.elapsed().as_secs_f64();
        if answers(&String::from_utf8_lossy(&output.stdout)) == bmcs.len() {
            let (processor, megabytes) = used(directory);
            let processor_of_bmcs = processor_seconds(&processes) - before;
            return Cost { nodes: bmcs.len(), seconds, processor, processor_of_bmcs, megabytes };
        }
    }
    panic!("none of {TRIES} runs of {:?} was complete", command().get_program());
}

/// What GNU time wrote: seconds of processor time, and megabytes of memory.
fn used(directory: &Path) -> (f64, f64) {
    let used = fs::read_to_string(directory.join("time")).expect("what the program used");
    let used: Vec<f64> = used.split_whitespace().map(|field| field.parse().expect("a number")).collect();
    let [user, system, kibibytes] = used[..] else { panic!("three numbers, not {used:?}") };
    (user + system, kibibytes * 1024.0 / 1e6)
}
