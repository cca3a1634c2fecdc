//! The sensor data records of an emulated machine (IPMI 2.0 §43): one for every sensor, then the locators of its FRU
//! device and its BMC, and a record of the manufacturer.

use opendcre_ipmi::BMC_ADDRESS;
use opendcre_ipmi::sdr::{
    Access, CompactSensor, ControllerCapabilities, ControllerLocator, Device, Entity, FruLocator, FullSensor,
    Hysteresis, Initialization, Masks, OemRecord, SDR_VERSION, Sdr, SdrRecord, SensorAddress,
    SensorCapabilities, SensorCommon, Sharing,
};
use opendcre_ipmi::sensor::{AnalogFormat, BaseUnit, Factors, Linearization, Units};

use super::config::MachineConfig;
use super::sensor::{Coding, Form, Sensor, Thresholds};

/// Id strings have at most so many bytes (§43.1, "ID string").
const MAX_NAME: usize = 16;
/// A FRU device behind a controller (table 43-12).
const FRU_BEHIND_CONTROLLER: u8 = 0x10;
const SYSTEM_BOARD: Entity = Entity { id: 0x07, instance: 1, logical: false };
const MANAGEMENT_MODULE: Entity = Entity { id: 0x2e, instance: 1, logical: false };
/// Scanning and events are on from the beginning.
const INITIALIZATION: Initialization = Initialization {
    settable: false,
    scanning: true,
    events: true,
    thresholds: true,
    hysteresis: true,
    sensor_type: true,
    events_by_default: true,
    scanning_by_default: true,
};

/// All records. The id of each is its index and one, that of a sensor therefore its number.
pub(super) fn records(sensors: &[Sensor], config: &MachineConfig) -> Vec<Vec<u8>> {
    let sensors = sensors.iter().map(|sensor| match sensor.form {
        Form::Analog { coding, thresholds } => SdrRecord::Full(full(sensor, &coding, &thresholds)),
        Form::Discrete => SdrRecord::Compact(compact(sensor)),
    });
    let oem = OemRecord { manufacturer: config.manufacturer_id, data: b"DCRE".to_vec() };
    let others = [
        SdrRecord::FruLocator(fru_locator(&config.fru.product)),
        SdrRecord::ControllerLocator(controller_locator()),
        SdrRecord::Oem(oem),
    ];
    let record = |(id, record)| Sdr { id, version: SDR_VERSION, record }.encode();
    (1..).zip(sensors.chain(others)).map(record).collect()
}

fn full(sensor: &Sensor, coding: &Coding, thresholds: &Thresholds) -> FullSensor {
    let Thresholds { raw, mask, positive_hysteresis, negative_hysteresis } = *thresholds;
    let events = thresholds.event_mask();
    let masks = Masks {
        assertion: events | u16::from(mask & 0b111) << 12,
        deassertion: events | u16::from(mask >> 3) << 12,
        // All thresholds that can be read can be set.
        reading: u16::from_le_bytes([mask, mask]),
    };
    let format = if coding.is_signed { AnalogFormat::TwosComplement } else { AnalogFormat::Unsigned };
    let (maximum, minimum) = if coding.is_signed { (0x7f, 0x80) } else { (0xff, 0x00) };
    FullSensor {
        common: common(sensor, Access::Settable, masks, format),
        linearization: if coding.is_square_root { Linearization::SquareRoot } else { Linearization::Linear },
        factors: Factors {
            m: coding.m,
            b: coding.b,
            result_exponent: coding.result_exponent,
            ..Factors::default()
        },
        nominal: None,
        normal_maximum: None,
        normal_minimum: None,
        maximum,
        minimum,
        initial_thresholds: raw,
        hysteresis: Hysteresis { positive: positive_hysteresis, negative: negative_hysteresis },
        oem: 0,
        name: sensor.name.clone(),
    }
}

fn compact(sensor: &Sensor) -> CompactSensor {
    let states = sensor.kind.states();
    let masks = Masks { assertion: states, deassertion: states, reading: states };
    CompactSensor {
        common: common(sensor, Access::None, masks, AnalogFormat::None),
        sharing: Sharing { count: 1, ..Sharing::default() },
        hysteresis: Hysteresis::default(),
        oem: 0,
        name: sensor.name.clone(),
    }
}

fn common(sensor: &Sensor, thresholds: Access, masks: Masks, format: AnalogFormat) -> SensorCommon {
    let kind = sensor.kind;
    SensorCommon {
        address: SensorAddress::of_bmc(sensor.number),
        entity: Entity { id: kind.entity(), instance: sensor.instance, logical: false },
        initialization: INITIALIZATION,
        capabilities: SensorCapabilities {
            auto_rearm: true,
            hysteresis: thresholds,
            thresholds,
            ..SensorCapabilities::default()
        },
        sensor_type: kind.sensor_type(),
        event_reading_type: sensor.form.event_type(),
        masks,
        units: Units::plain(format, BaseUnit(kind.unit())),
    }
}

fn fru_locator(product: &str) -> FruLocator {
    FruLocator {
        access_address: BMC_ADDRESS,
        logical: true,
        device_type: FRU_BEHIND_CONTROLLER,
        device: Device { entity: SYSTEM_BOARD, oem: 0, name: product.chars().take(MAX_NAME).collect() },
        ..FruLocator::default()
    }
}

fn controller_locator() -> ControllerLocator {
    ControllerLocator {
        address: BMC_ADDRESS,
        capabilities: ControllerCapabilities {
            chassis: true,
            fru_inventory: true,
            event_log: true,
            sdr_repository: true,
            sensors: true,
            ..ControllerCapabilities::default()
        },
        device: Device { entity: MANAGEMENT_MODULE, oem: 0, name: "BMC".into() },
        ..ControllerLocator::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::SensorConfig;
    use super::*;

    fn sensors() -> Vec<Sensor> {
        let config = MachineConfig::default();
        let sensor = |(number, config): (u8, &SensorConfig)| Sensor::new(number, 1, config);
        (1..).zip(&config.sensors).map(sensor).collect()
    }

    /// What a sensor makes of a value is what a reader of its record makes of the raw byte.
    #[test]
    fn values_come_back_from_their_raw_bytes() {
        for sensor in sensors() {
            let Form::Analog { coding, thresholds } = sensor.form else { continue };
            let conversion = full(&sensor, &coding, &thresholds).conversion().unwrap();
            for raw in 0..=u8::MAX {
                let value = conversion.value(raw).unwrap();
                assert_eq!(coding.encode(value), raw, "{} at {value}", sensor.name);
            }
            assert_eq!(coding.encode(1e9), if coding.is_signed { 0x7f } else { 0xff });
            assert_eq!(
                coding.encode(if coding.is_square_root { 0.0 } else { -1e9 }),
                if coding.is_signed { 0x80 } else { 0 }
            );
        }
    }

    #[test]
    fn records_decode_to_what_they_were_made_of() {
        let sensors = sensors();
        let records = records(&sensors, &MachineConfig::default());
        for ((id, bytes), sensor) in (1..).zip(&records).zip(&sensors) {
            let sdr = Sdr::decode(bytes).unwrap();
            let decoded = sdr.sensors().remove(0);
            assert_eq!((sdr.id, decoded.name.as_str()), (id, sensor.name.as_str()));
            assert_eq!(decoded.address.number, sensor.number);
            assert_eq!(
                decoded.thresholds.mask(),
                sensor.thresholds().map_or(0, |thresholds| thresholds.mask)
            );
        }
        assert_eq!(records.len(), sensors.len() + 3);
    }
}
