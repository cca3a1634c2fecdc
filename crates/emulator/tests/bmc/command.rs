//! Commands: who may give them, what is refused, and that nothing is done twice. What they read is read back with the
//! procedures of the client.

use std::time::Duration;

use opendcre_ipmi::fru::ReadFru;
use opendcre_ipmi::sdr::{SdrRecord, Source, WalkSdr};
use opendcre_ipmi::{NetFn, Privilege, Request};

use super::console::Lab;

const SDR: u8 = 0x23;
const OK: u8 = 0x00;
const INVALID_COMMAND: u8 = 0xc1;
const RESERVATION: u8 = 0xc5;
const LENGTH: u8 = 0xc7;
const CANNOT_RETURN: u8 = 0xca;
const PRIVILEGE: u8 = 0xd4;

/// Commands by the privilege that they need, with data of a sound length.
const USERS: &[(NetFn, u8, &[u8])] = &[
    (NetFn::CHASSIS, 0x00, &[]),
    (NetFn::CHASSIS, 0x01, &[]),
    (NetFn::CHASSIS, 0x07, &[]),
    (NetFn::CHASSIS, 0x0f, &[]),
    (NetFn::SENSOR, 0x20, &[]),
    (NetFn::SENSOR, 0x25, &[1, 0xff]),
    (NetFn::SENSOR, 0x27, &[1]),
    (NetFn::SENSOR, 0x29, &[1]),
    (NetFn::SENSOR, 0x2d, &[1]),
    (NetFn::SENSOR, 0x2f, &[1]),
    (NetFn::APP, 0x01, &[]),
    (NetFn::APP, 0x04, &[]),
    (NetFn::APP, 0x07, &[]),
    (NetFn::APP, 0x08, &[]),
    (NetFn::APP, 0x37, &[]),
    (NetFn::APP, 0x41, &[1, 0x40]),
    (NetFn::APP, 0x42, &[0x0e]),
    (NetFn::STORAGE, 0x10, &[0]),
    (NetFn::STORAGE, 0x11, &[0, 0, 0, 8]),
    (NetFn::STORAGE, 0x20, &[]),
    (NetFn::STORAGE, 0x22, &[]),
    (NetFn::STORAGE, SDR, &[0, 0, 0, 0, 0, 5]),
    (NetFn::STORAGE, 0x28, &[]),
    (NetFn::STORAGE, 0x40, &[]),
    (NetFn::STORAGE, 0x41, &[]),
    (NetFn::STORAGE, 0x42, &[]),
    (NetFn::STORAGE, 0x43, &[0, 0, 0, 0, 0, 0xff]),
    (NetFn::STORAGE, 0x48, &[]),
    (NetFn::GROUP, 0x01, &[0xdc, 1]),
    (NetFn::GROUP, 0x02, &[0xdc, 1, 0, 0]),
    (NetFn::GROUP, 0x06, &[0xdc, 0, 16]),
    (NetFn::GROUP, 0x07, &[0xdc, 1, 0x41, 0, 1]),
    (NetFn::GROUP, 0x09, &[0xdc, 0, 16]),
    (NetFn::GROUP, 0x10, &[0xdc, 1, 0x40, 0, 1]),
];
const OPERATORS: &[(NetFn, u8, &[u8])] = &[
    (NetFn::CHASSIS, 0x02, &[0x03]),
    (NetFn::CHASSIS, 0x04, &[]),
    (NetFn::CHASSIS, 0x06, &[0x03]),
    (NetFn::CHASSIS, 0x08, &[0x03, 0x00]),
    (NetFn::CHASSIS, 0x09, &[5, 0, 0]),
    (NetFn::SENSOR, 0x24, &[1, 0xff, 2, 2]),
    (NetFn::SENSOR, 0x26, &[1, 0, 0, 0, 0, 0, 0, 0]),
    (NetFn::APP, 0x44, &[1, 2]),
    (NetFn::APP, 0x46, &[2]),
    (NetFn::STORAGE, 0x44, &[0; 16]),
    (NetFn::STORAGE, 0x47, b"\0\0CLR\0"),
    (NetFn::STORAGE, 0x49, &[0, 0, 0, 0x60]),
    (NetFn::TRANSPORT, 0x02, &[1, 3, 0, 0]),
    (NetFn::GROUP, 0x08, &[0xdc, 0, 1, b'x']),
];
const ADMINISTRATORS: &[(NetFn, u8, &[u8])] = &[(NetFn::GROUP, 0x0a, &[0xdc, 0, 1, b'x'])];

