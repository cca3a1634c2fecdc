//! Sessions of IPMI 2.0: who gets in, who does not and why, and for how long.

use std::time::Duration;

use opendcre_ipmi::app::{CURRENT_CHANNEL, GetChannelInfo};
use opendcre_ipmi::packet::rakp::{NAME_ONLY, RakpStatus};
use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::packet::v2_0::{self, PayloadType};
use opendcre_ipmi::session::{GetChannelCipherSuites, SetSessionPrivilege};
use opendcre_ipmi::{Command, Completion, NetFn, Privilege, Request, cipher};

use super::console::{Lab, OTHERS, Opening, PEER, Session, status};

const SUITES: [u8; 6] = [1, 2, 3, 15, 16, 17];
const NOTHING: [Vec<u8>; 0] = [];

#[test]
fn every_suite_lets_in() {
    for suite in SUITES {
        let mut lab = Lab::new();
        let mut session = lab.open_2_0(suite, "ADMIN", "ADMIN", Privilege::Administrator).unwrap();
        let set = SetSessionPrivilege(Privilege::Administrator);
        let level = set.read(&lab.ask(&mut session, &set.request()).unwrap());
        assert_eq!(level, Ok(Some(Privilege::Administrator)), "suite {suite}");
        assert_eq!(lab.ask(&mut session, &status()).unwrap().data[0] & 1, 1);
        lab.close(&mut session);
        assert_eq!(lab.ask(&mut session, &status()), None, "a closed session is silent");
    }
}

#[test]
fn the_list_of_suites_is_the_truth() {
    let mut lab = Lab::new();
    let mut records = Vec::new();
    for index in 0.. {
        let get = GetChannelCipherSuites { index };
        let part = get.read(&lab.ask_plain(&get.request())).unwrap();
        records.extend(&part);
        if part.len() < 16 {
            break;
        }
    }
    assert_eq!(cipher::decode_records(&records), Ok(SUITES.to_vec()));
}

#[test]
fn suite_0_is_there_only_when_asked_for() {
    let mut lab = Lab::new();
    let refused = lab.open_2_0(0, "ADMIN", "", Privilege::User).err();
    assert_eq!(refused, Some(RakpStatus::INVALID_AUTHENTICATION));
    let mut lab = Lab::from_toml("[access]\ncipher_suites = [0, 17]");
    let mut session = lab.open_2_0(0, "ADMIN", "whatever", Privilege::User).unwrap();
    assert!(lab.ask(&mut session, &status()).is_some());
    let refused = lab.open_2_0(3, "ADMIN", "ADMIN", Privilege::User).err();
    assert_eq!(refused, Some(RakpStatus::INVALID_AUTHENTICATION));
    let refused = lab.open_2_0(15, "ADMIN", "ADMIN", Privilege::User).err();
    assert_eq!(refused, Some(RakpStatus::NO_CIPHER_SUITE), "every algorithm, but not together");
}

#[test]
fn a_wrong_password_is_refused_and_the_right_one_is_not_shown() {
    for suite in SUITES {
        let mut lab = Lab::new();
        let refused = lab.open_2_0(suite, "ADMIN", "admin", Privilege::User).err();
        assert_eq!(refused, Some(RakpStatus::INVALID_INTEGRITY_CHECK), "suite {suite}");
        assert_eq!(lab.bmc.sessions(), 0);
        let mut opening = Opening::begin(&mut lab, suite).unwrap();
        let answer = lab.send(&opening.message_1("ADMIN", NAME_ONLY | 2)).unwrap();
        let code = opening.on_message_2(&answer).unwrap();
        assert!(opening.is_known_to_bmc("ADMIN", &code) && !opening.is_known_to_bmc("admin", &code));
    }
}

