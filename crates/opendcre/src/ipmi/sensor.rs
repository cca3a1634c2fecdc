//! All sensors of a BMC: their records are read first, then each of them.

use std::collections::HashSet;
use std::sync::Arc;

use comfy_table::Table;
use opendcre_drivers::ipmi::BmcError;
use opendcre_ipmi::Single;
use opendcre_ipmi::app::{DeviceIdentity, Functions, GetDeviceId};
use opendcre_ipmi::event::sensor_type_name;
use opendcre_ipmi::quirk::quirks;
use opendcre_ipmi::sdr::{Entity, Repository, Sdr, SdrRecord, Sensor, SensorAddress, Source, WalkSdr};
use opendcre_ipmi::sensor::{
    Availability, GetSensorThresholds, Health, Interpretation, Observation, ReadSensors, Thresholds, Unread,
};
use serde::Serialize;

use super::console::{Report, joined, list, words};
use super::error::IpmiError;
use super::link::Link;

/// The event/reading type of sensors that compare what they measure with thresholds (IPMI 2.0 table 42-1).
const THRESHOLD_BASED: u8 = 0x01;

/// All sensors.
#[derive(Debug, Serialize)]
pub(super) struct Sensors {
    sensors: Vec<Row>,
    problems: Vec<String>,
}

/// One sensor with what it reports.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    #[serde(rename = "type")]
    kind: Option<&'static str>,
    entity: String,
    number: u8,
    owner: u8,
    status: Status,
    value: Option<f64>,
    unit: String,
    tolerance: Option<f64>,
    health: Option<&'static str>,
    states: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thresholds: Option<ThresholdValues>,
}

/// Whether a sensor has something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// It has.
    Available,
    /// The BMC does not read it now.
    Disabled,
    /// There is no valid reading.
    Unavailable,
    /// It only sends events.
    EventOnly,
    /// It belongs to another controller behind the BMC.
    OtherController,
    /// The BMC does not give it.
    Refused,
}

impl Status {
    /// Whether the BMC answers for it.
    const fn is_readable(self) -> bool {
        matches!(self, Self::Available | Self::Disabled | Self::Unavailable)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Available => "-",
            Self::Disabled => "disabled",
            Self::Unavailable => "unavailable",
            Self::EventOnly => "event only",
            Self::OtherController => "other controller",
            Self::Refused => "refused",
        }
    }
}

#[derive(Debug, Serialize)]
struct ThresholdValues {
    lower_non_recoverable: Option<f64>,
    lower_critical: Option<f64>,
    lower_non_critical: Option<f64>,
    upper_non_critical: Option<f64>,
    upper_critical: Option<f64>,
    upper_non_recoverable: Option<f64>,
}

/// Reads all sensors, with their present thresholds if wanted.
pub(super) async fn read(link: &Link, with_thresholds: bool) -> Result<Sensors, IpmiError> {
    let identity = link.ask(GetDeviceId).await?;
    let mut problems = Vec::new();
    let sensors = find(link, &identity, &mut problems).await?;
    let quirks = quirks(identity.manufacturer, identity.product);
    let outcomes = link.run(ReadSensors::new(Arc::clone(&sensors), quirks)).await?;
    let mut rows = Vec::with_capacity(sensors.len());
    for (sensor, outcome) in sensors.iter().zip(outcomes) {
        if let Err(Unread::Command(error)) = &outcome {
            problems.push(format!("{}: {error}", sensor.name));
        }
        let mut row = Row::new(sensor, outcome);
        if with_thresholds && row.status.is_readable() {
            row.thresholds = thresholds(link, sensor, &mut problems).await?;
        }
        rows.push(row);
    }
    Ok(Sensors { sensors: rows, problems })
}