fn codes(user: &str, privilege: Privilege, commands: &[(NetFn, u8, &[u8])]) -> Vec<u8> {
    let mut lab = Lab::new();
    let mut session = lab.open_2_0(3, user, user, privilege).unwrap();
    lab.raw(&mut session, NetFn::APP, 0x3b, &[privilege.number()]);
    commands.iter().map(|(netfn, command, data)| lab.raw(&mut session, *netfn, *command, data).0).collect()
}

#[test]
fn every_command_needs_its_privilege() {
    let all = [USERS, OPERATORS, ADMINISTRATORS];
    let levels = [Privilege::User, Privilege::Operator, Privilege::Administrator];
    for (needed, commands) in levels.iter().zip(all) {
        for (user, level) in ["user", "operator", "ADMIN"].into_iter().zip(levels) {
            let expected = if level >= *needed { OK } else { PRIVILEGE };
            for (code, (netfn, command, _)) in codes(user, level, commands).into_iter().zip(commands) {
                assert_eq!(code, expected, "{level} at {:02x} {command:02x}", netfn.0);
            }
        }
    }
}

#[test]
fn every_length_but_the_right_one_is_refused() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    for (netfn, command, data) in USERS.iter().chain(OPERATORS).chain(ADMINISTRATORS) {
        let long = [data, [0_u8; 20].as_slice()].concat();
        let code = lab.raw(&mut session, *netfn, *command, &long).0;
        assert_ne!(code, OK, "{:02x} {command:02x}", netfn.0);
    }
}

#[test]
fn what_there_is_not_is_refused() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    assert_eq!(lab.raw(&mut session, NetFn::APP, 0x99, &[]).0, INVALID_COMMAND);
    assert_eq!(lab.raw(&mut session, NetFn(0x2e), 0x01, &[0, 0, 0]).0, INVALID_COMMAND);
    assert_eq!(lab.raw(&mut session, NetFn::GROUP, 0x01, &[0x01, 1]).0, INVALID_COMMAND, "another body");
    assert_eq!(lab.raw(&mut session, NetFn::SENSOR, 0x2d, &[99]).0, 0xcb);
    assert_eq!(lab.raw(&mut session, NetFn::SENSOR, 0x27, &[13]).0, 0xcd, "a discrete sensor");
    let mut other = Request::new(NetFn::CHASSIS, 0x01, &[]);
    other.lun = 1;
    assert_eq!(lab.ask(&mut session, &other).unwrap().completion.0, 0xc2);
    assert_eq!(lab.ask_plain(&Request::new(NetFn::CHASSIS, 0x01, &[])).completion.0, PRIVILEGE);
    assert_eq!(lab.ask_plain(&Request::new(NetFn::APP, 0x99, &[])).completion.0, INVALID_COMMAND);
}

#[test]
fn a_repeated_control_command_is_answered_again_and_not_done_again() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    let reset = Request::new(NetFn::CHASSIS, 0x02, &[0x03]);
    let first = session.next(&reset);
    let answer = lab.send(&first).map(|answer| session.read(&answer)).unwrap();
    assert_eq!((answer.completion.0, lab.bmc.starts()), (OK, 1));
    lab.pass(Duration::from_secs(1));
    let repeated = session.again(&reset);
    let answer = lab.send(&repeated).map(|answer| session.read(&answer)).unwrap();
    assert_eq!((answer.completion.0, lab.bmc.starts()), (OK, 1), "once more the same message");
    lab.ask(&mut session, &reset).unwrap();
    assert_eq!(lab.bmc.starts(), 2, "another message");
    lab.pass(Duration::from_secs(6));
    let late = session.again(&reset);
    lab.send(&late).unwrap();
    assert_eq!(lab.bmc.starts(), 3, "too late to be a repetition");
}

#[test]
fn every_record_can_be_walked_whatever_the_bmc_gives_at_once() {
    for limit in [8, 16, 33, 255] {
        let mut lab = Lab::with(|config| config.machine.read_limit = limit);
        let mut session = lab.open_2_0(3, "user", "user", Privilege::User).unwrap();
        let repository = lab.run(&mut session, WalkSdr::new(Source::Repository)).unwrap();
        assert_eq!((repository.records.len(), repository.cut_short.is_none()), (17, true));
        let is_sound = |record: &SdrRecord| !matches!(record, SdrRecord::Unreadable { .. });
        assert!(repository.records.iter().all(|sdr| is_sound(&sdr.record)), "{:?}", repository.records);
        let names: Vec<String> = repository.sensors().map(|sensor| sensor.name).collect();
        assert_eq!(names.len(), 14);
        assert_eq!(names[2], "Inlet Temp");
    }
}

