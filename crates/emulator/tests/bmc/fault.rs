//! Faults: each does what it says, as often as it should, and again with the same seed.

use std::collections::HashSet;
use std::time::Duration;

use opendcre_emulator::bmc::{Bmc, Defects, FaultPlan, FleetConfig};
use opendcre_ipmi::fru::ReadFru;
use opendcre_ipmi::packet::Datagram;
use opendcre_ipmi::packet::asf::Ping;
use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::sdr::{Source, WalkSdr};
use opendcre_ipmi::session::{GetChannelAuthCapabilities, SetSessionPrivilege};
use opendcre_ipmi::{Command, CommandError, Completion, Message, NetFn, Privilege};

use super::console::{EPOCH, Lab, PEER, Session, activated, start, status};

fn lab(change: impl FnOnce(&mut FaultPlan)) -> Lab {
    Lab::with(|config| change(&mut config.faults))
}

/// A session that was opened before the faults began is what most tests need, so it is opened until it works.
fn session(lab: &mut Lab) -> Session {
    (0..1000).find_map(|_| lab.open_2_0(17, "user", "user", Privilege::User).ok()).unwrap()
}

/// What comes back for a thousand requests without a session.
fn answers(lab: &mut Lab) -> Vec<Vec<Vec<u8>>> {
    let get = GetChannelAuthCapabilities { privilege: Privilege::User, extended: true };
    let ask = |number: u16| {
        let sequence = u8::try_from(number % 64).unwrap();
        let payload = Message::request(&get.request(), sequence).encode();
        lab.send_all(&opendcre_ipmi::packet::v1_5::Packet::plain(payload).encode())
    };
    (0..1000).map(ask).collect()
}

#[test]
fn without_faults_every_request_has_its_answer_at_once() {
    let mut lab = Lab::new();
    assert!(answers(&mut lab).iter().all(|answers| answers.len() == 1));
    let replies = lab.bmc.on_datagram(PEER, &Ping { tag: 1 }.encode(), lab.now);
    assert!(replies[0].delay.is_zero());
}

#[test]
fn loss_takes_requests_and_replies() {
    let mut lab = lab(|plan| plan.loss = 0.2);
    let answered = answers(&mut lab).iter().filter(|answers| !answers.is_empty()).count();
    assert!((590..690).contains(&answered), "about 64 % of 1000: {answered}");
    let counters = lab.bmc.counters();
    assert_eq!(counters.received, 1000);
    assert!((750..850).contains(&counters.answered), "the others did not arrive: {counters:?}");
}

#[test]
fn delay_and_slowness() {
    let mut lab = lab(|plan| {
        plan.delay = 0.5;
        plan.slow = 1.0;
    });
    let ping = Ping { tag: 1 }.encode();
    let delays: Vec<Duration> =
        (0..1000).map(|_| lab.bmc.on_datagram(PEER, &ping, lab.now)[0].delay).collect();
    let (slow, late) = (Duration::from_millis(500), Duration::from_millis(700));
    assert!(delays.iter().all(|delay| (slow..=late).contains(delay)));
    let delayed = delays.iter().filter(|delay| **delay > slow).count();
    assert!((430..570).contains(&delayed), "{delayed}");
}

#[test]
fn duplication_sends_the_same_twice() {
    let mut lab = lab(|plan| plan.duplicate = 0.3);
    let twice: Vec<_> = answers(&mut lab).into_iter().filter(|answers| answers.len() == 2).collect();
    assert!((250..350).contains(&twice.len()), "{}", twice.len());
    assert!(twice.iter().all(|answers| answers[0] == answers[1]));
}

#[test]
fn reordering_sends_a_reply_after_the_next() {
    let mut lab = lab(|plan| plan.reorder = 0.3);
    let answers = answers(&mut lab);
    let mut overtaken = 0;
    for pair in answers.windows(2) {
        if pair[0].is_empty() {
            overtaken += 1;
            assert_eq!(pair[1].len(), 2, "the next and this one");
        }
    }
    assert!(overtaken > 150, "{overtaken}");
    // Sequence numbers of the requests: the second of the two belongs to the request before.
    let sequence = |bytes: &[u8]| bytes[18] >> 2;
    let two = answers.iter().find(|answers| answers.len() == 2).unwrap();
    assert_eq!(sequence(&two[0]), (sequence(&two[1]) + 1) % 64);
}

