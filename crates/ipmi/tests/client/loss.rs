//! Loss, duplication, delay, forgery and forgetting.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use opendcre_ipmi::client::{Event, Failure, Order};
use opendcre_ipmi::packet::v2_0::{self, PayloadType};
use opendcre_ipmi::{Message, NetFn, REMOTE_CONSOLE};
use proptest::prelude::*;

use crate::world::{Fate, World, chassis};

/// Loses the next `count` datagrams in one direction.
fn lose(world: &mut World, to_bmc: bool, count: usize) {
    let left = Rc::new(Cell::new(count));
    world.network = Box::new(move |direction| {
        if direction != to_bmc || left.get() == 0 {
            return Fate::Arrives;
        }
        left.set(left.get() - 1);
        Fate::Lost
    });
}

#[test]
fn a_lost_answer_is_asked_for_again_under_a_new_packet_number() {
    let mut world = World::new();
    world.read(1).unwrap();
    lose(&mut world, false, 1);
    world.read(9).unwrap();
    let seen: Vec<_> = world.bmc.seen.iter().filter(|(command, ..)| *command == 9).collect();
    let [(_, first, request), (_, second, repeated)] = seen[..] else { panic!("{seen:?}") };
    assert_eq!((second - first, request), (1, repeated));
    assert_eq!(world.client.counters().retries, 1);
}

#[test]
fn control_is_sent_once_even_if_its_answer_is_lost() {
    let mut world = World::new();
    world.read(1).unwrap();
    world.control(2).unwrap();
    lose(&mut world, false, 1);
    assert_eq!(world.control(2), Err(Failure::Silent { sent: true }));
    assert_eq!(world.bmc.done, [(0, 1), (0, 2), (0, 2)]);
    // The late answer to the lost one is not the answer to the next.
    world.network = Box::new(|_| Fate::Arrives);
    let late = world.heard.last().unwrap().clone();
    world.client.request(Order::read(chassis(1)), world.now, &mut world.entropy).unwrap();
    world.client.on_datagram(&late, world.now, &mut world.entropy);
    assert_eq!(world.client.poll_event(), None);
    assert_eq!(world.client.counters().dropped.unmatched, 1);
    world.run(|event| matches!(event, Event::Answered(_)).then_some(()));
}

#[test]
fn control_after_a_pause_first_proves_that_the_session_lives() {
    let mut world = World::new();
    world.control(2).unwrap();
    world.bmc.restart();
    world.now += Duration::from_secs(30);
    world.control(2).unwrap();
    assert_eq!(world.bmc.done, [(0, 2), (0, 2)]);
    assert_eq!(world.bmc.opened, 2);
}

#[test]
fn a_forgotten_session_is_opened_again_for_a_reading() {
    let mut world = World::new();
    world.read(1).unwrap();
    world.bmc.restart();
    world.read(1).unwrap();
    assert_eq!((world.bmc.opened, world.client.counters().sessions), (2, 2));
}

#[test]
fn a_bmc_that_dies_is_reported_and_found_again() {
    let mut world = World::new();
    world.read(1).unwrap();
    world.network = Box::new(|_| Fate::Lost);
    assert_eq!(world.read(1), Err(Failure::Unreachable));
    world.network = Box::new(|_| Fate::Arrives);
    world.bmc.restart();
    world.read(1).unwrap();
}

#[test]
fn what_is_replayed_forged_or_foreign_is_dropped_and_counted() {
    let mut world = World::new();
    world.read(1).unwrap();
    let answer = world.heard.last().unwrap().clone();
    world.client.request(Order::read(chassis(1)), world.now, &mut world.entropy).unwrap();
    let mut forged = answer.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut foreign = answer.clone();
    foreign[6] ^= 1;
    let plain = v2_0::plain(PayloadType::Ipmi, &answer[16..]);
    for bytes in [&answer, &forged, &foreign, &plain, &b"noise".to_vec()] {
        world.client.on_datagram(bytes, world.now, &mut world.entropy);
    }
    assert_eq!(world.client.poll_event(), None);
    let dropped = world.client.counters().dropped;
    assert_eq!((dropped.repeated, dropped.not_authentic, dropped.foreign, dropped.undecodable), (1, 1, 2, 1));
    assert_eq!(dropped.total(), 5);
}

#[test]
fn an_answer_to_something_else_is_dropped() {
    let mut world = World::new();
    world.read(1).unwrap();
    world.client.request(Order::read(chassis(5)), world.now, &mut world.entropy).unwrap();
    // What would be the answer, but for the command or the number or the kind.
    for (netfn, command, sequence) in [(1, 6, 2), (1, 5, 9), (5, 5, 2), (0, 5, 2)] {
        let message = Message {
            to: REMOTE_CONSOLE,
            netfn: NetFn(netfn),
            to_lun: 0,
            from: 0x20,
            sequence,
            from_lun: 0,
            command,
            data: vec![0, 99],
        };
        let bytes = world.bmc.seal(&message);
        world.client.on_datagram(&bytes, world.now, &mut world.entropy);
    }
    assert_eq!(world.client.counters().dropped.unmatched, 4);
    let data = world.run(|event| match event {
        Event::Answered(response) => Some(response.data),
        _ => None,
    });
    assert_eq!(data, [5]);
}

#[test]
fn what_was_abandoned_disturbs_nothing() {
    let mut world = World::new();
    world.client.request(Order::read(chassis(1)), world.now, &mut world.entropy).unwrap();
    world.client.abandon();
    world.exchange();
    assert_eq!(world.read(7).unwrap().data, [7]);
    world.client.request(Order::read(chassis(1)), world.now, &mut world.entropy).unwrap();
    world.client.abandon();
    world.exchange();
    assert_eq!(world.read(8).unwrap().data, [8]);
}

proptest! {
    /// A fifth of all datagrams is lost, a fifth arrives twice: no wrong answer, no control twice.
    #[test]
    fn a_bad_network_costs_time_and_nothing_else(fates in prop::collection::vec(0_u8..5, 1..97)) {
        let mut world = World::new();
        let mut next = 0;
        world.network = Box::new(move |_| {
            next += 1;
            match fates[next % fates.len()] {
                0 if fates.iter().any(|fate| *fate > 1) => Fate::Lost,
                1 => Fate::Twice,
                _ => Fate::Arrives,
            }
        });
        let mut controls = 0;
        for command in 1..20 {
            if command % 5 == 0 {
                controls += 1;
                // It may be lost, but then it says so.
                match world.control(command) {
                    Ok(response) => prop_assert_eq!(response.data, [command]),
                    Err(failure) => prop_assert!(failure.is_silence(), "{failure}"),
                }
            } else if let Ok(response) = world.read(command) {
                prop_assert_eq!(response.data, [command]);
            }
        }
        for command in [5, 10, 15] {
            // A duplicate on the network reaches the BMC twice, as one packet with one number; the client sends one.
            let mut packets: Vec<u32> =
                world.bmc.seen.iter().filter(|seen| seen.0 == command).map(|seen| seen.1).collect();
            packets.dedup();
            prop_assert!(packets.len() <= 1, "{packets:?}");
        }
        prop_assert_eq!(controls, 3);
    }
}
