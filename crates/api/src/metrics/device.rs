//! All that devices said: a family for each quantity in its base unit, how old it is, and how boards and devices are.
//!
//! Most families are those of few boards. What a board has is noted once, so that none of them costs anything elsewhere.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use opendcre_gateway::{Answering, BoardRecord, Condition, Known, Latest, View};
use opendcre_model::{
    BoardId, Capability, Device, DeviceAddress, DeviceKind, Health, Measurement, Observation, PowerState,
    Quality, Quantity,
};

use super::page::Table;
use super::text::{Family, Labels, Text, Value};

/// What is read without anybody asking.
const POLLED: [Capability; 2] = [Capability::Reading, Capability::PowerState];

/// Which devices are wanted.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Those in these racks; all if there are none.
    pub(super) racks: Vec<String>,
    /// Those of these kinds; all if there are none.
    pub(super) kinds: Vec<DeviceKind>,
}

/// The devices that somebody may look at.
pub(super) struct Devices {
    view: View,
    kinds: Vec<DeviceKind>,
    boards: Vec<Row>,
}

/// A board.
pub(super) struct Row {
    board: Arc<BoardRecord>,
    /// Whether it answers; nothing if nobody has asked it yet.
    is_up: Option<bool>,
    /// How old its values may become until they are not shown any more.
    stale: Duration,
    contents: Contents,
}

/// What is known of a board: a set of families.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Contents(u16);

/// What one device said that is asked one or a few questions.
pub(super) struct Said<'a> {
    row: &'a Row,
    device: &'a Device,
    answers: &'a [Known<'a>],
}