/// All sensors that the BMC has records of: in its repository, and besides in itself. A BMC that names neither is asked
/// for a repository all the same.
async fn find(
    link: &Link,
    identity: &DeviceIdentity,
    problems: &mut Vec<String>,
) -> Result<Arc<[Sensor]>, BmcError> {
    let itself = WalkSdr::new(Source::Device { lun: 0 });
    let has_repository = identity.functions.contains(Functions::SDR_REPOSITORY);
    if identity.device_sdrs && !has_repository {
        return Ok(sensors(&link.run(itself).await?, problems).into());
    }
    let mut found = sensors(&link.run(WalkSdr::new(Source::Repository)).await?, problems);
    if identity.device_sdrs
        && let Some(records) = link.try_run("records of the BMC's own sensors", itself, problems).await?
    {
        add_missing(&mut found, sensors(&records, problems));
    }
    Ok(found.into())
}

/// The sensors of the records, and a problem for each record that cannot be used.
fn sensors(records: &Repository, problems: &mut Vec<String>) -> Vec<Sensor> {
    problems.extend(records.records.iter().filter_map(unreadable));
    problems.extend(records.cut_short.as_ref().map(|error| format!("records are missing: {error}")));
    records.sensors().collect()
}

/// Most BMCs that have two sets of records have the same sensors in both.
fn add_missing(found: &mut Vec<Sensor>, others: Vec<Sensor>) {
    let known: HashSet<SensorAddress> = found.iter().map(|sensor| sensor.address).collect();
    found.extend(others.into_iter().filter(|sensor| !known.contains(&sensor.address)));
}

fn unreadable(sdr: &Sdr) -> Option<String> {
    match &sdr.record {
        SdrRecord::Unreadable { problem, .. } => Some(format!("sensor record {:04x}: {problem}", sdr.id)),
        _ => None,
    }
}

async fn thresholds(
    link: &Link,
    sensor: &Sensor,
    problems: &mut Vec<String>,
) -> Result<Option<ThresholdValues>, BmcError> {
    if sensor.interpretation.event_reading_type != THRESHOLD_BASED {
        return Ok(None);
    }
    let question = GetSensorThresholds { lun: sensor.address.lun, number: sensor.address.number };
    let mut refusals = Vec::new();
    let raw = link.try_run(&sensor.name, Single(question), &mut refusals).await?;
    // Records are often wrong about what can be read. A refusal that they foretell is no news.
    if sensor.thresholds.mask() != 0 {
        problems.append(&mut refusals);
    }
    let known = raw.filter(|raw| raw.mask() != 0);
    Ok(known.map(|raw| ThresholdValues::new(&raw, &sensor.interpretation)))
}

impl ThresholdValues {
    fn new(raw: &Thresholds<u8>, interpretation: &Interpretation) -> Self {
        let values = raw.convert(|raw| interpretation.value(raw).map(|value| value.number));
        let Thresholds {
            lower_non_critical,
            lower_critical,
            lower_non_recoverable,
            upper_non_critical,
            upper_critical,
            upper_non_recoverable,
        } = values;
        Self {
            lower_non_recoverable,
            lower_critical,
            lower_non_critical,
            upper_non_critical,
            upper_critical,
            upper_non_recoverable,
        }
    }

    /// From the lowest to the highest.
    const fn columns(&self) -> [Option<f64>; 6] {
        [
            self.lower_non_recoverable,
            self.lower_critical,
            self.lower_non_critical,
            self.upper_non_critical,
            self.upper_critical,
            self.upper_non_recoverable,
        ]
    }
}

impl Row {
    fn without_reading(sensor: &Sensor, status: Status) -> Self {
        let Sensor { name, address, entity, interpretation, .. } = sensor;
        Self {
            name: name.clone(),
            kind: sensor_type_name(interpretation.sensor_type),
            entity: entity_text(*entity),
            number: address.number,
            owner: address.owner,
            status,
            value: None,
            unit: interpretation.units.symbol().into_owned(),
            tolerance: None,
            health: None,
            states: Vec::new(),
            thresholds: None,
        }
    }

