//! Sessions of IPMI 1.5: who gets in, who does not and why, and for how long.

use std::time::Duration;

use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::session::{GetChannelAuthCapabilities, SetSessionPrivilege};
use opendcre_ipmi::{Command, Completion, NetFn, Privilege, Request};

use super::console::{Lab, Session, activated, status};

const ALL: [AuthType; 4] = [AuthType::None, AuthType::Md2, AuthType::Md5, AuthType::Password];
const NOTHING: [Vec<u8>; 0] = [];

#[test]
fn every_authentication_type_lets_in() {
    for auth_type in ALL {
        let mut lab = Lab::new();
        let mut session = lab.open_1_5(auth_type, "ADMIN", "ADMIN", Privilege::Administrator).unwrap();
        let set = SetSessionPrivilege(Privilege::Administrator);
        let level = set.read(&lab.ask(&mut session, &set.request()).unwrap());
        assert_eq!(level, Ok(Some(Privilege::Administrator)));
        assert_eq!(lab.ask(&mut session, &status()).unwrap().data[0] & 1, 1);
        lab.close(&mut session);
        assert_eq!(lab.bmc.sessions(), 0);
        assert_eq!(lab.ask(&mut session, &status()), None, "a closed session is silent");
    }
}

#[test]
fn capabilities_name_what_is_offered() {
    let mut lab = Lab::from_toml("[access]\nauth_types = [\"md5\", \"password\"]\nkg = \"key\"");
    let get = GetChannelAuthCapabilities { privilege: Privilege::Administrator, extended: true };
    let capabilities = get.read(&lab.ask_plain(&get.request())).unwrap();
    assert_eq!((capabilities.auth_types, capabilities.status, capabilities.extended), (0x94, 0x24, 3));
    let get = GetChannelAuthCapabilities { privilege: Privilege::User, extended: false };
    let capabilities = get.read(&lab.ask_plain(&get.request())).unwrap();
    assert_eq!((capabilities.auth_types, capabilities.status, capabilities.extended), (0x14, 0x04, 0));
    let refused = lab.open_1_5(AuthType::Md2, "ADMIN", "ADMIN", Privilege::User).err();
    assert_eq!(refused, Some(Some(Completion::INVALID_FIELD)));
}

#[test]
fn a_wrong_password_meets_silence() {
    for auth_type in [AuthType::Md2, AuthType::Md5, AuthType::Password] {
        let mut lab = Lab::new();
        assert_eq!(lab.open_1_5(auth_type, "ADMIN", "admin", Privilege::User).err(), Some(None));
        assert_eq!(lab.bmc.sessions(), 0);
    }
}

#[test]
fn users_and_privileges_are_refused_with_their_codes() {
    let mut lab = Lab::new();
    let mut refusal =
        |user, password, privilege| lab.open_1_5(AuthType::Md5, user, password, privilege).err();
    assert_eq!(refusal("nobody", "x", Privilege::User), Some(Some(Completion(0x81))));
    assert_eq!(refusal("", "", Privilege::User), Some(Some(Completion(0x82))));
    assert_eq!(refusal("user", "user", Privilege::Operator), Some(Some(Completion(0x86))));
    assert_eq!(refusal("operator", "operator", Privilege::Administrator), Some(Some(Completion(0x86))));
    let mut lab = Lab::from_toml("[access]\nchannel_privilege = \"operator\"");
    let refused = lab.open_1_5(AuthType::Md5, "ADMIN", "ADMIN", Privilege::Administrator).err();
    assert_eq!(refused, Some(Some(Completion(0x86))), "the channel has a limit too");
}

#[test]
fn there_are_so_many_sessions_and_no_more() {
    let mut lab = Lab::new();
    let mut open = || lab.open_1_5(AuthType::Md5, "user", "user", Privilege::User);
    let mut sessions: Vec<Session> = (0..4).map(|_| open().unwrap()).collect();
    assert_eq!(open().err(), Some(Some(Completion(0x81))));
    lab.close(&mut sessions[2]);
    assert!(lab.open_1_5(AuthType::Md5, "user", "user", Privilege::User).is_ok());
}

