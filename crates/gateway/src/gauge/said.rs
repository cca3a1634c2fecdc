//! What one device said, as numbers in base units.

use std::time::Duration;

use opendcre_model::{Capability, Device, Measurement, Observation, PowerState, Quality, Quantity};

use super::{GaugeValue, Measured, Row, Told};
use crate::{Known, Latest};

/// What is read without anybody asking.
const POLLED: [Capability; 2] = [Capability::Reading, Capability::PowerState];

/// What is known of a board: a set of gauges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Contents(u16);

/// What one device said that is asked one or a few questions.
pub(super) struct Said<'a> {
    pub(super) row: &'a Row,
    pub(super) device: &'a Device,
    pub(super) answers: &'a [Known<'a>],
}

impl Contents {
    pub(super) const TEMPERATURE: Self = Self(1);
    pub(super) const HUMIDITY: Self = Self(1 << 1);
    pub(super) const PRESSURE: Self = Self(1 << 2);
    pub(super) const SPEED: Self = Self(1 << 3);
    pub(super) const VOLTAGE: Self = Self(1 << 4);
    pub(super) const CURRENT: Self = Self(1 << 5);
    pub(super) const POWER: Self = Self(1 << 6);
    pub(super) const OTHER: Self = Self(1 << 7);
    pub(super) const CHARGE: Self = Self(1 << 8);
    pub(super) const SWITCH: Self = Self(1 << 9);
    pub(super) const LAMP: Self = Self(1 << 10);
    /// Something that can be asked.
    pub(super) const QUESTION: Self = Self(1 << 11);

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn of(observation: &Observation) -> Self {
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

impl Said<'_> {
    fn latest(&self) -> impl Iterator<Item = &Latest> {
        self.answers.iter().filter_map(|known| known.latest.as_ref())
    }

    /// What is not too old to be shown.
    fn fresh(&self) -> impl Iterator<Item = &Latest> {
        self.latest().filter(|latest| latest.age <= self.row.stale)
    }

    /// The first number that `number` finds in what is not too old.
    fn first(&self, number: impl Fn(&Observation) -> Option<GaugeValue>) -> Option<Told> {
        self.fresh().find_map(|latest| Some((number(&latest.observation)?, Some(latest.into()))))
    }

    /// What was measured of `quantity`, in its unit times `factor`.
    pub(super) fn value(&self, quantity: &Quantity, factor: f64) -> Option<Told> {
        self.first(|observation| {
            let measurements = observation.measurements();
            let found = measurements.iter().find(|measurement| measurement.quantity == *quantity)?;
            Some(GaugeValue::Real(scaled(found.value, factor)))
        })
    }

    pub(super) fn charge(&self) -> Option<Told> {
        self.first(|observation| match observation {
            // A charge is a small number, unless the equipment is broken.
            #[expect(clippy::cast_precision_loss, reason = "a charge is a small number")]
            Observation::Battery(report) => Some(GaugeValue::Real(report.charge_percent as f64 / 100.0)),
            _ => None,
        })
    }

    pub(super) fn is_on(&self) -> Option<Told> {
        self.first(|observation| match observation {
            Observation::Power(report) => Some((report.state == PowerState::On).into()),
            _ => None,
        })
    }

    pub(super) fn is_lit(&self) -> Option<Told> {
        self.first(|observation| match observation {
            Observation::Led { on } => Some((*on).into()),
            _ => None,
        })
    }

    /// Whether every value that is read regularly can be trusted and is not too old; of what is only read when somebody asks
    /// for it, nothing before that.
    pub(super) fn is_up(&self) -> Option<bool> {
        let capabilities = self.device.capabilities;
        let polled = POLLED.iter().filter(|capability| capabilities.has(**capability)).count();
        if polled == 0 {
            return self.latest().next().map(|_| self.fresh().next().is_some());
        }
        let is_good = |latest: &&Latest| match &*latest.observation {
            Observation::Sensor(reading) => reading.quality == Quality::Good,
            Observation::Led { .. } => false,
            _ => true,
        };
        Some(self.fresh().filter(is_good).count() == polled)
    }

    /// How old the oldest answer is.
    pub(super) fn age(&self) -> Option<Duration> {
        self.latest().map(|latest| latest.age).max()
    }

    /// Lets `tell` have what no gauge is made for, each unit once.
    pub(super) fn each_other(&self, mut tell: impl FnMut(&str, Told)) {
        let mut units: Vec<&str> = Vec::new();
        for latest in self.fresh() {
            let Observation::Sensor(reading) = &*latest.observation else { continue };
            if reading.quality != Quality::Good {
                continue;
            }
            for Measurement { quantity, value } in &reading.measurements {
                if let Quantity::Other(unit) = quantity
                    && !units.contains(&&**unit)
                {
                    units.push(unit);
                    tell(unit, (GaugeValue::Real(*value), Some(latest.into())));
                }
            }
        }
    }
}

impl From<&Latest> for Measured {
    fn from(latest: &Latest) -> Self {
        Self { time: latest.time, age: latest.age }
    }
}

/// Divides where the factor is a fraction: 38.4 % is 0.384, not 0.38399999999999995.
fn scaled(value: f64, factor: f64) -> f64 {
    if factor < 1.0 { value / factor.recip() } else { value * factor }
}
