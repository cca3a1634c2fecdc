//! Any bytes as a sensor record, and walks through repositories that answer as they like.
//!
//! The promises: a record that was encoded once decodes to the same ever after; names cannot control a terminal; every raw
//! value becomes a finite number or none; a walk ends, whatever it is answered.

use arbitrary::{Arbitrary, Unstructured};
use opendcre_ipmi::Request;
use opendcre_ipmi::sdr::{
    MAX_RECORDS, RepositoryInfo, RepositoryOperations, Sdr, SdrRecord, Sensor, Source, WalkSdr,
};
use opendcre_ipmi::sensor::{
    Conversion, GetSensorReadingFactors, GetSensorThresholds, SensorReading, Threshold,
};
use opendcre_ipmi::{Command, NetFn};

use crate::hostile::{Count, Hostility};
use crate::is_printable;

/// No record has more sensors: their number has four bits.
const MAX_SENSORS: usize = 15;
/// A record comes in its header, asked for three times at most, and in parts of four bytes at least, after the size of
/// the parts was halved a few times.
const MAX_REQUESTS_PER_RECORD: usize = 80;

/// Takes the bytes as a record and as the answers about a sensor, and walks through the repository that they describe.
pub fn sdr(data: &[u8]) {
    if let Ok(record) = Sdr::decode(data) {
        check_record(&record);
    }
    answers(data);
    if let Ok(walk) = Walk::arbitrary_take_rest(Unstructured::new(data)) {
        walk.check();
    }
}

fn check_record(record: &Sdr) {
    // Encoding knows only short names in Latin 1: what is lost is lost the first time.
    let again = Sdr::decode(&record.encode());
    assert_eq!(again.as_ref().map(|again| Sdr::decode(&again.encode())), Ok(again.clone()));
    let sensors = record.sensors();
    assert!(sensors.len() <= MAX_SENSORS, "{} sensors in one record", sensors.len());
    sensors.iter().for_each(check_sensor);
    if let SdrRecord::Full(sensor) = &record.record {
        sensor.conversion().iter().for_each(check_conversion);
        assert!(sensor.factors.accuracy_percent().is_finite());
    }
}

fn check_sensor(sensor: &Sensor) {
    assert!(is_printable(&sensor.name), "{:?}", sensor.name);
    for raw in 0..=u8::MAX {
        if let Some(value) = sensor.interpretation.value(raw) {
            assert!(value.number.is_finite(), "{raw}");
        }
    }
    let thresholds = sensor.thresholds.convert(|raw| sensor.interpretation.conversion?.value(raw));
    for threshold in Threshold::ALL {
        assert!(thresholds.get(threshold).is_none_or(f64::is_finite));
    }
}

fn check_conversion(conversion: &Conversion) {
    for raw in 0..=u8::MAX {
        let Some(value) = conversion.value(raw) else { continue };
        assert!(value.is_finite(), "{raw}");
        assert!(conversion.tolerance(raw).is_none_or(|tolerance| tolerance >= 0.0), "{raw}");
    }
    if let Some(value) = conversion.value(0x55) {
        let raw = conversion.raw(value);
        assert_eq!(raw.and_then(|raw| conversion.value(raw)), Some(value));
    }
}

fn answers(data: &[u8]) {
    if let Ok(reading) = SensorReading::decode(data) {
        assert_eq!(SensorReading::decode(&reading.encode()), Ok(reading));
    }
    if let Ok(thresholds) = (GetSensorThresholds { lun: 0, number: 1 }).parse(data) {
        assert_eq!(thresholds.encode().first().map(|mask| mask & 0x3f), Some(thresholds.mask()));
    }
    if let Ok(factors) = (GetSensorReadingFactors { lun: 0, number: 1, raw: 0 }).parse(data) {
        assert_eq!(factors.encode(), data.get(..7).unwrap_or_default());
    }
}

#[derive(Debug, Arbitrary)]
struct Walk {
    source: Option<u8>,
    hostility: Hostility,
    repository: Repository,
}

impl Walk {
    fn check(&self) {
        let source = match self.source {
            None => Source::Repository,
            Some(lun) => Source::Device { lun: lun & 3 },
        };
        let most = self.hostility.length() + MAX_RECORDS * MAX_REQUESTS_PER_RECORD;
        let walked =
            self.hostility.drive(WalkSdr::new(source), most, |request| self.repository.answer(request));
        if let Ok(repository) = walked {
            assert!(repository.records.len() <= MAX_RECORDS);
            // The others are the same ones again.
            repository.records.iter().take(self.repository.records.len().max(8)).for_each(check_record);
        }
    }
}

/// A repository of as many records as it claims, which are few different ones.
#[derive(Debug, Arbitrary)]
struct Repository {
    records: Vec<(u8, Vec<u8>)>,
    count: Count,
    can_reserve: bool,
    /// What the last record names as the next.
    end: u16,
}

impl Repository {
    fn answer(&self, request: &Request) -> Vec<u8> {
        match (request.netfn, request.command, request.data.as_slice()) {
            (NetFn::STORAGE, 0x20, _) => self.info().encode(),
            (NetFn::SENSOR, 0x20, _) => vec![self.count.number().to_le_bytes()[0], 0x01],
            (_, 0x22, _) => vec![1, 0],
            (_, _, [_, _, low, high, offset, count]) => {
                self.part(u16::from_le_bytes([*low, *high]), (*offset).into(), (*count).into())
            }
            _ => Vec::new(),
        }
    }

    fn info(&self) -> RepositoryInfo {
        let operations =
            RepositoryOperations { reserve: self.can_reserve, ..RepositoryOperations::default() };
        RepositoryInfo {
            version: 0x51,
            records: self.count.number(),
            operations,
            ..RepositoryInfo::default()
        }
    }

    fn part(&self, id: u16, offset: usize, count: usize) -> Vec<u8> {
        let next = id.checked_add(1).filter(|next| *next < self.count.number()).unwrap_or(self.end);
        let (record_type, body) = match usize::from(id).checked_rem(self.records.len()) {
            Some(index) => self.records.get(index).cloned().unwrap_or_default(),
            None => (0, Vec::new()),
        };
        let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
        let header = [id.to_le_bytes(), [0x51, record_type]].concat();
        let record = header.into_iter().chain([length]).chain(body);
        next.to_le_bytes().into_iter().chain(record.skip(offset).take(count)).collect()
    }
}
