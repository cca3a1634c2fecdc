//! What readings make of the health of devices, boards and racks.

use jiff::Timestamp;
use opendcre_model::{
    BoardId, Capabilities, Device, DeviceId, DeviceKind, Electrical, Measurement, Number, Observation,
    PowerReport, PowerState, Quality, Reading,
};
use proptest::prelude::*;

use super::*;
use crate::testing;
use crate::{BoardFailure, BoardRecord, BoardState};

const INLET: DeviceAddress = DeviceAddress { board: BoardId(1), device: DeviceId(1) };
const FAN: DeviceAddress = DeviceAddress { board: BoardId(1), device: DeviceId(2) };

fn device(id: u16, kind: DeviceKind, name: &str) -> Device {
    Device { name: Some(name.to_owned()), ..Device::new(DeviceId(id), kind, Capabilities::NONE) }
}

fn board(id: u32) -> BoardRecord {
    let devices = vec![device(2, DeviceKind::FanSpeed, "Fan 1"), device(1, DeviceKind::Temperature, "Inlet")];
    BoardRecord { devices, ..testing::board(id, &format!("web-{id}")) }
}

fn reading(quantity: Quantity, value: f64) -> Reading {
    Reading {
        kind: DeviceKind::Temperature,
        raw: Number::Decimal(value),
        measurements: vec![Measurement { quantity, value }],
        quality: Quality::Good,
        health: Health::Ok,
        states: Vec::new(),
        measured_at: Timestamp::UNIX_EPOCH,
        source: "hat".into(),
    }
}

fn celsius(value: f64) -> Observation {
    Observation::Sensor(reading(Quantity::TemperatureCelsius, value))
}

fn says(health: Health) -> Observation {
    let states = vec!["in its own words".to_owned()];
    Observation::Sensor(Reading { health, states, ..reading(Quantity::SpeedRpm, 100.0) })
}

fn of_quality(quality: Quality) -> Observation {
    let nothing = reading(Quantity::TemperatureCelsius, 0.0);
    Observation::Sensor(Reading { quality, measurements: Vec::new(), ..nothing })
}

fn warm() -> Threshold {
    Threshold {
        warning_above: Some(30.0),
        critical_above: Some(40.0),
        hysteresis: 2.0,
        ..Threshold::new(Quantity::TemperatureCelsius)
    }
}

fn tracker(thresholds: &[Threshold]) -> HealthTracker {
    let mut tracker = HealthTracker::new(Thresholds::new(thresholds).unwrap());
    tracker.learn(&board(1));
    tracker
}

/// The healths from and to which answers of a device bring it.
fn changes(
    tracker: &mut HealthTracker,
    device: DeviceAddress,
    answers: &[Observation],
) -> Vec<Option<(Health, Health)>> {
    let change = |answer| tracker.note(device, answer).map(|change| (change.from, change.to));
    answers.iter().map(change).collect()
}

#[test]
fn a_crossed_limit_is_told_once_with_its_value() {
    use Health::{Critical, Ok, Warning};
    let mut tracker = tracker(&[warm()]);
    assert_eq!(tracker.note(INLET, &celsius(20.0)), None);
    let change = tracker.note(INLET, &celsius(31.5)).unwrap();
    let quantity = Quantity::TemperatureCelsius;
    let cause = |value, limit| Cause::Limit { quantity: quantity.clone(), value, limit, side: Side::Above };
    assert_eq!(change, HealthChange { device: INLET, from: Ok, to: Warning, cause: cause(31.5, 30.0) });
    assert_eq!(tracker.note(INLET, &celsius(32.0)), None);
    assert_eq!(tracker.note(INLET, &celsius(41.0)).unwrap().cause, cause(41.0, 40.0));
    let change = tracker.note(INLET, &celsius(37.0)).unwrap();
    assert_eq!(change, HealthChange { device: INLET, from: Critical, to: Warning, cause: cause(37.0, 40.0) });
    assert_eq!(tracker.note(INLET, &celsius(29.0)), None);
    assert_eq!(tracker.note(INLET, &celsius(27.0)).unwrap().cause, cause(27.0, 30.0));
}

