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
use smallvec::{SmallVec, smallvec};

use super::reading::{Asked, Outcome};
use super::schema::{BoardIdText, DeviceIdText, HealthWord, KindWord, PowerStateWord, QualityWord};
use super::write::{Word, WriteJson, write_members};
use crate::body::{Body, PIECE};

/// What a reading usually takes, and what is around all of them, in bytes.
const USUAL: usize = 448;
const FRAME: usize = 32;

/// Readings, and what could not be read.
#[derive(JsonSchema)]
#[schemars(rename = "Readings")]
#[expect(dead_code, reason = "only described; its text is written by `ReadingsText`")]
pub(super) struct ReadingsBody<'a> {
    /// What was read: sorted by board and device if at most 1000 values were asked for, otherwise as it came.
    items: Vec<ReadingBody<'a>>,
    /// What could not be read.
    failures: Vec<FailureBody<'a>>,
}

/// What a device said. A device that can say several things has a reading for each.
#[derive(JsonSchema)]
#[schemars(rename = "Reading")]
pub(super) struct ReadingBody<'a> {
    #[serde(flatten)]
    place: PlaceBody<'a>,
    /// The values, each in the unit in which this quantity is always expressed. Empty if there is none.
    #[schemars(with = "Vec<ValueBody<'a>>")]
    values: Values<'a>,
    /// Whether the output of a power device is on; null for everything else.
    #[schemars(with = "Option<PowerStateWord>")]
    power_state: Option<PowerState>,
    /// What else it reports, in words, such as `over_current`; for a lamp `on` or `off`.
    states: Vec<&'a str>,
    /// What that means: the worse of what the equipment says of this value, and of how the device is by all that is known
    /// of it and the thresholds of the configuration; null if there is nothing to judge.
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
#[derive(JsonSchema)]
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
#[derive(JsonSchema)]
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
#[derive(JsonSchema)]
#[schemars(rename = "Value")]
struct ValueBody<'a> {
    /// What is measured, such as `temperature`; `value` for anything without a name of its own.
    quantity: &'static str,
    value: f64,
    /// The symbol of the unit; empty for a plain number.
    unit: &'a str,
}

/// Values. Most devices have one, which needs no memory of its own.
type Values<'a> = SmallVec<[ValueBody<'a>; 1]>;

/// What a device sent.
enum Raw<'a> {
    Number(&'a Number),
    Text(&'a str),
    Nothing,
}

/// Everything that an observation says.
struct Said<'a> {
    values: Values<'a>,
    power_state: Option<PowerState>,
    states: Vec<&'a str>,
    health: Option<Health>,
    quality: Quality,
    raw: Raw<'a>,
}

impl<'a> ReadingBody<'a> {
    /// What `latest` says about the device that was `asked`; nothing if it is no reading.
    pub(super) fn of(asked: Asked<'a>, latest: &'a Latest) -> Option<Self> {
        let Said { values, power_state, states, health, quality, raw } = Said::of(&latest.observation)?;
        // Without a value there is nothing to judge.
        let health = if quality == Quality::Unavailable { None } else { health.max(asked.judged) };
        Some(Self {
            place: PlaceBody::of(asked),
            values,
            power_state,
            states,
            health,
            quality: quality.name(),
            raw,
            time: latest.time,
            age_ms: u64::try_from(latest.age.as_millis()).unwrap_or(u64::MAX),
            source: &asked.board.driver,
        })
    }
}

impl<'a> Said<'a> {
    const NOTHING: Self = Self {
        values: SmallVec::new_const(),
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
            values: electrical.map_or_else(SmallVec::new, electrical_values),
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
        Self { values: smallvec![charge], states: vec![&report.status], ..Self::NOTHING }
    }
}

fn electrical_values<'a>(electrical: &Electrical) -> Values<'a> {
    smallvec![
        ValueBody::of(&Quantity::PowerWatts, electrical.input_power_watts),
        ValueBody::of(&Quantity::VoltageVolts, electrical.input_voltage_volts),
        ValueBody::of(&Quantity::CurrentAmperes, electrical.output_current_amperes),
    ]
}

impl<'a> FailureBody<'a> {
    /// Why the device that was `asked` could not be read.
    pub(super) fn of(asked: Asked<'a>, error: &GatewayError) -> Self {
        Self { place: PlaceBody::of(asked), code: error.code(), message: error.to_string() }
    }

    /// The device answered something else than it was asked.
    pub(super) fn unreadable(asked: Asked<'a>) -> Self {
        let message = "the equipment answered something else than was asked".to_owned();
        Self { place: PlaceBody::of(asked), code: Fault::Malformed.code(), message }
    }
}