#[test]
fn users_and_roles_are_refused_with_their_codes() {
    let mut lab = Lab::new();
    let mut refusal = |user, role| lab.open_with(3, user, user, role, None).err();
    assert_eq!(refusal("nobody", NAME_ONLY | 2), Some(RakpStatus::UNAUTHORIZED_NAME));
    assert_eq!(refusal("", NAME_ONLY | 2), Some(RakpStatus::UNAUTHORIZED_NAME));
    assert_eq!(refusal("user", NAME_ONLY | 3), Some(RakpStatus::UNAUTHORIZED_ROLE));
    assert_eq!(refusal("user", 3), Some(RakpStatus::UNAUTHORIZED_NAME), "no such user with this privilege");
    assert_eq!(refusal("user", NAME_ONLY | 7), Some(RakpStatus::INVALID_ROLE));
    assert_eq!(refusal("user", NAME_ONLY), Some(RakpStatus::INVALID_ROLE));
    assert_eq!(refusal("user", 2), None);
    let mut lab = Lab::from_toml("[access]\nchannel_privilege = \"operator\"");
    let refused = lab.open_2_0(17, "ADMIN", "ADMIN", Privilege::Administrator).err();
    assert_eq!(refused, Some(RakpStatus::UNAUTHORIZED_ROLE), "the channel has a limit too");
}

#[test]
fn what_is_malformed_is_said_to_be() {
    let mut lab = Lab::new();
    let answer =
        lab.send(&v2_0::plain(PayloadType::OpenSessionRequest, &[9, 0, 0, 0, 1, 0, 0, 0, 5])).unwrap();
    assert_eq!(Opening::on_response_status(&answer), RakpStatus::ILLEGAL_PARAMETER);
    let mut opening = Opening::begin(&mut lab, 3).unwrap();
    let mut long = opening.message_1("1234567890123456", NAME_ONLY | 2);
    // The length of the name, behind 16 bytes of headers.
    long[16 + 27] = 17;
    let answer = lab.send(&long).unwrap();
    assert_eq!(opening.on_message_2(&answer).err(), Some(RakpStatus::INVALID_NAME_LENGTH));
    opening.bmc_session ^= 1;
    let answer = lab.send(&opening.message_1("ADMIN", NAME_ONLY | 2)).unwrap();
    assert_eq!(opening.on_message_2(&answer).err(), Some(RakpStatus::INVALID_SESSION));
    let answer = lab.send(&opening.message_3("ADMIN")).unwrap();
    assert_eq!(opening.on_message_4(&answer, "ADMIN", None).err(), Some(RakpStatus::INVALID_SESSION));
}

#[test]
fn there_are_so_many_sessions_and_no_more() {
    let mut lab = Lab::from_toml("[access]\nsession_limit = 2");
    let mut late = Opening::begin(&mut lab, 3).unwrap();
    let answer = lab.send(&late.message_1("user", NAME_ONLY | 2)).unwrap();
    late.on_message_2(&answer).unwrap();
    let mut open = || lab.open_2_0(3, "user", "user", Privilege::User);
    let mut sessions: Vec<Session> = (0..2).map(|_| open().unwrap()).collect();
    assert_eq!(open().err(), Some(RakpStatus::INSUFFICIENT_RESOURCES));
    let answer = lab.send(&late.message_3("user")).unwrap();
    assert_eq!(late.on_message_4(&answer, "user", None).err(), Some(RakpStatus::INSUFFICIENT_RESOURCES));
    lab.close(&mut sessions[0]);
    assert!(lab.open_2_0(3, "user", "user", Privilege::User).is_ok());
}

#[test]
fn half_open_sessions_take_nothing_from_others() {
    let mut lab = Lab::new();
    for _ in 0..1000 {
        // From another port each time, so that none is taken for a repetition.
        let port = 1024 + u16::try_from(lab.bmc.counters().received).unwrap();
        let peer = std::net::SocketAddrV4::new([192, 0, 2, 7].into(), port);
        assert_eq!(lab.bmc.on_datagram(peer, &Opening::request(3), lab.now).len(), 1);
    }
    assert!(lab.open_2_0(17, "user", "user", Privilege::User).is_ok());
}

