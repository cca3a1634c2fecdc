//! The measurements, one after the other, and the rows that they give.

use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

use crate::client::{self, Task};
use crate::cost::{Cost, median, median_cost, percentile_99};
use crate::fleet::Fleet;
use crate::gateway::Gateway;
use crate::peer;
use crate::simulator::host;

/// Runs of each side, which take turns.
const ROUNDS: usize = 7;
const MANY: u16 = 10_000;
/// Below the ports that the system gives to clients, above those of a fleet.
const FIRST_SILENT_PORT: u16 = 31_000;

pub(crate) fn write(out: &mut impl Write) -> io::Result<()> {
    for fleet in [Fleet::emulated, Fleet::simulated] {
        let fleet = fleet(1000);
        let directory = tempfile::tempdir()?;
        for count in [200, 1000] {
            let bmcs = &fleet.addresses[..count];
            power(fleet.name, bmcs, directory.path(), out)?;
            sensors(fleet.name, bmcs, directory.path(), out)?;
        }
    }
    many(out)?;
    silent(out)
}

/// The power state of every BMC: with a login each time, and in sessions that are held.
fn power(name: &str, bmcs: &[SocketAddr], directory: &Path, out: &mut impl Write) -> io::Result<()> {
    let one_more = |_| (peer::power_status(directory, bmcs), client::measure(Task::Cold, bmcs, 1)[0]);
    let (theirs, cold): (Vec<_>, Vec<_>) = (0..ROUNDS).map(one_more).unzip();
    let warm = client::measure(Task::Warm, bmcs, ROUNDS);
    let count = bmcs.len();
    writeln!(out, "\n| power status of {count} BMCs of {name} | `ipmipower --stat` | cold | warm |")?;
    compare(median_cost(theirs), &[median_cost(cold), median_cost(warm)], out)
}

/// All sensors of every BMC, of which both sides know the descriptions from an earlier run.
fn sensors(name: &str, bmcs: &[SocketAddr], directory: &Path, out: &mut impl Write) -> io::Result<()> {
    peer::sensors(directory, bmcs);
    let theirs = (0..ROUNDS).map(|_| peer::sensors(directory, bmcs)).collect();
    let ours = client::measure(Task::Sensors, bmcs, ROUNDS);
    let count = bmcs.len();
    writeln!(out, "\n| all sensors of {count} BMCs of {name} | `ipmi-sensors -F 64` | ours |")?;
    compare(median_cost(theirs), &[median_cost(ours)], out)
}

/// One column for them and one for each of ours.
fn compare(theirs: Cost, ours: &[Cost], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "|---|---|{}", "---|".repeat(ours.len()))?;
    let mut row = |what: &str, of: &dyn Fn(&Cost) -> String| {
        let values: Vec<String> = std::iter::once(&theirs).chain(ours).map(of).collect();
        writeln!(out, "| {what} | {} |", values.join(" | "))
    };
    row("BMCs per second", &|cost| format!("{:.0}", cost.nodes_per_second()))?;
    row("**ratio**", &|cost| format!("**{:.1}**", cost.nodes_per_second() / theirs.nodes_per_second()))?;
    row("processor time for each", &|cost| format!("{:.0} µs", cost.microseconds_per_node()))?;
    row("most memory", &|cost| format!("{:.1} MB", cost.megabytes))
}

/// Ten thousand BMCs, and what each of them costs beside one of a hundred.
fn many(out: &mut impl Write) -> io::Result<()> {
    const FEW: usize = 100;
    let fleet = Fleet::emulated(MANY);
    let before = fleet.megabytes();
    let bmcs = &fleet.addresses;
    let pair = |_| {
        // As many questions in both.
        let few = client::measure(Task::Warm, &bmcs[..FEW], bmcs.len() / FEW);
        (few, client::measure(Task::Warm, bmcs, ROUNDS))
    };
    let pairs: Vec<(Vec<Cost>, Vec<Cost>)> = (0..3).map(pair).collect();
    let microseconds = |costs: &[Cost]| median(costs.iter().map(Cost::microseconds_per_node));
    let ratio = median(pairs.iter().map(|(few, many)| microseconds(many) / microseconds(few)));
    let many = median_cost(pairs.iter().flat_map(|pair| pair.1.clone()).collect());
    let few = median(pairs.iter().map(|pair| microseconds(&pair.0)));
    writeln!(out, "\n| {MANY} BMCs of {}, warm | |\n|---|---|", fleet.name)?;
    writeln!(out, "| power status of all, median of {} rounds | {:.2} s |", 3 * ROUNDS, many.seconds)?;
    writeln!(out, "| most memory of the client with {MANY} sessions | {:.1} MB |", many.megabytes)?;
    writeln!(out, "| processor time for each | {:.1} µs |", many.microseconds_per_node())?;
    writeln!(out, "| processor time for each of {FEW} | {few:.1} µs |")?;
    writeln!(out, "| **ratio, median of 3 pairs** | **{ratio:.2}** |")?;
    writeln!(out, "| memory of the emulator, started | {before:.1} MB |")?;
    writeln!(out, "| memory of the emulator, after {MANY} sessions | {:.1} MB |", fleet.megabytes())?;
    let gateway = Gateway::start(bmcs);
    writeln!(out, "| memory of the gateway, started | {:.1} MB |", gateway.megabytes())?;
    (0..bmcs.len()).for_each(|bmc| gateway.power_status(bmc));
    writeln!(out, "| memory of the gateway with {MANY} sessions | {:.1} MB |", gateway.megabytes())
}

/// How long the answers of BMCs take while one of a hundred others is silent.
fn silent(out: &mut impl Write) -> io::Result<()> {
    let fleet = Fleet::emulated(1000);
    let bmcs = &fleet.addresses;
    // They are there and never answer, which is worse than not to be there.
    let addresses = (FIRST_SILENT_PORT..).map(|port| SocketAddr::from((host(), port)));
    let sockets = addresses.take(bmcs.len() / 100).map(UdpSocket::bind).collect::<io::Result<Vec<_>>>()?;
    let silent = sockets.iter().map(UdpSocket::local_addr).collect::<io::Result<Vec<_>>>()?;
    let pair = |_| {
        let alone = percentile_99(client::latencies(bmcs, &[]));
        (alone, percentile_99(client::latencies(bmcs, &silent)))
    };
    let pairs: Vec<(f64, f64)> = (0..ROUNDS).map(pair).collect();
    let milliseconds = |pick: fn(&(f64, f64)) -> f64| median(pairs.iter().map(pick)) * 1e3;
    let moved = median(pairs.iter().map(|(alone, beside)| beside / alone - 1.0)) * 100.0;
    writeln!(out, "\n| power status of 1000 BMCs every second | |\n|---|---|")?;
    writeln!(out, "| 99th percentile of the latency | {:.3} ms |", milliseconds(|pair| pair.0))?;
    writeln!(
        out,
        "| the same beside {} silent BMCs | {:.3} ms |",
        silent.len(),
        milliseconds(|pair| pair.1)
    )?;
    writeln!(out, "| **difference, median of {ROUNDS} pairs** | **{moved:+.1} %** |")
}
