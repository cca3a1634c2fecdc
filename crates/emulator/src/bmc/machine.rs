//! An emulated machine: its power, what its sensors say, and what happens to it. It knows nothing of IPMI commands and
//! sessions. Time is that since the BMC was made, and passed in.

mod climate;
mod power;

use std::time::Duration;

pub use power::ChassisAction;
pub(super) use power::{Change, Power, PowerTiming};

use self::climate::Climate;
pub(super) use self::climate::Conditions;
use super::sensor::{Excursion, Sensor, SensorKind};
use crate::random::SplitMix64;

/// A machine.
#[derive(Debug)]
pub(super) struct Machine {
    pub power: Power,
    climate: Climate,
    /// The most power that it may take while it is on, in watts.
    pub limit_watts: Option<f64>,
    /// Sensors that show a fixed value or state.
    pins: Vec<(u8, Pin)>,
    /// When the identify light goes out; [`Duration::MAX`] for never.
    pub identify_until: Duration,
}

/// What a sensor is made to say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pin {
    /// A value, in the unit of the sensor.
    Value(f64),
    /// States, as a mask of offsets.
    States(u16),
    /// Nothing: the sensor has no reading.
    Unavailable,
}

/// What a sensor says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Observation {
    Value(f64),
    States(u16),
    Unavailable,
}

impl Machine {
    pub(super) fn new(is_on: bool, random: &mut SplitMix64) -> Self {
        Self {
            power: Power::new(is_on),
            climate: Climate::new(random),
            limit_watts: None,
            pins: Vec::new(),
            identify_until: Duration::ZERO,
        }
    }

    /// Makes a sensor say something fixed, or lets it measure again.
    pub(super) fn pin(&mut self, sensor: u8, pin: Option<Pin>) {
        self.pins.retain(|(number, _)| *number != sensor);
        self.pins.extend(pin.map(|pin| (sensor, pin)));
    }

    /// What it is like in the machine.
    pub(super) fn conditions(&self, now: Duration) -> Conditions {
        self.climate.at(now, &self.power, self.limit_watts)
    }

    /// What a sensor says.
    pub(super) fn observe(&self, sensor: &Sensor, now: Duration) -> Observation {
        match self.pins.iter().find(|(number, _)| *number == sensor.number) {
            Some((_, Pin::Value(value))) => Observation::Value(*value),
            Some((_, Pin::States(states))) => Observation::States(*states),
            Some((_, Pin::Unavailable)) => Observation::Unavailable,
            None if sensor.kind.needs_power() && !self.power.is_on() => Observation::Unavailable,
            None => self.measure(sensor, now),
        }
    }

    fn measure(&self, sensor: &Sensor, now: Duration) -> Observation {
        if let Some(Excursion { interval, value }) = sensor.excursion
            && self.climate.is_in_first_quarter(interval, now)
        {
            return Observation::Value(value);
        }
        let conditions = || self.conditions(now);
        let noise = self.climate.noise(sensor.number, now);
        Observation::Value(match sensor.kind {
            SensorKind::CpuTemperature => {
                conditions().cpu_celsius + f64::from(sensor.instance % 4) + 0.6 * noise
            }
            SensorKind::InletTemperature => conditions().inlet_celsius,
            SensorKind::ExhaustTemperature => conditions().exhaust_celsius,
            SensorKind::Fan => conditions().fan_rpm + 60.0 * f64::from(sensor.instance % 4) + 40.0 * noise,
            SensorKind::Voltage => sensor.nominal * (1.004 - 0.008 * conditions().load + 0.003 * noise),
            SensorKind::Battery => sensor.nominal * (1.01 + 0.004 * noise),
            SensorKind::Power => conditions().watts + 2.0 * noise,
            SensorKind::Airflow => conditions().airflow_cfm,
            SensorKind::PowerSupply => return Observation::States(0b1),
            SensorKind::Processor => return Observation::States(0b1000_0000),
            SensorKind::Intrusion => return Observation::States(0),
        })
    }

    /// Whether the identify light is on.
    pub(super) fn is_identified(&self, now: Duration) -> bool {
        self.identify_until > now
    }
}