#[test]
fn readings_are_what_the_machine_measures() {
    let mut lab = Lab::new();
    let mut session = lab.open_2_0(3, "user", "user", Privilege::User).unwrap();
    let repository = lab.run(&mut session, WalkSdr::new(Source::Repository)).unwrap();
    let mut compared = 0;
    for sensor in repository.sensors() {
        let (_, reading) = lab.raw(&mut session, NetFn::SENSOR, 0x2d, &[sensor.address.number]);
        let conversion = sensor.interpretation.conversion;
        let read = conversion.and_then(|conversion| conversion.value(reading[0]));
        let measured = lab.bmc.value(&sensor.name, lab.now);
        assert_eq!(read.is_some(), measured.is_some(), "{}", sensor.name);
        if let (Some(read), Some(measured)) = (read, measured) {
            // No step of a sensor is greater than this share of what it measures.
            assert!((read - measured).abs() <= 0.03 * measured, "{}: {read} {measured}", sensor.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 11);
}

#[test]
fn a_reservation_belongs_to_whoever_took_it_last() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    let read = |id: &[u8], offset| [id, &[1, 0, offset, 8]].concat();
    let (_, first) = lab.raw(&mut session, NetFn::STORAGE, 0x22, &[]);
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, SDR, &read(&first, 5)).0, OK);
    let (_, second) = lab.raw(&mut session, NetFn::STORAGE, 0x22, &[]);
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, SDR, &read(&first, 5)).0, RESERVATION);
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, SDR, &read(&second, 5)).0, OK);
    assert_eq!(
        lab.raw(&mut session, NetFn::STORAGE, SDR, &read(&[0, 0], 0)).0,
        OK,
        "the beginning needs none"
    );
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, SDR, &read(&[0, 0], 5)).0, RESERVATION);
}

#[test]
fn the_inventory_is_what_the_configuration_says() {
    let mut lab = Lab::with(|config| {
        config.machine.fru.product = "Storage Node".into();
        config.machine.read_limit = 16;
    });
    let mut session = lab.open_2_0(3, "user", "user", Privilege::User).unwrap();
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, 0x11, &[0, 0, 0, 17]).0, CANNOT_RETURN);
    let inventory = lab.run(&mut session, ReadFru::new(0)).unwrap().inventory().unwrap();
    assert_eq!(inventory.problems, []);
    let product = inventory.product.unwrap();
    assert_eq!((product.name.as_str(), product.serial_number.as_str()), ("Storage Node", "EMU000000"));
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, 0x10, &[1]).0, 0xcb);
}

#[test]
fn the_event_log_takes_gives_and_is_cleared() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    let record = [9, 9, 2, 0, 0, 0, 0, 0x41, 0, 4, 1, 1, 1, 0x57, 90, 88];
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, 0x44, &record), (OK, vec![3, 0]));
    let (code, entry) = lab.raw(&mut session, NetFn::STORAGE, 0x43, &[0, 0, 0xff, 0xff, 0, 0xff]);
    assert_eq!((code, &entry[..5]), (OK, [0xff, 0xff, 3, 0, 2].as_slice()));
    assert_eq!(entry[5..9], super::console::EPOCH.to_le_bytes(), "it has the time of the BMC");
    assert_eq!(entry[9..], record[7..]);
    let clear = |id: &[u8], action| [id, b"CLR", &[action]].concat();
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, 0x47, &clear(&[0, 0], 0xaa)).0, RESERVATION);
    let (_, id) = lab.raw(&mut session, NetFn::STORAGE, 0x42, &[]);
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, 0x47, &clear(&id, 0xaa)), (OK, vec![1]));
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, 0x47, &clear(&id, 0x00)), (OK, vec![1]));
    let (_, entry) = lab.raw(&mut session, NetFn::STORAGE, 0x43, &[0, 0, 0, 0, 0, 0xff]);
    assert_eq!(
        (&entry[..2], &entry[12..]),
        (&[0xff, 0xff][..], &[0x10, 0xf0, 0x6f, 2, 0xff, 0xff][..]),
        "it says so"
    );
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, 0x47, &clear(&id, 0xaa)).0, RESERVATION, "used up");
}

