//! Tests of the chassis commands, with the bytes of real answers.

use proptest::prelude::*;

use super::*;

/// A canned answer of an old BMC: on, no fault; of IPMI 1.5, so without the front panel.
#[test]
fn a_status_of_three_bytes_is_read() {
    let status = GetChassisStatus.parse(&[0x45, 0x10, 0x40]).unwrap();
    assert!(status.power_on && status.interlock && !status.fault);
    assert_eq!(status.restore_policy, Some(RestorePolicy::PowerUp));
    assert_eq!(status.last_event, LastPowerEvent { on_by_command: true, ..LastPowerEvent::default() });
    assert!(status.identify_reported);
    assert_eq!(status.identify, IdentifyState::Off);
    assert_eq!(status.front_panel, None);
    assert_eq!(status.encode(), [0x45, 0x10, 0x40]);
}

/// ipmitool shows these bytes with everything on but the interlock, the policy unknown, all buttons allowed to be
/// disabled, and those for power and diagnostic interrupts disabled.
#[test]
fn a_status_with_everything_in_it_is_read() {
    let status = ChassisStatus::decode(&[0x7b, 0x1f, 0x6f, 0xf5]).unwrap();
    assert!(status.power_on && status.overload && status.fault && status.control_fault);
    assert!(!status.interlock);
    assert_eq!(status.restore_policy, None);
    let event = status.last_event;
    assert!(event.ac_failed && event.overload && event.interlock && event.fault && event.on_by_command);
    assert!(status.intrusion && status.lockout && status.drive_fault && status.fan_fault);
    assert_eq!(status.identify, IdentifyState::Indefinite);
    let panel = status.front_panel.unwrap();
    assert_eq!(panel.disabled, Buttons { power: true, diagnostic: true, ..Buttons::default() });
    assert_eq!(panel.may_disable, Buttons { power: true, reset: true, diagnostic: true, standby: true });
    assert_eq!(status.encode(), [0x7b, 0x1f, 0x6f, 0xf5]);
}

#[test]
fn a_status_that_ends_early_is_refused() {
    ChassisStatus::decode(&[0x01, 0x00]).unwrap_err();
}

#[test]
fn control_has_the_numbers_of_the_specification() {
    use ChassisControl::{Diagnostic, HardReset, PowerCycle, PowerDown, PowerUp, SoftShutdown};
    let actions = [PowerDown, PowerUp, PowerCycle, HardReset, Diagnostic, SoftShutdown];
    for (number, action) in (0_u8..).zip(actions) {
        assert_eq!(action.request(), Request::new(NetFn(0x00), 0x02, &[number]));
        assert_eq!(ChassisControl::decode(&[number]), Ok(action));
    }
    ChassisControl::decode(&[6]).unwrap_err();
    ChassisControl::decode(&[]).unwrap_err();
}

#[test]
fn identify_sends_what_bmcs_of_either_version_understand() {
    let data = |identify: ChassisIdentify| identify.request().data;
    assert_eq!(data(ChassisIdentify::Off), [0x00]);
    assert_eq!(data(ChassisIdentify::Indefinite), [0x00, 0x01]);
    assert_eq!(data(ChassisIdentify::For { seconds: 30 }), [0x1e]);
    for identify in [ChassisIdentify::Off, ChassisIdentify::Indefinite, ChassisIdentify::For { seconds: 1 }] {
        assert_eq!(ChassisIdentify::decode(&data(identify)), identify);
    }
    assert_eq!(ChassisIdentify::decode(&[]), ChassisIdentify::For { seconds: 15 });
    assert_eq!(ChassisIdentify::decode(&[0x05, 0x00]), ChassisIdentify::For { seconds: 5 });
}

#[test]
fn the_restore_policy_is_set_or_only_asked_for() {
    let set = |policy| SetPowerRestorePolicy { policy };
    for (policy, value) in [
        (Some(RestorePolicy::StayOff), 0),
        (Some(RestorePolicy::Previous), 1),
        (Some(RestorePolicy::PowerUp), 2),
        (None, 3),
    ] {
        assert_eq!(set(policy).request(), Request::new(NetFn(0x00), 0x06, &[value]));
        assert_eq!(SetPowerRestorePolicy::decode(&[value]).unwrap().policy, policy);
    }
    SetPowerRestorePolicy::decode(&[4]).unwrap_err();
    let able = set(None).parse(&[0x05]).unwrap();
    assert_eq!(able, RestorePolicies { stay_off: true, previous: false, power_up: true });
    assert_eq!(able.encode(), [0x05]);
}

/// ipmitool shows these bytes as 416 days and 16 hours.
#[test]
fn power_on_hours_are_counts_of_some_minutes() {
    let hours = GetPowerOnHours.parse(&[0x3c, 0x10, 0x27, 0x00, 0x00]).unwrap();
    assert_eq!(hours.minutes(), (416 * 24 + 16) * 60);
    assert_eq!(hours.encode(), [0x3c, 0x10, 0x27, 0x00, 0x00]);
    GetPowerOnHours.parse(&[0x3c, 0x10, 0x27, 0x00]).unwrap_err();
}

proptest! {
    #[test]
    fn what_is_decoded_comes_back_when_encoded(data: Vec<u8>) {
        if let Ok(status) = ChassisStatus::decode(&data) {
            prop_assert_eq!(ChassisStatus::decode(&status.encode()), Ok(status));
        }
        if let Ok(hours) = PowerOnHours::decode(&data) {
            prop_assert_eq!(hours.encode(), &data[..5]);
        }
        if let Ok(control) = ChassisControl::decode(&data) {
            prop_assert_eq!(ChassisControl::decode(&control.request().data), Ok(control));
        }
    }
}