#[test]
fn the_equipment_is_believed_at_once_when_it_gets_worse_and_the_second_time_when_it_gets_better() {
    use Health::{Critical, Failed, Ok, Warning};
    let mut tracker = tracker(&[]);
    let answers = [Ok, Failed, Ok, Failed, Warning, Critical, Warning, Ok, Ok].map(says);
    let expected = [
        None,
        Some((Ok, Failed)),
        None,
        None,
        None,
        Some((Failed, Critical)),
        None,
        Some((Critical, Warning)),
        Some((Warning, Ok)),
    ];
    assert_eq!(changes(&mut tracker, FAN, &answers), expected);
}

#[test]
fn the_words_of_the_equipment_are_told() {
    let mut tracker = tracker(&[warm()]);
    let change = tracker.note(FAN, &says(Health::Critical)).unwrap();
    assert_eq!(change.cause, Cause::Equipment(vec!["in its own words".to_owned()]));
}

#[test]
fn the_worse_of_limit_and_equipment_counts_and_is_the_cause() {
    let mut tracker = tracker(&[warm()]);
    let hot = |value, health| {
        Observation::Sensor(Reading { health, ..reading(Quantity::TemperatureCelsius, value) })
    };
    let change = tracker.note(INLET, &hot(35.0, Health::Failed)).unwrap();
    assert_eq!((change.to, change.cause), (Health::Failed, Cause::Equipment(Vec::new())));
    assert_eq!(tracker.note(INLET, &hot(45.0, Health::Ok)), None);
    let change = tracker.note(INLET, &hot(45.0, Health::Ok)).unwrap();
    assert_eq!((change.to, change.cause), (Health::Critical, Cause::Equipment(Vec::new())));
}

#[test]
fn a_sensor_without_a_value_is_not_judged_but_not_acquitted_at_once() {
    let mut tracker = tracker(&[warm()]);
    tracker.note(INLET, &celsius(50.0)).unwrap();
    assert_eq!(tracker.note(INLET, &of_quality(Quality::Unavailable)), None);
    assert_eq!(tracker.note(INLET, &of_quality(Quality::OutOfRange)), None);
    assert_eq!(tracker.note(INLET, &of_quality(Quality::Unavailable)), None);
    let change = tracker.note(INLET, &of_quality(Quality::Unavailable)).unwrap();
    assert_eq!((change.from, change.to, change.cause), (Health::Critical, Health::Ok, Cause::NoValue));
    assert!(tracker.note(INLET, &celsius(50.0)).is_some());
}

#[test]
fn power_has_a_health_and_values_too() {
    let limit = Threshold { warning_above: Some(400.0), ..Threshold::new(Quantity::PowerWatts) };
    let mut tracker = tracker(&[limit]);
    let report = |state, power_ok, over_current, watts| {
        Observation::Power(PowerReport {
            state,
            power_ok,
            over_current,
            under_voltage: false,
            electrical: Some(Electrical {
                raw: String::new(),
                input_power_watts: watts,
                input_voltage_volts: 230.0,
                output_current_amperes: 1.0,
            }),
            measured_at: Timestamp::UNIX_EPOCH,
            source: "hat".into(),
        })
    };
    assert_eq!(tracker.note(FAN, &report(PowerState::Off, false, false, 0.0)), None);
    let change = tracker.note(FAN, &report(PowerState::On, true, false, 401.0)).unwrap();
    assert!(matches!(change.cause, Cause::Limit { quantity: Quantity::PowerWatts, .. }), "{change:?}");
    let change = tracker.note(FAN, &report(PowerState::On, false, true, 401.0)).unwrap();
    let words = ["over-current", "power is not good"].map(str::to_owned).to_vec();
    assert_eq!((change.to, change.cause), (Health::Critical, Cause::Equipment(words)));
}

