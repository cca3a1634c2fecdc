//! What writing costs: fleets of three sizes for some hours, with a commit every ten seconds, or less often. Chunks are
//! made when their time is over, as they are where hours take hours.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use opendcre_gateway::{History, HistorySettings};
use opendcre_model::WallClock;

use crate::fleet::{CHUNK, Fleet};
use crate::measure::{megabytes, processor_seconds};

const HOURS: i64 = 12;
const HOUR: i64 = 3_600_000;
/// How often samples are brought to the disk unless the configuration says otherwise.
const COMMIT: i64 = 10_000;
/// The same where the disk is to be spared.
const RARE_COMMIT: i64 = 30_000;
/// Boards of twenty sensors.
const FLEETS: [u32; 3] = [15, 100, 1_000];

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
        let (cost, sparing) = (hours(boards, COMMIT).await?, hours(boards, RARE_COMMIT).await?);
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
        let hourly = |cost: &Cost| cost.written as f64 / 1e6 / HOURS as f64;
        writeln!(out, "| written to the disk in an hour | {:.1} MB |", hourly(&cost))?;
        writeln!(out, "| the same with a commit every 30 s | {:.1} MB |", hourly(&sparing))?;
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

async fn hours(boards: u32, commit: i64) -> io::Result<Cost> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("history.db");
    let mut fleet = Fleet::new(boards);
    let process = std::process::id();
    let before = megabytes(process, "VmRSS");
    let history = open(&path);
    let (begun, written, processor) = (Instant::now(), written()?, processor_seconds(&[process]));
    let (mut memory, mut most) = (0, before);
    for chunk in 0..HOURS * HOUR / CHUNK {
        record(&history, &mut fleet, chunk, commit).await;
        memory = memory.max(history.statistics().memory);
        most = most.max(megabytes(process, "VmRSS"));
        history.seal().await.expect("a disk with room");
        most = most.max(megabytes(process, "VmRSS"));
    }
    let statistics = history.statistics();
    assert_eq!((statistics.lost, statistics.memory), (0, 0));
    Ok(Cost {
        series: fleet.keys().len(),
        samples: statistics.recorded,
        elapsed: begun.elapsed(),
        processor: processor_seconds(&[process]) - processor,
        written: crate::write::written()? - written,
        file: fs::metadata(&path)?.len(),
        memory,
        megabytes: most - before,
        // After all others: more time passes, so that the log holds most.
        reopened: {
            record(&history, &mut fleet, HOURS * HOUR / CHUNK, commit).await;
            reopening(&path, &directory.path().join("copy.db"))?
        },
    })
}

/// Lets the time of one chunk pass.
async fn record(history: &History, fleet: &mut Fleet, chunk: i64, commit: i64) {
    for time in (chunk * CHUNK..(chunk + 1) * CHUNK).step_by(usize::try_from(commit).expect("a short time")) {
        history.record(fleet.read(time, commit));
        history.flush().await.expect("a disk with room");
    }
}

pub(crate) fn open(path: &Path) -> History {
    let settings = HistorySettings { size: 8 << 30, ..HistorySettings::default() };
    let (history, set_aside) = History::open(path, settings, Arc::new(StillClock)).expect("a history");
    assert_eq!(set_aside, None);
    history
}

/// How long it takes to open a history as the sudden end of the process would leave it.
fn reopening(path: &Path, copy: &Path) -> io::Result<Duration> {
    fs::copy(path, copy)?;
    fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal"))?;
    let begun = Instant::now();
    let history = open(copy);
    let elapsed = begun.elapsed();
    assert!(history.statistics().memory > 0);
    Ok(elapsed)
}

/// What this process has written so far, in bytes.
fn written() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/io")?;
    let line = text.lines().find_map(|line| line.strip_prefix("wchar: ")).expect("a count of bytes");
    Ok(line.parse().expect("a number"))
}
