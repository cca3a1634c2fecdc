//! What questions cost: one sensor over a month, and a whole rack over a day, of a history of a month.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use opendcre_gateway::{History, HistoryQuery};

use crate::fleet::{CHUNK, Fleet, START};
use crate::measure::median;
use crate::write::open;

const DAY: i64 = 86_400_000;
const DAYS: i64 = 30;
/// When questions are asked: in the middle of a chunk, of which the first half is in memory.
const NOW: i64 = DAYS * DAY + CHUNK / 2;
/// The boards of a rack.
const BOARDS: u32 = 40;
const ROUNDS: usize = 11;
/// So many samples are given at once.
const BATCH: i64 = 30_000;

pub(crate) async fn report(out: &mut impl Write) -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let history = open(&directory.path().join("history.db"));
    let mut fleet = Fleet::new(BOARDS);
    for time in (0..NOW).step_by(usize::try_from(BATCH).expect("a short time")) {
        if time % CHUNK == 0 {
            history.seal().await.expect("a disk with room");
        }
        history.record(fleet.read(time, BATCH));
    }
    history.flush().await.expect("a disk with room");
    assert_eq!(history.statistics().lost, 0);
    let all = fleet.keys().len();
    writeln!(
        out,
        "\n| {all} series, {DAYS} days at 30 s | step | points | median of {ROUNDS} |\n|---|---|---|---|"
    )?;
    let minute = Duration::from_secs(60);
    for (what, series, days, step) in [
        ("one sensor over 30 days", 1, DAYS, 60 * minute),
        ("one sensor over 30 days", 1, DAYS, 5 * minute),
        ("one sensor over 30 days", 1, DAYS, Duration::ZERO),
        ("a rack of 40 boards of 20 sensors over a day", all, 1, 60 * minute),
        ("a rack of 40 boards of 20 sensors over a day", all, 1, 5 * minute),
        ("a rack of 40 boards of 20 sensors over a day", all, 1, Duration::ZERO),
    ] {
        let mut rounds = Vec::new();
        let mut points = 0;
        for _ in 0..ROUNDS {
            let (elapsed, count) = ask(&history, &fleet, series, days, step).await;
            rounds.push(elapsed.as_secs_f64() * 1e3);
            points = count;
        }
        let step =
            if step.is_zero() { "every sample".to_owned() } else { format!("{} min", step.as_secs() / 60) };
        writeln!(out, "| {what} | {step} | {points} | {:.1} ms |", median(rounds))?;
    }
    Ok(())
}

async fn ask(
    history: &History,
    fleet: &Fleet,
    series: usize,
    days: i64,
    step: Duration,
) -> (Duration, usize) {
    let at = |time: i64| Timestamp::from_millisecond(START + time).expect("a time of this century");
    let query = HistoryQuery {
        series: fleet.keys()[..series].to_vec(),
        from: at(NOW - days * DAY),
        to: at(NOW),
        step,
        limit: 10_000_000,
    };
    let begun = Instant::now();
    let tracks = history.query(query).await.expect("an answer");
    (begun.elapsed(), tracks.iter().map(|track| track.points.len()).sum())
}
