//! Takes a reading every so often. Knows time, but neither the network nor the form of a reading.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::cli::WatchArgs;
use crate::exit::Exit;

use super::reading::{self, Readings};
use super::{ClientError, Console};

/// When to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// From the start of one reading to the start of the next; longer when a reading takes longer.
    pub(super) interval: Duration,
    /// How many readings to take; `None` for no end.
    pub(super) count: Option<u64>,
}

impl From<&WatchArgs> for Schedule {
    fn from(args: &WatchArgs) -> Self {
        Self { interval: args.interval, count: args.count }
    }
}

/// Reads and prints until the schedule is done or `stop` resolves. A reading that fails is reported and does not
/// end the watch. The exit is that of the last reading; to stop a watch without an end is no failure, whatever it saw.
///
/// # Errors
/// Only when nothing can be printed any more.
pub(super) async fn run(
    schedule: Schedule,
    stop: impl Future<Output = ()>,
    mut read: impl AsyncFnMut() -> Result<Readings, ClientError>,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let mut stop = pin!(stop);
    let mut ticks = interval(schedule.interval);
    // A slow reading shifts the following ones: a server in trouble must not be asked faster to catch up.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Exit::Done;
    for _ in 0..schedule.count.unwrap_or(u64::MAX) {
        let next = async {
            ticks.tick().await;
            read().await
        };
        let reading = tokio::select! {
            biased;
            () = &mut stop => return Ok(Exit::Done),
            reading = next => reading,
        };
        last = match reading {
            Ok(readings) => print(readings, console)?,
            Err(error) => console.report(&error),
        };
    }
    Ok(last)
}

/// Prints one round, a line for each reading.
fn print(readings: Readings, console: &mut Console<'_>) -> Result<Exit, ClientError> {
    for item in &readings.items {
        if console.is_for_programs() {
            console.json(item)?;
        } else {
            console.line(&reading::line(item)?)?;
        }
    }
    console.failures(readings.failures)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::time::sleep;

    use crate::cli::OutputFormat;
    use crate::client::Answer;
    use crate::client::console::Style;
    use crate::client::failure::Failure;
    use crate::client::problem::Problem;

    use super::*;

    const FAILURE: &str = r#"{"board":"00000011","board_name":"b","device":"01ff","device_name":null,"kind":"led",
        "code":"timeout","message":"no answer"}"#;

    /// A reading at that second, and a failure beside it if there is one.
    fn round(second: u8, failure: Option<&str>) -> Result<Readings, ClientError> {
        let json = format!(
            r#"{{"board":"00000010","board_name":"a","rack":"r","device":"01ff","device_name":null,"kind":"fan_speed",
               "values":[{{"quantity":"speed","value":{second}0,"unit":"rpm"}}],"power_state":null,"states":[],
               "health":null,"quality":"good","time":"2026-05-01T00:00:0{second}Z"}}"#
        );
        let failures = failure.map(|json| Failure::read(Answer::parse(json).unwrap()).unwrap());
        Ok(Readings { items: vec![Answer::parse(&json).unwrap()], failures: failures.into_iter().collect() })
    }

    fn busy() -> Result<Readings, ClientError> {
        let problem = Box::new(Problem::unexplained("busy".to_owned()));
        Err(ClientError::Refused { status: 503, problem })
    }

    /// Watches every five seconds; each scripted round takes the time beside it. Returns how it ended, after which time,
    /// and what was printed.
    async fn watch(
        count: Option<u64>,
        stop: impl Future<Output = ()>,
        rounds: impl IntoIterator<Item = (u64, Result<Readings, ClientError>)>,
    ) -> (Exit, u64, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let style = Style { format: OutputFormat::Table, fold: true, progress: false };
        let mut console = Console::new(style, &mut out, &mut err, None);
        let schedule = Schedule { interval: Duration::from_secs(5), count };
        let mut rounds: VecDeque<_> = rounds.into_iter().collect();
        let read = async || {
            let (took, round) = rounds.pop_front().unwrap();
            sleep(Duration::from_secs(took)).await;
            round
        };
        let start = tokio::time::Instant::now();
        let exit = run(schedule, stop, read, &mut console).await.unwrap();
        let took = start.elapsed().as_secs();
        (exit, took, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_round_is_reported_and_the_next_one_taken() {
        let rounds = [(0, round(1, Some(FAILURE))), (0, busy()), (0, round(3, None))];
        let (exit, took, out, err) = watch(Some(3), std::future::pending(), rounds).await;
        assert_eq!((exit, took), (Exit::Done, 10));
        assert_eq!(
            out,
            "2026-05-01T00:00:01.000Z  a  01ff  10 rpm\n2026-05-01T00:00:03.000Z  a  01ff  30 rpm\n"
        );
        assert_eq!(err, "error: b 01ff: no answer (timeout)\nerror: busy (HTTP 503)\n");
    }

    #[tokio::test(start_paused = true)]
    async fn the_exit_is_that_of_the_last_round() {
        let (exit, ..) = watch(Some(2), std::future::pending(), [(0, round(1, None)), (0, busy())]).await;
        assert_eq!(exit, Exit::Busy);
        let (exit, ..) = watch(Some(1), std::future::pending(), [(0, round(1, Some(FAILURE)))]).await;
        assert_eq!(exit, Exit::Failed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_round_does_not_hurry_the_following_ones() {
        let rounds = [(12, round(1, None)), (0, round(2, None)), (0, round(3, None))];
        let (_, took, out, _) = watch(Some(3), std::future::pending(), rounds).await;
        assert_eq!((took, out.lines().count()), (17, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupt_ends_the_watch_even_within_a_round() {
        let rounds = [(0, round(1, Some(FAILURE))), (60, round(2, None))];
        let (exit, took, out, err) = watch(None, sleep(Duration::from_secs(8)), rounds).await;
        assert_eq!((exit, took, err.lines().count()), (Exit::Done, 8, 1));
        assert_eq!(out.lines().count(), 1);
    }
}
