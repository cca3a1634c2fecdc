//! Takes a reading every so often. Knows time, but neither the network nor the form of a reading.

use std::pin::pin;
use std::time::Duration;

use opendcre_model::WallClock;
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::WatchArgs;
use crate::exit::Exit;

use super::{Answer, ClientError, Console};

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
/// end the watch; the exit is that of the last reading.
///
/// # Errors
/// Only when nothing can be printed any more.
pub(super) async fn run(
    schedule: Schedule,
    stop: impl Future<Output = ()>,
    clock: &dyn WallClock,
    mut read: impl AsyncFnMut() -> Result<Answer, ClientError>,
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
            () = &mut stop => break,
            reading = next => reading,
        };
        last = match reading {
            Ok(answer) => {
                console.reading(clock.now(), answer)?;
                Exit::Done
            }
            Err(error) => console.report(&error),
        };
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use jiff::Timestamp;
    use tokio::time::{Instant, sleep};

    use crate::cli::OutputFormat;

    use super::*;

    /// A clock that follows tokio's paused time.
    struct PausedClock(Instant);

    impl WallClock for PausedClock {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH + self.0.elapsed()
        }
    }

    fn raw(value: u32) -> Result<Answer, ClientError> {
        Answer::parse(&format!(r#"{{"device_raw": {value}}}"#))
    }

    fn busy() -> Result<Answer, ClientError> {
        Err(ClientError::Refused { status: 503, code: None, message: "busy".to_owned() })
    }

    /// Watches every five seconds; each scripted reading takes the time beside it. Returns what was printed.
    async fn watch(
        count: Option<u64>,
        stop: impl Future<Output = ()>,
        readings: impl IntoIterator<Item = (Duration, Result<Answer, ClientError>)>,
    ) -> (Exit, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console::new(OutputFormat::Table, &mut out, &mut err);
        let schedule = Schedule { interval: Duration::from_secs(5), count };
        let mut readings: VecDeque<_> = readings.into_iter().collect();
        let read = async || {
            let (took, reading) = readings.pop_front().unwrap();
            sleep(took).await;
            reading
        };
        let exit = run(schedule, stop, &PausedClock(Instant::now()), read, &mut console).await.unwrap();
        (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_reading_is_reported_and_the_next_one_taken() {
        let readings = [raw(1), busy(), raw(3)].map(|reading| (Duration::ZERO, reading));
        let (exit, out, err) = watch(Some(3), std::future::pending(), readings).await;
        assert_eq!(exit, Exit::Done);
        assert_eq!(out, "1970-01-01T00:00:00.000Z  device_raw=1\n1970-01-01T00:00:10.000Z  device_raw=3\n");
        assert_eq!(err, "error: busy (HTTP 503)\n");
    }

    #[tokio::test(start_paused = true)]
    async fn the_exit_is_that_of_the_last_reading() {
        let readings = [raw(1), busy()].map(|reading| (Duration::ZERO, reading));
        let (exit, ..) = watch(Some(2), std::future::pending(), readings).await;
        assert_eq!(exit, Exit::Busy);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reading_does_not_hurry_the_following_ones() {
        let readings = [(12, 1), (0, 2), (0, 3)].map(|(took, value)| (Duration::from_secs(took), raw(value)));
        let (_, out, _) = watch(Some(3), std::future::pending(), readings).await;
        assert_eq!(
            out,
            "1970-01-01T00:00:12.000Z  device_raw=1\n\
             1970-01-01T00:00:12.000Z  device_raw=2\n\
             1970-01-01T00:00:17.000Z  device_raw=3\n"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupt_ends_the_watch_even_within_a_reading() {
        let readings = [(Duration::ZERO, raw(1)), (Duration::from_secs(60), raw(2))];
        let (exit, out, err) = watch(None, sleep(Duration::from_secs(8)), readings).await;
        assert_eq!((exit, err.as_str()), (Exit::Done, ""));
        assert_eq!(out, "1970-01-01T00:00:00.000Z  device_raw=1\n");
    }
}