#[test]
fn the_first_threshold_that_fits_counts_alone() {
    let of = |limit, threshold: Threshold| Threshold {
        critical_above: Some(limit),
        warning_above: None,
        ..threshold
    };
    let text = |text: &str| vec![text.to_owned()];
    let mut other = warm();
    other.quantity = Quantity::SpeedRpm;
    for (first, limit) in [
        (Threshold { racks: text("rack_*"), ..warm() }, 90.0),
        (Threshold { racks: text("hall"), ..warm() }, 40.0),
        (Threshold { boards: text("WEB-?"), ..warm() }, 90.0),
        (Threshold { boards: text("db-*"), ..warm() }, 40.0),
        (Threshold { kinds: vec![DeviceKind::Temperature], ..warm() }, 90.0),
        (Threshold { kinds: vec![DeviceKind::FanSpeed], ..warm() }, 40.0),
        (Threshold { devices: text("in*"), ..warm() }, 90.0),
        (Threshold { devices: text("outlet"), ..warm() }, 40.0),
        (other, 40.0),
    ] {
        let mut tracker = tracker(&[of(90.0, first.clone()), of(40.0, warm())]);
        assert_eq!(tracker.note(INLET, &celsius(limit)), None, "{first:?}");
        assert!(tracker.note(INLET, &celsius(limit + 1.0)).is_some(), "{first:?}");
    }
}

#[test]
fn a_board_that_changes_keeps_what_is_known_of_its_devices() {
    let mut tracker = tracker(&[Threshold { boards: vec!["web-1".to_owned()], ..warm() }]);
    tracker.note(INLET, &celsius(41.0)).unwrap();
    let mut changed = board(1);
    changed.devices.push(device(3, DeviceKind::Led, "Lamp"));
    tracker.learn(&changed);
    assert_eq!(tracker.note(INLET, &celsius(39.0)), None);

    changed.name = "db-1".to_owned();
    tracker.learn(&changed);
    assert_eq!(tracker.device(INLET), Some(Health::Critical));
    assert_eq!(tracker.note(INLET, &celsius(39.0)).unwrap().to, Health::Ok);

    changed.devices.retain(|device| device.id != INLET.device);
    tracker.learn(&changed);
    assert_eq!((tracker.device(INLET), tracker.note(INLET, &celsius(90.0))), (None, None));
}

#[test]
fn what_is_not_in_the_inventory_is_not_kept() {
    let mut tracker = tracker(&[warm()]);
    let stranger = DeviceAddress { board: BoardId(7), device: DeviceId(1) };
    assert_eq!(tracker.note(stranger, &celsius(90.0)), None);
    tracker.recall(stranger, Health::Critical);
    assert_eq!(tracker.device(stranger), None);
    tracker.forget(BoardId(1));
    assert_eq!(tracker.note(INLET, &celsius(90.0)), None);
}

#[test]
fn what_was_told_before_a_restart_is_not_told_again() {
    let mut tracker = tracker(&[warm()]);
    tracker.recall(INLET, Health::Critical);
    assert_eq!(tracker.note(INLET, &celsius(45.0)), None);
    tracker.recall(FAN, Health::Warning);
    let change = tracker.note(FAN, &says(Health::Ok)).unwrap();
    assert_eq!((change.from, change.to), (Health::Warning, Health::Ok));
}

