//! What boards and devices say, as gauges: numbers with stable names, in base units, with labels. Whoever collects them in
//! whatever form gets the same ones. It knows none of these forms, and asks no equipment.
//!
//! Most gauges are those of few boards. What a board has is noted once, so that none of them costs anything elsewhere.

mod label;
mod said;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opendcre_model::{BoardId, Device, DeviceAddress, DeviceKind, Health, Quantity};

use crate::{Answering, BoardRecord, Condition, Gateway, Known, NodeRange, RangeError, View};
pub use label::{Label, LabelValue, UNIT, board_labels, device_labels};
use said::{Contents, Said};

/// Numbers that go up and down, of boards or devices.
#[derive(Debug)]
pub struct Gauge {
    /// Its name, which ends with the unit, and stays.
    pub name: &'static str,
    /// The unit with which the name ends; empty for plain numbers.
    pub unit: &'static str,
    /// The same unit in the Unified Code for Units of Measure (version 2.1); empty where a number has none, or points have
    /// one of their own.
    pub ucum: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    tell: Tell,
}

/// A number of a gauge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GaugeValue {
    /// A count, a state, or yes and no.
    Whole(u64),
    /// In the unit of the gauge.
    Real(f64),
}

/// When something was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// By the clock that everything is recorded by.
    pub time: Timestamp,
    /// How long ago that is, whatever the clock said meanwhile.
    pub age: Duration,
}

/// A number of a gauge, and what it is about.
#[derive(Debug, Clone, Copy)]
pub struct GaugePoint<'a> {
    /// The board.
    pub board: &'a BoardRecord,
    /// Its device; nothing if the number is about the board.
    pub device: Option<&'a Device>,
    /// The unit of this number, if each has one of its own.
    pub unit: Option<&'a str>,
    /// The number.
    pub value: GaugeValue,
    /// When it was measured; nothing if it is as of now.
    pub measured: Option<Measured>,
}

/// The gauges of some boards as they are when they are asked.
pub struct Gauges {
    view: View,
    kinds: Vec<DeviceKind>,
    boards: Vec<Row>,
}

/// A board.
struct Row {
    board: Arc<BoardRecord>,
    /// Whether it answers; nothing if nobody has asked it yet.
    is_up: Option<bool>,
    /// How old its values may become until they are not shown any more.
    stale: Duration,
    contents: Contents,
}

/// A number, and when it was measured unless it is as of now.
type Told = (GaugeValue, Option<Measured>);

