//! What writing costs: fleets of two sizes for some hours, with a commit every ten seconds.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use opendcre_gateway::{History, HistorySettings};
use opendcre_model::WallClock;

use crate::fleet::Fleet;
use crate::measure::{megabytes, processor_seconds};

const HOURS: i64 = 12;
const HOUR: i64 = 3_600_000;
const COMMIT: i64 = 10_000;
/// Boards of twenty sensors.
const FLEETS: [u32; 2] = [15, 1_000];

/// A clock that nobody trusts, so that nothing is forgotten.
pub(crate) struct StillClock;

impl WallClock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// What it cost to write the hours of one fleet.
struct Cost {
    series: usize,
    samples: u64,
    elapsed: Duration,
    processor: f64,
    /// What was written to files, in bytes.
    written: u64,
    file: u64,
    /// What samples took of the memory, at most, in bytes.
    memory: u64,
    /// By how much the memory of the process grew, at most.
    megabytes: f64,
    reopened: Duration,
}

pub(crate) async fn report(out: &mut impl Write) -> io::Result<()> {
    for boards in FLEETS {
        let cost = hours(boards).await?;
        let samples = cost.samples as f64;
        writeln!(
            out,
            "\n| {} series every 30 s, {HOURS} h, a commit every 10 s | |\n|---|---|",
            cost.series
        )?;
        writeln!(out, "| samples written per second | {:.0} |", samples / cost.elapsed.as_secs_f64())?;
        writeln!(out, "| processor time for each sample | {:.2} µs |", cost.processor * 1e6 / samples)?;
        writeln!(
            out,
            "| file, bytes for each sample with its rollups | {:.2} |",
            cost.file as f64 / samples
        )?;
        writeln!(
            out,
            "| written to the disk in an hour | {:.1} MB |",
            cost.written as f64 / 1e6 / HOURS as f64
        )?;
        writeln!(out, "| samples in memory, at most | {:.1} MB |", cost.memory as f64 / 1e6)?;
        writeln!(out, "| growth of resident memory, at most | {:.1} MB |", cost.megabytes)?;
        writeln!(
            out,
            "| opened again after the end of the process | {:.0} ms |",
            cost.reopened.as_secs_f64() * 1e3
        )?;
    }
    Ok(())
}

async fn hours(boards: u32) -> io::Result<Cost> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("history.db");
    let mut fleet = Fleet::new(boards);
    let process = std::process::id();
    let before = megabytes(process, "VmRSS");
    let history = open(&path);
    let (begun, written, processor) = (Instant::now(), written()?, processor_seconds(&[process]));
    let (mut memory, mut most) = (0, before);
    // Half a period more, so that something is in the log at the end.
    for time in (0..(HOURS + 1) * HOUR).step_by(usize::try_from(COMMIT).expect("a short time")) {
        history.record(fleet.read(time, COMMIT));
        history.flush().await.expect("a disk with room");
        memory = memory.max(history.statistics().memory);
        if time % HOUR == 0 {
            most = most.max(megabytes(process, "VmRSS"));
        }
    }
    let statistics = history.statistics();
    assert_eq!(statistics.lost, 0);
    let copy = directory.path().join("copy.db");
    // As the sudden end of the process would leave it.
    fs::copy(&path, &copy)?;
    fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal"))?;
    let cost = Cost {
        series: fleet.keys().len(),
        samples: statistics.recorded,
        elapsed: begun.elapsed(),
        processor: processor_seconds(&[process]) - processor,
        written: crate::write::written()? - written,
        file: fs::metadata(&path)?.len(),
        memory,
        megabytes: most - before,
        reopened: reopening(&copy),
    };
    Ok(cost)
}

pub(crate) fn open(path: &Path) -> History {
    let settings = HistorySettings { size: 8 << 30, ..HistorySettings::default() };
    let (history, set_aside) = History::open(path, settings, Arc::new(StillClock)).expect("a history");
    assert_eq!(set_aside, None);
    history
}

fn reopening(path: &Path) -> Duration {
    let begun = Instant::now();
    let history = open(path);
    let elapsed = begun.elapsed();
    assert!(history.statistics().memory > 0);
    elapsed
}

/// What this process has written so far, in bytes.
fn written() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/io")?;
    let line = text.lines().find_map(|line| line.strip_prefix("wchar: ")).expect("a count of bytes");
    Ok(line.parse().expect("a number"))
}
