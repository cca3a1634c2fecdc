//! Tests of power readings and limits, with bytes that ipmitool and ipmi-dcmi have read and sent.

use proptest::prelude::*;

use super::*;
use crate::NetFn;

/// ipmitool and ipmi-dcmi show these bytes as 300 W, 10 W, 400 W, 200 W, 2026-05-12 03:20:32, 1000 ms, active.
const READING: [u8; 18] = [
    0xdc, 0x2c, 0x01, 0x0a, 0x00, 0x90, 0x01, 0xc8, 0x00, 0x80, 0x9c, 0x02, 0x6a, 0xe8, 0x03, 0x00, 0x00,
    0x40,
];

/// ipmitool and ipmi-dcmi show these bytes as power off, 500 W, 1000 ms, 10 s.
const LIMIT: [u8; 14] = [0xdc, 0x00, 0x00, 0x01, 0xf4, 0x01, 0xe8, 0x03, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x00];

const LIMITED: PowerLimit =
    PowerLimit { action: ExceptionAction::PowerOff, limit_w: 500, correction_ms: 1000, sampling_s: 10 };

fn answer(completion: u8, data: &[u8]) -> Response {
    Response { completion: Completion(completion), data: data.to_vec() }
}

#[test]
fn a_reading_is_read() {
    let reading = GetPowerReading { statistics: Statistics::System }.parse(&READING).unwrap();
    assert_eq!(
        reading,
        PowerReading {
            current_w: 300,
            minimum_w: 10,
            maximum_w: 400,
            average_w: 200,
            timestamp: 1_778_556_032,
            period_ms: 1000,
            measuring: true,
        }
    );
    assert_eq!(reading.encode(), READING);
    let idle = PowerReading { measuring: false, ..reading };
    assert_eq!(PowerReading::decode(&idle.encode()), Ok(idle));
    for length in 0..READING.len() {
        PowerReading::decode(&READING[..length]).unwrap_err();
    }
}

/// As ipmitool and ipmi-dcmi ask.
#[test]
fn readings_are_asked_for_in_both_modes() {
    for (statistics, data) in [
        (Statistics::System, [0xdc, 0x01, 0x00, 0x00]),
        (Statistics::Enhanced(RollingPeriod(0x5e)), [0xdc, 0x02, 0x5e, 0x00]),
    ] {
        assert_eq!(GetPowerReading { statistics }.request(), Request::new(NetFn(0x2c), 0x02, &data));
        assert_eq!(GetPowerReading::decode(&data).unwrap().statistics, statistics);
    }
    GetPowerReading::decode(&[0xdc, 0x03, 0x00, 0x00]).unwrap_err();
}

#[test]
fn a_limit_in_force_is_read() {
    let state = GetPowerLimit.read(&answer(0x00, &LIMIT)).unwrap();
    assert_eq!(state, PowerLimitState { active: true, limit: Some(LIMITED) });
    assert_eq!(LIMITED.encode(), LIMIT);
    assert_eq!(GetPowerLimit.request(), Request::new(NetFn(0x2c), 0x03, &[0xdc, 0x00, 0x00]));
    GetPowerLimit.read(&answer(0x00, &LIMIT[..13])).unwrap_err();
}

#[test]
fn a_limit_out_of_force_is_no_error() {
    let read = |data| GetPowerLimit.read(&answer(0x80, data)).unwrap();
    assert_eq!(read(&LIMIT), PowerLimitState { active: false, limit: Some(LIMITED) });
    assert_eq!(read(&[]), PowerLimitState { active: false, limit: None });
    GetPowerLimit.read(&answer(0xc1, &[])).unwrap_err();
}

/// As ipmi-dcmi sets 300 W, 2000 ms, 10 s, power off.
#[test]
fn a_limit_is_set() {
    let limit = SetPowerLimit(PowerLimit { limit_w: 300, correction_ms: 2000, ..LIMITED });
    let data = [0xdc, 0x00, 0x00, 0x00, 0x01, 0x2c, 0x01, 0xd0, 0x07, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x00];
    assert_eq!(limit.request(), Request::new(NetFn(0x2c), 0x04, &data));
    assert_eq!(SetPowerLimit::decode(&data), Ok(limit));
    assert_eq!(limit.parse(&[0xdc]), Ok(()));
    limit.parse(&[]).unwrap_err();
}

#[test]
fn a_limit_is_put_into_force() {
    let command = ActivatePowerLimit { active: true };
    assert_eq!(command.request(), Request::new(NetFn(0x2c), 0x05, &[0xdc, 0x01, 0x00, 0x00]));
    assert_eq!(ActivatePowerLimit::decode(&[0xdc, 0x01, 0x00, 0x00]), Ok(command));
    ActivatePowerLimit::decode(&[0xdc, 0x02]).unwrap_err();
    command.parse(&[0xdd]).unwrap_err();
}

#[test]
fn exception_actions_keep_their_numbers() {
    for number in 0..=u8::MAX {
        assert_eq!(ExceptionAction::from_number(number).number(), number);
    }
    assert_eq!(ExceptionAction::from_number(0x11), ExceptionAction::Log);
    assert_eq!(ExceptionAction::from_number(0x02), ExceptionAction::Oem(2));
}

proptest! {
    #[test]
    fn what_is_decoded_comes_back_when_encoded(mut data: Vec<u8>) {
        data.insert(0, 0xdc);
        if let Ok(reading) = PowerReading::decode(&data) {
            prop_assert_eq!(PowerReading::decode(&reading.encode()), Ok(reading));
        }
        if let Ok(limit) = PowerLimit::decode(&data) {
            prop_assert_eq!(PowerLimit::decode(&limit.encode()), Ok(limit));
        }
        if let Ok(limit) = SetPowerLimit::decode(&data) {
            prop_assert_eq!(SetPowerLimit::decode(&limit.request().data), Ok(limit));
        }
    }
}
