//! The exact bytes of the protocol: vectors 1 to 44 and N1 to N4 of its description (§11).
//!
//! Do not edit a vector to make a change pass: boards in the field speak these bytes. Mend the code instead.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use opendcre_devicebus::{
    BootTarget, ChamberLed, Command, Deframer, Override, Packet, PacketError, PowerSwitch, Protocol, Request,
    address, kind, reply,
};
use opendcre_model::{DeviceKind, PowerState};

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// The request has exactly these bytes, and these bytes are exactly this request.
#[track_caller]
fn request(hex: &str, sequence: u8, request: &Request) {
    assert_eq!(request.encode(sequence).unwrap(), bytes(hex));
    let packet = Packet::decode(&bytes(hex)).unwrap();
    assert_eq!(packet.sequence, sequence);
    assert_eq!(&Request::try_from(&packet).unwrap(), request);
}

/// The reply has exactly these bytes, and these bytes are exactly this reply.
#[track_caller]
fn reply(hex: &str, sequence: u8, kind_code: u8, board: u32, device: u16, data: &[u8]) -> Packet {
    let packet = Packet { sequence, kind_code, board, device, data: data.to_vec() };
    assert_eq!(packet.encode().unwrap(), bytes(hex));
    assert_eq!(Packet::decode(&bytes(hex)).unwrap(), packet);
    packet
}

#[test]
fn scans_01_to_07() {
    request("01 0A 01 FF 00 00 00 01 FF FF 44 BD 04", 1, &Request::to_board(1, Command::Scan));
    let scanned = [
        ("01 0A 01 9C 00 00 00 01 01 FF 9C C6 04", 0x9c, 0x01ff, DeviceKind::Thermistor),
        ("01 0A 01 40 00 00 00 01 0D FF 40 72 04", 0x40, 0x0dff, DeviceKind::Power),
        ("01 0A 01 FF 00 00 00 01 02 FF FF FF 04", 0xff, 0x02ff, DeviceKind::None),
    ];
    for (hex, code, device, expected) in scanned {
        let packet = reply(hex, 1, code, 1, device, &[code]);
        assert_eq!(kind::from_code(reply::scanned_kind(&packet.data), Protocol::V1_1), expected);
    }
    let all = address::scan_all([0x56, 0x78], 75);
    request("01 0A 02 FF 80 56 78 4B FF FF 44 24 04", 2, &Request::to_board(all, Command::Scan));
    let shuffled = all | address::SHUFFLE;
    request("01 0A 02 FF A0 56 78 4B FF FF 44 04 04", 2, &Request::to_board(shuffled, Command::Scan));
    let save = address::SCAN_ALL | address::SAVE;
    request("01 0A 03 FF 90 00 00 00 FF FF 44 2C 04", 3, &Request::to_board(save, Command::Scan));
}

#[test]
fn versions_08_to_11() {
    request("01 0A 0A FF 00 00 00 01 FF FF 56 A2 04", 0x0a, &Request::to_board(1, Command::Version));
    let table: [(&str, u8, u32, &[u8]); 3] = [
        ("01 0D 01 FF 00 00 00 00 FF FF 76 31 2E 31 FC 04", 1, 0, b"v1.1"),
        ("01 09 01 FF 00 00 00 00 FF FF 02 04", 1, 0, b""),
        ("01 13 0A FF 00 00 00 01 FF FF 50 4C 43 20 66 77 20 33 2E 32 69 04", 0x0a, 1, b"PLC fw 3.2"),
    ];
    for (hex, sequence, board, text) in table {
        let packet = reply(hex, sequence, 0xff, board, 0xffff, text);
        assert_eq!(reply::text(&packet.data).unwrap().as_bytes(), text);
    }
}

#[test]
fn readings_12_to_17() {
    let read = |kind, board, device| Request::to_device(kind, board, device, Command::Read);
    request("01 0A 0B 9C 00 00 00 01 01 FF 52 06 04", 0x0b, &read(0x9c, 1, 0x01ff));
    let echoed = reply("01 0C 0B 9C 00 00 00 01 01 FF 36 35 36 B7 04", 0x0b, 0x9c, 1, 0x01ff, b"656");
    let default = reply("01 0C 01 FF 00 00 00 00 FF FF 36 35 36 61 04", 1, 0xff, 0, 0xffff, b"656");
    for packet in [echoed, default] {
        assert_eq!(reply::number(&packet.data).unwrap().to_i64(), Some(656));
    }
    request("01 0A FE 4E 00 00 00 0C 02 03 52 51 04", 0xfe, &read(0x4e, 0x0c, 0x0203));
    let hex = "01 13 FE 4E 00 00 00 0C 02 03 31 34 38 36 33 31 33 32 38 31 9E 04";
    let humidity = reply(hex, 0xfe, 0x4e, 0x0c, 0x0203, b"1486313281");
    assert_eq!(reply::number(&humidity.data).unwrap().to_i64(), Some(1_486_313_281));
    request("01 0A 10 FF 00 00 00 01 03 00 52 9B 04", 0x10, &read(kind::NONE, 1, 0x0300));
}

