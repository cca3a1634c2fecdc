//! Whatever comes in: no panic, no growth, and sessions of others go on.

use opendcre_ipmi::packet::rakp::NAME_ONLY;
use opendcre_ipmi::packet::v1_5::{AuthType, Packet};
use opendcre_ipmi::packet::v2_0::{self, PayloadType};
use opendcre_ipmi::{Message, NetFn, Privilege, Request};
use proptest::prelude::*;
use proptest::sample::Index;

use super::console::{Lab, Opening, Session, status};

/// The datagrams of a whole conversation.
fn conversation(lab: &mut Lab) -> (Vec<Vec<u8>>, Session) {
    let mut opening = Opening::begin(lab, 17).unwrap();
    let message_1 = opening.message_1("ADMIN", NAME_ONLY | 4);
    let answer = lab.send(&message_1).unwrap();
    opening.on_message_2(&answer).unwrap();
    let message_3 = opening.message_3("ADMIN");
    let answer = lab.send(&message_3).unwrap();
    let mut session = opening.on_message_4(&answer, "ADMIN", None).unwrap();
    let request = session.next(&status());
    let activation = lab.activation(AuthType::Md5, "user", "user", Privilege::User).unwrap();
    let plain = Packet::plain(Message::request(&status(), 1).encode()).encode();
    (vec![Opening::request(17), message_1, message_3, request, activation, plain], session)
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_survived(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
        let mut lab = Lab::new();
        for datagram in datagrams {
            lab.send_all(&datagram);
        }
        prop_assert!(lab.open_2_0(17, "user", "user", Privilege::User).is_ok());
    }

    #[test]
    fn damaged_conversations_are_survived(
        damages in prop::collection::vec((any::<Index>(), any::<Index>(), any::<u8>(), any::<bool>()), 0..60),
    ) {
        let mut lab = Lab::new();
        let (datagrams, mut session) = conversation(&mut lab);
        for (which, place, value, is_cut) in damages {
            let mut datagram = which.get(&datagrams).clone();
            let place = place.index(datagram.len());
            datagram[place] = value;
            if is_cut {
                datagram.truncate(place);
            }
            lab.send_all(&datagram);
        }
        prop_assert!(lab.bmc.sessions() <= 4);
        prop_assert!(lab.ask(&mut session, &status()).is_some(), "the session of somebody else");
    }

    #[test]
    fn arbitrary_commands_are_survived(
        commands in prop::collection::vec((0_u8..0x20, any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 1..40),
    ) {
        let mut lab = Lab::new();
        let mut session = lab.administrator();
        for (netfn, command, data) in commands {
            let request = Request::new(NetFn(netfn << 1), command, &data);
            let is_end = (netfn, command) == (3, 0x02) || (netfn, command) == (3, 0x3c);
            if !is_end {
                let next = session.next(&request);
                lab.send_all(&next);
            }
        }
        prop_assert!(lab.ask(&mut session, &status()).is_some());
    }

    #[test]
    fn commands_of_known_numbers_with_arbitrary_data_are_survived(
        index in any::<Index>(),
        data in prop::collection::vec(any::<u8>(), 0..24),
    ) {
        const COMMANDS: [(NetFn, u8); 18] = [
            (NetFn::CHASSIS, 0x02), (NetFn::CHASSIS, 0x04), (NetFn::CHASSIS, 0x08), (NetFn::CHASSIS, 0x09),
            (NetFn::SENSOR, 0x02), (NetFn::SENSOR, 0x24), (NetFn::SENSOR, 0x26), (NetFn::SENSOR, 0x2d),
            (NetFn::APP, 0x44), (NetFn::APP, 0x46), (NetFn::STORAGE, 0x11), (NetFn::STORAGE, 0x23),
            (NetFn::STORAGE, 0x43), (NetFn::STORAGE, 0x46), (NetFn::STORAGE, 0x47), (NetFn::STORAGE, 0x49),
            (NetFn::TRANSPORT, 0x02), (NetFn::GROUP, 0x08),
        ];
        let mut lab = Lab::new();
        let mut session = lab.administrator();
        let (netfn, command) = *index.get(&COMMANDS);
        let mut data = data;
        if netfn == NetFn::GROUP {
            data.insert(0, 0xdc);
        }
        lab.raw(&mut session, netfn, command, &data);
        prop_assert!(lab.ask(&mut session, &status()).is_some());
    }
}

#[test]
fn a_session_of_one_format_is_none_of_the_other() {
    let mut lab = Lab::new();
    let session = lab.open_2_0(1, "user", "user", Privilege::User).unwrap();
    let payload = Message::request(&status(), 9).encode();
    let disguised = Packet { session: session.id(), sequence: 1, ..Packet::plain(payload.clone()) };
    assert_eq!(lab.send(&disguised.encode()), None);
    assert_eq!(lab.send(&v2_0::plain(PayloadType::Sol, &payload)), None);
}