/// How something is told.
#[derive(Debug)]
enum Tell {
    /// Of a board.
    Board(fn(&Gauges, &Row) -> Option<GaugeValue>),
    /// Of each device of boards that have this.
    Device(Contents, fn(&Gauges, &Said<'_>) -> Option<Told>),
    /// Of everything that has a unit of its own.
    Others,
}

impl Gauge {
    /// All of them, in the order in which they are told.
    pub const ALL: &'static [Self] = &ALL;

    const fn new(
        name: &'static str,
        [unit, ucum]: [&'static str; 2],
        help: &'static str,
        tell: Tell,
    ) -> Self {
        Self { name, unit, ucum, help, tell }
    }
}

/// A number without a unit.
const PLAIN: [&str; 2] = ["", ""];
/// A ratio has the unit 1.
const RATIO: [&str; 2] = ["ratio", "1"];

static ALL: [Gauge; 16] = [
    Gauge::new(
        "opendcre_up",
        PLAIN,
        "Whether the board answered when it was asked last.",
        Tell::Board(|_, row| row.is_up.map(GaugeValue::from)),
    ),
    Gauge::new(
        "opendcre_board_condition",
        PLAIN,
        "How the board is: 0 ok, 1 warning, 2 critical, 3 failed, 4 it does not answer.",
        Tell::Board(|gauges, row| condition(gauges.view.condition(&row.board))),
    ),
    Gauge::new(
        "opendcre_health",
        PLAIN,
        "How the device is: 0 ok, 1 warning, 2 critical, 3 failed.",
        Tell::Device(Contents::QUESTION, |gauges, said| {
            let address = DeviceAddress { board: said.row.board.id, device: said.device.id };
            gauges.view.device_health(address).map(|told| (health(told), None))
        }),
    ),
    Gauge::new(
        "opendcre_temperature_celsius",
        ["celsius", "Cel"],
        "Temperature.",
        Tell::Device(Contents::TEMPERATURE, |_, said| said.value(&Quantity::TemperatureCelsius, 1.0)),
    ),
    Gauge::new(
        "opendcre_humidity_ratio",
        RATIO,
        "Relative humidity, from 0 to 1.",
        Tell::Device(Contents::HUMIDITY, |_, said| said.value(&Quantity::HumidityPercent, 0.01)),
    ),
    Gauge::new(
        "opendcre_pressure_pascals",
        ["pascals", "Pa"],
        "Pressure.",
        Tell::Device(Contents::PRESSURE, |_, said| said.value(&Quantity::PressureKilopascals, 1e3)),
    ),
    Gauge::new(
        "opendcre_speed_rpm",
        // As an annotation: of `/min`, collectors would make a part of the name.
        ["rpm", "{rpm}"],
        "Speed of a fan, in revolutions per minute.",
        Tell::Device(Contents::SPEED, |_, said| said.value(&Quantity::SpeedRpm, 1.0)),
    ),
    Gauge::new(
        "opendcre_voltage_volts",
        ["volts", "V"],
        "Voltage.",
        Tell::Device(Contents::VOLTAGE, |_, said| said.value(&Quantity::VoltageVolts, 1.0)),
    ),
    Gauge::new(
        "opendcre_current_amperes",
        ["amperes", "A"],
        "Electric current.",
        Tell::Device(Contents::CURRENT, |_, said| said.value(&Quantity::CurrentAmperes, 1.0)),
    ),
    Gauge::new(
        "opendcre_power_watts",
        ["watts", "W"],
        "Electric power.",
        Tell::Device(Contents::POWER, |_, said| said.value(&Quantity::PowerWatts, 1.0)),
    ),
    Gauge::new(
        "opendcre_charge_ratio",
        RATIO,
        "How full a battery is, from 0 to 1.",
        Tell::Device(Contents::CHARGE, |_, said| said.charge()),
    ),
    Gauge::new(
        "opendcre_sensor_value",
        PLAIN,
        "What a sensor measures in the unit that its label names.",
        Tell::Others,
    ),
    Gauge::new(
        "opendcre_power_on",
        PLAIN,
        "Whether the device is switched on.",
        Tell::Device(Contents::SWITCH, |_, said| said.is_on()),
    ),
    Gauge::new(
        "opendcre_led_on",
        PLAIN,
        "Whether the lamp is on.",
        Tell::Device(Contents::LAMP, |_, said| said.is_lit()),
    ),
    Gauge::new(
        "opendcre_reading_up",
        PLAIN,
        "Whether the device told all that is read of it, and not too long ago.",
        Tell::Device(Contents::QUESTION, |_, said| said.is_up().map(|is_up| (is_up.into(), None))),
    ),
    Gauge::new(
        "opendcre_reading_age_seconds",
        ["seconds", "s"],
        "How long ago the device answered.",
        Tell::Device(Contents::QUESTION, |_, said| said.age().map(|age| (age.into(), None))),
    ),
];

impl Gauges {
    /// The gauges of those boards in `view` that are in one of these racks, and of their devices of one of these kinds;
    /// without racks and kinds, all of them.
    #[must_use]
    pub fn of(view: View, racks: &[String], kinds: Vec<DeviceKind>) -> Self {
        let mut boards = view.boards();
        boards.retain(|board| racks.is_empty() || racks.contains(&board.rack));
        Self::of_boards(view, boards, kinds)
    }

    fn of_boards(view: View, boards: Vec<Arc<BoardRecord>>, kinds: Vec<DeviceKind>) -> Self {
        let answering = view.answering();
        let mut gauges = Self { view, kinds, boards: Vec::new() };
        gauges.boards = boards.into_iter().map(|board| gauges.row(board, &answering)).collect();
        gauges
    }

    /// How many boards there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.boards.len()
    }

    /// Whether there is no board.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.boards.is_empty()
    }

    /// Lets `tell` have every number that the board at `index` and its devices have of `gauge`.
    pub fn each(&self, index: usize, gauge: &Gauge, mut tell: impl FnMut(GaugePoint<'_>)) {
        let Some(row) = self.boards.get(index) else { return };
        let of_board = GaugePoint {
            board: &row.board,
            device: None,
            unit: None,
            value: GaugeValue::Whole(0),
            measured: None,
        };
        match &gauge.tell {
            Tell::Board(value) => {
                if let Some(value) = value(self, row) {
                    tell(GaugePoint { value, ..of_board });
                }
            }
            Tell::Device(needed, told) if row.contents.has(*needed) => self.each_device(row, |said| {
                if let Some((value, measured)) = told(self, said) {
                    tell(GaugePoint { device: Some(said.device), value, measured, ..of_board });
                }
            }),
            Tell::Others if row.contents.has(Contents::OTHER) => self.each_device(row, |said| {
                said.each_other(|unit, (value, measured)| {
                    tell(GaugePoint {
                        device: Some(said.device),
                        unit: Some(unit),
                        value,
                        measured,
                        ..of_board
                    });
                });
            }),
            Tell::Device(..) | Tell::Others => {}
        }
    }

    fn each_device(&self, row: &Row, mut tell: impl FnMut(&Said<'_>)) {
        let known = self.known(&row.board);
        for answers in known.chunk_by(|one, next| one.device.id == next.device.id) {
            let Some(Known { device, .. }) = answers.first() else { continue };
            tell(&Said { row, device, answers });
        }
    }

    fn row(&self, board: Arc<BoardRecord>, answering: &HashMap<BoardId, Answering>) -> Row {
        let answering = answering.get(&board.id);
        let contents = |known: &Known<'_>| {
            let said = known.latest.as_ref().map(|latest| Contents::of(&latest.observation));
            said.unwrap_or_default().and(Contents::QUESTION)
        };
        let known = self.known(&board);
        let contents = known.iter().map(contents).fold(Contents::default(), Contents::and);
        Row { is_up: board.is_up(answering), stale: Answering::stale(answering), contents, board }
    }

    /// What is known of the devices of `board` that are selected.
    fn known<'a>(&self, board: &'a BoardRecord) -> Vec<Known<'a>> {
        let mut known = self.view.known(board);
        if !self.kinds.is_empty() {
            known.retain(|known| self.kinds.contains(&known.device.kind));
        }
        known
    }
}