#[test]
fn truncation_and_corruption_are_noticed() {
    let good = answers(&mut Lab::new())[0][0].clone();
    let mut lab = lab(|plan| plan.truncate = 1.0);
    for answer in answers(&mut lab).concat() {
        assert!(answer.len() < good.len());
        Datagram::decode(&answer).unwrap_err();
    }
    let mut lab = self::lab(|plan| plan.corrupt = 0.5);
    let mut session = session(&mut lab);
    let (mut sound, mut damaged) = (0, 0);
    for _ in 0..200 {
        let answer = {
            let next = session.next(&status());
            lab.send(&next).unwrap()
        };
        let opened = match (&session.link, Datagram::decode(&answer)) {
            (super::console::Link::V2_0 { keys, .. }, Ok(Datagram::V2_0(envelope))) => {
                envelope.open(keys).is_ok()
            }
            _ => false,
        };
        if opened { sound += 1 } else { damaged += 1 }
    }
    assert!(sound > 60 && damaged > 60, "{sound} sound, {damaged} damaged");
}

#[test]
fn a_busy_bmc_does_nothing() {
    let mut lab = lab(|plan| plan.busy = 1.0);
    let mut session = session(&mut lab);
    for _ in 0..10 {
        assert_eq!(lab.ask(&mut session, &status()).unwrap().completion.0, 0xc0);
    }
}

#[test]
fn a_busy_bmc_can_be_left_and_does_nothing_else_about_sessions() {
    let mut lab = lab(|plan| plan.busy = 1.0);
    let mut session = session(&mut lab);
    let get = GetChannelAuthCapabilities { privilege: Privilege::User, extended: true };
    let set = SetSessionPrivilege(Privilege::User);
    assert_eq!(lab.ask(&mut session, &set.request()).unwrap().completion, Completion::NODE_BUSY);
    assert_eq!(lab.ask(&mut session, &get.request()).unwrap().completion, Completion::NODE_BUSY);
    assert_eq!(lab.ask_plain(&get.request()).completion, Completion::NODE_BUSY);
    let refused = lab.open_1_5(AuthType::Md5, "user", "user", Privilege::User).err();
    assert_eq!(refused, Some(Some(Completion::NODE_BUSY)), "no challenge");
    lab.close(&mut session);
    assert_eq!(lab.bmc.sessions(), 0);
}

#[test]
fn a_busy_bmc_opens_the_session_when_it_is_asked_again() {
    let mut lab = lab(|plan| plan.busy = 0.5);
    let mut busy = 0;
    for _ in 0..100 {
        let mut challenged = || lab.activation(AuthType::Md5, "user", "user", Privilege::User).ok();
        let activation = (0..100).find_map(|_| challenged()).unwrap();
        let mut session = loop {
            let answer = lab.send(&activation).unwrap();
            match activated(&answer, "user") {
                Ok(session) => break session,
                Err(completion) => assert_eq!(completion, Some(Completion::NODE_BUSY)),
            }
            assert_eq!(lab.bmc.sessions(), 0);
            busy += 1;
        };
        lab.close(&mut session);
    }
    assert!((60..150).contains(&busy), "about 100: {busy}");
}

#[test]
fn lost_sessions_are_gone() {
    let mut lab = lab(|plan| plan.session_loss = 0.05);
    let mut session = session(&mut lab);
    let answered = (0..1000).take_while(|_| lab.ask(&mut session, &status()).is_some()).count();
    assert!(answered < 300, "{answered}");
    assert_eq!(lab.bmc.sessions(), 0);
    let mut lab = Lab::new();
    let mut session = self::session(&mut lab);
    lab.bmc.lose_sessions();
    assert_eq!(lab.ask(&mut session, &status()), None);
}