#[test]
fn a_board_is_as_bad_as_its_worst_device_and_missing_is_worse() {
    let mut tracker = tracker(&[warm()]);
    let record = board(1);
    assert_eq!(tracker.condition(&record), Condition::Unknown);
    tracker.note(INLET, &celsius(20.0));
    assert_eq!(tracker.condition(&record), Condition::Ok);
    tracker.note(FAN, &says(Health::Failed));
    assert_eq!(tracker.condition(&record), Condition::Failed);
    // Somebody who may see only a part of the board learns nothing of the rest.
    let part = BoardRecord { devices: vec![device(1, DeviceKind::Temperature, "Inlet")], ..record.clone() };
    assert_eq!(tracker.condition(&part), Condition::Ok);

    let missing = BoardRecord { state: BoardState::Missing, ..record.clone() };
    assert_eq!(tracker.condition(&missing), Condition::Missing);
    let unknown = BoardRecord { state: BoardState::Unknown, ..board(2) };
    assert_eq!(tracker.condition(&unknown), Condition::Unknown);
    let failure = Some(BoardFailure { code: "timeout".to_owned(), message: "no answer".to_owned() });
    assert_eq!(tracker.condition(&BoardRecord { failure, ..unknown }), Condition::Missing);
}

#[test]
fn a_rack_is_as_bad_as_its_worst_board() {
    let all = [Condition::Ok, Condition::Unknown, Condition::Critical, Condition::Ok];
    let rack: RollUp = all.into_iter().collect();
    let expected =
        RollUp { condition: Condition::Critical, ok: 2, unknown: 1, critical: 1, ..RollUp::default() };
    assert_eq!(rack, expected);
    assert_eq!(RollUp::from_iter([Condition::Failed, Condition::Missing]).condition, Condition::Missing);
    assert_eq!(RollUp::from_iter([]).condition, Condition::Unknown);
}

#[test]
fn thresholds_that_make_no_sense_are_refused() {
    let none = Threshold::new(Quantity::TemperatureCelsius);
    assert_eq!(none.check(), Err(ThresholdError::NoLimits));
    let number = |field| Err(ThresholdError::BadNumber { field });
    assert_eq!(Threshold { critical_above: Some(f64::NAN), ..warm() }.check(), number("critical_above"));
    assert_eq!(Threshold { hysteresis: -1.0, ..warm() }.check(), number("hysteresis"));
    let order = |field, other| Err(ThresholdError::BadOrder { field, other });
    assert_eq!(
        Threshold { critical_above: Some(29.0), ..warm() }.check(),
        order("critical_above", "warning_above")
    );
    assert_eq!(
        Threshold { critical_below: Some(31.0), ..warm() }.check(),
        order("warning_above", "critical_below")
    );
    let empty = Threshold { boards: vec![String::new()], ..warm() };
    assert_eq!(empty.check(), Err(ThresholdError::BadPattern { list: "boards", text: String::new() }));
}

fn any_answer() -> impl Strategy<Value = Observation> {
    let health = prop::sample::select(vec![Health::Ok, Health::Warning, Health::Critical, Health::Failed]);
    let quality = prop::sample::select(vec![Quality::Good, Quality::OutOfRange, Quality::Unavailable]);
    (health, quality, -10.0..60.0).prop_map(|(health, quality, value)| {
        Observation::Sensor(Reading { health, quality, ..reading(Quantity::TemperatureCelsius, value) })
    })
}

proptest! {
    #[test]
    fn every_change_goes_on_where_the_one_before_ended(answers in prop::collection::vec(any_answer(), 0..60)) {
        let mut tracker = tracker(&[warm()]);
        let mut health = Health::Ok;
        for answer in &answers {
            if let Some(change) = tracker.note(INLET, answer) {
                prop_assert_eq!(change.from, health);
                prop_assert_ne!(change.to, health);
                health = change.to;
            }
            prop_assert_eq!(tracker.device(INLET), Some(health));
        }
    }

    #[test]
    fn what_is_bad_is_never_concealed(answers in prop::collection::vec(any_answer(), 1..60)) {
        let mut tracker = tracker(&[warm()]);
        for answer in &answers {
            tracker.note(INLET, answer);
            let Observation::Sensor(reading) = answer else { unreachable!() };
            if reading.quality != Quality::Unavailable {
                prop_assert!(tracker.device(INLET) >= Some(reading.health));
            }
            if reading.quality == Quality::Good && reading.measurements[0].value > 40.0 {
                prop_assert!(tracker.device(INLET) >= Some(Health::Critical));
            }
        }
    }
}
