//! Reading many sensors, one after the other.

use std::vec::IntoIter;

use thiserror::Error;

use super::conversion::{Conversion, GetSensorReadingFactors, Linearization};
use super::reading::{GetSensorReading, Observation, SensorReading};
use crate::quirk::Quirks;
use crate::sdr::Sensor;
use crate::{Command, CommandError, Procedure, Response, Step};

/// What one sensor reports.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorReport {
    /// The sensor.
    pub sensor: Sensor,
    /// What it reports, or why it does not.
    pub outcome: Result<Observation, Unread>,
}

/// Why a sensor was not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unread {
    /// It only sends events.
    #[error("the sensor only sends events")]
    EventOnly,
    /// It belongs to another controller, which would have to be asked through the BMC.
    #[error("the sensor belongs to the controller at address {0:02X}h, not to the BMC")]
    OtherOwner(u8),
    /// The BMC did not tell.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Reads sensors: one [`SensorReport`] for each, in their order. A sensor that cannot be read costs only its own
/// reading.
#[derive(Debug)]
pub struct ReadSensors {
    quirks: Quirks,
    waiting: IntoIter<Sensor>,
    asking: Option<Asking>,
    reports: Vec<SensorReport>,
}

/// A sensor whose answer is awaited.
#[derive(Debug)]
struct Asking {
    sensor: Sensor,
    /// Its reading is there, and only the factors for it are not.
    reading: Option<SensorReading>,
}

impl ReadSensors {
    /// Reads `sensors` of a BMC with these quirks.
    #[must_use]
    pub fn new(sensors: Vec<Sensor>, quirks: Quirks) -> Self {
        let reports = Vec::with_capacity(sensors.len());
        Self { quirks, waiting: sensors.into_iter(), asking: None, reports }
    }

    /// Why this sensor cannot be asked at all.
    fn obstacle(&self, sensor: &Sensor) -> Option<Unread> {
        if !sensor.is_readable {
            return Some(Unread::EventOnly);
        }
        let other = !sensor.address.is_of_bmc() && !self.quirks.owner_is_wrong;
        other.then_some(Unread::OtherOwner(sensor.address.owner))
    }

    fn on_answer(&mut self, asking: Asking, answer: &Response) -> Option<Step<Vec<SensorReport>>> {
        let Asking { sensor, reading } = asking;
        let outcome = match reading {
            None => match reading_command(&sensor).read(answer) {
                Ok(reading) => {
                    let reading = self.corrected(reading);
                    if let Some(step) = self.ask_for_factors(&sensor, reading) {
                        return Some(step);
                    }
                    Ok(sensor.interpretation.observe(&reading))
                }
                Err(error) => Err(error.into()),
            },
            Some(reading) => match factors_command(&sensor, reading).read(answer) {
                Ok(factors) => {
                    let mut interpretation = sensor.interpretation;
                    interpretation.conversion = interpretation.conversion.map(|conversion| Conversion {
                        linearization: Linearization::Linear,
                        factors: factors.factors,
                        ..conversion
                    });
                    Ok(interpretation.observe(&reading))
                }
                Err(error) => Err(error.into()),
            },
        };
        self.reports.push(SensorReport { sensor, outcome });
        None
    }

    const fn corrected(&self, reading: SensorReading) -> SensorReading {
        let scanning_enabled = reading.scanning_enabled || self.quirks.scanning_bit_is_wrong;
        SensorReading { scanning_enabled, ..reading }
    }

    fn ask_for_factors(
        &mut self,
        sensor: &Sensor,
        reading: SensorReading,
    ) -> Option<Step<Vec<SensorReport>>> {
        let conversion = sensor.interpretation.conversion?;
        if !conversion.linearization.needs_factors() {
            return None;
        }
        let request = factors_command(sensor, reading).request();
        self.asking = Some(Asking { sensor: sensor.clone(), reading: Some(reading) });
        Some(Step::Ask(request))
    }
}

impl Procedure for ReadSensors {
    type Output = Vec<SensorReport>;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<Self::Output>, CommandError> {
        if let (Some(asking), Some(answer)) = (self.asking.take(), answer)
            && let Some(step) = self.on_answer(asking, answer)
        {
            return Ok(step);
        }
        while let Some(sensor) = self.waiting.next() {
            match self.obstacle(&sensor) {
                Some(unread) => self.reports.push(SensorReport { sensor, outcome: Err(unread) }),
                None => {
                    let request = reading_command(&sensor).request();
                    self.asking = Some(Asking { sensor, reading: None });
                    return Ok(Step::Ask(request));
                }
            }
        }
        Ok(Step::Done(std::mem::take(&mut self.reports)))
    }
}

const fn reading_command(sensor: &Sensor) -> GetSensorReading {
    GetSensorReading { lun: sensor.address.lun, number: sensor.address.number }
}