#[test]
fn power_18_to_23() {
    let table = [
        ("01 0B 11 40 00 00 00 01 0D FF 50 3F 13 04", 0x11, Command::PowerStatus),
        ("01 0B 12 40 00 00 00 01 0D FF 50 31 20 04", 0x12, Command::Power(PowerSwitch::On)),
        ("01 0B 13 40 00 00 00 01 0D FF 50 30 20 04", 0x13, Command::Power(PowerSwitch::Off)),
        ("01 0B 14 40 00 00 00 01 0D FF 50 43 0C 04", 0x14, Command::Power(PowerSwitch::Cycle)),
    ];
    for (hex, sequence, command) in table {
        request(hex, sequence, &Request::to_device(kind::POWER, 1, 0x0dff, command));
    }
    let hex = "01 1A 11 40 00 00 00 01 0D FF 30 2C 31 32 30 30 30 2C 32 34 30 30 2C 33 33 35 36 64 04";
    let good = reply(hex, 0x11, 0x40, 1, 0x0dff, b"0,12000,2400,3356");
    let status = reply::power(&good.data).unwrap();
    assert_eq!((status.power, status.voltage, status.current), (12_000, 2400, 3356));
    assert_eq!((status.state(), status.power_ok()), (PowerState::On, true));
    let hex = "01 13 14 40 00 00 00 01 0D FF 32 30 37 32 2C 30 2C 30 2C 30 C0 04";
    let bad = reply(hex, 0x14, 0x40, 1, 0x0dff, b"2072,0,0,0");
    let status = reply::power(&bad.data).unwrap();
    assert!(!status.power_ok() && status.over_current() && status.under_voltage());
}

#[test]
fn asset_texts_24_to_27() {
    let to_device = |command| Request::to_device(kind::POWER, 1, 0x0dff, command);
    request("01 0B 15 40 00 00 00 01 0D FF 52 49 03 04", 0x15, &to_device(Command::AssetText));
    let hex = "01 12 15 40 00 00 00 01 0D FF 72 61 63 6B 37 2D 75 31 32 C1 04";
    reply(hex, 0x15, 0x40, 1, 0x0dff, b"rack7-u12");
    let write = to_device(Command::SetAssetText(b"10.0.0.9".to_vec()));
    request("01 13 16 40 00 00 00 01 0D FF 57 49 31 30 2E 30 2E 30 2E 39 79 04", 0x16, &write);
    reply("01 11 16 40 00 00 00 01 0D FF 31 30 2E 30 2E 30 2E 39 19 04", 0x16, 0x40, 1, 0x0dff, b"10.0.0.9");
}

#[test]
fn writes_and_repeats_28_to_32() {
    let on = "01 0B 20 10 00 00 00 01 00 05 57 31 42 04";
    let off = "01 0B 21 10 00 00 00 01 00 05 57 30 42 04";
    request(on, 0x20, &Request::to_device(kind::LED, 1, 5, Command::WriteLed(true)));
    request(off, 0x21, &Request::to_device(kind::LED, 1, 5, Command::WriteLed(false)));
    // Acceptance and refusal have the same bytes as the commands.
    assert_eq!(reply::write(&reply(on, 0x20, kind::LED, 1, 5, b"W1").data), Ok(()));
    assert!(reply::write(&reply(off, 0x21, kind::LED, 1, 5, b"W0").data).is_err());
    let fan = Request::to_device(kind::FAN_SPEED, 1, 2, Command::WriteFan("4100".into()));
    request("01 0F 22 82 00 00 00 01 00 02 57 FF 34 31 30 30 3E 04", 0x22, &fan);
    let read = Request::to_device(0x9c, 1, 0x01ff, Command::Read);
    request("01 0A 23 9C 00 00 00 01 01 FF 3F 01 04", 0x23, &read.repeat());
    let version = Request::to_board(1, Command::Version);
    request("01 0A 24 FF 00 00 00 01 FF FF 3F 9F 04", 0x24, &version.repeat());
}

