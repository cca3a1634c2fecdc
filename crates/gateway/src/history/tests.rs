//! Histories that are asked what was given to them, through restarts and jumps of the clock.

mod keep;
mod luck;
mod outage;

use std::collections::BTreeMap;
use std::ops::Range;

use opendcre_model::{DeviceId, Quantity};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

const HOUR: i64 = 3_600_000;

/// A time of day that stands still.
struct StillClock(Timestamp);

impl WallClock for StillClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// A folder with the path of a history in it.
struct Room {
    folder: TempDir,
    path: PathBuf,
    settings: HistorySettings,
    limits: Limits,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let settings = HistorySettings { commit: Duration::from_secs(3_600), ..HistorySettings::default() };
        Self { folder, path, settings, limits: Limits::default() }
    }

    fn try_open(&self) -> Result<(History, Option<SetAside>), HistoryError> {
        let clock = Arc::new(StillClock(Timestamp::UNIX_EPOCH));
        History::open_with(&self.path, self.settings, clock, self.limits)
    }

    /// Opens a history that must be in order.
    fn open(&self) -> History {
        let (history, set_aside) = self.try_open().unwrap();
        assert_eq!((set_aside, history.health()), (None, Ok(())));
        history
    }

    /// Writes to a closed file.
    fn execute(&self, statement: &str) {
        rusqlite::Connection::open(&self.path).unwrap().execute_batch(statement).unwrap();
    }
}

fn key(device: u16) -> SeriesKey {
    SeriesKey {
        board: BoardId(0x4000_0001),
        device: DeviceId(device),
        quantity: Quantity::TemperatureCelsius,
    }
}

fn sample(device: u16, time: i64, value: f64) -> Sample {
    Sample { key: key(device), time: Timestamp::from_millisecond(time).unwrap(), value }
}

fn question(devices: &[u16], time: Range<i64>, step: Duration) -> HistoryQuery {
    HistoryQuery {
        series: devices.iter().copied().map(key).collect(),
        from: Timestamp::from_millisecond(time.start).unwrap(),
        to: Timestamp::from_millisecond(time.end).unwrap(),
        step,
        limit: 1_000_000,
    }
}

/// All points of one sensor in milliseconds: time, smallest, largest, mean, count.
type Points = Vec<(i64, f64, f64, f64, u32)>;

async fn ask(history: &History, device: u16, time: Range<i64>, step: Duration) -> Points {
    let mut tracks = history.query(question(&[device], time, step)).await.unwrap();
    let track = tracks.pop().unwrap();
    assert_eq!(track.key, key(device));
    let point = |point: Point| (point.time.as_millisecond(), point.min, point.max, point.avg, point.count);
    track.points.into_iter().map(point).collect()
}

async fn raw(history: &History, device: u16, time: Range<i64>) -> Vec<(i64, f64)> {
    let points = ask(history, device, time, Duration::ZERO).await;
    points.into_iter().map(|(time, value, ..)| (time, value)).collect()
}

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that happens in another thread.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let reached = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{what} never happened"));
}

/// What a history must answer, by a plain table.
#[derive(Default)]
struct Model(BTreeMap<i64, f64>);

impl Model {
    fn points(&self, time: Range<i64>, step: i64) -> Points {
        let mut points: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (time, value) in self.0.range(time) {
            points.entry(time.div_euclid(step) * step).or_default().push(*value);
        }
        let point = |(time, values): (i64, Vec<f64>)| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let (min, max) = (
                values.iter().copied().fold(f64::MAX, f64::min),
                values.iter().copied().fold(f64::MIN, f64::max),
            );
            (time, min, max, mean, u32::try_from(values.len()).unwrap())
        };
        points.into_iter().map(point).collect()
    }
}