const fn factors_command(sensor: &Sensor, reading: SensorReading) -> GetSensorReadingFactors {
    let address = sensor.address;
    GetSensorReadingFactors { lun: address.lun, number: address.number, raw: reading.raw }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Completion;
    use crate::sdr::{Entity, SensorAddress};
    use crate::sensor::{AnalogFormat, Availability, BaseUnit, Factors, Interpretation, Thresholds, Units};

    fn sensor(number: u8, linearization: Linearization) -> Sensor {
        let units = Units::plain(AnalogFormat::Unsigned, BaseUnit(1));
        let factors = Factors::decode([1, 0, 0, 0, 0, 0]);
        let conversion = Conversion { format: AnalogFormat::Unsigned, linearization, factors };
        Sensor {
            record: 1,
            address: SensorAddress::of_bmc(number),
            entity: Entity::decode([3, 1]),
            name: "CPU".into(),
            is_readable: true,
            interpretation: Interpretation {
                sensor_type: 1,
                event_reading_type: 1,
                units,
                conversion: Some(conversion),
            },
            thresholds: Thresholds::default(),
        }
    }

    fn answer(completion: u8, data: &[u8]) -> Response {
        Response { completion: Completion(completion), data: data.to_vec() }
    }

    /// Answers each question in turn; returns the questions as command and data, and the reports.
    fn play(mut procedure: ReadSensors, answers: &[Response]) -> (Vec<(u8, Vec<u8>)>, Vec<SensorReport>) {
        let mut asked = Vec::new();
        let mut step = procedure.advance(None).unwrap();
        for answer in answers {
            match step {
                Step::Ask(request) => asked.push((request.command, request.data)),
                Step::Done(_) => panic!("nothing was asked any more"),
            }
            step = procedure.advance(Some(answer)).unwrap();
        }
        match step {
            Step::Done(reports) => (asked, reports),
            Step::Ask(request) => panic!("{request:?}"),
        }
    }

    fn number(report: &SensorReport) -> Option<f64> {
        report.outcome.as_ref().unwrap().value.map(|value| value.number)
    }

    #[test]
    fn a_sensor_that_fails_costs_only_itself() {
        let sensors = vec![sensor(1, Linearization::Linear), sensor(2, Linearization::Linear)];
        let answers = [answer(0xcb, &[]), answer(0, &[42, 0x40, 0])];
        let (asked, reports) = play(ReadSensors::new(sensors, Quirks::default()), &answers);
        assert_eq!(asked, [(0x2d, vec![1]), (0x2d, vec![2])]);
        assert!(matches!(&reports[0].outcome, Err(Unread::Command(CommandError::Refused { .. }))));
        assert_eq!(number(&reports[1]), Some(42.0));
    }

    #[test]
    fn sensors_without_a_formula_are_asked_for_their_factors() {
        let sensors = vec![sensor(1, Linearization::Other(0x70))];
        let answers = [answer(0, &[42, 0x40, 0]), answer(0, &[43, 2, 0, 0, 0, 0, 0])];
        let (asked, reports) = play(ReadSensors::new(sensors, Quirks::default()), &answers);
        assert_eq!(asked, [(0x2d, vec![1]), (0x23, vec![1, 42])]);
        assert_eq!(number(&reports[0]), Some(84.0));
    }

    #[test]
    fn what_cannot_be_asked_is_reported_without_asking() {
        let silent = Sensor { is_readable: false, ..sensor(1, Linearization::Linear) };
        let mut foreign = sensor(2, Linearization::Linear);
        foreign.address.owner = 0x2c;
        let sensors = vec![silent, foreign.clone()];
        let (asked, reports) = play(ReadSensors::new(sensors, Quirks::default()), &[]);
        assert_eq!(asked, []);
        assert_eq!(reports[0].outcome, Err(Unread::EventOnly));
        assert_eq!(reports[1].outcome, Err(Unread::OtherOwner(0x2c)));

        let quirks = Quirks { owner_is_wrong: true, ..Quirks::default() };
        let (_, reports) = play(ReadSensors::new(vec![foreign], quirks), &[answer(0, &[7, 0x40, 0])]);
        assert_eq!(number(&reports[0]), Some(7.0));
    }

    #[test]
    fn a_wrong_scanning_bit_is_overlooked_where_it_is_known_to_be_wrong() {
        let answers = [answer(0, &[42, 0, 0])];
        let sensors = || vec![sensor(1, Linearization::Linear)];
        let (_, reports) = play(ReadSensors::new(sensors(), Quirks::default()), &answers);
        assert_eq!(reports[0].outcome.as_ref().unwrap().availability, Availability::ScanningDisabled);
        let quirks = Quirks { scanning_bit_is_wrong: true, ..Quirks::default() };
        let (_, reports) = play(ReadSensors::new(sensors(), quirks), &answers);
        assert_eq!(number(&reports[0]), Some(42.0));
    }
}