#[test]
fn the_clock_of_the_bmc_can_be_set() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    lab.pass(Duration::from_secs(5));
    let (_, time) = lab.raw(&mut session, NetFn::STORAGE, 0x48, &[]);
    assert_eq!(time, (super::console::EPOCH + 5).to_le_bytes());
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, 0x49, &1000_u32.to_le_bytes()).0, OK);
    lab.pass(Duration::from_secs(7));
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, 0x48, &[]).1, 1007_u32.to_le_bytes());
}

#[test]
fn boot_flags_last_for_one_start_or_for_all() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    let set = |flags: [u8; 5]| [&[5_u8], flags.as_slice()].concat();
    assert_eq!(lab.raw(&mut session, NetFn::CHASSIS, 0x08, &set([0xa0, 4, 0, 0, 0])).0, OK);
    let (_, flags) = lab.raw(&mut session, NetFn::CHASSIS, 0x09, &[5, 0, 0]);
    assert_eq!(flags, [1, 5, 0xa0, 4, 0, 0, 0]);
    lab.raw(&mut session, NetFn::CHASSIS, 0x02, &[3]);
    assert_eq!(lab.bmc.boot_flags(lab.now), [0; 5], "used up");
    lab.raw(&mut session, NetFn::CHASSIS, 0x08, &set([0xe0, 4, 0, 0, 0]));
    lab.raw(&mut session, NetFn::CHASSIS, 0x02, &[3]);
    assert_eq!(lab.bmc.boot_flags(lab.now), [0xe0, 4, 0, 0, 0], "persistent");
    assert_eq!(lab.raw(&mut session, NetFn::CHASSIS, 0x09, &[99, 0, 0]).0, 0x80);
    assert_eq!(lab.raw(&mut session, NetFn::CHASSIS, 0x08, &[5, 1]).0, LENGTH);
    lab.raw(&mut session, NetFn::CHASSIS, 0x08, &set([0x80, 8, 0, 0, 0]));
    lab.pass(Duration::from_secs(60));
    assert_eq!(lab.bmc.boot_flags(lab.now)[0], 0, "nobody has started for too long");
}

#[test]
fn a_power_limit_holds_while_it_is_active() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    let limit = [0xdc, 0, 0, 0, 1, 150, 0, 0xe8, 3, 0, 0, 0, 0, 5, 0];
    assert_eq!(lab.raw(&mut session, NetFn::GROUP, 0x05, &[0xdc, 1, 0, 0]).0, 0xd5);
    assert_eq!(lab.raw(&mut session, NetFn::GROUP, 0x04, &limit), (OK, vec![0xdc]));
    let (code, told) = lab.raw(&mut session, NetFn::GROUP, 0x03, &[0xdc, 0, 0]);
    assert_eq!((code, told), (0x80, vec![0xdc, 0, 0, 1, 150, 0, 0xe8, 3, 0, 0, 0, 0, 5, 0]));
    assert!(lab.bmc.value("System Power", lab.now).unwrap() > 160.0);
    assert_eq!(lab.raw(&mut session, NetFn::GROUP, 0x05, &[0xdc, 1, 0, 0]).0, OK);
    assert_eq!(lab.raw(&mut session, NetFn::GROUP, 0x03, &[0xdc, 0, 0]).0, OK);
    assert!(lab.bmc.value("System Power", lab.now).unwrap() < 153.0);
    let mut refused = limit;
    refused[5] = 50;
    assert_eq!(lab.raw(&mut session, NetFn::GROUP, 0x04, &refused).0, 0x84);
}

#[test]
fn texts_of_dcmi_are_written_in_parts() {
    let mut lab = Lab::new();
    let mut session = lab.administrator();
    let mut set = |offset, text: &[u8]| {
        let data = [&[0xdc, offset, text.len().to_le_bytes()[0]], text].concat();
        lab.raw(&mut session, NetFn::GROUP, 0x08, &data)
    };
    assert_eq!(set(0, b"rack 7, unit 12,"), (OK, vec![0xdc, 16]));
    assert_eq!(set(16, b" front"), (OK, vec![0xdc, 22]));
    assert_eq!(set(40, b"x").0, 0xc9, "a hole");
    assert_eq!(lab.raw(&mut session, NetFn::GROUP, 0x06, &[0xdc, 16, 16]), (OK, b"\xdc\x16 front".to_vec()));
}