#[test]
fn a_silent_session_is_forgotten() {
    let mut lab = Lab::new();
    let mut session = lab.open_1_5(AuthType::Md5, "user", "user", Privilege::User).unwrap();
    for _ in 0..3 {
        lab.pass(Duration::from_secs(59));
        assert!(lab.ask(&mut session, &status()).is_some());
    }
    lab.pass(Duration::from_secs(60));
    assert_eq!(lab.ask(&mut session, &status()), None);
    assert_eq!(lab.bmc.sessions(), 0);
}

#[test]
fn a_challenge_does_not_wait_for_ever() {
    let mut lab = Lab::new();
    let activation = lab.activation(AuthType::Md5, "user", "user", Privilege::User).unwrap();
    lab.pass(Duration::from_secs(15));
    assert_eq!(lab.send(&activation), None);
}

#[test]
fn a_repeated_activation_is_answered_again_and_opens_nothing() {
    let mut lab = Lab::new();
    let activation = lab.activation(AuthType::Md5, "user", "user", Privilege::User).unwrap();
    let first = lab.send(&activation).unwrap();
    assert_eq!(lab.send(&activation), Some(first.clone()));
    assert_eq!(lab.bmc.sessions(), 1);
    let mut session = activated(&first, "user").unwrap();
    assert!(lab.ask(&mut session, &status()).is_some());
}

#[test]
fn numbers_count_once_and_within_the_window() {
    let mut lab = Lab::new();
    let mut session = lab.open_1_5(AuthType::Md5, "user", "user", Privilege::User).unwrap();
    let first = session.sequence;
    let datagram = session.next(&status());
    assert!(lab.send(&datagram).is_some());
    assert_eq!(lab.send(&datagram), None, "once more the same number");
    let mut at = |sequence| {
        let datagram = session.numbered(&status(), sequence);
        lab.send(&datagram).is_some()
    };
    assert!(!at(first + 9), "nine ahead");
    assert!(at(first + 8) && at(first + 3) && !at(first + 3));
    assert!(!at(first), "eight behind");
    assert!(!at(0));
}

#[test]
fn packets_that_are_not_proved_do_not_count() {
    let mut lab = Lab::new();
    let mut session = lab.open_1_5(AuthType::Md5, "user", "user", Privilege::User).unwrap();
    let good = session.next(&status());
    for index in 4..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 0x01;
        assert_eq!(lab.send(&bad), None, "byte {index}");
    }
    assert!(lab.send(&good).is_some(), "and do not use numbers up");
}

#[test]
fn sessions_and_challenges_belong_to_those_who_asked_for_them() {
    let power_off = Request::new(NetFn::CHASSIS, 0x02, &[0x00]);
    for auth_type in ALL {
        let mut lab = Lab::new();
        let activation = lab.activation(auth_type, "ADMIN", "ADMIN", Privilege::Administrator).unwrap();
        assert_eq!(lab.send_from_others(&activation), NOTHING, "{auth_type:?}");
        assert_eq!(lab.bmc.sessions(), 0);
        let answer = lab.send(&activation).unwrap();
        assert_eq!(lab.send_from_others(&activation), NOTHING, "a repetition, {auth_type:?}");
        let mut session = activated(&answer, "ADMIN").unwrap();
        lab.ask(&mut session, &SetSessionPrivilege(Privilege::Administrator).request()).unwrap();
        let datagram = session.next(&power_off);
        assert_eq!(lab.send_from_others(&datagram), NOTHING, "{auth_type:?}");
        assert_eq!(lab.ask(&mut session, &status()).unwrap().data[0] & 1, 1, "still on");
        assert!(lab.send(&datagram).is_some(), "the number is not used up");
        assert_eq!(lab.ask(&mut session, &status()).unwrap().data[0] & 1, 0);
    }
}
