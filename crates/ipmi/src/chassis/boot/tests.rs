//! Tests of the boot options, with a BMC that is a function.

use proptest::prelude::*;

use super::*;

/// Drives a procedure against a BMC that answers each request with the completion code that `answer` gives.
fn drive(
    mut procedure: SetBootTarget,
    answer: impl Fn(&[u8]) -> u8,
) -> (Vec<Vec<u8>>, Result<(), CommandError>) {
    let mut sent = Vec::new();
    let mut last = None;
    loop {
        match procedure.advance(last.as_ref()) {
            Ok(Step::Done(())) => return (sent, Ok(())),
            Err(error) => return (sent, Err(error)),
            Ok(Step::Ask(request)) => {
                assert_eq!((request.netfn, request.command), (NetFn::CHASSIS, 0x08));
                last = Some(Response { completion: Completion(answer(&request.data)), data: Vec::new() });
                sent.push(request.data);
                assert!(sent.len() < 10);
            }
        }
    }
}

fn refused(completion: u8) -> CommandError {
    CommandError::Refused { command: "Set System Boot Options", completion: Completion(completion) }
}

#[test]
fn the_flags_are_those_of_the_specification() {
    let bytes = |device, persistent, efi| BootFlags::target(device, persistent, efi).encode();
    assert_eq!(bytes(BootDevice::Pxe, false, false), [0x80, 0x04, 0, 0, 0]);
    assert_eq!(bytes(BootDevice::Disk, false, false), [0x80, 0x08, 0, 0, 0]);
    assert_eq!(bytes(BootDevice::NoOverride, false, false), [0x00, 0x00, 0, 0, 0]);
    assert_eq!(bytes(BootDevice::NoOverride, true, false), [0xc0, 0x00, 0, 0, 0]);
    // What "ipmitool chassis bootdev pxe options=efiboot,persistent" sends.
    assert_eq!(bytes(BootDevice::Pxe, true, true), [0xe0, 0x04, 0, 0, 0]);
}

#[test]
fn every_device_has_a_number_and_a_name() {
    let numbers: Vec<u8> = BootDevice::all().map(BootDevice::number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15]);
    for device in BootDevice::all() {
        assert_eq!(BootDevice::from_name(&device.to_string()), Some(device));
    }
    assert_eq!(BootDevice::from_number(12), BootDevice::Reserved(12));
    assert_eq!(BootDevice::from_name("reserved"), None);
    for number in 0..16 {
        assert_eq!(BootDevice::from_number(number).number(), number);
    }
}

/// ipmitool shows the first of these as "Boot Flag Valid, all future boots, EFI, Floppy/primary removable media"; the
/// second is what ipmi_sim answers before anybody sets anything.
#[test]
fn answers_are_read() {
    let flags = GetBootFlags.parse(&[0x01, 0x05, 0xe0, 0x3c, 0x00, 0x00, 0x00]).unwrap();
    assert_eq!(flags, BootFlags::target(BootDevice::Floppy, true, true));
    let flags = GetBootFlags.parse(&[0x01, 0x05, 0x00, 0x08, 0x00, 0x00, 0x00]).unwrap();
    assert_eq!((flags.device, flags.effective_device()), (BootDevice::Disk, BootDevice::NoOverride));
    assert!(!GetBootFlags.parse(&[0x01, 0x85, 0xe0, 0x3c, 0x00, 0x00, 0x00]).unwrap().valid);
    let locked = BootOption::decode(&[0x01, 0x85, 0x80]).unwrap();
    assert_eq!(locked, BootOption { parameter: 5, locked: true, data: vec![0x80] });
    assert_eq!(locked.encode(), [0x01, 0x85, 0x80]);
    GetBootFlags.parse(&[0x01, 0x04, 0x00, 0x08, 0x00, 0x00, 0x00]).unwrap_err();
    GetBootFlags.parse(&[0x01, 0x05, 0x00, 0x08, 0x00, 0x00]).unwrap_err();
    assert_eq!(GetBootFlags.request(), Request::new(NetFn(0x00), 0x09, &[0x05, 0x00, 0x00]));
}

#[test]
fn a_target_is_set_politely() {
    let target = SetBootTarget::new(BootFlags::target(BootDevice::Pxe, false, false));
    let (sent, outcome) = drive(target, |_| 0x00);
    assert_eq!(outcome, Ok(()));
    let expected: [&[u8]; 6] = [
        &[0x00, 0x01],
        &[0x03, 0x08],
        // What ipmitool sends for parameter 4.
        &[0x04, 0x01, 0x01],
        &[0x05, 0x80, 0x04, 0, 0, 0],
        &[0x00, 0x02],
        &[0x00, 0x00],
    ];
    assert_eq!(sent, expected);
}

/// ipmi_sim refuses parameter 0 with CCh and takes the others.
#[test]
fn a_bmc_without_the_optional_parameters_gets_the_flags_alone() {
    for completion in [0x80, 0x81, 0x82, 0xc9, 0xcc] {
        let target = SetBootTarget::new(BootFlags::target(BootDevice::Disk, true, false));
        let (sent, outcome) = drive(target, |data| if data[0] == 5 { 0x00 } else { completion });
        assert_eq!(outcome, Ok(()));
        let expected: [&[u8]; 4] =
            [&[0x00, 0x01], &[0x03, 0x08], &[0x04, 0x01, 0x01], &[0x05, 0xc0, 0x08, 0, 0, 0]];
        assert_eq!(sent, expected);
    }
}

#[test]
fn committing_is_optional() {
    let target = SetBootTarget::new(BootFlags::target(BootDevice::Cd, false, false));
    let (sent, outcome) = drive(target, |data| if data == [0x00, 0x02] { 0xcc } else { 0x00 });
    assert_eq!(outcome, Ok(()));
    assert_eq!(sent.last().unwrap(), &[0x00, 0x00]);
}

#[test]
fn a_change_that_is_refused_is_completed_all_the_same() {
    for parameter in [3, 4, 5] {
        let target = SetBootTarget::new(BootFlags::target(BootDevice::Setup, false, false));
        let (sent, outcome) = drive(target, |data| if data[0] == parameter { 0xd4 } else { 0x00 });
        assert_eq!(outcome, Err(refused(0xd4)));
        assert_eq!(sent.last().unwrap(), &[0x00, 0x00]);
    }
}

#[test]
fn insufficient_privilege_ends_it_at_once() {
    let target = SetBootTarget::new(BootFlags::target(BootDevice::Pxe, false, false));
    let (sent, outcome) = drive(target, |_| 0xd4);
    assert_eq!((sent.len(), outcome), (1, Err(refused(0xd4))));
}

proptest! {
    #[test]
    fn what_is_decoded_comes_back_when_encoded(data: Vec<u8>) {
        if let Ok(flags) = BootFlags::decode(&data) {
            prop_assert_eq!(BootFlags::decode(&flags.encode()), Ok(flags));
        }
        if let Ok(option) = BootOption::decode(&data) {
            prop_assert_eq!(BootOption::decode(&option.encode()), Ok(option));
        }
        if let Ok(option) = SetBootOption::decode(&data) {
            prop_assert_eq!(option.request().data, data);
        }
    }

    #[test]
    fn it_comes_to_an_end_whatever_is_answered(codes in proptest::collection::vec(any::<u8>(), 256)) {
        let target = SetBootTarget::new(BootFlags::target(BootDevice::Pxe, false, true));
        let (sent, _) = drive(target, |data| codes[usize::from(data[0])]);
        prop_assert!(sent.len() <= 6);
    }
}