/// How something is told.
pub(super) enum Column {
    /// Of a board.
    Board(fn(&Devices, &Row) -> Option<Value>),
    /// Of each device of boards that have this.
    Device(Contents, fn(&Devices, &Said<'_>) -> Option<Value>),
    /// Of everything that has a unit of its own.
    Others,
}

impl Contents {
    const TEMPERATURE: Self = Self(1);
    const HUMIDITY: Self = Self(1 << 1);
    const PRESSURE: Self = Self(1 << 2);
    const SPEED: Self = Self(1 << 3);
    const VOLTAGE: Self = Self(1 << 4);
    const CURRENT: Self = Self(1 << 5);
    const POWER: Self = Self(1 << 6);
    const OTHER: Self = Self(1 << 7);
    const CHARGE: Self = Self(1 << 8);
    const SWITCH: Self = Self(1 << 9);
    const LAMP: Self = Self(1 << 10);
    /// Something that can be asked.
    const QUESTION: Self = Self(1 << 11);

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn of(observation: &Observation) -> Self {
        let own = match observation {
            Observation::Battery(_) => return Self::CHARGE,
            Observation::Led { .. } => return Self::LAMP,
            Observation::Power(_) => Self::SWITCH,
            _ => Self::default(),
        };
        observation.measurements().iter().map(Self::of_measurement).fold(own, Self::and)
    }

    const fn of_measurement(measurement: &Measurement) -> Self {
        match measurement.quantity {
            Quantity::TemperatureCelsius => Self::TEMPERATURE,
            Quantity::HumidityPercent => Self::HUMIDITY,
            Quantity::PressureKilopascals => Self::PRESSURE,
            Quantity::SpeedRpm => Self::SPEED,
            Quantity::VoltageVolts => Self::VOLTAGE,
            Quantity::CurrentAmperes => Self::CURRENT,
            Quantity::PowerWatts => Self::POWER,
            Quantity::Other(_) => Self::OTHER,
        }
    }
}

static COLUMNS: [(Family, Column); 16] = [
    (
        Family::gauge("opendcre_up", "", "Whether the board answered when it was asked last."),
        Column::Board(|_, row| row.is_up.map(Value::from)),
    ),
    (
        Family::gauge(
            "opendcre_board_condition",
            "",
            "How the board is: 0 ok, 1 warning, 2 critical, 3 failed, 4 it does not answer.",
        ),
        Column::Board(|devices, row| condition(devices.view.condition(&row.board))),
    ),
    (
        Family::gauge("opendcre_health", "", "How the device is: 0 ok, 1 warning, 2 critical, 3 failed."),
        Column::Device(Contents::QUESTION, |devices, said| {
            let address = DeviceAddress { board: said.row.board.id, device: said.device.id };
            devices.view.device_health(address).map(health)
        }),
    ),
    (
        Family::gauge("opendcre_temperature_celsius", "celsius", "Temperature."),
        Column::Device(Contents::TEMPERATURE, |_, said| said.value(&Quantity::TemperatureCelsius, 1.0)),
    ),
    (
        Family::gauge("opendcre_humidity_ratio", "ratio", "Relative humidity, from 0 to 1."),
        Column::Device(Contents::HUMIDITY, |_, said| said.value(&Quantity::HumidityPercent, 0.01)),
    ),
    (
        Family::gauge("opendcre_pressure_pascals", "pascals", "Pressure."),
        Column::Device(Contents::PRESSURE, |_, said| said.value(&Quantity::PressureKilopascals, 1e3)),
    ),
    (
        Family::gauge("opendcre_speed_rpm", "rpm", "Speed of a fan, in revolutions per minute."),
        Column::Device(Contents::SPEED, |_, said| said.value(&Quantity::SpeedRpm, 1.0)),
    ),
    (
        Family::gauge("opendcre_voltage_volts", "volts", "Voltage."),
        Column::Device(Contents::VOLTAGE, |_, said| said.value(&Quantity::VoltageVolts, 1.0)),
    ),
    (
        Family::gauge("opendcre_current_amperes", "amperes", "Electric current."),
        Column::Device(Contents::CURRENT, |_, said| said.value(&Quantity::CurrentAmperes, 1.0)),
    ),
    (
        Family::gauge("opendcre_power_watts", "watts", "Electric power."),
        Column::Device(Contents::POWER, |_, said| said.value(&Quantity::PowerWatts, 1.0)),
    ),
    (
        Family::gauge("opendcre_charge_ratio", "ratio", "How full a battery is, from 0 to 1."),
        Column::Device(Contents::CHARGE, |_, said| said.charge()),
    ),
    (
        Family::gauge(
            "opendcre_sensor_value",
            "",
            "What a sensor measures in the unit that its label names.",
        ),
        Column::Others,
    ),
    (
        Family::gauge("opendcre_power_on", "", "Whether the device is switched on."),
        Column::Device(Contents::SWITCH, |_, said| said.is_on()),
    ),
    (
        Family::gauge("opendcre_led_on", "", "Whether the lamp is on."),
        Column::Device(Contents::LAMP, |_, said| said.is_lit()),
    ),
    (
        Family::gauge(
            "opendcre_reading_up",
            "",
            "Whether the device told all that is read of it, and not too long ago.",
        ),
        Column::Device(Contents::QUESTION, |_, said| said.is_up().map(Value::from)),
    ),
    (
        Family::gauge("opendcre_reading_age_seconds", "seconds", "How long ago the device answered."),
        Column::Device(Contents::QUESTION, |_, said| said.age().map(Value::from)),
    ),
];

impl Devices {
    /// The devices in `view` that are selected.
    pub(super) fn of(view: View, selection: Selection) -> Self {
        let Selection { racks, kinds } = selection;
        let mut boards = view.boards();
        boards.retain(|board| racks.is_empty() || racks.contains(&board.rack));
        let answering = view.answering();
        let mut devices = Self { view, kinds, boards: Vec::new() };
        devices.boards = boards.into_iter().map(|board| devices.row(board, &answering)).collect();
        devices
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

    /// Lets `tell` write what each device said.
    fn each(&self, row: &Row, text: &mut Text, mut tell: impl FnMut(&Said<'_>, &mut Text)) {
        let known = self.known(&row.board);
        of_board(&mut text.labels, &row.board);
        let board = text.labels.mark();
        for answers in known.chunk_by(|one, next| one.device.id == next.device.id) {
            let Some(Known { device, .. }) = answers.first() else { continue };
            of_device(text.labels.back_to(board), device);
            tell(&Said { row, device, answers }, text);
        }
    }
}

impl Table for Devices {
    type Column = Column;

    fn columns() -> &'static [(Family, Column)] {
        &COLUMNS
    }

    fn len(&self) -> usize {
        self.boards.len()
    }

    fn write(&self, index: usize, column: &Column, text: &mut Text) {
        let Some(row) = self.boards.get(index) else { return };
        match column {
            Column::Board(tell) => {
                if let Some(value) = tell(self, row) {
                    of_board(&mut text.labels, &row.board);
                    text.sample(value);
                }
            }
            Column::Device(needed, tell) if row.contents.has(*needed) => {
                self.each(row, text, |said, text| {
                    if let Some(value) = tell(self, said) {
                        text.sample(value);
                    }
                });
            }
            Column::Others if row.contents.has(Contents::OTHER) => {
                self.each(row, text, |said, text| said.write_others(text));
            }
            Column::Device(..) | Column::Others => {}
        }
    }
}

impl Said<'_> {
    fn latest(&self) -> impl Iterator<Item = &Latest> {
        self.answers.iter().filter_map(|known| known.latest.as_ref())
    }

    /// What is not too old to be shown.
    fn fresh(&self) -> impl Iterator<Item = &Observation> {
        self.latest().filter(|latest| latest.age <= self.row.stale).map(|latest| &*latest.observation)
    }

    /// What was measured of `quantity`, in its unit times `factor`.
    fn value(&self, quantity: &Quantity, factor: f64) -> Option<Value> {
        let measured = |observation: &Observation| {
            let measurements = observation.measurements();
            measurements.iter().find(|measurement| measurement.quantity == *quantity).map(|found| found.value)
        };
        self.fresh().find_map(measured).map(|value| Value::Real(scaled(value, factor)))
    }

    fn charge(&self) -> Option<Value> {
        self.fresh().find_map(|observation| match observation {
            // A charge is a small number, unless the equipment is broken.
            #[expect(clippy::cast_precision_loss, reason = "a charge is a small number")]
            Observation::Battery(report) => Some(Value::Real(report.charge_percent as f64 / 100.0)),
            _ => None,
        })
    }

    fn is_on(&self) -> Option<Value> {
        self.fresh().find_map(|observation| match observation {
            Observation::Power(report) => Some((report.state == PowerState::On).into()),
            _ => None,
        })
    }

    fn is_lit(&self) -> Option<Value> {
        self.fresh().find_map(|observation| match observation {
            Observation::Led { on } => Some((*on).into()),
            _ => None,
        })
    }

    /// Whether every value that is read regularly can be trusted and is not too old; of what is only read when somebody asks
    /// for it, nothing before that.
    fn is_up(&self) -> Option<bool> {
        let capabilities = self.device.capabilities;
        let polled = POLLED.iter().filter(|capability| capabilities.has(**capability)).count();
        if polled == 0 {
            return self.latest().next().map(|_| self.fresh().next().is_some());
        }
        let is_good = |observation: &&Observation| match observation {
            Observation::Sensor(reading) => reading.quality == Quality::Good,
            Observation::Led { .. } => false,
            _ => true,
        };
        Some(self.fresh().filter(is_good).count() == polled)
    }

    /// How old the oldest answer is.
    fn age(&self) -> Option<Duration> {
        self.latest().map(|latest| latest.age).max()
    }

    /// Writes what has no family of its own, each unit once.
    fn write_others(&self, text: &mut Text) {
        let mut units: Vec<&str> = Vec::new();
        let readings = self.fresh().filter_map(|observation| match observation {
            Observation::Sensor(reading) if reading.quality == Quality::Good => Some(reading),
            _ => None,
        });
        let device = text.labels.mark();
        for Measurement { quantity, value } in readings.flat_map(|reading| &reading.measurements) {
            if let Quantity::Other(unit) = quantity
                && !units.contains(&&**unit)
            {
                units.push(unit);
                text.labels.back_to(device).add("unit", unit);
                text.sample(Value::Real(*value));
            }
        }
    }
}

/// The labels of a board.
pub(super) fn of_board<'l>(labels: &'l mut Labels, board: &BoardRecord) -> &'l mut Labels {
    labels.clear().add("rack", &board.rack).add_plain("board", board.id).add("name", &board.name)
}

/// The labels of a device, behind those of its board.
fn of_device(labels: &mut Labels, device: &Device) {
    labels.add_plain("device", device.id).add_plain("kind", device.kind.name());
    if let Some(sensor) = &device.name {
        labels.add("sensor", sensor);
    }
}

/// Divides where the factor is a fraction: 38.4 % is 0.384, not 0.38399999999999995.
fn scaled(value: f64, factor: f64) -> f64 {
    if factor < 1.0 { value / factor.recip() } else { value * factor }
}

fn condition(condition: Condition) -> Option<Value> {
    Some(Value::Whole(match condition {
        Condition::Unknown => return None,
        Condition::Ok => 0,
        Condition::Warning => 1,
        Condition::Critical => 2,
        Condition::Failed => 3,
        Condition::Missing => 4,
    }))
}

const fn health(health: Health) -> Value {
    Value::Whole(match health {
        Health::Ok => 0,
        Health::Warning => 1,
        Health::Critical => 2,
        Health::Failed => 3,
    })
}
