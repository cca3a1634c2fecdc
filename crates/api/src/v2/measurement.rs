//! The JSON of readings, in one piece or in many.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use hyper::body::Bytes;
use jiff::Timestamp;
use opendcre_gateway::{GatewayError, Latest};
use opendcre_model::{
    BatteryReport, BoardId, DeviceId, DeviceKind, Electrical, Fault, Health, Measurement, Number,
    Observation, PowerReport, PowerState, Quality, Quantity, Reading,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser};
use serde_json::value::RawValue;

use super::reading::{Outcome, Target};
use super::schema::{BoardIdText, DeviceIdText, HealthWord, KindWord, PowerStateWord, QualityWord};
use crate::body::PIECE;

/// Readings, and what could not be read.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Readings")]
pub(super) struct ReadingsBody<'a> {
    /// What was read: sorted by board and device if at most 1000 values were asked for, otherwise as it came.
    pub(super) items: Vec<ReadingBody<'a>>,
    /// What could not be read.
    pub(super) failures: Vec<FailureBody<'a>>,
}

/// What a device said. A device that can say several things has a reading for each.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Reading")]
pub(super) struct ReadingBody<'a> {
    #[serde(flatten)]
    place: PlaceBody<'a>,
    /// The values, each in the unit in which this quantity is always expressed. Empty if there is none.
    values: Vec<ValueBody<'a>>,
    /// Whether the output of a power device is on; null for everything else.
    #[schemars(with = "Option<PowerStateWord>")]
    power_state: Option<PowerState>,
    /// What else it reports, in words, such as `over_current`; for a lamp `on` or `off`.
    states: Vec<&'a str>,
    /// What the value means, as far as thresholds say; null for what has none.
    #[schemars(with = "Option<HealthWord>")]
    health: Option<Health>,
    #[schemars(with = "QualityWord")]
    quality: &'static str,
    /// What the device sent, before it was converted: a number, or text from power devices; null if there is nothing
    /// more to it.
    raw: Raw<'a>,
    /// When it answered.
    time: Timestamp,
    /// How long ago that is, in milliseconds.
    age_ms: u64,
    /// The driver that asked it.
    source: &'a str,
}

/// What could not be read.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReadingFailure")]
pub(super) struct FailureBody<'a> {
    #[serde(flatten)]
    place: PlaceBody<'a>,
    /// The stable machine-readable code.
    code: &'static str,
    /// Why, in one sentence for people.
    message: String,
}

/// A device, with the board that holds it.
#[derive(Serialize, JsonSchema)]
struct PlaceBody<'a> {
    #[schemars(with = "BoardIdText")]
    board: BoardId,
    /// What the board is called.
    board_name: &'a str,
    /// The rack that holds the board.
    rack: &'a str,
    #[schemars(with = "DeviceIdText")]
    device: DeviceId,
    /// What the board calls the device; null for devices on a bus.
    device_name: Option<&'a str>,
    #[schemars(with = "KindWord")]
    kind: DeviceKind,
}

/// A value.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Value")]
struct ValueBody<'a> {
    /// What is measured, such as `temperature`; `value` for anything without a name of its own.
    quantity: &'static str,
    value: f64,
    /// The symbol of the unit; empty for a plain number.
    unit: &'a str,
}

/// What a device sent.
enum Raw<'a> {
    Number(&'a Number),
    Text(&'a str),
    Nothing,
}

/// Everything that an observation says.
struct Said<'a> {
    values: Vec<ValueBody<'a>>,
    power_state: Option<PowerState>,
    states: Vec<&'a str>,
    health: Option<Health>,
    quality: Quality,
    raw: Raw<'a>,
}

impl<'a> ReadingBody<'a> {
    /// What `latest` says about `target`; nothing if it is no reading.
    pub(super) fn of(target: &'a Target, latest: &'a Latest) -> Option<Self> {
        let Said { values, power_state, states, health, quality, raw } = Said::of(&latest.observation)?;
        Some(Self {
            place: PlaceBody::of(target),
            values,
            power_state,
            states,
            health,
            quality: quality.name(),
            raw,
            time: latest.time,
            age_ms: u64::try_from(latest.age.as_millis()).unwrap_or(u64::MAX),
            source: &target.board.driver,
        })
    }
}

impl<'a> Said<'a> {
    const NOTHING: Self = Self {
        values: Vec::new(),
        power_state: None,
        states: Vec::new(),
        health: None,
        quality: Quality::Good,
        raw: Raw::Nothing,
    };

    fn of(observation: &'a Observation) -> Option<Self> {
        match observation {
            Observation::Sensor(reading) => Some(Self::by_sensor(reading)),
            Observation::Power(report) => Some(Self::by_power(report)),
            Observation::Battery(report) => Some(Self::by_battery(report)),
            Observation::Led { on } => {
                Some(Self { states: vec![if *on { "on" } else { "off" }], ..Self::NOTHING })
            }
            _ => None,
        }
    }

    fn by_sensor(reading: &'a Reading) -> Self {
        let value = |measured: &'a Measurement| ValueBody::of(&measured.quantity, measured.value);
        Self {
            values: reading.measurements.iter().map(value).collect(),
            states: reading.states.iter().map(String::as_str).collect(),
            health: (reading.quality != Quality::Unavailable).then_some(reading.health),
            quality: reading.quality,
            raw: Raw::Number(&reading.raw),
            ..Self::NOTHING
        }
    }