impl<'a> PlaceBody<'a> {
    fn of(Asked { board, device, .. }: Asked<'a>) -> Self {
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

impl WriteJson for ReadingBody<'_> {
    fn write(&self, text: &mut Vec<u8>) {
        text.push(b'{');
        self.place.write_members(text);
        text.push(b',');
        write_members!(
            text,
            "values": *self.values,
            "power_state": self.power_state.map(|state| Word(state.name())),
            "states": *self.states,
            "health": self.health.map(|health| Word(health.name())),
            "quality": Word(self.quality),
            "raw": self.raw,
            "time": self.time,
            "age_ms": self.age_ms,
            "source": self.source,
        );
        text.push(b'}');
    }
}

impl WriteJson for FailureBody<'_> {
    fn write(&self, text: &mut Vec<u8>) {
        text.push(b'{');
        self.place.write_members(text);
        text.push(b',');
        write_members!(text, "code": self.code, "message": *self.message);
        text.push(b'}');
    }
}

impl PlaceBody<'_> {
    fn write_members(&self, text: &mut Vec<u8>) {
        write_members!(
            text,
            "board": self.board,
            "board_name": self.board_name,
            "rack": self.rack,
            "device": self.device,
            "device_name": self.device_name,
            "kind": Word(self.kind.name()),
        );
    }
}

impl WriteJson for ValueBody<'_> {
    fn write(&self, text: &mut Vec<u8>) {
        text.push(b'{');
        write_members!(text, "quantity": Word(self.quantity), "value": self.value, "unit": self.unit);
        text.push(b'}');
    }
}

impl WriteJson for Raw<'_> {
    fn write(&self, text: &mut Vec<u8>) {
        match self {
            // Digits are kept as they came: they may be more than any machine integer holds.
            Self::Number(Number::Integer(digits)) => text.extend_from_slice(digits.as_bytes()),
            Self::Number(Number::Decimal(value)) => value.write(text),
            Self::Text(words) => words.write(text),
            Self::Nothing => text.extend_from_slice(b"null"),
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

/// The JSON of a [`ReadingsBody`], made reading by reading. Failures are kept until the end.
pub(super) struct ReadingsText {
    text: Vec<u8>,
    has_items: bool,
    failures: Vec<u8>,
}

impl ReadingsText {
    /// A text without readings, with memory for so many.
    pub(super) fn with_capacity(readings: usize) -> Self {
        let mut text = Vec::with_capacity(FRAME + readings * USUAL);
        text.extend_from_slice(b"{\"items\":[");
        Self { text, has_items: false, failures: Vec::new() }
    }

    /// Adds what came of a question.
    pub(super) fn add(&mut self, asked: Asked<'_>, answer: Result<&Latest, &GatewayError>) {
        match answer.map(|latest| ReadingBody::of(asked, latest)) {
            Ok(Some(reading)) => self.add_reading(&reading),
            Ok(None) => self.add_failure(&FailureBody::unreadable(asked)),
            Err(error) => self.add_failure(&FailureBody::of(asked, error)),
        }
    }

    fn add_reading(&mut self, reading: &ReadingBody<'_>) {
        if std::mem::replace(&mut self.has_items, true) {
            self.text.push(b',');
        }
        reading.write(&mut self.text);
    }

    fn add_failure(&mut self, failure: &FailureBody<'_>) {
        if !self.failures.is_empty() {
            self.failures.push(b',');
        }
        failure.write(&mut self.failures);
    }

    /// The whole text, in one piece.
    pub(super) fn into_body(mut self) -> Body {
        self.end();
        self.take().into()
    }

    /// Completes the text.
    fn end(&mut self) {
        self.text.extend_from_slice(b"],\"failures\":[");
        self.text.append(&mut self.failures);
        self.text.extend_from_slice(b"]}");
    }

    /// Takes what was written since this was done last.
    fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.text).into()
    }
}

/// Readings that are sent as they come.
pub(super) struct Pieces<S> {
    outcomes: S,
    /// What belongs to the next piece.
    ready: ReadingsText,
    is_done: bool,
}

impl<S: Stream<Item = Outcome> + Unpin> Pieces<S> {
    pub(super) fn of(outcomes: S) -> Self {
        Self { outcomes, ready: ReadingsText::with_capacity(0), is_done: false }
    }
}

impl<S: Stream<Item = Outcome> + Unpin> Stream for Pieces<S> {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        while !this.is_done && this.ready.text.len() < PIECE {
            match ready!(Pin::new(&mut this.outcomes).poll_next(context)) {
                Some((target, answer)) => this.ready.add(target.asked(), answer.as_ref()),
                None => {
                    this.ready.end();
                    this.is_done = true;
                }
            }
        }
        let piece = this.ready.take();
        Poll::Ready((!piece.is_empty()).then_some(piece))
    }
}
