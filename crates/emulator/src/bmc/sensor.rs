//! The sensors that an emulated machine can have: what they measure, how their values become raw bytes and back, and
//! their thresholds. It knows neither their values, which [`super::machine`] has, nor the commands that ask for them.

use std::time::Duration;

use serde::Deserialize;

use super::config::SensorConfig;

/// What a sensor measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SensorKind {
    /// The temperature of a processor.
    CpuTemperature,
    /// The temperature of the air that comes in; can be negative.
    InletTemperature,
    /// The temperature of the air that goes out.
    ExhaustTemperature,
    /// The speed of a fan.
    Fan,
    /// A voltage that is there while the machine is on.
    Voltage,
    /// A voltage that is always there.
    Battery,
    /// The power that the machine takes.
    Power,
    /// The flow of air, which is the square root of what the instrument measures.
    Airflow,
    /// The state of a power supply.
    PowerSupply,
    /// The state of a processor.
    Processor,
    /// Whether the chassis is open.
    Intrusion,
}

/// How raw bytes become values: `y = f((M·x + B·10^K1)·10^K2)` (IPMI 2.0 §36.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Coding {
    /// Raw bytes are in two's complement.
    pub is_signed: bool,
    pub m: i16,
    pub b: i16,
    /// K2, the exponent of the result.
    pub result_exponent: i8,
    /// f is the square root (linearization 0Ah) and not the identity.
    pub is_square_root: bool,
}

/// The thresholds of a sensor by rising value; absent ones are not readable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    pub lower_non_recoverable: Option<f64>,
    pub lower_critical: Option<f64>,
    pub lower_non_critical: Option<f64>,
    pub upper_non_critical: Option<f64>,
    pub upper_critical: Option<f64>,
    pub upper_non_recoverable: Option<f64>,
}

/// Raw thresholds in the order of the commands (IPMI 2.0 §35.9): lower non-critical, critical, non-recoverable, then
/// the same for upper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thresholds {
    pub raw: [u8; 6],
    /// A bit for each that exists.
    pub mask: u8,
    /// Raw steps by which a value must come back before a state ends.
    pub positive_hysteresis: u8,
    pub negative_hysteresis: u8,
}

/// A sensor.
#[derive(Debug, Clone)]
pub(super) struct Sensor {
    /// 1 to 200.
    pub number: u8,
    pub name: String,
    pub kind: SensorKind,
    /// The how many-th of its kind, from 1.
    pub instance: u8,
    /// For voltages.
    pub nominal: f64,
    pub form: Form,
    pub excursion: Option<Excursion>,
}

/// How a sensor leaves its bounds now and then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Excursion {
    /// From one time to the next.
    pub interval: Duration,
    /// What it shows then.
    pub value: f64,
}

/// What a sensor says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// A value.
    Analog { coding: Coding, thresholds: Thresholds },
    /// States.
    Discrete,
}

impl Sensor {
    /// A sensor that its configuration describes; ranges have been checked.
    pub(super) fn new(number: u8, instance: u8, config: &SensorConfig) -> Self {
        let nominal = config.nominal.unwrap_or(3.0);
        let limits = config.kind.limits(nominal);
        let beyond = limits.and_then(|limits| limits.beyond());
        let excursion = config.excursion.zip(beyond).map(|(interval, value)| Excursion { interval, value });
        let form = match (config.kind.coding(nominal), limits) {
            (Some(coding), Some(limits)) => {
                Form::Analog { coding, thresholds: Thresholds::new(&coding, &limits) }
            }
            _ => Form::Discrete,
        };
        Self { number, name: config.name.clone(), kind: config.kind, instance, nominal, form, excursion }
    }

    /// The raw thresholds in the beginning; nothing for a discrete sensor.
    pub(super) const fn thresholds(&self) -> Option<Thresholds> {
        match self.form {
            Form::Analog { thresholds, .. } => Some(thresholds),
            Form::Discrete => None,
        }
    }
}

impl SensorKind {
    /// Whether the sensor is dark while the machine is off.
    pub(super) const fn needs_power(self) -> bool {
        matches!(self, Self::CpuTemperature | Self::Fan | Self::Voltage | Self::Airflow)
    }

    /// The sensor type (IPMI 2.0 table 42-3).
    pub(super) const fn sensor_type(self) -> u8 {
        match self {
            Self::CpuTemperature | Self::InletTemperature | Self::ExhaustTemperature => 0x01,
            Self::Voltage | Self::Battery => 0x02,
            Self::Fan => 0x04,
            Self::Intrusion => 0x05,
            Self::Processor => 0x07,
            Self::PowerSupply => 0x08,
            Self::Power | Self::Airflow => 0x0b,
        }
    }