#[test]
fn the_key_of_the_bmc_is_needed_where_there_is_one() {
    let toml = "[access]\nkg = \"0x00112233445566778899aabbccddeeff00112233\"";
    let mut lab = Lab::from_toml(toml);
    let mut opening = Opening::begin(&mut lab, 17).unwrap();
    let answer = lab.send(&opening.message_1("ADMIN", NAME_ONLY | 4)).unwrap();
    let code = opening.on_message_2(&answer).unwrap();
    assert!(opening.is_known_to_bmc("ADMIN", &code), "users are still known by their passwords");
    let mut lab = Lab::from_toml("[access]\nkg = \"our rack key\"");
    let mut session = lab.open_with(17, "ADMIN", "ADMIN", NAME_ONLY | 4, Some("our rack key")).unwrap();
    assert!(lab.ask(&mut session, &status()).is_some());
}

#[test]
fn a_silent_session_is_forgotten() {
    let mut lab = Lab::from_toml("[access]\nsession_timeout = \"10s\"");
    let mut session = lab.open_2_0(3, "user", "user", Privilege::User).unwrap();
    lab.pass(Duration::from_secs(9));
    assert!(lab.ask(&mut session, &status()).is_some());
    lab.pass(Duration::from_secs(10));
    assert_eq!(lab.ask(&mut session, &status()), None);
    assert_eq!(lab.bmc.sessions(), 0);
}

#[test]
fn every_repeated_step_is_answered_the_same() {
    let mut lab = Lab::new();
    let request = Opening::request(17);
    let answer = lab.send(&request).unwrap();
    assert_eq!(lab.send(&request), Some(answer.clone()));
    let mut opening = Opening::on_response(&answer, 17).unwrap();
    let message = opening.message_1("user", NAME_ONLY | 2);
    let answer = lab.send(&message).unwrap();
    assert_eq!(lab.send(&message), Some(answer.clone()));
    opening.on_message_2(&answer).unwrap();
    let message = opening.message_3("user");
    let answer = lab.send(&message).unwrap();
    assert_eq!(lab.send(&message), Some(answer.clone()));
    assert_eq!(lab.bmc.sessions(), 1);
    let mut session = opening.on_message_4(&answer, "user", None).unwrap();
    assert!(lab.ask(&mut session, &status()).is_some());
}

#[test]
fn numbers_count_once_and_within_the_window() {
    let mut lab = Lab::new();
    let mut session = lab.open_2_0(17, "user", "user", Privilege::User).unwrap();
    let datagram = session.next(&status());
    assert!(lab.send(&datagram).is_some());
    assert_eq!(lab.send(&datagram), None, "once more the same number");
    let mut at = |sequence| {
        let datagram = session.numbered(&status(), sequence);
        lab.send(&datagram).is_some()
    };
    assert!(!at(17), "16 ahead");
    assert!(at(16) && at(2) && !at(2) && !at(0));
    assert!(at(18) && !at(2), "16 behind");
}

#[test]
fn packets_that_are_not_proved_do_not_count() {
    let mut lab = Lab::new();
    let mut session = lab.open_2_0(17, "user", "user", Privilege::User).unwrap();
    let good = session.next(&status());
    for index in 4..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 0x01;
        assert_eq!(lab.send(&bad), None, "byte {index}");
    }
    assert!(lab.send(&good).is_some(), "and do not use numbers up");
}

#[test]
fn a_session_begins_with_little_and_stays_within_its_limit() {
    let mut lab = Lab::new();
    let mut session = lab.open_2_0(3, "ADMIN", "ADMIN", Privilege::Operator).unwrap();
    let identify = Request::new(NetFn::CHASSIS, 0x04, &[]);
    let refused = lab.ask(&mut session, &identify).unwrap().completion;
    assert_eq!(refused, Completion::INSUFFICIENT_PRIVILEGE);
    let mut set = |level| lab.raw(&mut session, NetFn::APP, 0x3b, &[level]);
    assert_eq!(set(0), (0, vec![2]));
    assert_eq!(set(4), (0x81, vec![]));
    assert_eq!(set(3), (0, vec![3]));
    assert_eq!(lab.ask(&mut session, &identify).unwrap().completion, Completion::OK);
}

