//! Records of every type come back from their bytes, and any bytes can be read.

use opendcre_ipmi::sdr::{Sdr, SdrRecord, entity_name};
use opendcre_ipmi::sensor::SensorReading;
use proptest::prelude::*;

/// The types that end in a name, and the bytes between header and name.
const NAMED: [(u8, usize); 5] = [(0x01, 42), (0x02, 26), (0x03, 11), (0x11, 10), (0x12, 10)];
/// The types without a name, and the bytes behind the header.
const NAMELESS: [(u8, usize); 3] = [(0x08, 11), (0x09, 27), (0xc0, 20)];

fn record(id: u16, record_type: u8, body: &[u8]) -> Vec<u8> {
    let [low, high] = id.to_le_bytes();
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    [&[low, high, 0x51, record_type, length], body].concat()
}

/// A record of the right length with a name that can be written again.
fn well_formed() -> impl Strategy<Value = Vec<u8>> {
    let named = (prop::sample::select(&NAMED[..]), "[!-~]([ -~]{0,14}[!-~])?").prop_flat_map(
        |((record_type, length), name)| {
            (any::<u16>(), prop::collection::vec(any::<u8>(), length)).prop_map(move |(id, mut body)| {
                body.push(0xc0 | u8::try_from(name.len()).unwrap_or_default());
                body.extend(name.as_bytes());
                record(id, record_type, &body)
            })
        },
    );
    let nameless = prop::sample::select(&NAMELESS[..]).prop_flat_map(|(record_type, length)| {
        (any::<u16>(), prop::collection::vec(any::<u8>(), length))
            .prop_map(move |(id, body)| record(id, record_type, &body))
    });
    prop_oneof![named, nameless]
}

proptest! {
    #[test]
    fn every_record_comes_back(bytes in well_formed()) {
        let sdr = Sdr::decode(&bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let is_read = !matches!(sdr.record, SdrRecord::Unknown { .. } | SdrRecord::Unreadable { .. });
        prop_assert!(is_read, "{:?}", sdr);
        prop_assert_eq!(Sdr::decode(&sdr.encode()), Ok(sdr));
    }

    #[test]
    fn any_bytes_can_be_read(
        record_type in prop_oneof![prop::sample::select(&[1_u8, 2, 3, 8, 9, 0x11, 0x12, 0xc0][..]), any::<u8>()],
        body in prop::collection::vec(any::<u8>(), 0..256),
        reading in prop::collection::vec(any::<u8>(), 2..6),
    ) {
        let sdr = Sdr::decode(&record(1, record_type, &body))
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let reading = SensorReading::decode(&reading).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for sensor in sdr.sensors() {
            let observation = sensor.interpretation.observe(&reading);
            prop_assert!(observation.value.is_none_or(|value| value.number.is_finite()));
            prop_assert!(!sensor.name.chars().any(char::is_control));
            prop_assert!(entity_name(sensor.entity.id).is_none_or(|name| !name.is_empty()));
        }
        prop_assert!(sdr.encode().len() <= 260);
    }

    #[test]
    fn bytes_without_shape_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(sdr) = Sdr::decode(&bytes) {
            prop_assert!(sdr.sensors().len() <= 15);
        }
    }
}