#[test]
fn foreign_replies_come_first_and_are_of_another_session() {
    let mut lab = lab(|plan| plan.foreign = 1.0);
    let plain = answers(&mut lab);
    assert!(plain.iter().all(|answers| answers.len() == 2));
    let sessions: HashSet<u32> = plain
        .concat()
        .iter()
        .map(|answer| match Datagram::decode(answer).unwrap() {
            Datagram::V1_5(packet) => packet.session,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sessions, HashSet::from([0, u32::MAX]));
}

#[test]
fn oversized_lengths_reach_beyond_the_datagram() {
    let mut lab = lab(|plan| plan.oversize = 1.0);
    for answer in answers(&mut lab).concat() {
        Datagram::decode(&answer).unwrap_err();
    }
}

#[test]
fn defects_are_those_of_some_bmcs_and_stay() {
    let faults = FaultPlan { dead: 0.1, sdr_loop: 0.2, ..FaultPlan::default() };
    let config = FleetConfig { count: 1000, faults, ..FleetConfig::default() };
    let bmcs = Bmc::fleet(&config, start(), EPOCH).unwrap();
    let count = |has: fn(Defects) -> bool| bmcs.iter().filter(|bmc| has(bmc.defects())).count();
    let (dead, loops) = (count(|defects| defects.dead), count(|defects| defects.sdr_loop));
    assert!((70..130).contains(&dead) && (160..240).contains(&loops), "{dead} {loops}");
    let again = Bmc::fleet(&config, start(), EPOCH).unwrap();
    assert!(bmcs.iter().zip(&again).all(|(one, other)| one.defects() == other.defects()));
}

#[test]
fn a_dead_bmc_is_silent_until_it_lives_again() {
    let mut lab = lab(|plan| plan.dead = 1.0);
    assert_eq!(answers(&mut lab).concat(), Vec::<Vec<u8>>::new());
    lab.bmc.set_defects(Defects::default());
    assert!(lab.open_2_0(17, "user", "user", Privilege::User).is_ok());
}

#[test]
fn records_go_round_or_never_end() {
    let next = |lab: &mut Lab, session: &mut Session, id: u16| {
        let [low, high] = id.to_le_bytes();
        let (code, data) = lab.raw(session, NetFn::STORAGE, 0x23, &[0, 0, low, high, 0, 5]);
        assert_eq!(code, 0);
        (u16::from_le_bytes([data[0], data[1]]), u16::from_le_bytes([data[2], data[3]]))
    };
    let mut lab = lab(|plan| plan.sdr_loop = 1.0);
    let mut session = self::session(&mut lab);
    assert_eq!(next(&mut lab, &mut session, 17), (1, 17));
    let mut lab = self::lab(|plan| plan.sdr_endless = 1.0);
    let mut session = self::session(&mut lab);
    for id in [1, 17, 18, 1000, 0xfffd] {
        assert_eq!(next(&mut lab, &mut session, id), (id + 1, id));
    }
    assert_eq!(next(&mut lab, &mut session, 0xfffe), (1, 0xfffe));
}

#[test]
fn an_inventory_never_ends() {
    let mut lab = lab(|plan| plan.fru_endless = 1.0);
    let mut session = session(&mut lab);
    assert_eq!(lab.raw(&mut session, NetFn::STORAGE, 0x10, &[0]).1, [0xff, 0xff, 0]);
    for offset in [0_u16, 8, 1000, 0xff00] {
        let [low, high] = offset.to_le_bytes();
        let (code, data) = lab.raw(&mut session, NetFn::STORAGE, 0x11, &[0, low, high, 64]);
        assert_eq!((code, data.len(), data[0]), (0, 65, 64), "there is always more");
    }
}

#[test]
fn a_reader_with_bounds_comes_to_an_end() {
    let plans: [fn(&mut FaultPlan); 2] = [|plan| plan.sdr_loop = 1.0, |plan| plan.sdr_endless = 1.0];
    for plan in plans {
        let mut lab = lab(plan);
        let mut session = session(&mut lab);
        let repository = lab.run(&mut session, WalkSdr::new(Source::Repository)).unwrap();
        assert!(matches!(repository.cut_short, Some(CommandError::Endless { .. })));
        assert!(repository.records.len() >= 17, "the real ones are kept");
    }
    let mut lab = lab(|plan| plan.fru_endless = 1.0);
    let mut session = session(&mut lab);
    let inventory = lab.run(&mut session, ReadFru::new(0)).unwrap().inventory().unwrap();
    assert!(!inventory.problems.is_empty());
}

#[test]
fn the_same_seed_brings_the_same_faults() {
    let plan = |seed| FaultPlan { seed, loss: 0.2, corrupt: 0.2, duplicate: 0.2, ..FaultPlan::default() };
    let run = |seed| answers(&mut lab(|faults| *faults = plan(seed)));
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
