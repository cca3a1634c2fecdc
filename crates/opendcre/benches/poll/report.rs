//! The measurements, one after the other, and the rows that they give.

use std::io::{self, Write};
use std::slice;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::measure::median;
use crate::percentile::percentile_99;
use crate::room::{Cost, Room, settle};

const MINUTE: Duration = Duration::from_secs(60);
/// How often it is asked how old the values are, after what else is measured.
const LOOKS: u32 = 20;
/// From one such question to the next where ages are all that is measured.
const PAUSE: Duration = Duration::from_secs(2);
/// A value that is older than so many intervals should have been read again before.
const TOO_OLD: f64 = 1.1;

/// Everything that docs/benchmarks.md tells.
pub(crate) fn all(minutes: u32, out: &mut impl Write) -> io::Result<()> {
    one_fleet(1_000, MINUTE / 2, minutes, out)?;
    one_fleet(10_000, MINUTE, minutes, out)?;
    sizes([100, 1_000, 10_000], minutes, out)?;
    silent(1_000, minutes, out)
}

/// What one fleet costs, and how old its values are.
pub(crate) fn one_fleet(bmcs: u16, interval: Duration, minutes: u32, out: &mut impl Write) -> io::Result<()> {
    let room = Room::start(bmcs, 0, interval);
    settle(slice::from_ref(&room));
    let begin = room.meter();
    sleep(MINUTE * minutes);
    let cost = room.cost(begin);
    let ages: Vec<f64> = (0..LOOKS).flat_map(|look| ages(&room, interval / LOOKS, look)).collect();
    writeln!(
        out,
        "\n| {bmcs} BMCs of 20 sensors every {} s, {minutes} min | |\n|---|---|",
        interval.as_secs()
    )?;
    writeln!(out, "| processor time of the gateway | {:.1} % of one processor |", cost.load * 100.0)?;
    writeln!(out, "| the same for each BMC and interval | {:.2} ms |", cost.processor_of_round * 1e3)?;
    writeln!(out, "| the same of the BMCs | {:.1} % of one processor |", cost.load_of_bmcs * 100.0)?;
    writeln!(out, "| **resident memory** | **{:.1} MB** |", cost.megabytes)?;
    writeln!(out, "| the same, at most | {:.1} MB |", cost.most_megabytes)?;
    writeln!(out, "| requests to each BMC in a minute | {:.1} |", cost.requests)?;
    let too_old = ages.iter().filter(|age| **age > interval.as_secs_f64() * TOO_OLD).count();
    let share = too_old as f64 / ages.len() as f64;
    writeln!(out, "| age of the values, median | {:.1} s |", median(ages.iter().copied()))?;
    writeln!(out, "| **the same, 99th percentile** | **{:.1} s** |", percentile_99(ages))?;
    writeln!(out, "| values older than {TOO_OLD} intervals | {:.2} % |", share * 100.0)
}

/// The ages of all values, a pause after the look before.
fn ages(room: &Room, pause: Duration, look: u32) -> Vec<f64> {
    if look > 0 {
        sleep(pause);
    }
    room.ages()
}

/// What each BMC costs in fleets of several sizes. All are polled in the same minutes, so that the noise of the machine is
/// the same.
fn sizes<const N: usize>(sizes: [u16; N], minutes: u32, out: &mut impl Write) -> io::Result<()> {
    let rooms = sizes.map(|bmcs| Room::start(bmcs, 0, MINUTE));
    settle(&rooms);
    let turn = || {
        let begins = rooms.iter().map(Room::meter).collect::<Vec<_>>();
        sleep(MINUTE);
        rooms.iter().zip(begins).map(|(room, begin)| room.cost(begin)).collect::<Vec<Cost>>()
    };
    let turns: Vec<Vec<Cost>> = (0..minutes).map(|_| turn()).collect();
    writeln!(out)?;
    let mut row = |what: &str, of: &dyn Fn(usize) -> String| {
        let values: Vec<String> = (0..N).map(of).collect();
        writeln!(out, "| {what} | {} |", values.join(" | "))
    };
    row("BMCs of 20 sensors every 60 s, median of the minutes", &|side| sizes[side].to_string())?;
    row("---", &|_| "---".to_owned())?;
    let time = |turn: &Vec<Cost>, side: usize| turn[side].processor_of_round;
    row("processor time for each BMC and minute", &|side| {
        format!("{:.2} ms", median(turns.iter().map(|turn| time(turn, side))) * 1e3)
    })?;
    row("**ratio**", &|side| {
        format!("**{:.2}**", median(turns.iter().map(|turn| time(turn, side) / time(turn, 0))))
    })?;
    row("resident memory", &|side| format!("{:.1} MB", median(turns.iter().map(|turn| turn[side].megabytes))))
}

/// How old values are while one of a hundred BMCs never answers, beside a gateway whose BMCs all do. Both are asked in the
/// same minutes.
fn silent(bmcs: u16, minutes: u32, out: &mut impl Write) -> io::Result<()> {
    let interval = MINUTE / 2;
    let rooms = [0, bmcs / 100].map(|silent| Room::start(bmcs, silent, interval));
    settle(&rooms);
    let begun = Instant::now();
    let mut ages = [Vec::new(), Vec::new()];
    while begun.elapsed() < MINUTE * minutes {
        for (room, ages) in rooms.iter().zip(&mut ages) {
            ages.extend(room.ages());
        }
        sleep(PAUSE);
    }
    let [alone, beside] = ages.map(percentile_99);
    writeln!(out, "\n| two times {bmcs} BMCs every {} s, {minutes} min | |\n|---|---|", interval.as_secs())?;
    writeln!(out, "| 99th percentile of the age of their values | {alone:.2} s |")?;
    writeln!(out, "| the same beside {} silent BMCs | {beside:.2} s |", bmcs / 100)?;
    writeln!(out, "| **difference** | **{:+.1} %** |", (beside / alone - 1.0) * 100.0)
}
