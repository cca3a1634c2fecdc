//! Sensors that move as those of servers do, and answer a little late.

use jiff::Timestamp;
use opendcre_gateway::{Sample, SeriesKey};
use opendcre_model::{BoardId, DeviceId, Quantity};

/// The sensors of one board.
pub(crate) const SENSORS: u16 = 20;
/// How often each is read, in milliseconds.
pub(crate) const PACE: i64 = 30_000;
/// When the first sample is measured: at the beginning of the two hours of a chunk.
pub(crate) const START: i64 = 1_760_004_000_000;
/// The time of a chunk, in milliseconds.
pub(crate) const CHUNK: i64 = 2 * 3_600_000;

/// How a sensor moves: between two values, in steps of so many digits after the point.
#[derive(Clone, Copy)]
struct Motion {
    quantity: fn() -> Quantity,
    /// The step as a whole number, and the digits of it after the point.
    step: i64,
    digits: i32,
    /// One in so many readings is another value than the one before.
    rest: u64,
    /// The most steps at once.
    steps: u64,
}

/// Eight temperatures, four fans, six voltages and two meters, as an ordinary server has them.
const MOTIONS: [Motion; 4] = [
    Motion { quantity: || Quantity::TemperatureCelsius, step: 1, digits: 0, rest: 6, steps: 1 },
    Motion { quantity: || Quantity::SpeedRpm, step: 75, digits: 0, rest: 2, steps: 3 },
    Motion { quantity: || Quantity::VoltageVolts, step: 6, digits: 2, rest: 4, steps: 1 },
    Motion { quantity: || Quantity::PowerWatts, step: 1, digits: 0, rest: 1, steps: 8 },
];

/// Boards with their sensors, and what each said last.
pub(crate) struct Fleet {
    keys: Vec<SeriesKey>,
    values: Vec<i64>,
    chance: u64,
}

impl Fleet {
    pub(crate) fn new(boards: u32) -> Self {
        let sensors = (1..=boards).flat_map(|board| (0..SENSORS).map(move |sensor| (board, sensor)));
        let key = |(board, sensor): (u32, u16)| SeriesKey {
            board: BoardId(0x4000_0000 + board),
            device: DeviceId(sensor),
            quantity: (motion(sensor).quantity)(),
        };
        let keys: Vec<SeriesKey> = sensors.map(key).collect();
        Self { values: vec![200; keys.len()], keys, chance: 1 }
    }

    pub(crate) fn keys(&self) -> &[SeriesKey] {
        &self.keys
    }

    /// What the sensors say whose turn is in this part of a pace, the boards one after the other.
    pub(crate) fn read(&mut self, begin: i64, length: i64) -> Vec<Sample> {
        let boards = self.keys.len() as i64 / i64::from(SENSORS);
        let (first, last) = ((begin % PACE) * boards / PACE, (begin % PACE + length) * boards / PACE);
        (first..last).flat_map(|board| self.read_board(board, begin - begin % PACE)).collect()
    }

    fn read_board(&mut self, board: i64, pace: i64) -> Vec<Sample> {
        let boards = self.keys.len() as i64 / i64::from(SENSORS);
        // All sensors are read one after the other, each answer a few milliseconds after the one before.
        let mut time = START + pace + board * PACE / boards;
        let sample = |sensor: u16| {
            time += 1 + i64::try_from(self.draw(6)).expect("a small number");
            let index = usize::try_from(board).expect("a board") * usize::from(SENSORS) + usize::from(sensor);
            let value = self.next_value(index, motion(sensor));
            Sample {
                key: self.keys[index].clone(),
                time: Timestamp::from_millisecond(time).expect("a time of this century"),
                value,
            }
        };
        (0..SENSORS).map(sample).collect()
    }

    fn next_value(&mut self, index: usize, motion: Motion) -> f64 {
        if self.draw(motion.rest) == 0 {
            let steps = i64::try_from(self.draw(2 * motion.steps + 1)).expect("few steps");
            let moved = self.values[index] + steps - i64::try_from(motion.steps).expect("few steps");
            self.values[index] = moved.clamp(150, 250);
        }
        (self.values[index] * motion.step) as f64 / 10_f64.powi(motion.digits)
    }

    /// One of so many, the same in every run (Knuth's linear congruential generator).
    fn draw(&mut self, of: u64) -> u64 {
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % of
    }
}

fn motion(sensor: u16) -> Motion {
    match sensor {
        0..8 => MOTIONS[0],
        8..12 => MOTIONS[1],
        12..18 => MOTIONS[2],
        _ => MOTIONS[3],
    }
}