    /// What the sensor belongs to (IPMI 2.0 table 43-13).
    pub(super) const fn entity(self) -> u8 {
        match self {
            Self::CpuTemperature | Self::Processor => 0x03,
            Self::InletTemperature => 0x37,
            Self::ExhaustTemperature | Self::Voltage | Self::Airflow => 0x07,
            Self::Fan => 0x1d,
            Self::Battery => 0x28,
            Self::Power | Self::PowerSupply => 0x0a,
            Self::Intrusion => 0x17,
        }
    }

    /// The unit (IPMI 2.0 table 43-15).
    pub(super) const fn unit(self) -> u8 {
        match self {
            Self::CpuTemperature | Self::InletTemperature | Self::ExhaustTemperature => 1,
            Self::Voltage | Self::Battery => 4,
            Self::Power => 6,
            Self::Airflow => 17,
            Self::Fan => 18,
            Self::PowerSupply | Self::Processor | Self::Intrusion => 0,
        }
    }

    /// The states that a discrete sensor knows, as a mask of offsets.
    pub(super) const fn states(self) -> u16 {
        match self {
            // Presence, failure, input lost.
            Self::PowerSupply => 0b1011,
            // Internal error, thermal trip, presence.
            Self::Processor => 0b1000_0011,
            // General intrusion.
            Self::Intrusion => 0b1,
            _ => 0,
        }
    }

    fn coding(self, nominal: f64) -> Option<Coding> {
        let linear = |m| Coding { is_signed: false, m, b: 0, result_exponent: 0, is_square_root: false };
        match self {
            Self::CpuTemperature | Self::ExhaustTemperature => Some(linear(1)),
            Self::InletTemperature => Some(Coding { is_signed: true, ..linear(1) }),
            Self::Fan => Some(linear(100)),
            // The nominal voltage lies at about 200 of 255 steps, as many boards have it.
            Self::Voltage | Self::Battery => Some(Coding {
                result_exponent: -3,
                ..linear(to_i16((nominal * 1000.0 / 200.0).round().max(1.0)))
            }),
            Self::Power => Some(Coding { b: 4, ..linear(3) }),
            Self::Airflow => Some(Coding { is_square_root: true, ..linear(40) }),
            Self::PowerSupply | Self::Processor | Self::Intrusion => None,
        }
    }

    fn limits(self, nominal: f64) -> Option<Limits> {
        let limits = |lower: [f64; 3], upper: [f64; 3]| {
            let ([a, b, c], [d, e, f]) = (lower.map(Some), upper.map(Some));
            Some(Limits {
                lower_non_recoverable: a,
                lower_critical: b,
                lower_non_critical: c,
                upper_non_critical: d,
                upper_critical: e,
                upper_non_recoverable: f,
            })
        };
        let share = |share: f64| nominal * share;
        let absent = Limits {
            lower_non_recoverable: None,
            lower_critical: None,
            lower_non_critical: None,
            upper_non_critical: None,
            upper_critical: None,
            upper_non_recoverable: None,
        };
        match self {
            Self::CpuTemperature => limits([0.0, 2.0, 5.0], [88.0, 95.0, 100.0]),
            Self::InletTemperature => limits([-7.0, -5.0, 0.0], [40.0, 45.0, 50.0]),
            Self::ExhaustTemperature => limits([0.0, 2.0, 4.0], [70.0, 75.0, 80.0]),
            Self::Fan => limits([300.0, 500.0, 700.0], [16_000.0, 18_000.0, 20_000.0]),
            Self::Voltage | Self::Battery => {
                limits([0.84, 0.88, 0.9].map(share), [1.1, 1.12, 1.16].map(share))
            }
            Self::Power => {
                Some(Limits { upper_non_critical: Some(640.0), upper_critical: Some(700.0), ..absent })
            }
            Self::Airflow => {
                Some(Limits { lower_critical: Some(9.0), lower_non_critical: Some(14.0), ..absent })
            }
            Self::PowerSupply | Self::Processor | Self::Intrusion => None,
        }
    }
}

impl Limits {
    /// A value beyond the critical threshold, the upper one if there is one.
    fn beyond(&self) -> Option<f64> {
        const MARGIN: f64 = 0.02;
        let upper = self.upper_critical.map(|limit| limit * (1.0 + MARGIN));
        upper.or_else(|| self.lower_critical.map(|limit| limit * (1.0 - MARGIN)))
    }
}