    fn new(sensor: &Sensor, outcome: Result<Observation, Unread>) -> Self {
        let observation = match outcome {
            Ok(observation) => observation,
            Err(Unread::EventOnly) => return Self::without_reading(sensor, Status::EventOnly),
            Err(Unread::OtherOwner(_)) => return Self::without_reading(sensor, Status::OtherController),
            Err(Unread::Command(_)) => return Self::without_reading(sensor, Status::Refused),
        };
        let status = match observation.availability {
            Availability::Available => Status::Available,
            Availability::ScanningDisabled => Status::Disabled,
            Availability::Unavailable => Status::Unavailable,
        };
        Self {
            value: observation.value.map(|value| value.number),
            tolerance: observation.tolerance,
            health: observation.health.map(health_word),
            states: observation.states.iter().map(ToString::to_string).collect(),
            ..Self::without_reading(sensor, status)
        }
    }

    fn reading(&self) -> String {
        match self.value {
            Some(value) => format!("{} {}", decimal(value), self.unit).trim_end().to_owned(),
            None => self.status.word().to_owned(),
        }
    }

    fn columns(&self) -> [String; 4] {
        let health = self.health.map_or_else(|| "-".to_owned(), words);
        let states = joined(&self.states).unwrap_or_else(|| "-".to_owned());
        [self.name.clone(), self.reading(), health, states]
    }
}

const fn health_word(health: Health) -> &'static str {
    match health {
        Health::Ok => "ok",
        Health::NonCritical => "non_critical",
        Health::Critical => "critical",
        Health::NonRecoverable => "non_recoverable",
    }
}

fn entity_text(entity: Entity) -> String {
    match entity.name() {
        Some(name) => format!("{name} {}", entity.instance),
        None => format!("entity {:02x} {}", entity.id, entity.instance),
    }
}