impl Gateway {
    /// The gauges of the boards of a node range, or of all boards, for what the configuration has them sent to: nobody asks,
    /// so that there is nobody whose rights could count.
    ///
    /// # Errors
    /// When the range names something that is not there, or names nothing.
    pub fn gauges(&self, nodes: Option<&NodeRange>) -> Result<Gauges, RangeError> {
        let view = self.own_view();
        let boards = match nodes {
            Some(range) => self.within(range)?,
            None => view.boards(),
        };
        Ok(Gauges::of_boards(view, boards, Vec::new()))
    }
}

impl From<bool> for GaugeValue {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<Duration> for GaugeValue {
    /// In seconds. Nobody measures them by the nanosecond, and short texts are quick to send.
    fn from(value: Duration) -> Self {
        Self::Real(value.as_millis() as f64 / 1e3)
    }
}

fn condition(condition: Condition) -> Option<GaugeValue> {
    Some(GaugeValue::Whole(match condition {
        Condition::Unknown => return None,
        Condition::Ok => 0,
        Condition::Warning => 1,
        Condition::Critical => 2,
        Condition::Failed => 3,
        Condition::Missing => 4,
    }))
}

const fn health(health: Health) -> GaugeValue {
    GaugeValue::Whole(match health {
        Health::Ok => 0,
        Health::Warning => 1,
        Health::Critical => 2,
        Health::Failed => 3,
    })
}
