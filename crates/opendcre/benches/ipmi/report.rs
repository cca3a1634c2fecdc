//! The measurements, one after the other, and the rows that they give.

use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

use crate::client::{self, Task};
use crate::cost::{Cost, median_cost};
use crate::fleet::Fleet;
use crate::gateway::Gateway;
use crate::measure::median;
use crate::peer;
use crate::percentile::percentile_99;
use crate::simulator::host;

/// Turns of each side.
const ROUNDS: usize = 7;
/// How often our side asks everybody in one turn; the median counts.
const ONE_TURN: usize = 3;
const MANY: u16 = 10_000;
/// Below the ports that the system gives to clients, above those of a fleet.
const FIRST_SILENT_PORT: u16 = 31_000;

pub(crate) fn write(out: &mut impl Write) -> io::Result<()> {
    for fleet in [Fleet::emulated, Fleet::simulated] {
        let fleet = fleet(1000);
        let directory = tempfile::tempdir()?;
        for count in [200, 1000] {
            let bmcs = &fleet.addresses[..count];
            power(&fleet, bmcs, directory.path(), out)?;
            sensors(&fleet, bmcs, directory.path(), out)?;
        }
    }
    many(out)?;
    silent(out)
}

/// The power state of every BMC: with a login each time, and in sessions that are held.
fn power(fleet: &Fleet, bmcs: &[SocketAddr], directory: &Path, out: &mut impl Write) -> io::Result<()> {
    let sides: [&dyn Fn() -> Cost; 3] = [
        &|| peer::power_status(directory, fleet, bmcs),
        &|| median_cost(client::measure(Task::Cold, fleet, bmcs, ONE_TURN)),
        &|| median_cost(client::measure(Task::Warm, fleet, bmcs, ONE_TURN)),
    ];
    let (count, name) = (bmcs.len(), fleet.name);
    writeln!(out, "\n| power status of {count} BMCs of {name} | `ipmipower --stat` | cold | warm |")?;
    compare(&sides, out)
}

/// All sensors of every BMC, of which both sides know the descriptions from an earlier run.
fn sensors(fleet: &Fleet, bmcs: &[SocketAddr], directory: &Path, out: &mut impl Write) -> io::Result<()> {
    peer::sensors(directory, fleet, bmcs);
    let sides: [&dyn Fn() -> Cost; 2] = [&|| peer::sensors(directory, fleet, bmcs), &|| {
        median_cost(client::measure(Task::Sensors, fleet, bmcs, ONE_TURN))
    }];
    let (count, name) = (bmcs.len(), fleet.name);
    writeln!(out, "\n| all sensors of {count} BMCs of {name} | `ipmi-sensors -F 64` | ours |")?;
    compare(&sides, out)
}

/// Lets the sides take turns. One column for each, and ratios to the first.
fn compare(sides: &[&dyn Fn() -> Cost], out: &mut impl Write) -> io::Result<()> {
    let turns: Vec<Vec<Cost>> = (0..ROUNDS).map(|_| sides.iter().map(|side| side()).collect()).collect();
    let columns = (0..sides.len()).map(|side| turns.iter().map(|turn| turn[side]).collect::<Vec<_>>());
    let columns: Vec<Vec<Cost>> = columns.collect();
    writeln!(out, "|---|{}", "---|".repeat(sides.len()))?;
    let mut row = |what: &str, of: &dyn Fn(&[Cost]) -> String| {
        let values: Vec<String> = columns.iter().map(|column| of(column)).collect();
        writeln!(out, "| {what} | {} |", values.join(" | "))
    };
    let ratio = |costs: &[Cost]| {
        let pairs = costs.iter().zip(&columns[0]);
        median(pairs.map(|(cost, first)| cost.nodes_per_second() / first.nodes_per_second()))
    };
    let typical = |costs: &[Cost]| median_cost(costs.to_vec());
    row("BMCs per second", &|costs| format!("{:.0}", typical(costs).nodes_per_second()))?;
    row("**ratio**", &|costs| format!("**{:.1}**", ratio(costs)))?;
    row("processor time for each", &|costs| format!("{:.0} µs", typical(costs).microseconds_per_node()))?;
    row("the same of the BMC", &|costs| format!("{:.0} µs", typical(costs).microseconds_of_bmc()))?;
    row("most memory", &|costs| format!("{:.1} MB", typical(costs).megabytes))
}

/// Ten thousand BMCs, and what each of them costs beside one of a hundred.
fn many(out: &mut impl Write) -> io::Result<()> {
    const FEW: usize = 100;
    let fleet = Fleet::emulated(MANY);
    let before = fleet.megabytes();
    let bmcs = &fleet.addresses;
    let pair = |_| {
        // As many questions in both.
        let few = client::measure(Task::Warm, &fleet, &bmcs[..FEW], ONE_TURN * bmcs.len() / FEW);
        (few, client::measure(Task::Warm, &fleet, bmcs, ONE_TURN))
    };
    let pairs: Vec<(Vec<Cost>, Vec<Cost>)> = (0..ROUNDS).map(pair).collect();
    let microseconds = |costs: &[Cost]| median(costs.iter().map(Cost::microseconds_per_node));
    let ratio = median(pairs.iter().map(|(few, many)| microseconds(many) / microseconds(few)));
    let many = median_cost(pairs.iter().flat_map(|pair| pair.1.clone()).collect());
    let few = median(pairs.iter().map(|pair| microseconds(&pair.0)));
    writeln!(out, "\n| {MANY} BMCs of {}, warm | |\n|---|---|", fleet.name)?;
    writeln!(out, "| power status of all, median of {} rounds | {:.3} s |", ONE_TURN * ROUNDS, many.seconds)?;
    writeln!(out, "| most memory of the client with {MANY} sessions | {:.1} MB |", many.megabytes)?;
    writeln!(out, "| processor time for each | {:.1} µs |", many.microseconds_per_node())?;
    writeln!(out, "| processor time for each of {FEW} | {few:.1} µs |")?;
    writeln!(out, "| ratio, median of {ROUNDS} pairs | {ratio:.2} |")?;
    let many = client::instructions(&fleet, bmcs, 1);
    let few = client::instructions(&fleet, &bmcs[..FEW], bmcs.len() / FEW);
    writeln!(out, "| instructions for each | {many:.0} |")?;
    writeln!(out, "| instructions for each of {FEW} | {few:.0} |")?;
    writeln!(out, "| **ratio of the instructions** | **{:.2}** |", many / few)?;
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
    let sockets =
        addresses.take(bmcs.len() / 2 / 100).map(UdpSocket::bind).collect::<io::Result<Vec<_>>>()?;
    let silent = sockets.iter().map(UdpSocket::local_addr).collect::<io::Result<Vec<_>>>()?;
    let [alone, beside] = client::latencies(bmcs, &silent).map(percentile_99);
    let milliseconds = |seconds: f64| seconds * 1e3;
    writeln!(out, "\n| power status of two times {} BMCs every second | |\n|---|---|", bmcs.len() / 2)?;
    writeln!(out, "| 99th percentile of the latency | {:.3} ms |", milliseconds(alone))?;
    writeln!(out, "| the same beside {} silent BMCs | {:.3} ms |", silent.len(), milliseconds(beside))?;
    writeln!(out, "| **difference** | **{:+.1} %** |", (beside / alone - 1.0) * 100.0)
}
