//! The machine behind a BMC: power, sensors, events, the BMC's own restarts.

use std::time::Duration;

use opendcre_emulator::bmc::{ChassisAction, Pin};
use opendcre_ipmi::{NetFn, Privilege, Request};

use super::console::Lab;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn power_takes_its_time_and_the_sensors_follow() {
    let mut lab = Lab::from_toml("[machine]\nis_on = false\npower_up_delay = \"3s\"");
    let mut session = lab.administrator();
    let mut reading = |lab: &mut Lab, sensor| lab.raw(&mut session, NetFn::SENSOR, 0x2d, &[sensor]).1;
    assert_eq!(reading(&mut lab, 5)[1], 0xe0, "a fan has no reading without power");
    assert!(lab.bmc.value("System Power", lab.now).unwrap() < 12.0);
    assert!(lab.bmc.control(ChassisAction::PowerUp, lab.now));
    lab.pass(at(2));
    assert!(!lab.bmc.is_on(lab.now));
    lab.pass(at(1));
    assert!(lab.bmc.is_on(lab.now));
    assert_eq!(reading(&mut lab, 5)[1], 0xc0);
    assert!(lab.bmc.value("System Power", lab.now).unwrap() > 100.0);
    let cold = lab.bmc.value("CPU1 Temp", lab.now).unwrap();
    lab.pass(at(30));
    reading(&mut lab, 5);
    lab.pass(at(50));
    assert!(lab.bmc.value("CPU1 Temp", lab.now).unwrap() > cold + 5.0);
}

#[test]
fn a_sensor_that_reaches_a_threshold_is_logged_once_and_when_it_comes_back() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    let before = lab.bmc.events(lab.now);
    assert!(lab.bmc.pin("CPU1 Temp", Some(Pin::Value(96.0))));
    let (_, reading) = lab.raw(&mut session, NetFn::SENSOR, 0x2d, &[1]);
    assert_eq!(reading, [96, 0xc0, 0xc0 | 0x18], "non-critical and critical");
    for _ in 0..5 {
        lab.pass(at(10));
        assert_eq!(lab.bmc.events(lab.now), before + 2);
    }
    let (_, last) = lab.raw(&mut session, NetFn::STORAGE, 0x43, &[0, 0, 0xff, 0xff, 0, 0xff]);
    assert_eq!(last[12..], [1, 1, 1, 0x59, 96, 95], "upper critical, going high, with reading and threshold");
    assert!(lab.bmc.pin("CPU1 Temp", None));
    assert_eq!(lab.bmc.events(lab.now), before + 4);
    assert!(!lab.bmc.pin("no such sensor", None));
}

#[test]
fn a_value_must_come_back_by_more_than_the_hysteresis() {
    let mut lab = Lab::new();
    let before = lab.bmc.events(lab.now);
    for (value, events) in [(89.0, 1), (87.0, 1), (86.0, 1), (88.0, 1), (85.0, 2), (87.0, 2), (88.0, 3)] {
        lab.bmc.pin("CPU1 Temp", Some(Pin::Value(value)));
        assert_eq!(lab.bmc.events(lab.now), before + events, "{value}");
    }
    for (value, events) in [(-1.0, 4), (2.0, 4), (3.0, 5)] {
        lab.bmc.pin("Inlet Temp", Some(Pin::Value(value)));
        assert_eq!(lab.bmc.events(lab.now), before + events, "{value}");
    }
}

#[test]
fn a_sensor_leaves_its_bounds_now_and_then_if_it_is_told_to() {
    let mut lab = Lab::from_toml(
        "[machine]\nsensors = [{ name = \"CPU\", kind = \"cpu_temperature\", excursion = \"4m\" }]",
    );
    let before = lab.bmc.events(lab.now);
    let is_beyond = |lab: &Lab| lab.bmc.value("CPU", lab.now).unwrap() > 95.0;
    let mut times = 0;
    for _ in 0..48 {
        times += u32::from(is_beyond(&lab));
        lab.pass(at(10));
        lab.bmc.events(lab.now);
    }
    assert!((11..=13).contains(&times), "a quarter of the time, not {times} of 48 times");
    // Non-critical and critical are reached twice and left twice, or are reached when it begins.
    let logged = lab.bmc.events(lab.now) - before;
    assert!((6..=8).contains(&logged), "{logged}");
}

#[test]
fn negative_values_compare_as_such() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    lab.bmc.pin("Inlet Temp", Some(Pin::Value(-6.0)));
    let (_, reading) = lab.raw(&mut session, NetFn::SENSOR, 0x2d, &[3]);
    assert_eq!(reading, [0xfa, 0xc0, 0xc0 | 0x03], "below 0 and -5, but not -7");
    assert_eq!(lab.raw(&mut session, NetFn::GROUP, 0x10, &[0xdc, 1, 0x40, 0, 1]).1, [0xdc, 1, 1, 0x86, 1]);
}

