//! The records and readings of a BMC that nobody here wrote, OpenIPMI's ipmi_sim with records by its sdrcomp, against
//! what ipmitool 1.8.19 (`sdr elist all`, `sensor`) and FreeIPMI 1.6.10 (`ipmi-sensors`) show of them.
//!
//! sdrcomp writes 9 for the square, and so on: one too much. The names tell what was asked for, not what there is.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use opendcre_ipmi::sdr::{Sdr, SdrRecord, Sensor};
use opendcre_ipmi::sensor::{GetSensorReading, Health, Linearization, Threshold};
use opendcre_ipmi::{Command, event};

/// The repository, as `ipmitool sdr dump` stores it.
const RECORDS: &[&str] = &[
    "01005112102000008f00000007010086ef2bce690b",
    "02005103142000000701236f00000000c87761746368646f67",
    "03005101332000010301450001010000000000000001000001000001010000000000ff000000000000000000000000c84350552054656d70",
    "04005101352000020701450001010000000000000001000001000001010000000000ff000000000000000000000000ca496e6c65742054656d70",
    "050051012f2000031d01450004010000000000000012000064000001010000000000ff000000000000000000000000c446616e31",
    "060051012f2000041d02450004010000000000000012000064000001010000000000ff000000000000000000000000c446616e32",
    "0700510132200005070145000201000000000000000400000600000101e000000000ff000000000000000000000000c756636320313256",
    "0800510131200007070145000b010000000000000006000004000001010000000000ff000000000000000000000000c650777220496e",
    "090051021e2000060a010000086f030003000300c00000000000000000000084f05c47",
    "0a0051110f20008000001000070100c446727530",
    "0b00510130200020070145680201000000003f000004000001030537050f07285a14ff00fa5a500a141e0201000000c54c696e2030",
    "0c00510130200021070145680201000000003f000004000101030537050f07285a14ff00fa5a500a141e0201000000c54c696e2031",
    "0d00510130200022070145680201000000003f000004000201030537050f07285a14ff00fa5a500a141e0201000000c54c696e2032",
    "0e00510130200023070145680201000000003f000004000301030537050f07285a14ff00fa5a500a141e0201000000c54c696e2033",
    "0f00510130200024070145680201000000003f00000400040203053705ef07285a14ff00fa5a500a141e0201000000c54c696e2034",
    "1000510130200025070145680201000000003f00000400050203053705ef07285a14ff00fa5a500a141e0201000000c54c696e2035",
    "1100510130200026070145680201000000003f00000400060203053705ef07285a14ff00fa5a500a141e0201000000c54c696e2036",
    "1200510130200027070145680201000000003f000004000701030537050f07285a14ff00fa5a500a141e0201000000c54c696e2037",
    "1300510130200028070145680201000000003f000004000901030537050f07285a14ff00fa5a500a141e0201000000c54c696e2038",
    "1400510130200029070145680201000000003f000004000a01030537050f07285a14ff00fa5a500a141e0201000000c54c696e2039",
    "150051013120002a070145680201000000003f000004000b01030537050f07285a14ff00fa5a500a141e0201000000c64c696e203130",
    "160051013120002b070145680201000000003f000004000c01030537050f07285a14ff00fa5a500a141e0201000000c64c696e203131",
    "170051012f200030070145680101000000003f004001000002030037050007285a14ff00fa5a500a141e0201000000c44f6e6573",
    "180051012f200031070145680301000000003f008005000003039cf705e107285a14ff00fa5a500a141e0201000000c454776f73",
    "1900510130200032070145680401000000003f00001200000c83ff7705d207285a14ff00fa5a500a141e0201000000c54e6567204d",
    "1a0051012f200033070145680b01000000003f000100000001030037050007285a14ff00fa5a500a141e0201000000c45574696c",
    "1b0051012f200034070145680401000000003f002011000001030037050007285a14ff00fa5a500a141e0201000000c452617465",
    "1c00510220200040200100000c6f000000000300c000001382000000000000c544696d6d20",
    "1d0051031020005004010d6f02050000c44469736b",
    "1e0051080b0701800301030200000000",
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn records() -> Vec<Sdr> {
    RECORDS.iter().map(|hex| Sdr::decode(&bytes(hex)).unwrap()).collect()
}

fn sensor(name: &str) -> Sensor {
    let mut sensors = records().into_iter().flat_map(|record| record.sensors());
    sensors.find(|sensor| sensor.name == name).unwrap()
}

#[track_caller]
fn assert_shown(number: f64, shown: &str) {
    let decimals = shown.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    assert_eq!(format!("{number:.decimals$}"), shown);
}

#[test]
fn every_record_is_read() {
    for record in records() {
        match record.record {
            SdrRecord::Unknown { .. } | SdrRecord::Unreadable { .. } => panic!("{record:?}"),
            _ => assert_eq!(record.version, 0x51),
        }
    }
    let types: Vec<_> = records().iter().map(|record| record.record.record_type()).collect();
    assert_eq!(types[..3], [0x12, 0x03, 0x01]);
    assert_eq!(types[types.len() - 3..], [0x02, 0x03, 0x08]);
}

#[test]
fn records_come_back() {
    for record in records() {
        assert_eq!(Sdr::decode(&record.encode()), Ok(record));
    }
}

#[test]
fn sensors_have_the_numbers_and_entities_that_ipmitool_lists() {
    let expected = [
        ("watchdog", 0x00, "7.1"),
        ("CPU Temp", 0x01, "3.1"),
        ("Inlet Temp", 0x02, "7.1"),
        ("Fan1", 0x03, "29.1"),
        ("Fan2", 0x04, "29.2"),
        ("Vcc 12V", 0x05, "7.1"),
        ("Pwr In", 0x07, "7.1"),
        ("PSU1", 0x06, "10.1"),
        ("Neg M", 0x32, "7.1"),
        ("Disk 5", 0x50, "4.1"),
    ];
    for (name, number, entity) in expected {
        let sensor = sensor(name);
        assert_eq!(sensor.address.number, number);
        assert_eq!(format!("{}.{}", sensor.entity.id, sensor.entity.instance), entity);
        assert!(sensor.address.is_of_bmc());
    }
}

/// Raw readings, and the numbers and units that both tools show.
#[test]
fn readings_are_those_of_ipmitool_and_freeipmi() {
    let expected = [
        ("CPU Temp", 30, "30", "C"),
        ("Inlet Temp", 24, "24", "C"),
        ("Fan1", 55, "5500", "RPM"),
        ("Fan2", 57, "5700", "RPM"),
        ("Vcc 12V", 200, "12", "V"),
        ("Pwr In", 60, "240", "W"),
        ("Lin 0", 100, "100.500", "V"),
        ("Lin 1", 100, "4.610", "V"),
        ("Lin 2", 100, "2.002", "V"),
        ("Lin 3", 100, "6.651", "V"),
        ("Lin 4", 100, "7.426", "V"),
        ("Lin 5", 100, "101.158", "V"),
        ("Lin 6", 100, "4.014", "V"),
        ("Lin 7", 100, "0.010", "V"),
        ("Lin 8", 100, "1015075.125", "V"),
        ("Lin 9", 100, "10.025", "V"),
        ("Lin 10", 100, "4.649", "V"),
        ("Ones", 0xf0, "-30", "C"),
        ("Twos", 0xf0, "-10.480", "A"),
        ("Neg M", 77, "12.600", "RPM"),
        ("Util", 42, "42", "%"),
        ("Rate", 42, "42", "CFM/min"),
    ];
    for (name, raw, shown, unit) in expected {
        let value = sensor(name).interpretation.value(raw).unwrap();
        assert_shown(value.number, shown);
        assert_eq!(value.units.symbol(), unit);
    }
}

/// Thresholds in the order in which `ipmitool sensor` shows them, from lower to upper non-recoverable.
#[test]
fn thresholds_are_those_of_ipmitool_and_freeipmi() {
    let order = [
        Threshold::LowerNonRecoverable,
        Threshold::LowerCritical,
        Threshold::LowerNonCritical,
        Threshold::UpperNonCritical,
        Threshold::UpperCritical,
        Threshold::UpperNonRecoverable,
    ];
    let expected = [
        ("Lin 0", ["10.500", "20.500", "30.500", "80.500", "90.500", "250.500"]),
        ("Lin 1", ["2.351", "3.020", "3.418", "4.388", "4.505", "5.523"]),
        ("Lin 2", ["1.021", "1.312", "1.484", "1.906", "1.957", "2.399"]),
        ("Lin 3", ["3.392", "4.358", "4.931", "6.331", "6.500", "7.969"]),
        ("Lin 4", ["1.228", "1.499", "1.831", "4.978", "6.080", "149.157"]),
        ("Lin 5", ["1.603", "2.541", "4.027", "40.272", "63.826", "101157.945"]),
        ("Lin 6", ["1.153", "1.324", "1.521", "3.042", "3.494", "32.111"]),
        ("Lin 7", ["0.095", "0.049", "0.033", "0.012", "0.011", "0.004"]),
        ("Lin 8", ["1157.625", "8615.125", "28372.625", "521660.125", "741217.625", "15718937.625"]),
        ("Lin 9", ["3.240", "4.528", "5.523", "8.972", "9.513", "15.827"]),
        ("Lin 10", ["2.190", "2.737", "3.124", "4.318", "4.490", "6.304"]),
        ("Ones", ["20.000", "40.000", "60.000", "160.000", "180.000", "-10.000"]),
        ("Twos", ["-9.700", "-9.400", "-9.100", "-7.600", "-7.300", "-10.180"]),
        ("Neg M", ["46.100", "41.100", "36.100", "11.100", "6.100", "-73.900"]),
    ];
    for (name, shown) in expected {
        let sensor = sensor(name);
        let conversion = sensor.interpretation.conversion.unwrap();
        let thresholds = sensor.thresholds.convert(|raw| conversion.value(raw));
        for (threshold, shown) in order.into_iter().zip(shown) {
            assert_shown(thresholds.get(threshold).unwrap(), shown);
        }
    }
}

#[test]
fn accuracy_is_that_of_freeipmi_and_tolerance_that_of_ipmitool_without_its_sign() {
    let conversion = sensor("Neg M").interpretation.conversion.unwrap();
    assert_shown(conversion.factors.accuracy_percent(), "5.500000");
    assert_shown(conversion.tolerance(77).unwrap(), "0.750");
}

#[test]
fn a_reserved_function_gives_no_number() {
    let sensor = sensor("Lin 11");
    assert_eq!(sensor.interpretation.conversion.unwrap().linearization, Linearization::Other(12));
    assert_eq!(sensor.interpretation.value(100), None);
}

#[test]
fn a_power_supply_is_present() {
    let sensor = sensor("PSU1");
    assert!(sensor.is_readable);
    let reading = GetSensorReading { lun: 0, number: 6 }.parse(&[0x00, 0xc0, 0x01, 0x00]).unwrap();
    let observation = sensor.interpretation.observe(&reading);
    assert_eq!(observation.value, None);
    assert_eq!(observation.states[0].to_string(), "presence detected");
    assert_eq!(event::sensor_type_name(sensor.interpretation.sensor_type), Some("Power Supply"));
}

#[test]
fn a_temperature_is_read_with_its_health() {
    let reading = GetSensorReading { lun: 0, number: 1 }.parse(&[0x1e, 0xc0, 0x00, 0x00]).unwrap();
    let observation = sensor("CPU Temp").interpretation.observe(&reading);
    assert_eq!(observation.value.unwrap().to_string(), "30 C");
    assert_eq!(observation.health, Some(Health::Ok));
}

#[test]
fn sensors_that_share_records_are_all_there() {
    let sensors: Vec<_> = records().iter().flat_map(Sdr::sensors).collect();
    let named = |prefix: &str| {
        let found = sensors.iter().filter(|sensor| sensor.name.starts_with(prefix));
        found.map(|sensor| (sensor.name.clone(), sensor.address.number)).collect::<Vec<_>>()
    };
    let dimms = [("Dimm C", 0x40), ("Dimm D", 0x41), ("Dimm E", 0x42)];
    assert_eq!(named("Dimm"), dimms.map(|(name, number)| (name.to_owned(), number)));
    let disks = [("Disk 5", 0x50), ("Disk 6", 0x51)];
    assert_eq!(named("Disk"), disks.map(|(name, number)| (name.to_owned(), number)));
}

#[test]
fn every_prefix_and_every_flipped_bit_of_every_record_is_survived() {
    for record in RECORDS.iter().map(|hex| bytes(hex)) {
        for length in 0..record.len() {
            Sdr::decode(&record[..length]).unwrap_err();
        }
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(sdr) = Sdr::decode(&flipped) else { continue };
            for sensor in sdr.sensors() {
                assert!(sensor.name.len() < 64);
                assert!(sensor.interpretation.value(0xff).is_none_or(|value| value.number.is_finite()));
            }
        }
    }
}
