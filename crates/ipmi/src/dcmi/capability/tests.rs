//! Tests of the DCMI capabilities, with the layouts of versions 1.0 and 1.5.

use proptest::prelude::*;

use super::*;
use crate::NetFn;

fn answer(completion: u8, data: &[u8]) -> Response {
    Response { completion: Completion(completion), data: data.to_vec() }
}

/// Layouts of DCMI 1.5 §6.1; ipmitool and ipmi-dcmi show these bytes as they are expected here, but for what the event
/// log loses when it is full: FreeIPMI looks for that in other bits, and ipmitool not at all.
fn bmc(selector: u8) -> Response {
    answer(
        0x00,
        match selector {
            1 => &[0xdc, 0x01, 0x05, 0x02, 0x00, 0x01, 0x07],
            2 => &[0xdc, 0x01, 0x05, 0x02, 0x00, 0xc2, 0x00, 0x00, 0x01],
            3 => &[0xdc, 0x01, 0x05, 0x02, 0x2c, 0x01],
            4 => &[0xdc, 0x01, 0x05, 0x02, 0x01, 0x02, 0xff],
            _ => &[0xdc, 0x01, 0x05, 0x02, 0x04, 0x05, 0x41, 0x5e, 0x83],
        },
    )
}

fn drive(bmc: impl Fn(u8) -> Response) -> (Vec<u8>, Result<Capabilities, CommandError>) {
    let mut procedure = ReadCapabilities::new();
    let (mut asked, mut last) = (Vec::new(), None);
    loop {
        match procedure.advance(last.as_ref()) {
            Ok(Step::Done(known)) => return (asked, Ok(known)),
            Err(error) => return (asked, Err(error)),
            Ok(Step::Ask(request)) => {
                assert_eq!((request.netfn, request.command, request.data[0]), (NetFn(0x2c), 0x01, 0xdc));
                asked.push(request.data[1]);
                last = Some(bmc(request.data[1]));
            }
        }
    }
}

#[test]
fn all_parameters_of_version_1_5_are_read() {
    let (asked, known) = drive(bmc);
    assert_eq!(asked, [1, 2, 3, 4, 5]);
    let known = known.unwrap();
    assert_eq!(known.version.to_string(), "1.5");
    let supported = known.supported;
    assert!(supported.power_management && supported.system_interface && supported.serial);
    assert!(supported.secondary_lan);
    let mandatory = known.mandatory.unwrap();
    assert!(mandatory.sel_rollover && mandatory.sel_flush_all && !mandatory.sel_flush_record);
    assert_eq!((mandatory.sel_entries, mandatory.temperature_interval_s), (512, Some(1)));
    assert_eq!(known.power_controller, Some(PowerController { address: 0x16, channel: 0, revision: 1 }));
    let channels = AccessChannels { primary_lan: Some(1), secondary_lan: Some(2), serial: None };
    assert_eq!(known.channels, Some(channels));
    let seconds: Vec<u64> = known.rolling_periods.iter().map(|period| period.duration().as_secs()).collect();
    assert_eq!(seconds, [5, 60, 30 * 60, 3 * 3600]);
}

#[test]
fn what_was_read_can_be_answered() {
    fn check<T: CapabilityParameter>() {
        let data = bmc(T::SELECTOR).data;
        assert_eq!(GetCapability::<T>::new().parse(&data).unwrap().encode(), data);
    }
    check::<Supported>();
    check::<MandatoryAttributes>();
    check::<PowerController>();
    check::<AccessChannels>();
    check::<RollingPeriods>();
}

/// DCMI 1.0 has shorter attributes and no parameter 5.
#[test]
fn a_bmc_of_version_1_0_is_read() {
    let (_, known) = drive(|selector| match selector {
        1 => answer(0x00, &[0xdc, 0x01, 0x00, 0x01, 0x0f, 0x01, 0x01]),
        2 => answer(0x00, &[0xdc, 0x01, 0x00, 0x01, 0x64, 0x80, 0x07, 0x05]),
        _ => answer(0xc9, &[]),
    });
    let known = known.unwrap();
    assert_eq!((known.version, known.supported.mandatory), (Version { major: 1, minor: 0 }, 0x0f));
    let mandatory = known.mandatory.unwrap();
    assert_eq!((mandatory.sel_entries, mandatory.identification, mandatory.temperatures), (100, 7, 5));
    assert_eq!(mandatory.temperature_interval_s, None);
    assert_eq!((known.power_controller, known.channels, known.rolling_periods), (None, None, Vec::new()));
}

#[test]
fn a_bmc_without_dcmi_refuses() {
    let (asked, result) = drive(|_| answer(0xc1, &[]));
    let completion = Completion::INVALID_COMMAND;
    assert_eq!(result, Err(CommandError::Refused { command: "Get DCMI Capabilities Info", completion }));
    assert_eq!(asked, [1]);
}

#[test]
fn an_answer_of_another_body_is_refused() {
    let problem = DecodeError::Invalid { what: "DCMI capabilities", field: "group extension", value: 0 };
    let data = [0x00, 0x01, 0x05, 0x02, 0x00, 0x01, 0x07];
    assert_eq!(Capability::<Supported>::decode(&data), Err(problem));
}

#[test]
fn every_prefix_of_an_answer_is_refused() {
    let data = bmc(5).data;
    for length in 0..data.len() {
        Capability::<RollingPeriods>::decode(&data[..length]).unwrap_err();
    }
}

proptest! {
    #[test]
    fn it_comes_to_an_end_whatever_is_answered(code in any::<u8>(), data: Vec<u8>) {
        let (asked, _) = drive(|selector| if selector > 1 { answer(code, &data) } else { bmc(selector) });
        prop_assert!(asked.len() <= 5);
    }

    #[test]
    fn what_is_decoded_comes_back_when_encoded(mut data: Vec<u8>) {
        data.insert(0, 0xdc);
        if let Ok(known) = Capability::<MandatoryAttributes>::decode(&data) {
            prop_assert_eq!(Capability::decode(&known.encode()), Ok(known));
        }
        if let Ok(known) = Capability::<RollingPeriods>::decode(&data) {
            prop_assert_eq!(Capability::decode(&known.encode()), Ok(known));
        }
    }
}
