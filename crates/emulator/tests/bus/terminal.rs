//! The emulated bus behind a real pseudo-terminal. The client is plain system calls, as any other program's would be;
//! every wait ends by what arrives, not by a clock.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

use opendcre_emulator::bus::{EmulatedBus, EmulatorError, FaultPlan, Handle, Options, StopFlag};
use rustix::fs::{Mode, OFlags};

use super::*;

/// Version of board 1, and the answer to it.
const VERSION: &str = "01 0A 0A FF 00 00 00 01 FF FF 56 A2 04";
const VERSION_ANSWER: &str = "01 13 0A FF 00 00 00 01 FF FF 50 4C 43 20 66 77 20 33 2E 32 69 04";

fn plug(options: Options) -> Handle {
    let room = Room::from_json(SMALL).unwrap();
    EmulatedBus::open(room, options).unwrap().spawn().unwrap()
}

/// Opens a terminal as a serial port. Reading from it gives whatever there is, but at least one byte.
fn open(tty: &Path) -> File {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    File::from(rustix::fs::open(tty, flags, Mode::empty()).unwrap())
}

fn exchange(client: &mut File, request: &[u8], answer_length: usize) -> Vec<u8> {
    client.write_all(request).unwrap();
    let mut answer = vec![0; answer_length];
    client.read_exact(&mut answer).unwrap();
    answer
}

fn assert_serves(tty: &Path) {
    let expected = hex(VERSION_ANSWER);
    assert_eq!(exchange(&mut open(tty), &hex(VERSION), expected.len()), expected);
}

#[test]
fn requests_are_answered_byte_for_byte() {
    let bus = plug(Options::default());
    let mut client = open(bus.tty());
    let expected = hex(VERSION_ANSWER);
    assert_eq!(exchange(&mut client, &hex(VERSION), expected.len()), expected);
    // Every byte value passes the terminal unchanged: 03, 0A, 0D, 11, 13 and 7F mean something to others.
    let text: Vec<u8> = (0..=127).collect();
    let write = packet(0x0d, 0x40, 1, 0x0dff, &[b"WI", text.as_slice()].concat());
    let answer = packet(0x0d, 0x40, 1, 0x0dff, &text).encode().unwrap();
    assert_eq!(exchange(&mut client, &write.encode().unwrap(), answer.len()), answer);
    assert_eq!((bus.statistics().requests(), bus.statistics().answered()), (2, 2));
}

#[test]
fn garbage_and_silence_do_not_end_the_service() {
    let bus = plug(Options::default());
    let mut client = open(bus.tty());
    let unanswered = packet(1, 0xff, 99, 0xffff, b"V").encode().unwrap();
    client.write_all(&[0, 1, 2, 3, 1, 9, 1, 4]).unwrap();
    client.write_all(&unanswered).unwrap();
    let expected = hex(VERSION_ANSWER);
    assert_eq!(exchange(&mut client, &hex(VERSION), expected.len()), expected);
    assert_eq!((bus.statistics().requests(), bus.statistics().answered()), (2, 1));
}

#[test]
fn a_paced_bus_gives_the_same_bytes() {
    let bus = plug(Options { baud: Some(115_200), ..Options::default() });
    let mut client = open(bus.tty());
    let scan = packet(2, 0xff, 0x8023_544b, 0xffff, b"D").encode().unwrap();
    let answer = exchange(&mut client, &scan, 5 * 13);
    assert_eq!(answer[..13], packet(2, 0x9c, 1, 0x01ff, &[0x9c]).encode().unwrap());
    assert_eq!(answer[52..], hex("01 0A 01 9C 00 00 00 0A 01 FF 9C BD 04"));
}

#[test]
fn clients_come_and_go() {
    let bus = plug(Options::default());
    for _ in 0..5 {
        assert_serves(bus.tty());
    }
    // One leaves in the middle of a request; the next is not confused.
    open(bus.tty()).write_all(&hex(VERSION)[..7]).unwrap();
    assert_serves(bus.tty());
    assert_eq!(bus.statistics().answered(), 6);
}

#[test]
fn a_client_that_dies_with_exclusive_use_locks_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("bus");
    let bus = plug(Options { link: Some(link.clone()), ..Options::default() });
    for _ in 0..2 {
        let mut client = open(&link);
        rustix::termios::ioctl_tiocexcl(client.as_fd()).unwrap();
        let expected = hex(VERSION_ANSWER);
        assert_eq!(exchange(&mut client, &hex(VERSION), expected.len()), expected);
        drop(client);
    }
    assert_eq!(bus.statistics().answered(), 2);
}

#[test]
fn unplugging_hangs_up_and_plugging_in_brings_the_link_back() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("bus");
    let options = Options { link: Some(link.clone()), ..Options::default() };
    let bus = plug(options.clone());
    assert_eq!(std::fs::read_link(&link).unwrap(), bus.tty());
    let mut client = open(&link);
    assert_serves(&link);
    bus.unplug().unwrap();
    assert!(!link.is_symlink(), "the link goes away");
    assert_eq!(client.read(&mut [0; 8]).unwrap_or(0), 0, "the client sees the end");
    let _bus = plug(options);
    assert_serves(&link);
}

#[test]
fn a_link_does_not_replace_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("bus");
    std::fs::write(&link, "precious").unwrap();
    let options = Options { link: Some(link.clone()), ..Options::default() };
    let error = EmulatedBus::open(Room::from_json(SMALL).unwrap(), options).unwrap_err();
    assert!(matches!(error, EmulatorError::LinkOccupied { .. }));
    assert!(error.to_string().contains("is not a symbolic link"), "{error}");
}

#[test]
fn a_link_is_not_taken_away_from_another_emulator() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("bus");
    let options = Options { link: Some(link.clone()), ..Options::default() };
    let first = plug(options.clone());
    let error = EmulatedBus::open(Room::from_json(SMALL).unwrap(), options.clone()).unwrap_err();
    assert!(matches!(error, EmulatorError::LinkInUse { .. }), "{error}");
    assert_serves(&link);
    first.unplug().unwrap();
    let _second = plug(options);
    assert_serves(&link);
}

#[test]
fn noise_before_a_request_does_not_hide_it() {
    let bus = plug(Options::default());
    let expected = hex(VERSION_ANSWER);
    // A header and the length of a long packet.
    let request = [&[0x01, 0xc8], hex(VERSION).as_slice()].concat();
    assert_eq!(exchange(&mut open(bus.tty()), &request, expected.len()), expected);
}

#[test]
fn a_raised_flag_ends_the_service_at_once() {
    let stop = StopFlag::new().unwrap();
    stop.stop();
    stop.clone().stop();
    let bus = EmulatedBus::open(Room::from_json(SMALL).unwrap(), Options::default()).unwrap();
    bus.run(&stop).unwrap();
}

#[test]
fn stopping_does_not_wait_for_slow_answers() {
    let bus = plug(Options {
        faults: FaultPlan { delay: 1.0, delay_max: std::time::Duration::MAX, ..FaultPlan::default() },
        ..Options::default()
    });
    let mut client = open(bus.tty());
    client.write_all(&hex(VERSION)).unwrap();
    while bus.statistics().requests() == 0 {
        std::thread::yield_now();
    }
    bus.unplug().unwrap();
}