    fn by_power(report: &'a PowerReport) -> Self {
        let states = [
            (!report.power_ok, "power_not_ok"),
            (report.over_current, "over_current"),
            (report.under_voltage, "under_voltage"),
        ];
        let states = states.into_iter().filter_map(|(is_set, state)| is_set.then_some(state));
        let electrical = report.electrical.as_ref();
        Self {
            values: electrical.map_or_else(Vec::new, electrical_values),
            power_state: Some(report.state),
            states: states.collect(),
            raw: electrical.map_or(Raw::Nothing, |electrical| Raw::Text(&electrical.raw)),
            ..Self::NOTHING
        }
    }

    fn by_battery(report: &'a BatteryReport) -> Self {
        // No charge comes near the numbers that a float cannot hold.
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let value = report.charge_percent as f64;
        let charge = ValueBody { quantity: "charge", value, unit: "%" };
        Self { values: vec![charge], states: vec![&report.status], ..Self::NOTHING }
    }
}

fn electrical_values(electrical: &Electrical) -> Vec<ValueBody<'static>> {
    vec![
        ValueBody::of(&Quantity::PowerWatts, electrical.input_power_watts),
        ValueBody::of(&Quantity::VoltageVolts, electrical.input_voltage_volts),
        ValueBody::of(&Quantity::CurrentAmperes, electrical.output_current_amperes),
    ]
}

impl<'a> FailureBody<'a> {
    /// Why `target` could not be read.
    pub(super) fn of(target: &'a Target, error: &GatewayError) -> Self {
        Self { place: PlaceBody::of(target), code: error.code(), message: error.to_string() }
    }

    /// `target` answered something else than it was asked.
    pub(super) fn unreadable(target: &'a Target) -> Self {
        let message = "the equipment answered something else than was asked".to_owned();
        Self { place: PlaceBody::of(target), code: Fault::Malformed.code(), message }
    }
}

impl<'a> PlaceBody<'a> {
    fn of(Target { board, device, .. }: &'a Target) -> Self {
        Self {
            board: board.id,
            board_name: &board.name,
            rack: &board.rack,
            device: device.id,
            device_name: device.name.as_deref(),
            kind: device.kind,
        }
    }
}

impl<'a> ValueBody<'a> {
    fn of(quantity: &'a Quantity, value: f64) -> Self {
        Self { quantity: quantity.name(), value, unit: quantity.unit() }
    }
}

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Digits are kept as they came: they may be more than any machine integer holds.
            Self::Number(Number::Integer(digits)) => {
                RawValue::from_string(digits.clone()).map_err(ser::Error::custom)?.serialize(serializer)
            }
            Self::Number(Number::Decimal(value)) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Nothing => serializer.serialize_none(),
        }
    }
}

impl JsonSchema for Raw<'_> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Raw".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string", "null"] })
    }
}

/// The same JSON as a [`ReadingsBody`], made while readings come. Failures are kept until the end.
pub(super) struct Pieces<S> {
    outcomes: S,
    /// What belongs to the next piece.
    ready: Vec<u8>,
    has_items: bool,
    failures: Vec<u8>,
    is_done: bool,
}

impl<S: Stream<Item = Outcome> + Unpin> Pieces<S> {
    pub(super) fn of(outcomes: S) -> Self {
        let (ready, failures) = (b"{\"items\":[".to_vec(), Vec::new());
        Self { outcomes, ready, has_items: false, failures, is_done: false }
    }

    fn add(&mut self, (target, answer): &Outcome) {
        match answer.as_ref().map(|latest| ReadingBody::of(target, latest)) {
            Ok(Some(reading)) => {
                append(&mut self.ready, self.has_items, &reading);
                self.has_items = true;
            }
            Ok(None) => self.add_failure(&FailureBody::unreadable(target)),
            Err(error) => self.add_failure(&FailureBody::of(target, error)),
        }
    }

    fn add_failure(&mut self, failure: &FailureBody<'_>) {
        let is_behind = !self.failures.is_empty();
        append(&mut self.failures, is_behind, failure);
    }

    fn end(&mut self) {
        self.is_done = true;
        self.ready.extend_from_slice(b"],\"failures\":[");
        self.ready.append(&mut self.failures);
        self.ready.extend_from_slice(b"]}");
    }
}

/// Adds an element of an array, `is_behind` another one.
fn append(text: &mut Vec<u8>, is_behind: bool, element: &impl Serialize) {
    if is_behind {
        text.push(b',');
    }
    // Plain structs can always be written.
    text.extend(serde_json::to_vec(element).unwrap_or_else(|_| b"null".to_vec()));
}

impl<S: Stream<Item = Outcome> + Unpin> Stream for Pieces<S> {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        while !this.is_done && this.ready.len() < PIECE {
            match ready!(Pin::new(&mut this.outcomes).poll_next(context)) {
                Some(outcome) => this.add(&outcome),
                None => this.end(),
            }
        }
        let piece = std::mem::take(&mut this.ready);
        Poll::Ready((!piece.is_empty()).then(|| piece.into()))
    }
}
