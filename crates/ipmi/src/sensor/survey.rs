//! Reading many sensors, one after the other.

use std::sync::Arc;

use thiserror::Error;

use super::conversion::{Conversion, Factors, GetSensorReadingFactors, Linearization};
use super::reading::{GetSensorReading, Interpretation, Observation, SensorReading};
use crate::quirk::Quirks;
use crate::sdr::Sensor;
use crate::{Command, CommandError, Procedure, Request, Response, Step};

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

/// Reads sensors: what each outcomes, or why it does not, in their order. A sensor that cannot be read costs only its
/// own reading.
#[derive(Debug)]
pub struct ReadSensors {
    sensors: Arc<[Sensor]>,
    quirks: Quirks,
    /// The reading of the sensor that is asked, when only the factors for it are awaited.
    reading: Option<SensorReading>,
    /// One for each sensor up to the one that is asked.
    outcomes: Vec<Result<Observation, Unread>>,
}

impl ReadSensors {
    /// Reads `sensors` of a BMC with these quirks.
    #[must_use]
    pub fn new(sensors: Arc<[Sensor]>, quirks: Quirks) -> Self {
        let outcomes = Vec::with_capacity(sensors.len());
        Self { sensors, quirks, reading: None, outcomes }
    }

    /// Why this sensor cannot be asked at all.
    fn obstacle(&self, sensor: &Sensor) -> Option<Unread> {
        if !sensor.is_readable {
            return Some(Unread::EventOnly);
        }
        let other = !sensor.address.is_of_bmc() && !self.quirks.owner_is_wrong;
        other.then_some(Unread::OtherOwner(sensor.address.owner))
    }

    /// Reads the answer of `sensor`; returns the next question about the same sensor, if there is one.
    fn on_answer(&mut self, sensor: &Sensor, answer: &Response) -> Option<Request> {
        let observed = match self.reading.take() {
            None => match reading_command(sensor).read(answer) {
                Ok(reading) => {
                    let reading = self.corrected(reading);
                    if needs_factors(sensor) {
                        self.reading = Some(reading);
                        return Some(factors_command(sensor, reading).request());
                    }
                    Ok(sensor.interpretation.observe(&reading))
                }
                Err(error) => Err(error),
            },
            Some(reading) => {
                let factors = factors_command(sensor, reading).read(answer);
                factors.map(|answer| with_factors(sensor, answer.factors).observe(&reading))
            }
        };
        self.outcomes.push(observed.map_err(Unread::from));
        None
    }

    const fn corrected(&self, reading: SensorReading) -> SensorReading {
        let scanning_enabled = reading.scanning_enabled || self.quirks.scanning_bit_is_wrong;
        SensorReading { scanning_enabled, ..reading }
    }
}

impl Procedure for ReadSensors {
    type Output = Vec<Result<Observation, Unread>>;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<Self::Output>, CommandError> {
        let sensors = Arc::clone(&self.sensors);
        if let (Some(sensor), Some(answer)) = (sensors.get(self.outcomes.len()), answer)
            && let Some(request) = self.on_answer(sensor, answer)
        {
            return Ok(Step::Ask(request));
        }
        while let Some(sensor) = sensors.get(self.outcomes.len()) {
            match self.obstacle(sensor) {
                Some(unread) => self.outcomes.push(Err(unread)),
                None => return Ok(Step::Ask(reading_command(sensor).request())),
            }
        }
        Ok(Step::Done(std::mem::take(&mut self.outcomes)))
    }
}

fn needs_factors(sensor: &Sensor) -> bool {
    sensor.interpretation.conversion.is_some_and(|conversion| conversion.linearization.needs_factors())
}

fn with_factors(sensor: &Sensor, factors: Factors) -> Interpretation {
    let linear = |conversion| Conversion { linearization: Linearization::Linear, factors, ..conversion };
    let conversion = sensor.interpretation.conversion.map(linear);
    Interpretation { conversion, ..sensor.interpretation }
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
    use crate::sensor::{AnalogFormat, Availability, BaseUnit, Thresholds, Units};

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

    type Outcome = Result<Observation, Unread>;

    /// Answers each question in turn; returns the questions as command and data, and the outcomes.
    fn play(
        sensors: Vec<Sensor>,
        quirks: Quirks,
        answers: &[Response],
    ) -> (Vec<(u8, Vec<u8>)>, Vec<Outcome>) {
        let mut procedure = ReadSensors::new(sensors.into(), quirks);
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
            Step::Done(outcomes) => (asked, outcomes),
            Step::Ask(request) => panic!("{request:?}"),
        }
    }

    fn number(outcome: &Outcome) -> Option<f64> {
        outcome.as_ref().unwrap().value.map(|value| value.number)
    }

    #[test]
    fn a_sensor_that_fails_costs_only_itself() {
        let sensors = vec![sensor(1, Linearization::Linear), sensor(2, Linearization::Linear)];
        let answers = [answer(0xcb, &[]), answer(0, &[42, 0x40, 0])];
        let (asked, outcomes) = play(sensors, Quirks::default(), &answers);
        assert_eq!(asked, [(0x2d, vec![1]), (0x2d, vec![2])]);
        assert!(matches!(&outcomes[0], Err(Unread::Command(CommandError::Refused { .. }))));
        assert_eq!(number(&outcomes[1]), Some(42.0));
    }

    #[test]
    fn sensors_without_a_formula_are_asked_for_their_factors() {
        let sensors = vec![sensor(1, Linearization::Other(0x70))];
        let answers = [answer(0, &[42, 0x40, 0]), answer(0, &[43, 2, 0, 0, 0, 0, 0])];
        let (asked, outcomes) = play(sensors, Quirks::default(), &answers);
        assert_eq!(asked, [(0x2d, vec![1]), (0x23, vec![1, 42])]);
        assert_eq!(number(&outcomes[0]), Some(84.0));
    }

    #[test]
    fn what_cannot_be_asked_is_reported_without_asking() {
        let silent = Sensor { is_readable: false, ..sensor(1, Linearization::Linear) };
        let mut foreign = sensor(2, Linearization::Linear);
        foreign.address.owner = 0x2c;
        let sensors = vec![silent, foreign.clone()];
        let (asked, outcomes) = play(sensors, Quirks::default(), &[]);
        assert_eq!(asked, []);
        assert_eq!(outcomes[0], Err(Unread::EventOnly));
        assert_eq!(outcomes[1], Err(Unread::OtherOwner(0x2c)));

        let quirks = Quirks { owner_is_wrong: true, ..Quirks::default() };
        let (_, outcomes) = play(vec![foreign], quirks, &[answer(0, &[7, 0x40, 0])]);
        assert_eq!(number(&outcomes[0]), Some(7.0));
    }

    #[test]
    fn a_wrong_scanning_bit_is_overlooked_where_it_is_known_to_be_wrong() {
        let answers = [answer(0, &[42, 0, 0])];
        let sensors = || vec![sensor(1, Linearization::Linear)];
        let (_, outcomes) = play(sensors(), Quirks::default(), &answers);
        assert_eq!(outcomes[0].as_ref().unwrap().availability, Availability::ScanningDisabled);
        let quirks = Quirks { scanning_bit_is_wrong: true, ..Quirks::default() };
        let (_, outcomes) = play(sensors(), quirks, &answers);
        assert_eq!(number(&outcomes[0]), Some(42.0));
    }
}