impl Coding {
    /// The raw byte whose value is nearest to `value`.
    pub(super) fn encode(&self, value: f64) -> u8 {
        let plain = if self.is_square_root { value * value } else { value };
        let scaled = plain / 10_f64.powi(i32::from(self.result_exponent));
        let raw = ((scaled - f64::from(self.b)) / f64::from(self.m)).round();
        match self.is_signed {
            true => to_i16(raw.clamp(-128.0, 127.0)).to_le_bytes()[0],
            false => to_i16(raw.clamp(0.0, 255.0)).to_le_bytes()[0],
        }
    }

    /// The raw byte that lies so many steps above `raw`, or the last one.
    fn moved(&self, raw: u8, steps: i16) -> u8 {
        match self.is_signed {
            true => to_i8(i16::from(raw.cast_signed()) + steps).cast_unsigned(),
            false => to_u8(i16::from(raw) + steps),
        }
    }

    /// Whether one raw byte stands for a lesser value than another, or the same.
    pub(super) fn is_at_most(&self, lesser: u8, greater: u8) -> bool {
        match self.is_signed {
            true => lesser.cast_signed() <= greater.cast_signed(),
            false => lesser <= greater,
        }
    }
}

impl Form {
    /// The event/reading type (IPMI 2.0 table 42-1): by thresholds, or specific to the sensor.
    pub(super) const fn event_type(&self) -> u8 {
        match self {
            Self::Analog { .. } => 0x01,
            Self::Discrete => 0x6f,
        }
    }
}

impl Thresholds {
    /// The offset of the event of one threshold: "going low" for the lower, "going high" for the upper ones (IPMI 2.0
    /// table 42-2).
    pub(super) const fn event_offset(index: u8) -> u8 {
        if index < 3 { 2 * index } else { 2 * index + 1 }
    }

    /// The events of all thresholds that exist.
    pub(super) fn event_mask(&self) -> u16 {
        let existing = (0..6).filter(|index| self.mask & 1 << index != 0);
        existing.map(|index| 1 << Self::event_offset(index)).sum()
    }

    fn new(coding: &Coding, limits: &Limits) -> Self {
        let limits = [
            limits.lower_non_critical,
            limits.lower_critical,
            limits.lower_non_recoverable,
            limits.upper_non_critical,
            limits.upper_critical,
            limits.upper_non_recoverable,
        ];
        let bit = |(index, limit): (usize, &Option<f64>)| u8::from(limit.is_some()) << index;
        Self {
            raw: limits.map(|limit| limit.map_or(0, |limit| coding.encode(limit))),
            mask: limits.iter().enumerate().map(bit).sum(),
            positive_hysteresis: 2,
            negative_hysteresis: 2,
        }
    }

    /// The thresholds that a raw value has reached, as a mask in the same order (IPMI 2.0 §35.14).
    pub(super) fn reached(&self, coding: &Coding, value: u8) -> u8 {
        let is_reached = |index: usize, threshold: u8| match index {
            0..3 => coding.is_at_most(value, threshold),
            _ => coding.is_at_most(threshold, value),
        };
        let bits = self.raw.iter().enumerate().map(|(index, raw)| u8::from(is_reached(index, *raw)) << index);
        bits.sum::<u8>() & self.mask
    }

    /// The same for a sensor that has reached those of `before`: a value must come back by more than the hysteresis
    /// (IPMI 2.0 §35.6).
    pub(super) fn reached_since(&self, coding: &Coding, value: u8, before: u8) -> u8 {
        const LOWER: u8 = 0b0000_0111;
        let below = coding.moved(value, -i16::from(self.negative_hysteresis));
        let above = coding.moved(value, i16::from(self.positive_hysteresis));
        let near = self.reached(coding, below) & LOWER | self.reached(coding, above) & !LOWER;
        self.reached(coding, value) | before & near
    }
}

fn to_i8(number: i16) -> i8 {
    i8::try_from(number).unwrap_or(if number < 0 { i8::MIN } else { i8::MAX })
}

fn to_u8(number: i16) -> u8 {
    u8::try_from(number).unwrap_or(if number < 0 { u8::MIN } else { u8::MAX })
}

/// A rounded number that lies within the range.
#[expect(clippy::cast_possible_truncation, reason = "a conversion of floats saturates")]
const fn to_i16(number: f64) -> i16 {
    number as i16
}