#[test]
fn servers_33_to_37_and_41_to_42() {
    let to_system = |board, command| Request::to_device(kind::SYSTEM, board, 1, command);
    request("01 0A 30 12 00 00 00 50 00 01 41 2C 04", 0x30, &to_system(0x50, Command::AssetInfo));
    request("01 0B 31 12 00 00 00 40 00 01 42 3F FB 04", 0x31, &to_system(0x40, Command::BootTarget));
    let hdd = reply("01 0B 31 12 00 00 00 40 00 01 42 31 09 04", 0x31, kind::SYSTEM, 0x40, 1, b"B1");
    assert_eq!(reply::boot_target(&hdd.data), Ok(BootTarget::Hdd));
    let set = |target| to_system(0x40, Command::SetBootTarget(target));
    request("01 0B 32 12 00 00 00 40 00 01 42 32 07 04", 0x32, &set(BootTarget::Pxe));
    request("01 0B 34 12 00 00 00 40 00 01 42 30 07 04", 0x34, &set(BootTarget::NoOverride));
    request("01 0A 37 12 00 00 00 90 00 01 48 DE 04", 0x37, &to_system(0x90, Command::HostInfo));
    let hex = "01 19 37 12 00 00 00 90 00 01 68 6E 6F 64 65 34 2C 69 31 30 2E 32 2E 30 2E 34 CE 04";
    let hosts = reply(hex, 0x37, kind::SYSTEM, 0x90, 1, b"hnode4,i10.2.0.4");
    assert_eq!(reply::host_info(&hosts.data).unwrap().hostnames, ["node4"]);
}

#[test]
fn chambers_38_to_40_43_and_44() {
    let to_lamp = |led| Request::to_device(kind::VAPOR_LED, 0x70, 1, Command::ChamberLed(led));
    let blinking = ChamberLed {
        state: Override::On,
        rack: "3".into(),
        color: Some("ff8800".into()),
        blink: Override::On,
    };
    let hex = "01 16 35 08 00 00 00 70 00 01 4C 31 2C 33 2C 66 66 38 38 30 30 2C 31 51 04";
    request(hex, 0x35, &to_lamp(blinking));
    let hex = "01 13 35 08 00 00 00 70 00 01 31 2C 66 66 38 38 30 30 2C 31 FC 04";
    let state = reply::chamber_led(&reply(hex, 0x35, kind::VAPOR_LED, 0x70, 1, b"1,ff8800,1").data).unwrap();
    assert!(state.on && state.blinking && state.color == "ff8800");
    let untouched =
        ChamberLed { state: Override::Keep, rack: "rack_1".into(), color: None, blink: Override::Keep };
    let hex = "01 19 36 08 00 00 00 70 00 01 4C 2D 31 2C 72 61 63 6B 5F 31 2C 2D 31 2C 2D 31 36 04";
    request(hex, 0x36, &to_lamp(untouched));
    let rectifier = Request::to_device(kind::VAPOR_RECTIFIER, 0x60, 1, Command::PowerStatus);
    request("01 0B 38 48 00 00 00 60 00 01 50 3F 90 04", 0x38, &rectifier);
    let hex = "01 14 39 4A 00 00 00 61 00 01 63 68 61 72 67 69 6E 67 2C 38 38 3C 04";
    let battery = reply(hex, 0x39, kind::VAPOR_BATTERY, 0x61, 1, b"charging,88");
    assert_eq!(reply::battery(&battery.data).unwrap().charge_percent, 88);
}

#[test]
fn damaged_n1_to_n4() {
    let n1 = bytes("01 0A 01 9C 00 00 00 01 01 FF 9C C7 04");
    assert_eq!(Packet::decode(&n1), Err(PacketError::Checksum { found: 0xc7, expected: 0xc6 }));
    let n2 = bytes("01 0A 01 9C 00 00 00 01 01 FF 9C C6 03");
    assert_eq!(Packet::decode(&n2), Err(PacketError::Trailer { found: 3 }));

    let n3 = bytes("00 02 03 01 0C 2A FF 00 00 00 00 FF FF 36 35 36 38 04");
    let mut deframer = Deframer::default();
    deframer.push(&n3);
    let packet = deframer.next_packet().unwrap().unwrap();
    assert_eq!((packet.sequence, packet.data.as_slice()), (0x2a, b"656".as_slice()));
    assert_eq!(deframer.next_packet(), None);

    let n4 = bytes("01 0A 01 9C 00 00 00 01 01 FF 9C C6");
    deframer.push(&n4);
    assert_eq!(deframer.next_packet(), None, "a packet without its trailer is not there yet");
}