#[test]
fn sessions_are_told_and_closed_by_those_who_may() {
    let mut lab = Lab::new();
    let mut user = lab.open_2_0(3, "user", "user", Privilege::User).unwrap();
    let mut administrator = lab.administrator();
    let (code, data) = lab.raw(&mut user, NetFn::APP, 0x3d, &[0]);
    assert_eq!((code, &data[..6]), (0, [1, 4, 2, 4, 2, 0x11].as_slice()));
    assert_eq!(data[6..10], [192, 0, 2, 1]);
    assert_eq!(lab.raw(&mut user, NetFn::APP, 0x3d, &[3]), (0, vec![0, 4, 2]), "there is no third session");
    let foreign = administrator.id().to_le_bytes();
    assert_eq!(lab.raw(&mut user, NetFn::APP, 0x3c, &foreign).0, 0xd4);
    assert_eq!(lab.raw(&mut administrator, NetFn::APP, 0x3c, &[1, 2, 3, 4]).0, 0x87);
    assert_eq!(lab.raw(&mut administrator, NetFn::APP, 0x3c, &[0, 0, 0, 0, 77]).0, 0x88);
    assert_eq!(lab.raw(&mut administrator, NetFn::APP, 0x3c, &[0, 0, 0, 0, 1]).0, 0);
    assert_eq!(lab.ask(&mut user, &status()), None);
}

#[test]
fn every_step_belongs_to_those_who_began() {
    let mut lab = Lab::new();
    let mut opening = Opening::begin(&mut lab, 17).unwrap();
    let message = opening.message_1("ADMIN", NAME_ONLY | 4);
    assert_eq!(lab.send_from_others(&message), NOTHING);
    let answer = lab.send(&message).unwrap();
    assert_eq!(lab.send_from_others(&message), NOTHING, "a repetition");
    opening.on_message_2(&answer).unwrap();
    let message = opening.message_3("ADMIN");
    assert_eq!(lab.send_from_others(&message), NOTHING);
    assert_eq!(lab.bmc.sessions(), 0);
    let answer = lab.send(&message).unwrap();
    assert_eq!(lab.send_from_others(&message), NOTHING, "a repetition");
    let mut session = opening.on_message_4(&answer, "ADMIN", None).unwrap();
    let datagram = session.next(&status());
    assert_eq!(lab.send_from_others(&datagram), NOTHING);
    assert!(lab.send(&datagram).is_some(), "the number is not used up");
}

#[test]
fn consoles_may_choose_the_same_id() {
    let mut lab = Lab::new();
    let mut one = lab.open_2_0(17, "user", "user", Privilege::User).unwrap();
    lab.peer = OTHERS[0];
    let mut other = lab.open_2_0(17, "user", "user", Privilege::User).unwrap();
    assert!(lab.ask(&mut other, &status()).is_some());
    lab.peer = PEER;
    assert!(lab.ask(&mut one, &status()).is_some());
}

#[test]
fn the_channel_counts_every_open_session() {
    let mut lab = Lab::new();
    let get = GetChannelInfo { channel: CURRENT_CHANNEL };
    let mut user = lab.open_2_0(17, "user", "user", Privilege::User).unwrap();
    let mut count =
        |lab: &mut Lab| get.read(&lab.ask(&mut user, &get.request()).unwrap()).unwrap().active_sessions;
    assert_eq!(count(&mut lab), 1);
    let mut callback = lab.open_1_5(AuthType::Md5, "user", "user", Privilege::Callback).unwrap();
    assert_eq!(count(&mut lab), 2);
    let refused = lab.ask(&mut callback, &get.request()).unwrap().completion;
    assert_eq!(refused, Completion::INSUFFICIENT_PRIVILEGE);
    assert_eq!(lab.ask_plain(&get.request()).completion, Completion::INSUFFICIENT_PRIVILEGE);
    lab.close(&mut callback);
    assert_eq!(count(&mut lab), 1);
}