#[test]
fn thresholds_can_be_changed() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    let before = lab.bmc.events(lab.now);
    assert_eq!(lab.raw(&mut session, NetFn::SENSOR, 0x26, &[1, 0x08, 0, 0, 0, 20, 0, 0]).0, 0);
    assert_eq!(lab.raw(&mut session, NetFn::SENSOR, 0x27, &[1]).1, [0x3f, 5, 2, 0, 20, 95, 100]);
    assert_eq!(lab.bmc.events(lab.now), before + 1, "it is warmer than that");
    assert_eq!(lab.raw(&mut session, NetFn::SENSOR, 0x26, &[10, 1, 0, 0, 0, 0, 0, 0]).0, 0xcc, "not there");
    assert_eq!(lab.raw(&mut session, NetFn::SENSOR, 0x24, &[1, 0xff, 5, 6]).0, 0);
    assert_eq!(lab.raw(&mut session, NetFn::SENSOR, 0x25, &[1, 0xff]).1, [5, 6]);
}

#[test]
fn discrete_states_and_the_chassis_agree() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    assert_eq!(lab.raw(&mut session, NetFn::SENSOR, 0x2d, &[12]).1, [0, 0xc0, 1, 0x80]);
    lab.bmc.pin("Chassis Intru", Some(Pin::States(1)));
    assert_eq!(lab.raw(&mut session, NetFn::CHASSIS, 0x01, &[]).1, [0x21, 0, 0x41]);
    lab.bmc.pin("PS1 Status", Some(Pin::Unavailable));
    assert_eq!(lab.raw(&mut session, NetFn::SENSOR, 0x2d, &[12]).1, [0, 0xe0, 0, 0x80]);
}

#[test]
fn identify_ends_by_itself_or_stays() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    let light = |lab: &mut Lab, session: &mut _| lab.raw(session, NetFn::CHASSIS, 0x01, &[]).1[2] & 0x30;
    lab.raw(&mut session, NetFn::CHASSIS, 0x04, &[]);
    assert_eq!(light(&mut lab, &mut session), 0x10);
    lab.pass(at(15));
    assert_eq!(light(&mut lab, &mut session), 0x00);
    lab.raw(&mut session, NetFn::CHASSIS, 0x04, &[0, 1]);
    lab.pass(at(50));
    assert_eq!(light(&mut lab, &mut session), 0x20);
    assert!(lab.bmc.is_identified(lab.now));
    lab.raw(&mut session, NetFn::CHASSIS, 0x04, &[0]);
    assert!(!lab.bmc.is_identified(lab.now));
}

#[test]
fn the_restore_policy_decides_after_a_loss_of_mains() {
    for (policy, expected) in [(0, false), (1, true), (2, true)] {
        let mut lab = Lab::new();
        let mut session = lab.administrator();
        assert_eq!(lab.raw(&mut session, NetFn::CHASSIS, 0x06, &[policy]), (0, vec![7]));
        lab.bmc.lose_mains(lab.now);
        assert!(!lab.bmc.is_on(lab.now));
        assert_eq!(lab.bmc.sessions(), 0);
        lab.pass(at(3));
        assert_eq!(lab.bmc.is_on(lab.now), expected, "policy {policy}");
    }
}

#[test]
fn a_bmc_that_starts_is_silent_and_has_forgotten_its_sessions() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    assert_eq!(lab.raw(&mut session, NetFn::APP, 0x02, &[]).0, 0, "it still says so");
    let status = Request::new(NetFn::CHASSIS, 0x01, &[]);
    assert_eq!(lab.ask(&mut session, &status), None);
    lab.pass(at(10));
    assert_eq!(lab.ask(&mut session, &status), None, "the old session");
    assert!(lab.open_2_0(17, "user", "user", Privilege::User).is_ok());
    assert!(lab.bmc.is_on(lab.now), "the machine has not noticed");
}

#[test]
fn the_log_grows_and_does_not_grow_without_end() {
    let mut lab = Lab::from_toml("[machine]\nevent_interval = \"1h\"\nevent_log_capacity = 32");
    let start = lab.bmc.events(lab.now);
    lab.pass(at(6 * 3600));
    let after = lab.bmc.events(lab.now);
    assert!((3..=12).contains(&(after - start)), "{after}");
    for _ in 0..1000 {
        lab.pass(at(24 * 3600));
        assert!(lab.bmc.events(lab.now) <= 32);
    }
    let mut session = lab.administrator();
    let (_, info) = lab.raw(&mut session, NetFn::STORAGE, 0x40, &[]);
    assert_eq!((&info[1..5], info[13] & 0x80), ([32, 0, 0, 0].as_slice(), 0x80), "full, and has lost some");
}

#[test]
fn the_same_seed_is_the_same_machine() {
    let values = |seed| {
        let mut lab = Lab::with(|config| config.seed = seed);
        lab.pass(at(500));
        ["CPU1 Temp", "FAN1", "System Power"].map(|sensor| lab.bmc.value(sensor, lab.now))
    };
    assert_eq!(values(7), values(7));
    assert_ne!(values(7), values(8));
}