/// At most three digits behind the point: no sensor is more exact than its 256 steps.
fn decimal(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Report for Sensors {
    fn tables(&self) -> Vec<Table> {
        if self.sensors.iter().all(|row| row.thresholds.is_none()) {
            return vec![list(
                ["SENSOR", "READING", "HEALTH", "STATES"],
                self.sensors.iter().map(Row::columns),
            )];
        }
        let header = ["SENSOR", "READING", "HEALTH", "LNR", "LC", "LNC", "UNC", "UC", "UNR", "STATES"];
        let rows = self.sensors.iter().map(|row| {
            let [name, reading, health, states] = row.columns();
            let values = row.thresholds.as_ref().map(ThresholdValues::columns).unwrap_or_default();
            let [lnr, lc, lnc, unc, uc, unr] = values.map(|value| value.map_or("-".to_owned(), decimal));
            [name, reading, health, lnr, lc, lnc, unc, uc, unr, states]
        });
        vec![list(header, rows)]
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }
}

#[cfg(test)]
mod tests {
    use opendcre_ipmi::sensor::{
        AnalogFormat, BaseUnit, Conversion, Factors, Linearization, SensorReading, Units,
    };

    use super::*;
    use crate::ipmi::console::shown;

    const TEMPERATURE: u8 = 0x01;
    const POWER_SUPPLY: u8 = 0x08;
    const CELSIUS: BaseUnit = BaseUnit(1);

    fn temperature() -> Sensor {
        Sensor {
            record: 1,
            address: SensorAddress::of_bmc(4),
            entity: Entity::decode([0x03, 1]),
            name: "CPU1 Temp".to_owned(),
            is_readable: true,
            interpretation: Interpretation {
                sensor_type: TEMPERATURE,
                event_reading_type: 0x01,
                units: Units::plain(AnalogFormat::Unsigned, CELSIUS),
                conversion: Some(Conversion {
                    format: AnalogFormat::Unsigned,
                    linearization: Linearization::Linear,
                    factors: Factors { m: 5, result_exponent: -1, tolerance: 2, ..Factors::default() },
                }),
            },
            thresholds: Thresholds { upper_critical: Some(180), ..Thresholds::default() },
        }
    }

    fn supply() -> Sensor {
        let interpretation = Interpretation {
            sensor_type: POWER_SUPPLY,
            event_reading_type: 0x6f,
            units: Units::default(),
            conversion: None,
        };
        let address = SensorAddress::of_bmc(12);
        let entity = Entity::decode([0x0a, 1]);
        Sensor { name: "PS1 Status".to_owned(), address, entity, interpretation, ..temperature() }
    }

    fn row(sensor: &Sensor, reading: &SensorReading) -> Row {
        Row::new(sensor, Ok(sensor.interpretation.observe(reading)))
    }

    fn sample() -> Sensors {
        let hot = SensorReading {
            raw: 181,
            events_enabled: true,
            scanning_enabled: true,
            unavailable: false,
            states: Some(0x10),
        };
        let failed = SensorReading { states: Some(0x03), ..hot };
        let absent = SensorReading { unavailable: true, ..hot };
        let sensors = vec![
            row(&temperature(), &hot),
            row(&supply(), &failed),
            row(&temperature(), &absent),
            Row::new(&supply(), Err(Unread::EventOnly)),
        ];
        Sensors { sensors, problems: vec!["VBAT: no".to_owned()] }
    }

    #[test]
    fn readings_are_shown_with_unit_health_and_states() {
        insta::assert_snapshot!(shown(&sample()), @r"
        SENSOR      READING      HEALTH    STATES
        CPU1 Temp   90.5 C       critical  at or above upper critical
        PS1 Status  -            -         presence detected, failure detected
        CPU1 Temp   unavailable  -         -
        PS1 Status  event only   -         -
        warning: VBAT: no
        ");
    }

    #[test]
    fn thresholds_are_columns() {
        let mut sample = sample();
        let values = ThresholdValues::new(&temperature().thresholds, &temperature().interpretation);
        sample.sensors[0].thresholds = Some(values);
        sample.sensors.truncate(2);
        insta::assert_snapshot!(shown(&sample), @r"
        SENSOR      READING  HEALTH    LNR  LC  LNC  UNC  UC  UNR  STATES
        CPU1 Temp   90.5 C   critical  -    -   -    -    90  -    at or above upper critical
        PS1 Status  -        -         -    -   -    -    -   -    presence detected, failure detected
        warning: VBAT: no
        ");
        insta::assert_snapshot!(serde_json::to_string(&sample).unwrap(), @r#"{"sensors":[{"name":"CPU1 Temp","type":"Temperature","entity":"processor 1","number":4,"owner":32,"status":"available","value":90.5,"unit":"C","tolerance":0.5,"health":"critical","states":["at or above upper critical"],"thresholds":{"lower_non_recoverable":null,"lower_critical":null,"lower_non_critical":null,"upper_non_critical":null,"upper_critical":90.0,"upper_non_recoverable":null}},{"name":"PS1 Status","type":"Power Supply","entity":"power supply 1","number":12,"owner":32,"status":"available","value":null,"unit":"","tolerance":null,"health":null,"states":["presence detected","failure detected"]}],"problems":["VBAT: no"]}"#);
    }

    #[test]
    fn the_same_sensor_in_two_sets_of_records_is_one() {
        let mut found = vec![temperature()];
        add_missing(&mut found, vec![Sensor { name: "Temp 1".to_owned(), ..temperature() }, supply()]);
        let names: Vec<&str> = found.iter().map(|sensor| sensor.name.as_str()).collect();
        assert_eq!(names, ["CPU1 Temp", "PS1 Status"]);
    }

    #[test]
    fn numbers_have_no_more_digits_than_they_mean() {
        let numbers = [12.0, 0.5, 11.858_999_999, -3.333_333, 2100.0].map(decimal);
        assert_eq!(numbers, ["12", "0.5", "11.859", "-3.333", "2100"]);
    }
}