fn assert_alike(found: &Points, expected: &Points) {
    let without_mean = |points: &Points| {
        points.iter().map(|(time, min, max, _, count)| (*time, *min, *max, *count)).collect::<Vec<_>>()
    };
    assert_eq!(without_mean(found), without_mean(expected));
    for (found, expected) in found.iter().zip(expected) {
        assert!((found.3 - expected.3).abs() <= 1e-9, "{found:?} {expected:?}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Samples of a steady pace from this time on.
    Record {
        start: i64,
        pace: i64,
        values: Vec<i32>,
    },
    Flush,
    Seal,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let record = (0..30 * HOUR, 500..400_000_i64, prop::collection::vec(-300..300, 1..60));
    let step = prop_oneof![
        4 => record.prop_map(|(start, pace, values)| Step::Record { start, pace, values }),
        1 => Just(Step::Flush),
        2 => Just(Step::Seal),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The clock jumps with every batch, and two batches may overlap.
    #[test]
    fn a_history_answers_like_a_plain_table(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let room = Room::new();
            let mut history = room.open();
            let mut model = Model::default();
            for step in steps {
                match step {
                    Step::Record { start, pace, values } => {
                        let times = (0..).map(|index| start + index * pace);
                        for (time, value) in times.zip(values) {
                            let value = f64::from(value) / 10.0;
                            history.record([sample(1, time, value), sample(2, time, -value)]);
                            model.0.insert(time, value);
                        }
                    }
                    Step::Flush => history.flush().await.unwrap(),
                    Step::Seal => history.writer.seal().await.unwrap(),
                    Step::Restart => {
                        drop(history);
                        history = room.open();
                    }
                }
                let all = -HOUR..60 * HOUR;
                for step in [1_i64, 1_000, 60_000, 300_000, HOUR, 24 * HOUR] {
                    let asked = Duration::from_millis(step.unsigned_abs());
                    assert_alike(&ask(&history, 1, all.clone(), asked).await, &model.points(all.clone(), step));
                }
                // Also where chunks begin and end within.
                let part = 5 * HOUR..9 * HOUR;
                assert_alike(&ask(&history, 1, part.clone(), Duration::ZERO).await, &model.points(part.clone(), 1));
                assert_alike(&ask(&history, 1, part.clone(), Duration::from_secs(3_600)).await, &model.points(part, HOUR));
            }
            let statistics = history.statistics();
            assert_eq!((statistics.lost, statistics.damaged), (0, 0));
        });
    }
}

#[tokio::test]
async fn series_are_known_by_their_boards() {
    let room = Room::new();
    let history = room.open();
    let other = Sample { key: SeriesKey { board: BoardId(7), ..key(1) }, ..sample(1, 0, 1.0) };
    history.record([sample(2, 0, 1.0), other.clone(), sample(1, 0, 1.0), sample(2, 5, 1.0)]);
    drop(history);
    let history = room.open();
    assert_eq!(history.series(BoardId(0x4000_0001)), [key(2), key(1)]);
    assert_eq!(history.series(BoardId(7)), [other.key]);
    assert_eq!(history.series(BoardId(8)), []);
    let tracks = history.query(question(&[9], 0..HOUR, Duration::ZERO)).await.unwrap();
    assert_eq!(tracks, [Track { key: key(9), points: Vec::new() }]);
}

#[tokio::test]
async fn the_finest_that_is_still_kept_is_shown() {
    let room = Room::new();
    let history = room.open();
    for time in (0..48 * HOUR).step_by(30_000) {
        history.record([sample(1, time, 1.0)]);
    }
    history.writer.seal().await.unwrap();
    drop(history);
    // Raw samples of the first day, and minutes of its first half.
    let day = |resolution, hours: i64| {
        let end = super::database::keys(resolution, 0..hours / 2).end;
        let start = super::database::keys(resolution, 0..1).start;
        format!("DELETE FROM chunk WHERE id >= {start} AND id < {end};")
    };
    room.execute(&(day(rollup::Resolution::Raw, 24) + &day(rollup::Resolution::Minute, 12)));
    let history = room.open();
    let points = ask(&history, 1, 0..48 * HOUR, Duration::ZERO).await;
    assert_eq!(points.len(), 12 + 12 * 60 + 24 * 120);
    assert_eq!(points.iter().map(|point| point.4).sum::<u32>(), 48 * 120);
    assert!(points.is_sorted_by_key(|point| point.0));
    assert_eq!(ask(&history, 1, 0..48 * HOUR, Duration::from_secs(3_600)).await.len(), 48);

    // A late sample of a time whose samples are forgotten adds to what is known of it.
    history.record([sample(1, 90_000, 4.0)]);
    for _ in 0..2 {
        let hours = ask(&history, 1, 0..HOUR, Duration::from_secs(3_600)).await;
        assert_eq!((hours[0].2, hours[0].4), (4.0, 121));
        history.writer.seal().await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_is_never_longer_than_was_asked_for() {
    let room = Room::new();
    let history = room.open();
    history.record((0..100).map(|time| sample(1, time, 1.0)));
    let mut question = question(&[1], 0..HOUR, Duration::ZERO);
    question.limit = 100;
    assert_eq!(history.query(question.clone()).await.unwrap()[0].points.len(), 100);
    question.limit = 99;
    assert!(matches!(history.query(question.clone()).await, Err(HistoryError::TooMuch { limit: 99 })));
    question.step = Duration::from_secs(1);
    assert_eq!(history.query(question).await.unwrap()[0].points[0].count, 100);
}

#[tokio::test]
async fn steps_are_whole_minutes_or_hours() {
    let room = Room::new();
    let history = room.open();
    history.record((0..600).map(|second| sample(1, second * 1_000, 1.0)));
    let counts = |points: Points| points.into_iter().map(|point| point.4).collect::<Vec<_>>();
    assert_eq!(counts(ask(&history, 1, 0..HOUR, Duration::from_secs(90)).await), [120; 5]);
    assert_eq!(counts(ask(&history, 1, 0..HOUR, Duration::from_secs(3_601)).await), [600]);
    assert_eq!(counts(ask(&history, 1, 0..HOUR, Duration::MAX).await), [600]);
    assert!(ask(&history, 1, HOUR..HOUR, Duration::MAX).await.is_empty());
}

#[tokio::test]
async fn any_time_that_there_is_can_be_recorded() {
    let room = Room::new();
    let history = room.open();
    let ends = [Timestamp::MIN, Timestamp::MAX].map(|end| end.as_second() * 1_000);
    history.record(ends.map(|time| sample(1, time, 1.0)));
    for _ in 0..2 {
        let hours = ask(&history, 1, ends[0]..ends[1], Duration::from_secs(3_600)).await;
        assert_eq!(hours.len(), 1);
        assert_eq!(raw(&history, 1, ends[0]..ends[1]).await, [(ends[0], 1.0)]);
        history.writer.seal().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_finite_number_is_lost() {
    let room = Room::new();
    let history = room.open();
    history.record([sample(1, 0, f64::NAN), sample(1, 0, f64::INFINITY), sample(1, 0, 1.0)]);
    let statistics = history.statistics();
    assert_eq!((statistics.recorded, statistics.lost, statistics.unwritten), (3, 2, 1));
}
