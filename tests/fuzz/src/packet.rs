//! Any bytes, taken as one packet, as a stream, as a command and as every form of answer.

use opendcre_devicebus::{Command, Deframer, MIN_PACKET, Packet, Request, conversion, reply};
use opendcre_model::Number;

/// What decodes encodes back to the same bytes, a stream never holds more packets than fit into it, and numbers of
/// devices become finite values.
pub fn packet(data: &[u8]) {
    one_packet(data);
    stream(data);
    command(data);
    answers(data);
}

fn one_packet(data: &[u8]) {
    let Ok(packet) = Packet::decode(data) else {
        return;
    };
    assert_eq!(packet.encode().as_deref(), Ok(data), "{packet:?}");
    if let Ok(request) = Request::try_from(&packet) {
        assert_eq!(request.packet(packet.sequence), packet);
    }
    let mut deframer = Deframer::default();
    deframer.push(data);
    assert_eq!(deframer.next_packet(), Some(Ok(packet)));
    assert_eq!(deframer.next_packet(), None);
}

fn stream(data: &[u8]) {
    let mut deframer = Deframer::default();
    deframer.push(data);
    let mut found = 0;
    let mut candidates = 0;
    while let Some(candidate) = deframer.next_packet() {
        candidates += 1;
        found += usize::from(candidate.is_ok());
        assert!(candidates <= data.len(), "every candidate uses up a byte");
    }
    assert!(found * MIN_PACKET <= data.len(), "{found} packets in {data:02x?}");
}

fn command(data: &[u8]) {
    if let Ok(command) = Command::decode(data) {
        assert_eq!(command.encode(), data, "{command:?}");
    }
}

fn answers(data: &[u8]) {
    if let Ok(number) = reply::number(data) {
        let again = number.to_string().parse::<Number>();
        assert_eq!(again.map(|number| number.to_f64()), Ok(number.to_f64()), "{number}");
        number.to_i64().into_iter().for_each(conversions);
    }
    if let Ok(text) = reply::text(data) {
        assert_eq!(text.as_bytes(), data);
    }
    if let Ok(target) = reply::boot_target(data) {
        assert_eq!([b'B', target.code()], data);
    }
    if let Ok(power) = reply::power(data) {
        assert!(conversion::input_power_watts(power.power).is_finite());
        assert!(conversion::input_voltage_volts(power.voltage).is_finite());
        assert!(conversion::output_current_amperes(power.current).is_finite());
    }
    if let Ok(hosts) = reply::host_info(data) {
        assert!(hosts.hostnames.len() + hosts.ip_addresses.len() <= data.len());
    }
    if let Ok(state) = reply::led(data) {
        assert_eq!(reply::number(data).map(|number| number.to_i64()), Ok(Some(i64::from(state))));
    }
    assert!(reply::write(data).is_err() || data == b"W1");
    assert!(reply::chamber_led(data).is_err() || data.is_ascii());
    assert!(reply::asset_info(data).is_err() || data.is_ascii());
    assert!(reply::battery(data).is_err() || data.is_ascii());
}

/// Beyond its range a sensor has no value, but never a value that is no number.
fn conversions(raw: i64) {
    if let Ok(celsius) = conversion::thermistor_celsius(raw) {
        assert!(celsius.is_finite(), "{raw}");
    }
    if let Ok(humidity) = conversion::humidity(raw) {
        assert!(humidity.percent.is_finite() && humidity.celsius.is_finite(), "{raw}");
    }
}
